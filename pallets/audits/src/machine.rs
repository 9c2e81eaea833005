//! How a case moves on, and what its auditors deserve: plain functions over plain data.
//!
//! ```text
//! stage one   commit → reveal ─┬─ all valid ───────────────────────────────→ Valid
//!                 ↑            ├─ somebody missing: redraw once ─┐
//!                 ├────────────┼───────────── seed ──────────────┘
//!                 │            ├─ withheld → opening ─┬─ not posted ───────→ Hard(Withheld)
//!                 └────────────┼─────────── posted ───┘
//!                              └─ anything else
//! stage two   commit → reveal ─┬─ more than half of the weight agrees ─────→ Valid, Soft, Hard
//!                 ↑            ├─ somebody withheld (once) → opening ─ not posted → Hard(Withheld)
//!                 ├────────────┼─────────── posted ───┘
//!                 ├────────────┴─ extended once
//!                 └─ nothing left to try ──────────────────────────────────→ Undecided
//! ```

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::types::History;
use alloc::{collections::BTreeSet, vec, vec::Vec};
use chasqui_primitives::audit::{
    evidence_distance, stage_one, Decision, Evidence, HardReason, Stage, StageOneResult, Tally,
    Verdict, EVIDENCE_DIMS,
};
use parity_scale_codec::Encode;

/// The window that has just closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    Commit,
    Reveal,
    Opening,
}

/// All that decides what happens to a case when a window closes.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub stage: Stage,
    pub closed: Closed,
    /// Commitments of this round.
    pub commits: u32,
    /// Whether the demanded opening lies on chain.
    pub posted: bool,
    pub history: History,
    /// One entry a seat of the panel; empty when no panel could be drawn.
    pub reveals: Vec<Option<(Verdict, &'a Evidence)>>,
    pub evidence_tau: u32,
    pub tally: Tally,
    /// Weight revealed as withheld in this round of stage two.
    pub withheld: u64,
    /// Weight of the electorate.
    pub electorate: u64,
    /// What a hard decision of the vote would state.
    pub reason: HardReason,
}

/// What happens next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    OpenReveals,
    /// Draw these seats (by position) anew.
    Redraw(Vec<u32>),
    DemandOpening,
    /// The opening is on chain: those who have not decided judge with it.
    JudgeAnew,
    EnterStageTwo,
    Extend,
    Close(Decision),
}

/// Decides what follows the window that has closed.
pub fn next(facts: &Facts) -> Next {
    match (facts.closed, facts.stage) {
        (Closed::Commit, _) if facts.commits > 0 => Next::OpenReveals,
        // Nobody can reveal anything: the reveal window would only pass.
        (Closed::Commit | Closed::Reveal, Stage::One) => after_panel(facts),
        (Closed::Commit | Closed::Reveal, Stage::Two) => after_vote(facts),
        (Closed::Opening, _) if !facts.posted => Next::Close(Decision::Hard(HardReason::Withheld)),
        (Closed::Opening, _) => Next::JudgeAnew,
    }
}

fn after_panel(facts: &Facts) -> Next {
    // No panel is no agreement.
    if facts.reveals.is_empty() {
        return Next::EnterStageTwo;
    }
    match stage_one(&facts.reveals, facts.evidence_tau) {
        StageOneResult::Valid => Next::Close(Decision::Valid),
        StageOneResult::Missing(seats) if !facts.history.redrawn => Next::Redraw(seats),
        StageOneResult::Withheld if !facts.history.opening_demanded => Next::DemandOpening,
        StageOneResult::Missing(_) | StageOneResult::Withheld | StageOneResult::Disputed => {
            Next::EnterStageTwo
        }
    }
}

fn after_vote(facts: &Facts) -> Next {
    match facts.tally.decide(facts.electorate, facts.reason) {
        // An executor that serves some of the voters only must not get away undecided.
        Decision::Undecided if facts.withheld > 0 && !facts.history.opening_demanded => {
            Next::DemandOpening
        }
        Decision::Undecided if !facts.history.extended && facts.electorate > 0 => Next::Extend,
        decision => Next::Close(decision),
    }
}

/// The hard reason with most weight; the first in order of declaration among equals.
pub fn leading_reason(votes: impl IntoIterator<Item = (HardReason, u64)>) -> HardReason {
    let mut weights: Vec<(HardReason, u64)> = Vec::new();
    for (reason, weight) in votes {
        match weights.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, sum)) => *sum = sum.saturating_add(weight),
            None => weights.push((reason, weight)),
        }
    }
    weights.sort_by_key(|(reason, _)| reason.encode());
    let mut leading: Option<(HardReason, u64)> = None;
    for (reason, weight) in weights {
        if leading.is_none_or(|(_, most)| weight > most) {
            leading = Some((reason, weight));
        }
    }
    leading.map_or(HardReason::Margin, |(reason, _)| reason)
}

