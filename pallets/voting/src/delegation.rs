//! What calls on delegations do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::governance::Span;
use sp_runtime::traits::SaturatedConversion;

impl<T: Config> Pallet<T> {
    fn now() -> u32 {
        frame_system::Pallet::<T>::block_number().saturated_into()
    }

    pub(crate) fn do_delegate(
        operator: T::AccountId,
        class: ClassOf<T>,
        to: T::AccountId,
    ) -> DispatchResult {
        ensure!(operator != to, Error::<T>::SelfDelegation);
        ensure!(
            T::Polls::classes().contains(&class),
            Error::<T>::NoSuchClass
        );
        ensure!(T::Operators::owner(&to).is_some(), Error::<T>::NotOperator);
        // Else strangers could fill the places of a delegate.
        let epoch = T::Standing::electorate().epoch;
        ensure!(
            T::Standing::voice(epoch, &operator).weight > 0,
            Error::<T>::NoWeight
        );
        if Delegations::<T>::contains_key(&operator, &class) {
            Self::do_undelegate(operator.clone(), class.clone(), None)?;
        }
        let now = Self::now();
        let life: u32 = T::PollLife::get().saturated_into();
        Delegators::<T>::try_mutate(&to, &class, |delegators| {
            // Nothing that can be open still counts by what ended so long ago.
            delegators.retain(|delegator| {
                let until = delegator.span.until;
                until.is_none_or(|until| until.saturating_add(life) >= now)
            });
            let span = Span {
                since: now,
                until: None,
            };
            let who = operator.clone();
            delegators
                .try_push(Delegator { who, span })
                .map_err(|_| Error::<T>::TooManyDelegators)
        })?;
        let delegation = Delegation {
            to: to.clone(),
            since: now,
        };
        Delegations::<T>::insert(&operator, &class, delegation);
        Self::deposit_event(Event::Delegated {
            operator,
            class,
            to,
        });
        Ok(())
    }

    /// Ends a delegation; with `only` the one to that operator.
    pub(crate) fn do_undelegate(
        operator: T::AccountId,
        class: ClassOf<T>,
        only: Option<T::AccountId>,
    ) -> DispatchResult {
        let delegation =
            Delegations::<T>::get(&operator, &class).ok_or(Error::<T>::NotDelegated)?;
        ensure!(
            only.is_none_or(|only| only == delegation.to),
            Error::<T>::NotDelegated
        );
        Delegations::<T>::remove(&operator, &class);
        let now = Self::now();
        Delegators::<T>::mutate(&delegation.to, &class, |delegators| {
            let of_this = |delegator: &Delegator<T::AccountId>| {
                delegator.who == operator && delegator.span.until.is_none()
            };
            if delegation.since == now {
                // It counted in no poll.
                delegators.retain(|delegator| !of_this(delegator));
            } else if let Some(delegator) = delegators.iter_mut().find(|at| of_this(at)) {
                delegator.span.until = Some(now);
            }
        });
        Self::deposit_event(Event::Undelegated {
            operator,
            class,
            from: delegation.to,
        });
        Ok(())
    }
}
