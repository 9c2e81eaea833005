//! A parachain of our making: with id 1000 what Asset Hub is to Chasqui, with another a stranger.
//!
//! DOT is its native balance. It is a reserve for whoever asks, and takes DOT back from an account of its own only.

use cumulus_pallet_parachain_system::consensus_hook::ExpectParentIncluded;
use cumulus_primitives_core::{AggregateMessageOrigin, ParaId};
use frame_support::{
    construct_runtime, derive_impl, parameter_types,
    traits::{
        ConstU32, ConstU64, Disabled, EnqueueWithOrigin, Everything, Nothing, TransformOrigin,
    },
    weights::{IdentityFee, Weight},
};
use frame_system::EnsureRoot;
use parachains_common::{
    message_queue::{NarrowOriginToSibling, ParaIdToSibling},
    AccountId, Balance,
};
use polkadot_parachain_primitives::primitives::Sibling;
use sp_runtime::{traits::IdentityLookup, BuildStorage};
use sp_storage::Storage;
use xcm::latest::prelude::*;
use xcm_builder::{
    AccountId32Aliases, AllowKnownQueryResponses, AllowSubscriptionsFrom,
    AllowTopLevelPaidExecutionFrom, Case, DescribeAllTerminal, DescribeFamily, EnsureXcmOrigin,
    FixedWeightBounds, FrameTransactionalProcessor, FungibleAdapter, HashedDescription, IsConcrete,
    ParentIsPreset, ProcessXcmMessage, SiblingParachainConvertsVia, SignedToAccountId32,
    SovereignSignedViaLocation, TakeWeightCredit, UsingComponents, WithComputedOrigin,
};
use xcm_executor::XcmExecutor;

type Block = frame_system::mocking::MockBlockU32<Runtime>;

construct_runtime!(
    pub enum Runtime {
        System: frame_system,
        ParachainSystem: cumulus_pallet_parachain_system,
        Timestamp: pallet_timestamp,
        ParachainInfo: staging_parachain_info,
        Balances: pallet_balances,
        MessageQueue: pallet_message_queue,
        XcmpQueue: cumulus_pallet_xcmp_queue,
        PolkadotXcm: pallet_xcm,
    }
);

parameter_types! {
    pub const RelayLocation: Location = Location::parent();
    pub DotWithRelay: (AssetFilter, Location) = (
        Wild(AllOf { fun: WildFungible, id: AssetId(RelayLocation::get()) }),
        RelayLocation::get(),
    );
    pub const RelayNetwork: Option<NetworkId> = Some(NetworkId::Polkadot);
    pub UniversalLocation: InteriorLocation = [
        GlobalConsensus(NetworkId::Polkadot),
        Parachain(ParachainInfo::parachain_id().into()),
    ]
    .into();
    pub const RelayOrigin: AggregateMessageOrigin = AggregateMessageOrigin::Parent;
    pub const InstructionWeight: Weight = Weight::from_parts(1_000_000, 1_000);
    pub const ServiceWeight: Option<Weight> = Some(Weight::from_parts(1_000_000_000_000, 5_000_000));
    pub const ReservedWeight: Weight = Weight::from_parts(500_000_000_000, 2_500_000);
    pub const ExistentialDeposit: Balance = 100_000_000;
}

#[derive_impl(frame_system::config_preludes::ParaChainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountId = AccountId;
    type AccountData = pallet_balances::AccountData<Balance>;
    type Block = Block;
    type Lookup = IdentityLookup<AccountId>;
    type Nonce = u32;
    type OnSetCode = cumulus_pallet_parachain_system::ParachainSetCode<Self>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Runtime {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ExistentialDeposit;
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = ();
    type MinimumPeriod = ConstU64<0>;
    type WeightInfo = ();
}

impl staging_parachain_info::Config for Runtime {}

impl cumulus_pallet_parachain_system::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnSystemEvent = ();
    type SelfParaId = ParachainInfo;
    type OutboundXcmpMessageSource = XcmpQueue;
    type DmpQueue = EnqueueWithOrigin<MessageQueue, RelayOrigin>;
    type ReservedDmpWeight = ReservedWeight;
    type XcmpMessageHandler = XcmpQueue;
    type ReservedXcmpWeight = ReservedWeight;
    type CheckAssociatedRelayNumber = cumulus_pallet_parachain_system::AnyRelayNumber;
    type WeightInfo = ();
    type ConsensusHook = ExpectParentIncluded;
    type RelayParentOffset = ConstU32<0>;
    type SchedulingSignatureVerifier = ();
}

impl pallet_message_queue::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MessageProcessor =
        ProcessXcmMessage<AggregateMessageOrigin, XcmExecutor<XcmConfig>, RuntimeCall>;
    type Size = u32;
    type QueueChangeHandler = NarrowOriginToSibling<XcmpQueue>;
    type QueuePausedQuery = NarrowOriginToSibling<XcmpQueue>;
    type HeapSize = ConstU32<{ 103 * 1024 }>;
    type MaxStale = ConstU32<8>;
    type ServiceWeight = ServiceWeight;
    type IdleMaxServiceWeight = ();
}

