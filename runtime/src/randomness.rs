//! Seeds for draws, out of the relay chain's randomness.
//!
//! Every relay parent that a parachain block is built on carries the VRF output of its author
//! (`CURRENT_BLOCK_RANDOMNESS`). Nobody on this chain supplies it or chooses its moment: it is read
//! from the relay chain state proof inside the inherent that every block must carry.
//!
//! A draw stores `due = now + delay`, in relay chain blocks. Hooks run before the inherent, when
//! `now` is still the relay parent of the block before; after a pause of the chain the outputs up to
//! `now + delay` may all be public by then. So the delay counts from the **next** relay parent that
//! the chain sees after `now`, which for a draw announced in a hook is that of the announcing block:
//! the draw happens once [`Pallet::seed_of_draw`] answers for `due`, with the hash of the outputs of
//! the first few distinct relay parents from there on. Several, because the author of a single relay block could hold its block back to bias the
//! draw; with several the last of them can only choose between two values, at the cost of its
//! block.
//!
//! The newest [`Config::History`] relay parents are kept; a draw that waits longer finds no seed.

use chasqui_primitives::{
    hash::{tag, tagged_hash},
    traits::SeedExpired,
};
pub use pallet::*;
use sp_core::H256;

/// Most relay parents that one seed may combine.
pub const MAX_PARENTS_PER_SEED: u32 = 8;

