//! How sessions end.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{session::SessionId, Balance};
use frame_support::{pallet_prelude::*, storage::with_storage_layer, traits::Get};
use sp_runtime::Saturating;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_close(client: T::AccountId, id: SessionId) -> Result<u32, DispatchError> {
        let session = Self::live(&id)?;
        ensure!(session.client == client, Error::<T>::NotClient);
        Self::begin_closing(id, session, None)
    }

    pub(crate) fn do_expire(finder: T::AccountId, id: SessionId) -> Result<u32, DispatchError> {
        let session = Self::live(&id)?;
        let abandoned = session
            .touched
            .saturating_add(Parameters::<T>::get().expiry_blocks);
        ensure!(abandoned <= Self::now(), Error::<T>::NotAbandoned);
        Self::begin_closing(id, session, Some(finder))
    }

    /// Opens the last close window: all channels retire. Returns how many there are.
    fn begin_closing(
        id: SessionId,
        mut session: SessionOf<T>,
        finder: Option<T::AccountId>,
    ) -> Result<u32, DispatchError> {
        ensure!(session.stage == Stage::Open, Error::<T>::SessionClosing);
        let (now, until) = (Self::now(), Self::window_end());
        let mut visited = 0u32;
        for (operator, mut channel) in Self::all_channels(&id) {
            channel
                .rules
                .retire(&mut session.deposit, now, until)
                .map_err(Error::<T>::from)?;
            Channels::<T>::insert(id, &operator, channel);
            visited = visited.saturating_add(1);
        }
        if let Some(ticket) = session.draw.take() {
            Draws::<T>::remove(ticket);
        }
        session.committee = BoundedVec::new();
        session.stage = Stage::Closing { until };
        session.finder = finder.clone();
        Sessions::<T>::insert(id, session);
        Agenda::<T>::insert(until, id, ());
        Self::deposit_event(Event::Closing {
            session: id,
            until,
            finder,
        });
        Ok(visited)
    }

    /// All channels of a session, at most [`MAX_CHANNELS`].
    pub(crate) fn all_channels(id: &SessionId) -> Vec<(T::AccountId, ChannelOf<T>)> {
        Channels::<T>::iter_prefix(id).collect()
    }

    /// The last close window is over: everybody gets what is theirs, and the session is gone.
    pub(crate) fn finish(id: SessionId, session: SessionOf<T>) {
        let client = &session.client;
        let left = session.deposit.left();
        // Without a committee there was nothing to look at, and nobody to spend it with.
        let due = match session.excused || session.channels == 0 {
            true => 0,
            false => session.deposit.forfeit(),
        };
        let forfeited = Self::try_pay(client, &T::Reserve::get(), due);
        let mut bounty = 0;
        if let Some(finder) = &session.finder {
            let most = Parameters::<T>::get().expiry_bounty;
            bounty = Self::try_pay(client, finder, most.min(left.saturating_sub(forfeited)));
        }
        let returned = left.saturating_sub(forfeited).saturating_sub(bounty);
        Self::release(HoldReason::Session, client, returned);
        Self::release(HoldReason::Storage, client, session.storage_deposit);
        for (operator, _) in Self::all_channels(&id) {
            Channels::<T>::remove(id, &operator);
            Engagements::<T>::remove(&operator, id);
        }
        ClientSessions::<T>::remove(client, id);
        Sessions::<T>::remove(id);
        Self::deposit_event(Event::Closed {
            session: id,
            client: session.client,
            spent: session.deposit.settled,
            returned,
            forfeited,
            bounty,
        });
    }

    /// Pays out of a deposit, or nothing where the receiver cannot have so little. Returns what was paid.
    fn try_pay(client: &T::AccountId, to: &T::AccountId, amount: Balance) -> Balance {
        let paid =
            with_storage_layer(|| Self::pay_from_hold(HoldReason::Session, client, to, amount));
        match paid {
            Ok(()) => amount,
            Err(_) => 0,
        }
    }
}
