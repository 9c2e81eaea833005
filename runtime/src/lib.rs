//! The Chasqui parachain runtime.
//!
//! One file an area in [`config`] ties the pallets together; [`apis`] is what nodes and clients
//! call; [`genesis`] holds the presets `development` and `local`. Blocks are paced by [`pacing`],
//! draws are seeded by [`randomness`].

#![cfg_attr(not(feature = "std"), no_std)]
// `frame_support::runtime` expands to a great many types.
#![recursion_limit = "512"]

extern crate alloc;

#[cfg(feature = "std")]
include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
pub mod config;
pub mod constants;
pub mod genesis;
pub mod governance;
pub mod job_api;
mod migrations;
pub mod pacing;
pub mod randomness;

#[cfg(test)]
mod tests;

use alloc::{borrow::Cow, vec::Vec};
pub use parachains_common::{AccountId, AuraId, Balance, BlockNumber, Hash, Nonce, Signature};
use sp_runtime::{generic, impl_opaque_keys, traits::BlakeTwo256, MultiAddress, OpaqueExtrinsic};
use sp_version::RuntimeVersion;

#[cfg(feature = "std")]
pub use apis::api;
pub use apis::RuntimeApi;

/// Prefix of addresses: the generic Substrate one.
pub const SS58_PREFIX: u16 = 42;

/// How accounts are named in transactions.
pub type Address = MultiAddress<AccountId, ()>;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// A block whose transactions are left encoded, as nodes handle it.
pub type OpaqueBlock = generic::Block<Header, OpaqueExtrinsic>;
/// A block with its justification.
pub type SignedBlock = generic::SignedBlock<Block>;
/// What a transaction carries beside its call, outermost first.
pub type TxExtension = cumulus_pallet_weight_reclaim::StorageWeightReclaim<
    Runtime,
    (
        frame_system::AuthorizeCall<Runtime>,
        frame_system::CheckNonZeroSender<Runtime>,
        frame_system::CheckSpecVersion<Runtime>,
        frame_system::CheckTxVersion<Runtime>,
        frame_system::CheckGenesis<Runtime>,
        frame_system::CheckMortality<Runtime>,
        frame_system::CheckNonce<Runtime>,
        frame_system::CheckWeight<Runtime>,
        pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    ),
>;
/// A transaction as it travels.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What a transaction's signature covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Changes of storage that come with an upgrade.
pub type Migrations = migrations::Pending;
/// Runs blocks.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

impl_opaque_keys! {
    /// A collator's keys.
    pub struct SessionKeys {
        pub aura: Aura,
    }
}

/// The version of this runtime.
#[cfg(not(feature = "rehearsal"))]
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("chasqui"),
    impl_name: Cow::Borrowed("chasqui"),
    authoring_version: 1,
    spec_version: 1_000,
    impl_version: 0,
    apis: apis::VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

/// The version of the next runtime in a rehearsal of an upgrade.
#[cfg(feature = "rehearsal")]
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("chasqui"),
    impl_name: Cow::Borrowed("chasqui"),
    authoring_version: 1,
    spec_version: 1_001,
    impl_version: 0,
    apis: apis::VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type ParachainSystem = cumulus_pallet_parachain_system;
    #[runtime::pallet_index(2)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(3)]
    pub type ParachainInfo = staging_parachain_info;
    #[runtime::pallet_index(4)]
    pub type WeightReclaim = cumulus_pallet_weight_reclaim;
    #[runtime::pallet_index(5)]
    pub type Pacing = crate::pacing;

    #[runtime::pallet_index(10)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(11)]
    pub type TransactionPayment = pallet_transaction_payment;

    #[runtime::pallet_index(20)]
    pub type Authorship = pallet_authorship;
    #[runtime::pallet_index(21)]
    pub type CollatorSelection = pallet_collator_selection;
    #[runtime::pallet_index(22)]
    pub type Session = pallet_session;
    #[runtime::pallet_index(23)]
    pub type Aura = pallet_aura;
    #[runtime::pallet_index(24)]
    pub type AuraExt = cumulus_pallet_aura_ext;

    #[runtime::pallet_index(30)]
    pub type MessageQueue = pallet_message_queue;
    #[runtime::pallet_index(31)]
    pub type XcmpQueue = cumulus_pallet_xcmp_queue;
    #[runtime::pallet_index(32)]
    pub type PolkadotXcm = pallet_xcm;

    #[runtime::pallet_index(40)]
    pub type Utility = pallet_utility;
    #[runtime::pallet_index(41)]
    pub type Multisig = pallet_multisig;
    #[runtime::pallet_index(42)]
    pub type Proxy = pallet_proxy;
    #[runtime::pallet_index(43)]
    pub type Sudo = pallet_sudo;

    #[runtime::pallet_index(49)]
    pub type Randomness = crate::randomness;

    #[runtime::pallet_index(50)]
    pub type Operators = pallet_operators;
    #[runtime::pallet_index(51)]
    pub type Checkpoints = pallet_checkpoints;
    #[runtime::pallet_index(52)]
    pub type Jobs = pallet_jobs;
    #[runtime::pallet_index(53)]
    pub type Audits = pallet_audits;
    #[runtime::pallet_index(54)]
    pub type Rewards = pallet_rewards;
    #[runtime::pallet_index(55)]
    pub type Sessions = pallet_sessions;
    #[runtime::pallet_index(56)]
    pub type Training = pallet_training;
    #[runtime::pallet_index(57)]
    pub type TrainingFund = pallet_training_fund;
    #[runtime::pallet_index(58)]
    pub type Datasets = pallet_datasets;

    #[runtime::pallet_index(60)]
    pub type Voting = pallet_voting;
    #[runtime::pallet_index(61)]
    pub type Economy = pallet_economy;
    #[runtime::pallet_index(62)]
    pub type Referenda = pallet_referenda;
    #[runtime::pallet_index(63)]
    pub type Scheduler = pallet_scheduler;
    #[runtime::pallet_index(64)]
    pub type Preimage = pallet_preimage;
    #[runtime::pallet_index(65)]
    pub type Whitelist = pallet_whitelist;
    #[runtime::pallet_index(66)]
    pub type Origins = crate::governance::origins::pallet_origins;
}

cumulus_pallet_parachain_system::register_validate_block! {
    Runtime = Runtime,
    BlockExecutor = cumulus_pallet_aura_ext::BlockExecutor::<Runtime, Executive>,
}
