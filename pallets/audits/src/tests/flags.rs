//! Accusing verdicts: what they cost and what they bring.

use crate::{mock::*, *};
use chasqui_primitives::audit::{Decision, HardReason, Verdict};
use frame_support::assert_ok;

fn all_vote(verdict: Verdict) -> Vec<(u64, Verdict)> {
    (1..=7).map(|who| (who, verdict)).collect()
}

#[test]
fn a_flag_makes_its_authors_bond_answer_for_the_vote() {
    build_and_execute(|| {
        // GIVEN a case on work of a price of 1,000, and a lien of twice that
        let (id, panel) = open();
        for auditor in &panel {
            assert_ok!(commit(id, *auditor, Verdict::Soft));
        }
        to_reveals(id);

        // WHEN an auditor reveals another verdict than valid
        assert_ok!(reveal(id, panel[0], Verdict::Soft));

        // THEN the lien is noted, its bond is liable, and no funds have moved
        let flag = Flag {
            auditor: panel[0],
            lien: LIEN,
            withheld: false,
        };
        assert_eq!(case(id).flags.to_vec(), vec![flag]);
        assert_eq!(World::operator(panel[0]).liabilities, 1);
        assert_eq!(World::operator(panel[0]).forfeited, 0);
        assert_eq!(Audits::counters().flags, 1);
    });
}

#[test]
fn a_lien_has_a_least_amount() {
    // GIVEN the parameters of the tests, THEN the lien follows the price, but not below 500
    assert_eq!(params().lien_for(PRICE), LIEN);
    assert_eq!(params().lien_for(10), 500);
    assert_eq!(params().lien_for(u128::MAX), u128::MAX / 100);
}

#[test]
fn an_upheld_flag_costs_nothing_and_its_author_comes_first() {
    build_and_execute(|| {
        // GIVEN a case that one auditor flagged as hard and two found valid
        let (id, panel) = open();
        let flagger = to_stage_two(id);

        // WHEN the electorate agrees with the flag
        judge(id, &all_vote(Verdict::Hard(HardReason::Margin)));

        // THEN the decision is hard, and the flagger is the first of the majority, once
        let ended = ended(id);
        assert_eq!(ended.decision, Decision::Hard(HardReason::Margin));
        assert_eq!(ended.majority[0], flagger);
        assert_eq!(ended.majority.len(), 7);
        // AND it pays nothing and kept both of its duties
        let operator = World::operator(flagger);
        assert_eq!(
            (operator.forfeited, operator.kept, operator.missed),
            (0, 2, 0)
        );
        assert_eq!(operator.points, params().points_per_case);
        // AND those of the panel who found it valid are contradicted
        for auditor in &panel[1..] {
            let operator = World::operator(*auditor);
            assert_eq!((operator.kept, operator.missed), (1, 1));
        }
        assert_eq!(Audits::counters().contradicted, 2);
        assert_eq!(Audits::counters().caught, 1);
    });
}

#[test]
fn an_overturned_flag_pays_the_voters() {
    build_and_execute(|| {
        // GIVEN a case that one auditor flagged
        let (id, _) = open();
        let flagger = to_stage_two(id);

        // WHEN the electorate finds the work valid; the flagger stands by its flag
        let votes: Vec<_> = (1..=7)
            .map(|who| {
                let verdict = if who == flagger {
                    Verdict::Hard(HardReason::Margin)
                } else {
                    Verdict::Valid
                };
                (who, verdict)
            })
            .collect();
        judge(id, &votes);

        // THEN the flagger's lien goes to the others in equal parts, and it missed its duties
        assert_eq!(ended(id).decision, Decision::Valid);
        let operator = World::operator(flagger);
        assert_eq!((operator.forfeited, operator.received), (LIEN, 0));
        assert_eq!((operator.kept, operator.missed, operator.points), (0, 2, 0));
        for other in (1..=7).filter(|who| *who != flagger) {
            assert_eq!(World::operator(other).received, LIEN / 6);
        }
        assert_eq!(Audits::counters().overturned, 1);
    });
}

#[test]
fn a_flagger_that_votes_against_its_own_flag_still_pays_the_others() {
    build_and_execute(|| {
        // GIVEN a case that one auditor flagged
        let (id, _) = open();
        let flagger = to_stage_two(id);

        // WHEN everybody votes valid, the flagger too
        judge(id, &all_vote(Verdict::Valid));

        // THEN it pays, and takes no part of it
        let operator = World::operator(flagger);
        assert_eq!((operator.forfeited, operator.received), (LIEN, 0));
        assert_eq!((operator.kept, operator.missed), (1, 1));
    });
}

#[test]
fn a_flag_that_ends_soft_is_returned() {
    build_and_execute(|| {
        // GIVEN a case that one auditor flagged as hard
        let (id, _) = open();
        let flagger = to_stage_two(id);

        // WHEN the electorate finds it soft
        judge(id, &all_vote(Verdict::Soft));

        // THEN nobody pays, and the flagger was right
        assert_eq!(ended(id).decision, Decision::Soft);
        assert_eq!(World::operator(flagger).forfeited, 0);
        assert_eq!(World::operator(flagger).missed, 0);
        assert_eq!(Audits::counters().soft, 1);
    });
}

#[test]
fn a_flag_that_stays_undecided_is_returned() {
    build_and_execute(|| {
        // GIVEN a case that one auditor flagged
        let (id, _) = open();
        let flagger = to_stage_two(id);

        // WHEN nobody votes
        let ended = to_end(id);

        // THEN there is no decision, and the flagger pays nothing
        assert_eq!(ended.decision, Decision::Undecided);
        assert!(ended.majority.is_empty());
        assert_eq!(World::operator(flagger).forfeited, 0);
        // AND its reveal in stage one counts as kept, its silence in stage two as missed
        assert_eq!(World::operator(flagger).kept, 1);
        assert_eq!(World::operator(flagger).missed, 1);
    });
}