/// Whether the verdict comes with the evidence of a replay. Without this rule a panel that replays
/// nothing would agree on empty vectors.
pub fn evidence_is_complete(verdict: &Verdict, evidence: &Evidence) -> bool {
    match verdict {
        Verdict::Valid | Verdict::Soft => evidence.len() == EVIDENCE_DIMS as usize,
        Verdict::Hard(_) | Verdict::NoModel | Verdict::Withheld => true,
    }
}

/// Whether a verdict is on the side of a decision.
pub fn agrees(decision: &Decision, verdict: &Verdict) -> bool {
    decision.agrees_with(verdict)
        || matches!(
            (decision, verdict),
            (Decision::Hard(HardReason::Withheld), Verdict::Withheld)
        )
}

/// One auditor's part in one stage.
#[derive(Clone, Debug)]
pub struct Part<AccountId> {
    pub auditor: AccountId,
    /// Frozen weight of a voter; 1 for a seat.
    pub weight: u64,
    /// Evidence compares only within the same stage and round.
    pub group: (Stage, u32),
    pub reveal: Option<(Verdict, Evidence)>,
}

/// What a part counts as in the duty test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    Kept,
    /// Silent, or without the model.
    Abstained,
    /// Contradicted by the vote.
    Contradicted,
}

/// What the auditors of a closed case deserve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement<AccountId> {
    /// Those who revealed with the decision, each once, seats first. The order earns nobody more: all of them get the
    /// same, and nobody counts as the reporter. Where a case went to the vote because evidence disagreed, nobody
    /// reported anything; where somebody flagged, a part of its own would pay auditors for being the first to accuse.
    pub majority: Vec<AccountId>,
    /// One entry a part.
    pub duties: Vec<(AccountId, Duty)>,
}

/// Judges every part of a case that closes with `decision`; `by_vote` when stage two decided it.
/// Pass the seats before the ballots.
///
/// Only a vote contradicts anybody. A `Valid` decision also has to stand on evidence: within each
/// round, an agreeing auditor whose evidence is farther than `tau` from that of more than half of
/// the agreeing weight is contradicted, provided that such a half exists.
pub fn judge_parts<AccountId: Clone + Ord>(
    decision: &Decision,
    by_vote: bool,
    tau: u32,
    parts: &[Part<AccountId>],
) -> Judgement<AccountId> {
    let stray = if by_vote && *decision == Decision::Valid {
        stray_evidence(parts, tau)
    } else {
        vec![false; parts.len()]
    };
    let contradicts = by_vote && *decision != Decision::Undecided;
    let mut majority = Vec::new();
    let mut members = BTreeSet::new();
    let mut duties = Vec::with_capacity(parts.len());
    for (part, stray) in parts.iter().zip(stray) {
        let duty = match &part.reveal {
            None | Some((Verdict::NoModel, _)) => Duty::Abstained,
            Some(_) if stray => Duty::Contradicted,
            Some((verdict, _)) if agrees(decision, verdict) => {
                if members.insert(part.auditor.clone()) {
                    majority.push(part.auditor.clone());
                }
                Duty::Kept
            }
            Some(_) if contradicts => Duty::Contradicted,
            Some(_) => Duty::Kept,
        };
        duties.push((part.auditor.clone(), duty));
    }
    Judgement { majority, duties }
}

/// Which parts reveal `Valid` with evidence that the others of their group do not confirm.
fn stray_evidence<AccountId>(parts: &[Part<AccountId>], tau: u32) -> Vec<bool> {
    let valid = |part: &&Part<AccountId>| matches!(&part.reveal, Some((Verdict::Valid, _)));
    let near = |a: &Part<AccountId>, b: &Part<AccountId>| match (&a.reveal, &b.reveal) {
        (Some((_, a)), Some((_, b))) => evidence_distance(a, b) <= u64::from(tau),
        _ => false,
    };
    let weigh = |of: &Part<AccountId>, close_only: bool| {
        parts
            .iter()
            .filter(|other| other.group == of.group)
            .filter(valid)
            .filter(|other| !close_only || near(of, other))
            .fold(0u64, |sum, other| sum.saturating_add(other.weight))
    };
    let confirmed: Vec<Option<bool>> = parts
        .iter()
        .map(|part| valid(&part).then(|| weigh(part, true) > weigh(part, false) / 2))
        .collect();
    let settled: Vec<(Stage, u32)> = parts
        .iter()
        .zip(&confirmed)
        .filter(|(_, confirmed)| **confirmed == Some(true))
        .fold(Vec::new(), |mut groups, (part, _)| {
            if !groups.contains(&part.group) {
                groups.push(part.group);
            }
            groups
        });
    parts
        .iter()
        .zip(confirmed)
        .map(|(part, confirmed)| confirmed == Some(false) && settled.contains(&part.group))
        .collect()
}
