//! What the registry stores.

use crate::Config;
use chasqui_primitives::{
    traits::Offence, window::Window, Balance, CheckpointRoot, EpochIndex, Roles, DOT,
};
use frame_support::{pallet_prelude::*, BoundedVec};
use frame_system::pallet_prelude::BlockNumberFor;
use parity_scale_codec::DecodeWithMemTracking;
use serde::{Deserialize, Serialize};
use sp_runtime::Perbill;

/// An operator's record.
pub type OperatorOf<T> = Operator<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;
/// A cumulative index: who, and the sum of weights up to and including theirs.
pub type IndexOf<T> =
    BoundedVec<(<T as frame_system::Config>::AccountId, u64), <T as Config>::MaxOperators>;
/// A build of indices under way.
pub type IndexBuildOf<T> =
    IndexBuild<<T as frame_system::Config>::AccountId, <T as Config>::MaxOperators>;

/// Longest URL of an endpoint, in bytes.
pub const MAX_URL_BYTES: u32 = 128;
/// Most checkpoints that one operator serves.
pub const MAX_CHECKPOINTS: u32 = 16;
/// Most epochs for which a frozen index may be kept.
pub const MAX_INDEX_RETENTION: u32 = 1_000;
/// Longest time in jail, in epochs.
pub const MAX_JAIL_EPOCHS: u32 = 10_000;

/// Where clients and auditors reach an operator's worker.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Endpoint {
    /// Printable ASCII without spaces.
    pub url: BoundedVec<u8, ConstU32<MAX_URL_BYTES>>,
    /// Ed25519 key that the endpoint's self-signed certificate is pinned to.
    pub tls_key: [u8; 32],
}

impl Endpoint {
    /// Whether the URL is one: printable ASCII, not empty.
    pub fn is_valid(&self) -> bool {
        !self.url.is_empty() && self.url.iter().all(u8::is_ascii_graphic)
    }
}

/// Whether an operator is drawn.
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
pub enum Status<BlockNumber> {
    /// Drawn, as long as its bond is at least the minimum.
    #[codec(index = 0)]
    Active,
    /// Not drawn; may return by `unjail` once epoch `until` has begun.
    #[codec(index = 1)]
    Jailed {
        /// First epoch in which `unjail` succeeds.
        until: EpochIndex,
    },
    /// Leaving: not drawn, but the bond can still be slashed.
    #[codec(index = 2)]
    Unbonding {
        /// First block in which `withdraw` may succeed.
        until: BlockNumber,
    },
}

/// One operator. Its bond is the account's balance on hold for `HoldReason::Bond`.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Operator<AccountId, BlockNumber> {
    /// Whom it pays, and whose other operators never judge it. Fixed at registration.
    pub owner: AccountId,
    /// Signs commitments, verdicts and receipts.
    pub hot_key: AccountId,
    /// What it does.
    pub roles: Roles,
    /// Declared units of work; weight is this, or what the bond covers where that is less.
    pub capacity: u32,
    /// Where its worker listens.
    pub endpoint: Endpoint,
    /// What it serves.
    pub checkpoints: BoundedVec<CheckpointRoot, ConstU32<MAX_CHECKPOINTS>>,
    /// Reputation, in steps of [`Params::reputation_cap`].
    pub reputation: u32,
    /// Units found valid by audits since the last step.
    pub valid_units: u64,
    /// Epoch of the last step up, if any.
    pub last_step: Option<EpochIndex>,
    /// The last duties; a bad outcome is a missed one.
    pub duties: Window,
    /// The last audits of its work; a bad outcome is a soft verdict.
    pub audits: Window,
    /// Whether it is drawn.
    pub status: Status<BlockNumber>,
    /// Open matters that can still slash.
    pub liabilities: u32,
}

/// What an [`Offence`] costs.
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
pub struct Penalty {
    /// Share of the bond that is taken.
    pub slash: Perbill,
    /// Epochs in jail; 0: none.
    pub jail_epochs: u32,
}

