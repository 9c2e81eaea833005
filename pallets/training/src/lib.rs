//! # Training
//!
//! The network trains its own models: funded runs of DiLoCo rounds, without a coordinator, audited by replay.
//!
//! What a run is, and what happens in it, is decided by a pure machine, [`chasqui_primitives::training`]; its invariants
//! T1 to T11 are described and tested there. This pallet keeps the machine's records, tells it what members do and which
//! block it is, and carries out what follows.
//!
//! | follows | carried out by |
//! |---|---|
//! | a seed that does not exist yet decides something | [`Randomness`] |
//! | somebody's work, or a challenged outer step, is judged | a case of pallet audits, [`Subject::Training`] and [`Subject::TrainingOuter`] |
//! | pay for a final round | [`TrainingFund`], out of what was earmarked when the run was created; the dataset is credited |
//! | duties, liabilities of bonds, slashes | [`Operators`] |
//! | deposits of members and challengers | holds |
//!
//! ## Who is who
//!
//! A run has a **root**, which operators declare to serve like a checkpoint. Compute operators that do may join;
//! validators that do judge. Nobody who is **tied** to a run judges it, nor anybody related: whoever is a member, or has a
//! contribution in a round that is not done with ([`Seat`]). So a member that leaves at once cannot judge the challenge of
//! a round that it voted in.
//!
//! ## What a block does
//!
//! At most [`Config::ServiceWeight`] goes into the live runs, of which there are at most [`Config::MaxRuns`]. Another
//! one begins in each block, and none takes what others need for a step. Whatever concerns all members of a run is done
//! in steps of O(1) records, a case opened in each at the most; what a block has no room for the next one does.
//!
//! ## After a run
//!
//! The newest checkpoint that a final round made may be registered, with its lineage, however the run ended. Validators
//! that serve a checkpoint may state its loss on held-out tokens of a dataset.
//!
//! [`Subject::Training`]: chasqui_primitives::audit::Subject::Training
//! [`Subject::TrainingOuter`]: chasqui_primitives::audit::Subject::TrainingOuter
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod effects;
mod errors;
mod evaluations;
mod events;
mod functions;
mod impls;
#[cfg(test)]
mod mock;
mod refusals;
mod seats;
mod service;
mod store;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod types;
pub mod weights;

pub use pallet::*;
pub use store::RunStore;
pub use types::*;
pub use weights::WeightInfo;

use alloc::{boxed::Box, vec::Vec};
use chasqui_primitives::{
    audit::Decision,
    training::{
        round::Tally, Contribution, Exit, Failure, List, Member, ModelState, Ranks, ReplayClass,
        Round, RoundReport, RunTerms, MAX_MEMBERS,
    },
    traits::{
        Cases, Checkpoints, Datasets, Operators, Randomness, TrainedCheckpoints, TrainingFund,
    },
    Balance, CaseId, CheckpointRoot, RunId,
};
use frame_support::{
    pallet_macros::import_section,
    pallet_prelude::*,
    traits::fungible::{hold, Inspect, Mutate},
};
use frame_system::pallet_prelude::*;
use sp_core::H256;

/// A run of the runtime.
pub type RunRecordOf<T> = RunRecord<<T as frame_system::Config>::AccountId>;
/// What ties an operator of the runtime to a run.
pub type SeatOf<T> = Seat<<T as frame_system::Config>::AccountId>;
/// The evaluations of a checkpoint.
pub type EvaluationsOf<T> =
    BoundedVec<Evaluation<<T as frame_system::Config>::AccountId>, <T as Config>::MaxEvaluations>;

pub(crate) const LOG_TARGET: &str = "runtime::training";

