//! What always holds.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::traits::fungible::hold::Inspect as HoldInspect;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks registry, roots, deposits, uses and the list of the undecided against each other.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(Parameters::<T>::get().is_valid(), "parameters out of range");
        Self::check_registry()?;
        Self::check_uses()?;
        Self::check_undecided()
    }

    fn check_registry() -> Result<(), TryRuntimeError> {
        let mut deposits = BTreeMap::new();
        let mut datasets = 0usize;
        for (id, dataset) in Registry::<T>::iter() {
            datasets = datasets.saturating_add(1);
            ensure!(id < NextDataset::<T>::get(), "a dataset of the future");
            ensure!(
                Roots::<T>::get(dataset.root) == Some(id),
                "a dataset that its root does not name"
            );
            ensure!(
                dataset.terms.is_consistent()
                    && is_licence(&dataset.licence)
                    && is_description(&dataset.description),
                "a dataset that could not be submitted"
            );
            ensure!(
                dataset.status != Status::Leaving || dataset.runs > 0,
                "a delisted dataset that nobody uses is kept"
            );
            ensure!(
                dataset.status != Status::Undecided || dataset.runs == 0,
                "an undecided dataset is used"
            );
            let sum = deposits.entry(dataset.submitter).or_insert(0u128);
            *sum = sum.saturating_add(dataset.deposit);
        }
        ensure!(
            Roots::<T>::iter().count() == datasets,
            "a root that names no dataset"
        );
        for (submitter, deposit) in deposits {
            let held =
                T::NativeBalance::balance_on_hold(&HoldReason::Submission.into(), &submitter);
            ensure!(held == deposit, "deposits that are not on hold");
        }
        Ok(())
    }

    fn check_uses() -> Result<(), TryRuntimeError> {
        let mut runs: BTreeMap<DatasetId, u32> = BTreeMap::new();
        for (id, _, _) in Uses::<T>::iter() {
            let count = runs.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        for (id, dataset) in Registry::<T>::iter() {
            ensure!(
                runs.remove(&id).unwrap_or(0) == dataset.runs,
                "runs that are miscounted"
            );
        }
        ensure!(runs.is_empty(), "a run uses a dataset that is not there");
        Ok(())
    }

    fn check_undecided() -> Result<(), TryRuntimeError> {
        let max_tries = Params::MAX_TRIES;
        let mut listed = BTreeSet::new();
        for entry in UndecidedDatasets::<T>::get() {
            ensure!(listed.insert(entry.dataset), "a dataset is listed twice");
            ensure!(entry.failed < max_tries, "a dataset that is tried for ever");
        }
        for (id, dataset) in Registry::<T>::iter() {
            ensure!(
                listed.remove(&id) == (dataset.status == Status::Undecided),
                "a status that does not fit the list of the undecided"
            );
        }
        ensure!(listed.is_empty(), "a listed dataset is not registered");
        Ok(())
    }
}
