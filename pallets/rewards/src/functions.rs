//! What the calls and hooks do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::money;
use frame_support::{
    storage::with_storage_layer,
    traits::tokens::{DepositConsequence, Preservation, Provenance},
};
use sp_runtime::traits::AccountIdConversion;

/// Most epochs that one block closes; one is the rule.
const CLOSED_PER_BLOCK: u32 = 2;

impl<T: Config> Pallet<T> {
    /// The account that holds what the ledger owes.
    pub fn pot_account() -> T::AccountId {
        T::PalletId::get().into_account_truncating()
    }

    /// What is in the pot beyond the ledger and its existential deposit, in planck.
    pub fn surplus() -> Balance {
        T::NativeBalance::balance(&Self::pot_account())
            .saturating_sub(T::NativeBalance::minimum_balance())
            .saturating_sub(Liabilities::<T>::get())
    }

    /// Whether an epoch's pool divisor is fixed.
    pub(crate) fn is_closed(epoch: EpochIndex) -> bool {
        epoch < NextToClose::<T>::get()
    }

    /// Adds to what an operator earned in `epoch`.
    pub(crate) fn earn(
        epoch: EpochIndex,
        operator: &T::AccountId,
        totals: &mut Totals,
        add: Earned,
    ) {
        Earnings::<T>::mutate(epoch, operator, |earned| {
            let before = earned.unwrap_or_default();
            *earned = Some(Earned {
                compute: before.compute.saturating_add(add.compute),
                audit: before.audit.saturating_add(add.audit),
                points: before.points.saturating_add(add.points),
            });
        });
        if !OpenEpochs::<T>::contains_key(operator, epoch) {
            let beneficiary = T::Operators::owner(operator).unwrap_or_else(|| operator.clone());
            OpenEpochs::<T>::insert(operator, epoch, beneficiary);
        }
        Unclaimed::<T>::mutate(operator, |sum| *sum = sum.saturating_add(add.fixed()));
        totals.owed = totals.owed.saturating_add(add.fixed());
        totals.points = totals.points.saturating_add(add.points);
        totals.points_left = totals.points_left.saturating_add(add.points);
    }

    /// Takes what an operator earned in `epoch` out of the ledger's maps, and the fixed part out of its sums.
    pub(crate) fn take_earned(
        epoch: EpochIndex,
        operator: &T::AccountId,
        totals: &mut Totals,
    ) -> Option<Earned> {
        let earned = Earnings::<T>::take(epoch, operator)?;
        OpenEpochs::<T>::remove(operator, epoch);
        Unclaimed::<T>::mutate_exists(operator, |sum| {
            let left = sum.unwrap_or(0).saturating_sub(earned.fixed());
            *sum = (left > 0).then_some(left);
        });
        totals.owed = totals.owed.saturating_sub(earned.fixed());
        Some(earned)
    }

    /// Takes the share of `points` out of a closed epoch's pool; what the last share leaves over goes to the reserve.
    pub(crate) fn take_pool_share(totals: &mut Totals, points: u64) -> Balance {
        let share = money::pool_share(totals.pool, points.into(), totals.points.into())
            .min(totals.pool_left);
        totals.pool_left = totals.pool_left.saturating_sub(share);
        totals.points_left = totals.points_left.saturating_sub(points);
        if totals.points_left == 0 {
            let dust = core::mem::take(&mut totals.pool_left);
            ReserveDue::<T>::mutate(|due| *due = due.saturating_add(dust));
        }
        share
    }

    pub(crate) fn do_claim(signer: T::AccountId, epoch: EpochIndex) -> DispatchResult {
        // Whoever has left the registry may still collect.
        let operator = T::Operators::by_signer(&signer).unwrap_or(signer);
        let current = T::Epochs::current();
        ensure!(Self::is_due(epoch, current), Error::<T>::TooEarly);
        ensure!(!Self::has_open_case(&operator, epoch), Error::<T>::CaseOpen);
        let beneficiary =
            OpenEpochs::<T>::get(&operator, epoch).ok_or(Error::<T>::NothingToClaim)?;
        let mut totals = EpochTotals::<T>::get(epoch);
        let earned =
            Self::take_earned(epoch, &operator, &mut totals).ok_or(Error::<T>::NothingToClaim)?;
        let pool_share = Self::take_pool_share(&mut totals, earned.points);
        EpochTotals::<T>::insert(epoch, totals);

        let amount = earned.fixed().saturating_add(pool_share);
        if !Self::can_receive(&beneficiary, amount) {
            return Self::accrue(epoch, operator, beneficiary, current, amount);
        }
        Self::pay(&beneficiary, amount)?;
        Self::deposit_event(Event::Claimed {
            epoch,
            operator,
            beneficiary,
            compute: earned.compute,
            audit: earned.audit,
            pool_share,
        });
        Ok(())
    }