/// The registry's governed parameters.
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
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Params {
    /// Length of an epoch, in blocks.
    pub epoch_blocks: u32,
    /// Least bond of an operator that is drawn, in planck.
    pub minimum_bond: Balance,
    /// Bond that one unit of capacity needs, in planck.
    pub bond_per_unit: Balance,
    /// Largest capacity that may be declared.
    pub max_capacity: u32,
    /// Blocks between `unbond` and the first `withdraw`.
    pub unbonding_blocks: u32,
    /// What a false result costs.
    pub false_result: Penalty,
    /// What soft verdicts cost that chance does not explain.
    pub repeated_soft: Penalty,
    /// What missed duties cost that chance does not explain.
    pub missed_duties: Penalty,
    /// Rate at which an honest operator misses duties.
    pub duty_rate: Perbill,
    /// Significance of the duty test, in parts per billion.
    pub duty_alpha_ppb: u32,
    /// Rate at which an honest operator's work is found soft.
    pub soft_rate: Perbill,
    /// Significance of the test on soft verdicts, in parts per billion.
    pub soft_alpha_ppb: u32,
    /// Steps from no reputation to a full one.
    pub reputation_cap: u32,
    /// Units found valid by audits that a step needs.
    pub units_per_step: u64,
    /// Least number of different owners in a checkpoint's electorate for it to take payment.
    pub minimum_owners: u32,
    /// Least share of all validating weight in that electorate.
    pub minimum_electorate: Perbill,
    /// Epochs that a frozen index is kept: at least as long as the longest case.
    pub index_retention: u32,
}

impl Default for Params {
    /// What a production chain starts with: epochs of a day at six seconds a block.
    fn default() -> Self {
        Self {
            epoch_blocks: 14_400,
            minimum_bond: 100 * DOT,
            bond_per_unit: DOT,
            max_capacity: 1_000_000,
            unbonding_blocks: 28 * 14_400,
            false_result: Penalty {
                slash: Perbill::from_percent(50),
                jail_epochs: 28,
            },
            repeated_soft: Penalty {
                slash: Perbill::from_percent(10),
                jail_epochs: 7,
            },
            missed_duties: Penalty {
                slash: Perbill::from_percent(1),
                jail_epochs: 1,
            },
            duty_rate: Perbill::from_percent(5),
            duty_alpha_ppb: 1_000,
            soft_rate: Perbill::from_parts(1_000_000),
            soft_alpha_ppb: 1_000,
            reputation_cap: 30,
            units_per_step: 1_000,
            minimum_owners: 5,
            minimum_electorate: Perbill::from_parts(333_333_333),
            index_retention: 14,
        }
    }
}

impl Params {
    /// For a chain of one machine: epochs of ten blocks, one owner is an electorate.
    pub fn development() -> Self {
        Self {
            epoch_blocks: 10,
            unbonding_blocks: 120,
            false_result: Penalty {
                slash: Perbill::from_percent(30),
                jail_epochs: 1,
            },
            repeated_soft: Penalty {
                slash: Perbill::from_percent(10),
                jail_epochs: 1,
            },
            reputation_cap: 10,
            units_per_step: 1,
            minimum_owners: 1,
            index_retention: 12,
            ..Self::default()
        }
    }

    /// Whether the parameters fit together. `existential_deposit` in planck.
    pub fn is_valid(&self, existential_deposit: Balance) -> bool {
        let penalties = [self.false_result, self.repeated_soft, self.missed_duties];
        let alphas = [
            (self.duty_rate, self.duty_alpha_ppb),
            (self.soft_rate, self.soft_alpha_ppb),
        ];
        self.epoch_blocks >= 2
            && self.minimum_bond >= existential_deposit.max(1)
            && self.bond_per_unit > 0
            // A minimum bond always carries some weight.
            && self.minimum_bond >= self.bond_per_unit
            && self.max_capacity > 0
            && penalties.iter().all(|p| p.jail_epochs <= MAX_JAIL_EPOCHS)
            // One slip, which has the probability of the rate, is never significant.
            && alphas.iter().all(|(rate, alpha)| *alpha > 0 && rate.deconstruct() >= *alpha)
            && self.reputation_cap > 0
            && self.units_per_step > 0
            && self.minimum_owners > 0
            && self.minimum_electorate <= Perbill::one()
            && (1..=MAX_INDEX_RETENTION).contains(&self.index_retention)
            // Whoever had a weight in a frozen index that still decides is still bonded.
            && u64::from(self.unbonding_blocks)
                >= u64::from(self.index_retention).saturating_mul(u64::from(self.epoch_blocks))
    }

