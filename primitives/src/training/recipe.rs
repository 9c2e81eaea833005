//! What a run trains, from where, on what and how: fixed point throughout, so that the same bytes say the same everywhere.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{MAX_INNER_STEPS, MAX_MEMBERS, MAX_ROUNDS};
use crate::{
    hash::{tag, tagged_hash},
    Balance, CheckpointRoot, RunId,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// One whole, for everything that ends in `_ppm`.
pub const PPM: u32 = 1_000_000;
/// Most sequences that a member trains on in one inner step.
pub const MAX_BATCH: u32 = 65_536;
/// Longest sequence, in predicted tokens.
pub const MAX_SEQUENCE: u32 = 1 << 20;
/// Most segments that a round is cut into.
pub const MAX_SEGMENTS: u32 = 256;
/// Largest chunk of [`Codec::Sparse`].
pub const MAX_CHUNK: u32 = 65_536;
/// Highest rank of an adapter.
pub const MAX_ADAPTER_RANK: u16 = 1_024;
/// Highest outer learning rate, in millionths.
pub const MAX_OUTER_RATE_PPM: u32 = 10_000_000;
/// Longest phase, in blocks.
pub const MAX_PHASE_BLOCKS: u32 = 10_000_000;

/// The optimiser of inner steps.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "std", serde(rename_all = "snake_case", tag = "kind"))]
pub enum InnerOptimizer {
    /// Adam with decoupled weight decay on matrices.
    #[codec(index = 0)]
    AdamW {
        /// Millionths.
        beta1_ppm: u32,
        /// Millionths.
        beta2_ppm: u32,
        /// 1e-12.
        epsilon_e12: u32,
        /// Millionths.
        weight_decay_ppm: u32,
    },
}

impl Default for InnerOptimizer {
    fn default() -> Self {
        Self::AdamW {
            beta1_ppm: 900_000,
            beta2_ppm: 950_000,
            epsilon_e12: 10_000,
            weight_decay_ppm: 100_000,
        }
    }
}

/// Learning rate over all inner steps of the run: a linear rise, then half a cosine down to the floor. Step `t` of round
/// `r` is step `r * inner_steps + t`, whoever takes it, and whether or not rounds before it were void.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Schedule {
    /// Highest learning rate, 1e-9.
    pub peak_nano: u32,
    /// Steps of the rise.
    pub warmup_steps: u32,
    /// Steps in all, the rise included; later steps stay at the floor.
    pub total_steps: u32,
    /// What is left at the end, in millionths of the peak.
    pub floor_ppm: u32,
}

/// The outer step.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Outer {
    /// Learning rate, millionths.
    pub rate_ppm: u32,
    /// Momentum, millionths.
    pub momentum_ppm: u32,
    /// Whether it looks ahead.
    pub nesterov: bool,
}

impl Default for Outer {
    fn default() -> Self {
        Self {
            rate_ppm: 700_000,
            momentum_ppm: 900_000,
            nesterov: true,
        }
    }
}

/// How a pseudo-gradient becomes bytes.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "std", serde(rename_all = "snake_case", tag = "kind"))]
pub enum Codec {
    /// As it is.
    #[codec(index = 0)]
    F32,
    /// A signed byte a value, and a scale a block.
    #[codec(index = 1)]
    Int8 {
        /// Values of a block.
        block: u32,
    },
    /// The largest of each chunk in two bits, with error feedback.
    #[codec(index = 2)]
    Sparse {
        /// Values of a chunk.
        chunk: u32,
        /// Values kept of it.
        keep: u32,
        /// What is kept of the residual from round to round, millionths.
        decay_ppm: u32,
    },
}

/// Which matrices of a decoder layer an adapter is added to.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct AdapterTargets(pub u16);

impl AdapterTargets {
    pub const QUERY: Self = Self(1);
    pub const KEY: Self = Self(1 << 1);
    pub const VALUE: Self = Self(1 << 2);
    pub const OUTPUT: Self = Self(1 << 3);
    pub const GATE: Self = Self(1 << 4);
    pub const UP: Self = Self(1 << 5);
    pub const DOWN: Self = Self(1 << 6);
    /// Everything of attention.
    pub const ATTENTION: Self = Self(0b1111);
    /// Every linear map of a layer.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether all of `other` are among them.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn is_valid(self) -> bool {
        self.0 != 0 && Self::ALL.contains(self)
    }
}

