//! What always holds.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::collections::BTreeSet;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks sums, cover and deadlines.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_sums()?;
        Self::check_deadlines()
    }

    fn check_sums() -> Result<(), TryRuntimeError> {
        let runs = Runs::<T>::iter_values().fold(0u128, |sum, run| sum.saturating_add(run.left));
        ensure!(
            runs == EarmarkedForRuns::<T>::get(),
            "the earmarks of runs do not add up"
        );
        let mut grants = 0u128;
        for (id, grant) in Grants::<T>::iter() {
            ensure!(id < NextGrant::<T>::get(), "a grant of the future");
            ensure!(!grant.is_settled(), "a grant with nothing pending is kept");
            ensure!(
                grant
                    .milestones
                    .iter()
                    .all(|milestone| milestone.terms.amount > 0),
                "a milestone for nothing"
            );
            grants = grants.saturating_add(grant.pending());
        }
        ensure!(
            grants == EarmarkedForGrants::<T>::get(),
            "the earmarks of grants do not add up"
        );
        let earmarked = runs.saturating_add(grants);
        let needed = earmarked.saturating_add(T::NativeBalance::minimum_balance());
        ensure!(
            earmarked == 0 || T::NativeBalance::balance(&Self::account_id()) >= needed,
            "the balance does not cover the earmarks"
        );
        Ok(())
    }

    fn check_deadlines() -> Result<(), TryRuntimeError> {
        let now = frame_system::Pallet::<T>::block_number();
        let mut listed = BTreeSet::new();
        for (at, due) in Deadlines::<T>::iter() {
            ensure!(
                at > now && !due.is_empty(),
                "deadlines that are past or empty"
            );
            for entry in due {
                ensure!(listed.insert(entry), "a deadline that passes twice");
            }
        }
        for (id, grant) in Grants::<T>::iter() {
            for (index, milestone) in grant.milestones.iter().enumerate() {
                ensure!(
                    milestone.state != MilestoneState::Open || listed.contains(&(id, index as u32)),
                    "an open milestone whose deadline never passes"
                );
            }
        }
        Ok(())
    }
}
