//! How many blocks a relay chain slot may carry.
//!
//! In production one. A network without a relay chain (the `development` and `local` presets)
//! wants a block a second while its slots keep following the wall clock in steps of six seconds;
//! its genesis sets [`pallet::FastBlocks`], and the hook then allows six.

use crate::constants::consensus::*;
use crate::constants::time::RELAY_CHAIN_SLOT_MILLIS;
use crate::Runtime;
use cumulus_pallet_aura_ext::FixedVelocityConsensusHook;
use cumulus_pallet_parachain_system::{
    consensus_hook::{ConsensusHook, UnincludedSegmentCapacity},
    RelayChainStateProof,
};
use frame_support::weights::Weight;
pub use pallet::*;
use parachains_common::Hash;
use sp_consensus_aura::Slot;

#[frame_support::pallet]
pub mod pallet {
    use frame_support::pallet_prelude::*;

    #[pallet::config]
    pub trait Config: frame_system::Config {}

    /// The shape of its storage; a rehearsal of an upgrade has the next one.
    const STORAGE_VERSION: StorageVersion = StorageVersion::new(cfg!(feature = "rehearsal") as u16);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// Whether a relay chain slot may carry several blocks. Set by genesis, never changed.
    #[pallet::storage]
    pub type FastBlocks<T: Config> = StorageValue<_, bool, ValueQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Whether a relay chain slot may carry several blocks.
        pub fast_blocks: bool,
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            FastBlocks::<T>::put(self.fast_blocks);
        }
    }
}

type Production = FixedVelocityConsensusHook<
    Runtime,
    RELAY_CHAIN_SLOT_MILLIS,
    BLOCKS_PER_SLOT,
    UNINCLUDED_SEGMENT_CAPACITY,
>;
type Fast = FixedVelocityConsensusHook<
    Runtime,
    RELAY_CHAIN_SLOT_MILLIS,
    FAST_BLOCKS_PER_SLOT,
    FAST_UNINCLUDED_SEGMENT_CAPACITY,
>;

/// The consensus hook of whichever pace genesis chose.
pub struct PacedConsensusHook;

impl ConsensusHook for PacedConsensusHook {
    fn on_state_proof(proof: &RelayChainStateProof) -> (Weight, UnincludedSegmentCapacity) {
        let (weight, capacity) = if FastBlocks::<Runtime>::get() {
            Fast::on_state_proof(proof)
        } else {
            Production::on_state_proof(proof)
        };
        let read = <Runtime as frame_system::Config>::DbWeight::get().reads(1);
        (weight.saturating_add(read), capacity)
    }
}

impl PacedConsensusHook {
    /// Whether a block may be built in relay chain slot `slot` when `included` is the newest
    /// parachain block that the relay chain has included.
    pub fn can_build_upon(included: Hash, slot: Slot) -> bool {
        if FastBlocks::<Runtime>::get() {
            Fast::can_build_upon(included, slot)
        } else {
            Production::can_build_upon(included, slot)
        }
    }

    /// Blocks per relay chain slot.
    pub fn blocks_per_slot() -> u32 {
        if FastBlocks::<Runtime>::get() {
            FAST_BLOCKS_PER_SLOT
        } else {
            BLOCKS_PER_SLOT
        }
    }
}
