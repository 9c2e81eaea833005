//! # Rewards
//!
//! The ledger between fees and pay: splits every settled fee, keeps what each operator earned by epoch, and pays it out
//! when it is claimed.
//!
//! ## Terminology
//!
//! - **Pot**: the account that holds everything the ledger owes, and one existential deposit outside the ledger.
//! - **Earned**: what an operator's epoch is owed: compute pay, audit pay, points in the contribution pool.
//! - **Contribution pool**: the PoC share of an epoch's fees, divided by points when the epoch has closed.
//! - **Contribution**: units and points of an epoch, kept after they were paid for those who weigh votes by them.
//! - **Due**: fund's and reserve's shares, moved to their accounts when an epoch closes.
//! - **Surplus**: what somebody sent to the pot without a fee; goes to the reserve when an epoch closes.
//!
//! ## Life of an epoch
//!
//! Fees and points are recorded while it runs. In the first block of the next one it **closes**: the pool's divisor is
//! fixed, the share of forfeited points (or the whole pool where there are no points) goes to the reserve. From
//! [`Config::ClaimDelay`] epochs later it is **claimable**, unless a case on the operator's work of that epoch or an earlier
//! one is open. After [`Config::ClaimPeriod`] epochs what nobody claimed is **swept** to the reserve, and its
//! contributions are forgotten. A proven lie **forfeits** all that an operator has not claimed.
//!
//! ## Invariants
//!
//! The pot's balance is the existential deposit, plus what is owed, plus pools, plus dues, plus surplus. No payout can
//! exceed what was paid in. The pallet never mints, except for the pot's existential deposit at genesis where
//! the balances' genesis gave it none.
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

use alloc::vec::Vec;
use chasqui_primitives::{
    audit::Subject,
    money::Shares,
    traits::{Epochs, Operators},
    Balance, EpochIndex,
};
use frame_support::{
    pallet_prelude::*,
    traits::fungible::{Inspect, Mutate},
    PalletId,
};
use frame_system::pallet_prelude::*;

