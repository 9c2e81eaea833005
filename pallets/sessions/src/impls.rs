//! What others see of this pallet.

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
    hash,
    trace::{decode_trace, trace_root, TRACE_LEAF_BYTES},
    traits::{CaseSubjects, Ledger, Operators},
    CaseId,
};
use frame_support::weights::Weight;

impl<T: Config> Pallet<T> {
    /// Whether whoever is to judge takings, or its owner, stands behind one of their sessions.
    pub(crate) fn is_client_of(id: TakingsId, judge: &T::AccountId) -> bool {
        TakingsClients::<T>::contains_key(id, judge)
            || T::Operators::owner(judge)
                .is_some_and(|owner| TakingsClients::<T>::contains_key(id, owner))
    }

    /// Whether `opening` is the trace of the reported answer.
    fn opens_receipt(id: ReportId, opening: &[u8]) -> bool {
        let Some(report) = Reports::<T>::get(id) else {
            return false;
        };
        let answer = &report.receipt.receipt;
        // The length first, so that nobody makes the chain hash more than it must.
        let length = (answer.output_tokens as usize).saturating_mul(TRACE_LEAF_BYTES);
        if opening.len() != length {
            return false;
        }
        decode_trace(opening).is_ok_and(|trace| {
            let tokens: Vec<u32> = trace.iter().map(|leaf| leaf.token).collect();
            trace_root(&trace) == answer.trace_root
                && hash::output_hash(&Self::genesis_hash(), &tokens) == answer.output_hash
        })
    }
}

impl<T: Config> CaseSubjects<T::AccountId> for Pallet<T> {
    fn on_closed(subject: &Subject, case: CaseId, decision: Decision, majority: &[T::AccountId]) {
        match *subject {
            Subject::SessionTakings(id) => {
                let takings = AllTakings::<T>::get(id).filter(|takings| {
                    matches!(takings.stage, TakingsStage::InAudit { case: of, .. } if of == case)
                });
                let Some(takings) = takings else {
                    log::error!(target: LOG_TARGET, "case {case} is not about takings {id}");
                    return;
                };
                let (operator, epoch) = (takings.operator.clone(), takings.epoch);
                Self::decide_takings(id, takings, decision, majority);
                T::Ledger::case_closed(&operator, epoch);
            }
            Subject::SessionReceipt(id) => {
                let report = Reports::<T>::get(id)
                    .filter(|report| report.stage == (ReportStage::InAudit { case }));
                let Some(report) = report else {
                    log::error!(target: LOG_TARGET, "case {case} is not about report {id}");
                    return;
                };
                let (operator, epoch) = (report.receipt.receipt.operator.clone(), report.epoch);
                Self::close_report(id, report, decision, majority);
                T::Ledger::case_closed(&operator, epoch);
            }
            Subject::Job(_)
            | Subject::Training { .. }
            | Subject::TrainingOuter { .. }
            | Subject::Dataset(_) => {
                log::error!(target: LOG_TARGET, "case {case} about {subject:?} came to sessions");
            }
        }
    }

    fn close_weight(decision: &Decision, majority: u32) -> Weight {
        match decision {
            Decision::Valid | Decision::Undecided => T::WeightInfo::close_valid(majority),
            // Soft verdicts are slashed for too, once they are more than chance explains.
            Decision::Soft | Decision::Hard(_) => T::WeightInfo::close_hard(majority),
        }
    }

    fn opening_matches(subject: &Subject, opening: &[u8]) -> bool {
        match *subject {
            // The answers themselves were shown before.
            Subject::SessionTakings(id) => opening.is_empty() && Self::all_is_shown(id),
            Subject::SessionReceipt(id) => Self::opens_receipt(id, opening),
            Subject::Job(_)
            | Subject::Training { .. }
            | Subject::TrainingOuter { .. }
            | Subject::Dataset(_) => false,
        }
    }

    fn opening_weight(_: u32) -> Weight {
        T::WeightInfo::check_opening()
    }

    fn is_interested(subject: &Subject, judge: &T::AccountId) -> bool {
        match *subject {
            Subject::SessionTakings(id) => Self::is_client_of(id, judge),
            // A report's one client is named when its case is opened.
            _ => false,
        }
    }

    fn interest_weight() -> Weight {
        T::WeightInfo::is_client()
    }
}
