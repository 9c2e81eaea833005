//! The census of an epoch: taken step by step, kept for a while.

use crate::{mock::*, *};
use chasqui_primitives::credit::RATIO_ONE;

#[test]
fn a_census_holds_weight_bond_and_work_of_everybody_who_is_drawn() {
    build_and_execute(|| {
        // GIVEN operators of whom one is not drawn
        for who in 1..=9 {
            World::register(who, 10);
            World::work(who, 280);
        }
        World::register(10, 0);
        World::work(10, 1_000_000);
        // WHEN the epoch closes
        let epoch = close_epoch();
        // THEN
        let census = census();
        assert_eq!((census.weight, census.bond, census.operators), (90, 900, 9));
        assert_eq!(census.rho, 28 * RATIO_ONE);
        assert_eq!(Entries::<Test>::get(epoch, 10), None);
        let entry = Entries::<Test>::get(epoch, 1).unwrap();
        assert_eq!(
            (entry.window_units, entry.units, entry.fees),
            (280, 280, 280)
        );
        assert!(happened(&Event::CensusTaken { epoch, census }));
    });
}

#[test]
fn the_window_is_28_epochs_long_and_counts_points_as_units() {
    build_and_execute(|| {
        World::register(1, 10);
        for epoch in 0..40 {
            World::with(|world| {
                let did = world.work.entry((epoch, 1)).or_default();
                did.units = 1;
                did.points = 2;
            });
            close_epoch();
        }
        assert_eq!(Economy::entry(1).unwrap().window_units, 28 * (1 + 2 * 100));
    });
}

#[test]
fn one_block_visits_no_more_than_a_step() {
    build_and_execute(|| {
        for who in 1..=20 {
            World::register(who, 1);
        }
        World::with(|world| world.epoch = 1);
        for visited in [4, 8, 12, 16, 20] {
            block();
            assert_eq!(Entries::<Test>::iter_prefix(0).count(), visited);
        }
    });
}

#[test]
fn who_leaves_or_comes_in_between_breaks_nothing() {
    build_and_execute(|| {
        for who in 1..=12 {
            World::register(who, 1);
        }
        World::with(|world| world.epoch = 1);
        block();
        // WHEN the last one visited leaves, one before comes back with another weight, and one comes
        World::with(|world| {
            world.weights.remove(&4);
            world.weights.insert(2, 100);
            world.weights.insert(13, 5);
        });
        for _ in 0..20 {
            block();
        }
        // THEN each counts as it was found
        let census = census();
        assert_eq!((census.weight, census.operators), (17, 13));
    });
}

#[test]
fn epochs_that_close_meanwhile_are_left_out_and_told() {
    build_and_execute(|| {
        for who in 1..=40 {
            World::register(who, 1);
        }
        World::with(|world| world.epoch = 1);
        block();
        World::with(|world| world.epoch = 4);
        for _ in 0..60 {
            block();
        }
        assert_eq!(Newest::<Test>::get(), Some(3));
        assert!(Censuses::<Test>::contains_key(0));
        assert!(happened(&Event::CensusSkipped { from: 1, to: 3 }));
    });
}

#[test]
fn old_censuses_are_forgotten_a_few_records_a_block() {
    build_and_execute(|| {
        for who in 1..=50 {
            World::register(who, 1);
        }
        for _ in 0..30 {
            close_epoch();
        }
        // Epoch 0 is 29 back, one more than is kept.
        for _ in 0..4 {
            block();
        }
        assert_eq!(Entries::<Test>::iter_prefix(0).count(), 0);
        assert!(!Censuses::<Test>::contains_key(0));
        assert_eq!(Entries::<Test>::iter_prefix(1).count(), 50);
    });
}

#[test]
fn without_operators_a_census_is_empty() {
    build_and_execute(|| {
        close_epoch();
        assert_eq!(
            (census().weight, census().rho, census().price),
            (0, 0, PRICE)
        );
    });
}
