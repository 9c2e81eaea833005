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
    session::sample::{Opening, MOST_PLANCKS},
    trace::{decode_trace, trace_root, TRACE_LEAF_BYTES},
    traits::{CaseSubjects, Ledger},
    CaseId,
};
use frame_support::weights::Weight;
use parity_scale_codec::DecodeAll;

/// An opened leaf without stop ids or siblings has at least so many bytes.
const LEAST_LEAF_BYTES: u32 = 256;

impl<T: Config> Pallet<T> {
    /// Whether `opening` shows the answers under all plancks that were drawn.
    fn opens_takings(id: TakingsId, opening: &[u8]) -> bool {
        let (Some(takings), Some(plancks)) = (AllTakings::<T>::get(id), Self::drawn_plancks(id))
        else {
            return false;
        };
        // Bounded by the drawn plancks: nobody makes the chain hash more than it must.
        let most = plancks.len();
        let Ok(opening) = Opening::decode_all(&mut &opening[..]) else {
            return false;
        };
        opening.leaves.len() <= most
            && opening.covers(&Self::genesis_hash(), &plancks, |index| {
                Settlements::<T>::get(id, index)
                    .map(|record| record.place(takings.operator.clone(), takings.checkpoint))
            })
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
            Subject::Job(_) | Subject::Dataset(_) => {
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
            Subject::SessionTakings(id) => Self::opens_takings(id, opening),
            Subject::SessionReceipt(id) => Self::opens_receipt(id, opening),
            Subject::Job(_) | Subject::Dataset(_) => false,
        }
    }

    fn opening_weight(bytes: u32) -> Weight {
        // A leaf has more bytes than this, whatever is in it.
        let leaves = bytes.div_ceil(LEAST_LEAF_BYTES).min(MOST_PLANCKS);
        T::WeightInfo::check_opening(leaves)
    }
}