impl cumulus_pallet_xcmp_queue::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ChannelInfo = ParachainSystem;
    type VersionWrapper = PolkadotXcm;
    type XcmpQueue = TransformOrigin<MessageQueue, AggregateMessageOrigin, ParaId, ParaIdToSibling>;
    type MaxInboundSuspended = ConstU32<100>;
    type MaxActiveOutboundChannels = ConstU32<16>;
    type MaxPageSize = ConstU32<{ 103 * 1024 }>;
    type ControllerOrigin = EnsureRoot<AccountId>;
    type ControllerOriginConverter = SovereignSignedViaLocation<LocationToAccountId, RuntimeOrigin>;
    type PriceForSiblingDelivery =
        polkadot_runtime_common::xcm_sender::NoPriceForMessageDelivery<ParaId>;
    type WeightInfo = ();
}

pub type LocationToAccountId = (
    ParentIsPreset<AccountId>,
    SiblingParachainConvertsVia<Sibling, AccountId>,
    AccountId32Aliases<RelayNetwork, AccountId>,
    HashedDescription<AccountId, DescribeFamily<DescribeAllTerminal>>,
);

type AssetTransactor =
    FungibleAdapter<Balances, IsConcrete<RelayLocation>, LocationToAccountId, AccountId, ()>;

type Weigher = FixedWeightBounds<InstructionWeight, RuntimeCall, ConstU32<200>>;

type XcmRouter = (
    cumulus_primitives_utility::ParentAsUmp<ParachainSystem, PolkadotXcm, ()>,
    XcmpQueue,
);

pub struct XcmConfig;

impl xcm_executor::Config for XcmConfig {
    type RuntimeCall = RuntimeCall;
    type XcmSender = XcmRouter;
    type XcmEventEmitter = PolkadotXcm;
    type AssetTransactor = AssetTransactor;
    type OriginConverter = SovereignSignedViaLocation<LocationToAccountId, RuntimeOrigin>;
    type IsReserve = ();
    type IsTeleporter = Case<DotWithRelay>;
    type Aliasers = Nothing;
    type UniversalLocation = UniversalLocation;
    type Barrier = (
        TakeWeightCredit,
        AllowKnownQueryResponses<PolkadotXcm>,
        WithComputedOrigin<
            (
                AllowTopLevelPaidExecutionFrom<Everything>,
                AllowSubscriptionsFrom<Everything>,
            ),
            UniversalLocation,
            ConstU32<8>,
        >,
    );
    type Weigher = Weigher;
    type Trader = UsingComponents<IdentityFee<Balance>, RelayLocation, AccountId, Balances, ()>;
    type ResponseHandler = PolkadotXcm;
    type AssetTrap = PolkadotXcm;
    type AssetLocker = ();
    type AssetExchanger = ();
    type SubscriptionService = PolkadotXcm;
    type PalletInstancesInfo = AllPalletsWithSystem;
    type MaxAssetsIntoHolding = ConstU32<8>;
    type FeeManager = ();
    type MessageExporter = ();
    type UniversalAliases = Nothing;
    type CallDispatcher = RuntimeCall;
    type SafeCallFilter = Everything;
    type TransactionalProcessor = FrameTransactionalProcessor;
    type HrmpNewChannelOpenRequestHandler = ();
    type HrmpChannelAcceptedHandler = ();
    type HrmpChannelClosingHandler = ();
    type XcmRecorder = PolkadotXcm;
}

type LocalOrigin =
    EnsureXcmOrigin<RuntimeOrigin, SignedToAccountId32<RuntimeOrigin, AccountId, RelayNetwork>>;

impl pallet_xcm::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type CurrencyMatcher = IsConcrete<RelayLocation>;
    type AuthorizedAliasConsideration = Disabled;
    type SendXcmOrigin = LocalOrigin;
    type XcmRouter = XcmRouter;
    type ExecuteXcmOrigin = LocalOrigin;
    type XcmExecuteFilter = Everything;
    type XcmExecutor = XcmExecutor<XcmConfig>;
    type XcmTeleportFilter = Everything;
    type XcmReserveTransferFilter = Everything;
    type Weigher = Weigher;
    type UniversalLocation = UniversalLocation;
    const VERSION_DISCOVERY_QUEUE_SIZE: u32 = 100;
    type AdvertisedXcmVersion = pallet_xcm::CurrentXcmVersion;
    type AdminOrigin = EnsureRoot<AccountId>;
    type TrustedLockers = ();
    type SovereignAccountOf = LocationToAccountId;
    type MaxLockers = ConstU32<0>;
    type MaxRemoteLockConsumers = ConstU32<0>;
    type RemoteLockConsumerIdentifier = ();
    type WeightInfo = pallet_xcm::TestWeightInfo;
}

/// Genesis of parachain `id`, where accounts hold `balances`.
pub fn genesis(id: u32, balances: Vec<(AccountId, Balance)>) -> Storage {
    RuntimeGenesisConfig {
        balances: BalancesConfig {
            balances,
            ..Default::default()
        },
        parachain_info: ParachainInfoConfig {
            parachain_id: id.into(),
            ..Default::default()
        },
        polkadot_xcm: PolkadotXcmConfig {
            safe_xcm_version: Some(5),
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .unwrap()
}
