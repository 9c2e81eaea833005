//! Verdicts, integer statistics and thresholds, and how a case is decided (protocol A).
//!
//! No float enters the chain: a worker reduces its replay to [`AuditStatistics`], [`judge`] turns them into a
//! [`Verdict`], and the pallet decides a case by [`stage_one`] and [`Tally::decide`].

use crate::{hash, CaseId};
use alloc::vec::Vec;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, H256};
use sp_runtime::BoundedVec;

/// Entries of an evidence vector.
pub const EVIDENCE_DIMS: u32 = 16;

/// Integer projections of the replayed hidden states under the panel's common seed: proof of having replayed.
pub type Evidence = BoundedVec<i32, ConstU32<EVIDENCE_DIMS>>;

/// What an auditor found.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Verdict {
    #[codec(index = 0)]
    Valid,
    /// Beyond what one honest run in a thousand shows, short of [`Verdict::Hard`].
    #[codec(index = 1)]
    Soft,
    /// Cannot happen to an honest operator.
    #[codec(index = 2)]
    Hard(HardReason),
    /// The auditor lacks the model: its own missed duty.
    #[codec(index = 3)]
    NoModel,
    /// The executor does not serve the trace or output it committed to.
    #[codec(index = 4)]
    Withheld,
}

/// What exactly is false.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum HardReason {
    #[codec(index = 0)]
    PromptHash,
    #[codec(index = 1)]
    PromptCount,
    #[codec(index = 2)]
    OutputHash,
    #[codec(index = 3)]
    OutputCount,
    #[codec(index = 4)]
    TraceRoot,
    #[codec(index = 5)]
    Signature,
    /// The finish reason does not fit the output (truncated, or run past its end).
    #[codec(index = 6)]
    Finish,
    #[codec(index = 7)]
    Margin,
    #[codec(index = 8)]
    Mismatch,
    #[codec(index = 9)]
    Fingerprint,
    /// An opening that was demanded on chain did not come, or a dataset cannot be had.
    #[codec(index = 10)]
    Withheld,
    /// A dataset is not what was stated: its size, its header, or a token beyond the vocabulary.
    #[codec(index = 16)]
    Dataset,
}

/// How a case ends.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Decision {
    #[codec(index = 0)]
    Valid,
    #[codec(index = 1)]
    Soft,
    #[codec(index = 2)]
    Hard(HardReason),
    /// No class reached more than half of the electorate's weight.
    #[codec(index = 3)]
    Undecided,
}

/// What a case is about.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Subject {
    #[codec(index = 0)]
    Job(crate::JobId),
    /// All that an operator settled for one checkpoint in one epoch.
    #[codec(index = 1)]
    SessionTakings(u64),
    /// One answer of a session, reported by its client.
    #[codec(index = 2)]
    SessionReceipt(u64),
    /// What a member of a training run did in a round.
    #[codec(index = 3)]
    Training {
        run: crate::RunId,
        round: u32,
        rank: u32,
    },
    /// What the members of a training run agreed that a round's outer step gives.
    #[codec(index = 4)]
    TrainingOuter { run: crate::RunId, round: u32 },
    /// Whether a submitted dataset can be had and is what was stated.
    #[codec(index = 5)]
    Dataset(crate::DatasetId),
}

impl Subject {
    /// Whether the operator can show on chain what it committed to. Of a dataset, or of a model's states, nothing that fits
    /// in a block proves that it can be had: where auditors say that it is withheld, the vote decides.
    pub fn has_opening(&self) -> bool {
        match self {
            Subject::Job(_) | Subject::SessionTakings(_) | Subject::SessionReceipt(_) => true,
            Subject::Training { .. } | Subject::TrainingOuter { .. } | Subject::Dataset(_) => false,
        }
    }

    /// What a voter's verdict counts as. A member alone has to serve its round, and no block can hold it: what most of
    /// the weight cannot get is false. Else a liar would only have to withhold whenever its false segment is drawn. What
    /// an outer step follows from is served by all members, so that none of them answers for another.
    pub fn in_vote(&self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Subject::Training { .. }, Verdict::Withheld) => Verdict::Hard(HardReason::Withheld),
            _ => verdict,
        }
    }
}

/// Which round of a case a commitment belongs to.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Stage {
    #[codec(index = 0)]
    One,
    #[codec(index = 1)]
    Two,
}

/// `H(tag, genesis, case, stage, auditor, verdict, evidence, salt)`: binds author and salt, so that nobody can copy it.
pub fn verdict_commitment<AccountId: Encode>(
    genesis: &H256,
    case: CaseId,
    stage: Stage,
    auditor: &AccountId,
    verdict: &Verdict,
    evidence: &Evidence,
    salt: &[u8; 32],
) -> H256 {
    hash::tagged_hash(
        hash::tag::VERDICT,
        genesis,
        &(case, stage, auditor, verdict, evidence, salt),
    )
}

