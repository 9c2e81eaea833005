//! The pallet's own checks find what is wrong.

use crate::{mock::*, *};
use chasqui_primitives::training::Phase;
use frame_support::assert_ok;

/// Breaks a sound state (run 0 trains, a challenge of its first round is open) and expects the checks to say so.
fn is_found(break_it: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        let run = training(terms(4, 2, 4), 4);
        go_until(
            run,
            |_| Decision::Valid,
            |head| head.pending.is_some() && matches!(head.phase, Phase::Seed),
        );
        assert_ok!(challenge(25, run, 1));
        let result = EvaluationResult {
            tokens: 1,
            loss_micro: 1,
        };
        assert_ok!(Training::attest_evaluation(
            signed(20),
            BASE,
            DATASET,
            result
        ));
        check();
        break_it();
        assert!(Training::do_try_state().is_err());
    });
}

fn change(change: impl FnOnce(&mut RunRecord<AccountId>)) {
    Runs::<Test>::mutate(0, |record| change(record.as_mut().expect("it is there")));
}

#[test]
fn live_runs_that_are_not_listed_are_found() {
    is_found(Live::<Test>::kill);
    is_found(|| assert!(Live::<Test>::try_append(0).is_ok()));
    is_found(|| drop(Roots::<Test>::clear(9, None)));
    is_found(|| Roots::<Test>::insert(H256::zero(), 0));
    is_found(|| Terms::<Test>::remove(0));
    is_found(|| Terms::<Test>::insert(9, terms(1, 1, 1)));
    is_found(|| NextRun::<Test>::put(0));
}

#[test]
fn miscounted_members_are_found() {
    is_found(|| change(|record| record.head.active -= 1));
    is_found(|| Members::<Test>::remove(0, 1));
    is_found(|| Slots::<Test>::insert((0, List::Banned, 4), 1));
}

#[test]
fn miscounted_contributions_are_found() {
    is_found(|| Contributions::<Test>::remove((0, 0, 1)));
    is_found(|| Contributions::<Test>::insert((0, 7, 1), Contribution::new(1)));
    is_found(|| Rounds::<Test>::remove(0, 0));
}

#[test]
fn money_that_is_not_earmarked_is_found() {
    is_found(|| Earmarks::insert(0, ROUND_PAY));
    is_found(|| Earmarks::insert(0, 5 * ROUND_PAY));
    is_found(|| change(|record| record.head.phase = Phase::Finished));
}

#[test]
fn wrong_seats_are_found() {
    is_found(|| Seats::<Test>::remove(0, 1));
    is_found(|| Interested::<Test>::remove(0, 1));
    is_found(|| Interested::<Test>::insert(0, 20, 1));
    is_found(|| {
        Seats::<Test>::mutate(0, 1, |seat| {
            seat.as_mut().expect("it is there").contributions += 1
        })
    });
}

#[test]
fn deposits_that_are_not_on_hold_are_found() {
    is_found(|| change(|record| record.around.challenge = None));
    is_found(|| {
        change(|record| {
            let challenge = record.around.challenge.as_mut();
            challenge.expect("it is open").deposit += 1;
        })
    });
    is_found(|| Evaluations::<Test>::remove(BASE));
    is_found(|| {
        Seats::<Test>::mutate(0, 1, |seat| {
            seat.as_mut().expect("it is there").deposit += 1
        })
    });
}

#[test]
fn seeds_that_nobody_waits_for_are_found() {
    is_found(|| change(|record| record.around.seed = None));
    is_found(|| change(|record| record.around.panel = None));
}
