//! What the calls about a session and its slices do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    session::{
        rules::{Channel, Deposit, Refusal},
        session_id, SessionId, ShrinkConsent,
    },
    traits::{Checkpoints, Epochs, Operators},
    Balance, CheckpointRoot,
};
use frame_support::{
    pallet_prelude::*,
    traits::{
        fungible::MutateHold,
        tokens::{Fortitude, Precision, Restriction},
        Get,
    },
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{
    traits::{AccountIdConversion, Zero},
    MultiSignature, Saturating,
};

impl<T: Config> From<Refusal> for Error<T> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Overflow => Error::Overflow,
            Refusal::NotFree => Error::NotFree,
            Refusal::Stopped => Error::ChannelStopped,
            Refusal::Shrinking => Error::SliceShrinking,
            Refusal::NotSmaller => Error::NotSmaller,
            Refusal::LeafCount => Error::LeafCountOutOfRange,
            Refusal::NotNext => Error::NotNext,
            Refusal::OtherRequest => Error::OtherRequest,
            Refusal::NothingClaimed => Error::NothingClaimed,
            Refusal::BeyondSlice => Error::BeyondSlice,
            Refusal::BeyondCap => Error::BeyondCap,
        }
    }
}

impl<T: Config> Pallet<T> {
    /// The chain's name in everything that is hashed or signed.
    pub fn genesis_hash() -> H256 {
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
    }

    /// The account that holds pending money.
    pub fn pot() -> T::AccountId {
        T::PalletId::get().into_account_truncating()
    }

    pub(crate) fn now() -> BlockNumberFor<T> {
        frame_system::Pallet::<T>::block_number()
    }

    /// When a close window ends that begins now.
    pub(crate) fn window_end() -> BlockNumberFor<T> {
        Self::now().saturating_add(Parameters::<T>::get().close_blocks)
    }

    pub(crate) fn live(session: &SessionId) -> Result<SessionOf<T>, Error<T>> {
        Sessions::<T>::get(session).ok_or(Error::<T>::UnknownSession)
    }

    pub(crate) fn channel(
        session: &SessionId,
        operator: &T::AccountId,
    ) -> Result<ChannelOf<T>, Error<T>> {
        Channels::<T>::get(session, operator).ok_or(Error::<T>::UnknownChannel)
    }

    /// A live session of `client` that is not closing.
    fn open_session_of(
        client: &T::AccountId,
        session: &SessionId,
    ) -> Result<SessionOf<T>, Error<T>> {
        let live = Self::live(session)?;
        ensure!(live.client == *client, Error::<T>::NotClient);
        ensure!(live.stage == Stage::Open, Error::<T>::SessionClosing);
        Ok(live)
    }

    /// Pays `amount` out of what is on hold of a client.
    pub(crate) fn pay_from_hold(
        reason: HoldReason,
        client: &T::AccountId,
        to: &T::AccountId,
        amount: Balance,
    ) -> DispatchResult {
        if amount > 0 {
            T::NativeBalance::transfer_on_hold(
                &reason.into(),
                client,
                to,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )?;
        }
        Ok(())
    }

    /// Gives back what is on hold; as far as possible, so that nothing can keep a session from ending.
    pub(crate) fn release(reason: HoldReason, who: &T::AccountId, amount: Balance) {
        let released =
            T::NativeBalance::release(&reason.into(), who, amount, Precision::BestEffort);
        if released != Ok(amount) {
            log::error!(target: LOG_TARGET, "{amount} to release, but {released:?}");
        }
    }

    pub(crate) fn do_open(
        client: T::AccountId,
        checkpoint: CheckpointRoot,
        amount: Balance,
        key: Option<T::AccountId>,
    ) -> DispatchResult {
        let terms = T::Checkpoints::terms(&checkpoint).ok_or(Error::<T>::UnknownCheckpoint)?;
        ensure!(
            T::Operators::can_take_payment(&checkpoint),
            Error::<T>::CheckpointTakesNoPayment
        );
        let params = Parameters::<T>::get();
        ensure!(amount >= params.min_deposit, Error::<T>::DepositTooLow);
        T::NativeBalance::hold(&HoldReason::Session.into(), &client, amount)?;
        T::NativeBalance::hold(&HoldReason::Storage.into(), &client, params.storage_deposit)?;

        let index = NextSession::<T>::get();
        NextSession::<T>::put(index.saturating_add(1));
        let parent = frame_system::Pallet::<T>::parent_hash();
        let id = session_id(&Self::genesis_hash(), &parent, index);
        let (ticket, due) = Self::announce_draw(Drawn::Committee(id));
        let key = key.unwrap_or_else(|| client.clone());
        ClientSessions::<T>::insert(&client, id, ());
        Sessions::<T>::insert(
            id,
            Session {
                client: client.clone(),
                key: key.clone(),
                checkpoint,
                unit_price: terms.unit_price,
                evidence_tau: terms.thresholds.evidence_tau,
                deposit: Deposit {
                    paid_in: amount,
                    ..Default::default()
                },
                storage_deposit: params.storage_deposit,
                committee: BoundedVec::new(),
                drawn_in: None,
                draw: Some(ticket),
                stage: Stage::Open,
                channels: 0,
                excused: false,
                touched: Self::now(),
                finder: None,
            },
        );
        Self::deposit_event(Event::Opened {
            session: id,
            client,
            key,
            checkpoint,
            deposit: amount,
            due,
        });
        Ok(())
    }

