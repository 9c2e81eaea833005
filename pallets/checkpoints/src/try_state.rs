//! What must hold of the storage after every block.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    Agenda, CalibrationDuties, CalibrationPhase, Calibrations, Config, HoldReason, Lineages,
    Pallet, Parameters, Registry, Status,
};
use alloc::collections::{BTreeMap, BTreeSet};
use frame_support::{ensure, traits::fungible::hold::Inspect as HoldInspect};
use sp_core::Get;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks statuses, deposits, calibrations, duties and agenda against each other.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(
            Parameters::<T>::get().is_valid(T::MaxCalibrators::get()),
            "parameters out of range"
        );
        Self::check_registry()?;
        Self::check_lineages()?;
        Self::check_calibrations()
    }

    fn check_lineages() -> Result<(), TryRuntimeError> {
        for (root, lineage) in Lineages::<T>::iter() {
            ensure!(
                lineage.parent != Some(root),
                "a checkpoint made from itself"
            );
            ensure!(
                lineage.base.is_none() || lineage.parent.is_some(),
                "an adapter of nothing"
            );
            let registered = Registry::<T>::get(root);
            let by_registrar = registered.is_some_and(|checkpoint| {
                checkpoint.status.is_proposed()
                    && checkpoint.deposit == 0
                    && checkpoint.proposer == Some(lineage.by)
            });
            ensure!(
                lineage.described || !by_registrar,
                "a trained checkpoint that nobody described"
            );
        }
        Ok(())
    }

    fn check_registry() -> Result<(), TryRuntimeError> {
        let mut deposits = BTreeMap::new();
        for (root, checkpoint) in Registry::<T>::iter() {
            ensure!(checkpoint.info.is_valid(), "a description out of range");
            let calibrated = match checkpoint.status {
                Status::Calibrating | Status::Stalled => false,
                Status::Calibrated | Status::Accepted | Status::Retired => true,
            };
            ensure!(
                checkpoint
                    .thresholds
                    .map_or(!calibrated, |t| calibrated && t.is_consistent()),
                "thresholds that do not fit the status"
            );
            ensure!(
                Calibrations::<T>::contains_key(root) != calibrated,
                "a calibration that does not fit the status"
            );
            ensure!(
                checkpoint.deposit == 0 || checkpoint.status != Status::Retired,
                "a retired checkpoint with a deposit"
            );
            if let Some(proposer) = checkpoint.proposer {
                let sum = deposits.entry(proposer).or_insert(0u128);
                *sum = sum.saturating_add(checkpoint.deposit);
            }
        }
        for (proposer, deposit) in deposits {
            let held = T::NativeBalance::balance_on_hold(&HoldReason::Proposal.into(), &proposer);
            ensure!(held == deposit, "deposits that are not on hold");
        }
        Ok(())
    }

    fn check_calibrations() -> Result<(), TryRuntimeError> {
        let mut duties = BTreeSet::new();
        let mut moving = 0usize;
        for (root, calibration) in Calibrations::<T>::iter() {
            let checkpoint = Registry::<T>::get(root).ok_or("a calibration of nothing")?;
            let stalled = calibration.phase == CalibrationPhase::Stalled;
            ensure!(
                checkpoint.status
                    == if stalled {
                        Status::Stalled
                    } else {
                        Status::Calibrating
                    },
                "a calibration that does not fit the status"
            );
            if !stalled {
                moving = moving.saturating_add(1);
                ensure!(
                    Agenda::<T>::get(calibration.wake).contains(&root),
                    "a calibration that nothing wakes"
                );
            }
            ensure!(
                calibration.seats.len() as u32 <= calibration.wanted
                    && calibration.submitted() < calibration.wanted,
                "a calibration that should have ended"
            );
            let collecting = matches!(calibration.phase, CalibrationPhase::Collect { .. });
            for seat in &calibration.seats {
                if seat.thresholds.is_none() {
                    ensure!(collecting, "a seat outside of a round");
                    duties.insert((seat.validator.clone(), root));
                }
            }
        }
        let mut entries = 0usize;
        for (at, roots) in Agenda::<T>::iter() {
            ensure!(
                at > Self::now() && !roots.is_empty(),
                "an agenda that is past or empty"
            );
            entries = entries.saturating_add(roots.len());
        }
        ensure!(entries == moving, "an agenda with more than calibrations");
        let found: BTreeSet<_> = CalibrationDuties::<T>::iter()
            .map(|(validator, root, ())| (validator, root))
            .collect();
        ensure!(found == duties, "duties that are not the calibrations'");
        Ok(())
    }
}
