//! The plain functions that decide what follows.

use crate::{machine::*, mock::*, types::History};
use chasqui_primitives::audit::{Decision, Evidence, HardReason, Stage, Tally, Verdict};
use proptest::prelude::*;

fn facts(stage: Stage, closed: Closed) -> Facts<'static> {
    Facts {
        stage,
        closed,
        commits: 1,
        posted: false,
        history: History::default(),
        reveals: Vec::new(),
        evidence_tau: TAU,
        tally: Tally::default(),
        withheld: 0,
        electorate: 100,
        reason: HardReason::Finish,
    }
}

#[test]
fn no_panel_never_means_valid() {
    // GIVEN a panel of nobody, WHEN its window closes, THEN the vote follows
    assert_eq!(
        next(&facts(Stage::One, Closed::Reveal)),
        Next::EnterStageTwo
    );
    let silent = Facts {
        commits: 0,
        ..facts(Stage::One, Closed::Commit)
    };
    assert_eq!(next(&silent), Next::EnterStageTwo);
}

#[test]
fn an_electorate_of_no_weight_decides_nothing() {
    // GIVEN a vote of an electorate without weight, WHEN it closes, THEN it is undecided at once
    let empty = Facts {
        electorate: 0,
        ..facts(Stage::Two, Closed::Reveal)
    };
    assert_eq!(next(&empty), Next::Close(Decision::Undecided));
}

#[test]
fn the_leading_reason_has_most_weight() {
    // GIVEN reasons whose weights add up, THEN the heaviest leads, and the first among equals
    use HardReason::*;
    assert_eq!(
        leading_reason([(Margin, 3), (Finish, 2), (Finish, 2)]),
        Finish
    );
    assert_eq!(leading_reason([(Margin, 2), (PromptHash, 2)]), PromptHash);
    assert_eq!(leading_reason([]), Margin);
}

#[test]
fn evidence_is_judged_within_one_round_only() {
    // GIVEN voters of two rounds, each with evidence of its own projection seed
    let part = |auditor: u64, round, value| Part {
        auditor,
        weight: 1,
        group: (Stage::Two, round),
        reveal: Some((Verdict::Valid, evidence(value))),
    };
    let parts = [
        part(1, 1, 0),
        part(2, 1, 0),
        part(3, 1, 900),
        part(4, 2, 500),
        part(5, 2, 500),
    ];

    // WHEN the vote decides for valid
    let judgement = judge_parts(&Decision::Valid, true, TAU, &parts);

    // THEN only who differs within its own round is contradicted
    assert_eq!(judgement.majority, vec![1, 2, 4, 5]);
    assert_eq!(judgement.duties[2], (3, Duty::Contradicted));
}

#[test]
fn evidence_that_nobody_agrees_on_blames_nobody() {
    // GIVEN three voters whose evidence all differs
    let part = |auditor: u64| Part {
        auditor,
        weight: 1,
        group: (Stage::Two, 1),
        reveal: Some((Verdict::Valid, evidence(auditor as i32 * 1_000))),
    };
    let judgement = judge_parts(&Decision::Valid, true, TAU, &[part(1), part(2), part(3)]);

    // THEN there is no telling who is wrong
    assert_eq!(judgement.majority, vec![1, 2, 3]);
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Valid),
        Just(Verdict::Soft),
        Just(Verdict::Hard(HardReason::Margin)),
        Just(Verdict::NoModel),
        Just(Verdict::Withheld),
    ]
}

fn reveals() -> impl Strategy<Value = Vec<Option<(Verdict, i32)>>> {
    prop::collection::vec(
        prop::option::of((verdicts(), prop_oneof![Just(0), Just(99)])),
        0..8,
    )
}

proptest! {
    /// A panel closes a case only as valid, and only when every seat revealed that with agreeing
    /// evidence.
    #[test]
    fn a_panel_closes_only_by_agreement(
        seats in reveals(),
        redrawn: bool,
        opening_demanded: bool,
    ) {
        let evidences: Vec<Option<(Verdict, Evidence)>> = seats
            .iter()
            .map(|seat| seat.map(|(verdict, value)| (verdict, evidence(value))))
            .collect();
        let facts = Facts {
            history: History { redrawn, opening_demanded, extended: false },
            reveals: evidences
                .iter()
                .map(|seat| seat.as_ref().map(|(verdict, evidence)| (*verdict, evidence)))
                .collect(),
            ..facts(Stage::One, Closed::Reveal)
        };
        let agreed = !seats.is_empty()
            && seats.iter().all(|seat| matches!(seat, Some((Verdict::Valid, _))))
            && seats.windows(2).all(|pair| pair[0] == pair[1]);
        let next = next(&facts);
        prop_assert_eq!(next == Next::Close(Decision::Valid), agreed);
        prop_assert!(agreed || !matches!(next, Next::Close(_)));
        if redrawn {
            prop_assert!(!matches!(next, Next::Redraw(_)));
        }
        if opening_demanded {
            prop_assert!(next != Next::DemandOpening);
        }
    }

    /// Duties are one a part; the majority is exactly those parts that agree and are not
    /// contradicted; nobody silent is in it.
    #[test]
    fn judgements_are_complete(
        seats in reveals(),
        votes in reveals(),
        decision in prop_oneof![
            Just(Decision::Valid),
            Just(Decision::Soft),
            Just(Decision::Hard(HardReason::Margin)),
            Just(Decision::Hard(HardReason::Withheld)),
            Just(Decision::Undecided),
        ],
        by_vote: bool,
    ) {
        let part = |stage, (position, reveal): (usize, &Option<(Verdict, i32)>)| Part {
            auditor: position,
            weight: 1 + position as u64,
            group: (stage, 1),
            reveal: reveal.map(|(verdict, value)| (verdict, evidence(value))),
        };
        let parts: Vec<_> = seats
            .iter()
            .enumerate()
            .map(|seat| part(Stage::One, seat))
            .chain(votes.iter().enumerate().map(|vote| part(Stage::Two, vote)))
            .collect();
        let judgement = judge_parts(&decision, by_vote, TAU, &parts);
        prop_assert_eq!(judgement.duties.len(), parts.len());
        let mut unique = judgement.majority.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), judgement.majority.len());
        for (part, (auditor, duty)) in parts.iter().zip(&judgement.duties) {
            prop_assert_eq!(part.auditor, *auditor);
            let abstains = matches!(part.reveal, None | Some((Verdict::NoModel, _)));
            prop_assert_eq!(*duty == Duty::Abstained, abstains);
            if *duty == Duty::Contradicted {
                prop_assert!(by_vote && decision != Decision::Undecided);
            }
        }
        for member in &judgement.majority {
            let agreed = parts.iter().any(|part| {
                part.auditor == *member
                    && part.reveal.as_ref().is_some_and(|(verdict, _)| agrees(&decision, verdict))
            });
            prop_assert!(agreed);
        }
    }
}
