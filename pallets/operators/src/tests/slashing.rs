//! Where a slash goes.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Operators as OperatorsApi, DOT};
use frame_support::assert_ok;

fn free(who: AccountId) -> Balance {
    Balances::free_balance(who)
}

fn reserve() -> Balance {
    free(ReserveAccount::get()) - ExistentialDeposit::get()
}

/// A newcomer without an account.
const NOBODY: AccountId = 555;

#[test]
fn slash_should_refund_the_victim_then_pay_reporter_and_auditors_then_the_reserve() {
    build_and_execute(|| {
        // GIVEN a liar with a bond of 1000 DOT, of which a false result costs 300
        for who in 1..=4 {
            register(who, 1_000 * DOT, BOTH, 1);
        }
        assert_eq!(
            OperatorsPallet::slashable(&1, Offence::FalseResult),
            300 * DOT
        );
        let before = (free(20), free(21), free(2), free(3));

        // WHEN it is slashed for a job of 100 DOT, reported by 21, audited by 2 and 3
        let taken = OperatorsPallet::slash(
            &1,
            Offence::FalseResult,
            Some((&20, 100 * DOT)),
            Some(&21),
            &[2, 3],
        );

        // THEN the victim has its loss, reporter and auditors 20% of the rest together, the reserve all else
        assert_eq!(taken, 300 * DOT);
        assert_eq!(bond(1), 700 * DOT);
        let after = (free(20), free(21), free(2), free(3));
        assert_eq!(after.0 - before.0, 100 * DOT);
        assert_eq!(after.1 - before.1, 20 * DOT);
        assert_eq!(after.2 - before.2, 10 * DOT);
        assert_eq!(after.3 - before.3, 10 * DOT);
        assert_eq!(reserve(), 160 * DOT);
        assert!(happened(Event::Slashed {
            operator: 1,
            offence: Offence::FalseResult,
            amount: 300 * DOT,
            to_victim: 100 * DOT,
            to_reporter: 20 * DOT,
            to_auditors: 20 * DOT,
            to_reserve: 160 * DOT,
        }));
        // AND it is jailed
        assert_eq!(status(1), Status::Jailed { until: 1 });
        assert!(happened(Event::Jailed {
            operator: 1,
            until: 1
        }));
    });
}

#[test]
fn victim_should_get_at_most_what_is_taken() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        let before = free(20);
        OperatorsPallet::slash(&1, Offence::FalseResult, Some((&20, 900 * DOT)), None, &[]);
        assert_eq!(free(20) - before, 300 * DOT);
        assert_eq!(reserve(), 0);
    });
}

#[test]
fn related_accounts_should_never_profit() {
    build_and_execute(|| {
        // GIVEN a liar of owner 9, whose sibling 2 audited, and an honest auditor
        register_owned(1, 9, BOTH, 1);
        register_owned(2, 9, BOTH, 1);
        register(3, 1_000 * DOT, BOTH, 1);
        let before = (free(9), free(2), free(hot(1)), free(3));

        // WHEN owner, siblings and keys are named as victim, reporter and auditors
        for (victim, reporter) in [(9, hot(1)), (1, 2), (2, 9), (hot(2), 1)] {
            OperatorsPallet::slash(
                &1,
                Offence::FalseResult,
                Some((&victim, 50 * DOT)),
                Some(&reporter),
                &[2, 9],
            );
        }
        // THEN none of them receives anything
        assert_eq!((free(9), free(2), free(hot(1)), free(3)), before);
        assert_eq!(reserve(), 1_000 * DOT - bond(1));

        // AND an honest auditor beside them is paid
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[2, 3]);
        assert!(free(3) > before.3);
        assert_eq!((free(9), free(2)), (before.0, before.1));
    });
}

#[test]
fn auditors_should_be_paid_at_their_owners_account() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        register_owned(2, 9, BOTH, 1);
        let before = (free(2), free(9));
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[2]);
        assert_eq!((free(2), free(9)), (before.0, before.1 + 30 * DOT));
    });
}

