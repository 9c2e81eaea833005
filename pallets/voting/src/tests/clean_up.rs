//! What is left of a poll that is over.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};

#[test]
fn anybody_removes_the_records_of_a_closed_poll_step_by_step_and_free() {
    build_and_execute(|| {
        // GIVEN a poll with three votes and one that is within another
        World::census(&[(1, 10), (2, 10), (3, 10), (4, 10)]);
        assert_ok!(delegate(4, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        for who in [1, 2, 3] {
            assert_ok!(vote(who, poll, true));
        }
        let clean = |most| Voting::clean_up(RuntimeOrigin::signed(50), poll, most);
        assert_noop!(clean(10), Error::<Test>::Ongoing);
        run_to(40);
        // WHEN two are removed, then the rest
        assert_eq!(clean(2).unwrap().pays_fee, Pays::No);
        assert_eq!(Votes::<Test>::iter_prefix(poll).count(), 1);
        assert_ok!(clean(10));
        // THEN nothing is left, and cleaning again costs
        assert_eq!(Votes::<Test>::iter_prefix(poll).count(), 0);
        assert_eq!(CountedIn::<Test>::iter_prefix(poll).count(), 0);
        assert_noop!(clean(10), Error::<Test>::NothingToRemove);
    });
}

#[test]
fn a_poll_that_was_killed_is_cleaned_up_too() {
    build_and_execute(|| {
        World::census(&[(1, 10)]);
        let poll = submit(ROOT);
        assert_ok!(vote(1, poll, true));
        assert_ok!(Referenda::kill(RuntimeOrigin::root(), poll));
        assert_ok!(Voting::clean_up(RuntimeOrigin::signed(50), poll, 10));
        assert_eq!(World::liabilities(1), 0);
    });
}

#[test]
fn a_poll_that_never_was_has_nothing() {
    build_and_execute(|| {
        assert_noop!(
            Voting::clean_up(RuntimeOrigin::signed(50), 7, 10),
            Error::<Test>::NothingToRemove
        );
    });
}
