//! What the pallet stores.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::Config;
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds},
    Balance, CheckpointRoot, NumericProfile, RelayBlockNumber, RunId,
};
use frame_support::{
    traits::ConstU32, BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound,
};
use frame_system::pallet_prelude::BlockNumberFor;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Most bytes of a checkpoint's name.
pub const MAX_NAME_BYTES: u32 = 64;
/// Most bytes of a licence's name.
pub const MAX_LICENCE_BYTES: u32 = 32;
/// Most tokens that end an output.
pub const MAX_END_TOKENS: u32 = 8;

/// What a proposer says of a checkpoint. Nothing of it decides an audit.
#[derive(
    Clone,
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
#[serde(rename_all = "camelCase")]
pub struct CheckpointInfo {
    /// UTF-8.
    pub name: BoundedVec<u8, ConstU32<MAX_NAME_BYTES>>,
    /// The registered checkpoint that it was trained from.
    pub parent: Option<CheckpointRoot>,
    /// For an adapter, the registered checkpoint whose files it needs beside its own and does not hold: its parent, or
    /// what its parent is an adapter of.
    #[serde(default)]
    pub base: Option<CheckpointRoot>,
    pub profile: NumericProfile,
    /// Token ids are below this.
    pub vocabulary: u32,
    /// Longest prompt plus output, in tokens.
    pub context_tokens: u32,
    /// Token ids that end an output.
    pub end_tokens: BoundedVec<u32, ConstU32<MAX_END_TOKENS>>,
    /// Whether its files hold a tokenizer: without one it takes token ids only, no text.
    pub has_tokenizer: bool,
    /// Units of compute for a token of the prompt.
    pub units_per_prompt_token: u32,
    /// Units of compute for a token of the output.
    pub units_per_output_token: u32,
    /// Bytes of all of its files; of a checkpoint that is described as its parent is, those of the parent's.
    pub size_bytes: u64,
    /// SPDX identifier.
    pub licence: BoundedVec<u8, ConstU32<MAX_LICENCE_BYTES>>,
}

impl CheckpointInfo {
    /// Whether it can be served and priced at all.
    pub fn is_valid(&self) -> bool {
        !self.name.is_empty()
            && core::str::from_utf8(&self.name).is_ok()
            && core::str::from_utf8(&self.licence).is_ok()
            && self.vocabulary > 0
            && self.context_tokens > 1
            && self.units_per_output_token > 0
            && self.size_bytes > 0
            && self.end_tokens.iter().all(|id| *id < self.vocabulary)
            && (self.base.is_none() || self.parent.is_some())
    }
}

/// Where a checkpoint stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Status {
    /// Validators are drawn to calibrate it.
    #[codec(index = 0)]
    Calibrating,
    /// Too few validators answered in all rounds; its proposer may try again.
    #[codec(index = 1)]
    Stalled,
    /// Thresholds are known; waits to be accepted.
    #[codec(index = 2)]
    Calibrated,
    /// Takes payment.
    #[codec(index = 3)]
    Accepted,
    /// Takes no new jobs.
    #[codec(index = 4)]
    Retired,
}

impl Status {
    /// Whether it waits for a decision, and its proposer may still withdraw it.
    pub fn is_proposed(&self) -> bool {
        matches!(
            self,
            Status::Calibrating | Status::Stalled | Status::Calibrated
        )
    }
}

/// A registered checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Checkpoint<AccountId, BlockNumber> {
    pub info: CheckpointInfo,
    /// Who proposed it and holds its deposit; nobody for one of genesis.
    pub proposer: Option<AccountId>,
    /// On hold with the proposer, in planck.
    pub deposit: Balance,
    pub status: Status,
    /// The worst of the drawn validators' calibrations plus the margin.
    pub thresholds: Option<AuditThresholds>,
    /// When it was proposed.
    pub proposed_at: BlockNumber,
}

/// Where a trained checkpoint comes from. It stays when the checkpoint itself leaves the registry.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Lineage<AccountId, BlockNumber> {
    /// What the run began from; `None`: from fresh weights.
    pub parent: Option<CheckpointRoot>,
    /// For an adapter, what it is an adapter of.
    pub base: Option<CheckpointRoot>,
    pub run: RunId,
    /// The last round that is in it.
    pub round: u32,
    /// The blob root of the dataset that it was trained on.
    pub dataset: H256,
    /// Who registered it.
    pub by: AccountId,
    pub registered_at: BlockNumber,
    /// Whether it has been described once: from then on only the admin describes it.
    pub described: bool,
}

/// One step of a checkpoint's ancestry, as the view function tells it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct Ancestor<AccountId, BlockNumber> {
    pub root: CheckpointRoot,
    /// What it was made from: as its lineage says, else as its proposer does.
    pub parent: Option<CheckpointRoot>,
    /// UTF-8; empty where it is not registered.
    pub name: BoundedVec<u8, ConstU32<MAX_NAME_BYTES>>,
    /// `None`: not registered (any more).
    pub status: Option<Status>,
    /// `None`: no run of this network made it.
    pub lineage: Option<Lineage<AccountId, BlockNumber>>,
}

/// A validator's part in a calibration.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct CalibrationSeat<AccountId> {
    /// The bonded account.
    pub validator: AccountId,
    /// What it measured on honest pairs.
    pub thresholds: Option<AuditThresholds>,
}

