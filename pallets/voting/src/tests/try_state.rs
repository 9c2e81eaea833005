//! The checks find what they are for.

use crate::{mock::*, *};
use frame_support::assert_ok;

fn broken(damage: impl FnOnce(u32)) -> String {
    let mut found = None;
    new_test_ext().execute_with(|| {
        World::census(&[(1, 10), (2, 20), (3, 30)]);
        assert_ok!(delegate(2, 1));
        run_to(2);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        check();
        damage(poll);
        found = Voting::do_try_state().err();
    });
    format!("{:?}", found.expect("it is found"))
}

#[test]
fn a_vote_that_nobody_cast() {
    let vote = VoteRecord {
        aye: true,
        own: 30,
        delegated: 0,
        bond: 0,
    };
    assert!(broken(|poll| Votes::<Test>::insert(poll, 3, vote)).contains("add up"));
}

#[test]
fn a_vote_of_a_weight_that_the_census_does_not_know() {
    let change = |poll| Votes::<Test>::mutate(poll, 1, |vote| vote.as_mut().unwrap().own = 11);
    assert!(broken(change).contains("another weight"));
}

#[test]
fn a_delegator_who_is_forgotten() {
    assert!(broken(|poll| CountedIn::<Test>::remove(poll, 2)).contains("add up"));
}

#[test]
fn a_weight_that_counts_twice() {
    let counted = Counted {
        delegate: 1,
        weight: 10,
    };
    assert!(broken(|poll| CountedIn::<Test>::insert(poll, 1, counted)).contains("twice"));
}

#[test]
fn a_delegation_of_one_side_only() {
    assert!(broken(|_| Delegations::<Test>::remove(2, ORDINARY)).contains("does not know"));
    assert!(broken(|_| Delegators::<Test>::remove(1, ORDINARY)).contains("does not know"));
}