/// The seed of a panel's common projections: known only after the executor's commitment.
pub fn projection_seed(genesis: &H256, seed: &H256, case: CaseId) -> H256 {
    hash::tagged_hash(hash::tag::PROJECTION, genesis, &(seed, case))
}

/// Sum of absolute differences; vectors of unequal length are infinitely far apart.
pub fn evidence_distance(a: &[i32], b: &[i32]) -> u64 {
    if a.len() != b.len() {
        return u64::MAX;
    }
    a.iter().zip(b).fold(0u64, |sum, (x, y)| {
        sum.saturating_add(u64::from(x.abs_diff(*y)))
    })
}

/// What a replay measured, over every output token.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct AuditStatistics {
    /// Output tokens scored.
    pub tokens: u32,
    /// Tokens where the replay's own choice differs.
    pub mismatches: u32,
    /// Sum of clipped post-noise margins, millionths of a logit.
    pub margin_sum_micro: u64,
    /// Largest unclipped margin, millionths of a logit.
    pub max_margin_micro: u64,
    /// Sum over tokens of the L1 distance of fingerprints.
    pub fingerprint_sum: u64,
    /// Largest L1 distance of one token's fingerprint.
    pub max_fingerprint: u32,
}

/// Limits of one severity; a statistic above any of them is beyond it.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct AuditLimits {
    /// Mean clipped margin over at least [`MARGIN_TOKENS`] tokens, millionths of a logit.
    pub mean_margin_micro: u32,
    /// Largest margin of one token, millionths of a logit.
    pub max_margin_micro: u32,
    /// Share of mismatching tokens, parts per million.
    pub mismatch_ppm: u32,
    /// Mean L1 distance of a token's fingerprint over at least [`FINGERPRINT_TOKENS`] tokens, thousandths.
    pub fingerprint_milli: u32,
}

/// Thresholds of a checkpoint and numeric profile, frozen per job at submission.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct AuditThresholds {
    /// How far a top-k/top-p boundary may move, millionths of a logit.
    pub boundary_micro: u32,
    /// Margins are clipped here before they are summed, millionths of a logit.
    pub clip_micro: u32,
    /// Beyond the honest rate of 1e-3.
    pub soft: AuditLimits,
    /// Beyond the extrapolated honest rate of 1e-9.
    pub hard: AuditLimits,
    /// Largest L1 distance between the evidence of two honest auditors.
    pub evidence_tau: u32,
}

impl AuditThresholds {
    /// Whether `hard` is nowhere stricter than `soft`, and nothing is zero that would flag everybody.
    pub fn is_consistent(&self) -> bool {
        let (s, h) = (&self.soft, &self.hard);
        self.clip_micro > 0
            && s.mean_margin_micro <= h.mean_margin_micro
            && s.max_margin_micro <= h.max_margin_micro
            && s.mismatch_ppm <= h.mismatch_ppm
            && s.fingerprint_milli <= h.fingerprint_milli
    }

    /// The looser of both in every field: how several calibrations become one.
    pub fn worst(&self, other: &Self) -> Self {
        self.field_by_field(other, u32::max)
    }

    /// The stricter of both in every field: these thresholds where they are below `ceiling`, else that.
    pub fn at_most(&self, ceiling: &Self) -> Self {
        self.field_by_field(ceiling, u32::min)
    }

    /// Whether no field exceeds that of `ceiling`.
    pub fn is_within(&self, ceiling: &Self) -> bool {
        self.at_most(ceiling) == *self
    }

    fn field_by_field(&self, other: &Self, choose: fn(u32, u32) -> u32) -> Self {
        let limits = |a: &AuditLimits, b: &AuditLimits| AuditLimits {
            mean_margin_micro: choose(a.mean_margin_micro, b.mean_margin_micro),
            max_margin_micro: choose(a.max_margin_micro, b.max_margin_micro),
            mismatch_ppm: choose(a.mismatch_ppm, b.mismatch_ppm),
            fingerprint_milli: choose(a.fingerprint_milli, b.fingerprint_milli),
        };
        Self {
            boundary_micro: choose(self.boundary_micro, other.boundary_micro),
            clip_micro: choose(self.clip_micro, other.clip_micro),
            soft: limits(&self.soft, &other.soft),
            hard: limits(&self.hard, &other.hard),
            evidence_tau: choose(self.evidence_tau, other.evidence_tau),
        }
    }
}

