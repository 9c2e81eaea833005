//! What the pallet stores.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use alloc::vec::Vec;
use chasqui_primitives::Balance;
use frame_support::{traits::ConstU32, BoundedVec};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Most milestones of a grant.
pub const MAX_MILESTONES: u32 = 16;

/// A grant's number, ascending.
pub type GrantId = u32;

/// What a grant is made for, before it is made.
pub type MilestoneList<BlockNumber> =
    BoundedVec<MilestoneTerms<BlockNumber>, ConstU32<MAX_MILESTONES>>;

/// What is to be reached, by when, and what it pays.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct MilestoneTerms<BlockNumber> {
    /// Paid when it is reached, in planck.
    pub amount: Balance,
    /// Hash (or blob root) of a text that says what is to be reached.
    pub description: H256,
    /// The last block in which it can be proven.
    pub deadline: BlockNumber,
}

/// Where a milestone stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum MilestoneState<BlockNumber> {
    /// Waits for its proof.
    #[codec(index = 0)]
    Open,
    /// Waits for a decision: the beneficiary said, in block `at`, that `evidence` (a hash or blob root) proves it.
    #[codec(index = 1)]
    Proven { evidence: H256, at: BlockNumber },
    /// Approved and paid.
    #[codec(index = 2)]
    Paid,
    /// Its deadline passed without a proof that was approved.
    #[codec(index = 3)]
    Lapsed,
}

impl<BlockNumber> MilestoneState<BlockNumber> {
    /// Whether its amount is still earmarked.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Open | Self::Proven { .. })
    }
}

/// A part of a grant.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Milestone<BlockNumber> {
    pub terms: MilestoneTerms<BlockNumber>,
    pub state: MilestoneState<BlockNumber>,
}

/// A grant with something left to pay.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Grant<AccountId, BlockNumber> {
    /// Who proves its milestones and is paid.
    pub beneficiary: AccountId,
    /// When it was made.
    pub created_at: BlockNumber,
    pub milestones: BoundedVec<Milestone<BlockNumber>, ConstU32<MAX_MILESTONES>>,
}

impl<AccountId, BlockNumber> Grant<AccountId, BlockNumber> {
    fn sum(&self, of: fn(&MilestoneState<BlockNumber>) -> bool) -> Balance {
        self.milestones
            .iter()
            .filter(|milestone| of(&milestone.state))
            .fold(0, |sum: Balance, milestone| {
                sum.saturating_add(milestone.terms.amount)
            })
    }

    /// What is still earmarked for it, in planck.
    pub fn pending(&self) -> Balance {
        self.sum(MilestoneState::is_pending)
    }

    /// What it has paid, in planck.
    pub fn paid(&self) -> Balance {
        self.sum(|state| matches!(state, MilestoneState::Paid))
    }

    /// Whether nothing is left to decide.
    pub fn is_settled(&self) -> bool {
        !self
            .milestones
            .iter()
            .any(|milestone| milestone.state.is_pending())
    }
}

/// A run's part of the fund.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct RunBudget {
    /// Still earmarked, in planck.
    pub left: Balance,
    /// Paid so far, in planck.
    pub paid: Balance,
}

/// The fund in four numbers, all in planck.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct FundStatus {
    /// The account's balance.
    pub balance: Balance,
    /// Earmarked for runs.
    pub runs: Balance,
    /// Earmarked for grants.
    pub grants: Balance,
    /// What can still be earmarked: the balance without earmarks and existential deposit.
    pub free: Balance,
}

/// Grants with their numbers.
pub type GrantList<AccountId, BlockNumber> = Vec<(GrantId, Grant<AccountId, BlockNumber>)>;
