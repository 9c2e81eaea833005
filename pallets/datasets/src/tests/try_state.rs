//! The pallet's own checks find what is wrong.

use crate::{mock::*, *};
use chasqui_primitives::traits::Datasets as _;
use frame_support::assert_ok;

/// Breaks a sound state and expects the checks to say so.
fn is_found(break_it: fn()) {
    new_test_ext().execute_with(|| {
        usable(1);
        assert_ok!(Datasets::begin_use(&root(1), 1));
        assert_ok!(submit(2));
        check();
        break_it();
        assert!(Datasets::do_try_state().is_err());
    });
}

fn change(id: DatasetId, change: fn(&mut DatasetOf<Test>)) {
    Registry::<Test>::mutate(id, |dataset| change(dataset.as_mut().expect("it is there")));
}

#[test]
fn deposit_that_is_not_on_hold_is_found() {
    is_found(|| change(0, |dataset| dataset.deposit += 1));
}

#[test]
fn root_that_names_something_else_is_found() {
    is_found(|| Roots::<Test>::insert(root(1), 1));
    is_found(|| Roots::<Test>::insert(root(7), 0));
}

#[test]
fn miscounted_runs_are_found() {
    is_found(|| change(0, |dataset| dataset.runs = 2));
    is_found(|| Uses::<Test>::insert(1, 1, Use::default()));
}

#[test]
fn undecided_dataset_that_is_not_listed_is_found() {
    is_found(UndecidedDatasets::<Test>::kill);
    is_found(|| change(1, |dataset| dataset.status = Status::Usable));
}
