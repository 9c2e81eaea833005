//! Delegation: over one hop, as it was when the poll was submitted, never counted twice.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};

fn undelegate(who: AccountId) -> DispatchResult {
    Voting::undelegate(RuntimeOrigin::signed(who), who, ORDINARY)
}

#[test]
fn a_delegate_votes_with_the_weight_of_those_who_delegate_to_it() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20), (3, 30)]);
        assert_ok!(delegate(2, 1));
        assert_ok!(delegate(3, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (60, 0));
        assert_ok!(vote(1, poll, false));
        assert_eq!(count(poll), (0, 60));
    });
}

#[test]
fn who_votes_itself_takes_its_weight_back_before_or_after() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20), (3, 30)]);
        assert_ok!(delegate(2, 1));
        assert_ok!(delegate(3, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        assert_ok!(vote(2, poll, false));
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (40, 20));
        assert_ok!(vote(3, poll, false));
        assert_eq!(count(poll), (10, 50));
    });
}

#[test]
fn who_takes_its_vote_back_counts_again_when_its_delegate_votes_again() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20)]);
        assert_ok!(delegate(2, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        assert_ok!(vote(2, poll, false));
        assert_ok!(vote(1, poll, true));
        assert_ok!(Voting::remove_vote(RuntimeOrigin::signed(2), 2, poll));
        assert_eq!(count(poll), (10, 0));
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (30, 0));
    });
}

#[test]
fn what_a_delegate_takes_back_its_delegators_weight_goes_with() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20)]);
        assert_ok!(delegate(2, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_ok!(Voting::remove_vote(RuntimeOrigin::signed(1), 1, poll));
        assert_eq!(count(poll), (0, 0));
        assert_ok!(vote(2, poll, true));
        assert_eq!(count(poll), (20, 0));
    });
}

#[test]
fn what_held_at_submission_holds_for_the_poll() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20), (3, 30), (4, 40)]);
        assert_ok!(delegate(2, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        run_to(3);
        // WHEN one delegates only now, and one changes its delegate
        assert_ok!(delegate(3, 1));
        assert_ok!(delegate(2, 4));
        // THEN this poll knows neither
        assert_ok!(vote(4, poll, false));
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (30, 40));
        // AND the next one does
        run_to(4);
        let next = submit(ORDINARY);
        assert_ok!(vote(4, next, false));
        assert_ok!(vote(1, next, true));
        assert_eq!(count(next), (40, 60));
    });
}

#[test]
fn a_delegation_in_the_block_of_the_submission_is_too_late() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20)]);
        assert_ok!(delegate(2, 1));
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (10, 0));
    });
}

#[test]
fn a_loop_counts_everybody_once() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20), (3, 30)]);
        assert_ok!(delegate(1, 2));
        assert_ok!(delegate(2, 3));
        assert_ok!(delegate(3, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        // One hop: 3 delegates to 1, and what 2 delegates to 3 stays there.
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (40, 0));
        assert_ok!(vote(2, poll, true));
        assert_eq!(count(poll), (60, 0));
        assert_ok!(vote(3, poll, false));
        assert_eq!(count(poll), (30, 30));
        assert_noop!(delegate(1, 1), Error::<Test>::SelfDelegation);
    });
}

#[test]
fn delegations_are_by_class() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20)]);
        assert_ok!(delegate(2, 1));
        run_to(2);
        let poll = submit(ROOT);
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (10, 0));
        assert_noop!(
            Voting::delegate(RuntimeOrigin::signed(2), 2, 9, 1),
            Error::<Test>::NoSuchClass
        );
    });
}

#[test]
fn only_operators_with_weight_delegate_and_only_to_operators() {
    build_and_execute(|| {
        World::census(&[(1, 10)]);
        assert_noop!(delegate(2, 1), Error::<Test>::NoWeight);
        assert_noop!(delegate(1, 50), Error::<Test>::NotOperator);
        assert_noop!(
            Voting::delegate(RuntimeOrigin::signed(201), 1, ORDINARY, 2),
            Error::<Test>::NotOperator
        );
    });
}

#[test]
fn places_of_a_delegate_are_bounded_and_free_themselves() {
    build_and_execute(|| {
        World::census(&[(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]);
        for who in 2..6 {
            assert_ok!(delegate(who, 1));
        }
        assert_noop!(delegate(6, 1), Error::<Test>::TooManyDelegators);
        run_to(2);
        // WHEN one leaves, polls of its time still need its place
        assert_ok!(undelegate(2));
        assert_noop!(delegate(6, 1), Error::<Test>::TooManyDelegators);
        assert_noop!(undelegate(2), Error::<Test>::NotDelegated);
        // THEN until none can be open
        run_to(43);
        assert_ok!(delegate(6, 1));
    });
}

#[test]
fn a_delegation_that_is_undone_at_once_leaves_nothing() {
    build_and_execute(|| {
        World::census(&[(1, 1), (2, 1)]);
        assert_ok!(delegate(2, 1));
        assert_ok!(undelegate(2));
        assert!(Delegators::<Test>::get(1, ORDINARY).is_empty());
    });
}

#[test]
fn a_delegate_sends_somebody_away_and_only_its_own() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 20), (3, 30)]);
        assert_ok!(delegate(2, 1));
        let refuse = |by, whom| Voting::refuse(RuntimeOrigin::signed(by), by, ORDINARY, whom);
        assert_noop!(refuse(3, 2), Error::<Test>::NotDelegated);
        run_to(2);
        assert_ok!(refuse(1, 2));
        run_to(3);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (10, 0));
    });
}