/// What a calibration waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum CalibrationPhase<BlockNumber> {
    /// Randomness to draw validators with.
    #[codec(index = 0)]
    AwaitSeed { due: RelayBlockNumber },
    /// The drawn validators' thresholds.
    #[codec(index = 1)]
    Collect { until: BlockNumber },
    /// A new start by the proposer.
    #[codec(index = 2)]
    Stalled,
}

/// A calibration under way.
#[derive(
    CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound())]
pub struct Calibration<T: Config> {
    /// Validators whose thresholds it takes.
    pub wanted: u32,
    /// Draws so far.
    pub round: u32,
    /// The block from which on no more draws follow: it stalls.
    pub gives_up_at: BlockNumberFor<T>,
    pub phase: CalibrationPhase<BlockNumberFor<T>>,
    pub seats: BoundedVec<CalibrationSeat<T::AccountId>, T::MaxCalibrators>,
    /// The block whose agenda names it, unless it is stalled.
    pub wake: BlockNumberFor<T>,
}

impl<T: Config> Calibration<T> {
    /// How many validators have submitted.
    pub fn submitted(&self) -> u32 {
        self.seats
            .iter()
            .filter(|seat| seat.thresholds.is_some())
            .count() as u32
    }

    /// The looser of all submitted thresholds in every field.
    pub fn worst(&self) -> Option<AuditThresholds> {
        self.seats
            .iter()
            .filter_map(|seat| seat.thresholds)
            .reduce(|a, b| a.worst(&b))
    }
}

/// Parameters of calibration.
#[derive(
    Clone,
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
#[serde(rename_all = "camelCase")]
pub struct Params {
    /// Validators that calibrate a checkpoint.
    pub calibrators: u32,
    /// Added to the worst calibration, in percent.
    pub margin_percent: u32,
    /// Blocks that drawn validators have.
    pub calibrate_blocks: u32,
    /// A calibration stalls after so many times [`Params::calibrate_blocks`].
    pub max_rounds: u32,
    /// What no thresholds exceed, whatever anybody measured: the worst calibration holds in every field, so without this
    /// a single dishonest calibrator could make a checkpoint's audits toothless.
    pub ceiling: AuditThresholds,
}

/// The default of [`Params::ceiling`]: far above what honest calibrations give, far below what a false output shows.
pub const CEILING: AuditThresholds = AuditThresholds {
    boundary_micro: 50_000,
    clip_micro: 4_000_000,
    soft: AuditLimits {
        mean_margin_micro: 50_000,
        max_margin_micro: 500_000,
        mismatch_ppm: 100_000,
        fingerprint_milli: 40_000,
    },
    hard: AuditLimits {
        mean_margin_micro: 200_000,
        max_margin_micro: 2_000_000,
        mismatch_ppm: 300_000,
        fingerprint_milli: 160_000,
    },
    evidence_tau: 4_096,
};

impl Default for Params {
    fn default() -> Self {
        Self {
            calibrators: 5,
            margin_percent: 25,
            calibrate_blocks: 600,
            max_rounds: 10,
            ceiling: CEILING,
        }
    }
}

impl Params {
    /// Largest margin that is accepted.
    pub const MAX_MARGIN_PERCENT: u32 = 1_000;

    /// Blocks until another draw when there is nobody to wait for.
    pub fn pause_blocks(&self) -> u32 {
        (self.calibrate_blocks / 10).max(1)
    }

    /// Blocks until a calibration stalls.
    pub fn patience(&self) -> u32 {
        self.calibrate_blocks.saturating_mul(self.max_rounds)
    }

    /// Whether everything is in its range.
    pub fn is_valid(&self, max_calibrators: u32) -> bool {
        (1..=max_calibrators).contains(&self.calibrators)
            && self.margin_percent <= Self::MAX_MARGIN_PERCENT
            && (1..=100_800).contains(&self.calibrate_blocks)
            && (1..=1_000).contains(&self.max_rounds)
            && self.ceiling.is_consistent()
    }
}

/// Loosens every limit of `thresholds` by `percent`, rounded up. The clip is no limit: it stays.
pub fn with_margin(thresholds: &AuditThresholds, percent: u32) -> AuditThresholds {
    let scale = |value: u32| {
        let scaled = u64::from(value)
            .saturating_mul(u64::from(percent).saturating_add(100))
            .div_ceil(100);
        u32::try_from(scaled).unwrap_or(u32::MAX)
    };
    let limits = |limits: &AuditLimits| AuditLimits {
        mean_margin_micro: scale(limits.mean_margin_micro),
        max_margin_micro: scale(limits.max_margin_micro),
        mismatch_ppm: scale(limits.mismatch_ppm),
        fingerprint_milli: scale(limits.fingerprint_milli),
    };
    AuditThresholds {
        boundary_micro: scale(thresholds.boundary_micro),
        clip_micro: thresholds.clip_micro,
        soft: limits(&thresholds.soft),
        hard: limits(&thresholds.hard),
        evidence_tau: scale(thresholds.evidence_tau),
    }
}

/// A checkpoint that is accepted at genesis.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenesisCheckpoint {
    pub root: CheckpointRoot,
    pub info: CheckpointInfo,
    pub thresholds: AuditThresholds,
}
