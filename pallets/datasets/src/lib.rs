//! # Datasets
//!
//! What training runs may train on, and who contributed it.
//!
//! Anybody may submit a dataset, named by its blob root, against a deposit. Validators decide by a case of pallet audits
//! ([`Subject::Dataset`]) whether it can be had and is what was stated: size, format, tokenizer, hash. They never judge
//! what it is good for, and a dataset never costs more than its deposit. All validators are the case's electorate;
//! those related to the submitter are not in it.
//!
//! ```text
//! submit → draw → case ─┬─ valid ────────────────────────────→ usable → runs use it
//!            ↑          ├─ not what was stated ──────────────→ gone, a part of the deposit lost
//!            └─ pause ←─┴─ not to be had, no decision ─ often → gone, the deposit returns
//! ```
//!
//! Why a case and not drawn validators that simply report: a report can be copied. In a case each auditor first commits
//! to evidence of having read chunks that a seed picked ([`chasqui_primitives::dataset`]), whoever accuses falsely pays
//! for the vote, and the vote of everybody else corrects a bad draw.
//!
//! The contributor earns points in the contribution pool when a run trains on its dataset: by units of compute that the
//! fund paid for, and by what it paid, whichever gives fewer, up to a cap per run. So a run that pays next to nothing
//! earns nobody points, and no run earns anybody many.
//!
//! [`Subject::Dataset`]: chasqui_primitives::audit::Subject::Dataset
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod functions;
mod impls;
#[cfg(test)]
mod mock;
mod service;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use alloc::vec::Vec;
use chasqui_primitives::{
    audit::HardReason,
    traits::{Cases, DatasetTerms, Ledger, Operators, Randomness},
    Balance, CaseId, DatasetId, RunId,
};
use frame_support::{
    pallet_prelude::*,
    traits::fungible::{hold, Inspect, Mutate},
};
use frame_system::pallet_prelude::*;
use sp_core::H256;

/// A dataset of the runtime.
pub type DatasetOf<T> = Dataset<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;

pub(crate) const LOG_TARGET: &str = "runtime::datasets";

