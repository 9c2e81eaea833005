//! Random sequences of everything that can happen to the fund: after each step the earmarks are covered and no planck has
//! appeared or vanished.

use crate::{mock::*, *};
use chasqui_primitives::{traits::TrainingFund, DOT};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Donate(Balance),
    Reserve(RunId, Balance),
    Pay(RunId, AccountId, Balance),
    Release(RunId),
    Grant(AccountId, Vec<(Balance, u64)>),
    Prove(AccountId, GrantId, u32),
    Approve(GrantId, u32),
    Decline(GrantId, u32),
    Cancel(GrantId),
    Blocks(u64),
}

fn amount() -> impl Strategy<Value = Balance> {
    prop_oneof![
        1 => Just(0),
        2 => 1..10u128,
        6 => 1..20 * DOT,
        1 => Just(ExistentialDeposit::get()),
        1 => Just(Balance::MAX),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let run = 0..3u32;
    let who = 1..=3u64;
    let grant = 0..6u32;
    let of = 0..4u32;
    let terms = prop::collection::vec((amount(), 0..12u64), 0..4);
    let step = prop_oneof![
        4 => (1..50 * DOT).prop_map(Step::Donate),
        4 => (run.clone(), amount()).prop_map(|(run, amount)| Step::Reserve(run, amount)),
        6 => (run.clone(), who.clone(), amount()).prop_map(|(run, who, amount)| Step::Pay(run, who, amount)),
        1 => run.prop_map(Step::Release),
        4 => (who.clone(), terms).prop_map(|(who, terms)| Step::Grant(who, terms)),
        8 => (who, grant.clone(), of.clone()).prop_map(|(who, grant, of)| Step::Prove(who, grant, of)),
        5 => (grant.clone(), of.clone()).prop_map(|(grant, of)| Step::Approve(grant, of)),
        2 => (grant.clone(), of).prop_map(|(grant, of)| Step::Decline(grant, of)),
        1 => grant.prop_map(Step::Cancel),
        3 => (1..5u64).prop_map(Step::Blocks),
    ];
    prop::collection::vec(step, 1..120)
}

fn perform(step: Step) -> DispatchResult {
    let root = RuntimeOrigin::root;
    match step {
        Step::Donate(amount) => donate(amount.max(ExistentialDeposit::get())),
        Step::Reserve(run, amount) => {
            let (free, reserved) = (Fund::status().free, Fund::reserved(run));
            let outcome = Fund::reserve(run, amount);
            assert_eq!(outcome.is_ok(), amount <= free);
            let added = if outcome.is_ok() { amount } else { 0 };
            assert_eq!(Fund::reserved(run), reserved + added);
            return outcome;
        }
        Step::Pay(run, who, amount) => {
            let (reserved, has) = (Fund::reserved(run), balance(who));
            let outcome = Fund::pay(run, &who, amount);
            // I2: what somebody gains, the earmark loses.
            assert_eq!(balance(who) - has, reserved - Fund::reserved(run));
            assert!(outcome.is_err() || amount <= reserved);
            return outcome;
        }
        Step::Release(run) => {
            let (free, reserved) = (Fund::status().free, Fund::reserved(run));
            assert_eq!(Fund::release(run), reserved);
            assert_eq!(Fund::status().free, free + reserved);
        }
        Step::Grant(who, terms) => {
            let now = System::block_number();
            let terms: Vec<_> = terms
                .into_iter()
                .map(|(amount, blocks)| (amount, now + blocks))
                .collect();
            return Fund::create_grant(root(), who, milestones(&terms));
        }
        Step::Prove(who, grant, of) => {
            return Fund::prove(RuntimeOrigin::signed(who), grant, of, H256::zero());
        }
        Step::Approve(grant, of) => return Fund::approve(root(), grant, of),
        Step::Decline(grant, of) => return Fund::decline(root(), grant, of),
        Step::Cancel(grant) => return Fund::cancel_grant(root(), grant),
        Step::Blocks(blocks) => run_to(System::block_number() + blocks),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..Default::default() })]

    #[test]
    fn any_sequence_conserves_every_planck(steps in steps(), room in 1..5u32) {
        new_test_ext().execute_with(|| {
            MaxDeadlines::set(room);
            let issuance = Balances::total_issuance();
            for step in steps {
                // A call is a transaction, as it is in a block.
                let _ = frame_support::storage::with_storage_layer(|| perform(step));
                // I1: the earmarks are covered.
                check();
                // I3: no money appeared or vanished.
                assert_eq!(Balances::total_issuance(), issuance);
                let FundStatus { balance, runs, grants, free } = Fund::status();
                let deposit = ExistentialDeposit::get().min(balance);
                assert_eq!(balance, runs + grants + free + deposit);
            }
            // I4: when all runs have ended and all deadlines passed, only proofs that wait for a decision are earmarked.
            (0..3).for_each(|run| { Fund::release(run); });
            run_to(System::block_number() + 400);
            for (id, grant) in Fund::grants(0, 100) {
                for (of, milestone) in grant.milestones.iter().enumerate() {
                    let proven = matches!(milestone.state, MilestoneState::Proven { .. });
                    assert!(proven || !milestone.state.is_pending());
                    if proven {
                        let _ = Fund::decline(RuntimeOrigin::root(), id, of as u32);
                    }
                }
            }
            check();
            assert_eq!((Fund::status().runs, Fund::status().grants), (0, 0));
            assert_eq!(Deadlines::<Test>::iter().count(), 0);
        });
    }
}
