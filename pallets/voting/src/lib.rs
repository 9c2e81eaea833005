//! # Voting
//!
//! Who contributed decides: votes on referenda, weighed by an operator's work.
//!
//! The pallet is the electorate of a poll pallet such as `pallet-referenda`, which it sees through [`Polling`]; what an
//! operator weighs it is told by [`Standing`].
//!
//! ## Terminology
//!
//! - **Census**: what each operator weighed in a closed epoch: its weight, lessened where it worked little.
//! - **Electorate** of a poll: the newest census at its submission, and the sum of all weight in it. Nothing that is
//!   earned or bought later counts in that poll, and nothing that is lost.
//! - **Voter**: an operator. Its bonded account votes, or its owner; never its hot key, which lies on a server.
//! - **Support**: ayes by the electorate's weight, idle weight included. **Approval**: ayes by votes cast.
//!
//! ## Votes
//!
//! A vote keeps the weight it was cast with. It can be changed and removed while the poll is open. The first vote of an
//! operator in a poll costs no fee.
//!
//! In polls of some classes ([`Config::BondClasses`]) more than half of all bond must be for it too, else they have no
//! support at all. Whoever votes in one cannot withdraw its bond until the poll is over and, if it was approved,
//! [`Config::BondLock`] has passed.
//!
//! ## Delegation
//!
//! An operator may delegate its vote to another, class by class, over **one hop**: a delegate's own delegation carries
//! along nobody but itself. What held when a poll was submitted holds for that poll: later changes are for later polls.
//! When a delegate votes, it votes with the weight of those who delegate to it and have not voted in that poll; who
//! votes itself takes its weight out of the delegate's vote first. So no weight ever counts twice. Whoever removes its
//! own vote counts nowhere until its delegate votes again.
//!
//! A delegate has at most [`Config::MaxDelegators`]; it may send some away. Delegations that have ended are kept as long
//! as a poll can be open that they count in ([`Config::PollLife`]).
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod delegation;
mod functions;
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

use chasqui_primitives::{
    governance::Count,
    traits::{Operators, Standing, Voice},
    Balance,
};
use frame_support::{
    pallet_prelude::*,
    traits::{Contains, Polling},
};
use frame_system::pallet_prelude::*;

/// The runtime's tally.
pub type TallyOf<T> = Tally<T>;
/// The number of a poll.
pub type PollIndexOf<T> = <<T as Config>::Polls as Polling<TallyOf<T>>>::Index;
/// The class of a poll.
pub type ClassOf<T> = <<T as Config>::Polls as Polling<TallyOf<T>>>::Class;
/// Those who delegate to somebody.
pub type DelegatorsOf<T> =
    BoundedVec<Delegator<<T as frame_system::Config>::AccountId>, <T as Config>::MaxDelegators>;