#[frame_support::pallet]
pub mod pallet {
    use super::*;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// The runtime's hold reasons.
        type RuntimeHoldReason: From<HoldReason>;
        /// DOT.
        type NativeBalance: Inspect<Self::AccountId, Balance = Balance>
            + Mutate<Self::AccountId>
            + hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;
        /// Who signs for whom.
        type Operators: Operators<Self::AccountId>;
        /// Where contribution points are booked.
        type Ledger: Ledger<Self::AccountId>;
        /// Where it is judged.
        type Cases: Cases<Self::AccountId>;
        /// Seeds of draws.
        type Randomness: Randomness;
        /// Where fees and lost deposits go.
        type Reserve: Get<Self::AccountId>;
        /// Sets the parameters, delists datasets.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Most datasets that are undecided at a time.
        #[pallet::constant]
        type MaxUndecided: Get<u32>;
        /// Most cases that are opened in one block.
        #[pallet::constant]
        type MaxOpenings: Get<u32>;
        /// Weights of calls and hooks.
        type WeightInfo: WeightInfo;
        /// Sets validators up for benchmarks.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper;
    }

    /// Why balances are on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// A submitter's deposit.
        #[codec(index = 0)]
        Submission,
    }

    /// The parameters.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

    /// Datasets that are undecided or usable.
    #[pallet::storage]
    pub type Registry<T: Config> = StorageMap<_, Twox64Concat, DatasetId, DatasetOf<T>>;

    /// The number of the next dataset.
    #[pallet::storage]
    pub type NextDataset<T> = StorageValue<_, DatasetId, ValueQuery>;

    /// Their numbers by blob root.
    #[pallet::storage]
    pub type Roots<T> = StorageMap<_, Blake2_128Concat, H256, DatasetId>;

    /// Those that wait for a decision, in the order of their submission.
    #[pallet::storage]
    pub type UndecidedDatasets<T: Config> =
        StorageValue<_, BoundedVec<Undecided<BlockNumberFor<T>>, T::MaxUndecided>, ValueQuery>;

    /// Runs that use a dataset now.
    #[pallet::storage]
    pub type Uses<T> = StorageDoubleMap<_, Twox64Concat, DatasetId, Twox64Concat, RunId, Use>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The parameters.
        pub params: Params,
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.params.is_valid(),
                "parameters of datasets out of range: {:?}",
                self.params
            );
            Parameters::<T>::put(self.params);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A dataset was submitted; auditors will be drawn.
        Submitted {
            dataset: DatasetId,
            root: H256,
            submitter: T::AccountId,
            deposit: Balance,
        },
        /// A case about it is open. It cost its submitter a fee.
        InAudit {
            dataset: DatasetId,
            case: CaseId,
            fee: Balance,
        },
        /// A try came to nothing: another follows.
        TriedInVain { dataset: DatasetId, failed: u32 },
        /// Runs may use it from now on.
        Usable { dataset: DatasetId, root: H256 },
        /// It is not what was stated, and gone. So much of the deposit is lost.
        Rejected {
            dataset: DatasetId,
            root: H256,
            reason: HardReason,
            lost: Balance,
        },
        /// Every try came to nothing: it is gone, what was left of the deposit returned.
        SentBack { dataset: DatasetId, root: H256 },
        /// Its submitter took it back: it is gone, what was left of the deposit returned.
        Withdrawn { dataset: DatasetId, root: H256 },
        /// The admin took it off the list. It is gone, or leaves with the last run that uses it.
        Delisted { dataset: DatasetId, root: H256 },
        /// A run uses it.
        UseBegan { dataset: DatasetId, run: RunId },
        /// A run uses it no more.
        UseEnded { dataset: DatasetId, run: RunId },
        /// Its contributor earned points by a run.
        PointsEarned {
            dataset: DatasetId,
            run: RunId,
            contributor: T::AccountId,
            points: u64,
        },
        /// The parameters changed.
        ParamsSet { params: Params },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// A dataset of this root is registered.
        AlreadySubmitted,
        /// No dataset of such size, tokens and vocabulary can exist.
        InconsistentTerms,
        /// The licence is no SPDX expression.
        InvalidLicence,
        /// The description is empty, or no text.
        InvalidDescription,
        /// Hot keys earn nothing: submit with the bonded account.
        HotKey,
        /// Too many datasets are undecided: try again later.
        TooManyUndecided,
        /// No dataset of this number (or root) is registered.
        NoSuchDataset,
        /// Only its submitter may do that.
        NotTheSubmitter,
        /// A case about it is open.
        InAudit,
        /// Runs use it.
        InUse,
        /// Validators have not found it usable, or it leaves.
        NotUsable,
        /// The run uses it already.
        UsedAlready,
        /// A parameter is out of its range.
        InvalidParams,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            Self::move_on(now)
        }

        fn integrity_test() {
            assert!(T::MaxUndecided::get() > 0, "datasets need room");
            assert!(T::MaxOpenings::get() > 0, "no case would ever be opened");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Submits a dataset. Holds a deposit while it is registered; each case about it costs a fee out of that.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::submit())]
        pub fn submit(
            origin: OriginFor<T>,
            root: H256,
            terms: DatasetTerms,
            licence: Licence,
            description: Description,
        ) -> DispatchResult {
            let submitter = ensure_signed(origin)?;
            Self::do_submit(submitter, root, terms, licence, description)
        }

        /// Takes a dataset back, by its submitter: no case about it is open, and no run uses it. The deposit returns.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::withdraw())]
        pub fn withdraw(origin: OriginFor<T>, dataset: DatasetId) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_withdraw(who, dataset)
        }

        /// Takes a usable dataset off the list, at once for new runs. The deposit returns when no run uses it any more.
        #[pallet::call_index(2)]
        #[pallet::weight((T::WeightInfo::delist(), DispatchClass::Operational))]
        pub fn delist(origin: OriginFor<T>, dataset: DatasetId) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_delist(dataset)
        }

        /// Sets the parameters. Deposits keep their amount; points that were earned stay.
        #[pallet::call_index(3)]
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
        /// A registered dataset.
        pub fn dataset(dataset: DatasetId) -> Option<DatasetOf<T>> {
            Registry::<T>::get(dataset)
        }

        /// A registered dataset by its blob root.
        pub fn dataset_of(root: H256) -> Option<(DatasetId, DatasetOf<T>)> {
            let id = Roots::<T>::get(root)?;
            Some((id, Registry::<T>::get(id)?))
        }

        /// Up to `limit` (and 100) registered datasets from number `from` on, ascending, of at most 1,000 numbers.
        pub fn datasets(
            from: DatasetId,
            limit: u32,
        ) -> DatasetList<T::AccountId, BlockNumberFor<T>> {
            Self::registered_from(from, limit.min(100))
        }

        /// Those that wait for a decision, and what for.
        pub fn undecided() -> Vec<Undecided<BlockNumberFor<T>>> {
            UndecidedDatasets::<T>::get().into_inner()
        }

        /// What a run that uses a dataset has made of it.
        pub fn use_of(dataset: DatasetId, run: RunId) -> Option<Use> {
            Uses::<T>::get(dataset, run)
        }

        /// What the deposit of a dataset of so many bytes is now, in planck.
        pub fn deposit_of(bytes: u64) -> Balance {
            Parameters::<T>::get().deposit_for(bytes)
        }

        /// The parameters.
        pub fn params() -> Params {
            Parameters::<T>::get()
        }
    }
}
