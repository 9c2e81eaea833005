//! What calls do to the registry.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    Calibration, CalibrationDuties, CalibrationPhase, Calibrations, Checkpoint, CheckpointInfo,
    CheckpointOf, Config, Error, Event, HoldReason, Lineages, Pallet, Parameters, Registry, Status,
};
use alloc::vec::Vec;
use chasqui_primitives::{traits::Randomness, Balance, CheckpointRoot};
use frame_support::{
    ensure,
    traits::{fungible::hold::Mutate as HoldMutate, tokens::Precision},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::{Get, H256};
use sp_runtime::{
    traits::{Saturating, Zero},
    DispatchError, DispatchResult,
};

impl<T: Config> Pallet<T> {
    pub(crate) fn genesis() -> H256 {
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
    }

    pub(crate) fn now() -> BlockNumberFor<T> {
        frame_system::Pallet::<T>::block_number()
    }

    pub(crate) fn after(blocks: u32) -> BlockNumberFor<T> {
        Self::now().saturating_add(blocks.into())
    }

    pub(crate) fn registered(root: &CheckpointRoot) -> Result<CheckpointOf<T>, DispatchError> {
        Ok(Registry::<T>::get(root).ok_or(Error::<T>::UnknownCheckpoint)?)
    }

    /// Up to `limit` registered checkpoints, in order of their roots, after one of them.
    pub(crate) fn registered_after(
        after: Option<CheckpointRoot>,
        limit: u32,
    ) -> Vec<(CheckpointRoot, CheckpointOf<T>)> {
        let registered = match after {
            None => Registry::<T>::iter(),
            Some(root) => Registry::<T>::iter_from(Registry::<T>::hashed_key_for(root)),
        };
        registered.take(limit as usize).collect()
    }

    pub(crate) fn do_propose(
        root: CheckpointRoot,
        proposer: T::AccountId,
        info: CheckpointInfo,
    ) -> DispatchResult {
        let earlier = Registry::<T>::get(root);
        // Else somebody could describe it before its registrar does.
        ensure!(
            earlier.is_some() || !Lineages::<T>::contains_key(root),
            Error::<T>::Trained
        );
        ensure!(
            earlier.is_none_or(|checkpoint| checkpoint.status == Status::Retired),
            Error::<T>::AlreadyRegistered
        );
        ensure!(info.is_valid(), Error::<T>::InvalidInfo);
        Self::ensure_family(&root, &info)?;
        let deposit = T::ProposalDeposit::get();
        T::NativeBalance::hold(&HoldReason::Proposal.into(), &proposer, deposit)?;
        Self::begin_calibration(root, proposer, deposit, info);
        Ok(())
    }

    /// Registers a checkpoint, and has validators drawn to calibrate it.
    pub(crate) fn begin_calibration(
        root: CheckpointRoot,
        proposer: T::AccountId,
        deposit: Balance,
        info: CheckpointInfo,
    ) {
        let checkpoint = Checkpoint {
            info,
            proposer: Some(proposer.clone()),
            deposit,
            status: Status::Calibrating,
            thresholds: None,
            proposed_at: Self::now(),
        };
        Registry::<T>::insert(root, checkpoint);
        let params = Parameters::<T>::get();
        let mut calibration = Calibration::<T> {
            wanted: params.calibrators,
            round: 0,
            gives_up_at: Self::after(params.patience()),
            phase: CalibrationPhase::AwaitSeed {
                due: T::Randomness::next_due(),
            },
            seats: Default::default(),
            wake: Self::now(),
        };
        Self::schedule(root, &mut calibration, Self::now());
        Calibrations::<T>::insert(root, calibration);
        Self::deposit_event(Event::Proposed { root, proposer });
    }

    pub(crate) fn do_restart_calibration(
        root: CheckpointRoot,
        proposer: T::AccountId,
    ) -> DispatchResult {
        let mut checkpoint = Self::registered(&root)?;
        ensure!(
            checkpoint.proposer.as_ref() == Some(&proposer),
            Error::<T>::NotTheProposer
        );
        ensure!(checkpoint.status == Status::Stalled, Error::<T>::NotStalled);
        let mut calibration = Calibrations::<T>::get(root).ok_or(Error::<T>::NotStalled)?;
        calibration.gives_up_at = Self::after(Parameters::<T>::get().patience());
        calibration.phase = CalibrationPhase::AwaitSeed {
            due: T::Randomness::next_due(),
        };
        Self::schedule(root, &mut calibration, Self::now());
        Calibrations::<T>::insert(root, calibration);
        checkpoint.status = Status::Calibrating;
        Registry::<T>::insert(root, checkpoint);
        Self::deposit_event(Event::CalibrationRestarted { root });
        Ok(())
    }

    /// Removes a proposal with everything that belongs to it.
    pub(crate) fn do_remove_proposal(
        root: CheckpointRoot,
        checkpoint: CheckpointOf<T>,
    ) -> DispatchResult {
        ensure!(checkpoint.status.is_proposed(), Error::<T>::NotProposed);
        Self::release_deposit(&checkpoint)?;
        if let Some(calibration) = Calibrations::<T>::take(root) {
            Self::unschedule(root, &calibration);
            for seat in &calibration.seats {
                CalibrationDuties::<T>::remove(&seat.validator, root);
            }
        }
        Registry::<T>::remove(root);
        Ok(())
    }

    fn release_deposit(checkpoint: &CheckpointOf<T>) -> DispatchResult {
        if let Some(proposer) = &checkpoint.proposer {
            T::NativeBalance::release(
                &HoldReason::Proposal.into(),
                proposer,
                checkpoint.deposit,
                Precision::Exact,
            )?;
        }
        Ok(())
    }

    pub(crate) fn do_accept(root: CheckpointRoot) -> DispatchResult {
        let mut checkpoint = Self::registered(&root)?;
        ensure!(checkpoint.status.is_proposed(), Error::<T>::NotProposed);
        ensure!(
            checkpoint.status == Status::Calibrated && checkpoint.thresholds.is_some(),
            Error::<T>::NotCalibrated
        );
        checkpoint.status = Status::Accepted;
        Registry::<T>::insert(root, checkpoint);
        Self::deposit_event(Event::Accepted { root });
        Ok(())
    }

    pub(crate) fn do_retire(root: CheckpointRoot) -> DispatchResult {
        let mut checkpoint = Self::registered(&root)?;
        ensure!(
            checkpoint.status == Status::Accepted,
            Error::<T>::NotAccepted
        );
        Self::release_deposit(&checkpoint)?;
        checkpoint.deposit = 0;
        checkpoint.status = Status::Retired;
        Registry::<T>::insert(root, checkpoint);
        Self::deposit_event(Event::Retired { root });
        Ok(())
    }
}
