//! Settlements: money moves from deposits into takings, and waits there for a case.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{
    audit::{Decision, Subject},
    session::{sample::draw_plancks, Settlement},
    traits::{AuditRecord, Epochs, Ledger, Offence, Operators},
    Balance,
};
use frame_support::{
    pallet_prelude::*,
    storage::with_storage_layer,
    traits::{fungible::Mutate, tokens::Preservation, Get},
};

/// Accounts that one settlement adds to those who do not judge its takings: the client, and the operator that it signs
/// for with its owner.
const CLIENT_KEYS: usize = 3;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_settle(signer: T::AccountId, entries: EntriesOf<T>) -> DispatchResult {
        let caller = T::Operators::by_signer(&signer);
        let mut outcome = Err(Error::<T>::NoEntries.into());
        for entry in entries {
            let (session, operator) = (
                entry.request.request.session,
                entry.request.request.operator.clone(),
            );
            match with_storage_layer(|| Self::settle_entry(caller.as_ref(), entry)) {
                Ok(()) => outcome = Ok(()),
                Err(error) => {
                    // Of a call that fails as a whole no event stays: then its error is that of the last entry.
                    Self::deposit_event(Event::SettlementFailed {
                        session,
                        operator,
                        error,
                    });
                    if outcome.is_err() {
                        outcome = Err(error);
                    }
                }
            }
        }
        outcome
    }

    fn settle_entry(
        caller: Option<&T::AccountId>,
        entry: Entry<T::AccountId>,
    ) -> Result<(), DispatchError> {
        let Entry {
            request: signed,
            claim,
            signature,
        } = entry;
        let request = &signed.request;
        let (id, operator) = (request.session, request.operator.clone());
        let mut session = Self::live(&id)?;
        let mut channel = Self::channel(&id, &operator)?;
        ensure!(
            request.checkpoint == session.checkpoint,
            Error::<T>::OtherRequest
        );
        let genesis = Self::genesis_hash();
        ensure!(
            signed.verify(&genesis, &session.key),
            Error::<T>::BadClientSignature
        );
        // Whoever answers for everything under the root must have said so.
        let min = Parameters::<T>::get().min_settlement;
        // The last chance is everybody's: what was served is paid, however little.
        let ends = session.stage != Stage::Open || channel.rules.shrink.is_some();
        ensure!(
            claim.sum >= min || claim.sum == 0 || ends,
            Error::<T>::SettlementTooSmall
        );
        let authorised = caller == Some(&operator)
            || signature.is_some_and(|signature| {
                let settlement = Settlement {
                    session: id,
                    operator: operator.clone(),
                    claim,
                };
                settlement.verify(&genesis, &signature, &channel.signer)
            });
        ensure!(authorised, Error::<T>::BadOperatorSignature);
        channel
            .rules
            .settle(
                &mut session.deposit,
                &claim,
                (request.seq, request.cap),
                Self::now(),
            )
            .map_err(Error::<T>::from)?;
        let epoch = T::Epochs::current();
        channel.settlements = match channel.settled_in == epoch {
            true => channel.settlements.saturating_add(1),
            false => 1,
        };
        channel.settled_in = epoch;
        ensure!(
            channel.settlements <= Parameters::<T>::get().max_settlements,
            Error::<T>::TooManySettlements
        );
        Self::pay_from_hold(
            HoldReason::Session,
            &session.client,
            &Self::pot(),
            claim.sum,
        )?;

        let (takings_id, mut takings) = Self::running_takings(&operator, &session)?;
        let settlement = takings.settlements;
        let record = SettlementRecord {
            session: id,
            client: session.client.clone(),
            claim,
            before: takings.total,
            returned: 0,
        };
        let units = claim.sum.checked_div(session.unit_price).unwrap_or(0);
        takings.total = takings
            .total
            .checked_add(claim.sum)
            .ok_or(Error::<T>::Overflow)?;
        takings.units = takings
            .units
            .saturating_add(u64::try_from(units).unwrap_or(u64::MAX));
        takings.settlements = settlement.checked_add(1).ok_or(Error::<T>::Overflow)?;
        takings.evidence_tau = takings.evidence_tau.max(session.evidence_tau);
        Settlements::<T>::insert(takings_id, settlement, record);
        Self::note_client(takings_id, &session.client);
        AllTakings::<T>::insert(takings_id, takings);
        session.touched = Self::now();
        Channels::<T>::insert(id, &operator, channel);
        Sessions::<T>::insert(id, session);
        Self::deposit_event(Event::Settled {
            session: id,
            operator,
            takings: takings_id,
            settlement,
            sum: claim.sum,
            first: claim.first,
            last: claim.last,
        });
        Ok(())
    }

    /// The takings of the running epoch. The first settlement makes the operator's bond liable until they are decided.
    fn running_takings(
        operator: &T::AccountId,
        session: &SessionOf<T>,
    ) -> Result<(TakingsId, TakingsOf<T>), DispatchError> {
        let epoch = T::Epochs::current();
        let newest = NewestTakings::<T>::get(operator, session.checkpoint)
            .and_then(|id| Some((id, AllTakings::<T>::get(id)?)))
            .filter(|(_, takings)| takings.epoch == epoch);
        if let Some(newest) = newest {
            return Ok(newest);
        }
        T::Operators::add_liability(operator)?;
        let id = NextTakings::<T>::get();
        NextTakings::<T>::put(id.saturating_add(1));
        NewestTakings::<T>::insert(operator, session.checkpoint, id);
        OperatorTakings::<T>::insert(operator, id, ());
        let takings = Takings {
            operator: operator.clone(),
            checkpoint: session.checkpoint,
            epoch,
            total: 0,
            returned: 0,
            units: 0,
            settlements: 0,
            evidence_tau: session.evidence_tau,
            stage: TakingsStage::Collecting,
        };
        Ok((id, takings))
    }

    /// Notes who stands behind a session: at most [`CLIENT_KEYS`] accounts. A client that becomes an operator, or the
    /// owner of one, only later is found by its own account.
    fn note_client(id: TakingsId, client: &T::AccountId) {
        TakingsClients::<T>::insert(id, client, ());
        if let Some(operator) = T::Operators::by_signer(client) {
            if let Some(owner) = T::Operators::owner(&operator) {
                TakingsClients::<T>::insert(id, owner, ());
            }
            TakingsClients::<T>::insert(id, operator, ());
        }
    }

    /// The plancks that an open case over takings looks at.
    pub(crate) fn drawn_plancks(id: TakingsId) -> Option<Vec<Balance>> {
        let takings = AllTakings::<T>::get(id)?;
        match takings.stage {
            TakingsStage::InAudit {
                subseed, plancks, ..
            } => Some(draw_plancks(&subseed, takings.total, plancks)),
            _ => None,
        }
    }

    /// Pays out of the pot, whose existential deposit stays.
    pub(crate) fn pay_from_pot(to: &T::AccountId, amount: Balance) -> DispatchResult {
        if amount > 0 {
            T::NativeBalance::transfer(&Self::pot(), to, amount, Preservation::Preserve)?;
        }
        Ok(())
    }

    /// Gives pending money back to a client, or to the reserve where the client cannot have it: an account that does not
    /// exist and is owed less than the least balance.
    pub(crate) fn give_back(client: &T::AccountId, amount: Balance) {
        let paid = with_storage_layer(|| Self::pay_from_pot(client, amount))
            .or_else(|_| with_storage_layer(|| Self::pay_from_pot(&T::Reserve::get(), amount)));
        if let Err(error) = paid {
            log::error!(target: LOG_TARGET, "{amount} to give back: {error:?}");
        }
    }

    /// What an operator pays for a decision about its work, beside the money that the decision is about. Returns what
    /// was slashed and forfeited.
    pub(crate) fn punish(
        operator: &T::AccountId,
        decision: Decision,
        victim: Option<(&T::AccountId, Balance)>,
        reporter: Option<&T::AccountId>,
        auditors: &[T::AccountId],
    ) -> (Balance, Balance) {
        let slash = |offence| T::Operators::slash(operator, offence, victim, reporter, auditors);
        match decision {
            Decision::Hard(_) => {
                let slashed = slash(Offence::FalseResult);
                let forfeited = T::Ledger::forfeit(operator);
                T::Operators::record_audit(operator, AuditRecord::Hard);
                (slashed, forfeited)
            }
            Decision::Soft if T::Operators::record_audit(operator, AuditRecord::Soft) => {
                (slash(Offence::RepeatedSoft), 0)
            }
            Decision::Valid | Decision::Soft | Decision::Undecided => (0, 0),
        }
    }

    /// Takings are decided: their money is shared out now, or goes back one settlement after another.
    pub(crate) fn decide_takings(
        id: TakingsId,
        takings: TakingsOf<T>,
        decision: Decision,
        majority: &[T::AccountId],
    ) {
        let pending = takings.pending();
        let operator = takings.operator.clone();
        let mut paid = 0;
        let shared = decision == Decision::Valid && Self::share_out(id, &takings, majority);
        if shared {
            paid = pending;
            let units = takings.units;
            T::Operators::record_audit(&operator, AuditRecord::Valid { units });
            T::Operators::record_duty(&operator, true);
        } else {
            Self::punish(&operator, decision, None, None, majority);
        }
        Self::end_takings(id, takings, !shared);
        Self::deposit_event(Event::TakingsClosed {
            takings: id,
            operator,
            decision,
            paid,
            refunded: pending.saturating_sub(paid),
        });
    }

    /// Takings that are too small for a case of their own, and were not drawn for one: paid like an unaudited job.
    pub(crate) fn accept_takings(id: TakingsId, takings: TakingsOf<T>) {
        let (operator, pending) = (takings.operator.clone(), takings.pending());
        let shared = Self::share_out(id, &takings, &[]);
        Self::end_takings(id, takings, !shared);
        Self::deposit_event(Event::TakingsUnaudited {
            takings: id,
            operator,
            paid: if shared { pending } else { 0 },
        });
    }

    /// Has what is pending of takings split. `false`: the pot cannot take it, and the clients have it back.
    fn share_out(id: TakingsId, takings: &TakingsOf<T>, auditors: &[T::AccountId]) -> bool {
        let pending = takings.pending();
        if with_storage_layer(|| Self::pay_from_pot(&T::Ledger::pot(), pending)).is_err() {
            // Only a pot that does not exist can refuse: its minimum balance was taken away.
            log::error!(target: LOG_TARGET, "the pot cannot take {pending} of takings {id}");
            return false;
        }
        if pending > 0 {
            T::Ledger::record_fee(
                Subject::SessionTakings(id),
                &takings.operator,
                auditors,
                pending,
                takings.units,
            );
        }
        true
    }

    /// Nothing is left to decide: the operator's bond is free of it, and the settlements are cleared away.
    fn end_takings(id: TakingsId, mut takings: TakingsOf<T>, refund: bool) {
        T::Operators::remove_liability(&takings.operator);
        OperatorTakings::<T>::remove(&takings.operator, id);
        Shown::<T>::remove(id);
        takings.stage = TakingsStage::Closed { refund, next: 0 };
        AllTakings::<T>::insert(id, takings);
        let place = DecidedTail::<T>::get();
        Decided::<T>::insert(place, id);
        DecidedTail::<T>::put(place.saturating_add(1));
    }

    /// Clears one settlement of decided takings away. `true`: it was the last one, and the takings are gone.
    pub(crate) fn clear_settlement(id: TakingsId) -> bool {
        let Some(mut takings) = AllTakings::<T>::get(id) else {
            log::error!(target: LOG_TARGET, "takings {id} to clear, which are not there");
            return true;
        };
        let TakingsStage::Closed { refund, next } = takings.stage else {
            log::error!(target: LOG_TARGET, "takings {id} to clear in {:?}", takings.stage);
            return true;
        };
        // Each settlement brought so many at the most, so the last one finds none left behind.
        let clients: Vec<_> = TakingsClients::<T>::iter_key_prefix(id)
            .take(CLIENT_KEYS)
            .collect();
        for client in clients {
            TakingsClients::<T>::remove(id, client);
        }
        if let Some(record) = Settlements::<T>::take(id, next) {
            let amount = record.pending();
            if refund || record.returned > 0 {
                Self::strike_off(&takings.operator, &record);
            }
            if refund && amount > 0 {
                Self::give_back(&record.client, amount);
                takings.returned = takings.returned.saturating_add(amount);
                Self::deposit_event(Event::SettlementRefunded {
                    takings: id,
                    settlement: next,
                    client: record.client,
                    amount,
                });
            }
        }
        let next = next.saturating_add(1);
        if next < takings.settlements {
            takings.stage = TakingsStage::Closed { refund, next };
            AllTakings::<T>::insert(id, takings);
            return false;
        }
        if NewestTakings::<T>::get(&takings.operator, takings.checkpoint) == Some(id) {
            NewestTakings::<T>::remove(&takings.operator, takings.checkpoint);
        }
        AllTakings::<T>::remove(id);
        true
    }

    /// Gives the price of a false answer back out of pending money, as far as there is any. Returns how much.
    pub(crate) fn return_price(report: &ReportOf<T>) -> Balance {
        let Some((id, index)) = report.settlement else {
            return 0;
        };
        let (Some(mut takings), Some(mut record)) =
            (AllTakings::<T>::get(id), Settlements::<T>::get(id, index))
        else {
            return 0;
        };
        if matches!(takings.stage, TakingsStage::Closed { .. }) {
            return 0;
        }
        let amount = report.receipt.receipt.price.min(record.pending());
        takings.returned = takings.returned.saturating_add(amount);
        record.returned = record.returned.saturating_add(amount);
        Settlements::<T>::insert(id, index, record);
        AllTakings::<T>::insert(id, takings);
        Self::give_back(&report.client, amount);
        amount
    }
}
