//! How a checkpoint comes by its thresholds.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    with_margin, Agenda, Calibration, CalibrationDuties, CalibrationPhase, CalibrationSeat,
    Calibrations, Config, Error, Event, Pallet, Parameters, Params, Registry, Status, WeightInfo,
};
use alloc::vec::Vec;
use chasqui_primitives::{
    audit::AuditThresholds,
    draw::draw_subseed,
    traits::{Operators, Randomness, SeedExpired},
    CheckpointRoot, Role,
};
use core::cell::Cell;
use frame_support::{ensure, weights::Weight};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{
    traits::{One, Saturating},
    DispatchResult,
};

/// Domain tag of the draw of a checkpoint's calibrators.
const DRAW_CALIBRATORS: &[u8] = b"chasqui/draw/calibrators/1";

impl<T: Config> Pallet<T> {
    /// Puts a calibration on the agenda of block `at`, or of the next one with room.
    pub(crate) fn schedule(
        root: CheckpointRoot,
        calibration: &mut Calibration<T>,
        at: BlockNumberFor<T>,
    ) {
        let mut at = at.max(Self::now().saturating_add(One::one()));
        // Ends: every full block holds open calibrations, of which there are finitely many.
        while Agenda::<T>::try_append(at, root).is_err() {
            at = at.saturating_add(One::one());
        }
        calibration.wake = at;
    }

    /// Takes a calibration off its agenda, if it is on one.
    pub(crate) fn unschedule(root: CheckpointRoot, calibration: &Calibration<T>) {
        Agenda::<T>::mutate_exists(calibration.wake, |slot| {
            let Some(roots) = slot else { return };
            roots.retain(|other| *other != root);
            if roots.is_empty() {
                *slot = None;
            }
        });
    }

    /// Moves the calibrations on this block's agenda on.
    pub(crate) fn move_calibrations_on(now: BlockNumberFor<T>) -> Weight {
        let mut weight = T::WeightInfo::agenda();
        for root in Agenda::<T>::take(now) {
            // A round that ends, or a draw: what it writes is no more, but it asks candidates.
            weight = weight.saturating_add(T::WeightInfo::step());
            let Some(calibration) = Calibrations::<T>::get(root) else {
                continue;
            };
            match calibration.phase {
                CalibrationPhase::AwaitSeed { due } => {
                    weight = weight.saturating_add(Self::await_seed(root, calibration, due));
                }
                CalibrationPhase::Collect { .. } => Self::end_round(root, calibration),
                CalibrationPhase::Stalled => {}
            }
        }
        weight
    }

    /// Returns what a draw costs beside a step.
    fn await_seed(root: CheckpointRoot, mut calibration: Calibration<T>, due: u32) -> Weight {
        match T::Randomness::seed(due) {
            Ok(Some(seed)) => {
                let asked = Self::draw_calibrators(root, calibration, &seed);
                return T::WeightInfo::draw(asked);
            }
            Ok(None) => {}
            Err(SeedExpired) => {
                calibration.phase = CalibrationPhase::AwaitSeed {
                    due: T::Randomness::next_due(),
                };
            }
        }
        Self::schedule(root, &mut calibration, Self::now());
        Calibrations::<T>::insert(root, calibration);
        Weight::zero()
    }

    /// Draws the validators that are still wanted, out of those that serve the checkpoint, none of
    /// them related to the proposer. Fewer, when there are no more: another round follows, soon when there is
    /// nobody to wait for. Returns how many were looked at.
    pub(crate) fn draw_calibrators(
        root: CheckpointRoot,
        mut calibration: Calibration<T>,
        seed: &H256,
    ) -> u32 {
        let proposer = Registry::<T>::get(root).and_then(|checkpoint| checkpoint.proposer);
        let missing = calibration
            .wanted
            .saturating_sub(calibration.seats.len() as u32);
        let subseed = draw_subseed(
            DRAW_CALIBRATORS,
            &Self::genesis(),
            seed,
            root.as_bytes(),
            calibration.round,
        );
        let seats = &calibration.seats;
        let asked = Cell::new(0u32);
        let eligible = |who: &T::AccountId| {
            asked.set(asked.get().saturating_add(1));
            let is_proposers = proposer
                .as_ref()
                .is_some_and(|proposer| T::Operators::are_related(proposer, who));
            !is_proposers && !seats.iter().any(|seat| seat.validator == *who)
        };
        let drawn = T::Operators::draw(Role::Validate, &root, &subseed, missing, &eligible);
        let mut validators = Vec::new();
        for validator in drawn.into_iter().take(missing as usize) {
            let seat = CalibrationSeat {
                validator: validator.clone(),
                thresholds: None,
            };
            if calibration.seats.try_push(seat).is_ok() {
                CalibrationDuties::<T>::insert(&validator, root, ());
                validators.push(validator);
            }
        }
        calibration.round = calibration.round.saturating_add(1);
        let params = Parameters::<T>::get();
        let until = Self::after(if validators.is_empty() {
            params.pause_blocks()
        } else {
            params.calibrate_blocks
        });
        calibration.phase = CalibrationPhase::Collect { until };
        Self::schedule(root, &mut calibration, until);
        Calibrations::<T>::insert(root, calibration);
        Self::deposit_event(Event::CalibratorsDrawn {
            root,
            validators,
            until,
        });
        asked.get()
    }

