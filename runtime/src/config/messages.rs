//! Queues of messages from and to the relay chain and other parachains. What the messages may do is in [`super::xcm`].

use super::xcm::{OriginConverter, PriceForSibling};
use crate::{
    AccountId, MessageQueue, ParachainSystem, PolkadotXcm, Runtime, RuntimeEvent, XcmpQueue,
};
use cumulus_primitives_core::{AggregateMessageOrigin, ParaId};
use frame_support::{
    parameter_types,
    traits::{ConstU32, TransformOrigin},
    weights::Weight,
};
use frame_system::EnsureRoot;
use parachains_common::message_queue::{NarrowOriginToSibling, ParaIdToSibling};
use sp_runtime::Perbill;

/// Bytes in a page of messages, in either direction: the longest that relay chains let through.
const PAGE_BYTES: u32 = 103 * 1024;

parameter_types! {
    pub const RelayOrigin: AggregateMessageOrigin = AggregateMessageOrigin::Parent;
    pub MessageQueueServiceWeight: Weight = Perbill::from_percent(35)
        * parachains_common::MAXIMUM_BLOCK_WEIGHT_FOR_ASYNC_BACKING;
    pub const MessageQueueHeapSize: u32 = PAGE_BYTES;
    pub const MessageQueueMaxStale: u32 = 8;
}

impl pallet_message_queue::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_message_queue::weights::SubstrateWeight<Runtime>;
    #[cfg(any(not(feature = "runtime-benchmarks"), feature = "std"))]
    type MessageProcessor = xcm_builder::ProcessXcmMessage<
        AggregateMessageOrigin,
        xcm_executor::XcmExecutor<super::xcm::XcmConfig>,
        crate::RuntimeCall,
    >;
    // The pallet's own benchmarks, which run in WASM, need messages that succeed.
    #[cfg(all(feature = "runtime-benchmarks", not(feature = "std")))]
    type MessageProcessor =
        pallet_message_queue::mock_helpers::NoopMessageProcessor<AggregateMessageOrigin>;
    type Size = u32;
    type QueueChangeHandler = NarrowOriginToSibling<XcmpQueue>;
    type QueuePausedQuery = NarrowOriginToSibling<XcmpQueue>;
    type HeapSize = MessageQueueHeapSize;
    type MaxStale = MessageQueueMaxStale;
    type ServiceWeight = MessageQueueServiceWeight;
    type IdleMaxServiceWeight = MessageQueueServiceWeight;
}

impl cumulus_pallet_xcmp_queue::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ChannelInfo = ParachainSystem;
    type VersionWrapper = PolkadotXcm;
    type XcmpQueue = TransformOrigin<MessageQueue, AggregateMessageOrigin, ParaId, ParaIdToSibling>;
    type MaxInboundSuspended = ConstU32<1_000>;
    type MaxActiveOutboundChannels = ConstU32<128>;
    type MaxPageSize = ConstU32<PAGE_BYTES>;
    type ControllerOrigin = EnsureRoot<AccountId>;
    type ControllerOriginConverter = OriginConverter;
    type PriceForSiblingDelivery = PriceForSibling;
    type WeightInfo = cumulus_pallet_xcmp_queue::weights::SubstrateWeight<Runtime>;
}
