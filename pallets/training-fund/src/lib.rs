//! # Training fund
//!
//! What the network spends on its own training: a share of all revenue, and whatever anybody gives.
//!
//! ## Terminology
//!
//! - **Account**: holds the fund's money. Fees' shares arrive when an epoch closes; a transfer to it is a donation.
//! - **Earmark**: a part of the balance that only one run, or one grant, can be paid from.
//! - **Free**: the balance without earmarks and without the account's existential deposit.
//! - **Run budget**: earmarked when a run is created; the run's rounds are paid out of it, and what is left returns when
//!   the run ends. The pallet that runs them does both through
//!   [`TrainingFund`](chasqui_primitives::traits::TrainingFund).
//! - **Grant**: money for work outside of runs, in milestones.
//!
//! ## Life of a milestone
//!
//! ```text
//! Open ── prove ──→ Proven ── approve ──→ Paid
//!  ↑ │                │
//!  │ │ deadline       │ decline
//!  │ └──→ Lapsed ←────┤ (deadline passed)
//!  └──────────────────┘ (not passed)
//! ```
//!
//! A proof in time keeps: a milestone that waits for a decision does not lapse. What lapses, and what a cancelled grant
//! has not paid, is free again. A grant leaves storage when nothing of it is pending.
//!
//! ## Invariants
//!
//! The balance covers all earmarks and the existential deposit. Nothing is paid but out of an earmark, and never
//! beyond it. The pallet mints nothing.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod functions;
mod impls;
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

pub use pallet::*;
pub use types::*;
pub use weights::WeightInfo;

use chasqui_primitives::{Balance, RunId};
use frame_support::{
    pallet_prelude::*,
    traits::fungible::{Inspect, Mutate},
    PalletId,
};
use frame_system::pallet_prelude::*;
use sp_core::H256;

