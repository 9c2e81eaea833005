//! Random sequences of fees, claims, forfeitures, cases, gifts and epochs: after each step the books balance and no planck
//! has appeared or vanished.

use crate::{mock::*, *};
use chasqui_primitives::{money::split_fee, traits::Ledger, DOT};
use proptest::prelude::*;
use sp_runtime::Perbill;

#[derive(Clone, Debug)]
enum Step {
    /// `paid`: how much of the price really is in the pot, in percent.
    Fee {
        executor: AccountId,
        auditors: Vec<AccountId>,
        price: Balance,
        units: u64,
        paid: u128,
    },
    Points {
        who: AccountId,
        points: u64,
    },
    Claim {
        who: AccountId,
        epoch: EpochIndex,
    },
    Forfeit {
        who: AccountId,
    },
    Case {
        who: AccountId,
        epoch: EpochIndex,
        open: bool,
    },
    Gift {
        amount: Balance,
    },
    SetShares {
        root: bool,
        poi: u32,
        poc: u32,
        fund: u32,
        reserve: u32,
    },
    Blocks {
        count: u64,
    },
    Epochs {
        count: u32,
    },
}

/// Operators, hot keys, and accounts that are neither.
fn person() -> impl Strategy<Value = AccountId> {
    prop_oneof![6 => 1..=8u64, 2 => 101..=108u64, 1 => 300..304u64]
}

fn amount() -> impl Strategy<Value = Balance> {
    prop_oneof![
        2 => 0..1_000u128,
        2 => 1..(3 * ExistentialDeposit::get()),
        3 => DOT..(500 * DOT),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (person(), prop::collection::vec(person(), 0..4), amount(), any::<u64>(), prop_oneof![9 => Just(100u128), 1 => 0..100u128])
            .prop_map(|(executor, auditors, price, units, paid)| Step::Fee { executor, auditors, price, units, paid }),
        4 => (person(), 0..50u64).prop_map(|(who, points)| Step::Points { who, points }),
        8 => (person(), 0..30u32).prop_map(|(who, epoch)| Step::Claim { who, epoch }),
        2 => person().prop_map(|who| Step::Forfeit { who }),
        2 => (person(), 0..30u32, any::<bool>()).prop_map(|(who, epoch, open)| Step::Case { who, epoch, open }),
        1 => amount().prop_map(|amount| Step::Gift { amount }),
        1 => (any::<bool>(), 0..=100u32, 0..=40u32, 0..=40u32, 0..=40u32)
            .prop_map(|(root, poi, poc, fund, reserve)| Step::SetShares { root, poi, poc, fund, reserve }),
        3 => (1..5u64).prop_map(|count| Step::Blocks { count }),
        4 => (1..4u32).prop_map(|count| Step::Epochs { count }),
    ]
}

fn perform(step: &Step) -> DispatchResult {
    match step.clone() {
        Step::Fee {
            executor,
            auditors,
            price,
            units,
            paid,
        } => {
            let before = (Liabilities::<Test>::get(), Rewards::surplus());
            fill_pot(price * paid / 100);
            Rewards::record_fee(SUBJECT, &executor, &auditors, price, units);
            // Exactly what is there is shared out, at most the price.
            let there = before.1 + price * paid / 100;
            assert_eq!(Liabilities::<Test>::get() - before.0, there.min(price));
            let split = split_fee(price, &Rewards::shares(), auditors.len() as u32);
            assert_eq!(split.total(auditors.len() as u32), price);
        }
        Step::Points { who, points } => Rewards::record_poc_points(&who, points),
        Step::Claim { who, epoch } => {
            let operator = Registry::by_signer(&who).unwrap_or(who);
            let promised = Rewards::claimable(operator)
                .into_iter()
                .find(|(e, _)| *e == epoch);
            let before = Liabilities::<Test>::get();
            let outcome = Rewards::claim(RuntimeOrigin::signed(who), epoch);
            // A claim succeeds exactly when it is promised, and pays what is promised, or keeps it.
            assert_eq!(outcome.is_ok(), promised.is_some());
            if let Some((_, amount)) = promised {
                let paid = before - Liabilities::<Test>::get();
                assert!(paid == amount || (paid == 0 && amount < ExistentialDeposit::get()));
            }
            return outcome;
        }
        Step::Forfeit { who } => {
            let unclaimed = Rewards::unclaimed(&who);
            let before = (ReserveDue::<Test>::get(), Liabilities::<Test>::get());
            let taken = Rewards::forfeit(&who);
            assert!(taken >= unclaimed);
            assert_eq!(Rewards::unclaimed(&who), 0);
            assert!(ReserveDue::<Test>::get() - before.0 >= taken);
            assert_eq!(Liabilities::<Test>::get(), before.1);
        }
        Step::Case {
            who,
            epoch,
            open: true,
        } => Rewards::case_opened(&who, epoch),
        Step::Case {
            who,
            epoch,
            open: false,
        } => Rewards::case_closed(&who, epoch),
        Step::Gift { amount } => fill_pot(amount),
        Step::SetShares {
            root,
            poi,
            poc,
            fund,
            reserve,
        } => {
            let shares = Shares {
                poi: Perbill::from_percent(poi),
                poc: Perbill::from_percent(poc),
                fund: Perbill::from_percent(fund),
                reserve: Perbill::from_percent(reserve),
            };
            let origin = if root {
                RuntimeOrigin::root()
            } else {
                RuntimeOrigin::signed(1)
            };
            let outcome = Rewards::set_shares(origin, shares);
            assert!(outcome.is_err() || (root && poi + poc + fund + reserve == 100));
            return outcome;
        }
        Step::Blocks { count } => run_blocks(count),
        Step::Epochs { count } => run_to_epoch(CurrentEpoch::get() + count),
    }
    Ok(())
}

proptest! {
    // 64 cases, or a quarter of PROPTEST_CASES.
    #![proptest_config({
        let default = ProptestConfig::default();
        ProptestConfig { cases: default.cases / 4, ..default }
    })]

    #[test]
    fn random_steps_should_keep_the_books(
        steps in prop::collection::vec(step(), 1..120),
        sweep_step in 1..8u32,
    ) {
        new_test_ext().execute_with(|| {
            SweepStep::set(sweep_step);
            let issuance = Balances::total_issuance();
            for step in &steps {
                // A call is a transaction, as it is in a block.
                let _ = frame_support::storage::with_storage_layer(|| perform(step));
                // I1: the books balance.
                Rewards::do_try_state().unwrap();
                // I2: no money appeared or vanished.
                assert_eq!(Balances::total_issuance(), issuance);
                // I3: the pot holds the existential deposit, what is owed, and the surplus: to the planck.
                assert_eq!(
                    free(Rewards::pot()),
                    ExistentialDeposit::get() + Liabilities::<Test>::get() + Rewards::surplus()
                );
            }
            // I4: when everybody has collected or been swept, nothing is left but the existential deposit.
            run_to_epoch(CurrentEpoch::get() + ClaimPeriod::get() + 2);
            run_blocks(500);
            run_to_epoch(CurrentEpoch::get() + 1);
            Rewards::do_try_state().unwrap();
            assert_eq!(free(Rewards::pot()), ExistentialDeposit::get());
            assert_eq!(Balances::total_issuance(), issuance);
            assert_eq!(Earnings::<Test>::iter().count(), 0);
        });
    }
}
