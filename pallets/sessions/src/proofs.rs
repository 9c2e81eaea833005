//! What a client or anybody else holds against a channel: fraud proofs, equivocations, reports.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::{Decision, HardReason, Subject},
    session::{
        receipts_conflict, requests_conflict, rules::Stop, SessionId, SignedReceipt, SignedRequest,
    },
    traits::{Epochs, Ledger, Operators},
    Balance,
};
use frame_support::{pallet_prelude::*, traits::fungible::MutateHold};

impl<T: Config> Pallet<T> {
    /// The operator of a channel was proven false: what it has not settled is free again, and the client need not spend
    /// the rest of what it would have had to.
    pub(crate) fn convict(id: &SessionId, operator: &T::AccountId) {
        let (Some(mut session), Some(mut channel)) =
            (Sessions::<T>::get(id), Channels::<T>::get(id, operator))
        else {
            // It ended before the case did.
            return;
        };
        if channel.rules.convict(&mut session.deposit).is_err() {
            log::error!(target: LOG_TARGET, "the slices of session {id} do not add up");
            return;
        }
        session.excused = true;
        Channels::<T>::insert(id, operator, channel);
        Sessions::<T>::insert(id, session);
        Self::deposit_event(Event::ChannelStopped {
            session: *id,
            operator: operator.clone(),
            reason: Stop::Convicted,
        });
    }

    pub(crate) fn do_prove_fraud(
        reporter: T::AccountId,
        first: SignedReceipt<T::AccountId>,
        second: SignedReceipt<T::AccountId>,
    ) -> DispatchResult {
        let (a, b) = (&first.receipt, &second.receipt);
        ensure!(receipts_conflict(a, b), Error::<T>::NoContradiction);
        let (id, operator) = (a.session, a.operator.clone());
        Self::live(&id)?;
        let channel = Self::channel(&id, &operator)?;
        // Once a channel: a second proof would be about the same broken journal.
        ensure!(
            channel.rules.stopped != Some(Stop::Convicted),
            Error::<T>::ChannelStopped
        );
        let genesis = Self::genesis_hash();
        ensure!(
            channel.has_signed(&genesis, &first) && channel.has_signed(&genesis, &second),
            Error::<T>::BadOperatorSignature
        );
        let decision = Decision::Hard(HardReason::OutputHash);
        let (slashed, forfeited) = Self::punish(&operator, decision, None, Some(&reporter), &[]);
        Self::convict(&id, &operator);
        Self::deposit_event(Event::FraudProven {
            session: id,
            operator,
            seq: a.seq,
            slashed,
            forfeited,
        });
        Ok(())
    }

    pub(crate) fn do_prove_equivocation(
        first: SignedRequest<T::AccountId>,
        second: SignedRequest<T::AccountId>,
    ) -> DispatchResult {
        let (a, b) = (&first.request, &second.request);
        ensure!(requests_conflict(a, b), Error::<T>::NoContradiction);
        let (id, operator) = (a.session, a.operator.clone());
        let mut session = Self::live(&id)?;
        let mut channel = Self::channel(&id, &operator)?;
        ensure!(channel.rules.stopped.is_none(), Error::<T>::ChannelStopped);
        let genesis = Self::genesis_hash();
        ensure!(
            first.verify(&genesis, &session.key) && second.verify(&genesis, &session.key),
            Error::<T>::BadClientSignature
        );
        channel
            .rules
            .equivocate(&mut session.deposit, Self::now(), Self::window_end())
            .map_err(Error::<T>::from)?;
        Channels::<T>::insert(id, &operator, channel);
        Sessions::<T>::insert(id, session);
        Self::deposit_event(Event::ChannelStopped {
            session: id,
            operator,
            reason: Stop::Equivocated,
        });
        Ok(())
    }

    pub(crate) fn do_report(
        client: T::AccountId,
        request: SignedRequest<T::AccountId>,
        receipt: SignedReceipt<T::AccountId>,
        settlement: Option<(TakingsId, u32)>,
    ) -> DispatchResult {
        let answer = &receipt.receipt;
        let (id, operator, seq) = (answer.session, answer.operator.clone(), answer.seq);
        let session = Self::live(&id)?;
        ensure!(session.client == client, Error::<T>::NotClient);
        let mut channel = Self::channel(&id, &operator)?;
        ensure!(
            channel.rules.stopped != Some(Stop::Convicted),
            Error::<T>::ChannelStopped
        );
        ensure!(
            !channel.reported.contains(&seq),
            Error::<T>::AlreadyReported
        );
        let genesis = Self::genesis_hash();
        ensure!(
            request.verify(&genesis, &session.key),
            Error::<T>::BadClientSignature
        );
        ensure!(
            channel.has_signed(&genesis, &receipt),
            Error::<T>::BadOperatorSignature
        );
        // Counts and price are for the auditors: a receipt that misstates them is false.
        let asked = &request.request;
        ensure!(
            answer.request == asked.signing_hash(&genesis)
                && answer.seq == asked.seq
                && answer.operator == asked.operator
                && answer.session == asked.session,
            Error::<T>::ReceiptMismatch
        );
        ensure!(
            asked.checkpoint == session.checkpoint,
            Error::<T>::OtherRequest
        );
        ensure!(
            answer.output_tokens <= MAX_OUTPUT_TOKENS,
            Error::<T>::OutputTooLong
        );
        ensure!(answer.price > 0, Error::<T>::NothingPaid);
        // What is decided nobody need keep: else an operator could be asked for an answer that it has forgotten.
        ensure!(
            settlement.is_some() || channel.rules.last_seq < seq,
            Error::<T>::SettlementMismatch
        );
        if let Some((takings, index)) = settlement {
            let holds = AllTakings::<T>::get(takings)
                .zip(Settlements::<T>::get(takings, index))
                .is_some_and(|(takings, record)| {
                    takings.operator == operator
                        && !matches!(takings.stage, TakingsStage::Closed { .. })
                        && record.session == id
                        && (record.claim.first..=record.claim.last).contains(&seq)
                });
            ensure!(holds, Error::<T>::SettlementMismatch);
        }
        channel
            .reported
            .try_push(seq)
            .map_err(|_| Error::<T>::TooManyReports)?;
        T::Operators::add_liability(&operator)?;
        let deposit = Parameters::<T>::get().report_deposit;
        T::NativeBalance::hold(&HoldReason::Report.into(), &client, deposit)?;

        let report = NextReport::<T>::get();
        NextReport::<T>::put(report.saturating_add(1));
        OperatorReports::<T>::insert(&operator, report, ());
        let (ticket, due) = Self::announce_draw(Drawn::Report(report));
        Channels::<T>::insert(id, &operator, channel);
        Reports::<T>::insert(
            report,
            Report {
                client,
                request,
                receipt,
                settlement,
                deposit,
                evidence_tau: session.evidence_tau,
                epoch: T::Epochs::current(),
                stage: ReportStage::Drawing {
                    ticket,
                    failed_openings: 0,
                },
            },
        );
        Self::deposit_event(Event::Reported {
            report,
            session: id,
            operator,
            seq,
            due,
        });
        Ok(())
    }

