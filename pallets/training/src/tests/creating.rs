//! Creating a run: what it takes, and why one is refused.

use crate::{mock::*, *};
use chasqui_primitives::{
    training::{Phase, Start, Trains},
    traits::TrainingFund,
};
use frame_support::{assert_noop, assert_ok};

fn create_run(terms: RunTerms) -> DispatchResult {
    Training::create_run(RuntimeOrigin::root(), Box::new(terms))
}

#[test]
fn run_earmarks_its_budget_and_uses_its_dataset() {
    build_and_execute(|| {
        // GIVEN a fund WHEN a run of three rounds is created
        let before = FakeFund::free();
        assert_ok!(create_run(terms(3, 2, 4)));

        // THEN its budget is earmarked, its dataset in use, and its root can be served
        let budget = 3 * ROUND_PAY;
        assert_eq!(FakeFund::reserved(0), budget);
        assert_eq!(FakeFund::free(), before - budget);
        assert!(Uses::contains_key((DATASET, 0)));
        let root = around(0).root;
        assert!(Training::is_live_root(&root));
        assert_eq!(Training::live_run(root), Some(0));
        assert!(happened(Event::Created {
            run: 0,
            root,
            budget
        }));
        // AND it gathers members
        assert_eq!(phase(0), Phase::Forming);
        let (known, record) = Training::run(0).expect("it is there");
        assert_eq!((known, record.head), (terms(3, 2, 4), head(0)));
        assert_eq!(Training::runs(0, 10).len(), 1);
    });
}

#[test]
fn equal_terms_have_different_roots() {
    build_and_execute(|| {
        let (first, second) = (create(terms(1, 1, 2)), create(terms(1, 1, 2)));
        assert_ne!(around(first).root, around(second).root);
        assert_eq!(Training::runs(0, 1).len(), 1);
        assert_eq!(Training::runs(1, 10).len(), 1);
    });
}

#[test]
fn only_admin_creates() {
    build_and_execute(|| {
        for who in [0, STRANGER] {
            let call = Training::create_run(signed(who), Box::new(terms(1, 1, 2)));
            assert_noop!(call, DispatchError::BadOrigin);
        }
    });
}

#[test]
fn impossible_terms_are_refused() {
    build_and_execute(|| {
        let refused = |change: fn(&mut RunTerms), error: Error<Test>| {
            let mut terms = terms(2, 2, 4);
            change(&mut terms);
            assert_noop!(create_run(terms), error);
        };
        let invalid = || Error::<Test>::InvalidTerms;
        refused(|terms| terms.rounds = 0, invalid());
        refused(|terms| terms.round_pay = 0, invalid());
        refused(|terms| terms.round_pay = Balance::MAX, invalid());
        refused(|terms| terms.min_members = 0, invalid());
        refused(|terms| terms.min_members = 5, invalid());
        refused(|terms| terms.recipe.segments = 0, invalid());
        refused(|terms| terms.max_members = 13, Error::TooManyMembers);
        refused(|terms| terms.dataset = H256::zero(), Error::UnusableDataset);
        // Held-out tokens may not be trained on, nor may any be left out silently.
        refused(|terms| terms.sequences += 1, Error::OtherSequences);
        refused(|terms| terms.sequences -= 1, Error::OtherSequences);
    });
}

#[test]
fn checkpoints_of_a_run_must_be_registered_and_know_the_datas_tokens() {
    build_and_execute(|| {
        let from = |root| RunTerms {
            start: Start::Checkpoint(root),
            ..terms(1, 1, 2)
        };
        let taught_by = |teacher| {
            let mut terms = terms(1, 1, 2);
            terms.recipe.trains = Trains::Distil {
                teacher,
                temperature_milli: 1_000,
                share_ppm: 500_000,
            };
            terms
        };
        let unknown = H256::repeat_byte(9);
        for terms in [from(unknown), taught_by(unknown)] {
            assert_noop!(create_run(terms), Error::<Test>::UnknownCheckpoint);
        }
        for terms in [from(SMALL), taught_by(SMALL)] {
            assert_noop!(create_run(terms), Error::<Test>::SmallVocabulary);
        }
        // One that is not accepted yet will do: what it knows is not known.
        assert_ok!(create_run(from(PROPOSED)));
        assert_ok!(create_run(taught_by(BASE)));
    });
}

#[test]
fn nothing_is_promised_beyond_what_the_fund_has() {
    build_and_execute(|| {
        let rich = RunTerms {
            round_pay: FakeFund::free(),
            ..terms(1, 1, 2)
        };
        let richer = RunTerms {
            round_pay: rich.round_pay + 1,
            ..rich
        };
        assert_noop!(
            call(|| Ok(create_run(richer)?)),
            DispatchError::Other("poor")
        );
        assert_ok!(create_run(rich));
        assert_eq!(FakeFund::free(), 0);
        assert!(call(|| Ok(create_run(terms(1, 1, 2))?)).is_err());
    });
}

#[test]
fn more_runs_than_may_live_are_refused() {
    build_and_execute(|| {
        (0..MaxRuns::get()).for_each(|_| ok(create_run(terms(1, 1, 2))));
        assert_noop!(
            call(|| Ok(create_run(terms(1, 1, 2))?)),
            Error::<Test>::TooManyRuns
        );
        // One that ends makes room.
        assert_ok!(Training::cancel_run(RuntimeOrigin::root(), 1));
        run_for(10);
        assert_ok!(create_run(terms(1, 1, 2)));
        assert_eq!(Live::<Test>::get().into_inner(), vec![0, 2, 3]);
    });
}