/// What benchmarks need of other pallets.
#[cfg(feature = "runtime-benchmarks")]
pub trait BenchmarkHelper<AccountId> {
    /// Makes somebody an operator with a weight in the newest census.
    fn operator(who: &AccountId);
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
        /// The polls.
        type Polls: Polling<TallyOf<Self>, Votes = u64, Moment = BlockNumberFor<Self>>;
        /// The registry of operators.
        type Operators: Operators<Self::AccountId>;
        /// What operators weigh.
        type Standing: Standing<Self::AccountId>;
        /// Polls that need more than half of all bond.
        type BondClasses: Contains<ClassOf<Self>>;
        /// Most that delegate to one operator in a class, those counted who did until lately.
        #[pallet::constant]
        type MaxDelegators: Get<u32>;
        /// Blocks after its submission in which a poll is over for certain.
        #[pallet::constant]
        type PollLife: Get<BlockNumberFor<Self>>;
        /// Blocks that bond stays locked after a poll that needs it was approved.
        #[pallet::constant]
        type BondLock: Get<BlockNumberFor<Self>>;
        /// Weights of calls.
        type WeightInfo: WeightInfo;
        /// What benchmarks need of other pallets.
        #[cfg(feature = "runtime-benchmarks")]
        type BenchmarkHelper: BenchmarkHelper<Self::AccountId>;
    }

    /// Votes, by poll and operator.
    #[pallet::storage]
    pub type Votes<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        PollIndexOf<T>,
        Blake2_128Concat,
        T::AccountId,
        VoteRecord,
    >;

    /// Operators whose weight is within another's vote, by poll and operator.
    #[pallet::storage]
    pub type CountedIn<T: Config> = StorageDoubleMap<
        _,
        Twox64Concat,
        PollIndexOf<T>,
        Blake2_128Concat,
        T::AccountId,
        Counted<T::AccountId>,
    >;

    /// Whom an operator's vote is delegated to, by class.
    #[pallet::storage]
    pub type Delegations<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        ClassOf<T>,
        Delegation<T::AccountId>,
    >;

    /// Who delegates to an operator, or did lately, by class.
    #[pallet::storage]
    pub type Delegators<T: Config> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        T::AccountId,
        Twox64Concat,
        ClassOf<T>,
        DelegatorsOf<T>,
        ValueQuery,
    >;

    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// An operator voted, for the first time or anew. `count` is what the poll has now.
        Voted {
            poll: PollIndexOf<T>,
            operator: T::AccountId,
            vote: VoteRecord,
            count: Count,
        },
        /// An operator took its vote back.
        VoteRemoved {
            poll: PollIndexOf<T>,
            operator: T::AccountId,
            count: Count,
        },
        /// An operator delegates its vote in polls that are submitted from the next block on.
        Delegated {
            operator: T::AccountId,
            class: ClassOf<T>,
            to: T::AccountId,
        },
        /// It does so no more in polls that are submitted from the next block on.
        Undelegated {
            operator: T::AccountId,
            class: ClassOf<T>,
            from: T::AccountId,
        },
        /// Records of a closed poll were removed.
        CleanedUp { poll: PollIndexOf<T>, removed: u32 },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The operator is not registered, or the origin is neither its bonded account nor its owner.
        NotOperator,
        /// There is no such poll, or it is over.
        NotOngoing,
        /// The poll is open.
        Ongoing,
        /// The operator had no weight when the poll was submitted; to delegate, has none now.
        NoWeight,
        /// The operator has not voted in this poll.
        NotVoted,
        /// Nobody delegates to itself.
        SelfDelegation,
        /// The operator does not delegate its vote in this class (to this one).
        NotDelegated,
        /// As many delegate to it, or did lately, as may.
        TooManyDelegators,
        /// Bonds behind this poll are locked until what was approved has taken effect.
        BondLocked,
        /// Nothing is left to remove.
        NothingToRemove,
        /// No poll is of this class.
        NoSuchClass,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        #[cfg(feature = "try-runtime")]
        fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Votes for an operator, by its bonded account or its owner, or changes its vote. The first vote in a poll is
        /// free.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::vote(T::MaxDelegators::get()))]
        pub fn vote(
            origin: OriginFor<T>,
            operator: T::AccountId,
            poll: PollIndexOf<T>,
            aye: bool,
        ) -> DispatchResultWithPostInfo {
            Self::ensure_speaks_for(origin, &operator)?;
            let (first, delegators) = Self::do_vote(operator, poll, aye)?;
            let pays = if first { Pays::No } else { Pays::Yes };
            Ok((Some(T::WeightInfo::vote(delegators)), pays).into())
        }

        /// Takes an operator's vote back while the poll is open.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::remove_vote(T::MaxDelegators::get()))]
        pub fn remove_vote(
            origin: OriginFor<T>,
            operator: T::AccountId,
            poll: PollIndexOf<T>,
        ) -> DispatchResult {
            Self::ensure_speaks_for(origin, &operator)?;
            Self::do_remove_vote(operator, poll)
        }

        /// Delegates an operator's vote in polls of a class to another operator, in place of an earlier delegation.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::delegate(T::MaxDelegators::get()))]
        pub fn delegate(
            origin: OriginFor<T>,
            operator: T::AccountId,
            class: ClassOf<T>,
            to: T::AccountId,
        ) -> DispatchResult {
            Self::ensure_speaks_for(origin, &operator)?;
            Self::do_delegate(operator, class, to)
        }

        /// Ends a delegation.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::undelegate(T::MaxDelegators::get()))]
        pub fn undelegate(
            origin: OriginFor<T>,
            operator: T::AccountId,
            class: ClassOf<T>,
        ) -> DispatchResult {
            Self::ensure_speaks_for(origin, &operator)?;
            Self::do_undelegate(operator, class, None)
        }

        /// Ends the delegation of another operator to this one.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::undelegate(T::MaxDelegators::get()))]
        pub fn refuse(
            origin: OriginFor<T>,
            operator: T::AccountId,
            class: ClassOf<T>,
            delegator: T::AccountId,
        ) -> DispatchResult {
            Self::ensure_speaks_for(origin, &operator)?;
            Self::do_undelegate(delegator, class, Some(operator))
        }

        /// Removes up to `most` records of a poll that is over, and unlocks the bonds of its voters. Free where it removes
        /// something.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::clean_up(*most))]
        pub fn clean_up(
            origin: OriginFor<T>,
            poll: PollIndexOf<T>,
            most: u32,
        ) -> DispatchResultWithPostInfo {
            ensure_signed(origin)?;
            let removed = Self::do_clean_up(poll, most)?;
            Ok((Some(T::WeightInfo::clean_up(removed)), Pays::No).into())
        }
    }

    #[pallet::view_functions]
    impl<T: Config> Pallet<T> {
        /// What an operator's own vote weighs in an open poll; all zero: it has none. `None`: the poll is not open.
        pub fn voice(poll: PollIndexOf<T>, operator: T::AccountId) -> Option<Voice> {
            let (tally, _) = T::Polls::as_ongoing(poll)?;
            Some(T::Standing::voice(tally.electorate.epoch, &operator))
        }

        /// Electorate, block of submission and votes of an open poll.
        pub fn tally(poll: PollIndexOf<T>) -> Option<TallyOf<T>> {
            T::Polls::as_ongoing(poll).map(|(tally, _)| tally)
        }

        /// An operator's vote in a poll, until that is cleaned up.
        pub fn vote_of(poll: PollIndexOf<T>, operator: T::AccountId) -> Option<VoteRecord> {
            Votes::<T>::get(poll, operator)
        }

        /// Whose vote an operator's weight is within, in a poll.
        pub fn counted_in(
            poll: PollIndexOf<T>,
            operator: T::AccountId,
        ) -> Option<Counted<T::AccountId>> {
            CountedIn::<T>::get(poll, operator)
        }
    }
}