    /// Whether an epoch is old enough to be claimed.
    fn is_due(epoch: EpochIndex, current: EpochIndex) -> bool {
        Self::is_closed(epoch) && epoch.saturating_add(T::ClaimDelay::get()) <= current
    }

    /// Whether a case is open on the operator's work of `epoch` or an earlier one.
    fn has_open_case(operator: &T::AccountId, epoch: EpochIndex) -> bool {
        OpenCases::<T>::iter_key_prefix(operator).any(|of| of <= epoch)
    }

    fn can_receive(who: &T::AccountId, amount: Balance) -> bool {
        amount == 0
            || matches!(
                T::NativeBalance::can_deposit(who, amount, Provenance::Extant),
                DepositConsequence::Success
            )
    }

    /// Moves what cannot be paid out yet to the running epoch.
    fn accrue(
        epoch: EpochIndex,
        operator: T::AccountId,
        beneficiary: T::AccountId,
        into: EpochIndex,
        amount: Balance,
    ) -> DispatchResult {
        if !OpenEpochs::<T>::contains_key(&operator, into) {
            OpenEpochs::<T>::insert(&operator, into, beneficiary);
        }
        let mut totals = EpochTotals::<T>::get(into);
        let add = Earned {
            compute: amount,
            ..Default::default()
        };
        Self::earn(into, &operator, &mut totals, add);
        EpochTotals::<T>::insert(into, totals);
        Self::deposit_event(Event::Accrued {
            epoch,
            operator,
            into,
            amount,
        });
        Ok(())
    }

    /// Pays a liability; the pot's existential deposit stays.
    fn pay(to: &T::AccountId, amount: Balance) -> DispatchResult {
        if amount == 0 {
            return Ok(());
        }
        T::NativeBalance::transfer(&Self::pot_account(), to, amount, Preservation::Preserve)?;
        Liabilities::<T>::mutate(|sum| *sum = sum.saturating_sub(amount));
        Ok(())
    }

    /// Closes epochs that have ended, then sweeps a bounded number of old records.
    pub(crate) fn begin_block() -> Weight {
        let current = T::Epochs::current();
        let mut weight = T::WeightInfo::begin_block();
        let mut closed = 0u32;
        let mut next = NextToClose::<T>::get();
        while next < current && closed < CLOSED_PER_BLOCK {
            Self::close_epoch(next);
            next = next.saturating_add(1);
            closed = closed.saturating_add(1);
            weight.saturating_accrue(T::WeightInfo::close_epoch());
        }
        weight.saturating_add(Self::sweep(current, T::SweepStep::get()))
    }

    /// Fixes the divisor of an epoch's pool, and pays the dues.
    pub(crate) fn close_epoch(epoch: EpochIndex) {
        NextToClose::<T>::put(epoch.saturating_add(1));
        if EpochTotals::<T>::contains_key(epoch) {
            EpochTotals::<T>::mutate(epoch, |totals| {
                // Takes the whole pool to the reserve when no points are left.
                let forfeited = Self::take_pool_share_of_forfeited(totals);
                ReserveDue::<T>::mutate(|due| *due = due.saturating_add(forfeited));
                Self::deposit_event(Event::EpochClosed {
                    epoch,
                    pool: totals.pool,
                    points: totals.points,
                });
            });
        }
        Self::pay_dues();
    }

    fn take_pool_share_of_forfeited(totals: &mut Totals) -> Balance {
        let points = totals.forfeited_points;
        // Forfeited points have left `points_left` already: put them back for the common path.
        totals.points_left = totals.points_left.saturating_add(points);
        Self::take_pool_share(totals, points)
    }

