//! What can be submitted, and what it costs.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Datasets as _, DOT};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

fn submit_with(terms: DatasetTerms, licence: &str, description: &str) -> DispatchResult {
    Datasets::submit(
        RuntimeOrigin::signed(ALICE),
        root(1),
        terms,
        text(licence),
        text(description),
    )
}

#[test]
fn submitted_dataset_holds_a_deposit_and_is_not_usable_yet() {
    build_and_execute(|| {
        assert_ok!(submit(1));

        assert_eq!(held(ALICE), 12 * DOT);
        assert_eq!(free(ALICE), FUNDS - 12 * DOT);
        assert_eq!(Datasets::usable(&root(1)), None);
        let (id, dataset) = Datasets::dataset_of(root(1)).expect("it is registered");
        assert_eq!(id, 0);
        assert_eq!(dataset.status, Status::Undecided);
        assert_eq!(dataset.terms, terms(1_000));
        assert!(happened(Event::Submitted {
            dataset: 0,
            root: root(1),
            submitter: ALICE,
            deposit: 12 * DOT
        }));
    });
}

#[test]
fn deposit_grows_by_every_gib_begun() {
    build_and_execute(|| {
        let gib = 1u64 << 30;
        for (bytes, gibs) in [(1, 1), (gib, 1), (gib + 1, 2), (1 << 40, 1_024)] {
            let deposit = 10 * DOT + gibs * 2 * DOT;
            assert_eq!(Datasets::deposit_of(bytes), deposit, "{bytes} bytes");
        }
    });
}

#[test]
fn what_cannot_be_a_dataset_is_refused() {
    build_and_execute(|| {
        let mut bad = terms(1_000);
        bad.bytes += 1;
        assert_noop!(
            submit_with(bad, "MIT", "text"),
            Error::<Test>::InconsistentTerms
        );
        for licence in ["", " ", "MIT; rm", "日本", "MIT\n"] {
            assert_noop!(
                submit_with(terms(9), licence, "text"),
                Error::<Test>::InvalidLicence
            );
        }
        for description in ["", "  \n", "a\0b", "\u{7f}"] {
            assert_noop!(
                submit_with(terms(9), "MIT", description),
                Error::<Test>::InvalidDescription
            );
        }
        let no_text = BoundedVec::truncate_from(vec![0xFF; 4]);
        assert_noop!(
            Datasets::submit(
                RuntimeOrigin::signed(ALICE),
                root(1),
                terms(9),
                text("MIT"),
                no_text
            ),
            Error::<Test>::InvalidDescription
        );
        assert_ok!(submit_with(
            terms(9),
            "(Apache-2.0 OR MIT) AND CC-BY-4.0",
            "Ñawpa rimay\n"
        ));
    });
}

#[test]
fn root_is_registered_once() {
    build_and_execute(|| {
        assert_ok!(submit(1));
        assert_noop!(submit_as(BOB, 1), Error::<Test>::AlreadySubmitted);
        assert_ok!(submit_as(BOB, 2));
    });
}

#[test]
fn whoever_cannot_pay_the_deposit_submits_nothing() {
    build_and_execute(|| {
        assert_noop!(submit_as(9, 1), TokenError::FundsUnavailable);
        // Hot keys earn nothing, whatever they have.
        assert_noop!(submit_as(ALICE + 100, 1), Error::<Test>::HotKey);
        assert_noop!(
            Datasets::submit(
                RuntimeOrigin::root(),
                root(1),
                terms(9),
                text("MIT"),
                text("text")
            ),
            DispatchError::BadOrigin
        );
        assert!(Datasets::undecided().is_empty());
    });
}

#[test]
fn full_list_takes_no_more_until_something_is_decided() {
    build_and_execute(|| {
        MaxUndecided::set(2);
        assert_ok!(submit(1));
        assert_ok!(submit(2));
        assert_noop!(submit(3), Error::<Test>::TooManyUndecided);
        assert_ok!(Datasets::withdraw(RuntimeOrigin::signed(ALICE), 0));
        assert_ok!(submit(3));
    });
}

#[test]
fn only_the_admin_sets_parameters_and_only_sound_ones() {
    build_and_execute(|| {
        let root = RuntimeOrigin::root;
        assert_noop!(
            Datasets::set_params(RuntimeOrigin::signed(ALICE), params()),
            DispatchError::BadOrigin
        );
        let bad: [fn(&mut Params); 7] = [
            |params| params.rejected_percent = 101,
            |params| params.max_tries = 0,
            |params| params.max_tries = 17,
            |params| params.pause_blocks = 0,
            |params| params.units_per_point = 0,
            |params| params.planck_per_point = 0,
            |params| params.fee = params.deposit,
        ];
        for change in bad {
            let mut params = params();
            change(&mut params);
            assert_noop!(
                Datasets::set_params(root(), params),
                Error::<Test>::InvalidParams
            );
        }
        let params = Params {
            deposit: 3 * DOT,
            ..params()
        };
        assert_ok!(Datasets::set_params(root(), params));
        assert_eq!(Datasets::params(), params);
    });
}