/// A grant of the runtime.
pub type GrantOf<T> = Grant<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;

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

        /// Makes, judges and cancels grants of up to so much each, in planck.
        type SpendOrigin: EnsureOrigin<Self::RuntimeOrigin, Success = Balance>;

        /// The fund's account is derived from it.
        #[pallet::constant]
        type PalletId: Get<PalletId>;

        /// Most deadlines that pass in one block.
        #[pallet::constant]
        type MaxDeadlines: Get<u32>;

        /// Weights of calls and hooks.
        type WeightInfo: WeightInfo;
    }

    /// Earmarks of runs.
    #[pallet::storage]
    pub type Runs<T: Config> = StorageMap<_, Twox64Concat, RunId, RunBudget>;

    /// Sum of what is earmarked for runs, in planck.
    #[pallet::storage]
    pub type EarmarkedForRuns<T: Config> = StorageValue<_, Balance, ValueQuery>;

    /// Grants with something pending.
    #[pallet::storage]
    pub type Grants<T: Config> = StorageMap<_, Twox64Concat, GrantId, GrantOf<T>>;

    /// The number of the next grant.
    #[pallet::storage]
    pub type NextGrant<T: Config> = StorageValue<_, GrantId, ValueQuery>;

    /// Sum of what is earmarked for grants, in planck.
    #[pallet::storage]
    pub type EarmarkedForGrants<T: Config> = StorageValue<_, Balance, ValueQuery>;

    /// Milestones whose deadline is over at the beginning of a block.
    #[pallet::storage]
    pub type Deadlines<T: Config> = StorageMap<
        _,
        Twox64Concat,
        BlockNumberFor<T>,
        BoundedVec<(GrantId, u32), T::MaxDeadlines>,
        ValueQuery,
    >;

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// So much more is earmarked for a run.
        RunFunded { run: RunId, amount: Balance },
        /// A run paid somebody.
        RunPaid {
            run: RunId,
            to: T::AccountId,
            amount: Balance,
        },
        /// A run's earmark ended: what it had not paid is free again.
        RunReleased {
            run: RunId,
            paid: Balance,
            returned: Balance,
        },
        /// A grant was made: so much is earmarked for it.
        GrantCreated {
            grant: GrantId,
            beneficiary: T::AccountId,
            amount: Balance,
        },
        /// The beneficiary says that a milestone is reached.
        MilestoneProven {
            grant: GrantId,
            milestone: u32,
            evidence: H256,
        },
        /// The proof was approved, and the milestone paid.
        MilestonePaid {
            grant: GrantId,
            milestone: u32,
            beneficiary: T::AccountId,
            amount: Balance,
        },
        /// The proof was declined. Another may follow until the deadline.
        MilestoneDeclined { grant: GrantId, milestone: u32 },
        /// The deadline is over: `amount` is free again.
        MilestoneLapsed {
            grant: GrantId,
            milestone: u32,
            amount: Balance,
        },
        /// Nothing of a grant is pending any more.
        GrantSettled { grant: GrantId, paid: Balance },
        /// A grant was cancelled: what it had not paid is free again.
        GrantCancelled {
            grant: GrantId,
            paid: Balance,
            returned: Balance,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// Less is free than would be earmarked.
        NotEnoughFree,
        /// Less is earmarked for the run.
        BeyondEarmark,
        /// A grant needs a milestone; each must pay something and lie ahead.
        InvalidMilestones,
        /// No grant of this number has anything pending.
        NoSuchGrant,
        /// The grant has no milestone of this number.
        NoSuchMilestone,
        /// Only the grant's beneficiary proves its milestones.
        NotTheBeneficiary,
        /// The milestone waits for no proof: one is to be judged, or it is paid or lapsed.
        NotOpen,
        /// There is no proof to judge.
        NotProven,
        /// The milestone's deadline is over.
        DeadlinePassed,
        /// More than this origin may promise.
        BeyondOrigin,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(now: BlockNumberFor<T>) -> Weight {
            Self::pass_deadlines(now)
        }

        fn integrity_test() {
            assert!(T::MaxDeadlines::get() > 0, "deadlines need room");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Makes a grant. The sum of its milestones is earmarked.
        #[pallet::call_index(0)]
        #[pallet::weight((T::WeightInfo::create_grant(milestones.len() as u32), DispatchClass::Operational))]
        pub fn create_grant(
            origin: OriginFor<T>,
            beneficiary: T::AccountId,
            milestones: MilestoneList<BlockNumberFor<T>>,
        ) -> DispatchResult {
            let most = T::SpendOrigin::ensure_origin(origin)?;
            Self::do_create_grant(beneficiary, milestones, most)
        }

        /// Says that a milestone is reached, by the grant's beneficiary, up to and in the block of its deadline.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::prove())]
        pub fn prove(
            origin: OriginFor<T>,
            grant: GrantId,
            milestone: u32,
            evidence: H256,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::do_prove(who, grant, milestone, evidence)
        }

        /// Approves the proof of a milestone, and pays it.
        #[pallet::call_index(2)]
        #[pallet::weight((T::WeightInfo::approve(), DispatchClass::Operational))]
        pub fn approve(origin: OriginFor<T>, grant: GrantId, milestone: u32) -> DispatchResult {
            let most = T::SpendOrigin::ensure_origin(origin)?;
            Self::ensure_covered(grant, most)?;
            Self::do_approve(grant, milestone)
        }

        /// Declines the proof of a milestone. Until its deadline it may be proven again, after that it lapses.
        #[pallet::call_index(3)]
        #[pallet::weight((T::WeightInfo::decline(), DispatchClass::Operational))]
        pub fn decline(origin: OriginFor<T>, grant: GrantId, milestone: u32) -> DispatchResult {
            let most = T::SpendOrigin::ensure_origin(origin)?;
            Self::ensure_covered(grant, most)?;
            Self::do_decline(grant, milestone)
        }

        /// Cancels a grant. What it has not paid is free again, proofs that wait for a decision included.
        #[pallet::call_index(4)]
        #[pallet::weight((T::WeightInfo::cancel_grant(), DispatchClass::Operational))]
        pub fn cancel_grant(origin: OriginFor<T>, grant: GrantId) -> DispatchResult {
            let most = T::SpendOrigin::ensure_origin(origin)?;
            Self::ensure_covered(grant, most)?;
            Self::do_cancel_grant(grant)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// Balance, earmarks and what is free, in planck.
        pub fn status() -> FundStatus {
            Self::fund_status()
        }

        /// The account that holds the fund's money: a transfer to it is a donation.
        pub fn fund_account() -> T::AccountId {
            Self::account_id()
        }

        /// What is earmarked for a run that has not ended, and what it paid.
        pub fn run_budget(run: RunId) -> Option<RunBudget> {
            Runs::<T>::get(run)
        }

        /// A grant with something pending.
        pub fn grant(grant: GrantId) -> Option<GrantOf<T>> {
            Grants::<T>::get(grant)
        }

        /// Up to `limit` (and 100) grants with something pending from number `from` on, ascending, of at most 1,000
        /// numbers.
        pub fn grants(from: GrantId, limit: u32) -> GrantList<T::AccountId, BlockNumberFor<T>> {
            Self::grants_from(from, limit.min(100))
        }
    }
}
