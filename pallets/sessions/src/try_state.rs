//! What must hold between any two calls.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::{collections::BTreeMap, vec::Vec};
use chasqui_primitives::{session::rules::slices_within_deposit, traits::Epochs, Balance};
use frame_support::{
    ensure,
    traits::fungible::{Inspect, InspectHold},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks all invariants.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_holds()?;
        Self::check_slices()?;
        Self::check_indices()?;
        Self::check_takings()?;
        Self::check_pot()?;
        Self::check_draws()?;
        Self::check_agenda()?;
        Self::check_decided()?;
        Self::check_operators()?;
        Self::check_clients()?;
        Self::check_shown()?;
        ensure!(Parameters::<T>::get().validate(), "parameters out of range");
        Ok(())
    }

    /// What is on hold is exactly what live sessions and open reports call for, client by client.
    fn check_holds() -> Result<(), TryRuntimeError> {
        let mut owed = BTreeMap::<T::AccountId, [Balance; 3]>::new();
        for session in Sessions::<T>::iter_values() {
            let [deposit, storage, _] = owed.entry(session.client).or_default();
            *deposit = deposit.saturating_add(session.deposit.left());
            *storage = storage.saturating_add(session.storage_deposit);
        }
        for report in Reports::<T>::iter_values() {
            let [_, _, held] = owed.entry(report.client).or_default();
            *held = held.saturating_add(report.deposit);
        }
        for who in frame_system::Account::<T>::iter_keys() {
            let expected = owed.remove(&who).unwrap_or_default();
            let reasons = [HoldReason::Session, HoldReason::Storage, HoldReason::Report];
            for (reason, expected) in reasons.into_iter().zip(expected) {
                ensure!(
                    T::NativeBalance::balance_on_hold(&reason.into(), &who) == expected,
                    "what is on hold is not that of live sessions and open reports"
                );
            }
        }
        ensure!(
            owed.values().all(|owed| *owed == [0; 3]),
            "a client of a live session has no account"
        );
        Ok(())
    }

    /// I1, and no more channels than there may be.
    fn check_slices() -> Result<(), TryRuntimeError> {
        for (id, session) in Sessions::<T>::iter() {
            let channels: Vec<_> = Channels::<T>::iter_prefix_values(id).collect();
            ensure!(
                slices_within_deposit(
                    &session.deposit,
                    channels.iter().map(|channel| &channel.rules)
                ),
                "I1: slices that do not add up"
            );
            ensure!(
                channels.len() == session.channels as usize && session.channels <= MAX_CHANNELS,
                "channels that the session did not count"
            );
        }
        Ok(())
    }

    /// Clients' and operators' lists hold exactly their live sessions.
    fn check_indices() -> Result<(), TryRuntimeError> {
        let mut sessions = 0usize;
        for (id, session) in Sessions::<T>::iter() {
            sessions = sessions.saturating_add(1);
            ensure!(
                ClientSessions::<T>::contains_key(&session.client, id),
                "a session its client misses"
            );
            for operator in &session.committee {
                ensure!(
                    Channels::<T>::contains_key(id, operator),
                    "a member without a channel"
                );
            }
        }
        ensure!(
            ClientSessions::<T>::iter().count() == sessions,
            "a client's list is too long"
        );
        let mut channels = 0usize;
        for (id, operator, _) in Channels::<T>::iter() {
            channels = channels.saturating_add(1);
            ensure!(
                Sessions::<T>::contains_key(id),
                "a channel of no live session"
            );
            ensure!(
                Engagements::<T>::contains_key(&operator, id),
                "a channel its operator misses"
            );
        }
        ensure!(
            Engagements::<T>::iter().count() == channels,
            "an operator's list is too long"
        );
        Ok(())
    }

    /// I7: takings are exactly the sum of their settlements, which follow each other without a gap.
    fn check_takings() -> Result<(), TryRuntimeError> {
        let (cursor, epoch) = (TakingsCursor::<T>::get(), T::Epochs::current());
        let mut listed = 0usize;
        for (id, takings) in AllTakings::<T>::iter() {
            ensure!(
                id < NextTakings::<T>::get(),
                "takings with a number to come"
            );
            ensure!(takings.epoch <= epoch, "takings of an epoch to come");
            ensure!(
                (takings.stage == TakingsStage::Collecting) == (id >= cursor),
                "takings that nobody announces"
            );
            let from = match takings.stage {
                TakingsStage::Closed { next, .. } => next,
                _ => 0,
            };
            let mut end = None;
            let mut returned: Balance = 0;
            for index in from..takings.settlements {
                let record = Settlements::<T>::get(id, index).ok_or("a settlement is missing")?;
                ensure!(
                    end.is_none_or(|end| end == record.before),
                    "settlements with a gap"
                );
                end = Some(record.before.saturating_add(record.claim.sum));
                ensure!(
                    record.returned <= record.claim.sum,
                    "more given back than there was"
                );
                returned = returned.saturating_add(record.returned);
                listed = listed.saturating_add(1);
            }
            ensure!(
                end == Some(takings.total),
                "takings that are not their settlements"
            );
            ensure!(
                takings.returned >= returned,
                "returns that were not counted"
            );
        }
        ensure!(
            Settlements::<T>::iter_keys().count() == listed,
            "a settlement of no takings"
        );
        for (operator, checkpoint, id) in NewestTakings::<T>::iter() {
            let takings = AllTakings::<T>::get(id).ok_or("newest takings that are gone")?;
            ensure!(
                takings.operator == operator && takings.checkpoint == checkpoint,
                "somebody else's takings"
            );
        }
        Ok(())
    }

    /// Operators' lists hold exactly their takings that are not decided, and their open reports.
    fn check_operators() -> Result<(), TryRuntimeError> {
        let mut open = 0usize;
        for (id, takings) in AllTakings::<T>::iter() {
            if !matches!(takings.stage, TakingsStage::Closed { .. }) {
                open = open.saturating_add(1);
                ensure!(
                    OperatorTakings::<T>::contains_key(&takings.operator, id),
                    "takings their operator misses"
                );
            }
        }
        ensure!(
            OperatorTakings::<T>::iter_keys().count() == open,
            "an operator's list of takings is too long"
        );
        for (id, report) in Reports::<T>::iter() {
            ensure!(
                OperatorReports::<T>::contains_key(&report.receipt.receipt.operator, id),
                "a report its operator misses"
            );
        }
        ensure!(
            OperatorReports::<T>::iter_keys().count() == Reports::<T>::iter_keys().count(),
            "an operator's list of reports is too long"
        );
        Ok(())
    }

    /// Every client of takings that can still be judged is known as one, and nobody of takings that are gone.
    fn check_clients() -> Result<(), TryRuntimeError> {
        for (id, _, record) in Settlements::<T>::iter() {
            let open = AllTakings::<T>::get(id)
                .is_some_and(|takings| !matches!(takings.stage, TakingsStage::Closed { .. }));
            ensure!(
                !open || TakingsClients::<T>::contains_key(id, &record.client),
                "a client that could judge its own session"
            );
        }
        for (id, _, ()) in TakingsClients::<T>::iter() {
            ensure!(
                AllTakings::<T>::contains_key(id),
                "a client of takings that are gone"
            );
        }
        Ok(())
    }

    /// Only of takings in audit is anything shown, each planck once.
    fn check_shown() -> Result<(), TryRuntimeError> {
        for (id, shown) in Shown::<T>::iter() {
            let takings = AllTakings::<T>::get(id).ok_or("shown answers of no takings")?;
            ensure!(
                matches!(takings.stage, TakingsStage::InAudit { .. }),
                "shown answers of takings that are not in audit"
            );
            let mut ranges: Vec<_> = shown.iter().map(|of| (of.start, of.end)).collect();
            ranges.sort_unstable();
            let mut end: Balance = 0;
            for (from, to) in ranges {
                ensure!(
                    end <= from && from < to && to <= takings.total,
                    "shown answers that overlap"
                );
                end = to;
            }
        }
        Ok(())
    }

    /// The pot holds what is pending, and its existential deposit.
    fn check_pot() -> Result<(), TryRuntimeError> {
        let mut pending: Balance = 0;
        for (id, takings) in AllTakings::<T>::iter() {
            let own = match takings.stage {
                TakingsStage::Closed { refund: false, .. } => 0,
                TakingsStage::Closed { refund: true, .. } => {
                    Settlements::<T>::iter_prefix_values(id).fold(0, |sum: Balance, record| {
                        sum.saturating_add(record.pending())
                    })
                }
                _ => takings.pending(),
            };
            pending = pending.saturating_add(own);
        }
        let owed = pending.saturating_add(T::NativeBalance::minimum_balance());
        ensure!(
            T::NativeBalance::balance(&Self::pot()) >= owed,
            "the pot does not hold what is pending"
        );
        Ok(())
    }

    /// Everybody who waits for a draw has exactly one place in the queue, and nobody else has one.
    fn check_draws() -> Result<(), TryRuntimeError> {
        let (head, tail) = (DrawHead::<T>::get(), DrawTail::<T>::get());
        let mut listed = 0usize;
        for (ticket, draw) in Draws::<T>::iter() {
            ensure!((head..tail).contains(&ticket), "a draw outside its queue");
            let known = match draw.subject {
                Drawn::Committee(id) => Sessions::<T>::get(id).and_then(|session| session.draw),
                Drawn::Takings(id) => {
                    AllTakings::<T>::get(id).and_then(|takings| match takings.stage {
                        TakingsStage::Drawing { ticket, .. } => Some(ticket),
                        _ => None,
                    })
                }
                Drawn::Report(id) => Reports::<T>::get(id).and_then(|report| match report.stage {
                    ReportStage::Drawing { ticket, .. } => Some(ticket),
                    ReportStage::InAudit { .. } => None,
                }),
            };
            ensure!(known == Some(ticket), "a draw that nobody waits for");
            listed = listed.saturating_add(1);
        }
        let sessions = Sessions::<T>::iter_values().filter(|session| session.draw.is_some());
        let takings = AllTakings::<T>::iter_values()
            .filter(|takings| matches!(takings.stage, TakingsStage::Drawing { .. }));
        let reports = Reports::<T>::iter_values()
            .filter(|report| matches!(report.stage, ReportStage::Drawing { .. }));
        let waiting = sessions
            .count()
            .saturating_add(takings.count())
            .saturating_add(reports.count());
        ensure!(
            waiting == listed,
            "somebody waits for a draw that is not listed"
        );
        Ok(())
    }

    /// Every closing session is in the agenda of its block, which is still to come, and nothing else is.
    fn check_agenda() -> Result<(), TryRuntimeError> {
        let cursor = AgendaCursor::<T>::get();
        let mut listed = 0usize;
        for (block, id, ()) in Agenda::<T>::iter() {
            ensure!(
                cursor.is_none_or(|cursor| block >= cursor),
                "an agenda that is never served again"
            );
            let session = Sessions::<T>::get(id).ok_or("a window of a session that is not live")?;
            ensure!(
                session.stage == Stage::Closing { until: block },
                "a window that its session does not know"
            );
            listed = listed.saturating_add(1);
        }
        let closing = Sessions::<T>::iter_values().filter(|session| session.stage != Stage::Open);
        ensure!(
            closing.count() == listed,
            "a window that is not in the agenda"
        );
        Ok(())
    }

    /// Every decided takings wait in the queue, and nothing else does.
    fn check_decided() -> Result<(), TryRuntimeError> {
        let (head, tail) = (DecidedHead::<T>::get(), DecidedTail::<T>::get());
        let mut listed = 0usize;
        for (place, id) in Decided::<T>::iter() {
            ensure!((head..tail).contains(&place), "a place outside its queue");
            let takings = AllTakings::<T>::get(id).ok_or("decided takings that are gone")?;
            ensure!(
                matches!(takings.stage, TakingsStage::Closed { .. }),
                "takings in the queue that are not decided"
            );
            listed = listed.saturating_add(1);
        }
        let decided = AllTakings::<T>::iter_values()
            .filter(|takings| matches!(takings.stage, TakingsStage::Closed { .. }));
        ensure!(
            decided.count() == listed,
            "decided takings that nobody clears away"
        );
        Ok(())
    }
}
