//! What the ledger stores.

use chasqui_primitives::Balance;
use frame_support::pallet_prelude::*;
use parity_scale_codec::DecodeWithMemTracking;

/// Most auditors that the event of one fee names.
pub const MAX_LISTED_AUDITORS: u32 = 16;

/// Auditors with what each of them gets, in planck.
pub type ListedAuditors<AccountId> =
    BoundedVec<(AccountId, Balance), ConstU32<MAX_LISTED_AUDITORS>>;

/// What an operator earned in an epoch and nobody has claimed, forfeited or swept.
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
pub struct Earned {
    /// For computing, in planck.
    pub compute: Balance,
    /// For auditing, in planck.
    pub audit: Balance,
    /// Points that share in the epoch's contribution pool.
    pub points: u64,
}

impl Earned {
    /// What is owed whatever the pool turns out to pay, in planck.
    pub fn fixed(&self) -> Balance {
        self.compute.saturating_add(self.audit)
    }
}

/// What an operator contributed in an epoch. Outlives its pay, and is lost by a forfeiture before it.
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
pub struct Contribution {
    /// Units of compute that clients paid for.
    pub poi_units: u128,
    /// The executor's part of their fees, in planck.
    pub poi_fees: Balance,
    /// Points for audits kept.
    pub poc_points: u64,
}

/// An epoch's sums.
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
pub struct Totals {
    /// Sum of all that is owed to operators, without the pool, in planck.
    pub owed: Balance,
    /// What the contribution pool took in, in planck.
    pub pool: Balance,
    /// What is left of the pool, in planck.
    pub pool_left: Balance,
    /// All points that share the pool.
    pub points: u64,
    /// Those of them that were forfeited.
    pub forfeited_points: u64,
    /// Those of them whose share is still in the pool.
    pub points_left: u64,
    /// Units of compute of all operators, without forfeited ones.
    pub poi_units: u128,
}

/// What an operator could claim for one epoch, as view functions tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EarnedInfo {
    /// For computing, in planck.
    pub compute: Balance,
    /// For auditing, in planck.
    pub audit: Balance,
    /// Points in the contribution pool.
    pub points: u64,
    /// The share of the pool that they stand for, in planck; of a running epoch as points stand.
    pub pool_share: Balance,
    /// Whether `claim` would pay now.
    pub claimable: bool,
}
