//! What always holds.

use crate::*;
use alloc::collections::BTreeMap;
use frame_support::ensure;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the ledger.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_shares()?;
        Self::check_pot()?;
        Self::check_epochs()?;
        Self::check_operators()
    }

    pub(crate) fn check_shares() -> Result<(), TryRuntimeError> {
        ensure!(
            FeeShares::<T>::get().is_whole(),
            "the shares do not sum to 100%"
        );
        Ok(())
    }

    /// The pot covers its existential deposit and everything owed. Whatever is more is [`Pallet::surplus`], so that the sum
    /// is exact by definition.
    pub(crate) fn check_pot() -> Result<(), TryRuntimeError> {
        let epochs = EpochTotals::<T>::iter_values().fold(0u128, |sum, t| {
            sum.saturating_add(t.owed).saturating_add(t.pool_left)
        });
        let owed = epochs
            .saturating_add(FundDue::<T>::get())
            .saturating_add(ReserveDue::<T>::get());
        ensure!(
            owed == Liabilities::<T>::get(),
            "liabilities are not what is owed"
        );
        let needed = owed.saturating_add(T::NativeBalance::minimum_balance());
        ensure!(
            T::NativeBalance::balance(&Self::pot_account()) >= needed,
            "the pot does not cover what is owed"
        );
        Ok(())
    }

    /// Each epoch's sums are those of its records.
    pub(crate) fn check_epochs() -> Result<(), TryRuntimeError> {
        let mut sums: BTreeMap<EpochIndex, (Balance, u64)> = BTreeMap::new();
        for (epoch, _, earned) in Earnings::<T>::iter() {
            let (owed, points) = sums.entry(epoch).or_default();
            *owed = owed.saturating_add(earned.fixed());
            *points = points.saturating_add(earned.points);
        }
        for epoch in sums.keys() {
            ensure!(
                EpochTotals::<T>::contains_key(epoch),
                "earnings of an epoch without sums"
            );
        }
        for (epoch, totals) in EpochTotals::<T>::iter() {
            let (owed, points) = sums.get(&epoch).copied().unwrap_or_default();
            ensure!(
                owed == totals.owed,
                "an epoch does not owe what its operators earned"
            );
            ensure!(
                points == totals.points_left,
                "the points left are not the operators'"
            );
            ensure!(
                totals.points_left <= totals.points,
                "more points are left than there were"
            );
            ensure!(
                totals.pool_left <= totals.pool,
                "more is left of a pool than it took in"
            );
            if !Self::is_closed(epoch) {
                ensure!(
                    totals.pool_left == totals.pool,
                    "a running epoch's pool is divided"
                );
            }
            ensure!(epoch >= NextToSweep::<T>::get(), "a swept epoch has sums");
        }
        Self::check_contributions()
    }

    /// Contributions are counted in their epoch's sums unless they were forfeited or are being swept.
    fn check_contributions() -> Result<(), TryRuntimeError> {
        let sweeping = NextToSweep::<T>::get();
        let mut sums: BTreeMap<EpochIndex, Contribution> = BTreeMap::new();
        for (epoch, _, contribution) in Contributions::<T>::iter() {
            let sum = sums.entry(epoch).or_default();
            sum.poi_units = sum.poi_units.saturating_add(contribution.poi_units);
            sum.poc_points = sum.poc_points.saturating_add(contribution.poc_points);
        }
        for (epoch, totals) in EpochTotals::<T>::iter().filter(|(epoch, _)| *epoch > sweeping) {
            let sum = sums.get(&epoch).copied().unwrap_or_default();
            ensure!(
                sum.poi_units == totals.poi_units,
                "an epoch's units are not its operators'"
            );
            let points = totals.points.saturating_sub(totals.forfeited_points);
            ensure!(
                sum.poc_points == points,
                "an epoch's points are not its operators'"
            );
        }
        Ok(())
    }

    /// Each operator's list of epochs and running total are those of its records.
    pub(crate) fn check_operators() -> Result<(), TryRuntimeError> {
        let mut unclaimed: BTreeMap<T::AccountId, Balance> = BTreeMap::new();
        let mut records = 0usize;
        for (epoch, operator, earned) in Earnings::<T>::iter() {
            records = records.saturating_add(1);
            ensure!(
                OpenEpochs::<T>::contains_key(&operator, epoch),
                "an operator does not list an epoch in which it earned"
            );
            let sum = unclaimed.entry(operator).or_default();
            *sum = sum.saturating_add(earned.fixed());
        }
        ensure!(
            OpenEpochs::<T>::iter().count() == records,
            "an epoch is listed without earnings"
        );
        for (operator, sum) in Unclaimed::<T>::iter() {
            ensure!(
                unclaimed.remove(&operator) == Some(sum),
                "an operator's running total is not the sum of its records"
            );
        }
        ensure!(
            unclaimed.values().all(|sum| *sum == 0),
            "an operator's records are not in its running total"
        );
        ensure!(
            OpenCases::<T>::iter_values().all(|open| open > 0),
            "a case counter at zero"
        );
        Ok(())
    }
}
