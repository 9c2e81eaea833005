//! XCM: what the chain believes of others' messages, runs of them, and charges for them.
//!
//! The native balance is DOT, and DOT that is here lies in Asset Hub, on the chain's account there. So there is one way
//! in (a reserve transfer from Asset Hub) and one way out (back to it), and nothing is teleported. Whatever a message
//! does, DOT comes into being here only by Asset Hub's word that it has put as much aside, and what leaves is burnt
//! before Asset Hub is asked to hand it out: issuance here is never above the reserve there.
//!
//! Nobody is trusted beyond that. Every message from elsewhere pays for itself, and no location stands for root, the
//! relay chain's included: this chain's own governance is the only one.

use super::{money::WeightFee, xcm_weights::XcmWeights};
use crate::{
    config::STAKING_POT,
    constants::{
        money::{BASE_DELIVERY_FEE, BYTE_FEE},
        xcm::{ASSET_HUB, INSTRUCTION_PROOF_BYTES, INSTRUCTION_TIME, MAX_INSTRUCTIONS, NETWORK},
    },
    AccountId, AllPalletsWithSystem, Balance, Balances, ParachainInfo, ParachainSystem,
    PolkadotXcm, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, XcmpQueue,
};
use frame_support::{
    parameter_types,
    traits::{
        tokens::imbalance::ResolveTo, ConstU32, Contains, Disabled, Equals, Everything, Nothing,
        ProcessMessageError,
    },
    weights::Weight,
};
use frame_system::{EnsureRoot, EnsureRootWithSuccess};
use pallet_collator_selection::StakingPotAccountId;
use parachains_common::xcm_config::ParentRelayOrSiblingParachains;
use polkadot_parachain_primitives::primitives::Sibling;
use polkadot_runtime_common::xcm_sender::ExponentialPrice;
use sp_runtime::traits::AccountIdConversion;
use xcm::{latest::prelude::*, VersionedLocation};
use xcm_builder::{
    AccountId32Aliases, AllowHrmpNotificationsFromRelayChain, AllowKnownQueryResponses,
    AllowSubscriptionsFrom, AllowTopLevelPaidExecutionFrom, Case, DenyRecursively, DenyThenTry,
    DescribeAllTerminal, DescribeFamily, EnsureXcmOrigin, FixedWeightBounds,
    FrameTransactionalProcessor, FungibleAdapter, HashedDescription, IsConcrete, ParentIsPreset,
    SendXcmFeeToAccount, SiblingParachainConvertsVia, SignedAccountId32AsNative,
    SignedToAccountId32, SovereignSignedViaLocation, TakeWeightCredit, TrailingSetTopicAsId,
    UsingComponents, WithComputedOrigin, WithUniqueTopic, XcmFeeManagerFromComponents,
};
use xcm_executor::{
    traits::{DenyExecution, Properties, TransferType},
    XcmExecutor,
};

parameter_types! {
    /// DOT's name, and where the relay chain is.
    pub const RelayLocation: Location = Location::parent();
    /// DOT.
    pub DotId: AssetId = AssetId(RelayLocation::get());
    /// This chain itself.
    pub const RootLocation: Location = Location::here();
    pub const RelayNetwork: Option<NetworkId> = Some(NETWORK);
    /// The chain's place in the world.
    pub UniversalLocation: InteriorLocation =
        [GlobalConsensus(NETWORK), Parachain(ParachainInfo::parachain_id().into())].into();
    /// The only reserve of DOT that is here.
    pub AssetHub: Location = Location::new(1, [Parachain(ASSET_HUB)]);
    /// Whose word counts for which reserve.
    pub DotFromAssetHub: (AssetFilter, Location) = (
        Wild(AllOf { fun: WildFungible, id: DotId::get() }),
        AssetHub::get(),
    );
    /// Where fees go: to the collators, as those of transactions do.
    pub FeesLocation: Location = AccountId32 {
        network: None,
        id: AccountIdConversion::<AccountId>::into_account_truncating(&STAKING_POT).into(),
    }
    .into();
    /// What an instruction costs at most, a call's own weight aside.
    pub const InstructionWeight: Weight =
        Weight::from_parts(INSTRUCTION_TIME, INSTRUCTION_PROOF_BYTES);
    pub const MaxInstructions: u32 = MAX_INSTRUCTIONS;
    pub const BaseDeliveryFee: Balance = BASE_DELIVERY_FEE;
    pub const DeliveryByteFee: Balance = BYTE_FEE;
}