    /// What `offence` costs.
    pub fn penalty(&self, offence: Offence) -> Penalty {
        match offence {
            Offence::FalseResult => self.false_result,
            Offence::RepeatedSoft => self.repeated_soft,
            Offence::MissedDuties => self.missed_duties,
        }
    }

    /// Weight of a declared capacity behind a bond: the least of the capacity and what the bond covers.
    pub fn weight(&self, capacity: u32, bond: Balance) -> u64 {
        let covered = bond.checked_div(self.bond_per_unit).unwrap_or(0);
        u64::from(capacity.min(self.max_capacity)).min(u64::try_from(covered).unwrap_or(u64::MAX))
    }

    /// `steps` of reputation as a share of a full one.
    pub fn reputation(&self, steps: u32) -> Perbill {
        if self.reputation_cap == 0 {
            return Perbill::zero();
        }
        Perbill::from_rational(steps.min(self.reputation_cap), self.reputation_cap)
    }
}

/// The running epoch.
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
pub struct Epoch<BlockNumber> {
    /// Its number.
    pub index: EpochIndex,
    /// Its first block.
    pub start: BlockNumber,
}

/// The newest frozen index of a role and checkpoint, in figures.
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
pub struct Frozen {
    /// The epoch whose weights it holds.
    pub epoch: EpochIndex,
    /// Their sum.
    pub weight: u64,
    /// How many operators have one.
    pub operators: u32,
    /// How many different owners those have; counted for validators only, else 0.
    pub owners: u32,
}

/// A build of the frozen indices under way: which checkpoint it is at, and what it has gathered of it.
#[derive(
    CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(Max))]
#[codec(mel_bound(AccountId: MaxEncodedLen))]
pub struct IndexBuild<AccountId: Clone + PartialEq + Eq + core::fmt::Debug, Max: Get<u32>> {
    /// The epoch that the indices will be of.
    pub epoch: EpochIndex,
    /// The checkpoint it is at; zero: all validators, whatever they serve.
    pub checkpoint: CheckpointRoot,
    /// The last operator visited there.
    pub last: Option<AccountId>,
    /// Weights in executor draws, in thousandths.
    pub compute: BoundedVec<(AccountId, u64), Max>,
    /// Weights in panels and electorates.
    pub validate: BoundedVec<(AccountId, u64), Max>,
    /// Owners of those in `validate`.
    pub owners: BoundedVec<AccountId, Max>,
}

/// An operator as view functions tell it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct OperatorInfo<AccountId, BlockNumber> {
    /// The bonded account.
    pub account: AccountId,
    /// What is stored of it.
    pub record: Operator<AccountId, BlockNumber>,
    /// Its bond, in planck.
    pub bond: Balance,
    /// The weight it would be frozen with now.
    pub weight: u64,
    /// Its reputation as a share of a full one.
    pub reputation: Perbill,
    /// Whether it can be drawn now.
    pub active: bool,
}

/// The running epoch as view functions tell it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, TypeInfo)]
pub struct EpochInfo<BlockNumber> {
    /// Its number.
    pub index: EpochIndex,
    /// Its first block.
    pub start: BlockNumber,
    /// First block of the next one, as parameters stand.
    pub next: BlockNumber,
    /// The last epoch whose weights are frozen for every checkpoint.
    pub frozen: Option<EpochIndex>,
}