    /// A report is decided.
    pub(crate) fn close_report(
        id: ReportId,
        report: ReportOf<T>,
        decision: Decision,
        majority: &[T::AccountId],
    ) {
        let answer = &report.receipt.receipt;
        let operator = &answer.operator;
        let mut returned = 0;
        if decision == Decision::Valid {
            // Not counted as an audit passed: an operator could have itself reported until soft verdicts are lost among
            // such.
            Self::pay_wrong_report(id, &report, majority);
        } else {
            Self::release(HoldReason::Report, &report.client, report.deposit);
            // Whoever reports has to convince: else a client could keep the prompt from the auditors, and have its money
            // back because nobody can tell.
            if decision != Decision::Undecided {
                returned = Self::return_price(&report);
            }
            let hard = matches!(decision, Decision::Hard(_));
            let lost = match hard {
                true => Self::paid_out(&report).saturating_sub(returned),
                false => 0,
            };
            let victim = (lost > 0).then_some((&report.client, lost));
            let reporter = hard.then_some(&report.client);
            Self::punish(operator, decision, victim, reporter, majority);
            if hard {
                Self::convict(&answer.session, operator);
            }
        }
        T::Operators::remove_liability(operator);
        OperatorReports::<T>::remove(operator, id);
        Reports::<T>::remove(id);
        Self::deposit_event(Event::ReportClosed {
            report: id,
            decision,
            returned,
        });
    }

    /// What the operator was paid for a reported answer, as far as it is certain: that comes out of its bond.
    ///
    /// A receipt may say anything for its price: what an operator signs to a client in league with it must not save its
    /// bond from a slash. So it is nothing unless the settlement that the report names was paid out, it is at most what ever
    /// went into the channel, and it is once a channel.
    fn paid_out(report: &ReportOf<T>) -> Balance {
        let answer = &report.receipt.receipt;
        let (Some((takings, index)), Some(channel)) = (
            report.settlement,
            Channels::<T>::get(answer.session, &answer.operator),
        ) else {
            return 0;
        };
        let paid = AllTakings::<T>::get(takings).is_none_or(|takings| {
            matches!(takings.stage, TakingsStage::Closed { refund: false, .. })
        });
        let whole = Settlements::<T>::get(takings, index).is_none_or(|record| record.returned == 0);
        // What came back with its takings, or by another report, is struck off, see `strike_off`.
        let counts = paid
            && whole
            && channel.rules.stopped != Some(Stop::Convicted)
            && channel.reported.contains(&answer.seq);
        match counts {
            true => answer.price.min(channel.rules.settled),
            false => 0,
        }
    }

    /// The client has money of a settlement back: no report of an answer in it is about money any more. Nor can one be made
    /// again, because the takings are decided.
    pub(crate) fn strike_off(operator: &T::AccountId, record: &SettlementOf<T>) {
        let Some(mut channel) = Channels::<T>::get(record.session, operator) else {
            return;
        };
        let before = channel.reported.len();
        let claimed = record.claim.first..=record.claim.last;
        channel.reported.retain(|seq| !claimed.contains(seq));
        if channel.reported.len() < before {
            Channels::<T>::insert(record.session, operator, channel);
        }
    }

    /// The deposit of a report that was wrong pays those who had to look, like a fee.
    fn pay_wrong_report(id: ReportId, report: &ReportOf<T>, majority: &[T::AccountId]) {
        let operator = &report.receipt.receipt.operator;
        let paid = Self::pay_from_hold(
            HoldReason::Report,
            &report.client,
            &T::Ledger::pot(),
            report.deposit,
        );
        match paid {
            Ok(()) => T::Ledger::record_fee(
                Subject::SessionReceipt(id),
                operator,
                majority,
                report.deposit,
                0,
            ),
            Err(error) => {
                log::error!(target: LOG_TARGET, "the deposit of report {id}: {error:?}");
                Self::release(HoldReason::Report, &report.client, report.deposit);
            }
        }
    }
}
