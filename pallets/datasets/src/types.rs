//! What the pallet stores.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use alloc::vec::Vec;
use chasqui_primitives::{traits::DatasetTerms, Balance, CaseId, DatasetId, RelayBlockNumber, DOT};
use frame_support::{traits::ConstU32, BoundedVec};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

/// Most bytes of a licence.
pub const MAX_LICENCE_BYTES: u32 = 64;
/// Most bytes of a description.
pub const MAX_DESCRIPTION_BYTES: u32 = 512;
/// What the deposit grows by.
const GIB: u64 = 1 << 30;

/// An SPDX expression.
pub type Licence = BoundedVec<u8, ConstU32<MAX_LICENCE_BYTES>>;
/// UTF-8: what is in it, and where it comes from.
pub type Description = BoundedVec<u8, ConstU32<MAX_DESCRIPTION_BYTES>>;

/// Whether a licence has the characters of an SPDX expression. Nobody looks up whether there is such a licence.
pub fn is_licence(licence: &Licence) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.+:() ".contains(byte);
    licence.iter().any(u8::is_ascii_alphanumeric) && licence.iter().all(is_allowed)
}

/// Whether a description is a text.
pub fn is_description(description: &Description) -> bool {
    core::str::from_utf8(description).is_ok_and(|text| {
        !text.trim().is_empty()
            && !text
                .chars()
                .any(|char| char.is_control() && !matches!(char, '\n' | '\t'))
    })
}

/// Where a dataset stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Status {
    /// Validators have not decided yet.
    #[codec(index = 0)]
    Undecided,
    /// Runs may use it.
    #[codec(index = 1)]
    Usable,
    /// Delisted while runs used it: it leaves with the last of them.
    #[codec(index = 2)]
    Leaving,
}

/// A submitted dataset.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Dataset<AccountId, BlockNumber> {
    /// Its blob root.
    pub root: H256,
    /// Who submitted it, holds its deposit and earns points by it.
    pub submitter: AccountId,
    pub terms: DatasetTerms,
    pub licence: Licence,
    pub description: Description,
    /// What is left on hold, in planck.
    pub deposit: Balance,
    pub submitted_at: BlockNumber,
    pub status: Status,
    /// Runs that use it now.
    pub runs: u32,
}

/// What an undecided dataset waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Wait<BlockNumber> {
    /// Another try.
    #[codec(index = 0)]
    Pause { until: BlockNumber },
    /// The seed of the draw of its auditors.
    #[codec(index = 1)]
    Draw { due: RelayBlockNumber },
    /// The decision of a case.
    #[codec(index = 2)]
    Case(CaseId),
}

/// A dataset that validators have not decided on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Undecided<BlockNumber> {
    pub dataset: DatasetId,
    /// Tries that came to nothing.
    pub failed: u32,
    pub wait: Wait<BlockNumber>,
}

/// What a run has made of a dataset so far.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Use {
    /// What the fund paid for, in units of compute.
    pub units: u128,
    /// What it paid, in planck.
    pub paid: Balance,
    /// Points that its contributor earned by it.
    pub points: u64,
}

/// Parameters of the registry.
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
#[serde(rename_all = "camelCase")]
pub struct Params {
    /// On hold while a dataset is registered, in planck.
    pub deposit: Balance,
    /// On hold beside it for every GiB begun, in planck.
    pub deposit_per_gib: Balance,
    /// What each case costs out of the deposit, in planck.
    pub fee: Balance,
    /// What a dataset costs that is not what was stated, in percent of what is left of its deposit.
    pub rejected_percent: u32,
    /// Tries that may come to nothing (nobody can judge, no decision, not to be had) before it is sent back.
    pub max_tries: u32,
    /// Blocks from a try that came to nothing to the next.
    pub pause_blocks: u32,
    /// Units of compute that earn a point.
    pub units_per_point: u64,
    /// Planck of the fund that earn a point: of this and of the units, whatever earns fewer.
    pub planck_per_point: Balance,
    /// Most points of one run.
    pub max_points_per_run: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            deposit: 10 * DOT,
            deposit_per_gib: DOT,
            fee: DOT / 10,
            rejected_percent: 50,
            max_tries: 3,
            pause_blocks: 600,
            units_per_point: 1_000_000,
            planck_per_point: DOT,
            max_points_per_run: 100,
        }
    }
}

impl Params {
    /// Most tries that are accepted.
    pub const MAX_TRIES: u32 = 16;
    /// Longest pause that is accepted: a week of six-second blocks.
    pub const MAX_PAUSE: u32 = 100_800;

    /// Whether everything is in its range, and the deposit pays for every try.
    pub fn is_valid(&self) -> bool {
        let fees = self.fee.checked_mul(self.max_tries.into());
        fees.is_some_and(|fees| fees <= self.deposit)
            && self.rejected_percent <= 100
            && (1..=Self::MAX_TRIES).contains(&self.max_tries)
            && (1..=Self::MAX_PAUSE).contains(&self.pause_blocks)
            && self.units_per_point > 0
            && self.planck_per_point > 0
    }

    /// The deposit of a dataset of so many bytes, in planck.
    pub fn deposit_for(&self, bytes: u64) -> Balance {
        let gibs = Balance::from(bytes.div_ceil(GIB));
        self.deposit
            .saturating_add(self.deposit_per_gib.saturating_mul(gibs))
    }

    /// Points for all that a run has made of a dataset.
    pub fn points(&self, units: u128, paid: Balance) -> u64 {
        let by_units = units.checked_div(self.units_per_point.into()).unwrap_or(0);
        let by_money = paid.checked_div(self.planck_per_point).unwrap_or(0);
        let points = by_units.min(by_money).min(self.max_points_per_run.into());
        u64::try_from(points).unwrap_or(self.max_points_per_run)
    }
}

/// Datasets with their numbers.
pub type DatasetList<AccountId, BlockNumber> = Vec<(DatasetId, Dataset<AccountId, BlockNumber>)>;

/// What the benchmarks need of the runtime around the pallet.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper {
    /// Registers more validators than a panel has seats, and freezes their weights.
    fn validators();
}
