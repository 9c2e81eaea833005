//! Who makes blocks, when, and on which relay parent.

use super::messages::RelayOrigin;
use crate::{
    constants::{
        consensus::RELAY_PARENT_OFFSET,
        time::{HOURS, SLOT_MILLIS},
    },
    pacing::PacedConsensusHook,
    AccountId, Aura, AuraId, Balance, Balances, CollatorSelection, MessageQueue, Randomness,
    Runtime, RuntimeEvent, Session, SessionKeys, XcmpQueue,
};
use frame_support::{
    parameter_types,
    traits::{ConstBool, ConstU32, ConstU64, EnqueueWithOrigin},
    weights::Weight,
    PalletId,
};
use frame_system::EnsureRoot;
use parachains_common::BlockNumber;

/// Blocks in a session.
pub const SESSION_LENGTH: BlockNumber = 6 * HOURS;
/// The pallet id whose account collects transaction fees for the collators.
pub const STAKING_POT: PalletId = PalletId(*b"PotStake");

parameter_types! {
    pub const ReservedXcmpWeight: Weight =
        parachains_common::MAXIMUM_BLOCK_WEIGHT_FOR_ASYNC_BACKING.saturating_div(4);
    pub const ReservedDmpWeight: Weight =
        parachains_common::MAXIMUM_BLOCK_WEIGHT_FOR_ASYNC_BACKING.saturating_div(4);
    pub const SessionLength: BlockNumber = SESSION_LENGTH;
    pub const SessionOffset: BlockNumber = 0;
    pub const PotId: PalletId = STAKING_POT;
    /// Session keys are an account's business with the chain, not state to be bought.
    pub const KeyDeposit: Balance = 0;
}

impl cumulus_pallet_parachain_system::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnSystemEvent = Randomness;
    type SelfParaId = staging_parachain_info::Pallet<Runtime>;
    type OutboundXcmpMessageSource = XcmpQueue;
    type DmpQueue = EnqueueWithOrigin<MessageQueue, RelayOrigin>;
    type ReservedDmpWeight = ReservedDmpWeight;
    type XcmpMessageHandler = XcmpQueue;
    type ReservedXcmpWeight = ReservedXcmpWeight;
    type CheckAssociatedRelayNumber =
        cumulus_pallet_parachain_system::RelayNumberMonotonicallyIncreases;
    type WeightInfo = cumulus_pallet_parachain_system::weights::SubstrateWeight<Runtime>;
    type ConsensusHook = PacedConsensusHook;
    type RelayParentOffset = ConstU32<RELAY_PARENT_OFFSET>;
    type SchedulingSignatureVerifier = ();
}

impl staging_parachain_info::Config for Runtime {}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = Aura;
    // Several blocks may share a slot, so a least distance would only get in the way.
    type MinimumPeriod = ConstU64<0>;
    type WeightInfo = pallet_timestamp::weights::SubstrateWeight<Runtime>;
}

impl pallet_aura::Config for Runtime {
    type AuthorityId = AuraId;
    type DisabledValidators = ();
    type MaxAuthorities = ConstU32<100_000>;
    type AllowMultipleBlocksPerSlot = ConstBool<true>;
    type SlotDuration = ConstU64<SLOT_MILLIS>;
}

impl cumulus_pallet_aura_ext::Config for Runtime {}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Aura>;
    type EventHandler = (CollatorSelection,);
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = pallet_collator_selection::IdentityCollator;
    type ShouldEndSession = pallet_session::PeriodicSessions<SessionLength, SessionOffset>;
    type NextSessionRotation = pallet_session::PeriodicSessions<SessionLength, SessionOffset>;
    type SessionManager = CollatorSelection;
    type SessionHandler = <SessionKeys as sp_runtime::traits::OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = ();
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type KeyDeposit = KeyDeposit;
}

impl pallet_collator_selection::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type Currency = Balances;
    type UpdateOrigin = EnsureRoot<AccountId>;
    type PotId = PotId;
    type MaxCandidates = ConstU32<100>;
    type MinEligibleCollators = ConstU32<1>;
    type MaxInvulnerables = ConstU32<20>;
    type KickThreshold = SessionLength;
    type ValidatorId = AccountId;
    type ValidatorIdOf = pallet_collator_selection::IdentityCollator;
    type ValidatorRegistration = Session;
    type WeightInfo = pallet_collator_selection::weights::SubstrateWeight<Runtime>;
}

parameter_types! {
    /// About 25 minutes of relay parents.
    pub const RandomnessHistory: u32 = 256;
}

impl crate::randomness::Config for Runtime {
    type History = RandomnessHistory;
}

impl crate::pacing::Config for Runtime {}
