//! Balances and transaction fees.

use crate::{
    constants::money::{EXISTENTIAL_DEPOSIT, MILLICENT},
    Balance, Balances, Runtime, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason, System,
};
use frame_support::{
    parameter_types,
    traits::{ConstU32, ConstU8, VariantCountOf},
    weights::{ConstantMultiplier, Weight, WeightToFee},
};
use pallet_transaction_payment::{FungibleAdapter, Multiplier, TargetedFeeAdjustment};
use parachains_common::impls::DealWithFees;
use sp_runtime::{FixedPointNumber, Perquintill};

parameter_types! {
    pub const ExistentialDeposit: Balance = EXISTENTIAL_DEPOSIT;
    /// A kilobyte of transaction costs 0.001 DOT.
    pub const TransactionByteFee: Balance = MILLICENT / 10;
    /// Fees rise while blocks are fuller than this.
    pub const TargetBlockFullness: Perquintill = Perquintill::from_percent(25);
    pub AdjustmentVariable: Multiplier = Multiplier::saturating_from_rational(3, 100_000);
    pub MinimumMultiplier: Multiplier = Multiplier::saturating_from_rational(1, 10);
    pub MaximumMultiplier: Multiplier = Multiplier::saturating_from_integer(1_000);
}

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
    type Balance = Balance;
    type DustRemoval = ();
    type ExistentialDeposit = ExistentialDeposit;
    type AccountStore = System;
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type DoneSlashHandler = ();
}

/// Planck for a weight: the dearer of its computation and its share of the proof.
pub struct WeightFee;

impl WeightFee {
    /// Picoseconds of computation for a planck: a transaction of 100 microseconds costs 0.001 DOT.
    const REF_TIME_PER_PLANCK: u64 = 10;
    /// Planck for a byte of proof: a block's ten megabytes cost as much as its two seconds.
    const PLANCK_PER_PROOF_BYTE: u64 = 19_000;
}

impl WeightToFee for WeightFee {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        let time = weight
            .ref_time()
            .checked_div(Self::REF_TIME_PER_PLANCK)
            .unwrap_or_default();
        let proof = weight
            .proof_size()
            .saturating_mul(Self::PLANCK_PER_PROOF_BYTE);
        Balance::from(time.max(proof))
    }
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, DealWithFees<Runtime>>;
    type WeightToFee = WeightFee;
    type LengthToFee = ConstantMultiplier<Balance, TransactionByteFee>;
    type FeeMultiplierUpdate = TargetedFeeAdjustment<
        Runtime,
        TargetBlockFullness,
        AdjustmentVariable,
        MinimumMultiplier,
        MaximumMultiplier,
    >;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}
