//! How jobs end: where the money goes, and what stays readable.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::Subject,
    traits::{AuditRecord, Ledger, Operators},
    Balance, ExpiryReason, JobId, JobOutcome, RefundReason,
};
use frame_support::traits::{
    fungible::MutateHold,
    tokens::{Fortitude, Precision, Restriction},
    Get,
};

impl<T: Config> Pallet<T> {
    /// Pays `amount` out of the client's escrow.
    fn pay_from_escrow(job: &JobOf<T>, to: &T::AccountId, amount: Balance) -> bool {
        amount == 0
            || T::NativeBalance::transfer_on_hold(
                &HoldReason::Escrow.into(),
                &job.client,
                to,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
            .is_ok()
    }

    fn release(reason: HoldReason, who: &T::AccountId, amount: Balance) {
        // Best effort, so that nothing can keep a job from ending.
        let released =
            T::NativeBalance::release(&reason.into(), who, amount, Precision::BestEffort);
        if released != Ok(amount) {
            log::error!(target: LOG_TARGET, "{amount} to release, but {released:?}");
        }
    }

    /// Ends a job that was accepted without audit: pays it, unless its executor was convicted of
    /// another lie since. Whoever lied about one output is not believed about those that nobody
    /// looked at.
    pub(crate) fn settle_unaudited(id: JobId, job: JobOf<T>) {
        let tainted = job
            .executor()
            .zip(Commitments::<T>::get(id))
            .is_some_and(|(executor, commitment)| Self::is_tainted(executor, &commitment));
        if tainted {
            Self::refund(id, job, RefundReason::Convicted, || ());
        } else {
            Self::settle(id, job, None);
        }
    }

    /// Pays a committed job. `auditors` are those whose verdict let it pass; `None` when it was not
    /// audited.
    pub(crate) fn settle(id: JobId, job: JobOf<T>, auditors: Option<&[T::AccountId]>) {
        let (Some(executor), Some(commitment)) =
            (job.executor().cloned(), Commitments::<T>::get(id))
        else {
            log::error!(target: LOG_TARGET, "job {id} has no commitment to settle");
            return Self::expire(id, job, ExpiryReason::NoExecutor);
        };
        let paid = commitment.price;
        if !Self::pay_from_escrow(&job, &T::Ledger::pot(), paid) {
            // Only a pot that does not exist can refuse: its minimum balance was taken away.
            log::error!(target: LOG_TARGET, "the pot cannot take the {paid} of job {id}");
            return Self::refund(id, job, RefundReason::Undecided, || ());
        }
        T::Ledger::record_fee(
            Subject::Job(id),
            &executor,
            auditors.unwrap_or_default(),
            paid,
            commitment.units,
        );
        if auditors.is_some() {
            T::Operators::record_audit(
                &executor,
                AuditRecord::Valid {
                    units: commitment.units,
                },
            );
        }
        T::Operators::record_duty(&executor, true);
        let returned = job.escrow.saturating_sub(paid);
        Self::release(HoldReason::Escrow, &job.client, returned);
        let audited = auditors.is_some();
        Self::close(id, &job, JobOutcome::Settled { paid, audited });
        Self::deposit_event(Event::Settled {
            job: id,
            client: job.client,
            executor,
            paid,
            returned,
            audited,
        });
    }

    /// Gives the client of a committed job everything back; then `consequences` for the executor,
    /// while the job still keeps its bond in place.
    pub(crate) fn refund(
        id: JobId,
        job: JobOf<T>,
        reason: RefundReason,
        consequences: impl FnOnce(),
    ) {
        let amount = job.escrow;
        Self::release(HoldReason::Escrow, &job.client, amount);
        consequences();
        Self::close(id, &job, JobOutcome::Refunded(reason));
        if let Some(executor) = job.executor().cloned() {
            Self::deposit_event(Event::Refunded {
                job: id,
                client: job.client,
                executor,
                amount,
                reason,
            });
        }
    }

    /// Ends a job that nobody computed.
    pub(crate) fn expire(id: JobId, job: JobOf<T>, reason: ExpiryReason) {
        let mut fee = 0;
        if reason == ExpiryReason::PromptMissing {
            let due = Parameters::<T>::get().base_fee.min(job.escrow);
            // An account of the reserve that does not exist may not be able to take so little.
            if Self::pay_from_escrow(&job, &T::Reserve::get(), due) {
                fee = due;
            }
        }
        Self::release(
            HoldReason::Escrow,
            &job.client,
            job.escrow.saturating_sub(fee),
        );
        Self::close(id, &job, JobOutcome::Expired(reason));
        Self::deposit_event(Event::Expired {
            job: id,
            client: job.client,
            reason,
            fee,
        });
    }

    /// Empties the storage of a job whose escrow is already where it belongs.
    fn close(id: JobId, job: &JobOf<T>, outcome: JobOutcome) {
        Self::release(HoldReason::Deposit, &job.client, job.deposit);
        Self::leave_queues(id, job);
        ClientJobs::<T>::remove(&job.client, id);
        if let Some(executor) = job.executor() {
            Assignments::<T>::remove(executor, id);
            Self::unexpose(executor, Self::worst_pay(id, job));
            if job.stage.is_committed() {
                T::Operators::remove_liability(executor);
            }
        }
        Prompts::<T>::remove(id);
        Outputs::<T>::remove(id);
        Commitments::<T>::remove(id);
        Jobs::<T>::remove(id);
        let case = match job.stage {
            Stage::InAudit { case } => Some(case),
            _ => None,
        };
        Self::remember(
            id,
            OutcomeRecord {
                outcome,
                executor: job.executor().cloned(),
                case,
            },
        );
    }

    /// Writes an outcome over the oldest.
    fn remember(id: JobId, outcome: OutcomeOf<T>) {
        let slot = OutcomeCursor::<T>::get();
        if let Some(oldest) = OutcomeSlots::<T>::get(slot) {
            Outcomes::<T>::remove(oldest);
        }
        OutcomeSlots::<T>::insert(slot, id);
        Outcomes::<T>::insert(id, outcome);
        let next = slot.saturating_add(1);
        OutcomeCursor::<T>::put(if next < T::OutcomesKept::get() {
            next
        } else {
            0
        });
    }
}