    /// Moves dues, and what nobody paid as a fee, to fund and reserve. What an account cannot hold stays due.
    fn pay_dues() {
        let surplus = Self::surplus();
        if surplus > 0 {
            Liabilities::<T>::mutate(|sum| *sum = sum.saturating_add(surplus));
            ReserveDue::<T>::mutate(|due| *due = due.saturating_add(surplus));
        }
        let fund = FundDue::<T>::get();
        if Self::try_pay_due(&T::FundAccount::get(), fund) {
            FundDue::<T>::kill();
            Self::deposit_event(Event::FundPaid { amount: fund });
        }
        let reserve = ReserveDue::<T>::get();
        if Self::try_pay_due(&T::ReserveAccount::get(), reserve) {
            ReserveDue::<T>::kill();
            Self::deposit_event(Event::ReservePaid { amount: reserve });
        }
    }

    fn try_pay_due(to: &T::AccountId, amount: Balance) -> bool {
        amount > 0
            && Self::can_receive(to, amount)
            && with_storage_layer(|| Self::pay(to, amount)).is_ok()
    }

    /// Takes what nobody claimed in time to the reserve, `limit` records at most.
    pub(crate) fn sweep(current: EpochIndex, limit: u32) -> Weight {
        let epoch = NextToSweep::<T>::get();
        let over = epoch.saturating_add(T::ClaimPeriod::get()) < current;
        if !over || !Self::is_closed(epoch) {
            return T::DbWeight::get().reads(2);
        }
        let mut totals = EpochTotals::<T>::get(epoch);
        let operators: Vec<_> = Earnings::<T>::iter_key_prefix(epoch)
            .take(limit as usize)
            .collect();
        let mut visited = operators.len() as u32;
        let mut swept: Balance = 0;
        for operator in &operators {
            if let Some(earned) = Self::take_earned(epoch, operator, &mut totals) {
                let share = Self::take_pool_share(&mut totals, earned.points);
                swept = swept.saturating_add(earned.fixed()).saturating_add(share);
            }
        }
        ReserveDue::<T>::mutate(|due| *due = due.saturating_add(swept));
        EpochTotals::<T>::insert(epoch, totals);
        let room = limit.saturating_sub(visited);
        if room > 0 {
            let removed = Contributions::<T>::clear_prefix(epoch, room, None);
            visited = visited.saturating_add(removed.loops);
            if removed.maybe_cursor.is_none() {
                Self::finish_sweep(epoch, totals);
            }
        }
        T::WeightInfo::sweep(visited.min(limit))
    }

    fn finish_sweep(epoch: EpochIndex, totals: Totals) {
        // Nothing is left where the sums are right; the ledger stays whole where they are not.
        let rest = totals.owed.saturating_add(totals.pool_left);
        ReserveDue::<T>::mutate(|due| *due = due.saturating_add(rest));
        EpochTotals::<T>::remove(epoch);
        NextToSweep::<T>::put(epoch.saturating_add(1));
        Self::deposit_event(Event::Swept { epoch });
    }

    pub(crate) fn earned_info(epoch: EpochIndex, operator: &T::AccountId) -> Option<EarnedInfo> {
        let earned = Earnings::<T>::get(epoch, operator)?;
        let totals = EpochTotals::<T>::get(epoch);
        let claimable =
            Self::is_due(epoch, T::Epochs::current()) && !Self::has_open_case(operator, epoch);
        Some(EarnedInfo {
            compute: earned.compute,
            audit: earned.audit,
            points: earned.points,
            pool_share: money::pool_share(totals.pool, earned.points.into(), totals.points.into())
                .min(totals.pool_left),
            claimable,
        })
    }

    pub(crate) fn claimable_epochs(operator: &T::AccountId) -> Vec<(EpochIndex, Balance)> {
        let mut epochs: Vec<_> = OpenEpochs::<T>::iter_key_prefix(operator)
            .filter_map(|epoch| {
                let info = Self::earned_info(epoch, operator).filter(|info| info.claimable)?;
                let fixed = info.compute.saturating_add(info.audit);
                Some((epoch, fixed.saturating_add(info.pool_share)))
            })
            .collect();
        epochs.sort_unstable();
        epochs
    }
}