/// What is trained.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "std", serde(rename_all = "snake_case", tag = "kind"))]
pub enum Trains {
    /// Every weight, on the data.
    #[codec(index = 0)]
    Full,
    /// A low-rank adapter on the frozen start.
    #[codec(index = 1)]
    Adapter {
        rank: u16,
        /// Thousandths; the adapter is scaled by this over its rank.
        alpha_milli: u32,
        targets: AdapterTargets,
    },
    /// Every weight, on what a teacher says of the data.
    #[codec(index = 2)]
    Distil {
        teacher: CheckpointRoot,
        /// Thousandths.
        temperature_milli: u32,
        /// The teacher's share of the loss, millionths; the rest is the data's.
        share_ppm: u32,
    },
}

/// How a run trains.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Recipe {
    /// Inner steps of a round.
    pub inner_steps: u32,
    /// Sequences that a member trains on in one inner step.
    pub batch: u32,
    /// Of these, how many at a time: part of what fixes the bits.
    pub micro_batch: u32,
    /// Predicted tokens of a sequence.
    pub sequence: u32,
    pub optimizer: InnerOptimizer,
    pub schedule: Schedule,
    /// Largest norm of a step's gradient, thousandths.
    pub clip_milli: u32,
    pub outer: Outer,
    pub codec: Codec,
    /// Largest norm of a pseudo-gradient, in millionths of the round's median.
    pub norm_clip_ppm: u32,
    /// Segments that the kept states cut a round into.
    pub segments: u32,
    pub trains: Trains,
}

/// What is out of its range.
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
pub enum TermsError {
    InnerSteps,
    Batch,
    MicroBatch,
    Sequence,
    Optimizer,
    Schedule,
    Clip,
    Outer,
    Codec,
    NormClip,
    Segments,
    Trains,
    Rounds,
    Members,
    Timing,
    Audit,
    /// An adapter needs a base.
    Start,
    /// The budget exceeds a balance, or is nothing.
    Pay,
}

impl core::fmt::Display for TermsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::InnerSteps => "the inner steps of a round are out of range",
            Self::Batch => "the batch is out of range",
            Self::MicroBatch => "the micro-batch is 0 or larger than the batch",
            Self::Sequence => "the sequence length is out of range",
            Self::Optimizer => "a setting of the inner optimiser is out of range",
            Self::Schedule => "the learning rate's schedule is out of range",
            Self::Clip => "the gradient's largest norm is 0",
            Self::Outer => "the outer step's rate or momentum is out of range",
            Self::Codec => "a setting of the codec is out of range",
            Self::NormClip => "a pseudo-gradient's largest norm is below the median's",
            Self::Segments => "there are no segments, or more than inner steps or than allowed",
            Self::Trains => "the adapter's or the distillation's settings are out of range",
            Self::Rounds => "the number of rounds is out of range",
            Self::Members => "the number of members is out of range",
            Self::Timing => "a phase has no time, or more than allowed",
            Self::Audit => "the audit's segments or limits are out of range",
            Self::Start => "an adapter needs a checkpoint to start from",
            Self::Pay => "a round's pay is nothing, or all rounds' exceeds a balance",
        })
    }
}

#[cfg(feature = "std")]
impl std::error::Error for TermsError {}

/// `Err(error)` unless `holds`.
fn check(holds: bool, error: TermsError) -> Result<(), TermsError> {
    if holds {
        Ok(())
    } else {
        Err(error)
    }
}

impl Recipe {
    /// Tokens that one member predicts in a round.
    pub fn tokens_per_round(&self) -> u64 {
        u64::from(self.inner_steps)
            .saturating_mul(u64::from(self.batch))
            .saturating_mul(u64::from(self.sequence))
    }

    /// Sequences that `members` consume in a round.
    pub fn sequences_per_round(&self, members: u32) -> u64 {
        u64::from(self.inner_steps)
            .saturating_mul(u64::from(self.batch))
            .saturating_mul(u64::from(members))
    }

