//! Nobody escapes a slash, and nobody is slashed twice for one lie.

use crate::{mock::*, *};
use chasqui_primitives::training::Phase;
use frame_support::{assert_noop, assert_ok};

#[test]
fn member_that_left_answers_for_its_round_until_that_is_done_with() {
    build_and_execute(|| {
        // GIVEN a member that left, whose case is still open
        let run = training(terms(2, 2, 4), 4);
        go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
        assert_ok!(Training::leave(signed(1), run));
        let own = case_of(1);
        for who in [0, 2, 3] {
            close(case_of(who), Decision::Valid);
        }
        wait_for(run, |phase| matches!(phase, Phase::Agree { .. }));
        for who in [0, 2, 3] {
            assert_ok!(agree(who, run, 0));
        }
        wait_for(run, |_| {
            head(run).finals == 1 && head(run).pending.is_none()
        });
        assert!(!Members::<Test>::contains_key(run, 1));
        // THEN its bond is held
        assert_eq!(operator(1).liabilities, 1);
        assert_eq!(held(HoldReason::Member, 1), MEMBER_DEPOSIT);

        // WHEN the verdict comes THEN it is slashed, once, and never comes back
        close(own, FALSE);
        assert_eq!(slashed(), vec![1]);
        assert_eq!((operator(1).liabilities, operator(1).hard), (0, 1));
        assert_eq!(held(HoldReason::Member, 1), 0);
        assert_noop!(join(1, run), Error::<Test>::Banned);
        assert_eq!(head(run).banned, 1);
    });
}

#[test]
fn verdict_after_the_runs_end_still_slashes() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 4);
        go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
        let late = case_of(3);
        for who in 0..3 {
            close(case_of(who), Decision::Valid);
        }
        wait_for(run, |phase| matches!(phase, Phase::Agree { .. }));
        (0..3).for_each(|who| ok(agree(who, run, 0)));
        wait_for(run, |phase| phase == Phase::Finished);
        close(late, FALSE);
        assert_eq!(slashed(), vec![3]);
        assert_eq!(held(HoldReason::Member, 3), 0);
        assert_eq!(operator(3).liabilities, 0);
    });
}

#[test]
fn who_is_found_false_has_no_part_in_the_rest_of_its_round() {
    build_and_execute(|| {
        let run = training(terms(2, 2, 4), 4);
        go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
        close(case_of(0), FALSE);
        for who in 1..4 {
            close(case_of(who), Decision::Valid);
        }
        wait_for(run, |phase| matches!(phase, Phase::Agree { .. }));
        assert_noop!(agree(0, run, 0), Error::<Test>::Convicted);
        assert_noop!(Training::leave(signed(0), run), Error::<Test>::Leaving);
    });
}

#[test]
fn liar_that_voted_for_a_false_model_before_it_left_is_slashed() {
    build_and_execute(|| {
        // GIVEN three who agree on a false model; one of them leaves
        let run = training(terms(4, 1, 4), 4);
        go_to(run, |phase| matches!(phase, Phase::Agree { .. }));
        assert_ok!(Training::leave(signed(0), run));
        (0..3).for_each(|who| ok(agree(who, run, 1)));
        wait_for(run, |phase| matches!(phase, Phase::Seed));
        assert!(!Members::<Test>::contains_key(run, 0));
        assert_eq!(operator(0).liabilities, 1);
        // WHEN a member that did not lie challenges it THEN all three pay
        assert_ok!(challenge(3, run, 0));
        wait_for(run, |_| challenge_case().is_some());
        close(challenge_case().expect("open"), FALSE);
        wait_for(run, |_| head(run).pending.is_none());
        let mut liars = slashed();
        liars.sort();
        assert_eq!(liars, vec![0, 1, 2]);
        assert_noop!(join(0, run), Error::<Test>::Banned);
    });
}

#[test]
fn verdict_on_another_case_changes_nothing() {
    build_and_execute(|| {
        // GIVEN a case about a member's work
        let run = training(terms(1, 2, 4), 3);
        go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
        let case = case_of(0);
        let opened = OpenCases::get(case).expect("open");
        let before = (head(run), operator(0));
        // WHEN a verdict comes that is not of it, or about something else
        use chasqui_primitives::{audit::Subject, traits::CaseSubjects};
        Training::on_closed(&opened.subject, case + 100, FALSE, &MAJORITY);
        Training::on_closed(&Subject::Job(1), case, FALSE, &MAJORITY);
        let outer = Subject::TrainingOuter { run, round: 0 };
        Training::on_closed(&outer, case, FALSE, &MAJORITY);
        let nowhere = Subject::Training {
            run: 9,
            round: 9,
            rank: 9,
        };
        Training::on_closed(&nowhere, case, FALSE, &MAJORITY);
        // THEN nothing happens
        assert_eq!((head(run), operator(0)), before);
        assert_eq!(slashed(), Vec::<AccountId>::new());
    });
}

#[test]
fn verdict_counts_once() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 3);
        go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
        let case = case_of(0);
        let subject = OpenCases::get(case).expect("open").subject;
        close(case, FALSE);
        use chasqui_primitives::traits::CaseSubjects;
        Training::on_closed(&subject, case, FALSE, &MAJORITY);
        assert_eq!(slashed(), vec![0]);
        assert_eq!(operator(0).hard, 1);
    });
}
