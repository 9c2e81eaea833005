//! What is stored.

use chasqui_primitives::{credit, governance::Electorate, traits::Voice, Balance, EpochIndex};
use frame_support::pallet_prelude::*;
use parity_scale_codec::DecodeWithMemTracking;
use serde::{Deserialize, Serialize};

/// Highest price of a unit that bounds may allow, in planck: a hundred thousand DOT.
pub const MAX_PRICE: Balance = 1_000_000_000_000_000;

/// The governed parameters.
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
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params {
    /// Lowest price of a unit of compute, in planck.
    pub lowest_price: Balance,
    /// Highest one.
    pub highest_price: Balance,
    /// Units of compute that a point for audits or data counts as, in votes.
    pub units_per_point: u64,
    /// What the subsidy programme pays in all, in planck.
    pub programme: Balance,
    /// Most that one epoch is paid, in planck.
    pub epoch_budget: Balance,
    /// The block that the programme's first year began with.
    pub first_block: u32,
    /// Blocks of a year.
    pub year_blocks: u32,
    /// Epochs that a census is kept.
    pub retention: EpochIndex,
}

impl Default for Params {
    /// What a production chain starts with. Its programme is empty until the pot is funded and governance says for what.
    fn default() -> Self {
        Self {
            lowest_price: 1,
            highest_price: MAX_PRICE,
            units_per_point: 1_000,
            programme: 0,
            epoch_budget: Balance::MAX,
            first_block: 0,
            year_blocks: 365 * 14_400,
            retention: 112,
        }
    }
}

impl Params {
    /// Whether the parameters are within what code relies on.
    pub fn is_valid(&self) -> bool {
        (1..=self.highest_price).contains(&self.lowest_price)
            && self.highest_price <= MAX_PRICE
            && self.year_blocks > 0
            // A poll must not outlive the census that it is measured by.
            && (credit::WINDOW_EPOCHS..=1_000).contains(&self.retention)
    }
}

/// An operator in a census.
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
pub struct Entry {
    /// Its weight.
    pub weight: u64,
    /// The weight with which it was drawn to compute.
    pub drawn: u64,
    /// Its bond, in planck.
    pub bond: Balance,
    /// Units of compute of the last [`credit::WINDOW_EPOCHS`] closed epochs, with points as units.
    pub window_units: u128,
    /// Units of compute of the epoch.
    pub units: u128,
    /// What it earned by them out of clients' fees, in planck.
    pub fees: Balance,
}

impl Entry {
    /// The part of the epoch's fees that the subsidy goes by.
    pub fn credited_fees(&self, medians: &credit::Medians) -> Balance {
        let credited = medians.credited_units(self.units, self.weight, self.drawn);
        credit::credited_fees(self.fees, self.units, credited)
    }

    /// What it weighs in votes.
    pub fn voice(&self, rho: u128) -> Voice {
        Voice {
            weight: credit::vote_weight(self.weight, self.window_units, rho),
            bond: self.bond,
        }
    }
}

/// The sums of a census.
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
pub struct Census {
    /// All weight.
    pub weight: u64,
    /// All bond, in planck.
    pub bond: Balance,
    /// Operators that have weight.
    pub operators: u32,
    /// The weighted median of work per weight over the window, times [`credit::RATIO_ONE`].
    pub rho: u128,
    /// The weighted median of the epoch's own units by the weight of draws, times [`credit::RATIO_ONE`].
    pub rho_of_epoch: u128,
    /// PoI fees of the epoch that are credited, in planck.
    pub credited_fees: Balance,
    /// What the subsidy pot paid for the epoch, in planck.
    pub subsidy: Balance,
    /// The price of a unit of compute from then on, in planck.
    pub price: Balance,
}

impl Census {
    /// What the epoch's work is measured by.
    pub fn medians(&self) -> credit::Medians {
        credit::Medians {
            window: self.rho,
            epoch: self.rho_of_epoch,
        }
    }

    pub(crate) fn electorate(&self, epoch: EpochIndex) -> Electorate {
        Electorate {
            epoch,
            weight: self.weight,
            bond: self.bond,
        }
    }
}

/// What is done with a census now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum Stage {
    /// Operators are visited.
    #[codec(index = 0)]
    Gather,
    /// Credited fees are added up.
    #[codec(index = 1)]
    Credit,
    /// The subsidy is paid out.
    #[codec(index = 2)]
    Pay {
        /// What there is for all, in planck.
        subsidy: Balance,
    },
}

/// A census under way.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Progress<AccountId> {
    pub epoch: EpochIndex,
    pub stage: Stage,
    /// The last operator that was visited in this stage.
    pub last: Option<AccountId>,
    pub census: Census,
}
