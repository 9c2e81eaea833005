//! # Checkpoints
//!
//! The registry of models: what may be served, on what terms, and by which thresholds it is
//! audited.
//!
//! A checkpoint is named by the blob root of its files. Anybody may propose one against a deposit.
//! Its audit thresholds are never the proposer's word: validators drawn out of those that serve it
//! measure how honest machines differ, and the worst of their calibrations plus a margin holds.
//! Operators of the proposer are not drawn. Who is drawn and does not answer in time misses a duty
//! and makes room for another. Once calibrated, the admin may accept the checkpoint at a unit price
//! ([`Call::accept`]); from then on it takes payment, until it is retired. Jobs keep the terms that
//! they were opened on.
//!
//! What a run of the network made is registered by the pallet that ran it, with its **lineage**: parent, run, round,
//! dataset. It needs no deposit, since the run was paid for; it is calibrated and accepted like any other, and nobody but
//! the admin takes it away. An **adapter** names the checkpoint whose files it needs, its base; whatever becomes of the
//! adapter, the base stays what its root says.
//!
//! ```text
//! propose → Calibrating ⇄ Stalled        withdraw_proposal, reject: the deposit returns,
//!                │                       nothing stays
//!            Calibrated → Accepted → Retired → propose …
//! ```

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod calibration;
mod functions;
mod impls;
mod lineage;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod types;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

/// A registered checkpoint of the runtime.
pub type CheckpointOf<T> = Checkpoint<
    <T as frame_system::Config>::AccountId,
    frame_system::pallet_prelude::BlockNumberFor<T>,
>;

/// A lineage of the runtime.
pub type LineageOf<T> = Lineage<
    <T as frame_system::Config>::AccountId,
    frame_system::pallet_prelude::BlockNumberFor<T>,
>;

/// A step of an ancestry of the runtime.
pub type AncestorOf<T> = Ancestor<
    <T as frame_system::Config>::AccountId,
    frame_system::pallet_prelude::BlockNumberFor<T>,
