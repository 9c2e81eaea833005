//! Random sequences of everything that can happen: after each step counts are the sums of votes, no weight counts twice,
//! and nobody's bond is locked but by a vote.

use crate::{mock::*, *};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Submit(u16),
    Vote(AccountId, u32, bool),
    Remove(AccountId, u32),
    Delegate(AccountId, u16, AccountId),
    Undelegate(AccountId, u16),
    Refuse(AccountId, u16, AccountId),
    CleanUp(u32, u32),
    Kill(u32),
    Census(Vec<u64>),
    Leave(AccountId),
    Blocks(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 1..9u64;
    let poll = 0..6u32;
    let class = 0..2u16;
    let step = prop_oneof![
        3 => class.clone().prop_map(Step::Submit),
        12 => (who.clone(), poll.clone(), any::<bool>()).prop_map(|(who, poll, aye)| Step::Vote(who, poll, aye)),
        3 => (who.clone(), poll.clone()).prop_map(|(who, poll)| Step::Remove(who, poll)),
        8 => (who.clone(), class.clone(), who.clone()).prop_map(|(who, class, to)| Step::Delegate(who, class, to)),
        3 => (who.clone(), class.clone()).prop_map(|(who, class)| Step::Undelegate(who, class)),
        2 => (who.clone(), class, who.clone()).prop_map(|(by, class, whom)| Step::Refuse(by, class, whom)),
        2 => (poll.clone(), 0..4u32).prop_map(|(poll, most)| Step::CleanUp(poll, most)),
        1 => poll.prop_map(Step::Kill),
        2 => prop::collection::vec(0..1_000u64, 8).prop_map(Step::Census),
        1 => who.prop_map(Step::Leave),
        6 => (1..8u64).prop_map(Step::Blocks),
    ];
    prop::collection::vec(step, 1..80)
}

fn apply(step: Step) {
    let signed = RuntimeOrigin::signed;
    // Most steps are refused at one time or another: then they must change nothing.
    match step {
        Step::Submit(class) => {
            if pallet_referenda::ReferendumCount::<Test>::get() < 6 {
                submit(class);
            }
        }
        Step::Vote(who, poll, aye) => {
            let _ = vote(who, poll, aye);
        }
        Step::Remove(who, poll) => {
            let _ = Voting::remove_vote(signed(who), who, poll);
        }
        Step::Delegate(who, class, to) => {
            let _ = Voting::delegate(signed(who), who, class, to);
        }
        Step::Undelegate(who, class) => {
            let _ = Voting::undelegate(signed(who), who, class);
        }
        Step::Refuse(by, class, whom) => {
            let _ = Voting::refuse(signed(by), by, class, whom);
        }
        Step::CleanUp(poll, most) => {
            let _ = Voting::clean_up(signed(50), poll, most);
        }
        Step::Kill(poll) => {
            let _ = Referenda::kill(RuntimeOrigin::root(), poll);
        }
        Step::Census(weights) => {
            let voices: Vec<_> = OPERATORS.into_iter().zip(weights).collect();
            World::census(&voices);
        }
        Step::Leave(who) => World::with(|world| {
            // The registry lets nobody go whose bond is locked.
            if world.liabilities.get(&who).copied().unwrap_or(0) == 0 {
                world.registered.retain(|other| *other != who);
            }
        }),
        Step::Blocks(blocks) => run_to(System::block_number() + blocks),
    }
}

fn check_locks() {
    for who in OPERATORS {
        let locked = Votes::<Test>::iter()
            .filter(|(_, voter, vote)| *voter == who && vote.bond > 0)
            .count();
        assert_eq!(World::liabilities(who) as usize, locked, "locks of {who}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn counts_are_sums_after_every_step(steps in steps()) {
        new_test_ext().execute_with(|| {
            World::census(&[(1, 10), (2, 20), (3, 30), (4, 40), (5, 50), (6, 60)]);
            for step in steps {
                let shown = format!("{step:?}");
                // As a dispatch is: what fails changes nothing.
                let _ = frame_support::storage::with_storage_layer(|| {
                    apply(step);
                    Ok::<(), DispatchError>(())
                });
                if let Err(error) = Voting::do_try_state() {
                    panic!("after {shown}: {error:?}");
                }
                check_locks();
            }
        });
    }
}
