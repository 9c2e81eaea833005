//! Messages from the relay chain and other parachains.
//!
//! The chain speaks no XCM yet. The queue exists, because a parachain must take in what the relay
//! chain sends; what it holds is refused, and the refusal is an event.

use crate::{Runtime, RuntimeEvent};
use cumulus_primitives_core::AggregateMessageOrigin;
use frame_support::{
    parameter_types,
    traits::{ProcessMessage, ProcessMessageError},
    weights::{Weight, WeightMeter},
};
use sp_runtime::Perbill;

parameter_types! {
    pub const RelayOrigin: AggregateMessageOrigin = AggregateMessageOrigin::Parent;
    pub MessageQueueServiceWeight: Weight = Perbill::from_percent(35)
        * parachains_common::MAXIMUM_BLOCK_WEIGHT_FOR_ASYNC_BACKING;
    pub const MessageQueueHeapSize: u32 = 103 * 1024;
    pub const MessageQueueMaxStale: u32 = 8;
}

/// Refuses every message as unsupported.
#[cfg_attr(feature = "runtime-benchmarks", allow(dead_code))]
pub struct RefuseMessages;

impl ProcessMessage for RefuseMessages {
    type Origin = AggregateMessageOrigin;

    fn process_message(
        _message: &[u8],
        _origin: Self::Origin,
        _meter: &mut WeightMeter,
        _id: &mut [u8; 32],
    ) -> Result<bool, ProcessMessageError> {
        Err(ProcessMessageError::Unsupported)
    }
}

impl pallet_message_queue::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_message_queue::weights::SubstrateWeight<Runtime>;
    #[cfg(not(feature = "runtime-benchmarks"))]
    type MessageProcessor = RefuseMessages;
    // The pallet's own benchmarks need messages that succeed.
    #[cfg(feature = "runtime-benchmarks")]
    type MessageProcessor =
        pallet_message_queue::mock_helpers::NoopMessageProcessor<AggregateMessageOrigin>;
    type Size = u32;
    type QueueChangeHandler = ();
    type QueuePausedQuery = ();
    type HeapSize = MessageQueueHeapSize;
    type MaxStale = MessageQueueMaxStale;
    type ServiceWeight = MessageQueueServiceWeight;
    type IdleMaxServiceWeight = MessageQueueServiceWeight;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_refused_whoever_sends_them() {
        for origin in [
            AggregateMessageOrigin::Parent,
            AggregateMessageOrigin::Sibling(1.into()),
        ] {
            let refusal = RefuseMessages::process_message(
                b"anything",
                origin,
                &mut WeightMeter::new(),
                &mut [0; 32],
            );
            assert_eq!(refusal, Err(ProcessMessageError::Unsupported));
        }
    }
}