    /// Dismisses those who did not answer, and draws others or gives up.
    fn end_round(root: CheckpointRoot, mut calibration: Calibration<T>) {
        let silent: Vec<T::AccountId> = calibration
            .seats
            .iter()
            .filter(|seat| seat.thresholds.is_none())
            .map(|seat| seat.validator.clone())
            .collect();
        calibration.seats.retain(|seat| seat.thresholds.is_some());
        for validator in silent {
            CalibrationDuties::<T>::remove(&validator, root);
            T::Operators::record_duty(&validator, false);
            Self::deposit_event(Event::CalibrationMissed { root, validator });
        }
        if Self::now() >= calibration.gives_up_at {
            calibration.phase = CalibrationPhase::Stalled;
            Registry::<T>::mutate(root, |checkpoint| {
                if let Some(checkpoint) = checkpoint {
                    checkpoint.status = Status::Stalled;
                }
            });
            Self::deposit_event(Event::CalibrationStalled { root });
        } else {
            calibration.phase = CalibrationPhase::AwaitSeed {
                due: T::Randomness::next_due(),
            };
            Self::schedule(root, &mut calibration, Self::now());
        }
        Calibrations::<T>::insert(root, calibration);
    }

    pub(crate) fn do_calibrate(
        root: CheckpointRoot,
        validator: T::AccountId,
        thresholds: AuditThresholds,
    ) -> DispatchResult {
        let mut checkpoint = Self::registered(&root)?;
        let mut calibration = Calibrations::<T>::get(root).ok_or(Error::<T>::NotAssigned)?;
        let seat = calibration
            .seats
            .iter_mut()
            .find(|seat| seat.validator == validator)
            .ok_or(Error::<T>::NotAssigned)?;
        ensure!(seat.thresholds.is_none(), Error::<T>::AlreadySubmitted);
        ensure!(
            thresholds.is_consistent(),
            Error::<T>::InconsistentThresholds
        );
        let Params {
            margin_percent,
            ceiling,
            ..
        } = Parameters::<T>::get();
        ensure!(thresholds.is_within(&ceiling), Error::<T>::BeyondCeiling);
        seat.thresholds = Some(thresholds);
        CalibrationDuties::<T>::remove(&validator, root);
        T::Operators::record_duty(&validator, true);
        Self::deposit_event(Event::CalibrationSubmitted { root, validator });
        match calibration.worst() {
            Some(worst) if calibration.submitted() >= calibration.wanted => {
                let thresholds = with_margin(&worst, margin_percent).at_most(&ceiling);
                Self::unschedule(root, &calibration);
                Calibrations::<T>::remove(root);
                checkpoint.status = Status::Calibrated;
                checkpoint.thresholds = Some(thresholds);
                Registry::<T>::insert(root, checkpoint);
                Self::deposit_event(Event::Calibrated { root, thresholds });
            }
            _ => {
                let is_waiting = calibration
                    .seats
                    .iter()
                    .any(|seat| seat.thresholds.is_none());
                if !is_waiting {
                    // More are wanted than could be drawn: another draw follows soon.
                    let until = Self::after(Parameters::<T>::get().pause_blocks());
                    Self::unschedule(root, &calibration);
                    calibration.phase = CalibrationPhase::Collect { until };
                    Self::schedule(root, &mut calibration, until);
                }
                Calibrations::<T>::insert(root, calibration);
            }
        }
        Ok(())
    }
}
