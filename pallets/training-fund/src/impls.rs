//! The pallet as others see it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::traits::TrainingFund;

impl<T: Config> TrainingFund<T::AccountId> for Pallet<T> {
    fn account() -> T::AccountId {
        Self::account_id()
    }

    fn free() -> Balance {
        Self::fund_status().free
    }

    fn reserve(run: RunId, amount: Balance) -> DispatchResult {
        if amount == 0 {
            return Ok(());
        }
        Self::ensure_free(amount)?;
        Runs::<T>::mutate(run, |budget| {
            let budget = budget.get_or_insert_default();
            budget.left = budget.left.saturating_add(amount);
        });
        EarmarkedForRuns::<T>::mutate(|sum| *sum = sum.saturating_add(amount));
        Self::deposit_event(Event::RunFunded { run, amount });
        Ok(())
    }

    fn pay(run: RunId, to: &T::AccountId, amount: Balance) -> DispatchResult {
        if amount == 0 {
            return Ok(());
        }
        let budget = Runs::<T>::get(run).unwrap_or_default();
        let left = budget
            .left
            .checked_sub(amount)
            .ok_or(Error::<T>::BeyondEarmark)?;
        Self::transfer(to, amount)?;
        let paid = budget.paid.saturating_add(amount);
        Runs::<T>::insert(run, RunBudget { left, paid });
        EarmarkedForRuns::<T>::mutate(|sum| *sum = sum.saturating_sub(amount));
        Self::deposit_event(Event::RunPaid {
            run,
            to: to.clone(),
            amount,
        });
        Ok(())
    }

    fn release(run: RunId) -> Balance {
        let Some(RunBudget { left, paid }) = Runs::<T>::take(run) else {
            return 0;
        };
        EarmarkedForRuns::<T>::mutate(|sum| *sum = sum.saturating_sub(left));
        Self::deposit_event(Event::RunReleased {
            run,
            paid,
            returned: left,
        });
        left
    }

    fn reserved(run: RunId) -> Balance {
        Runs::<T>::get(run).map_or(0, |budget| budget.left)
    }
}