    /// Checks every range.
    ///
    /// # Errors
    /// The first thing that is out of range.
    pub fn validate(&self) -> Result<(), TermsError> {
        check(
            (1..=MAX_INNER_STEPS).contains(&self.inner_steps),
            TermsError::InnerSteps,
        )?;
        check((1..=MAX_BATCH).contains(&self.batch), TermsError::Batch)?;
        check(
            (1..=self.batch).contains(&self.micro_batch),
            TermsError::MicroBatch,
        )?;
        check(
            (1..=MAX_SEQUENCE).contains(&self.sequence),
            TermsError::Sequence,
        )?;
        let InnerOptimizer::AdamW {
            beta1_ppm,
            beta2_ppm,
            epsilon_e12,
            weight_decay_ppm,
        } = self.optimizer;
        check(
            beta1_ppm < PPM && beta2_ppm < PPM && epsilon_e12 > 0 && weight_decay_ppm <= PPM,
            TermsError::Optimizer,
        )?;
        let schedule = &self.schedule;
        check(
            schedule.peak_nano > 0
                && schedule.total_steps > 0
                && schedule.warmup_steps <= schedule.total_steps
                && schedule.floor_ppm <= PPM,
            TermsError::Schedule,
        )?;
        check(self.clip_milli > 0, TermsError::Clip)?;
        check(
            (1..=MAX_OUTER_RATE_PPM).contains(&self.outer.rate_ppm)
                && self.outer.momentum_ppm < PPM,
            TermsError::Outer,
        )?;
        let codec = match self.codec {
            Codec::F32 => true,
            Codec::Int8 { block } => block > 0,
            Codec::Sparse {
                chunk,
                keep,
                decay_ppm,
            } => {
                (2..=MAX_CHUNK).contains(&chunk) && (1..=chunk).contains(&keep) && decay_ppm <= PPM
            }
        };
        check(codec, TermsError::Codec)?;
        check(self.norm_clip_ppm >= PPM, TermsError::NormClip)?;
        check(
            (1..=self.inner_steps.min(MAX_SEGMENTS)).contains(&self.segments),
            TermsError::Segments,
        )?;
        let trains = match self.trains {
            Trains::Full => true,
            Trains::Adapter {
                rank,
                alpha_milli,
                targets,
            } => (1..=MAX_ADAPTER_RANK).contains(&rank) && alpha_milli > 0 && targets.is_valid(),
            Trains::Distil {
                temperature_milli,
                share_ppm,
                ..
            } => temperature_milli > 0 && (1..=PPM).contains(&share_ppm),
        };
        check(trains, TermsError::Trains)
    }
}

/// What a run begins from.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "std", serde(rename_all = "snake_case"))]
pub enum Start {
    /// The weights of a registered checkpoint.
    #[codec(index = 0)]
    Checkpoint(CheckpointRoot),
    /// Weights made from a seed.
    #[codec(index = 1)]
    Fresh {
        /// Root of a manifest with `config.json` and the tokenizer's files.
        config: H256,
        seed: u64,
    },
}

impl Start {
    /// The checkpoint whose descendant the run makes.
    pub fn parent(&self) -> Option<CheckpointRoot> {
        match self {
            Self::Checkpoint(root) => Some(*root),
            Self::Fresh { .. } => None,
        }
    }
}

/// How long each phase lasts, in blocks, and how much is forgiven. Phases end early when nothing is left to wait for.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Timing {
    /// The least time that a run gathers members for.
    pub forming_blocks: u32,
    /// Time to fetch base and data.
    pub warmup_blocks: u32,
    /// The most that a round trains.
    pub train_blocks: u32,
    /// The least that stragglers are given once a quorum has committed.
    pub grace_blocks: u32,
    /// Stragglers are given the commitments' median time and so many percent of their median deviation beyond it.
    pub spread_percent: u32,
    /// Time to reveal.
    pub exchange_blocks: u32,
    /// Time to fetch the others' pseudo-gradients and attest them.
    pub attest_blocks: u32,
    /// The most that a round waits for verdicts; what is open then counts as undecided for it.
    pub audit_blocks: u32,
    /// Time to take the outer step and agree.
    pub agree_blocks: u32,
    /// How long an agreed model can be challenged.
    pub challenge_blocks: u32,
    /// The most that a run may go without an agreed round while it gathers members.
    pub idle_blocks: u32,
    /// Rounds in a row that a member may miss before it is dropped.
    pub max_missed: u32,
    /// Rounds in a row that may be void before the run fails.
    pub max_void: u32,
}