#[import_section(events::events)]
#[import_section(errors::errors)]
#[frame_support::pallet]
pub mod pallet {
    use super::*;

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
        /// The registry of operators.
        type Operators: Operators<Self::AccountId>;
        /// What runs begin from, and where what they made is registered.
        type Checkpoints: Checkpoints + TrainedCheckpoints<Self::AccountId>;
        /// What runs are paid from.
        type Fund: TrainingFund<Self::AccountId>;
        /// What runs train on.
        type Datasets: Datasets<Self::AccountId>;
        /// Where work is judged.
        type Cases: Cases<Self::AccountId>;
        /// Seeds of draws.
        type Randomness: Randomness;
        /// Where lost deposits go.
        type Reserve: Get<Self::AccountId>;
        /// Creates and calls off runs, sets the parameters.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Most runs that live at a time.
        #[pallet::constant]
        type MaxRuns: Get<u32>;
        /// Most members of a run; at most [`MAX_MEMBERS`].
        #[pallet::constant]
        type MaxMembers: Get<u32>;
        /// Most evaluations of a checkpoint.
        #[pallet::constant]
        type MaxEvaluations: Get<u32>;
        /// Most weight that `on_initialize` spends.
        #[pallet::constant]
        type ServiceWeight: Get<Weight>;
        /// Weights of calls and hooks.
        type WeightInfo: WeightInfo;
        /// What the benchmarks need of the runtime around the pallet.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
    }

    /// Why balances are on hold.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// For what an operator has in storage as a member of runs.
        #[codec(index = 0)]
        Member,
        /// The deposits of an operator's open challenges.
        #[codec(index = 1)]
        Challenge,
        /// For an operator's evaluations.
        #[codec(index = 2)]
        Evaluation,
    }

    /// The parameters.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

    /// The number of the next run.
    #[pallet::storage]
    pub type NextRun<T> = StorageValue<_, RunId, ValueQuery>;

    /// Runs that are not over.
    #[pallet::storage]
    pub type Live<T: Config> = StorageValue<_, BoundedVec<RunId, T::MaxRuns>, ValueQuery>;

    /// Their numbers by root.
    #[pallet::storage]
    pub type Roots<T> = StorageMap<_, Blake2_128Concat, H256, RunId>;

    /// What each run was agreed on.
    #[pallet::storage]
    pub type Terms<T> = StorageMap<_, Twox64Concat, RunId, RunTerms>;

    /// Runs, over or not.
    #[pallet::storage]
    pub type Runs<T: Config> = StorageMap<_, Twox64Concat, RunId, RunRecordOf<T>>;

    /// Members of live runs.
    #[pallet::storage]
    pub type Members<T: Config> =
        StorageDoubleMap<_, Twox64Concat, RunId, Blake2_128Concat, T::AccountId, Member>;

    /// Who is where in a run's lists.
    #[pallet::storage]
    pub type Slots<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Twox64Concat, RunId>,
            NMapKey<Twox64Concat, List>,
            NMapKey<Twox64Concat, u32>,
        ),
        T::AccountId,
    >;

    /// Rounds that are not done with.
    #[pallet::storage]
    pub type Rounds<T> = StorageDoubleMap<_, Twox64Concat, RunId, Twox64Concat, u32, Round>;

    /// What members did in these rounds, by rank.
    #[pallet::storage]
    pub type Contributions<T: Config> = StorageNMap<
        _,
        (
            NMapKey<Twox64Concat, RunId>,
            NMapKey<Twox64Concat, u32>,
            NMapKey<Twox64Concat, u32>,
        ),
        Contribution<T::AccountId>,
    >;

    /// Roots that reports of these rounds name.
    #[pallet::storage]
    pub type Revealed<T> = StorageNMap<
        _,
        (
            NMapKey<Twox64Concat, RunId>,
            NMapKey<Twox64Concat, u32>,
            NMapKey<Blake2_128Concat, H256>,
        ),
        (),
    >;

    /// When the members of a round committed, in blocks since it began to train.
    #[pallet::storage]
    pub type Times<T> = StorageDoubleMap<
        _,
        Twox64Concat,
        RunId,
        Twox64Concat,
        u32,
        BoundedVec<u32, ConstU32<MAX_MEMBERS>>,
        ValueQuery,
    >;

    /// How many of a round attest each rank, while that is counted.
    #[pallet::storage]
    pub type Tallies<T> = StorageDoubleMap<_, Twox64Concat, RunId, Twox64Concat, u32, Tally>;

    /// States that members say a round ends in, and how many do.
    #[pallet::storage]
    pub type Votes<T> = StorageNMap<
        _,
        (
            NMapKey<Twox64Concat, RunId>,
            NMapKey<Twox64Concat, u32>,
            NMapKey<Blake2_128Concat, H256>,
        ),
        (ModelState, u32),
    >;

    /// What ties operators to runs.
    #[pallet::storage]
    pub type Seats<T: Config> =
        StorageDoubleMap<_, Twox64Concat, RunId, Blake2_128Concat, T::AccountId, SeatOf<T>>;

    /// How many seats of a run an account stands behind, as operator or as owner: it does not judge.
    #[pallet::storage]
    pub type Interested<T: Config> =
        StorageDoubleMap<_, Twox64Concat, RunId, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

    /// What validators found that checkpoints lose on held-out tokens.
    #[pallet::storage]
    pub type Evaluations<T: Config> =
        StorageMap<_, Blake2_128Concat, CheckpointRoot, EvaluationsOf<T>, ValueQuery>;

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
                "parameters of training out of range: {:?}",
                self.params
            );
            Parameters::<T>::put(self.params);
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            Self::serve()
        }

        fn integrity_test() {
            Self::check_limits();
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Creates a run. Its budget is earmarked in the fund, and its dataset cannot be withdrawn until it is over.
        #[pallet::call_index(0)]
        #[pallet::weight((T::WeightInfo::create_run(), DispatchClass::Operational))]
        pub fn create_run(origin: OriginFor<T>, terms: Box<RunTerms>) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::do_create_run(*terms)
        }

        /// Joins a run, by an operator that serves its root with the compute role. Holds a deposit while something ties
        /// it to the run. `class` says whose bits it computes.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::join())]
        pub fn join(origin: OriginFor<T>, run: RunId, class: ReplayClass) -> DispatchResult {
            let who = Self::operator_of(origin)?;
            Self::do_join(who, run, class)
        }

        /// Says that base and data are there. Who does not in time is dropped.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::heartbeat())]
        pub fn heartbeat(origin: OriginFor<T>, run: RunId) -> DispatchResult {
            let who = Self::operator_of(origin)?;
            Self::do_heartbeat(who, run)
        }

        /// Leaves a run: at once before its first round, else when the running round has ended.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::leave())]
        pub fn leave(origin: OriginFor<T>, run: RunId) -> DispatchResult {
            let who = Self::operator_of(origin)?;
            Self::tell(run, &[], |machine| machine.leave(&who))
        }

        /// Commits to the report of a round, see [`RoundReport::commitment`]; its author is the bonded account.
        #[pallet::call_index(4)]
        #[pallet::weight((T::WeightInfo::commit(), DispatchClass::Operational))]
        pub fn commit(
            origin: OriginFor<T>,
            run: RunId,
            round: u32,
            commitment: H256,
        ) -> DispatchResultWithPostInfo {
            let who = Self::operator_of(origin)?;
            Self::do_commit(who, run, round, commitment)?;
            Ok(Pays::No.into())
        }

        /// Reveals the report that was committed to.
        #[pallet::call_index(5)]
        #[pallet::weight((T::WeightInfo::reveal(), DispatchClass::Operational))]
        pub fn reveal(
            origin: OriginFor<T>,
            run: RunId,
            round: u32,
            report: RoundReport,
            salt: [u8; 32],
        ) -> DispatchResultWithPostInfo {
            let who = Self::operator_of(origin)?;
            Self::do_reveal(who, run, round, report, salt)?;
            Ok(Pays::No.into())
        }

        /// Says whose pseudo-gradients the member holds: fetched, decoded, of the right shape.
        #[pallet::call_index(6)]
        #[pallet::weight((T::WeightInfo::attest(), DispatchClass::Operational))]
        pub fn attest(
            origin: OriginFor<T>,
            run: RunId,
            round: u32,
            ranks: Ranks,
        ) -> DispatchResultWithPostInfo {
            let who = Self::operator_of(origin)?;
            Self::do_attest(who, run, round, ranks)?;
            Ok(Pays::No.into())
        }

        /// Says what the outer step of the round gives.
        #[pallet::call_index(7)]
        #[pallet::weight((T::WeightInfo::agree(), DispatchClass::Operational))]
        pub fn agree(
            origin: OriginFor<T>,
            run: RunId,
            round: u32,
            model: ModelState,
        ) -> DispatchResultWithPostInfo {
            let who = Self::operator_of(origin)?;
            Self::do_agree(who, run, round, model)?;
            Ok(Pays::No.into())
        }

        /// Says that the outer step of an agreed round gives something else, by any operator. Holds a deposit: it
        /// returns, with a part of what the liars are slashed, where that is so, and is lost where the agreed model is
        /// right.
        #[pallet::call_index(8)]
        #[pallet::weight((T::WeightInfo::challenge(), DispatchClass::Operational))]
        pub fn challenge(
            origin: OriginFor<T>,
            run: RunId,
            round: u32,
            model: ModelState,
        ) -> DispatchResult {
            let who = Self::operator_of(origin)?;
            Self::do_challenge(who, run, round, model)
        }

        /// Calls a run off. The running round is void; what was agreed on becomes final or not, as ever.
        #[pallet::call_index(9)]
        #[pallet::weight((T::WeightInfo::cancel_run(), DispatchClass::Operational))]
        pub fn cancel_run(origin: OriginFor<T>, run: RunId) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Self::tell(run, &[], |machine| machine.cancel())?;
            Self::deposit_event(Event::Cancelled { run });
            Ok(())
        }

        /// Registers the newest checkpoint that a final round of a run made, once the run is over, by any operator.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::register_checkpoint())]
        pub fn register_checkpoint(origin: OriginFor<T>, run: RunId) -> DispatchResult {
            let by = Self::operator_of(origin)?;
            Self::do_register(by, run)
        }

        /// States what a checkpoint loses on held-out tokens of a dataset, by a validator that serves it; again, to
        /// replace what it said before. Holds a deposit until that is withdrawn.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::attest_evaluation(T::MaxEvaluations::get()))]
        pub fn attest_evaluation(
            origin: OriginFor<T>,
            root: CheckpointRoot,
            dataset: H256,
            result: EvaluationResult,
        ) -> DispatchResult {
            let by = Self::operator_of(origin)?;
            Self::do_evaluate(by, root, dataset, result)
        }

        /// Takes back what the validator said of a checkpoint. The deposit returns.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::withdraw_evaluation(T::MaxEvaluations::get()))]
        pub fn withdraw_evaluation(
            origin: OriginFor<T>,
            root: CheckpointRoot,
            dataset: H256,
        ) -> DispatchResult {
            let by = Self::operator_or_signer(origin)?;
            Self::do_withdraw_evaluation(by, root, dataset)
        }

        /// Sets the parameters. Deposits keep their amount.
        #[pallet::call_index(13)]
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
        /// A run, over or not, with its terms.
        pub fn run(run: RunId) -> Option<(RunTerms, RunRecordOf<T>)> {
            Self::run_of(run).ok()
        }

        /// Up to `limit` (and 100) runs from number `from` on, ascending.
        pub fn runs(from: RunId, limit: u32) -> RunList<T::AccountId> {
            Self::runs_from(from, limit.min(100))
        }

        /// The run of this root that lives.
        pub fn live_run(root: H256) -> Option<RunId> {
            Roots::<T>::get(root)
        }

        /// A round that is not done with.
        pub fn round(run: RunId, round: u32) -> Option<Round> {
            Rounds::<T>::get(run, round)
        }

        /// The members of a live run.
        pub fn members(run: RunId) -> MemberList<T::AccountId> {
            Members::<T>::iter_prefix(run).collect()
        }

        /// What members did in a round that is not done with, by rank.
        pub fn contributions(run: RunId, round: u32) -> ContributionList<T::AccountId> {
            Self::contributions_of(run, round)
        }

        /// What validators found that a checkpoint loses.
        pub fn evaluations(root: CheckpointRoot) -> EvaluationsOf<T> {
            Evaluations::<T>::get(root)
        }

        /// What the live runs that `who` is a member of are to it in this block, and wait for.
        pub fn tasks(who: T::AccountId) -> Vec<MemberTask> {
            Self::tasks_of(&who)
        }

        /// The parameters.
        pub fn params() -> Params {
            Parameters::<T>::get()
        }
    }
}
