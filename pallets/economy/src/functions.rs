//! What calls and hooks do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{
    credit::{self, WINDOW_EPOCHS},
    subsidy,
    traits::Enrolled,
};
use frame_support::traits::tokens::Preservation;
use sp_runtime::{
    helpers_128bit::multiply_by_rational_with_rounding,
    traits::{AccountIdConversion, SaturatedConversion},
    Rounding,
};

/// Records of forgotten epochs that one block removes.
pub(crate) const FORGOTTEN_PER_BLOCK: u32 = 32;

impl<T: Config> Pallet<T> {
    /// The subsidy pot's account.
    pub fn pot_account() -> T::AccountId {
        T::PalletId::get().into_account_truncating()
    }

    /// What the pot can pay, in planck: its existential deposit is never spent.
    pub fn in_pot() -> Balance {
        T::NativeBalance::balance(&Self::pot_account())
            .saturating_sub(T::NativeBalance::minimum_balance())
    }

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

    pub(crate) fn begin_block() -> Weight {
        let mut weight = T::DbWeight::get().reads(4);
        Self::begin_census();
        if let Some(progress) = Ongoing::<T>::get() {
            weight.saturating_accrue(Self::go_on(progress));
        }
        weight.saturating_accrue(Self::forget());
        weight
    }

    /// Begins the census of the last epoch that has closed, if none is under way and it has none.
    pub(crate) fn begin_census() {
        if Ongoing::<T>::exists() {
            return;
        }
        let Some(closed) = T::Epochs::current().checked_sub(1) else {
            return;
        };
        let next = NextEpoch::<T>::get();
        if closed < next {
            return;
        }
        if closed > next {
            Self::deposit_event(Event::CensusSkipped {
                from: next,
                to: closed,
            });
        }
        NextEpoch::<T>::put(closed.saturating_add(1));
        RatiosSoFar::<T>::kill();
        EpochRatiosSoFar::<T>::kill();
        VotesSoFar::<T>::put(prices::Votes::new(Price::<T>::get()));
        Ongoing::<T>::put(Progress {
            epoch: closed,
            stage: Stage::Gather,
            last: None,
            census: Census::default(),
        });
    }

    /// One block's part of a census.
    fn go_on(mut progress: Progress<T::AccountId>) -> Weight {
        let step = T::Step::get();
        let (visited, weight) = match progress.stage {
            Stage::Gather => (
                Self::gather(&mut progress, step),
                T::WeightInfo::gather as fn(u32) -> Weight,
            ),
            Stage::Credit => (
                Self::credit(&mut progress, step),
                T::WeightInfo::credit as fn(u32) -> Weight,
            ),
            Stage::Pay { subsidy } => (
                Self::pay(&mut progress, subsidy, step),
                T::WeightInfo::pay as fn(u32) -> Weight,
            ),
        };
        if visited < step {
            Self::end_stage(progress);
        } else {
            Ongoing::<T>::put(progress);
        }
        weight(visited)
    }

    /// Visits operators of the registry; returns how many.
    pub(crate) fn gather(progress: &mut Progress<T::AccountId>, step: u32) -> u32 {
        let params = Parameters::<T>::get();
        let mut ratios = RatiosSoFar::<T>::get();
        let mut ratios_of_epoch = EpochRatiosSoFar::<T>::get();
        let mut votes =
            VotesSoFar::<T>::get().unwrap_or_else(|| prices::Votes::new(Price::<T>::get()));
        let enrolled = T::Roll::after(progress.last.as_ref(), step);
        let visited = enrolled.len() as u32;
        for Enrolled {
            operator,
            weight,
            drawn,
            bond,
        } in enrolled
        {
            if weight > 0 {
                let entry = Entry {
                    weight,
                    drawn,
                    bond,
                    ..Self::work_of(progress.epoch, &operator, &params)
                };
                ratios.add(credit::ratio(entry.window_units, weight), weight);
                ratios_of_epoch.add(credit::ratio(entry.units, drawn), drawn);
                votes.add(PriceVotes::<T>::get(&operator), weight);
                let census = &mut progress.census;
                census.weight = census.weight.saturating_add(weight);
                census.bond = census.bond.saturating_add(bond);
                census.operators = census.operators.saturating_add(1);
                Entries::<T>::insert(progress.epoch, &operator, entry);
            }
            progress.last = Some(operator);
        }
        RatiosSoFar::<T>::put(ratios);
        EpochRatiosSoFar::<T>::put(ratios_of_epoch);
        VotesSoFar::<T>::put(votes);
        visited
    }

    fn work_of(epoch: EpochIndex, operator: &T::AccountId, params: &Params) -> Entry {
        let mut entry = Entry::default();
        let first = epoch.saturating_sub(WINDOW_EPOCHS.saturating_sub(1));
        for of in first..=epoch {
            let did = T::Contributions::contributed(of, operator);
            let points = u128::from(did.points).saturating_mul(params.units_per_point.into());
            entry.window_units = entry
                .window_units
                .saturating_add(did.units)
                .saturating_add(points);
            if of == epoch {
                entry.units = did.units;
                entry.fees = did.fees;
            }
        }
        entry
    }

    /// Entries of a census after the last one visited.
    fn entries_after(progress: &Progress<T::AccountId>, step: u32) -> Vec<(T::AccountId, Entry)> {
        let epoch = progress.epoch;
        match &progress.last {
            None => Entries::<T>::iter_prefix(epoch)
                .take(step as usize)
                .collect(),
            Some(last) => {
                let from = Entries::<T>::hashed_key_for(epoch, last);
                Entries::<T>::iter_prefix_from(epoch, from)
                    .take(step as usize)
                    .collect()
            }
        }
    }

