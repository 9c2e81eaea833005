//! # Economy
//!
//! What follows from an epoch when it has closed: who weighs how much in votes, what a unit of compute costs from now on,
//! and what the subsidy pot adds to the pay of operators. The arithmetic is in
//! [`chasqui_primitives::credit`], [`prices`](chasqui_primitives::prices) and
//! [`subsidy`](chasqui_primitives::subsidy).
//!
//! ## Terminology
//!
//! - **Census** of an epoch: weight, bond and work of every operator that is drawn, taken right after the epoch closed.
//! - **Window**: the last 28 closed epochs. Work in it counts by a plain sum: if later work counted for more, a burst
//!   right before a poll would too.
//! - **Rho**: the weighted median over all operators of work per weight.
//! - **Running price**: planck a unit of compute, the same for all checkpoints, which state units per token.
//!
//! ## How a census is taken
//!
//! In three passes of at most [`Config::Step`] operators a block, begun in the first block of the next epoch:
//!
//! 1. **Gather**: visits all operators; notes weight, bond and work; counts their price votes, of which a missing one is
//!    for the running price. Both medians are histograms, so each operator costs one addition whatever their number.
//!    At its end rho and the new price are known.
//! 2. **Credit**: adds up the fees of credited work.
//! 3. **Pay**: shares the subsidy in proportion to them. It is booked in the ledger of rewards like other pay of that
//!    epoch: claimed, forfeited and swept with it.
//!
//! Polls are measured by the newest complete census. An epoch that closes while an earlier census is under way is taken
//! when that is done, with the work of its own time and the weights of that moment; where several have closed, only the
//! last of them, and an event says which were left out.
//!
//! ## The subsidy pot
//!
//! An account that is funded by genesis or by anybody's transfer. The pallet never mints.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod functions;
mod impls;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use alloc::vec::Vec;
use chasqui_primitives::{
    credit::Ratios,
    prices,
    traits::{Contributions, Epochs, Ledger, Operators, Roll},
    Balance, EpochIndex,
};
use frame_support::{
    pallet_prelude::*,
    traits::fungible::{Inspect, Mutate},
    PalletId,
};
use frame_system::pallet_prelude::*;

pub(crate) const LOG_TARGET: &str = "runtime::economy";

/// What benchmarks need of other pallets.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper<AccountId> {
    /// Registers an operator with a weight.
    fn operator(index: u32) -> AccountId;
    /// Moves the clock of epochs to `epoch`.
    fn set_epoch(epoch: EpochIndex);
    /// Pays an operator for work in the running epoch.
    fn work(operator: &AccountId);
}