    pub(crate) fn do_top_up(
        client: T::AccountId,
        id: SessionId,
        amount: Balance,
    ) -> DispatchResult {
        let mut session = Self::open_session_of(&client, &id)?;
        session.deposit.pay_in(amount).map_err(Error::<T>::from)?;
        T::NativeBalance::hold(&HoldReason::Session.into(), &client, amount)?;
        session.touched = Self::now();
        Sessions::<T>::insert(id, session);
        Self::deposit_event(Event::ToppedUp {
            session: id,
            amount,
        });
        Ok(())
    }

    pub(crate) fn do_renew(client: T::AccountId, id: SessionId) -> DispatchResult {
        // Nobody else: a renewal ties up the slices of whoever is not drawn again for a close window.
        let mut session = Self::open_session_of(&client, &id)?;
        ensure!(session.draw.is_none(), Error::<T>::DrawPending);
        let current = T::Epochs::current();
        ensure!(
            session.drawn_in.is_none_or(|epoch| epoch < current),
            Error::<T>::DrawnThisEpoch
        );
        let (ticket, due) = Self::announce_draw(Drawn::Committee(id));
        session.draw = Some(ticket);
        Sessions::<T>::insert(id, session);
        Self::deposit_event(Event::RenewalAnnounced { session: id, due });
        Ok(())
    }

    /// Changes the rules' state of one channel, and the deposit with it.
    fn change_channel(
        id: SessionId,
        mut session: SessionOf<T>,
        operator: &T::AccountId,
        touches: bool,
        change: impl FnOnce(&mut Channel<BlockNumberFor<T>>, &mut Deposit) -> Result<(), DispatchError>,
    ) -> Result<ChannelOf<T>, DispatchError> {
        let mut channel = Self::channel(&id, operator)?;
        change(&mut channel.rules, &mut session.deposit)?;
        if touches {
            session.touched = Self::now();
        }
        Channels::<T>::insert(id, operator, &channel);
        Sessions::<T>::insert(id, session);
        Ok(channel)
    }

    fn slice_changed(session: SessionId, operator: T::AccountId, channel: &ChannelOf<T>) {
        Self::deposit_event(Event::SliceChanged {
            session,
            operator,
            slice: channel.rules.slice,
        });
    }

    pub(crate) fn do_grow(
        client: T::AccountId,
        id: SessionId,
        operator: T::AccountId,
        amount: Balance,
    ) -> DispatchResult {
        let session = Self::open_session_of(&client, &id)?;
        ensure!(
            session.committee.contains(&operator),
            Error::<T>::NotInCommittee
        );
        let channel = Self::change_channel(id, session, &operator, true, |channel, deposit| {
            let grown = channel.grow(deposit, amount, Self::now());
            Ok(grown.map_err(Error::<T>::from)?)
        })?;
        Self::slice_changed(id, operator, &channel);
        Ok(())
    }

    pub(crate) fn do_shrink(
        client: T::AccountId,
        id: SessionId,
        operator: T::AccountId,
        to: Balance,
    ) -> DispatchResult {
        let session = Self::open_session_of(&client, &id)?;
        let until = Self::window_end();
        Self::change_channel(id, session, &operator, true, |channel, deposit| {
            let announced = channel.announce_shrink(deposit, to, Self::now(), until);
            Ok(announced.map_err(Error::<T>::from)?)
        })?;
        Self::deposit_event(Event::ShrinkAnnounced {
            session: id,
            operator,
            to,
            until,
        });
        Ok(())
    }

    pub(crate) fn do_shrink_now(
        signer: T::AccountId,
        id: SessionId,
        operator: T::AccountId,
        to: Balance,
        signature: Option<MultiSignature>,
    ) -> DispatchResult {
        let session = Self::live(&id)?;
        let before = Self::channel(&id, &operator)?;
        let consents = match signature {
            None => T::Operators::by_signer(&signer).as_ref() == Some(&operator),
            Some(signature) => {
                let consent = ShrinkConsent {
                    session: id,
                    operator: operator.clone(),
                    to,
                    version: before.rules.version,
                };
                consent.verify(&Self::genesis_hash(), &signature, &before.signer)
            }
        };
        ensure!(consents, Error::<T>::BadOperatorSignature);
        let channel = Self::change_channel(id, session, &operator, false, |channel, deposit| {
            let shrunk = channel.shrink_now(deposit, to, Self::now());
            Ok(shrunk.map_err(Error::<T>::from)?)
        })?;
        Self::slice_changed(id, operator, &channel);
        Ok(())
    }

    pub(crate) fn do_apply_shrink(id: SessionId, operator: T::AccountId) -> DispatchResult {
        let session = Self::live(&id)?;
        let channel = Self::change_channel(id, session, &operator, false, |channel, deposit| {
            let due = channel
                .shrink
                .is_some_and(|shrink| shrink.until <= Self::now());
            ensure!(due, Error::<T>::NoShrinkDue);
            let applied = channel.apply_shrink(deposit, Self::now());
            applied.map_err(Error::<T>::from)?;
            Ok(())
        })?;
        Self::slice_changed(id, operator, &channel);
        Ok(())
    }
}
