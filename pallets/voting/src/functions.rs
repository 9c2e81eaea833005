//! What calls on votes do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use frame_support::traits::PollStatus;
use sp_runtime::traits::Saturating;

impl<T: Config> Pallet<T> {
    /// Whether the origin may speak for a registered operator: its bonded account, or its owner.
    pub(crate) fn ensure_speaks_for(
        origin: OriginFor<T>,
        operator: &T::AccountId,
    ) -> DispatchResult {
        let who = ensure_signed(origin)?;
        let owner = T::Operators::owner(operator).ok_or(Error::<T>::NotOperator)?;
        ensure!(who == *operator || who == owner, Error::<T>::NotOperator);
        Ok(())
    }

    /// Returns whether it is the operator's first vote in this poll, and how many delegators were looked at.
    pub(crate) fn do_vote(
        operator: T::AccountId,
        poll: PollIndexOf<T>,
        aye: bool,
    ) -> Result<(bool, u32), DispatchError> {
        T::Polls::try_access_poll(poll, |status| {
            let PollStatus::Ongoing(tally, class) = status else {
                return Err(Error::<T>::NotOngoing.into());
            };
            let voice = T::Standing::voice(tally.electorate.epoch, &operator);
            ensure!(voice.weight > 0, Error::<T>::NoWeight);
            let bond = if T::BondClasses::contains(&class) {
                voice.bond
            } else {
                0
            };
            let first = match Votes::<T>::take(poll, &operator) {
                Some(old) => {
                    Self::retract(tally, poll, &class, &operator, &old);
                    false
                }
                None => {
                    if bond > 0 {
                        T::Operators::add_liability(&operator)?;
                    }
                    Self::leave_delegate(tally, poll, &operator);
                    true
                }
            };
            let (delegated, delegators) = Self::gather(tally, poll, &class, &operator);
            let vote = VoteRecord {
                aye,
                own: voice.weight,
                delegated,
                bond,
            };
            tally.count.add(aye, vote.weight(), vote.bond);
            Votes::<T>::insert(poll, &operator, vote);
            Self::deposit_event(Event::Voted {
                poll,
                operator,
                vote,
                count: tally.count,
            });
            Ok((first, delegators))
        })
    }

    pub(crate) fn do_remove_vote(operator: T::AccountId, poll: PollIndexOf<T>) -> DispatchResult {
        T::Polls::try_access_poll(poll, |status| {
            let PollStatus::Ongoing(tally, class) = status else {
                return Err(Error::<T>::NotOngoing.into());
            };
            let old = Votes::<T>::take(poll, &operator).ok_or(Error::<T>::NotVoted)?;
            Self::retract(tally, poll, &class, &operator, &old);
            if old.bond > 0 {
                T::Operators::remove_liability(&operator);
            }
            Self::deposit_event(Event::VoteRemoved {
                poll,
                operator,
                count: tally.count,
            });
            Ok(())
        })
    }

    /// Takes a vote, with all that it carries, out of the count.
    fn retract(
        tally: &mut TallyOf<T>,
        poll: PollIndexOf<T>,
        class: &ClassOf<T>,
        operator: &T::AccountId,
        old: &VoteRecord,
    ) {
        tally.count.remove(old.aye, old.weight(), old.bond);
        for delegator in Delegators::<T>::get(operator, class) {
            let within = CountedIn::<T>::get(poll, &delegator.who);
            if within.is_some_and(|counted| counted.delegate == *operator) {
                CountedIn::<T>::remove(poll, &delegator.who);
            }
        }
    }

    /// Whoever votes itself takes its weight out of its delegate's vote.
    fn leave_delegate(tally: &mut TallyOf<T>, poll: PollIndexOf<T>, operator: &T::AccountId) {
        let Some(counted) = CountedIn::<T>::take(poll, operator) else {
            return;
        };
        Votes::<T>::mutate(poll, &counted.delegate, |vote| {
            if let Some(vote) = vote {
                vote.delegated = vote.delegated.saturating_sub(counted.weight);
                tally.count.remove(vote.aye, counted.weight, 0);
            }
        });
    }

    /// The weight of those whose vote in this poll is the operator's, and how many were looked at.
    fn gather(
        tally: &TallyOf<T>,
        poll: PollIndexOf<T>,
        class: &ClassOf<T>,
        operator: &T::AccountId,
    ) -> (u64, u32) {
        let delegators = Delegators::<T>::get(operator, class);
        let looked_at = delegators.len() as u32;
        let mut sum = 0u64;
        for Delegator { who, span } in delegators {
            if !span.covers(tally.submitted)
                || Votes::<T>::contains_key(poll, &who)
                || CountedIn::<T>::contains_key(poll, &who)
            {
                continue;
            }
            let weight = T::Standing::voice(tally.electorate.epoch, &who).weight;
            if weight == 0 {
                continue;
            }
            sum = sum.saturating_add(weight);
            let delegate = operator.clone();
            CountedIn::<T>::insert(poll, who, Counted { delegate, weight });
        }
        (sum, looked_at)
    }

    /// Removes records of a poll that is over; returns how many.
    pub(crate) fn do_clean_up(poll: PollIndexOf<T>, most: u32) -> Result<u32, DispatchError> {
        T::Polls::access_poll(poll, |status| match status {
            PollStatus::Ongoing(..) => Err(Error::<T>::Ongoing),
            PollStatus::Completed(end, true) => {
                let now = frame_system::Pallet::<T>::block_number();
                let locked = Votes::<T>::iter_prefix_values(poll)
                    .next()
                    .is_some_and(|vote| vote.bond > 0)
                    && now <= end.saturating_add(T::BondLock::get());
                ensure!(!locked, Error::<T>::BondLocked);
                Ok(())
            }
            PollStatus::Completed(_, false) | PollStatus::None => Ok(()),
        })?;
        let votes: Vec<_> = Votes::<T>::iter_prefix(poll).take(most as usize).collect();
        for (operator, vote) in &votes {
            Votes::<T>::remove(poll, operator);
            if vote.bond > 0 {
                T::Operators::remove_liability(operator);
            }
        }
        let room = (most as usize).saturating_sub(votes.len());
        let counted: Vec<_> = CountedIn::<T>::iter_key_prefix(poll).take(room).collect();
        for operator in &counted {
            CountedIn::<T>::remove(poll, operator);
        }
        let removed = votes.len().saturating_add(counted.len()) as u32;
        ensure!(removed > 0, Error::<T>::NothingToRemove);
        Self::deposit_event(Event::CleanedUp { poll, removed });
        Ok(removed)
    }
}