>;

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::vec::Vec;
    use chasqui_primitives::{
        audit::AuditThresholds,
        traits::{Operators, Randomness},
        Balance, CheckpointRoot, RunId,
    };
    use frame_support::{
        pallet_prelude::*,
        traits::fungible::{hold, Inspect, Mutate},
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<Hash = H256, RuntimeEvent: From<Event<Self>>> {
        /// The runtime's hold reasons.
        type RuntimeHoldReason: From<HoldReason>;
        /// DOT.
        type NativeBalance: Inspect<Self::AccountId, Balance = Balance>
            + Mutate<Self::AccountId>
            + hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;
        /// The operators' registry: draws and duties.
        type Operators: Operators<Self::AccountId>;
        /// Seeds of draws.
        type Randomness: Randomness;
        /// What a unit of compute costs, in planck.
        type UnitPrice: Get<Balance>;
        /// Who accepts, rejects and retires.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// On hold while a checkpoint is registered, in planck.
        #[pallet::constant]
        type ProposalDeposit: Get<Balance>;
        /// Most validators that calibrate a checkpoint.
        #[pallet::constant]
        type MaxCalibrators: Get<u32>;
        /// Most calibrations that a block moves on.
        #[pallet::constant]
        type MaxAgenda: Get<u32>;
        type WeightInfo: WeightInfo;
        /// Sets operators up for benchmarks.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
    }

    /// Why balances are on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// A proposer's deposit.
        #[codec(index = 0)]
        Proposal,
    }

    /// The parameters of calibration.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

    /// The registered checkpoints.
    #[pallet::storage]
    pub type Registry<T: Config> = StorageMap<_, Identity, CheckpointRoot, CheckpointOf<T>>;

    /// Where the checkpoints come from that runs of the network made.
    #[pallet::storage]
    pub type Lineages<T: Config> = StorageMap<_, Identity, CheckpointRoot, LineageOf<T>>;

    /// Calibrations that have not ended.
    #[pallet::storage]
    pub type Calibrations<T: Config> = StorageMap<_, Identity, CheckpointRoot, Calibration<T>>;

    /// What each operator still has to calibrate: workers find their duties by prefix.
    #[pallet::storage]
    pub type CalibrationDuties<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Identity, CheckpointRoot, ()>;

    /// Calibrations that move on at the beginning of a block.
    #[pallet::storage]
    pub type Agenda<T: Config> = StorageMap<
        _,
        Twox64Concat,
        BlockNumberFor<T>,
        BoundedVec<CheckpointRoot, T::MaxAgenda>,
        ValueQuery,
    >;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The parameters of calibration.
        pub params: Params,
        /// Checkpoints that are accepted from the start.
        pub checkpoints: Vec<GenesisCheckpoint>,
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.params.is_valid(T::MaxCalibrators::get()),
                "calibration parameters out of range: {:?}",
                self.params
            );
            Parameters::<T>::put(self.params.clone());
            for entry in &self.checkpoints {
                assert!(
                    entry.info.is_valid()
                        && entry.thresholds.is_consistent()
                        && entry.thresholds.is_within(&self.params.ceiling),
                    "a checkpoint of genesis is not valid: {:?}",
                    entry.root
                );
                let checkpoint = Checkpoint {
                    info: entry.info.clone(),
                    proposer: None,
                    deposit: 0,
                    status: Status::Accepted,
                    thresholds: Some(entry.thresholds),
                    proposed_at: Default::default(),
                };
                Registry::<T>::insert(entry.root, checkpoint);
            }
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A checkpoint was proposed; validators will be drawn to calibrate it.
        Proposed {
            root: CheckpointRoot,
            proposer: T::AccountId,
        },
        /// A run made a checkpoint. Unless it is described as its parent is, it waits for a description by `by`.
        Trained {
            root: CheckpointRoot,
            parent: Option<CheckpointRoot>,
            base: Option<CheckpointRoot>,
            run: RunId,
            round: u32,
            dataset: H256,
            by: T::AccountId,
        },
        /// These validators have to calibrate it before `until`.
        CalibratorsDrawn {
            root: CheckpointRoot,
            validators: Vec<T::AccountId>,
            until: BlockNumberFor<T>,
        },
        /// A drawn validator submitted its calibration.
        CalibrationSubmitted {
            root: CheckpointRoot,
            validator: T::AccountId,
        },
        /// A drawn validator let its deadline lapse.
        CalibrationMissed {
            root: CheckpointRoot,
            validator: T::AccountId,
        },
        /// The thresholds are known.
        Calibrated {
            root: CheckpointRoot,
            thresholds: AuditThresholds,
        },
        /// Too few validators answered in all rounds.
        CalibrationStalled { root: CheckpointRoot },
        /// The proposer had the calibration go on.
        CalibrationRestarted { root: CheckpointRoot },
        /// The checkpoint takes payment.
        Accepted { root: CheckpointRoot },
        /// The proposal is gone: withdrawn by its proposer.
        Withdrawn { root: CheckpointRoot },
        /// The proposal is gone: rejected.
        Rejected { root: CheckpointRoot },
        /// The checkpoint takes no new jobs.
        Retired { root: CheckpointRoot },
        /// The parameters of calibration changed.
        ParamsSet { params: Params },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// A checkpoint of this root is registered.
        AlreadyRegistered,
        /// A field of the description is out of its range.
        InvalidInfo,
        /// The parent is not registered.
        UnknownParent,
        /// The base is not registered, is an adapter itself, is no ancestor, or computes otherwise.
        InvalidBase,
        /// Parent or base are not those of the checkpoint's lineage.
        OtherLineage,
        /// No run made a checkpoint of this root.
        NotTrained,
        /// It was described before: only the admin describes it anew.
        DescribedBefore,
        /// Only whoever registered it, or the admin, describes it.
        NotTheRegistrar,
        /// A run made it: nobody proposes it before it was described, and its registrar does not take it away.
        Trained,
        /// No checkpoint of this root is registered.
        UnknownCheckpoint,
        /// The checkpoint is not proposed any more.
        NotProposed,
        /// The checkpoint has no thresholds yet.
        NotCalibrated,
        /// The checkpoint is not accepted.
        NotAccepted,
        /// The calibration goes on; there is nothing to restart.
        NotStalled,
        /// Only its proposer may do that.
        NotTheProposer,
        /// The signer is neither an operator nor an operator's hot key.
        NotAnOperator,
        /// The operator is not drawn to calibrate this checkpoint now.
        NotAssigned,
        /// The operator has submitted its calibration.
        AlreadySubmitted,
        /// The hard limits are stricter than the soft ones, or margins are clipped at zero.
        InconsistentThresholds,
        /// A threshold is above the ceiling that the parameters set.
        BeyondCeiling,
        /// A parameter is out of its range.
        InvalidParams,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            Self::move_calibrations_on(now)
        }

        fn integrity_test() {
            assert!(
                T::MaxCalibrators::get() > 0,
                "a calibration needs a validator"
            );
            assert!(T::MaxAgenda::get() > 0, "the agenda needs room");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Proposes a checkpoint. Holds [`Config::ProposalDeposit`] while it is registered.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::propose())]
        pub fn propose(
            origin: OriginFor<T>,
            root: CheckpointRoot,
            info: CheckpointInfo,
        ) -> DispatchResult {
            let proposer = ensure_signed(origin)?;
            Self::do_propose(root, proposer, info)
        }

        /// Submits a drawn validator's calibration, by its bonded account or hot key. Free when it succeeds.
        #[pallet::call_index(1)]
        #[pallet::weight((T::WeightInfo::calibrate(), DispatchClass::Operational))]
        pub fn calibrate(
            origin: OriginFor<T>,
            root: CheckpointRoot,
            thresholds: AuditThresholds,
        ) -> DispatchResultWithPostInfo {
            let signer = ensure_signed(origin)?;
            let validator = T::Operators::by_signer(&signer).ok_or(Error::<T>::NotAnOperator)?;
            Self::do_calibrate(root, validator, thresholds)?;
            Ok(Pays::No.into())
        }

        /// Has a stalled calibration go on, by the proposer. What was submitted counts.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::restart_calibration())]
        pub fn restart_calibration(origin: OriginFor<T>, root: CheckpointRoot) -> DispatchResult {
            let proposer = ensure_signed(origin)?;
            Self::do_restart_calibration(root, proposer)
        }

        /// Withdraws a proposal that is not accepted, by the proposer. The deposit returns.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::remove_proposal())]
        pub fn withdraw_proposal(origin: OriginFor<T>, root: CheckpointRoot) -> DispatchResult {
            let proposer = ensure_signed(origin)?;
            let checkpoint = Self::registered(&root)?;
            ensure!(
                checkpoint.proposer.as_ref() == Some(&proposer),
                Error::<T>::NotTheProposer
            );
            // Whoever proposed a root before a run made it has a deposit to take back.
            ensure!(
                checkpoint.deposit > 0 || !Lineages::<T>::contains_key(root),
                Error::<T>::Trained
            );
            Self::do_remove_proposal(root, checkpoint)?;
            Self::deposit_event(Event::Withdrawn { root });
            Ok(())
        }

        /// Removes a proposal. The deposit returns.
        #[pallet::call_index(4)]
        #[pallet::weight((T::WeightInfo::remove_proposal(), DispatchClass::Operational))]
        pub fn reject(origin: OriginFor<T>, root: CheckpointRoot) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            let checkpoint = Self::registered(&root)?;
            Self::do_remove_proposal(root, checkpoint)?;
            Self::deposit_event(Event::Rejected { root });
            Ok(())
        }

        /// Has a calibrated checkpoint take payment.
        #[pallet::call_index(5)]
        #[pallet::weight((T::WeightInfo::accept(), DispatchClass::Operational))]
        pub fn accept(origin: OriginFor<T>, root: CheckpointRoot) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_accept(root)
        }

        // Call index 6 set the price of a checkpoint, which is now the same for all.

        /// Takes an accepted checkpoint out of service. The deposit returns; jobs that are open
        /// keep their terms. It may be proposed again.
        #[pallet::call_index(7)]
        #[pallet::weight((T::WeightInfo::retire(), DispatchClass::Operational))]
        pub fn retire(origin: OriginFor<T>, root: CheckpointRoot) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_retire(root)
        }

        /// Sets the parameters, for calibrations that begin from now on and for the next windows
        /// of those under way.
        #[pallet::call_index(8)]
        #[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
        pub fn set_params(origin: OriginFor<T>, params: Params) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            ensure!(
                params.is_valid(T::MaxCalibrators::get()),
                Error::<T>::InvalidParams
            );
            Parameters::<T>::put(params.clone());
            Self::deposit_event(Event::ParamsSet { params });
            Ok(())
        }

        /// Describes a checkpoint that a run made and that is not registered: by whoever registered its lineage, once,
        /// or by the admin. It is calibrated then. No deposit.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::describe_trained())]
        pub fn describe_trained(
            origin: OriginFor<T>,
            root: CheckpointRoot,
            info: CheckpointInfo,
        ) -> DispatchResult {
            let by = match T::AdminOrigin::try_origin(origin) {
                Ok(_) => None,
                Err(origin) => Some(ensure_signed(origin)?),
            };
            Self::do_describe_trained(root, by, info)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// A registered checkpoint.
        pub fn checkpoint(root: CheckpointRoot) -> Option<CheckpointOf<T>> {
            Registry::<T>::get(root)
        }

        /// Up to `limit` (and 1,000) registered checkpoints, in order of their roots; the next ones with the last root
        /// as `after`.
        pub fn checkpoints(
            after: Option<CheckpointRoot>,
            limit: u32,
        ) -> Vec<(CheckpointRoot, CheckpointOf<T>)> {
            Self::registered_after(after, limit.min(1_000))
        }

        /// Planck a unit of compute, if the checkpoint takes payment.
        pub fn price(root: CheckpointRoot) -> Option<Balance> {
            match Registry::<T>::get(root)?.status {
                Status::Accepted => Some(T::UnitPrice::get()),
                _ => None,
            }
        }

        /// A checkpoint and what it was made from, step by step, up to `limit` (and 64) of them.
        pub fn lineage(root: CheckpointRoot, limit: u32) -> Vec<AncestorOf<T>> {
            Self::ancestry(root, limit.min(64))
        }

        /// A calibration that has not ended.
        pub fn calibration(root: CheckpointRoot) -> Option<Calibration<T>> {
            Calibrations::<T>::get(root)
        }

        /// Checkpoints that an operator still has to calibrate.
        pub fn calibration_duties_of(operator: T::AccountId) -> Vec<CheckpointRoot> {
            CalibrationDuties::<T>::iter_key_prefix(operator).collect()
        }

        /// The parameters of calibration.
        pub fn params() -> Params {
            Parameters::<T>::get()
        }
    }
}