impl Timing {
    fn validate(&self) -> Result<(), TermsError> {
        let phases = [
            self.warmup_blocks,
            self.train_blocks,
            self.exchange_blocks,
            self.attest_blocks,
            self.audit_blocks,
            self.agree_blocks,
            self.challenge_blocks,
            self.idle_blocks,
        ];
        let bounded = [self.forming_blocks, self.grace_blocks, self.spread_percent];
        check(
            phases
                .iter()
                .all(|blocks| (1..=MAX_PHASE_BLOCKS).contains(blocks))
                && bounded.iter().all(|value| *value <= MAX_PHASE_BLOCKS)
                && self.max_missed > 0
                && self.max_void > 0,
            TermsError::Timing,
        )
    }
}

/// How a round's work is judged.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct AuditTerms {
    /// Segments of each included member that validators replay.
    pub segments: u32,
    /// Across replay classes: drift over all audited segments of a member beyond which a verdict is `Soft`, in millionths
    /// of the movement.
    pub soft_ppm: u32,
    /// The same for `Hard`.
    pub hard_ppm: u32,
    /// Largest distance between the evidence of two honest auditors.
    pub evidence_tau: u32,
}

/// Everything that a run is agreed on. Its hash, with the run's number, is the run's root.
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
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct RunTerms {
    pub start: Start,
    /// Root of the dataset's blob.
    pub dataset: H256,
    /// Sequences of the dataset that may be trained on: those without a held-out token.
    pub sequences: u64,
    pub recipe: Recipe,
    /// Rounds, void ones included.
    pub rounds: u32,
    /// What a round pays when everybody's work is accepted, in planck.
    pub round_pay: Balance,
    pub min_members: u32,
    pub max_members: u32,
    pub timing: Timing,
    pub audit: AuditTerms,
}

impl RunTerms {
    /// What all rounds pay at the most, in planck; `None` beyond a balance.
    pub fn budget(&self) -> Option<Balance> {
        self.round_pay.checked_mul(Balance::from(self.rounds))
    }

    /// Checks every range.
    ///
    /// # Errors
    /// The first thing that is out of range.
    pub fn validate(&self) -> Result<(), TermsError> {
        self.recipe.validate()?;
        check(self.sequences > 0, TermsError::Sequence)?;
        check((1..=MAX_ROUNDS).contains(&self.rounds), TermsError::Rounds)?;
        check(
            (1..=self.max_members).contains(&self.min_members) && self.max_members <= MAX_MEMBERS,
            TermsError::Members,
        )?;
        self.timing.validate()?;
        let audit = &self.audit;
        check(
            (1..=self.recipe.segments).contains(&audit.segments)
                && audit.soft_ppm <= audit.hard_ppm,
            TermsError::Audit,
        )?;
        let adapter = matches!(self.recipe.trains, Trains::Adapter { .. });
        check(!adapter || self.start.parent().is_some(), TermsError::Start)?;
        check(
            self.round_pay > 0 && self.budget().is_some(),
            TermsError::Pay,
        )
    }

    /// The run's root: what members and validators declare to serve.
    pub fn root(&self, genesis: &H256, run: RunId) -> H256 {
        tagged_hash(tag::RUN, genesis, &(run, self))
    }
}

/// Sequences of `sequence` predicted tokens that lie within the first `training` tokens: sequence `i` is the tokens
/// `i * sequence ..= (i + 1) * sequence`, its last one being the first of the next.
pub fn whole_sequences(training: u64, sequence: u32) -> u64 {
    training
        .saturating_sub(1)
        .checked_div(u64::from(sequence))
        .unwrap_or(0)
}
