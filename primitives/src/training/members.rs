//! Who takes part: dense lists, so that ranks can be drawn over slots and every walk can stop and go on.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::report::ReplayClass;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Lists that a member can be in; each has slots `0..len` without gaps.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum List {
    /// Takes part in rounds. Changes at round edges only.
    #[codec(index = 0)]
    Active,
    /// Joined, and waits for a round's edge.
    #[codec(index = 1)]
    Waiting,
    /// Proven false: out for the rest of the run.
    #[codec(index = 2)]
    Banned,
}

/// Why somebody is no longer a member.
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
pub enum Exit {
    /// It asked to leave.
    #[codec(index = 0)]
    Left,
    /// It missed too many rounds in a row.
    #[codec(index = 1)]
    Missed,
    /// It was proven false.
    #[codec(index = 2)]
    Convicted,
    /// It was not ready in time.
    #[codec(index = 3)]
    NotReady,
    /// The run has ended.
    #[codec(index = 4)]
    Ended,
}

/// What a member begins its next round with, beside the agreed model: moments and residual of the last leaf of this
/// report.
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
pub struct Carried {
    pub round: u32,
    /// [`RoundReport::kept`](super::RoundReport::kept) of that round.
    pub kept: H256,
    pub leaves: u32,
}

/// A member of a run.
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
pub struct Member {
    pub list: List,
    /// Its place in that list.
    pub slot: u32,
    /// Whose bits it computes.
    pub class: ReplayClass,
    /// Block in which it joined.
    pub joined: u32,
    /// Whether it said that it has base and data.
    pub ready: bool,
    /// Leaves at the next edge.
    pub exit: Option<Exit>,
    /// Rounds missed in a row.
    pub missed: u32,
    /// Of the last agreed round in which it was accepted.
    pub carried: Option<Carried>,
    /// The same before that: what a rollback of it leads back to.
    pub before: Option<Carried>,
}

impl Member {
    /// One that has just joined.
    pub fn new(class: ReplayClass, slot: u32, joined: u32) -> Self {
        Self {
            list: List::Waiting,
            slot,
            class,
            joined,
            ready: false,
            exit: None,
            missed: 0,
            carried: None,
            before: None,
        }
    }
}
