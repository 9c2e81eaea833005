//! The relay chain, as far as messages go: it sends down what tests give it, and takes in what comes up.

use cumulus_primitives_core::{relay_chain::InboundDownwardMessage, ParaId};
use frame_support::{
    construct_runtime, derive_impl,
    traits::{ProcessMessage, ProcessMessageError},
    weights::{Weight, WeightMeter},
};
use parachains_common::{AccountId, Balance};
use parity_scale_codec::Encode;
use polkadot_runtime_parachains::inclusion::AggregateMessageOrigin;
use sp_runtime::{traits::IdentityLookup, BuildStorage};
use sp_storage::Storage;
use std::cell::RefCell;
use xcm::{latest::prelude::*, VersionedXcm};

type Block = frame_system::mocking::MockBlockU32<Runtime>;

construct_runtime!(
    pub enum Runtime {
        System: frame_system,
        Balances: pallet_balances,
        MessageQueue: pallet_message_queue,
    }
);

#[derive_impl(frame_system::config_preludes::RelayChainDefaultConfig)]
impl frame_system::Config for Runtime {
    type AccountId = AccountId;
    type AccountData = pallet_balances::AccountData<Balance>;
    type Block = Block;
    type Lookup = IdentityLookup<AccountId>;
    type Nonce = u32;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Runtime {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = frame_support::traits::ConstU128<1>;
}

thread_local! {
    static DOWNWARD: RefCell<Vec<(ParaId, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
    static UPWARD: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Sends `message` down to parachain `to` when the block ends.
pub fn send_down(to: u32, message: Xcm<()>) {
    let message = VersionedXcm::from(message).encode();
    DOWNWARD.with_borrow_mut(|queue| queue.push((to.into(), message)));
}

/// Takes what has come up.
pub fn take_upward() -> Vec<Vec<u8>> {
    UPWARD.take()
}

impl Runtime {
    /// What is on its way down to `id`.
    pub fn dmq_contents(id: ParaId) -> Vec<InboundDownwardMessage<u32>> {
        DOWNWARD.with_borrow_mut(|queue| {
            let (due, rest) = std::mem::take(queue)
                .into_iter()
                .partition(|(to, _)| *to == id);
            *queue = rest;
            let due: Vec<(ParaId, Vec<u8>)> = due;
            due.into_iter()
                .map(|(_, msg)| InboundDownwardMessage {
                    sent_at: System::block_number(),
                    msg,
                })
                .collect()
        })
    }
}

/// Keeps what parachains send up.
pub struct Keep;

impl ProcessMessage for Keep {
    type Origin = AggregateMessageOrigin;

    fn process_message(
        message: &[u8],
        _origin: Self::Origin,
        _meter: &mut WeightMeter,
        _id: &mut [u8; 32],
    ) -> Result<bool, ProcessMessageError> {
        UPWARD.with_borrow_mut(|queue| queue.push(message.to_vec()));
        Ok(true)
    }
}

frame_support::parameter_types! {
    pub const ServiceWeight: Option<Weight> = Some(Weight::from_parts(1_000_000_000_000, 5_000_000));
}

impl pallet_message_queue::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = ();
    type MessageProcessor = Keep;
    type Size = u32;
    type QueueChangeHandler = ();
    type QueuePausedQuery = ();
    type HeapSize = frame_support::traits::ConstU32<{ 103 * 1024 }>;
    type MaxStale = frame_support::traits::ConstU32<8>;
    type ServiceWeight = ServiceWeight;
    type IdleMaxServiceWeight = ();
}

/// An empty relay chain.
pub fn genesis() -> Storage {
    RuntimeGenesisConfig::default().build_storage().unwrap()
}

/// Where a parachain's account is on the relay chain: nowhere, since no message is run here.
pub type SovereignAccountOf = xcm_builder::ParentIsPreset<AccountId>;
