//! Nobody judges a run that it has a part in, or had until its rounds were done with.

use crate::{mock::*, *};
use chasqui_primitives::{audit::Subject, traits::CaseSubjects};
use frame_support::assert_ok;

fn is_tied(run: RunId, judge: AccountId) -> bool {
    let subjects = [
        Subject::Training {
            run,
            round: 0,
            rank: 0,
        },
        Subject::TrainingOuter { run, round: 0 },
    ];
    let answers = subjects.map(|subject| Training::is_interested(&subject, &judge));
    assert_eq!(answers[0], answers[1]);
    answers[0]
}

#[test]
fn members_and_their_owners_do_not_judge() {
    build_and_execute(|| {
        let (run, other) = (create(terms(1, 2, 4)), create(terms(1, 2, 4)));
        assert!(!is_tied(run, 0));
        assert_ok!(join(0, run));
        assert!(is_tied(run, 0) && is_tied(run, owner(0)));
        // Others do, and of other runs everybody does.
        assert!(!is_tied(run, 20) && !is_tied(run, 1) && !is_tied(other, 0));
        assert!(!Training::is_interested(&Subject::Job(1), &0));
        // Who leaves before a round has no part any more.
        assert_ok!(Training::leave(signed(0), run));
        assert!(!is_tied(run, 0) && !is_tied(run, owner(0)));
    });
}

#[test]
fn member_that_left_does_not_judge_the_round_it_took_part_in() {
    build_and_execute(|| {
        let run = training(terms(4, 2, 4), 4);
        assert_ok!(Training::leave(signed(0), run));
        go_until(
            run,
            |_| Decision::Valid,
            |head| head.pending.is_some() && head.round == 1,
        );
        run_for(2);
        assert!(!Members::<Test>::contains_key(run, 0));
        assert!(is_tied(run, 0));
        wait_for(run, |_| head(run).pending.is_none());
        assert!(!is_tied(run, 0));
    });
}

#[test]
fn runs_have_no_openings() {
    build_and_execute(|| {
        let subject = Subject::TrainingOuter { run: 0, round: 0 };
        assert!(!Training::opening_matches(&subject, &[]));
        assert!(!subject.has_opening());
    });
}