/// The account that a location has here.
///
/// The relay chain, a parachain and a local account have one each; an account or pallet of another chain has the hash
/// of its description, for which nobody holds a key: it acts by messages alone.
pub type LocationToAccountId = (
    ParentIsPreset<AccountId>,
    SiblingParachainConvertsVia<Sibling, AccountId>,
    AccountId32Aliases<RelayNetwork, AccountId>,
    HashedDescription<AccountId, DescribeFamily<DescribeAllTerminal>>,
);

/// Moves DOT, and no other asset. There is no checking account, since nothing is teleported.
pub type AssetTransactor =
    FungibleAdapter<Balances, IsConcrete<RelayLocation>, LocationToAccountId, AccountId, ()>;

/// As whom a message's `Transact` acts: as its own account, never as root.
pub type OriginConverter = (
    SovereignSignedViaLocation<LocationToAccountId, RuntimeOrigin>,
    SignedAccountId32AsNative<RelayNetwork, RuntimeOrigin>,
);

/// Refuses what would send DOT where nothing stands behind it: by any other reserve than Asset Hub, the relay chain
/// included, as if this chain were a reserve itself, or by teleport. The DOT would be burnt or stuck.
pub struct DenyOtherWaysOut;

impl DenyExecution for DenyOtherWaysOut {
    fn deny_execution<Call>(
        _origin: &Location,
        message: &mut [Instruction<Call>],
        _max_weight: Weight,
        _properties: &mut Properties,
    ) -> Result<(), ProcessMessageError> {
        let hub = AssetHub::get();
        let denied = message.iter().any(|instruction| match instruction {
            InitiateReserveWithdraw { reserve, .. } => *reserve != hub,
            InitiateTransfer { destination, .. } => *destination != hub,
            DepositReserveAsset { .. } | TransferReserveAsset { .. } | InitiateTeleport { .. } => {
                true
            }
            _ => false,
        });
        if denied {
            return Err(ProcessMessageError::Unsupported);
        }
        Ok(())
    }
}

/// Which messages are run at all: such as pay for themselves before they do anything, and the few free ones by which
/// chains tell each other their XCM version and relay chains the state of channels.
pub type Barrier = TrailingSetTopicAsId<
    DenyThenTry<
        DenyRecursively<DenyOtherWaysOut>,
        (
            TakeWeightCredit,
            AllowKnownQueryResponses<PolkadotXcm>,
            AllowHrmpNotificationsFromRelayChain,
            WithComputedOrigin<
                (
                    AllowTopLevelPaidExecutionFrom<Everything>,
                    AllowSubscriptionsFrom<ParentRelayOrSiblingParachains>,
                ),
                UniversalLocation,
                ConstU32<8>,
            >,
        ),
    >,
>;

/// What a `Transact` may call: what a client needs to pay for completions, and plain transfers.
///
/// None of these runs another call, so none can be a wrapping for one that is not here.
pub struct SafeCalls;

impl Contains<RuntimeCall> for SafeCalls {
    fn contains(call: &RuntimeCall) -> bool {
        use pallet_balances::Call as Balances;
        use pallet_jobs::Call as Jobs;
        use pallet_sessions::Call as Sessions;
        matches!(
            call,
            RuntimeCall::Balances(
                Balances::transfer_allow_death { .. }
                    | Balances::transfer_keep_alive { .. }
                    | Balances::transfer_all { .. }
            ) | RuntimeCall::Jobs(Jobs::submit { .. } | Jobs::cancel { .. })
                | RuntimeCall::Sessions(
                    Sessions::open { .. }
                        | Sessions::top_up { .. }
                        | Sessions::renew { .. }
                        | Sessions::grow { .. }
                        | Sessions::shrink { .. }
                        | Sessions::apply_shrink { .. }
                        | Sessions::report { .. }
                        | Sessions::close { .. }
                )
        )
    }
}

/// Calls that anybody may make: all but transfers to other chains that name another reserve than Asset Hub. The calls that
/// take a reserve's name believe it, and with a wrong one DOT would be burnt, or stay on the account of a chain that cannot
/// use it. (The calls that guess the reserve refuse DOT.)
pub struct OnlyWaysOut;

