//! The checks find what they are for.

use crate::{mock::*, *};

fn broken(damage: impl FnOnce()) -> String {
    let mut found = None;
    new_test_ext().execute_with(|| {
        for who in 1..=3 {
            World::register(who, 10);
            World::work(who, 1_000_000);
        }
        close_epoch();
        check();
        damage();
        found = Economy::do_try_state().err();
    });
    format!("{:?}", found.expect("it is found"))
}

#[test]
fn an_entry_that_is_missing() {
    assert!(broken(|| Entries::<Test>::remove(0, 2)).contains("sum of its entries"));
}

#[test]
fn an_entry_of_no_census() {
    assert!(broken(|| Entries::<Test>::insert(7, 2, Entry::default())).contains("without a census"));
}

#[test]
fn a_newest_census_that_is_not_there() {
    assert!(broken(|| Newest::<Test>::put(5)).contains("missing"));
}

#[test]
fn a_price_of_nothing() {
    assert!(broken(|| Price::<Test>::put(0)).contains("for nothing"));
}

#[test]
fn votes_that_are_left_over() {
    assert!(broken(|| VotesSoFar::<Test>::put(prices::Votes::new(1))).contains("without a census"));
}