impl AuditLimits {
    /// The first limit that `statistics` exceed.
    pub fn exceeded(&self, statistics: &AuditStatistics) -> Option<HardReason> {
        let tokens = u64::from(statistics.tokens.max(1));
        let at_least = |least: u32| u64::from(statistics.tokens.max(least));
        let mean = statistics
            .margin_sum_micro
            .checked_div(at_least(MARGIN_TOKENS))
            .unwrap_or(0);
        let share = u64::from(statistics.mismatches.saturating_sub(FREE_MISMATCHES))
            .saturating_mul(1_000_000)
            .checked_div(tokens)
            .unwrap_or(0);
        let fingerprint = statistics
            .fingerprint_sum
            .saturating_mul(1_000)
            .checked_div(at_least(FINGERPRINT_TOKENS))
            .unwrap_or(0);
        if statistics.max_margin_micro > u64::from(self.max_margin_micro)
            || mean > u64::from(self.mean_margin_micro)
        {
            Some(HardReason::Margin)
        } else if share > u64::from(self.mismatch_ppm) {
            Some(HardReason::Mismatch)
        } else if fingerprint > u64::from(self.fingerprint_milli) {
            Some(HardReason::Fingerprint)
        } else {
            None
        }
    }
}

/// Mismatching tokens that never count by their share: one honest near-tie in an output of five tokens is a share of
/// 20%, and no share limit can tell it from a cheat; its margin can, and is judged all the same.
pub const FREE_MISMATCHES: u32 = 2;

/// The mean margin is taken over at least so many tokens: honest margins come from a near-tie here and there, and in a
/// short output a single one would make a large mean.
pub const MARGIN_TOKENS: u32 = 64;

/// The mean fingerprint distance is taken over at least so many tokens: the states of a few tokens vary more than the
/// means of whole outputs that limits are made of.
pub const FINGERPRINT_TOKENS: u32 = 4;

/// The verdict that statistics deserve.
pub fn judge(statistics: &AuditStatistics, thresholds: &AuditThresholds) -> Verdict {
    if let Some(reason) = thresholds.hard.exceeded(statistics) {
        Verdict::Hard(reason)
    } else if thresholds.soft.exceeded(statistics).is_some() {
        Verdict::Soft
    } else {
        Verdict::Valid
    }
}

/// How stage one ends once its reveal window has closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StageOneResult {
    /// All seats revealed `Valid` with agreeing evidence.
    Valid,
    /// Seats (by position) that did not reveal, or lacked the model, and nothing else is wrong.
    Missing(Vec<u32>),
    /// Somebody says the executor withholds: it must open on chain first.
    Withheld,
    /// Any other verdict, or evidence that disagrees.
    Disputed,
}

/// Decides stage one over `reveals`, one entry a seat (`None`: nothing revealed).
pub fn stage_one(reveals: &[Option<(Verdict, &Evidence)>], tau: u32) -> StageOneResult {
    let mut missing = Vec::new();
    let mut valid: Vec<&Evidence> = Vec::new();
    let mut withheld = false;
    for (seat, reveal) in reveals.iter().enumerate() {
        match reveal {
            None | Some((Verdict::NoModel, _)) => missing.push(seat as u32),
            Some((Verdict::Valid, evidence)) => valid.push(evidence),
            Some((Verdict::Withheld, _)) => withheld = true,
            Some((Verdict::Soft | Verdict::Hard(_), _)) => return StageOneResult::Disputed,
        }
    }
    for (position, a) in valid.iter().enumerate() {
        for b in valid.iter().skip(position.saturating_add(1)) {
            if evidence_distance(a, b) > u64::from(tau) {
                return StageOneResult::Disputed;
            }
        }
    }
    if withheld {
        StageOneResult::Withheld
    } else if missing.is_empty() {
        StageOneResult::Valid
    } else {
        StageOneResult::Missing(missing)
    }
}

/// Weights revealed in stage two, by class.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Tally {
    pub valid: u64,
    pub soft: u64,
    pub hard: u64,
}

impl Tally {
    /// Adds one reveal; `NoModel` and `Withheld` abstain.
    pub fn add(&mut self, verdict: &Verdict, weight: u64) {
        match verdict {
            Verdict::Valid => self.valid = self.valid.saturating_add(weight),
            Verdict::Soft => self.soft = self.soft.saturating_add(weight),
            Verdict::Hard(_) => self.hard = self.hard.saturating_add(weight),
            Verdict::NoModel | Verdict::Withheld => {}
        }
    }

    /// More than half of the electorate's weight decides: `Hard` alone, or `Soft` together with those who said worse.
    /// `reason` is what a `Hard` decision states.
    pub fn decide(&self, electorate: u64, reason: HardReason) -> Decision {
        let half = electorate / 2;
        if self.valid > half {
            Decision::Valid
        } else if self.hard > half {
            Decision::Hard(reason)
        } else if self.soft.saturating_add(self.hard) > half {
            Decision::Soft
        } else {
            Decision::Undecided
        }
    }
}

impl Decision {
    /// Whether a voter's verdict is on the side of this decision.
    pub fn agrees_with(&self, verdict: &Verdict) -> bool {
        matches!(
            (self, verdict),
            (Decision::Valid, Verdict::Valid)
                | (Decision::Soft, Verdict::Soft | Verdict::Hard(_))
                | (Decision::Hard(_), Verdict::Hard(_))
        )
    }
}
