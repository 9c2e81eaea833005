//! How datasets leave.

use crate::{mock::*, *};
use chasqui_primitives::{audit::Decision, traits::Datasets as _, DOT};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

fn withdraw(who: AccountId, id: DatasetId) -> DispatchResult {
    Datasets::withdraw(RuntimeOrigin::signed(who), id)
}

#[test]
fn submitter_takes_an_unused_dataset_back() {
    build_and_execute(|| {
        // GIVEN one that waits for its draw, and one that is usable
        assert_ok!(submit(1));
        assert_ok!(withdraw(ALICE, 0));
        assert_eq!((held(ALICE), free(ALICE)), (0, FUNDS));
        let id = usable(1);
        assert_ok!(withdraw(ALICE, id));

        // THEN the deposit is back, less one case, and nothing is left
        assert_eq!((held(ALICE), free(ALICE)), (0, FUNDS - DOT));
        assert!(happened(Event::Withdrawn {
            dataset: id,
            root: root(1)
        }));
        assert_eq!(Datasets::usable(&root(1)), None);
        assert_noop!(withdraw(ALICE, id), Error::<Test>::NoSuchDataset);
    });
}

#[test]
fn nobody_else_takes_it_back() {
    build_and_execute(|| {
        let id = usable(1);
        assert_noop!(withdraw(BOB, id), Error::<Test>::NotTheSubmitter);
        assert_noop!(withdraw(ALICE, id + 1), Error::<Test>::NoSuchDataset);
    });
}

#[test]
fn open_case_must_end_first() {
    build_and_execute(|| {
        assert_ok!(submit(1));
        run_for(2);
        assert_noop!(withdraw(ALICE, 0), Error::<Test>::InAudit);
        // In the pause before another try it may go.
        close(0, Decision::Undecided);
        assert_ok!(withdraw(ALICE, 0));
        run_for(30);
        assert!(World::with(|world| world.cases.is_empty()));
    });
}

#[test]
fn dataset_in_use_stays_until_the_last_run_has_ended() {
    build_and_execute(|| {
        let id = usable(1);
        assert_ok!(Datasets::begin_use(&root(1), 1));
        assert_ok!(Datasets::begin_use(&root(1), 2));
        assert_noop!(withdraw(ALICE, id), Error::<Test>::InUse);
        Datasets::end_use(&root(1), 1);
        // A second time, or for a run that never used it, nothing ends.
        Datasets::end_use(&root(1), 1);
        Datasets::end_use(&root(1), 7);
        assert_noop!(withdraw(ALICE, id), Error::<Test>::InUse);
        Datasets::end_use(&root(1), 2);
        assert_ok!(withdraw(ALICE, id));
    });
}

#[test]
fn admin_delists_what_nobody_uses_at_once() {
    build_and_execute(|| {
        let id = usable(1);
        assert_noop!(
            Datasets::delist(RuntimeOrigin::signed(ALICE), id),
            DispatchError::BadOrigin
        );
        assert_ok!(Datasets::delist(RuntimeOrigin::root(), id));
        assert_eq!(Datasets::dataset(id), None);
        assert_eq!(held(ALICE), 0);
        assert_ok!(submit(1));
        assert_noop!(
            Datasets::delist(RuntimeOrigin::root(), id + 1),
            Error::<Test>::NotUsable
        );
    });
}

#[test]
fn delisted_dataset_leaves_with_the_last_run() {
    build_and_execute(|| {
        let id = usable(1);
        assert_ok!(Datasets::begin_use(&root(1), 1));
        assert_ok!(Datasets::delist(RuntimeOrigin::root(), id));

        // No new run may use it, but the old one goes on, and earns points.
        assert_eq!(Datasets::usable(&root(1)), None);
        assert_noop!(Datasets::begin_use(&root(1), 2), Error::<Test>::NotUsable);
        assert_noop!(submit_as(BOB, 1), Error::<Test>::AlreadySubmitted);
        Datasets::credit(&root(1), 1, DOT, 2_000);
        assert_eq!(World::points(ALICE), 2);

        Datasets::end_use(&root(1), 1);
        assert_eq!(Datasets::dataset(id), None);
        assert_eq!(held(ALICE), 0);
    });
}

#[test]
fn datasets_are_listed_in_order() {
    build_and_execute(|| {
        for of in 1..=5 {
            assert_ok!(submit(of));
        }
        assert_ok!(withdraw(ALICE, 2));
        let numbers = |from, limit| -> Vec<DatasetId> {
            let datasets = Datasets::datasets(from, limit);
            datasets.into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(numbers(0, 10), [0, 1, 3, 4]);
        assert_eq!(numbers(2, 1), [3]);
        assert!(numbers(5, 10).is_empty());
        assert!(numbers(u32::MAX, u32::MAX).is_empty());
    });
}
