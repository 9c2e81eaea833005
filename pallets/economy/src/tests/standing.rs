//! What operators weigh in votes.

use crate::mock::*;
use chasqui_primitives::{
    governance::Electorate,
    traits::{Standing, Voice},
};

fn voice(epoch: u32, who: AccountId) -> u64 {
    <Economy as Standing<_>>::voice(epoch, &who).weight
}

#[test]
fn before_the_first_census_nobody_votes() {
    build_and_execute(|| {
        World::register(1, 10);
        assert_eq!(
            <Economy as Standing<u64>>::electorate(),
            Electorate::default()
        );
        assert_eq!(<Economy as Standing<_>>::voice(0, &1), Voice::default());
    });
}

#[test]
fn idle_weight_counts_in_the_electorate_and_not_in_votes() {
    build_and_execute(|| {
        World::register(1, 60);
        World::register(2, 40);
        World::work(1, 6_000);
        let epoch = close_epoch();
        let electorate = <Economy as Standing<u64>>::electorate();
        assert_eq!(
            (electorate.epoch, electorate.weight, electorate.bond),
            (epoch, 100, 1_000)
        );
        assert_eq!((voice(epoch, 1), voice(epoch, 2)), (60, 0));
    });
}

#[test]
fn work_below_what_most_do_weighs_in_proportion() {
    build_and_execute(|| {
        for who in 1..=3 {
            World::register(who, 100);
        }
        // Rho is 10 a weight: 700 units weigh fully.
        World::work(1, 1_024);
        World::work(2, 1_024);
        World::work(3, 358);
        let epoch = close_epoch();
        assert_eq!((voice(epoch, 1), voice(epoch, 2)), (100, 100));
        assert!((49..=51).contains(&voice(epoch, 3)), "{}", voice(epoch, 3));
    });
}

#[test]
fn a_burst_of_bought_work_weighs_no_more_than_the_weight() {
    build_and_execute(|| {
        for who in 1..=3 {
            World::register(who, 100);
            World::work(who, 1_000);
        }
        World::work(3, 1_000_000_000);
        let epoch = close_epoch();
        assert_eq!(voice(epoch, 3), 100);
    });
}

#[test]
fn later_work_does_not_change_an_earlier_census() {
    build_and_execute(|| {
        World::register(1, 10);
        World::work(1, 5);
        let first = close_epoch();
        World::register(2, 1_000);
        World::work(2, 5_000);
        let second = close_epoch();
        assert_eq!((voice(first, 1), voice(first, 2)), (10, 0));
        assert!(voice(second, 2) > 0);
    });
}
