//! What ties operators to runs, and the deposits that go with it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use frame_support::traits::{
    fungible::hold::Mutate as _,
    tokens::{Fortitude, Precision, Restriction},
};

impl<T: Config> Pallet<T> {
    /// The accounts behind a seat, each once.
    fn behind<'a>(
        who: &'a T::AccountId,
        seat: &'a SeatOf<T>,
    ) -> impl Iterator<Item = &'a T::AccountId> {
        core::iter::once(who).chain((seat.owner != *who).then_some(&seat.owner))
    }

    /// A new member takes its seat; one that came back before its last round was done with finds it taken.
    pub(crate) fn take_seat(run: RunId, who: &T::AccountId) -> DispatchResult {
        let seat = match Seats::<T>::get(run, who) {
            Some(seat) => Seat {
                member: true,
                ..seat
            },
            None => {
                let deposit = Parameters::<T>::get().member_deposit;
                T::NativeBalance::hold(&HoldReason::Member.into(), who, deposit)?;
                let seat = Seat {
                    owner: T::Operators::owner(who).unwrap_or_else(|| who.clone()),
                    deposit,
                    member: true,
                    contributions: 0,
                };
                for account in Self::behind(who, &seat) {
                    Interested::<T>::mutate(run, account, |seats| *seats = seats.saturating_add(1));
                }
                seat
            }
        };
        Seats::<T>::insert(run, who, seat);
        Ok(())
    }

    /// Changes a seat, and clears it away once nothing ties its operator to the run any more.
    pub(crate) fn change_seat(run: RunId, who: &T::AccountId, change: impl FnOnce(&mut SeatOf<T>)) {
        // Whoever is banned for a round that it had left has none.
        let Some(mut seat) = Seats::<T>::get(run, who) else {
            return;
        };
        change(&mut seat);
        if seat.member || seat.contributions > 0 {
            Seats::<T>::insert(run, who, seat);
            return;
        }
        Seats::<T>::remove(run, who);
        for account in Self::behind(who, &seat) {
            Interested::<T>::mutate_exists(run, account, |seats| {
                *seats = seats.unwrap_or(0).checked_sub(1).filter(|left| *left > 0);
            });
        }
        Self::give_back(HoldReason::Member, who, seat.deposit);
    }

    /// Releases a deposit in a hook, where nobody could be told of an error.
    pub(crate) fn give_back(reason: HoldReason, who: &T::AccountId, deposit: Balance) {
        let released =
            T::NativeBalance::release(&reason.into(), who, deposit, Precision::BestEffort);
        if released != Ok(deposit) {
            log::error!(target: LOG_TARGET, "{deposit} of {who:?} to give back: {released:?}");
        }
    }

    /// Moves a lost deposit to the reserve, or gives it back where the reserve cannot hold it. `true`: it was moved.
    pub(crate) fn forfeit(reason: HoldReason, who: &T::AccountId, deposit: Balance) -> bool {
        let moved = frame_support::storage::with_storage_layer(|| {
            T::NativeBalance::transfer_on_hold(
                &T::RuntimeHoldReason::from(reason),
                who,
                &T::Reserve::get(),
                deposit,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
        });
        match moved {
            Ok(_) => true,
            Err(error) => {
                log::error!(target: LOG_TARGET, "the reserve cannot take {deposit}: {error:?}");
                Self::give_back(reason, who, deposit);
                false
            }
        }
    }
}