#[test]
fn what_an_account_cannot_hold_should_go_to_the_reserve() {
    build_and_execute(|| {
        // GIVEN a slash whose parts for accounts that do not exist are below the existential deposit
        register(1, 100 * DOT, BOTH, 1);
        let dust = ExistentialDeposit::get() - 1;

        // WHEN it is shared out
        let taken =
            OperatorsPallet::slash(&1, Offence::FalseResult, Some((&NOBODY, dust)), None, &[]);

        // THEN nothing vanishes
        assert_eq!(taken, 30 * DOT);
        assert_eq!(free(NOBODY), 0);
        assert_eq!(reserve(), 30 * DOT);
    });
}

#[test]
fn slash_should_keep_the_bond_when_not_even_the_reserve_can_hold_it() {
    build_and_execute(|| {
        // GIVEN a reserve without an account, and an amount below the existential deposit
        register(1, 100 * DOT, BOTH, 1);
        let at_reserve = free(ReserveAccount::get());
        assert_ok!(Balances::force_transfer(
            RuntimeOrigin::root(),
            ReserveAccount::get(),
            30,
            at_reserve
        ));
        // WHEN it is taken, THEN it stays where it is
        assert_eq!(OperatorsPallet::forfeit_lien(&1, 7, &[]), 0);
        assert_eq!(bond(1), 100 * DOT);
    });
}

#[test]
fn slash_should_never_take_more_than_the_bond() {
    build_and_execute(|| {
        // GIVEN a bond that is slashed again and again, wholly at last
        register(1, 100 * DOT, BOTH, 1);
        for _ in 0..50 {
            OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);
        }
        let left = bond(1);
        assert_eq!(OperatorsPallet::forfeit_lien(&1, Balance::MAX, &[]), left);

        // THEN nothing more is taken, and the operator can still leave
        assert_eq!(bond(1), 0);
        assert_eq!(
            OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]),
            0
        );
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));
        run_blocks(30);
        assert_ok!(OperatorsPallet::withdraw(RuntimeOrigin::signed(1)));
        assert_eq!(free(1), ENDOWMENT - 100 * DOT);
    });
}

#[test]
fn slash_should_ignore_strangers() {
    build_and_execute(|| {
        assert_eq!(
            OperatorsPallet::slash(&9, Offence::FalseResult, None, None, &[]),
            0
        );
        assert_eq!(OperatorsPallet::forfeit_lien(&9, DOT, &[]), 0);
        assert_eq!(OperatorsPallet::slashable(&9, Offence::FalseResult), 0);
    });
}

#[test]
fn penalty_should_be_the_offences_own() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        let slashable = |offence| OperatorsPallet::slashable(&1, offence);
        assert_eq!(slashable(Offence::FalseResult), 300 * DOT);
        assert_eq!(slashable(Offence::RepeatedSoft), 100 * DOT);
        assert_eq!(slashable(Offence::MissedDuties), 10 * DOT);
    });
}

#[test]
fn jail_should_last_for_the_longest_of_several_offences() {
    build_and_execute(|| {
        register(1, 1_000 * DOT, BOTH, 1);
        OperatorsPallet::slash(&1, Offence::MissedDuties, None, None, &[]);
        assert_eq!(status(1), Status::Jailed { until: 2 });
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);
        assert_eq!(status(1), Status::Jailed { until: 2 });
    });
}

#[test]
fn lien_should_be_shared_by_the_unrelated_and_rounded_to_the_reserve() {
    build_and_execute(|| {
        // GIVEN an operator whose flag was overturned by three voters, one of its own owner
        register_owned(1, 9, BOTH, 1);
        register_owned(4, 9, BOTH, 1);
        register(2, 100 * DOT, BOTH, 1);
        register(3, 100 * DOT, BOTH, 1);
        let before = (free(2), free(3), free(9));

        // WHEN its lien of an odd amount is spent
        let taken = OperatorsPallet::forfeit_lien(&1, 3 * DOT + 1, &[2, 3, 4]);

        // THEN the two others share it, and the odd planck is the reserve's
        assert_eq!(taken, 3 * DOT + 1);
        assert_eq!(free(2) - before.0, 3 * DOT / 2);
        assert_eq!(free(3) - before.1, 3 * DOT / 2);
        assert_eq!(free(9), before.2);
        assert_eq!(reserve(), 1);
        assert!(happened(Event::LienForfeited {
            operator: 1,
            amount: 3 * DOT + 1
        }));
    });
}