impl Contains<RuntimeCall> for OnlyWaysOut {
    fn contains(call: &RuntimeCall) -> bool {
        let RuntimeCall::PolkadotXcm(pallet_xcm::Call::transfer_assets_using_type_and_then {
            dest,
            assets_transfer_type,
            fees_transfer_type,
            ..
        }) = call
        else {
            return true;
        };
        let is_hub = |location: &VersionedLocation| {
            Location::try_from(location.clone()) == Ok(AssetHub::get())
        };
        [assets_transfer_type, fees_transfer_type]
            .into_iter()
            .all(|by| match &**by {
                TransferType::DestinationReserve => is_hub(dest),
                TransferType::RemoteReserve(reserve) => is_hub(reserve),
                TransferType::LocalReserve | TransferType::Teleport => false,
            })
    }
}

/// Weighs messages.
pub type Weigher = FixedWeightBounds<InstructionWeight, RuntimeCall, MaxInstructions>;

/// Sells weight for DOT at the price of transactions, without their multiplier.
pub type Trader = UsingComponents<
    WeightFee,
    RelayLocation,
    AccountId,
    Balances,
    ResolveTo<StakingPotAccountId<Runtime>, Balances>,
>;

/// The executor's configuration.
pub struct XcmConfig;

impl xcm_executor::Config for XcmConfig {
    type RuntimeCall = RuntimeCall;
    type XcmSender = XcmRouter;
    type XcmEventEmitter = PolkadotXcm;
    type AssetTransactor = AssetTransactor;
    type OriginConverter = OriginConverter;
    type IsReserve = Case<DotFromAssetHub>;
    type IsTeleporter = ();
    type Aliasers = Nothing;
    type UniversalLocation = UniversalLocation;
    type Barrier = Barrier;
    type Weigher = Weigher;
    type Trader = Trader;
    type ResponseHandler = PolkadotXcm;
    type AssetTrap = PolkadotXcm;
    type AssetLocker = ();
    type AssetExchanger = ();
    type SubscriptionService = PolkadotXcm;
    type PalletInstancesInfo = AllPalletsWithSystem;
    // There is one asset; a message may name it in several ways.
    type MaxAssetsIntoHolding = ConstU32<8>;
    // The chain itself sends for nothing: who else could it pay?
    type FeeManager = XcmFeeManagerFromComponents<
        Equals<RootLocation>,
        SendXcmFeeToAccount<AssetTransactor, FeesLocation>,
    >;
    type MessageExporter = ();
    type UniversalAliases = Nothing;
    type CallDispatcher = RuntimeCall;
    type SafeCallFilter = SafeCalls;
    type TransactionalProcessor = FrameTransactionalProcessor;
    type HrmpNewChannelOpenRequestHandler = ();
    type HrmpChannelAcceptedHandler = ();
    type HrmpChannelClosingHandler = ();
    type XcmRecorder = PolkadotXcm;
}

/// Delivery's price to a parachain; it grows while the channel is full.
pub type PriceForSibling = ExponentialPrice<DotId, BaseDeliveryFee, DeliveryByteFee, XcmpQueue>;
/// Delivery's price to the relay chain; it grows while the queue there is full.
pub type PriceForParent =
    ExponentialPrice<DotId, BaseDeliveryFee, DeliveryByteFee, ParachainSystem>;

/// Sends messages: up to the relay chain, across to parachains, and nowhere else.
pub type XcmRouter = WithUniqueTopic<(
    cumulus_primitives_utility::ParentAsUmp<ParachainSystem, PolkadotXcm, PriceForParent>,
    XcmpQueue,
)>;

/// A signed origin as a location.
pub type LocalOriginToLocation = SignedToAccountId32<RuntimeOrigin, AccountId, RelayNetwork>;

impl pallet_xcm::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type CurrencyMatcher = IsConcrete<RelayLocation>;
    type AuthorizedAliasConsideration = Disabled;
    // Governance sends what channels need; nobody else sends messages of their own making.
    type SendXcmOrigin = EnsureRootWithSuccess<AccountId, RootLocation>;
    type XcmRouter = XcmRouter;
    type ExecuteXcmOrigin = EnsureXcmOrigin<RuntimeOrigin, LocalOriginToLocation>;
    // The calls for transfers need no messages of the sender's own making.
    type XcmExecuteFilter = Nothing;
    type XcmExecutor = XcmExecutor<XcmConfig>;
    type XcmTeleportFilter = Nothing;
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
    type WeightInfo = XcmWeights;
}
