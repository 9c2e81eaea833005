//! `frame_system` and the limits of a block.

use crate::{
    AccountId, Block, Hash, Nonce, PalletInfo, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin,
    RuntimeTask, VERSION,
};
use frame_support::{
    derive_impl,
    dispatch::DispatchClass,
    parameter_types,
    traits::ConstU32,
    weights::constants::{BlockExecutionWeight, ExtrinsicBaseWeight, ParityDbWeight},
};
use frame_system::limits::{BlockLength, BlockWeights};
use parachains_common::{
    AVERAGE_ON_INITIALIZE_RATIO, MAXIMUM_BLOCK_WEIGHT_FOR_ASYNC_BACKING as MAXIMUM_BLOCK_WEIGHT,
    NORMAL_DISPATCH_RATIO,
};
use sp_runtime::traits::AccountIdLookup;
use sp_version::RuntimeVersion;

/// Most bytes of extrinsics in a block.
const MAX_BLOCK_LENGTH: u32 = 5 * 1024 * 1024;

parameter_types! {
    pub const BlockHashCount: u32 = 4096;
    pub const Version: RuntimeVersion = VERSION;
    pub const SS58Prefix: u16 = crate::SS58_PREFIX;

    pub RuntimeBlockLength: BlockLength = BlockLength::builder()
        .max_length(MAX_BLOCK_LENGTH)
        .modify_max_length_for_class(DispatchClass::Normal, |max| {
            *max = NORMAL_DISPATCH_RATIO * *max;
        })
        .build();

    pub RuntimeBlockWeights: BlockWeights = BlockWeights::builder()
        .base_block(BlockExecutionWeight::get())
        .for_class(DispatchClass::all(), |weights| {
            weights.base_extrinsic = ExtrinsicBaseWeight::get();
        })
        .for_class(DispatchClass::Normal, |weights| {
            weights.max_total = Some(NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_WEIGHT);
        })
        .for_class(DispatchClass::Operational, |weights| {
            weights.max_total = Some(MAXIMUM_BLOCK_WEIGHT);
            // A reserve that normal transactions cannot take.
            weights.reserved =
                Some(MAXIMUM_BLOCK_WEIGHT - NORMAL_DISPATCH_RATIO * MAXIMUM_BLOCK_WEIGHT);
        })
        .avg_block_initialization(AVERAGE_ON_INITIALIZE_RATIO)
        .build_or_panic();
}

#[derive_impl(frame_system::config_preludes::ParaChainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountId = AccountId;
    type BaseCallFilter = super::xcm::OnlyWaysOut;
    type AccountData = pallet_balances::AccountData<crate::Balance>;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type Nonce = Nonce;
    type Hash = Hash;
    type Block = Block;
    type BlockHashCount = BlockHashCount;
    type BlockLength = RuntimeBlockLength;
    type BlockWeights = RuntimeBlockWeights;
    type DbWeight = ParityDbWeight;
    type Version = Version;
    type SS58Prefix = SS58Prefix;
    type OnSetCode = cumulus_pallet_parachain_system::ParachainSetCode<Self>;
    type MaxConsumers = ConstU32<64>;
    type ExtensionsWeightInfo = frame_system::SubstrateExtensionsWeight<Runtime>;
    type SystemWeightInfo = frame_system::weights::SubstrateWeight<Runtime>;
    type SingleBlockMigrations = crate::Migrations;
}

impl cumulus_pallet_weight_reclaim::Config for Runtime {
    // Reads no storage: its weights do not depend on a database, and it exports no others.
    type WeightInfo = ();
}
