//! The pallet as others see it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::{Decision, Subject},
    traits::{CaseSubjects, Datasets},
};

impl<T: Config> Datasets<T::AccountId> for Pallet<T> {
    fn usable(root: &H256) -> Option<DatasetTerms> {
        let dataset = Registry::<T>::get(Roots::<T>::get(root)?)?;
        (dataset.status == Status::Usable).then_some(dataset.terms)
    }

    fn begin_use(root: &H256, run: RunId) -> DispatchResult {
        let id = Roots::<T>::get(root).ok_or(Error::<T>::NoSuchDataset)?;
        let mut dataset = Self::registered(id)?;
        ensure!(dataset.status == Status::Usable, Error::<T>::NotUsable);
        ensure!(!Uses::<T>::contains_key(id, run), Error::<T>::UsedAlready);
        Uses::<T>::insert(id, run, Use::default());
        dataset.runs = dataset.runs.saturating_add(1);
        Registry::<T>::insert(id, dataset);
        Self::deposit_event(Event::UseBegan { dataset: id, run });
        Ok(())
    }

    fn end_use(root: &H256, run: RunId) {
        let Some(id) = Roots::<T>::get(root) else {
            return;
        };
        let (Some(_), Some(mut dataset)) = (Uses::<T>::take(id, run), Registry::<T>::get(id))
        else {
            return;
        };
        dataset.runs = dataset.runs.saturating_sub(1);
        if dataset.runs == 0 && dataset.status == Status::Leaving {
            Self::let_go(id, dataset);
        } else {
            Registry::<T>::insert(id, dataset);
        }
        Self::deposit_event(Event::UseEnded { dataset: id, run });
    }

    fn credit(root: &H256, run: RunId, paid: Balance, units: u64) {
        let Some(id) = Roots::<T>::get(root) else {
            return;
        };
        let (Some(mut made), Some(dataset)) = (Uses::<T>::get(id, run), Registry::<T>::get(id))
        else {
            return;
        };
        // Units that nobody was paid for are nobody's merit.
        if paid == 0 {
            return;
        }
        made.paid = made.paid.saturating_add(paid);
        made.units = made.units.saturating_add(units.into());
        let all = Parameters::<T>::get().points(made.units, made.paid);
        let points = all.saturating_sub(made.points);
        made.points = made.points.saturating_add(points);
        Uses::<T>::insert(id, run, made);
        if points > 0 {
            T::Ledger::record_poc_points(&dataset.submitter, points);
            Self::deposit_event(Event::PointsEarned {
                dataset: id,
                run,
                contributor: dataset.submitter,
                points,
            });
        }
    }
}

impl<T: Config> CaseSubjects<T::AccountId> for Pallet<T> {
    fn on_closed(subject: &Subject, case: CaseId, decision: Decision, _: &[T::AccountId]) {
        match *subject {
            Subject::Dataset(id) => Self::decide(id, case, decision),
            _ => {
                log::error!(target: LOG_TARGET, "case {case} about {subject:?} came to datasets")
            }
        }
    }

    fn close_weight(_: &Decision, _: u32) -> Weight {
        T::WeightInfo::decide()
    }

    /// There is nothing to open: see [`Subject::has_opening`].
    fn opening_matches(_: &Subject, _: &[u8]) -> bool {
        false
    }
}
