//! # Audits
//!
//! One ledger of cases: somebody's work, a few drawn auditors, and a vote when they do not agree.
//!
//! A case opens through [`chasqui_primitives::traits::Cases`], which freezes its electorate and
//! draws a panel by weight. **Stage one**: the panel commits to verdicts and to evidence of having
//! replayed the work, then reveals. If all say valid and their evidence agrees, the case is closed.
//! Seats that stay silent are drawn anew once. A claim that the executor withholds its trace gives
//! it a window to post the trace on chain. Anything else goes to **stage two**: the whole
//! electorate commits and reveals, and more than half of its weight decides.
//!
//! Every other verdict than valid is a *flag*: its author's bond answers for the cost of stage two
//! until the case closes. The pallet moves no funds itself; it tells the operators' registry who
//! kept a duty, who missed one and whose lien is forfeit, and the subject's owner how it ended.
//!
//! How a case moves on is decided by plain functions in [`machine`]; windows close in
//! `on_initialize`, out of an agenda with a bounded number of cases and of ballots a block. What a
//! block has no room for rolls forward, and windows that depend on it begin when it is done.
//!
//! Calls answer clearly and lose nothing when they come early, late, twice or from a stranger, and
//! a call that succeeds is free. They are operational, so that blocks full of other transactions do
//! not make anybody miss a window.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod functions;
mod impls;
pub mod machine;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", test))]
mod try_state;
pub mod types;
mod wake;
pub mod weights;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use alloc::vec::Vec;
    use chasqui_primitives::{
        audit::{Decision, Evidence, Stage, Subject, Verdict},
        traits::{CaseSubjects, Ledger, Operators, Randomness},
        Balance, CaseId,
    };
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_core::H256;

    const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<Hash = H256, RuntimeEvent: From<Event<Self>>> {
        /// The operators' registry: draws, weights, duties, liens.
        type Operators: Operators<Self::AccountId>;
        /// Where contribution points are booked.
        type Ledger: Ledger<Self::AccountId>;
        /// Seeds for redraws.
        type Randomness: Randomness;
        /// Those whose work is judged.
        type Subjects: CaseSubjects<Self::AccountId>;
        /// Who may change [`Params`].
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Most seats of a panel.
        #[pallet::constant]
        type MaxSeats: Get<u32>;
        /// Most voters of a case; of a larger electorate the heaviest vote.
        #[pallet::constant]
        type MaxElectorate: Get<u32>;
        /// Most cases whose window closes in one block.
        #[pallet::constant]
        type MaxAgenda: Get<u32>;
        /// Most ballots that one block opens, renews or counts (more only for a single case).
        #[pallet::constant]
        type MaxBallotsPerBlock: Get<u32>;
        type WeightInfo: WeightInfo;
        /// Sets operators up for benchmarks.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
    }

    /// The parameters of audits.
    #[pallet::storage]
    pub type Parameters<T> = StorageValue<_, Params, ValueQuery>;

    /// The number of the next case.
    #[pallet::storage]
    pub type NextCase<T> = StorageValue<_, CaseId, ValueQuery>;

    /// Open cases.
    #[pallet::storage]
    pub type Cases<T: Config> = StorageMap<_, Twox64Concat, CaseId, Case<T>>;

    /// Ballots of open cases in stage two.
    #[pallet::storage]
    pub type Ballots<T: Config> =
        StorageDoubleMap<_, Twox64Concat, CaseId, Blake2_128Concat, T::AccountId, Ballot>;

    /// Openings that executors posted for open cases.
    #[pallet::storage]
    pub type Openings<T> = StorageMap<_, Twox64Concat, CaseId, Opening>;

    /// What each operator still has to commit or reveal: workers find their duties by prefix.
    #[pallet::storage]
    pub type Duties<T: Config> =
        StorageDoubleMap<_, Blake2_128Concat, T::AccountId, Twox64Concat, CaseId, Stage>;

    /// Cases whose window closes at the beginning of a block. Every open case is in exactly one.
    #[pallet::storage]
    pub type Agenda<T: Config> = StorageMap<
        _,
        Twox64Concat,
        BlockNumberFor<T>,
        BoundedVec<CaseId, T::MaxAgenda>,
        ValueQuery,
    >;

    /// What became of all cases so far.
    #[pallet::storage]
    pub type Totals<T> = StorageValue<_, Counters, ValueQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// The parameters of audits.
        pub params: Params,
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            assert!(
                self.params.is_valid(T::MaxSeats::get()),
                "audit parameters out of range: {:?}",
                self.params
            );
            Parameters::<T>::put(self.params.clone());
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A case is open; the panel may commit.
        CaseOpened {
            case: CaseId,
            subject: Subject,
            operator: T::AccountId,
            panel: Vec<T::AccountId>,
        },
        /// An auditor committed to a verdict.
        Committed {
            case: CaseId,
            stage: Stage,
            auditor: T::AccountId,
        },
        /// The commit window has closed.
        RevealsOpened { case: CaseId, stage: Stage },
        /// An auditor revealed its verdict.
        Revealed {
            case: CaseId,
            stage: Stage,
            auditor: T::AccountId,
            verdict: Verdict,
        },
        /// A verdict other than valid: so much of its author's bond answers for it.
        Flagged {
            case: CaseId,
            auditor: T::AccountId,
            lien: Balance,
        },
        /// Seats that did not reveal are drawn anew once there is randomness.
        SeatsDismissed {
            case: CaseId,
            auditors: Vec<T::AccountId>,
        },
        /// The panel is complete again and judges anew.
        SeatsRedrawn {
            case: CaseId,
            auditors: Vec<T::AccountId>,
        },
        /// The executor must post its opening before `until`.
        OpeningDemanded {
            case: CaseId,
            operator: T::AccountId,
            until: BlockNumberFor<T>,
        },
        /// The opening was posted, but several auditors had said independently that it was withheld: they keep their
        /// liens, and the operator has missed a duty.
        WithholdingConfirmed {
            case: CaseId,
            operator: T::AccountId,
            claimants: u32,
        },
        /// The executor posted its opening.
        OpeningPosted { case: CaseId },
        /// The auditors judge anew, with the opening on chain.
        JudgedAnew { case: CaseId, stage: Stage },
        /// The electorate votes.
        StageTwoOpened {
            case: CaseId,
            voters: u32,
            weight: u64,
        },
        /// The windows of stage two begin once more.
        StageTwoExtended { case: CaseId },
        /// A lien was forfeited; `paid` is what the bond gave.
        LienForfeited {
            case: CaseId,
            auditor: T::AccountId,
            paid: Balance,
        },
        /// A case is closed.
        CaseClosed {
            case: CaseId,
            subject: Subject,
            stage: Stage,
            decision: Decision,
            majority: u32,
        },
        /// The parameters of audits changed.
        ParamsSet { params: Params },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The signer is neither an operator nor an operator's hot key.
        NotAnOperator,
        /// No open case has this number.
        NoSuchCase,
        /// The operator has no seat or ballot in this stage of the case.
        NotAssigned,
        /// The operator has committed in this round.
        AlreadyCommitted,
        /// The commit window is not open.
        CommitWindowClosed,
        /// The reveal window has not opened yet.
        RevealTooEarly,
        /// The reveal window is not open any more.
        RevealWindowClosed,
        /// The operator has not committed in this round.
        NotCommitted,
        /// The operator has revealed.
        AlreadyRevealed,
        /// Verdict, evidence and salt do not hash to the commitment.
        RevealMismatch,
        /// The verdict needs evidence of a replay, in full length.
        EvidenceIncomplete,
        /// No opening is demanded in this case.
        OpeningNotDemanded,
        /// The signer is not the operator whose work is judged.
        NotTheExecutor,
        /// The opening was posted before.
        OpeningAlreadyPosted,
        /// The opening is not what the executor committed to.
        OpeningMismatch,
        /// Nobody with weight may judge this subject.
        EmptyElectorate,
        /// A parameter is out of its range.
        InvalidParams,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            Self::close_windows(now)
        }

        fn integrity_test() {
            assert!(T::MaxSeats::get() > 0, "a panel needs a seat");
            assert!(T::MaxElectorate::get() > 0, "an electorate needs a voter");
            assert!(T::MaxAgenda::get() > 0, "the agenda needs room");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Commits to a verdict, see
        /// [`verdict_commitment`](chasqui_primitives::audit::verdict_commitment).
        ///
        /// By the bonded account or hot key of an operator with a seat (stage one) or a ballot
        /// (stage two), once a round, in the commit window.
        #[pallet::call_index(0)]
        #[pallet::weight((T::WeightInfo::commit(), DispatchClass::Operational))]
        pub fn commit(
            origin: OriginFor<T>,
            case: CaseId,
            commitment: H256,
        ) -> DispatchResultWithPostInfo {
            let auditor = Self::operator_of(origin)?;
            Self::do_commit(case, auditor, commitment)?;
            Ok(Pays::No.into())
        }

        /// Reveals what the operator committed to, in the reveal window.
        #[pallet::call_index(1)]
        #[pallet::weight((T::WeightInfo::reveal(), DispatchClass::Operational))]
        pub fn reveal(
            origin: OriginFor<T>,
            case: CaseId,
            verdict: Verdict,
            evidence: Evidence,
            salt: [u8; 32],
        ) -> DispatchResultWithPostInfo {
            let auditor = Self::operator_of(origin)?;
            Self::do_reveal(case, auditor, verdict, evidence, salt)?;
            Ok(Pays::No.into())
        }

        /// Posts the trace that the operator committed to, when auditors claim that it withholds
        /// it. Kept on chain until the case closes.
        #[pallet::call_index(2)]
        #[pallet::weight((
            T::WeightInfo::post_opening(opening.len() as u32)
                .saturating_add(T::Subjects::opening_weight(opening.len() as u32)),
            DispatchClass::Operational,
        ))]
        pub fn post_opening(
            origin: OriginFor<T>,
            case: CaseId,
            opening: Opening,
        ) -> DispatchResultWithPostInfo {
            let operator = Self::operator_of(origin)?;
            Self::do_post_opening(case, operator, opening)?;
            Ok(Pays::No.into())
        }

        /// Sets the parameters. Windows that are open keep their end; liens keep their amount.
        #[pallet::call_index(3)]
        #[pallet::weight((T::WeightInfo::set_params(), DispatchClass::Operational))]
        pub fn set_params(origin: OriginFor<T>, params: Params) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            ensure!(
                params.is_valid(T::MaxSeats::get()),
                Error::<T>::InvalidParams
            );
            Parameters::<T>::put(params.clone());
            Self::deposit_event(Event::ParamsSet { params });
            Ok(())
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// An open case.
        pub fn case(case: CaseId) -> Option<Case<T>> {
            Cases::<T>::get(case)
        }

        /// An operator's ballot in stage two of an open case.
        pub fn ballot(case: CaseId, operator: T::AccountId) -> Option<Ballot> {
            Ballots::<T>::get(case, operator)
        }

        /// The opening that an executor posted for an open case.
        pub fn opening(case: CaseId) -> Option<Opening> {
            Openings::<T>::get(case)
        }

        /// Cases in which an operator still has to commit or reveal, ascending.
        pub fn duties_of(operator: T::AccountId) -> Vec<(CaseId, Stage)> {
            let mut duties: Vec<_> = Duties::<T>::iter_prefix(operator).collect();
            duties.sort_by_key(|(case, _)| *case);
            duties
        }

        /// What became of all cases so far.
        pub fn counters() -> Counters {
            Totals::<T>::get()
        }

        /// The parameters of audits.
        pub fn params() -> Params {
            Parameters::<T>::get()
        }
    }
}