    /// Adds up credited fees; returns how many were visited.
    pub(crate) fn credit(progress: &mut Progress<T::AccountId>, step: u32) -> u32 {
        let entries = Self::entries_after(progress, step);
        let visited = entries.len() as u32;
        let medians = progress.census.medians();
        for (operator, entry) in entries {
            let fees = entry.credited_fees(&medians);
            progress.census.credited_fees = progress.census.credited_fees.saturating_add(fees);
            progress.last = Some(operator);
        }
        visited
    }

    /// Pays operators their parts; returns how many were visited.
    pub(crate) fn pay(progress: &mut Progress<T::AccountId>, subsidy: Balance, step: u32) -> u32 {
        let entries = Self::entries_after(progress, step);
        let visited = entries.len() as u32;
        let medians = progress.census.medians();
        for (operator, entry) in entries {
            let fees = entry.credited_fees(&medians);
            let part = multiply_by_rational_with_rounding(
                subsidy,
                fees,
                progress.census.credited_fees.max(1),
                Rounding::Down,
            )
            .unwrap_or_default();
            if part > 0 {
                Self::pay_one(progress, &operator, part);
            }
            progress.last = Some(operator);
        }
        visited
    }

    fn pay_one(progress: &mut Progress<T::AccountId>, operator: &T::AccountId, part: Balance) {
        let moved = T::NativeBalance::transfer(
            &Self::pot_account(),
            &T::Ledger::pot(),
            part,
            Preservation::Preserve,
        );
        match moved {
            Ok(_) => {
                T::Ledger::record_subsidy(operator, progress.epoch, part);
                Paid::<T>::mutate(|paid| *paid = paid.saturating_add(part));
                progress.census.subsidy = progress.census.subsidy.saturating_add(part);
            }
            Err(error) => {
                log::error!(target: LOG_TARGET, "a subsidy of {part} could not be paid: {error:?}")
            }
        }
    }

    fn end_stage(mut progress: Progress<T::AccountId>) {
        progress.last = None;
        match progress.stage {
            Stage::Gather => {
                progress.census.rho = RatiosSoFar::<T>::take().median();
                progress.census.rho_of_epoch = EpochRatiosSoFar::<T>::take().median();
                progress.census.price = Self::set_price(progress.epoch);
                progress.stage = Stage::Credit;
                Ongoing::<T>::put(progress);
            }
            Stage::Credit => match Self::grant(&progress) {
                0 => Self::complete(progress),
                subsidy => {
                    progress.stage = Stage::Pay { subsidy };
                    Ongoing::<T>::put(progress);
                }
            },
            Stage::Pay { .. } => Self::complete(progress),
        }
    }

    /// The price that was voted, in force from now on.
    fn set_price(epoch: EpochIndex) -> Balance {
        let params = Parameters::<T>::get();
        let old = Price::<T>::get();
        let new = VotesSoFar::<T>::take().map_or(old, |votes| {
            votes.outcome(params.lowest_price, params.highest_price)
        });
        Price::<T>::put(new);
        PriceHistory::<T>::insert(epoch, new);
        if let Some(old) = epoch.checked_sub(T::HistoryKept::get()) {
            PriceHistory::<T>::remove(old);
        }
        if new != old {
            Self::deposit_event(Event::PriceSet { epoch, old, new });
        }
        new
    }

    /// What the programme pays for the epoch.
    fn grant(progress: &Progress<T::AccountId>) -> Balance {
        let epoch = progress.epoch;
        let fees = progress.census.credited_fees;
        let params = Parameters::<T>::get();
        let now: u32 = frame_system::Pallet::<T>::block_number().saturated_into();
        let year = now
            .saturating_sub(params.first_block)
            .checked_div(params.year_blocks)
            .unwrap_or_default();
        let due = subsidy::Epoch {
            programme: params.programme,
            paid: Paid::<T>::get(),
            pot: Balance::MAX,
            budget: params.epoch_budget,
            least: subsidy::least_of_epoch(
                params.programme,
                year,
                T::Epochs::blocks(),
                params.year_blocks,
            ),
            fees,
        };
        let pot = Self::in_pot();
        let amount = subsidy::Epoch { pot, ..due }.subsidy();
        if amount > 0 {
            Self::deposit_event(Event::SubsidyGranted {
                epoch,
                fees,
                amount,
            });
        } else if due.subsidy() > 0 {
            Self::deposit_event(Event::PotEmpty { epoch, fees });
        }
        amount
    }

    fn complete(progress: Progress<T::AccountId>) {
        let Progress { epoch, census, .. } = progress;
        Ongoing::<T>::kill();
        Censuses::<T>::insert(epoch, census);
        Newest::<T>::put(epoch);
        Self::deposit_event(Event::CensusTaken { epoch, census });
    }

    /// Removes what is older than any poll can be.
    pub(crate) fn forget() -> Weight {
        let oldest = Oldest::<T>::get();
        let retention = Parameters::<T>::get().retention;
        let kept =
            Newest::<T>::get().is_none_or(|newest| newest <= oldest.saturating_add(retention));
        if kept {
            return Weight::zero();
        }
        let removed = Entries::<T>::clear_prefix(oldest, FORGOTTEN_PER_BLOCK, None);
        if removed.maybe_cursor.is_none() {
            Censuses::<T>::remove(oldest);
            Oldest::<T>::put(oldest.saturating_add(1));
        }
        T::WeightInfo::forget(removed.loops.min(FORGOTTEN_PER_BLOCK))
    }
}
