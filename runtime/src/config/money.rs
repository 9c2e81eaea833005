//! Balances and transaction fees.

use super::system::RuntimeBlockWeights;
use crate::{
    constants::money::{BASE_WEIGHT_FEE, BYTE_FEE, EXISTENTIAL_DEPOSIT},
    Balance, Balances, Runtime, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason, System,
};
use frame_support::{
    parameter_types,
    traits::{ConstU32, ConstU8, VariantCountOf},
    weights::{constants::ExtrinsicBaseWeight, ConstantMultiplier, Weight, WeightToFee},
};
use pallet_transaction_payment::{FungibleAdapter, Multiplier, TargetedFeeAdjustment};
use parachains_common::impls::DealWithFees;
use sp_runtime::{FixedPointNumber, Perquintill};

parameter_types! {
    pub const ExistentialDeposit: Balance = EXISTENTIAL_DEPOSIT;
    pub const TransactionByteFee: Balance = BYTE_FEE;
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
///
/// The rate is that of Polkadot's system parachains: the base weight of a transaction costs
/// [`BASE_WEIGHT_FEE`]. A block's whole proof costs as much as its whole time, so that what fills a
/// block costs the same whichever of the two it fills.
pub struct WeightFee;

impl WeightToFee for WeightFee {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        let block = RuntimeBlockWeights::get().max_block;
        let block_fee = share(
            BASE_WEIGHT_FEE,
            block.ref_time(),
            ExtrinsicBaseWeight::get().ref_time(),
        );
        let time = share(block_fee, weight.ref_time(), block.ref_time());
        let proof = share(block_fee, weight.proof_size(), block.proof_size());
        time.max(proof)
    }
}

/// `amount * part / whole`, rounded down; nothing of nothing.
fn share(amount: Balance, part: u64, whole: u64) -> Balance {
    amount
        .saturating_mul(part.into())
        .checked_div(whole.into())
        .unwrap_or_default()
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
