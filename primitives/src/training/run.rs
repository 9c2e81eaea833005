//! A run's head, and the agreed round that waits to become final.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{members::List, phase::Phase, report::ModelState};
use crate::{Balance, CaseId};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// How far a challenge is, and what else an agreed round goes through.
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
pub enum Settling<AccountId> {
    /// It may be challenged.
    #[codec(index = 0)]
    Window { until: u32 },
    /// It was; the panel's seed is awaited. `failed` times no case could be opened.
    #[codec(index = 1)]
    Drawing { challenger: AccountId, failed: u8 },
    /// The case is being opened.
    #[codec(index = 2)]
    Opening { challenger: AccountId, failed: u8 },
    /// Validators take the outer step themselves.
    #[codec(index = 3)]
    InCase {
        challenger: AccountId,
        case: CaseId,
        until: u32,
    },
    /// Final: it is paid.
    #[codec(index = 4)]
    Paying { cursor: u32 },
    /// It is undone. Whoever voted for `convicts` is slashed.
    #[codec(index = 5)]
    Undoing {
        cursor: u32,
        convicts: Option<H256>,
        reporter: Option<AccountId>,
    },
}

/// An agreed round that is not done with.
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
pub struct Pending<AccountId> {
    pub round: u32,
    pub settling: Settling<AccountId>,
}

/// The newest final round.
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
pub struct Final {
    pub round: u32,
    pub model: ModelState,
}

/// A run's head: everything that is not by member or by round.
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
pub struct Run<AccountId> {
    pub phase: Phase,
    /// Block in which the run began to gather members, last.
    pub forming_since: u32,
    /// Block of the last agreed round, or of the run's creation.
    pub idle_since: u32,
    /// Number of the round that runs, or of the next one.
    pub round: u32,
    /// Where the next round's data begin.
    pub next_sequence: u64,
    /// Lengths of the lists.
    pub active: u32,
    pub waiting: u32,
    pub banned: u32,
    /// Of those who wait, how many are ready.
    pub ready: u32,
    /// The agreed model; `None`: the run's start.
    pub model: Option<ModelState>,
    pub pending: Option<Pending<AccountId>>,
    pub settled: Option<Final>,
    /// Rounds that became final.
    pub finals: u32,
    /// The model that the running round began from was undone.
    pub doomed: bool,
    pub cancelled: bool,
    /// Void rounds in a row.
    pub voids: u32,
    /// What was paid, in planck.
    pub paid: Balance,
}

impl<AccountId> Run<AccountId> {
    /// A run that begins to gather members.
    pub fn new(now: u32) -> Self {
        Self {
            phase: Phase::Forming,
            forming_since: now,
            idle_since: now,
            round: 0,
            next_sequence: 0,
            active: 0,
            waiting: 0,
            banned: 0,
            ready: 0,
            model: None,
            pending: None,
            settled: None,
            finals: 0,
            doomed: false,
            cancelled: false,
            voids: 0,
            paid: 0,
        }
    }

    /// How many are in a list.
    pub fn len(&self, list: List) -> u32 {
        match list {
            List::Active => self.active,
            List::Waiting => self.waiting,
            List::Banned => self.banned,
        }
    }

    pub(super) fn len_mut(&mut self, list: List) -> &mut u32 {
        match list {
            List::Active => &mut self.active,
            List::Waiting => &mut self.waiting,
            List::Banned => &mut self.banned,
        }
    }
}