/// What benchmarks need of the other pallets.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper {
    /// Moves the clock of epochs to `epoch`.
    fn set_epoch(epoch: EpochIndex);
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

        /// Who signs for whom, and whom operators pay.
        type Operators: Operators<Self::AccountId>;

        /// The clock.
        type Epochs: Epochs;

        /// Sets the shares.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

        /// The pot's account is derived from it.
        #[pallet::constant]
        type PalletId: Get<PalletId>;

        /// The training fund.
        type FundAccount: Get<Self::AccountId>;

        /// The reserve.
        type ReserveAccount: Get<Self::AccountId>;

        /// Block before which nobody changes the fund's share.
        #[pallet::constant]
        type FundShareLock: Get<BlockNumberFor<Self>>;

        /// Epoch *e* is claimable from *e* + this on; at least 1.
        #[pallet::constant]
        type ClaimDelay: Get<EpochIndex>;

        /// Epoch *e* is swept after *e* + this.
        #[pallet::constant]
        type ClaimPeriod: Get<EpochIndex>;

        /// Records that a sweep visits in one block.
        #[pallet::constant]
        type SweepStep: Get<u32>;

        /// Weights of calls and hooks.
        type WeightInfo: WeightInfo;

        /// The clock, for benchmarks.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper;
    }

    /// How fees are shared out.
    #[pallet::storage]
    pub type FeeShares<T> = StorageValue<_, Shares, ValueQuery>;

    /// What is earned and unclaimed, by epoch and operator.
    #[pallet::storage]
    pub type Earnings<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        EpochIndex,
        Blake2_128Concat,
        T::AccountId,
        Earned,
        OptionQuery,
    >;

    /// The epochs in which an operator has something in [`Earnings`], with whom it is paid to: the operator's owner when
    /// it was earned, even if the operator has left the registry since.
    #[pallet::storage]
    pub type OpenEpochs<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        EpochIndex,
        T::AccountId,
        OptionQuery,
    >;

    /// Compute and audit pay that an operator has not claimed, over all epochs, in planck.
    #[pallet::storage]
    pub type Unclaimed<T: Config> =
        StorageMap<_, Blake2_128Concat, T::AccountId, Balance, ValueQuery>;

    /// What was contributed, by epoch and operator.
    #[pallet::storage]
    pub type Contributions<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        EpochIndex,
        Blake2_128Concat,
        T::AccountId,
        Contribution,
        ValueQuery,
    >;

    /// Sums by epoch.
    #[pallet::storage]
    pub type EpochTotals<T: Config> = StorageMap<_, Twox64Concat, EpochIndex, Totals, ValueQuery>;

    /// What the ledger owes altogether, dues included, in planck.
    #[pallet::storage]
    pub type Liabilities<T: Config> = StorageValue<_, Balance, ValueQuery>;

    /// The fund's share on its way, in planck.
    #[pallet::storage]
    pub type FundDue<T: Config> = StorageValue<_, Balance, ValueQuery>;

    /// The reserve's share on its way, in planck.
    #[pallet::storage]
    pub type ReserveDue<T: Config> = StorageValue<_, Balance, ValueQuery>;

    /// Open cases on an operator's work, by the epoch of the work.
    #[pallet::storage]
    pub type OpenCases<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        EpochIndex,
        u32,
        ValueQuery,
    >;

    /// The first epoch that has not closed.
    #[pallet::storage]
    pub type NextToClose<T: Config> = StorageValue<_, EpochIndex, ValueQuery>;

    /// The first epoch that is not swept.
    #[pallet::storage]
    pub type NextToSweep<T: Config> = StorageValue<_, EpochIndex, ValueQuery>;

    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let deposit = T::NativeBalance::minimum_balance();
            let pot = Pallet::<T>::pot_account();
            if T::NativeBalance::balance(&pot) < deposit {
                T::NativeBalance::mint_into(&pot, deposit)
                    .expect("an existential deposit can always be minted at genesis");
            }
        }
    }

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// What was paid for `subject` was shared out: `price` is the sum of all parts. `auditors` names those who
        /// are paid with what each gets, up to [`MAX_LISTED_AUDITORS`] of the `auditors_paid` there are: after a
        /// vote there may be hundreds, all with the same part of `to_auditors`.
        FeeRecorded {
            subject: Subject,
            epoch: EpochIndex,
            executor: T::AccountId,
            price: Balance,
            to_executor: Balance,
            auditors: ListedAuditors<T::AccountId>,
            auditors_paid: u32,
            to_auditors: Balance,
            to_pool: Balance,
            to_fund: Balance,
            to_reserve: Balance,
        },
        /// The subsidy pot paid an operator for what it did in an epoch.
        SubsidyRecorded {
            epoch: EpochIndex,
            operator: T::AccountId,
            amount: Balance,
        },
        /// Contribution points were earned.
        PointsRecorded {
            epoch: EpochIndex,
            operator: T::AccountId,
            points: u64,
        },
        /// An epoch's pay went out.
        Claimed {
            epoch: EpochIndex,
            operator: T::AccountId,
            beneficiary: T::AccountId,
            compute: Balance,
            audit: Balance,
            pool_share: Balance,
        },
        /// The beneficiary's account cannot hold so little: the pay was added to epoch `into`.
        Accrued {
            epoch: EpochIndex,
            operator: T::AccountId,
            into: EpochIndex,
            amount: Balance,
        },
        /// All unclaimed revenue went to the reserve.
        Forfeited {
            operator: T::AccountId,
            amount: Balance,
        },
        /// An epoch closed: its pool's divisor is fixed.
        EpochClosed {
            epoch: EpochIndex,
            pool: Balance,
            points: u64,
        },
        /// `amount` of dues reached the training fund.
        FundPaid { amount: Balance },
        /// `amount` of dues reached the reserve.
        ReservePaid { amount: Balance },
        /// What nobody claimed of an epoch has all gone to the reserve.
        Swept { epoch: EpochIndex },
        /// Fees are shared out otherwise from now on.
        SharesSet { shares: Shares },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The shares do not sum to exactly 100%.
        SharesNotWhole,
        /// Nobody changes the fund's share yet.
        FundShareLocked,
        /// The epoch is not claimable yet.
        TooEarly,
        /// A case is open on work of that epoch or an earlier one.
        CaseOpen,
        /// Nothing is earned, or it was claimed, forfeited or swept.
        NothingToClaim,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_now: BlockNumberFor<T>) -> Weight {
            Self::begin_block()
        }

        fn integrity_test() {
            assert!(
                T::ClaimDelay::get() >= 1,
                "a running epoch cannot be claimed"
            );
            assert!(
                T::ClaimPeriod::get() > T::ClaimDelay::get(),
                "epochs must be claimable before they are swept"
            );
            assert!(T::SweepStep::get() > 0, "SweepStep must not be zero");
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Replaces the shares of every fee recorded from now on.
        #[pallet::call_index(0)]
        #[pallet::weight((T::WeightInfo::set_shares(), DispatchClass::Operational))]
        pub fn set_shares(origin: OriginFor<T>, shares: Shares) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            ensure!(shares.is_whole(), Error::<T>::SharesNotWhole);
            let locked = frame_system::Pallet::<T>::block_number() < T::FundShareLock::get();
            ensure!(
                !locked || shares.fund == FeeShares::<T>::get().fund,
                Error::<T>::FundShareLocked
            );
            FeeShares::<T>::put(shares);
            Self::deposit_event(Event::SharesSet { shares });
            Ok(())
        }

        /// Pays what the origin (an operator, or its hot key) earned in `epoch` to whoever owned the operator then. Whoever
        /// has left the registry claims by its bonded account.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::claim())]
        pub fn claim(origin: OriginFor<T>, epoch: EpochIndex) -> DispatchResult {
            let signer = ensure_signed(origin)?;
            Self::do_claim(signer, epoch)
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// The epochs that an operator could claim now, with what each would pay, in planck.
        pub fn claimable(operator: T::AccountId) -> Vec<(EpochIndex, Balance)> {
            Self::claimable_epochs(&operator)
        }

        /// Compute and audit pay that an operator has not claimed, claimable or not, without shares of pools, in planck.
        pub fn unclaimed_pay(operator: T::AccountId) -> Balance {
            Unclaimed::<T>::get(operator)
        }

        /// What an operator earned in an epoch and has not claimed.
        pub fn earnings(epoch: EpochIndex, operator: T::AccountId) -> Option<EarnedInfo> {
            Self::earned_info(epoch, &operator)
        }

        /// How fees are shared out.
        pub fn shares() -> Shares {
            FeeShares::<T>::get()
        }

        /// An epoch's sums.
        pub fn totals(epoch: EpochIndex) -> Totals {
            EpochTotals::<T>::get(epoch)
        }

        /// The account that holds what the ledger owes.
        pub fn pot() -> T::AccountId {
            Self::pot_account()
        }
    }
}
