//! What others see of this pallet.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::{Decision, Subject},
    hash,
    trace::{decode_trace, trace_root, TRACE_LEAF_BYTES},
    traits::{AuditRecord, CaseSubjects, Ledger, Offence, OnOperatorLeft, Operators},
    CaseId, JobId, JobOutcome, JobStage, JobStatus, RefundReason,
};
use frame_support::weights::Weight;

impl<T: Config> Pallet<T> {
    /// Where a job stands, or how it ended as long as that is remembered.
    pub fn status(id: JobId) -> Option<JobStatus<T::AccountId>> {
        if let Some(job) = Jobs::<T>::get(id) {
            let case = match job.stage {
                Stage::InAudit { case } => Some(case),
                _ => None,
            };
            return Some(JobStatus {
                job: id,
                stage: job.stage.public(),
                executor: job.executor().cloned(),
                output: Self::inline_output(id),
                case,
                outcome: None,
            });
        }
        let OutcomeRecord {
            outcome,
            executor,
            case,
        } = Outcomes::<T>::get(id)?;
        let stage = match outcome {
            JobOutcome::Settled { .. } => JobStage::Settled,
            JobOutcome::Refunded(_) => JobStage::Refunded,
            JobOutcome::Expired(_) => JobStage::Expired,
        };
        Some(JobStatus {
            job: id,
            stage,
            executor,
            output: None,
            case,
            outcome: Some(outcome),
        })
    }

    /// From now on nothing that `executor` has committed to so far is paid without an audit.
    fn convict(executor: &T::AccountId) {
        Exposures::<T>::mutate(executor, |slot| {
            if let Some(exposure) = slot {
                exposure.convicted_at = Some(Self::now());
            }
        });
    }

    /// The receipt of a live job that has one, signed.
    pub fn signed_receipt(id: JobId) -> Option<SignedReceipt<T::AccountId>> {
        let job = Jobs::<T>::get(id)?;
        let commitment = Commitments::<T>::get(id)?;
        let executor = job.executor().cloned()?;
        Some(SignedReceipt {
            receipt: Self::receipt_of(id, &job, executor, commitment.prompt, &commitment),
            signature: commitment.signature,
            signer: commitment.signer,
        })
    }
}

impl<T: Config> OnOperatorLeft<T::AccountId> for Pallet<T> {
    fn on_operator_left(operator: &T::AccountId) {
        MissingPrompts::<T>::remove(operator);
    }
}

impl<T: Config> CaseSubjects<T::AccountId> for Pallet<T> {
    fn on_closed(subject: &Subject, case: CaseId, decision: Decision, majority: &[T::AccountId]) {
        let Subject::Job(id) = *subject else {
            log::error!(target: LOG_TARGET, "case {case} about {subject:?} came to jobs");
            return;
        };
        let Some(job) = Jobs::<T>::get(id) else {
            log::error!(target: LOG_TARGET, "case {case} about job {id}, which is not live");
            return;
        };
        let (Some(executor), Some(commitment), true) = (
            job.executor().cloned(),
            Commitments::<T>::get(id),
            job.stage == (Stage::InAudit { case }),
        ) else {
            log::error!(target: LOG_TARGET, "case {case} is not about job {id} as it stands");
            return;
        };
        let slash = |offence| {
            // The victim has its escrow back whole: it lost nothing.
            T::Operators::slash(&executor, offence, None, None, majority);
        };
        match decision {
            Decision::Valid => Self::settle(id, job, Some(majority)),
            Decision::Hard(_) => Self::refund(id, job, RefundReason::Hard, || {
                slash(Offence::FalseResult);
                T::Ledger::forfeit(&executor);
                Self::convict(&executor);
                T::Operators::record_audit(&executor, AuditRecord::Hard);
            }),
            Decision::Soft => Self::refund(id, job, RefundReason::Soft, || {
                if T::Operators::record_audit(&executor, AuditRecord::Soft) {
                    slash(Offence::RepeatedSoft);
                }
            }),
            Decision::Undecided => Self::refund(id, job, RefundReason::Undecided, || ()),
        }
        T::Ledger::case_closed(&executor, commitment.epoch);
    }

    fn close_weight(decision: &Decision, majority: u32) -> Weight {
        match decision {
            Decision::Valid | Decision::Undecided => T::WeightInfo::close_valid(majority),
            // Soft verdicts are slashed for too, once they are more than chance explains.
            Decision::Soft | Decision::Hard(_) => T::WeightInfo::close_hard(majority),
        }
    }

    fn opening_matches(subject: &Subject, opening: &[u8]) -> bool {
        let Subject::Job(id) = *subject else {
            return false;
        };
        let Some(commitment) = Commitments::<T>::get(id) else {
            return false;
        };
        // The length first, so that nobody makes the chain hash more than it must.
        let length = (commitment.output_tokens as usize).saturating_mul(TRACE_LEAF_BYTES);
        if opening.len() != length {
            return false;
        }
        decode_trace(opening).is_ok_and(|trace| {
            trace_root(&trace) == commitment.trace_root
                && hash::output_hash(&Self::genesis_hash(), &Self::trace_tokens(&trace))
                    == commitment.output_hash
        })
    }
}
