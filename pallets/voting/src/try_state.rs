//! What always holds.

use crate::*;
use alloc::collections::{BTreeMap, BTreeSet};
use sp_runtime::{traits::SaturatedConversion, TryRuntimeError};

impl<T: Config> Pallet<T> {
    /// Checks that counts are the sums of votes, and that delegations are known on both sides.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_polls()?;
        Self::check_delegations()
    }

    fn check_polls() -> Result<(), TryRuntimeError> {
        let polls: BTreeSet<_> = Votes::<T>::iter_keys()
            .map(|(poll, _)| poll)
            .chain(CountedIn::<T>::iter_keys().map(|(poll, _)| poll))
            .collect();
        for poll in polls {
            let Some((tally, class)) = T::Polls::as_ongoing(poll) else {
                continue;
            };
            let bonded = T::BondClasses::contains(&class);
            let mut count = Count::default();
            for (operator, vote) in Votes::<T>::iter_prefix(poll) {
                let voice = T::Standing::voice(tally.electorate.epoch, &operator);
                ensure!(vote.own == voice.weight, "a vote of another weight");
                ensure!(
                    vote.bond == if bonded { voice.bond } else { 0 },
                    "a vote with another bond"
                );
                ensure!(
                    !CountedIn::<T>::contains_key(poll, &operator),
                    "a weight that counts twice"
                );
                count.add(vote.aye, vote.weight(), vote.bond);
            }
            ensure!(count == tally.count, "votes do not add up");
            ensure!(
                count.ayes.saturating_add(count.nays) <= tally.electorate.weight,
                "more votes than weight"
            );
            Self::check_counted(poll)?;
        }
        Ok(())
    }

    fn check_counted(poll: PollIndexOf<T>) -> Result<(), TryRuntimeError> {
        let mut within: BTreeMap<_, u64> = BTreeMap::new();
        for counted in CountedIn::<T>::iter_prefix_values(poll) {
            let sum = within.entry(counted.delegate).or_default();
            *sum = sum.saturating_add(counted.weight);
        }
        for (operator, vote) in Votes::<T>::iter_prefix(poll) {
            let carried = within.remove(&operator).unwrap_or_default();
            ensure!(
                carried == vote.delegated,
                "delegated weight does not add up"
            );
        }
        ensure!(
            within.is_empty(),
            "weight within the vote of somebody who has not voted"
        );
        Ok(())
    }

    fn check_delegations() -> Result<(), TryRuntimeError> {
        let now: u32 = frame_system::Pallet::<T>::block_number().saturated_into();
        let mut open = 0usize;
        for (delegate, class, delegators) in Delegators::<T>::iter() {
            let mut ends: BTreeMap<_, u32> = BTreeMap::new();
            for Delegator { who, span } in delegators {
                ensure!(span.since <= now, "a delegation of the future");
                let before = ends.insert(who.clone(), span.until.unwrap_or(u32::MAX));
                ensure!(
                    before.is_none_or(|before| before <= span.since),
                    "delegations of one operator overlap"
                );
                if span.until.is_some() {
                    continue;
                }
                open = open.saturating_add(1);
                let known = Delegations::<T>::get(&who, &class);
                ensure!(
                    known.is_some_and(|known| known.to == delegate && known.since == span.since),
                    "a delegation that its delegator does not know"
                );
            }
        }
        ensure!(
            open == Delegations::<T>::iter_keys().count(),
            "a delegation that its delegate does not know"
        );
        Ok(())
    }
}
