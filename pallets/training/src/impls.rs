//! The pallet as others see it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::Subject,
    training::{Judged, Store},
    traits::CaseSubjects,
};

impl<T: Config> Pallet<T> {
    /// Whether operators may declare to serve this run: it lives.
    pub fn is_live_root(root: &H256) -> bool {
        Roots::<T>::contains_key(root)
    }

    /// Whether whoever is to judge a run, or its owner, stands behind one of its seats.
    pub(crate) fn is_tied(run: RunId, judge: &T::AccountId) -> bool {
        Interested::<T>::contains_key(run, judge)
            || T::Operators::owner(judge)
                .is_some_and(|owner| Interested::<T>::contains_key(run, owner))
    }

    fn judged(
        run: RunId,
        round: u32,
        rank: u32,
        case: CaseId,
        decision: Decision,
        majority: &[T::AccountId],
    ) {
        let known = RunStore::<T>::of(run)
            .contribution(round, rank)
            .filter(|contribution| contribution.judged == Judged::Open(case));
        let Some(Contribution { who, report, .. }) = known else {
            log::error!(target: LOG_TARGET, "case {case} is not about round {round} of run {run}");
            return;
        };
        let told = Self::tell(run, majority, |machine| {
            machine.verdict(round, rank, case, decision)
        });
        if let Err(error) = told {
            log::error!(target: LOG_TARGET, "case {case} of run {run}: {error:?}");
            return;
        }
        let units = report.map_or(0, |report| report.units);
        Self::record_audit(&who, units, decision, majority);
        Self::deposit_event(Event::Judged {
            run,
            round,
            rank,
            who,
            decision,
        });
    }
}

impl<T: Config> CaseSubjects<T::AccountId> for Pallet<T> {
    fn on_closed(subject: &Subject, case: CaseId, decision: Decision, majority: &[T::AccountId]) {
        match *subject {
            Subject::Training { run, round, rank } => {
                Self::judged(run, round, rank, case, decision, majority)
            }
            Subject::TrainingOuter { run, round } => {
                let told = Self::tell(run, majority, |machine| {
                    machine.challenge_verdict(round, case, decision)
                });
                if told.is_err() {
                    log::debug!(target: LOG_TARGET, "case {case} of run {run} comes too late");
                }
            }
            _ => {
                log::error!(target: LOG_TARGET, "case {case} about {subject:?} came to training")
            }
        }
    }

    fn close_weight(_: &Decision, majority: u32) -> Weight {
        T::WeightInfo::close(majority)
    }

    /// There is nothing to open: see [`Subject::has_opening`].
    fn opening_matches(_: &Subject, _: &[u8]) -> bool {
        false
    }

    fn is_interested(subject: &Subject, judge: &T::AccountId) -> bool {
        match *subject {
            Subject::Training { run, .. } | Subject::TrainingOuter { run, .. } => {
                Self::is_tied(run, judge)
            }
            _ => false,
        }
    }

    fn interest_weight() -> Weight {
        T::WeightInfo::is_tied()
    }
}
