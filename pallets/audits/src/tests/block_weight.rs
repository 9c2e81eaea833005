//! A block weighs what it did, with what the subject's owner does about a case that closes.

use crate::{mock::*, *};
use chasqui_primitives::{
    audit::{Decision, HardReason, Verdict},
    draw::MAX_CANDIDATES,
    traits::{CaseSubjects, Cases as _},
};
use frame_support::{assert_ok, traits::Hooks, weights::Weight};

type Weights = <Test as Config>::WeightInfo;

/// The weight of the next block's hook.
fn next_weight() -> Weight {
    let next = System::block_number() + 1;
    System::set_block_number(next);
    Audits::on_initialize(next)
}

/// What any block with one case on its agenda weighs.
fn one_step() -> Weight {
    Weights::agenda().saturating_add(Weights::step().max(Weights::dismiss()))
}

fn ballots(count: u32) -> Weight {
    Weights::open_ballots(count)
        .max(Weights::step_ballots(count))
        .max(Weights::punish_ballots(count))
}

/// Everybody commits and reveals; the block in which the window closes is the next.
fn all_reveal(id: u64, verdicts: &[(u64, Verdict)]) {
    for (who, verdict) in verdicts {
        assert_ok!(commit(id, *who, *verdict));
    }
    to_reveals(id);
    for (who, verdict) in verdicts {
        assert_ok!(reveal(id, *who, *verdict));
    }
}

#[test]
fn an_empty_block_weighs_its_agenda() {
    build_and_execute(|| assert_eq!(next_weight(), Weights::agenda()));
}

#[test]
fn closing_a_case_weighs_what_the_subjects_owner_does() {
    build_and_execute(|| {
        // GIVEN a panel of three that agrees
        let (id, panel) = open();
        let verdicts: Vec<_> = panel.iter().map(|who| (*who, Verdict::Valid)).collect();
        all_reveal(id, &verdicts);
        // WHEN the case closes
        let weight = next_weight();
        // THEN the block weighs the step and the settlement with three auditors
        assert_eq!(ended(id).decision, Decision::Valid);
        let close = World::close_weight(&Decision::Valid, 3);
        assert!(close.all_gt(CLOSE_WEIGHT));
        assert_eq!(weight, one_step().saturating_add(close));
    });
}

#[test]
fn a_step_that_closes_nothing_weighs_no_settlement() {
    build_and_execute(|| {
        // GIVEN a panel that has committed WHEN reveals open THEN that is a step and no more
        let (id, panel) = open();
        for who in panel {
            assert_ok!(commit(id, who, Verdict::Valid));
        }
        assert_eq!(next_weight(), one_step());
    });
}

#[test]
fn an_overturned_flag_weighs_its_lien_for_every_voter() {
    build_and_execute(|| {
        // GIVEN a case that one auditor flagged and seven may vote on
        let (id, _) = open();
        to_stage_two(id);
        let verdicts: Vec<_> = (1..=7).map(|who| (who, Verdict::Valid)).collect();
        all_reveal(id, &verdicts);
        // WHEN the vote overturns it
        let weight = next_weight();
        // THEN the block weighs seven ballots, the settlement with voters and seats, and one lien
        assert_eq!(ended(id).decision, Decision::Valid);
        let expected = one_step()
            .saturating_add(ballots(7))
            .saturating_add(World::close_weight(&Decision::Valid, 7 + 3))
            .saturating_add(Weights::forfeit_lien(7));
        assert_eq!(weight, expected);
    });
}

#[test]
fn a_conviction_weighs_what_a_conviction_costs() {
    build_and_execute(|| {
        // GIVEN a vote in which everybody says hard
        let (id, _) = open();
        to_stage_two(id);
        let hard = Verdict::Hard(HardReason::Margin);
        let verdicts: Vec<_> = (1..=7).map(|who| (who, hard)).collect();
        all_reveal(id, &verdicts);
        // WHEN the case closes THEN the block weighs a hard decision, and no lien
        let weight = next_weight();
        let decision = ended(id).decision;
        assert_eq!(decision, Decision::Hard(HardReason::Margin));
        let expected = one_step()
            .saturating_add(ballots(7))
            .saturating_add(World::close_weight(&decision, 7 + 3));
        assert_eq!(weight, expected);
    });
}

#[test]
fn a_redraw_weighs_as_many_candidates_as_there_may_be() {
    build_and_execute(|| {
        // GIVEN a panel of whom nobody came
        let (id, _) = open();
        let commit_blocks = u64::from(params().commit_blocks);
        run_to(System::block_number() + commit_blocks);
        assert!(matches!(case(id).phase, Phase::AwaitSeed { .. }));
        // WHEN the seed is there
        let mut weight = next_weight();
        while matches!(case(id).phase, Phase::AwaitSeed { .. }) {
            weight = next_weight();
        }
        // THEN the block weighs a draw that may have looked at the most candidates
        let draw = Weights::draw_seats(MAX_CANDIDATES)
            .saturating_sub(Weights::draw_seats(0))
            .saturating_add(INTEREST_WEIGHT.saturating_mul(MAX_CANDIDATES.into()));
        assert_eq!(Audits::most_passed_over(), draw);
        let expected = one_step()
            .saturating_add(ballots(7))
            .saturating_add(World::close_weight(&Decision::Undecided, 0))
            // Else seven voters are asked whether the work was done for them.
            .saturating_add(INTEREST_WEIGHT.saturating_mul(7))
            .saturating_add(draw);
        assert_eq!(weight, expected);
    });
}

#[test]
fn opening_a_case_tells_what_its_draw_looked_at() {
    build_and_execute(|| {
        // GIVEN seven validators who can all be drawn WHEN a case opens
        let opened = Audits::open(request()).unwrap();
        // THEN its draw looked at the three it seated
        let three = Weights::draw_seats(3)
            .saturating_sub(Weights::draw_seats(0))
            .saturating_add(INTEREST_WEIGHT.saturating_mul(3));
        assert_eq!(opened.passed_over, three);
    });
}
