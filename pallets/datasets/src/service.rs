//! How a dataset comes to its decision: draws, cases, and another try.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::{Decision, Subject},
    traits::{CaseRequest, Opened, SeedExpired},
    ANY_CHECKPOINT,
};
use frame_support::storage::with_storage_layer;
use sp_runtime::{traits::Saturating, Percent};

impl<T: Config> Pallet<T> {
    /// Begins tries whose pause is over, and opens cases whose seed exists.
    pub(crate) fn move_on(now: BlockNumberFor<T>) -> Weight {
        let mut list = UndecidedDatasets::<T>::get();
        let mut weight = T::WeightInfo::move_on(list.len() as u32);
        let mut ready = Vec::new();
        let mut changed = false;
        for entry in list.iter_mut() {
            match entry.wait {
                Wait::Pause { until } if until <= now => {}
                Wait::Draw { due } => match T::Randomness::seed(due) {
                    Ok(Some(seed)) => {
                        if (ready.len() as u32) < T::MaxOpenings::get() {
                            ready.push((entry.dataset, seed));
                        }
                        continue;
                    }
                    Ok(None) => continue,
                    Err(SeedExpired) => {}
                },
                Wait::Pause { .. } | Wait::Case(_) => continue,
            }
            entry.wait = Wait::Draw {
                due: T::Randomness::next_due(),
            };
            changed = true;
        }
        if changed {
            UndecidedDatasets::<T>::put(list);
        }
        for (id, seed) in ready {
            weight = weight.saturating_add(Self::open_case(id, seed));
        }
        weight
    }

    /// Opens the case about a dataset, or counts a try.
    pub(crate) fn open_case(id: DatasetId, seed: H256) -> Weight {
        let Some(mut dataset) = Registry::<T>::get(id) else {
            log::error!(target: LOG_TARGET, "undecided dataset {id} is not registered");
            Self::decided(id);
            return T::WeightInfo::open_case();
        };
        let fee = Parameters::<T>::get().fee;
        let request = CaseRequest {
            subject: Subject::Dataset(id),
            operator: dataset.submitter.clone(),
            client: None,
            checkpoint: ANY_CHECKPOINT,
            seed,
            // Two honest auditors find the same bytes.
            evidence_tau: 0,
            price: fee,
        };
        let passed_over = match with_storage_layer(|| T::Cases::open(request)) {
            Ok(Opened { case, passed_over }) => {
                let fee = Self::take_deposit(&mut dataset, fee);
                Registry::<T>::insert(id, dataset);
                Self::change(id, |entry| entry.wait = Wait::Case(case));
                Self::deposit_event(Event::InAudit {
                    dataset: id,
                    case,
                    fee,
                });
                passed_over
            }
            Err(error) => {
                log::debug!(target: LOG_TARGET, "no case about dataset {id}: {error:?}");
                Self::try_again(id, dataset);
                T::Cases::most_passed_over()
            }
        };
        T::WeightInfo::open_case().saturating_add(passed_over)
    }

    fn change(id: DatasetId, change: impl FnOnce(&mut Undecided<BlockNumberFor<T>>)) {
        UndecidedDatasets::<T>::mutate(|list| {
            if let Some(entry) = list.iter_mut().find(|entry| entry.dataset == id) {
                change(entry);
            }
        });
    }

    /// Does what the decision of the case `case` says.
    pub(crate) fn decide(id: DatasetId, case: CaseId, decision: Decision) {
        let entry = UndecidedDatasets::<T>::get()
            .into_iter()
            .find(|entry| entry.dataset == id && entry.wait == Wait::Case(case));
        let (Some(_), Some(mut dataset)) = (entry, Registry::<T>::get(id)) else {
            log::error!(target: LOG_TARGET, "case {case} is not about dataset {id}");
            return;
        };
        match decision {
            Decision::Valid => {
                Self::decided(id);
                dataset.status = Status::Usable;
                let root = dataset.root;
                Registry::<T>::insert(id, dataset);
                Self::deposit_event(Event::Usable { dataset: id, root });
            }
            // What nobody has today, somebody may have tomorrow; and no verdict is soft about bytes.
            Decision::Hard(HardReason::Withheld) | Decision::Soft | Decision::Undecided => {
                Self::try_again(id, dataset)
            }
            Decision::Hard(reason) => {
                Self::decided(id);
                let share = Parameters::<T>::get().rejected_percent.min(100) as u8;
                let lost = Percent::from_percent(share).mul_ceil(dataset.deposit);
                let lost = Self::take_deposit(&mut dataset, lost);
                let root = dataset.root;
                Self::let_go(id, dataset);
                Self::deposit_event(Event::Rejected {
                    dataset: id,
                    root,
                    reason,
                    lost,
                });
            }
        }
    }

    /// Counts a try that came to nothing: another follows after a pause, or the dataset is sent back.
    fn try_again(id: DatasetId, dataset: DatasetOf<T>) {
        let Params {
            max_tries,
            pause_blocks,
            ..
        } = Parameters::<T>::get();
        let mut failed = 0;
        Self::change(id, |entry| {
            entry.failed = entry.failed.saturating_add(1);
            entry.wait = Wait::Pause {
                until: Self::now().saturating_add(pause_blocks.into()),
            };
            failed = entry.failed;
        });
        if failed < max_tries {
            Self::deposit_event(Event::TriedInVain {
                dataset: id,
                failed,
            });
            return;
        }
        Self::decided(id);
        let root = dataset.root;
        Self::let_go(id, dataset);
        Self::deposit_event(Event::SentBack { dataset: id, root });
    }

    /// Forgets a dataset in a hook, where nobody could be told of an error.
    pub(crate) fn let_go(id: DatasetId, dataset: DatasetOf<T>) {
        if let Err(error) = Self::remove(id, dataset) {
            log::error!(target: LOG_TARGET, "dataset {id} does not leave: {error:?}");
        }
    }
}
