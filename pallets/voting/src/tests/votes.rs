//! Votes: who may cast them, what they weigh, how they change.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};

#[test]
fn a_vote_weighs_what_the_census_before_the_poll_says() {
    build_and_execute(|| {
        // GIVEN a poll submitted after a census, and another census after that
        World::census(&[(1, 10), (2, 20)]);
        let poll = submit(ORDINARY);
        World::census(&[(1, 10_000), (2, 1), (3, 5_000)]);
        // WHEN they vote
        assert_ok!(vote(1, poll, true));
        assert_ok!(vote(2, poll, false));
        // THEN what was earned later counts for nothing, and nor does who came later
        assert_eq!(count(poll), (10, 20));
        assert_noop!(vote(3, poll, true), Error::<Test>::NoWeight);
    });
}

#[test]
fn the_first_vote_is_free_and_changes_are_not() {
    build_and_execute(|| {
        World::census(&[(1, 10)]);
        let poll = submit(ORDINARY);
        assert_eq!(vote(1, poll, true).unwrap().pays_fee, Pays::No);
        assert_eq!(vote(1, poll, false).unwrap().pays_fee, Pays::Yes);
        assert_eq!(count(poll), (0, 10));
    });
}

#[test]
fn the_same_vote_twice_counts_once() {
    build_and_execute(|| {
        World::census(&[(1, 10)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (10, 0));
    });
}

#[test]
fn a_vote_can_be_taken_back() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 5)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_ok!(vote(2, poll, true));
        assert_ok!(Voting::remove_vote(RuntimeOrigin::signed(1), 1, poll));
        assert_eq!(count(poll), (5, 0));
        assert_noop!(
            Voting::remove_vote(RuntimeOrigin::signed(1), 1, poll),
            Error::<Test>::NotVoted
        );
    });
}

#[test]
fn owner_and_bonded_account_vote_and_nobody_else() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 5)]);
        let poll = submit(ORDINARY);
        let as_one = |who| Voting::vote(RuntimeOrigin::signed(who), 1, poll, true);
        // Its owner, and a change by the account itself.
        assert_ok!(as_one(101));
        assert_ok!(as_one(1));
        // Its hot key, another operator, a stranger, nobody.
        for who in [201, 2, 50] {
            assert_noop!(as_one(who), Error::<Test>::NotOperator);
        }
        assert_noop!(
            Voting::vote(RuntimeOrigin::root(), 1, poll, true),
            DispatchError::BadOrigin
        );
        assert_eq!(count(poll), (10, 0));
    });
}

#[test]
fn who_contributed_nothing_or_left_has_no_vote() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 0)]);
        let poll = submit(ORDINARY);
        assert_noop!(vote(2, poll, true), Error::<Test>::NoWeight);
        assert_noop!(vote(3, poll, true), Error::<Test>::NoWeight);
        World::with(|world| world.registered.retain(|who| *who != 1));
        assert_noop!(vote(1, poll, true), Error::<Test>::NotOperator);
    });
}

#[test]
fn no_vote_on_a_poll_that_is_over_or_never_was() {
    build_and_execute(|| {
        World::census(&[(1, 10), (2, 10)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        run_to(40);
        assert_eq!(approved(poll), Some(true));
        assert_noop!(vote(2, poll, false), Error::<Test>::NotOngoing);
        assert_noop!(
            Voting::remove_vote(RuntimeOrigin::signed(1), 1, poll),
            Error::<Test>::NotOngoing
        );
        assert_noop!(vote(1, poll + 1, true), Error::<Test>::NotOngoing);
    });
}

#[test]
fn views_tell_weight_electorate_and_vote() {
    build_and_execute(|| {
        let epoch = World::census(&[(1, 10), (2, 20)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_eq!(Voting::voice(poll, 2).map(|voice| voice.weight), Some(20));
        assert_eq!(Voting::voice(poll, 3), Some(Voice::default()));
        assert_eq!(Voting::voice(poll + 1, 2), None);
        let tally = Voting::tally(poll).unwrap();
        assert_eq!(
            (tally.electorate.epoch, tally.electorate.weight),
            (epoch, 30)
        );
        assert_eq!(Voting::vote_of(poll, 1).map(|vote| vote.own), Some(10));
    });
}
