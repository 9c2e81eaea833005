//! The checkpoint that a run made, and its lineage.

use crate::{mock::*, *};
use chasqui_primitives::{
    training::{AdapterTargets, Phase, Start, Trains},
    traits::TrainedCheckpoint,
};
use frame_support::{assert_noop, assert_ok};

fn finished(terms: RunTerms) -> RunId {
    let run = training(terms, 3);
    go_to(run, |phase| phase == Phase::Finished);
    run
}

#[test]
fn newest_final_model_is_registered_once_with_its_lineage() {
    build_and_execute(|| {
        // GIVEN a run of two rounds that has finished
        let run = training(terms(2, 2, 4), 3);
        let register = || call(|| Ok(Training::register_checkpoint(signed(123), run)?));
        assert_noop!(register(), Error::<Test>::NotOver);
        go_to(run, |phase| phase == Phase::Finished);

        // WHEN any operator registers what it made, with its hot key
        assert_ok!(register());

        // THEN its ancestors are known
        let root = model(run, 1, 0).checkpoint;
        let lineage = TrainedCheckpoint {
            root,
            parent: Some(BASE),
            base: None,
            run,
            round: 1,
            dataset: DATASET,
            by: 23,
        };
        assert_eq!(Lineages::get(), vec![lineage]);
        assert!(happened(Event::Registered {
            run,
            round: 1,
            root,
            by: 23
        }));
        assert_noop!(register(), Error::<Test>::AlreadyRegistered);
    });
}

#[test]
fn strangers_register_nothing() {
    build_and_execute(|| {
        let run = finished(terms(1, 2, 4));
        let call = Training::register_checkpoint(signed(STRANGER), run);
        assert_noop!(call, Error::<Test>::NotAnOperator);
        assert_noop!(
            Training::register_checkpoint(signed(1), 7),
            Error::<Test>::NoSuchRun
        );
    });
}

#[test]
fn adapter_names_its_base_and_fresh_weights_have_no_parent() {
    build_and_execute(|| {
        let mut adapter = terms(1, 2, 4);
        adapter.recipe.trains = Trains::Adapter {
            rank: 8,
            alpha_milli: 16_000,
            targets: AdapterTargets(1),
        };
        let fresh = RunTerms {
            start: Start::Fresh {
                config: H256::repeat_byte(5),
                seed: 7,
            },
            ..terms(1, 2, 4)
        };
        for terms in [adapter, fresh] {
            let run = finished(terms);
            assert_ok!(Training::register_checkpoint(signed(0), run));
        }
        let lineages = Lineages::get();
        assert_eq!(
            (lineages[0].parent, lineages[0].base),
            (Some(BASE), Some(BASE))
        );
        assert_eq!((lineages[1].parent, lineages[1].base), (None, None));
    });
}

#[test]
fn failed_run_keeps_its_last_final_model() {
    build_and_execute(|| {
        // GIVEN a run that was called off in its third round
        let run = training(terms(5, 2, 4), 3);
        go_until(run, |_| Decision::Valid, |head| head.finals == 2);
        assert_ok!(Training::cancel_run(RuntimeOrigin::root(), run));
        wait_for(run, |phase| phase.is_over());
        // THEN what its second made can be registered
        let made = around(run).made.expect("it made one");
        assert_ok!(Training::register_checkpoint(signed(0), run));
        assert_eq!(Lineages::get()[0].round, made.round);
        assert!(made.round >= 1);
    });
}

#[test]
fn model_that_was_undone_is_never_registered() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 3);
        go_to(run, |phase| matches!(phase, Phase::Agree { .. }));
        (0..3).for_each(|who| ok(agree(who, run, 1)));
        wait_for(run, |_| head(run).pending.is_some());
        assert_ok!(challenge(25, run, 0));
        wait_for(run, |_| challenge_case().is_some());
        close(challenge_case().expect("open"), FALSE);
        wait_for(run, |phase| phase.is_over());
        assert_eq!(phase(run), Phase::Failed(Failure::Nothing));
        assert_noop!(
            Training::register_checkpoint(signed(0), run),
            Error::<Test>::NothingMade
        );
    });
}

#[test]
fn root_that_is_registered_already_is_refused_and_may_be_tried_again() {
    build_and_execute(|| {
        let run = finished(terms(1, 2, 4));
        let root = model(run, 0, 0).checkpoint;
        Known::insert(root, None::<u32>);
        let register = || call(|| Ok(Training::register_checkpoint(signed(0), run)?));
        assert_noop!(register(), DispatchError::Other("registered already"));
        Known::remove(root);
        assert_ok!(register());
    });
}