/// A number of a relay chain block.
pub type RelayBlockNumber = cumulus_primitives_core::relay_chain::BlockNumber;
/// The VRF output of a relay chain block's author.
pub type VrfOutput = [u8; 32];

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use cumulus_pallet_parachain_system::{self as parachain_system, RelayChainStateProof};
    use cumulus_primitives_core::relay_chain::well_known_keys::CURRENT_BLOCK_RANDOMNESS;
    use frame_support::{pallet_prelude::*, traits::Get};
    use frame_system::pallet_prelude::BlockNumberFor;
    use sp_runtime::traits::Zero;

    #[pallet::config]
    pub trait Config: frame_system::Config<Hash = H256> + parachain_system::Config {
        /// How many relay parents, and so seeds, are kept.
        #[pallet::constant]
        type History: Get<u32>;
    }

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// The relay parents seen, by number, oldest first.
    #[pallet::storage]
    pub type Parents<T: Config> =
        StorageValue<_, BoundedVec<RelayBlockNumber, T::History>, ValueQuery>;

    /// The outputs of the newest relay parents, oldest first: as many as one seed combines.
    #[pallet::storage]
    pub type Recent<T: Config> =
        StorageValue<_, BoundedVec<VrfOutput, ConstU32<MAX_PARENTS_PER_SEED>>, ValueQuery>;

    /// The seed that begins at a relay parent, by that parent's number.
    #[pallet::storage]
    pub type Seeds<T: Config> = StorageMap<_, Twox64Concat, RelayBlockNumber, H256, OptionQuery>;

    /// The newest relay parent dropped from [`Parents`]: no draw announced before it has a seed.
    #[pallet::storage]
    pub type Forgotten<T: Config> = StorageValue<_, RelayBlockNumber, OptionQuery>;

    /// Relay chain blocks between the first relay parent after the decision to draw and the first
    /// output used.
    #[pallet::storage]
    pub type Delay<T: Config> = StorageValue<_, RelayBlockNumber, ValueQuery, DefaultDelay>;

    /// Distinct relay parents that one seed combines.
    #[pallet::storage]
    pub type ParentsPerSeed<T: Config> = StorageValue<_, u32, ValueQuery, DefaultParentsPerSeed>;

    /// Whether one party makes up the relay chain and so knows every seed in advance.
    #[pallet::storage]
    pub type Insecure<T: Config> = StorageValue<_, bool, ValueQuery>;

    /// [`Delay`] where genesis says nothing: more than relay parent offset + depth of the
    /// unincluded segment + 2.
    #[pallet::type_value]
    pub fn DefaultDelay() -> RelayBlockNumber {
        8
    }

    /// [`ParentsPerSeed`] where genesis says nothing.
    #[pallet::type_value]
    pub fn DefaultParentsPerSeed() -> u32 {
        4
    }

    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// Relay chain blocks between the decision to draw and the first output used.
        pub delay: RelayBlockNumber,
        /// Distinct relay parents that one seed combines, from 1 to [`MAX_PARENTS_PER_SEED`].
        pub parents_per_seed: u32,
        /// Whether one party makes up the relay chain and so knows every seed in advance.
        pub insecure: bool,
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                delay: DefaultDelay::get(),
                parents_per_seed: DefaultParentsPerSeed::get(),
                insecure: false,
                _config: Default::default(),
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                (1..=MAX_PARENTS_PER_SEED).contains(&self.parents_per_seed),
                "a seed combines 1 to {MAX_PARENTS_PER_SEED} relay parents, not {}",
                self.parents_per_seed
            );
            assert!(
                self.delay >= 1,
                "a draw must be due after the block that decides on it"
            );
            Delay::<T>::put(self.delay);
            ParentsPerSeed::<T>::put(self.parents_per_seed);
            Insecure::<T>::put(self.insecure);
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// The relay chain block that the newest block was built on.
        pub fn relay_block_number() -> RelayBlockNumber {
            Self::now()
        }

        /// The seed for a draw due at relay chain block `due`: `None` before it exists and after it
        /// was forgotten.
        pub fn seed(due: RelayBlockNumber) -> Option<H256> {
            Self::seed_of_draw(due).ok().flatten()
        }

        /// Relay chain blocks between the decision to draw and the first output used.
        pub fn delay() -> RelayBlockNumber {
            Delay::<T>::get()
        }

        /// Whether one party makes up the relay chain and so knows every seed in advance.
        pub fn is_insecure() -> bool {
            Insecure::<T>::get()
        }
    }

    impl<T: Config> Pallet<T> {
        /// The relay chain block that the current block is built on; before the inherent has run
        /// (in `on_initialize`) that of the block before.
        pub fn now() -> RelayBlockNumber {
            parachain_system::ValidationData::<T>::get().map_or_else(
                parachain_system::LastRelayChainBlockNumber::<T>::get,
                |data| data.relay_parent_number,
            )
        }

        /// The seed for a draw due at relay chain block `due`: `None` while the relay parents it
        /// needs have not all been seen, an error when they have been forgotten.
        pub fn seed_of_draw(due: RelayBlockNumber) -> Result<Option<H256>, SeedExpired> {
            let delay = Delay::<T>::get();
            let announced = due.saturating_sub(delay);
            // Which relay parent came next is known of those that are still listed only.
            if Forgotten::<T>::get().is_some_and(|forgotten| announced < forgotten) {
                return Err(SeedExpired);
            }
            let parents = Parents::<T>::get();
            match parents.get(parents.partition_point(|parent| *parent <= announced)) {
                Some(next) => Self::seed_at(next.saturating_add(delay)),
                None => Ok(None),
            }
        }

        /// The seed that begins at the first relay parent at or after `from`: `None` while the relay
        /// parents it needs have not all been seen, an error when they have been forgotten.
        pub fn seed_at(from: RelayBlockNumber) -> Result<Option<H256>, SeedExpired> {
            if Forgotten::<T>::get().is_some_and(|forgotten| from <= forgotten) {
                return Err(SeedExpired);
            }
            let parents = Parents::<T>::get();
            let first = parents.get(parents.partition_point(|parent| *parent < from));
            Ok(first.and_then(Seeds::<T>::get))
        }

        /// Takes the output of relay parent `number`. Further blocks on the same relay parent
        /// change nothing.
        pub(crate) fn observe(number: RelayBlockNumber, output: VrfOutput) {
            let mut parents = Parents::<T>::get();
            if parents.last().is_some_and(|newest| number <= *newest) {
                return;
            }
            if parents.is_full() && !parents.is_empty() {
                let oldest = parents.remove(0);
                Seeds::<T>::remove(oldest);
                Forgotten::<T>::put(oldest);
            }
            if parents.try_push(number).is_err() {
                return;
            }
            let wanted = ParentsPerSeed::<T>::get().clamp(1, MAX_PARENTS_PER_SEED) as usize;
            let mut recent = Recent::<T>::get();
            while recent.len() >= wanted {
                recent.remove(0);
            }
            if recent.try_push(output).is_err() {
                return;
            }
            let first = parents
                .len()
                .checked_sub(wanted)
                .and_then(|index| parents.get(index));
            if let (Some(first), true) = (first, recent.len() == wanted) {
                let genesis = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
                let seed = tagged_hash(tag::SEED, &genesis, &(first, &recent));
                Seeds::<T>::insert(first, seed);
            }
            Recent::<T>::put(recent);
            Parents::<T>::put(parents);
        }

        /// Reads the relay parent's output out of its state proof.
        fn read_output(proof: &RelayChainStateProof) -> Option<VrfOutput> {
            // The value is `Option<[u8; 32]>`: `None` where the slot's author had no VRF.
            proof
                .read_optional_entry::<Option<VrfOutput>>(CURRENT_BLOCK_RANDOMNESS)
                .unwrap_or_else(|error| {
                    log::error!(target: "runtime::randomness", "unreadable output: {error:?}");
                    None
                })
                .flatten()
        }

        /// Checks what storage must always satisfy.
        #[cfg(any(test, feature = "try-runtime"))]
        pub fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
            let parents = Parents::<T>::get();
            ensure!(
                parents
                    .windows(2)
                    .all(|pair| matches!(pair, [a, b] if a < b)),
                "relay parents are not strictly ascending"
            );
            ensure!(
                Forgotten::<T>::get().is_none_or(|last| parents.first().is_some_and(|p| last < *p)),
                "a forgotten relay parent is still listed"
            );
            ensure!(
                Seeds::<T>::iter_keys().all(|first| parents.binary_search(&first).is_ok()),
                "a seed begins at no listed relay parent"
            );
            Ok(())
        }
    }

    impl<T: Config> parachain_system::OnSystemEvent for Pallet<T> {
        fn on_validation_data(_: &cumulus_primitives_core::PersistedValidationData) {}

        fn on_validation_code_applied() {}

        fn on_relay_state_proof(proof: &RelayChainStateProof) -> Weight {
            if let Some(output) = Self::read_output(proof) {
                Self::observe(Self::now(), output);
            }
            // Reads: validation data, parents, recent, parents per seed. Writes: parents, recent,
            // two seeds, forgotten.
            T::DbWeight::get().reads_writes(4, 5)
        }
    }

    impl<T: Config> chasqui_primitives::traits::Randomness for Pallet<T> {
        fn relay_now() -> RelayBlockNumber {
            Self::now()
        }

        fn next_due() -> RelayBlockNumber {
            Self::now().saturating_add(Delay::<T>::get())
        }

        fn seed(due: RelayBlockNumber) -> Result<Option<H256>, SeedExpired> {
            Self::seed_of_draw(due)
        }
    }
}
