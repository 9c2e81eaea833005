//! What a contributor earns by runs that use its dataset.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Datasets as _, DOT};
use frame_support::{assert_noop, assert_ok};

const RUN: RunId = 3;

#[test]
fn points_follow_units_and_money_whichever_gives_fewer() {
    build_and_execute(|| {
        // GIVEN a point for 1,000 units and one for 100 planck, five at most
        let id = usable(1);
        assert_ok!(Datasets::begin_use(&root(1), RUN));

        // Many units for little money, much money for few units.
        Datasets::credit(&root(1), RUN, 100, 1_000_000);
        assert_eq!(World::points(ALICE), 1);
        Datasets::credit(&root(1), RUN, 199, 0);
        assert_eq!(World::points(ALICE), 2);
        // What did not make a whole point counts on.
        Datasets::credit(&root(1), RUN, 1, 0);
        assert_eq!(World::points(ALICE), 3);
        assert!(happened(Event::PointsEarned {
            dataset: id,
            run: RUN,
            contributor: ALICE,
            points: 1
        }));
        let made = Use {
            units: 1_000_000,
            paid: 300,
            points: 3,
        };
        assert_eq!(Datasets::use_of(id, RUN), Some(made));
    });
}

#[test]
fn points_are_capped_by_run() {
    build_and_execute(|| {
        usable(1);
        assert_ok!(Datasets::begin_use(&root(1), RUN));
        for _ in 0..3 {
            Datasets::credit(&root(1), RUN, DOT, u64::MAX);
        }
        assert_eq!(World::points(ALICE), 5);
        // Another run has a cap of its own.
        assert_ok!(Datasets::begin_use(&root(1), RUN + 1));
        Datasets::credit(&root(1), RUN + 1, Balance::MAX, u64::MAX);
        assert_eq!(World::points(ALICE), 10);
    });
}

#[test]
fn units_that_the_fund_did_not_pay_earn_nothing() {
    build_and_execute(|| {
        let id = usable(1);
        assert_ok!(Datasets::begin_use(&root(1), RUN));
        Datasets::credit(&root(1), RUN, 0, 1_000_000);
        // Nor do they count once something is paid.
        Datasets::credit(&root(1), RUN, 1_000, 999);
        assert_eq!(World::points(ALICE), 0);
        assert_eq!(Datasets::use_of(id, RUN).map(|made| made.units), Some(999));
    });
}

#[test]
fn run_that_does_not_use_it_earns_its_contributor_nothing() {
    build_and_execute(|| {
        usable(1);
        Datasets::credit(&root(1), RUN, DOT, 1_000_000);
        Datasets::credit(&root(9), RUN, DOT, 1_000_000);
        assert_ok!(Datasets::begin_use(&root(1), RUN));
        Datasets::end_use(&root(1), RUN);
        Datasets::credit(&root(1), RUN, DOT, 1_000_000);
        assert_eq!(World::points(ALICE), 0);
    });
}

#[test]
fn run_begins_to_use_a_usable_dataset_once() {
    build_and_execute(|| {
        assert_noop!(
            Datasets::begin_use(&root(1), RUN),
            Error::<Test>::NoSuchDataset
        );
        assert_ok!(submit(1));
        assert_noop!(Datasets::begin_use(&root(1), RUN), Error::<Test>::NotUsable);
        run_for(2);
        close(0, chasqui_primitives::audit::Decision::Valid);
        assert_ok!(Datasets::begin_use(&root(1), RUN));
        assert_noop!(
            Datasets::begin_use(&root(1), RUN),
            Error::<Test>::UsedAlready
        );
        assert_eq!(Datasets::dataset(0).map(|dataset| dataset.runs), Some(1));
    });
}

#[test]
fn lower_cap_takes_nothing_back() {
    build_and_execute(|| {
        usable(1);
        assert_ok!(Datasets::begin_use(&root(1), RUN));
        Datasets::credit(&root(1), RUN, DOT, 1_000_000);
        assert_ok!(Datasets::set_params(
            RuntimeOrigin::root(),
            Params {
                max_points_per_run: 2,
                ..params()
            }
        ));
        Datasets::credit(&root(1), RUN, DOT, 1_000_000);
        assert_eq!(World::points(ALICE), 5);
    });
}