#[frame_support::pallet]
pub mod pallet {
    use super::*;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// DOT.
        type NativeBalance: Inspect<Self::AccountId, Balance = Balance> + Mutate<Self::AccountId>;
        /// Who speaks for an operator.
        type Operators: Operators<Self::AccountId>;
        /// All operators.
        type Roll: Roll<Self::AccountId>;
        /// What they did.
        type Contributions: Contributions<Self::AccountId>;
        /// Where the subsidy is booked.
        type Ledger: Ledger<Self::AccountId>;
        /// The clock.
        type Epochs: Epochs;
        /// Sets the parameters.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// The subsidy pot's account is derived from it.
        #[pallet::constant]
        type PalletId: Get<PalletId>;
        /// Operators that one block visits.
        #[pallet::constant]
        type Step: Get<u32>;
        /// Prices of the past that are kept, in epochs.
        #[pallet::constant]
        type HistoryKept: Get<EpochIndex>;
        /// Weights of calls and hooks.
        type WeightInfo: WeightInfo;
        /// What benchmarks need of other pallets.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
    }

    /// The parameters.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

    /// The running price: planck a unit of compute.
    #[pallet::storage]
    pub type Price<T> = StorageValue<_, Balance, ValueQuery>;

    /// Prices from the end of an epoch on.
    #[pallet::storage]
    pub type PriceHistory<T> = StorageMap<_, Twox64Concat, EpochIndex, Balance>;

    /// What operators want a unit to cost, in planck.
    #[pallet::storage]
    pub type PriceVotes<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Balance>;

    /// Operators by epoch, as its census found them.
    #[pallet::storage]
    pub type Entries<T: Config> =
        StorageDoubleMap<_, Twox64Concat, EpochIndex, Blake2_128Concat, T::AccountId, Entry>;

    /// Complete censuses.
    #[pallet::storage]
    pub type Censuses<T> = StorageMap<_, Twox64Concat, EpochIndex, Census>;

    /// The newest complete census.
    #[pallet::storage]
    pub type Newest<T> = StorageValue<_, EpochIndex>;

    /// The oldest epoch of which something may be kept.
    #[pallet::storage]
    pub type Oldest<T> = StorageValue<_, EpochIndex, ValueQuery>;

    /// The first epoch of which no census was begun.
    #[pallet::storage]
    pub type NextEpoch<T> = StorageValue<_, EpochIndex, ValueQuery>;

    /// The census under way.
    #[pallet::storage]
    pub type Ongoing<T: Config> = StorageValue<_, Progress<T::AccountId>>;

    /// Weights by work per weight, while a census gathers.
    #[pallet::storage]
    pub type RatiosSoFar<T> = StorageValue<_, Ratios, ValueQuery>;

    /// Weights of draws by the epoch's own units per such weight, while a census gathers.
    #[pallet::storage]
    pub type EpochRatiosSoFar<T> = StorageValue<_, Ratios, ValueQuery>;

    /// Price votes, while a census gathers.
    #[pallet::storage]
    pub type VotesSoFar<T> = StorageValue<_, prices::Votes>;

    /// What the subsidy programme has paid, in planck.
    #[pallet::storage]
    pub type Paid<T> = StorageValue<_, Balance, ValueQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The parameters.
        pub params: Params,
        /// The price to begin with, in planck.
        pub price: Balance,
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.params.is_valid(),
                "parameters of economy out of range: {:?}",
                self.params
            );
            let Params {
                lowest_price,
                highest_price,
                ..
            } = self.params;
            Parameters::<T>::put(self.params);
            Price::<T>::put(self.price.clamp(lowest_price, highest_price));
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An epoch's census is complete.
        CensusTaken { epoch: EpochIndex, census: Census },
        /// Epochs from `from` to before `to` closed while a census was under way: they have none.
        CensusSkipped { from: EpochIndex, to: EpochIndex },
        /// A unit of compute costs otherwise from now on, in planck.
        PriceSet {
            epoch: EpochIndex,
            old: Balance,
            new: Balance,
        },
        /// An operator wants a unit to cost so much; `None`: it is for whatever the price is.
        PriceVoted {
            operator: T::AccountId,
            price: Option<Balance>,
        },
        /// The pot adds `amount` to what operators earned in an epoch; `fees` are what was credited of that.
        SubsidyGranted {
            epoch: EpochIndex,
            fees: Balance,
            amount: Balance,
        },
        /// Work was done that the programme would have paid for, and nothing is in the pot.
        PotEmpty { epoch: EpochIndex, fees: Balance },
        /// The parameters changed.
        ParamsSet { params: Params },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The operator is not registered, or the origin is neither its bonded account nor its owner.
        NotOperator,
        /// The price is 0, or higher than any price may be.
        PriceOutOfRange,
        /// The operator has no vote on the price.
        NotVoted,
        /// The parameters are out of range.
        InvalidParams,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            Self::begin_block()
        }

        fn integrity_test() {
            assert!(T::Step::get() > 0, "a census must come to an end");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Says what an operator wants a unit of compute to cost, in planck, by its bonded account or its owner.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::vote_price())]
        pub fn vote_price(
            origin: OriginFor<T>,
            operator: T::AccountId,
            price: Balance,
        ) -> DispatchResult {
            Self::ensure_speaks_for(origin, &operator)?;
            ensure!(
                (1..=MAX_PRICE).contains(&price),
                Error::<T>::PriceOutOfRange
            );
            PriceVotes::<T>::insert(&operator, price);
            let price = Some(price);
            Self::deposit_event(Event::PriceVoted { operator, price });
            Ok(())
        }

        /// Takes that back: the operator is for whatever the price is.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::clear_price_vote())]
        pub fn clear_price_vote(origin: OriginFor<T>, operator: T::AccountId) -> DispatchResult {
            Self::ensure_speaks_for(origin, &operator)?;
            ensure!(
                PriceVotes::<T>::contains_key(&operator),
                Error::<T>::NotVoted
            );
            PriceVotes::<T>::remove(&operator);
            let price = None;
            Self::deposit_event(Event::PriceVoted { operator, price });
            Ok(())
        }

        /// Sets the parameters. Bounds of the price take effect with the next census.
        #[pallet::call_index(2)]
        #[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
        pub fn set_params(origin: OriginFor<T>, params: Params) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            ensure!(params.is_valid(), Error::<T>::InvalidParams);
            Parameters::<T>::put(params);
            Self::deposit_event(Event::ParamsSet { params });
            Ok(())
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// What a unit of compute costs, in planck.
        pub fn unit_price() -> Balance {
            Price::<T>::get()
        }

        /// The parameters.
        pub fn parameters() -> Params {
            Parameters::<T>::get()
        }

        /// The prices of the last epochs, oldest first, at most as many as are kept: each held from the end of its epoch on.
        pub fn price_history() -> Vec<(EpochIndex, Balance)> {
            let mut history: Vec<_> = PriceHistory::<T>::iter().collect();
            history.sort_unstable();
            history
        }

        /// What an operator wants a unit to cost; `None`: it is for whatever the price is.
        pub fn price_vote(operator: T::AccountId) -> Option<Balance> {
            PriceVotes::<T>::get(operator)
        }

        /// The newest complete census.
        pub fn census() -> Option<(EpochIndex, Census)> {
            let epoch = Newest::<T>::get()?;
            Some((epoch, Censuses::<T>::get(epoch)?))
        }

        /// An operator in the newest complete census.
        pub fn entry(operator: T::AccountId) -> Option<Entry> {
            Entries::<T>::get(Newest::<T>::get()?, operator)
        }

        /// The subsidy: what is in the pot, what the programme has paid, the running batch (`None`: all are over).
        pub fn subsidy() -> (Balance, Balance, Option<u32>) {
            let paid = Paid::<T>::get();
            let programme = Parameters::<T>::get().programme;
            let batch = chasqui_primitives::subsidy::running_batch(programme, paid);
            (Self::in_pot(), paid, batch)
        }

        /// The subsidy pot.
        pub fn pot() -> T::AccountId {
            Self::pot_account()
        }
    }
}
