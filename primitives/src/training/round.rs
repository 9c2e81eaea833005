//! One round, and what one member contributes to it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    recipe::RunTerms,
    report::{ModelState, RoundReport},
    MAX_MEMBERS,
};
use crate::{Balance, CaseId};
use alloc::{vec, vec::Vec};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::{helpers_128bit::multiply_by_rational_with_rounding, Rounding};
use sp_core::{ConstU32, H256};
use sp_runtime::BoundedVec;

/// Bytes of the largest [`Ranks`].
pub const RANKS_BYTES: u32 = MAX_MEMBERS / 8;

/// A set of ranks, one bit each, the lowest first.
#[derive(
    Clone,
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
pub struct Ranks(pub BoundedVec<u8, ConstU32<RANKS_BYTES>>);

impl Ranks {
    /// Nobody of `members`.
    pub fn none(members: u32) -> Self {
        let bytes = members.min(MAX_MEMBERS).div_ceil(8) as usize;
        Self(BoundedVec::truncate_from(vec![0; bytes]))
    }

    /// Those of `ranks` that are below `members`.
    pub fn of(members: u32, ranks: impl IntoIterator<Item = u32>) -> Self {
        let mut set = Self::none(members);
        for rank in ranks.into_iter().filter(|rank| *rank < members) {
            if let Some(byte) = set.0.get_mut((rank >> 3) as usize) {
                *byte |= 1u8.checked_shl(rank & 7).unwrap_or(0);
            }
        }
        set
    }

    pub fn contains(&self, rank: u32) -> bool {
        let bit = 1u8.checked_shl(rank & 7).unwrap_or(0);
        self.0
            .get((rank >> 3) as usize)
            .is_some_and(|byte| byte & bit != 0)
    }

    /// Whether it is as long as `members` need, with nothing behind the last.
    pub fn fits(&self, members: u32) -> bool {
        self.0.len() as u32 == members.div_ceil(8)
            && (members..members.next_multiple_of(8)).all(|rank| !self.contains(rank))
    }
}

/// What a round's seed, data and members are, and how far it has come.
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
pub struct Round {
    /// Members, frozen when it began.
    pub members: u32,
    /// Where its data begin in the run's stream.
    pub first_sequence: u64,
    /// The agreed model that it begins from; `None`: the run's start.
    pub base: Option<ModelState>,
    /// Decides ranks and kept steps.
    pub seed: Option<H256>,
    /// Decides which segments are replayed.
    pub audit_seed: Option<H256>,
    /// Block in which training began.
    pub started: u32,
    /// Whether the stragglers' deadline is set.
    pub hurried: bool,
    pub committed: u32,
    pub revealed: u32,
    pub attested: u32,
    /// Attested by enough.
    pub included: u32,
    /// Of these, how many have no case yet.
    pub unopened: u32,
    /// Cases that are open.
    pub open: u32,
    /// Found valid in time: the outer step takes these, in rank order.
    pub accepted: u32,
    /// Whether the accepted set is fixed.
    pub fixed: bool,
    /// What more than half of the members say it ends in.
    pub agreed: Option<ModelState>,
    /// Rank of whoever made the quorum.
    pub speaker: u32,
    /// Whether everybody had its time to commit.
    pub train_over: bool,
    /// Whether everybody had its time to reveal.
    pub exchange_over: bool,
    /// Contributions in storage.
    pub records: u32,
    /// Whether nothing is left of it but open cases.
    pub done: bool,
}

/// What is thought of a contribution.
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
pub enum Judged {
    /// Nothing: it is not included, or not yet.
    #[default]
    #[codec(index = 0)]
    Not,
    /// Included; a case will be opened. `failed` times none could be.
    #[codec(index = 1)]
    Included { failed: u8 },
    /// A case is being opened.
    #[codec(index = 2)]
    Opening { failed: u8 },
    #[codec(index = 3)]
    Open(CaseId),
    /// Found valid in time: part of the outer step.
    #[codec(index = 4)]
    Accepted,
    /// Not part of the outer step, and nobody's fault that is proven.
    #[codec(index = 5)]
    Refused,
    /// Proven false.
    #[codec(index = 6)]
    Convicted,
}

/// What one member did in a round.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Contribution<AccountId> {
    pub who: AccountId,
    pub commitment: Option<H256>,
    pub report: Option<RoundReport>,
    /// Ranks whose pseudo-gradient it holds.
    pub attests: Option<Ranks>,
    pub judged: Judged,
    /// [`ModelState::key`] of what it says the round ends in.
    pub vote: Option<H256>,
    /// The round is done with it, but for its case.
    pub swept: bool,
}

impl<AccountId> Contribution<AccountId> {
    pub fn new(who: AccountId) -> Self {
        Self {
            who,
            commitment: None,
            report: None,
            attests: None,
            judged: Judged::Not,
            vote: None,
            swept: false,
        }
    }

    /// Whether a case about it is open.
    pub fn in_case(&self) -> bool {
        matches!(self.judged, Judged::Opening { .. } | Judged::Open(_))
    }

    /// The units that it is paid for: it was accepted, and did its part in serving and fetching.
    pub fn paid_units(&self) -> u64 {
        match (&self.report, self.judged, &self.attests) {
            (Some(report), Judged::Accepted, Some(_)) => report.units,
            _ => 0,
        }
    }
}

/// What so many units pay in a round of `members`, in planck: their part of an equal share. What others do not earn stays
/// in the budget, so that nobody gains by another's exclusion.
pub fn pay(terms: &RunTerms, members: u32, units: u64) -> Balance {
    let shard = terms.recipe.tokens_per_round();
    let all = u128::from(shard).saturating_mul(u128::from(members));
    if all == 0 {
        return 0;
    }
    let units = u128::from(units.min(shard));
    multiply_by_rational_with_rounding(terms.round_pay, units, all, Rounding::Down).unwrap_or(0)
}

/// How many of a round attest each rank.
#[derive(
    Clone,
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
pub struct Tally(pub BoundedVec<u16, ConstU32<MAX_MEMBERS>>);

impl Tally {
    pub fn new(members: u32) -> Self {
        let zeros: Vec<u16> = vec![0; members.min(MAX_MEMBERS) as usize];
        Self(BoundedVec::truncate_from(zeros))
    }

    /// Adds what `attester` says; that it holds its own goes without saying.
    pub fn add(&mut self, attester: u32, ranks: &Ranks) {
        for (count, rank) in self.0.iter_mut().zip(0u32..) {
            if rank == attester || ranks.contains(rank) {
                *count = count.saturating_add(1);
            }
        }
    }

    pub fn of(&self, rank: u32) -> u32 {
        self.0
            .get(rank as usize)
            .map_or(0, |count| u32::from(*count))
    }
}
