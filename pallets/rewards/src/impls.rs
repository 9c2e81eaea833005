//! What other pallets see.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::Subject,
    money,
    traits::{Contributed, Ledger},
};

impl<T: Config> Ledger<T::AccountId> for Pallet<T> {
    fn pot() -> T::AccountId {
        Self::pot_account()
    }

    fn record_fee(
        subject: Subject,
        executor: &T::AccountId,
        auditors: &[T::AccountId],
        price: Balance,
        units: u64,
    ) {
        // Never more than was paid in, whatever the caller says.
        let paid = Self::surplus().min(price);
        if paid < price {
            log::error!(target: "runtime::rewards", "a fee of {price} was recorded, {paid} are in the pot");
        }
        let epoch = T::Epochs::current();
        let split = money::split_fee(paid, &FeeShares::<T>::get(), auditors.len() as u32);
        let mut totals = EpochTotals::<T>::get(epoch);
        let compute = Earned {
            compute: split.executor,
            ..Default::default()
        };
        Self::earn(epoch, executor, &mut totals, compute);
        for auditor in auditors {
            let audit = Earned {
                audit: split.auditors_each,
                ..Default::default()
            };
            Self::earn(epoch, auditor, &mut totals, audit);
        }
        totals.pool = totals.pool.saturating_add(split.poc);
        totals.pool_left = totals.pool_left.saturating_add(split.poc);
        totals.poi_units = totals.poi_units.saturating_add(units.into());
        EpochTotals::<T>::insert(epoch, totals);
        Contributions::<T>::mutate(epoch, executor, |contribution| {
            contribution.poi_units = contribution.poi_units.saturating_add(units.into());
            contribution.poi_fees = contribution.poi_fees.saturating_add(split.executor);
        });
        FundDue::<T>::mutate(|due| *due = due.saturating_add(split.fund));
        ReserveDue::<T>::mutate(|due| *due = due.saturating_add(split.reserve));
        Liabilities::<T>::mutate(|sum| *sum = sum.saturating_add(paid));
        let listed = auditors
            .iter()
            .take(MAX_LISTED_AUDITORS as usize)
            .map(|auditor| (auditor.clone(), split.auditors_each))
            .collect();
        Self::deposit_event(Event::FeeRecorded {
            subject,
            epoch,
            executor: executor.clone(),
            price: paid,
            to_executor: split.executor,
            auditors: BoundedVec::truncate_from(listed),
            auditors_paid: auditors.len() as u32,
            to_auditors: split
                .auditors_each
                .saturating_mul(auditors.len() as Balance),
            to_pool: split.poc,
            to_fund: split.fund,
            to_reserve: split.reserve,
        });
    }

    fn record_poc_points(operator: &T::AccountId, points: u64) {
        if points == 0 {
            return;
        }
        let epoch = T::Epochs::current();
        let mut totals = EpochTotals::<T>::get(epoch);
        let add = Earned {
            points,
            ..Default::default()
        };
        Self::earn(epoch, operator, &mut totals, add);
        EpochTotals::<T>::insert(epoch, totals);
        Contributions::<T>::mutate(epoch, operator, |contribution| {
            contribution.poc_points = contribution.poc_points.saturating_add(points);
        });
        let operator = operator.clone();
        Self::deposit_event(Event::PointsRecorded {
            epoch,
            operator,
            points,
        });
    }

    fn record_subsidy(operator: &T::AccountId, epoch: EpochIndex, amount: Balance) {
        let paid = Self::surplus().min(amount);
        if paid < amount {
            log::error!(target: "runtime::rewards", "a subsidy of {amount} was recorded, {paid} are in the pot");
        }
        if paid == 0 {
            return;
        }
        let swept = epoch < NextToSweep::<T>::get();
        let epoch = if swept { T::Epochs::current() } else { epoch };
        let mut totals = EpochTotals::<T>::get(epoch);
        let compute = Earned {
            compute: paid,
            ..Default::default()
        };
        Self::earn(epoch, operator, &mut totals, compute);
        EpochTotals::<T>::insert(epoch, totals);
        Liabilities::<T>::mutate(|sum| *sum = sum.saturating_add(paid));
        Self::deposit_event(Event::SubsidyRecorded {
            epoch,
            operator: operator.clone(),
            amount: paid,
        });
    }

    /// Compute and audit pay; shares of pools are left out, because those of running epochs are not known. One read.
    fn unclaimed(operator: &T::AccountId) -> Balance {
        Unclaimed::<T>::get(operator)
    }

    /// At most one record for each epoch that is not swept.
    fn forfeit(operator: &T::AccountId) -> Balance {
        let epochs: Vec<EpochIndex> = OpenEpochs::<T>::iter_key_prefix(operator).collect();
        let mut amount: Balance = 0;
        for epoch in epochs {
            let mut totals = EpochTotals::<T>::get(epoch);
            let Some(earned) = Self::take_earned(epoch, operator, &mut totals) else {
                continue;
            };
            let contribution = Contributions::<T>::take(epoch, operator);
            totals.poi_units = totals.poi_units.saturating_sub(contribution.poi_units);
            totals.forfeited_points = totals.forfeited_points.saturating_add(earned.points);
            let share = if Self::is_closed(epoch) {
                Self::take_pool_share(&mut totals, earned.points)
            } else {
                // What the points are worth is known at the epoch's close.
                totals.points_left = totals.points_left.saturating_sub(earned.points);
                0
            };
            EpochTotals::<T>::insert(epoch, totals);
            amount = amount.saturating_add(earned.fixed()).saturating_add(share);
        }
        if amount > 0 {
            ReserveDue::<T>::mutate(|due| *due = due.saturating_add(amount));
            Self::deposit_event(Event::Forfeited {
                operator: operator.clone(),
                amount,
            });
        }
        amount
    }

    fn case_opened(operator: &T::AccountId, epoch: EpochIndex) {
        OpenCases::<T>::mutate(operator, epoch, |open| *open = open.saturating_add(1));
    }

    fn case_closed(operator: &T::AccountId, epoch: EpochIndex) {
        OpenCases::<T>::mutate_exists(operator, epoch, |open| {
            *open = open
                .and_then(|count| count.checked_sub(1))
                .filter(|count| *count > 0);
        });
    }
}

impl<T: Config> chasqui_primitives::traits::Contributions<T::AccountId> for Pallet<T> {
    fn contributed(epoch: EpochIndex, operator: &T::AccountId) -> Contributed {
        let contribution = Contributions::<T>::get(epoch, operator);
        Contributed {
            units: contribution.poi_units,
            fees: contribution.poi_fees,
            points: contribution.poc_points,
        }
    }
}
