//! Where a run stands, and the seeds that it waits for.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Where a run stands. `until` is the first block that is too late.
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
pub enum Phase {
    /// Gathers members.
    #[codec(index = 0)]
    Forming,
    /// Members fetch base and data and say that they are ready.
    #[codec(index = 1)]
    Warmup { until: u32 },
    /// Leavers go; so many slots are still to be looked at.
    #[codec(index = 2)]
    Leavers { left: u32 },
    /// Those who are ready come.
    #[codec(index = 3)]
    Joiners { left: u32 },
    /// Members and data are fixed; the round's seed is awaited.
    #[codec(index = 4)]
    Seed,
    /// Members train, and commit.
    #[codec(index = 5)]
    Train { until: u32 },
    /// Members reveal what they committed to.
    #[codec(index = 6)]
    Exchange { until: u32 },
    /// Members say whose pseudo-gradients they hold.
    #[codec(index = 7)]
    Attest { until: u32 },
    /// Attestations are counted.
    #[codec(index = 8)]
    Tally { cursor: u32 },
    /// Who is included is decided.
    #[codec(index = 9)]
    Include { cursor: u32 },
    /// The included set is fixed; the audits' seed is awaited.
    #[codec(index = 10)]
    Draw,
    /// Cases are opened.
    #[codec(index = 11)]
    Open { cursor: u32 },
    /// Validators judge.
    #[codec(index = 12)]
    Audit { until: u32 },
    /// Members take the outer step and say what it gives.
    #[codec(index = 13)]
    Agree { until: u32 },
    /// The round's duties are counted.
    #[codec(index = 14)]
    Close { cursor: u32, agreed: bool },
    /// No more rounds; the last one may still be challenged.
    #[codec(index = 15)]
    Cooldown { failed: Option<Failure> },
    /// Members are let go.
    #[codec(index = 16)]
    Disband { failed: Option<Failure> },
    #[codec(index = 17)]
    Finished,
    #[codec(index = 18)]
    Failed(Failure),
}

impl Phase {
    /// Whether the run has ended.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Finished | Self::Failed(_))
    }

    /// Whether a round runs.
    pub fn in_round(&self) -> bool {
        matches!(
            self,
            Self::Seed
                | Self::Train { .. }
                | Self::Exchange { .. }
                | Self::Attest { .. }
                | Self::Tally { .. }
                | Self::Include { .. }
                | Self::Draw
                | Self::Open { .. }
                | Self::Audit { .. }
                | Self::Agree { .. }
                | Self::Close { .. }
        )
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_over() || matches!(self, Self::Cooldown { .. } | Self::Disband { .. })
    }
}

/// Why a run failed.
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
pub enum Failure {
    /// Too few members for too long.
    #[codec(index = 0)]
    Idle,
    /// Too many void rounds in a row.
    #[codec(index = 1)]
    Void,
    /// No round became final.
    #[codec(index = 2)]
    Nothing,
    /// It was called off.
    #[codec(index = 3)]
    Cancelled,
}

/// A seed that is asked for.
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
pub struct Draw {
    pub round: u32,
    pub of: Drawn,
}

/// What a seed decides.
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
pub enum Drawn {
    /// Ranks and kept steps.
    #[codec(index = 0)]
    Ranks,
    /// Segments that are replayed.
    #[codec(index = 1)]
    Segments,
    /// The panel that judges a challenge.
    #[codec(index = 2)]
    Panel,
}

/// What a run waits for of a member. `until` is the first block that is too late.
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
pub enum Owed {
    /// To say that it has base and data.
    #[codec(index = 0)]
    Heartbeat,
    /// To train, and commit.
    #[codec(index = 1)]
    Commitment { until: u32 },
    #[codec(index = 2)]
    Report { until: u32 },
    /// To say whose pseudo-gradients it holds.
    #[codec(index = 3)]
    Attestation { until: u32 },
    /// To say what the outer step gives.
    #[codec(index = 4)]
    Model { until: u32 },
}
