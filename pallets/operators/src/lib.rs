//! # Operators
//!
//! The registry of those who compute and check: bonds, keys, endpoints, served checkpoints, standing, and the
//! weights that draws and electorates are made of.
//!
//! ## Terminology
//!
//! - **Operator**: a bonded account. It names a **hot key** that signs for it and an **owner** that it pays.
//! - **Related**: operators of one owner, an owner and its operators. The related never judge each other and never
//!   profit from each other's offences.
//! - **Weight**: the least of declared capacity and what the bond covers.
//! - **Frozen index**: per epoch, role and checkpoint, the operators serving it with their cumulative weights. A draw is
//!   a binary search in the newest one. The index of the zero checkpoint holds all validators.
//! - **Reputation**: steps earned by work that audits found valid, at most one an epoch; nothing after a false result.
//! - **Liability**: an open matter (a job, a case) that can still slash. The bond stays while there is one.
//!
//! ## Concepts
//!
//! At the start of an epoch a build begins to freeze all indices. It visits a bounded number of operators a block
//! (more where a block has weight left) and replaces each checkpoint's index as it completes; until then the one before
//! is used. So weights are those at the time of the build, shortly after the epoch's start. Indices are kept for
//! [`Params::index_retention`] epochs, because cases decide by the weights frozen when they opened.
//!
//! A bond is a hold. A slash takes a share of it: the victim's loss first, then reporter and auditors, the rest to the
//! reserve. What cannot be delivered (below the existential deposit) goes to the reserve too; nothing is ever burned.
//!
//! Other pallets use this one through [`chasqui_primitives::traits::Operators`] and
//! [`chasqui_primitives::traits::Epochs`].
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod epochs;
mod functions;
mod impls;
mod slashing;
#[cfg(any(test, feature = "try-runtime"))]
mod try_state;
mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use chasqui_primitives::{
    traits::{Checkpoints, Offence, OnOperatorLeft},
    Balance, CheckpointRoot, EpochIndex, Role, Roles,
};
use frame_support::{
    pallet_prelude::*,
    traits::fungible::{hold, Inspect},
};
use frame_system::pallet_prelude::*;

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
            + hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;

        /// What may be served.
        type Checkpoints: Checkpoints;

        /// Who forgets an operator that has left.
        type OnOperatorLeft: OnOperatorLeft<Self::AccountId>;

        /// Sets the parameters.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// Where slashes go that belong to nobody else.
        type ReserveAccount: Get<Self::AccountId>;

        /// Most operators there can be.
        #[pallet::constant]
        type MaxOperators: Get<u32>;

        /// Operators that a build of indices visits in every block, at least.
        #[pallet::constant]
        type IndexStep: Get<u32>;

        /// Weights of calls and hooks.
        type WeightInfo: WeightInfo;

        /// Registered checkpoints for benchmarks.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper;
    }

    /// Why balances are on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// An operator's bond.
        #[codec(index = 0)]
        Bond,
    }

    /// The governed parameters.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

    /// The operators by their bonded accounts.
    #[pallet::storage]
    pub type Operators<T: Config> =
        CountedStorageMap<_, Blake2_128Concat, T::AccountId, OperatorOf<T>>;

    /// Whom a hot key signs for.
    #[pallet::storage]
    pub type HotKeys<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, T::AccountId>;

    /// Operators by owner.
    #[pallet::storage]
    pub type OperatorsOfOwner<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Blake2_128Concat,
        T::AccountId,
        (),
        OptionQuery,
    >;

    /// By owner: the account that may name it as its owner. One at a time; used up by `register`.
    #[pallet::storage]
    pub type OwnerApprovals<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, T::AccountId>;

    /// Who declares to serve a checkpoint.
    #[pallet::storage]
    pub type Servers<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        CheckpointRoot,
        Blake2_128Concat,
        T::AccountId,
        (),
        OptionQuery,
    >;

    /// How many serve a checkpoint; absent: nobody.
    #[pallet::storage]
    pub type ServerCount<T: Config> = StorageMap<_, Blake2_128Concat, CheckpointRoot, u32>;

    /// The running epoch.
    #[pallet::storage]
    pub type CurrentEpoch<T: Config> = StorageValue<_, Epoch<BlockNumberFor<T>>, ValueQuery>;

    /// Cumulative weights frozen in an epoch, by role and checkpoint (zero: all validators).
    #[pallet::storage]
    pub type Indices<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Twox64Concat, EpochIndex>,
            NMapKey<Twox64Concat, Role>,
            NMapKey<Blake2_128Concat, CheckpointRoot>,
        ),
        IndexOf<T>,
        ValueQuery,
    >;

    /// The newest frozen index of a role and checkpoint.
    #[pallet::storage]
    pub type LatestIndex<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        Role,
        Blake2_128Concat,
        CheckpointRoot,
        Frozen,
        OptionQuery,
    >;

    /// The build of indices under way.
    #[pallet::storage]
    pub type Build<T: Config> = StorageValue<_, IndexBuildOf<T>>;

    /// The last epoch whose indices are all built.
    #[pallet::storage]
    pub type BuiltEpoch<T: Config> = StorageValue<_, EpochIndex>;

    /// The oldest epoch that may still have indices.
    #[pallet::storage]
    pub type OldestIndex<T: Config> = StorageValue<_, EpochIndex, ValueQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The governed parameters.
        pub params: Params,
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.params.is_valid(T::NativeBalance::minimum_balance()),
                "the operators pallet's genesis parameters do not fit together"
            );
            Parameters::<T>::put(&self.params);
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An operator registered.
        Registered {
            operator: T::AccountId,
            owner: T::AccountId,
            hot_key: T::AccountId,
            bond: Balance,
        },
        /// A bond grew by `amount` to `bond`.
        BondIncreased {
            operator: T::AccountId,
            amount: Balance,
            bond: Balance,
        },
        /// Another hot key signs from now on.
        HotKeySet {
            operator: T::AccountId,
            hot_key: T::AccountId,
        },
        /// The worker listens elsewhere, or has another TLS key.
        EndpointSet {
            operator: T::AccountId,
            endpoint: Endpoint,
        },
        /// The roles changed.
        RolesSet {
            operator: T::AccountId,
            roles: Roles,
        },
        /// The declared capacity changed.
        CapacitySet {
            operator: T::AccountId,
            capacity: u32,
        },
        /// The operator declares to serve a checkpoint.
        ServingStarted {
            operator: T::AccountId,
            checkpoint: CheckpointRoot,
        },
        /// The operator no longer serves a checkpoint.
        ServingStopped {
            operator: T::AccountId,
            checkpoint: CheckpointRoot,
        },
        /// An owner lets an account (`None`: nobody) name it as its owner.
        OperatorApproved {
            owner: T::AccountId,
            operator: Option<T::AccountId>,
        },
        /// The operator leaves; its bond stays until block `until`.
        UnbondingStarted {
            operator: T::AccountId,
            until: BlockNumberFor<T>,
        },
        /// The operator left with its bond.
        Withdrawn {
            operator: T::AccountId,
            amount: Balance,
        },
        /// The operator is not drawn before `unjail` in epoch `until` or later.
        Jailed {
            operator: T::AccountId,
            until: EpochIndex,
        },
        /// The operator is back.
        Unjailed { operator: T::AccountId },
        /// A duty was missed: `missed` of the last `duties`.
        DutyMissed {
            operator: T::AccountId,
            missed: u32,
            duties: u32,
        },
        /// A soft verdict was recorded: `soft` of the last `audits`.
        SoftRecorded {
            operator: T::AccountId,
            soft: u32,
            audits: u32,
        },
        /// Reputation changed to `steps`.
        ReputationChanged { operator: T::AccountId, steps: u32 },
        /// `amount` of a bond was taken.
        Slashed {
            operator: T::AccountId,
            offence: Offence,
            amount: Balance,
            to_victim: Balance,
            to_reporter: Balance,
            to_auditors: Balance,
            to_reserve: Balance,
        },
        /// `amount` of a bond was taken for a flag that was overturned.
        LienForfeited {
            operator: T::AccountId,
            amount: Balance,
        },
        /// The parameters changed.
        ParamsSet { params: Params },
        /// An epoch began.
        EpochStarted { epoch: EpochIndex },
        /// The weights of `epoch` are frozen for every checkpoint.
        WeightsFrozen { epoch: EpochIndex },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The account is an operator already.
        AlreadyRegistered,
        /// The account (or the one its key signs for) is no operator.
        NotOperator,
        /// The account is no operator's hot key, or its own.
        NotHotKey,
        /// The key signs for another operator, or is another operator.
        HotKeyTaken,
        /// The account is another operator's hot key.
        IsHotKey,
        /// The bond is below the minimum.
        BondTooLow,
        /// The amount is zero.
        ZeroAmount,
        /// No role is set.
        NoRole,
        /// The capacity is zero or above the maximum.
        InvalidCapacity,
        /// The URL is empty or not printable ASCII.
        InvalidEndpoint,
        /// The owner has not approved this account.
        OwnerNotApproved,
        /// There are as many operators as there can be.
        TooManyOperators,
        /// No checkpoint of that name is registered.
        UnknownCheckpoint,
        /// The operator serves it already.
        AlreadyServing,
        /// The operator does not serve it.
        NotServing,
        /// The operator serves as many checkpoints as one can.
        TooManyCheckpoints,
        /// The operator is leaving.
        Unbonding,
        /// The operator has not begun to leave.
        NotUnbonding,
        /// The unbonding time is not over.
        StillUnbonding,
        /// An open matter can still slash the bond.
        HasLiabilities,
        /// The operator is not in jail.
        NotJailed,
        /// The time in jail is not over.
        StillJailed,
        /// The parameters do not fit together.
        InvalidParams,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            Self::begin_block(now)
        }

        fn on_idle(_now: BlockNumberFor<T>, remaining: Weight) -> Weight {
            Self::use_idle(remaining)
        }

        fn integrity_test() {
            assert!(T::MaxOperators::get() > 0, "MaxOperators must not be zero");
            assert!(T::IndexStep::get() > 0, "IndexStep must not be zero");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Registers the origin as an operator and puts `bond` planck on hold.
        ///
        /// `owner` defaults to the origin; another account must have called `approve_operator` before. Standing starts
        /// at zero, whatever an account was before.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::register())]
        pub fn register(
            origin: OriginFor<T>,
            #[pallet::compact] bond: Balance,
            hot_key: T::AccountId,
            roles: Roles,
            capacity: u32,
            endpoint: Endpoint,
            owner: Option<T::AccountId>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_register(who, bond, hot_key, roles, capacity, endpoint, owner)
        }

        /// Puts `amount` more planck on hold.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::bond_extra())]
        pub fn bond_extra(
            origin: OriginFor<T>,
            #[pallet::compact] amount: Balance,
        ) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            Self::do_bond_extra(operator, amount)
        }

        /// Replaces the hot key; the bonded account's own signature is needed.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::set_hot_key())]
        pub fn set_hot_key(origin: OriginFor<T>, hot_key: T::AccountId) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            Self::do_set_hot_key(operator, hot_key)
        }

        /// Moves the endpoint or rotates its TLS key; by the operator or its hot key.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::set_endpoint())]
        pub fn set_endpoint(origin: OriginFor<T>, endpoint: Endpoint) -> DispatchResult {
            let operator = Self::ensure_operator_or_hot_key(origin)?;
            Self::do_set_endpoint(operator, endpoint)
        }

        /// Declares to serve a checkpoint from the next frozen index on; by the operator or its hot key.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::serve())]
        pub fn serve(origin: OriginFor<T>, checkpoint: CheckpointRoot) -> DispatchResult {
            let operator = Self::ensure_operator_or_hot_key(origin)?;
            ensure!(
                !checkpoint.is_zero() && T::Checkpoints::exists(&checkpoint),
                Error::<T>::UnknownCheckpoint
            );
            Self::do_serve(operator, checkpoint)
        }

        /// Serves a checkpoint no longer: not drawn for it from now on. By the operator or its hot key.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::unserve())]
        pub fn unserve(origin: OriginFor<T>, checkpoint: CheckpointRoot) -> DispatchResult {
            let operator = Self::ensure_operator_or_hot_key(origin)?;
            Self::do_unserve(operator, checkpoint)
        }

        /// Changes the declared capacity, from the next frozen index on.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::set_capacity())]
        pub fn set_capacity(origin: OriginFor<T>, capacity: u32) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            Self::do_set_capacity(operator, capacity)
        }

        /// Changes the roles: drawn for a new one from the next frozen index on, for a dropped one no longer.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::set_roles())]
        pub fn set_roles(origin: OriginFor<T>, roles: Roles) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            Self::do_set_roles(operator, roles)
        }

        /// Lets `operator` (`None`: nobody) name the origin as its owner when it registers.
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::approve_operator())]
        pub fn approve_operator(
            origin: OriginFor<T>,
            operator: Option<T::AccountId>,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            OwnerApprovals::<T>::set(&owner, operator.clone());
            Self::deposit_event(Event::OperatorApproved { owner, operator });
            Ok(())
        }

        /// Starts to leave: drawn no longer, and free to withdraw after the unbonding time.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::unbond())]
        pub fn unbond(origin: OriginFor<T>) -> DispatchResult {
            let operator = ensure_signed(origin)?;
            Self::do_unbond(operator)
        }

        /// Takes the bond back and leaves, once unbonding is over and nothing is open that could slash.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::withdraw(MAX_CHECKPOINTS))]
        pub fn withdraw(origin: OriginFor<T>) -> DispatchResultWithPostInfo {
            let operator = ensure_signed(origin)?;
            let served = Self::do_withdraw(operator)?;
            Ok(Some(T::WeightInfo::withdraw(served)).into())
        }

        /// Returns from jail; by the operator or its hot key.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::unjail())]
        pub fn unjail(origin: OriginFor<T>) -> DispatchResult {
            let operator = Self::ensure_operator_or_hot_key(origin)?;
            Self::do_unjail(operator)
        }

        /// Replaces the governed parameters.
        #[pallet::call_index(12)]
        #[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
        pub fn set_params(origin: OriginFor<T>, params: Params) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            ensure!(
                params.is_valid(T::NativeBalance::minimum_balance()),
                Error::<T>::InvalidParams
            );
            Parameters::<T>::put(&params);
            Self::deposit_event(Event::ParamsSet { params });
            Ok(())
        }

        /// As a hot key: signs for its operator no longer; the bonded account is its own hot key then.
        ///
        /// Frees an account that somebody named as a hot key without asking.
        #[pallet::call_index(13)]
        #[pallet::weight(T::WeightInfo::resign_hot_key())]
        pub fn resign_hot_key(origin: OriginFor<T>) -> DispatchResult {
            let hot_key = ensure_signed(origin)?;
            Self::do_resign_hot_key(hot_key)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// An operator by its bonded account or hot key.
        pub fn operator(
            account: T::AccountId,
        ) -> Option<OperatorInfo<T::AccountId, BlockNumberFor<T>>> {
            Self::operator_info(&Self::resolve(&account)?)
        }

        /// Up to `limit` (and 100) of those who declare to serve a checkpoint, in no particular order; the next ones with
        /// the last of them as `after`.
        pub fn operators_of(
            checkpoint: CheckpointRoot,
            after: Option<T::AccountId>,
            limit: u32,
        ) -> alloc::vec::Vec<OperatorInfo<T::AccountId, BlockNumberFor<T>>> {
            Self::servers_after(checkpoint, after.as_ref(), limit.min(100))
                .iter()
                .filter_map(Self::operator_info)
                .collect()
        }

        /// The governed parameters.
        pub fn params() -> Params {
            Parameters::<T>::get()
        }

        /// The running epoch.
        pub fn epoch() -> EpochInfo<BlockNumberFor<T>> {
            Self::epoch_info()
        }

        /// The newest frozen weights of a role on a checkpoint, in figures.
        pub fn frozen(role: Role, checkpoint: CheckpointRoot) -> Option<Frozen> {
            LatestIndex::<T>::get(role, checkpoint)
        }

        /// Whether the checkpoint's electorate is large enough for it to take payment.
        pub fn takes_payment(checkpoint: CheckpointRoot) -> bool {
            Self::electorate_suffices(&checkpoint)
        }
    }
}
