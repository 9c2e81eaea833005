//! What must hold between any two calls.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::collections::BTreeMap;
use chasqui_primitives::{traits::Operators, Balance, JobId};
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks all invariants.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_holds()?;
        Self::check_draws()?;
        Self::check_agenda()?;
        Self::check_indices()?;
        Self::check_exposures()?;
        Self::check_parts()?;
        Self::check_outcomes()?;
        ensure!(
            MissingPrompts::<T>::iter_keys().all(|who| T::Operators::hot_key(&who).is_some()),
            "missing prompts of somebody who is no operator"
        );
        ensure!(Parameters::<T>::get().validate(), "parameters out of range");
        Ok(())
    }

    /// What is on hold is exactly the escrow and deposit of live jobs, client by client.
    fn check_holds() -> Result<(), TryRuntimeError> {
        let mut owed = BTreeMap::<T::AccountId, (Balance, Balance)>::new();
        for job in Jobs::<T>::iter_values() {
            let (escrow, deposit) = owed.entry(job.client).or_default();
            *escrow = escrow.saturating_add(job.escrow);
            *deposit = deposit.saturating_add(job.deposit);
        }
        let accounts = frame_system::Account::<T>::iter_keys();
        for who in accounts {
            let (escrow, deposit) = owed.remove(&who).unwrap_or_default();
            let held = |reason: HoldReason| T::NativeBalance::balance_on_hold(&reason.into(), &who);
            ensure!(
                held(HoldReason::Escrow) == escrow,
                "escrow on hold is not that of live jobs"
            );
            ensure!(
                held(HoldReason::Deposit) == deposit,
                "deposit on hold is not that of live jobs"
            );
        }
        ensure!(
            owed.values().all(|owed| *owed == (0, 0)),
            "a client of a live job has no account"
        );
        Ok(())
    }

    /// Every job that waits for a draw has exactly one place in the queue, and no other job has one.
    fn check_draws() -> Result<(), TryRuntimeError> {
        let (head, tail) = (DrawHead::<T>::get(), DrawTail::<T>::get());
        let mut listed = 0u32;
        for (ticket, draw) in Draws::<T>::iter() {
            ensure!((head..tail).contains(&ticket), "a draw outside its queue");
            let job = Jobs::<T>::get(draw.job).ok_or("a draw for a job that is not live")?;
            ensure!(
                job.stage.ticket() == Some(ticket),
                "a draw that its job does not know"
            );
            listed = listed.saturating_add(1);
        }
        let waiting = Jobs::<T>::iter_values().filter(|job| job.stage.ticket().is_some());
        ensure!(
            waiting.count() as u32 == listed,
            "a job waits for a draw that is not listed"
        );
        Ok(())
    }

    /// Every deadline is in the agenda of its block, which is still to come, and nothing else is.
    fn check_agenda() -> Result<(), TryRuntimeError> {
        let cursor = AgendaCursor::<T>::get();
        let mut listed = 0u32;
        for (block, id, ()) in Agenda::<T>::iter() {
            ensure!(
                cursor.is_none_or(|cursor| block >= cursor),
                "an agenda that is never served again"
            );
            let job = Jobs::<T>::get(id).ok_or("a deadline of a job that is not live")?;
            ensure!(
                job.stage.agenda_block() == Some(block),
                "a deadline that its job does not know"
            );
            listed = listed.saturating_add(1);
        }
        let waiting = Jobs::<T>::iter_values().filter(|job| job.stage.agenda_block().is_some());
        ensure!(
            waiting.count() as u32 == listed,
            "a deadline that is not in the agenda"
        );
        Ok(())
    }

    /// Clients' and executors' lists hold exactly their live jobs.
    fn check_indices() -> Result<(), TryRuntimeError> {
        let (mut jobs, mut assigned) = (0u32, 0u32);
        for (id, job) in Jobs::<T>::iter() {
            ensure!(id < NextJob::<T>::get(), "a job with a number to come");
            ensure!(
                ClientJobs::<T>::contains_key(&job.client, id),
                "a job its client misses"
            );
            ensure!(
                !matches!(job.stage, Stage::Submitted { .. }) || job.acknowledged.is_none(),
                "acknowledged without an executor"
            );
            jobs = jobs.saturating_add(1);
            if let Some(executor) = job.executor() {
                ensure!(
                    Assignments::<T>::contains_key(executor, id),
                    "a job its executor misses"
                );
                assigned = assigned.saturating_add(1);
            } else {
                ensure!(
                    matches!(job.stage, Stage::Submitted { .. }),
                    "a job in progress without an executor"
                );
            }
        }
        ensure!(
            ClientJobs::<T>::iter().count() as u32 == jobs,
            "a client's list is too long"
        );
        ensure!(
            Assignments::<T>::iter().count() as u32 == assigned,
            "an executor's list is too long"
        );
        Ok(())
    }

    /// What rides on each operator's stake is exactly what its jobs can cost.
    fn check_exposures() -> Result<(), TryRuntimeError> {
        let mut owed = BTreeMap::<T::AccountId, (u32, Balance)>::new();
        for (id, job) in Jobs::<T>::iter() {
            if let Some(executor) = job.executor() {
                let (jobs, pay) = owed.entry(executor.clone()).or_default();
                *jobs = jobs.saturating_add(1);
                *pay = pay.saturating_add(Self::worst_pay(id, &job));
            }
        }
        for (who, exposure) in Exposures::<T>::iter() {
            ensure!(
                owed.remove(&who) == Some((exposure.jobs, exposure.pay)),
                "an exposure that is not that of the operator's jobs"
            );
        }
        ensure!(owed.is_empty(), "jobs that ride on nobody's stake");
        Ok(())
    }

    /// Prompt, commitment and output exist exactly for the jobs whose stage has them.
    fn check_parts() -> Result<(), TryRuntimeError> {
        let (mut jobs, mut committed) = (0u32, 0u32);
        for (id, job) in Jobs::<T>::iter() {
            jobs = jobs.saturating_add(1);
            ensure!(Prompts::<T>::contains_key(id), "a job without a prompt");
            if job.stage.is_committed() {
                committed = committed.saturating_add(1);
                ensure!(
                    Outputs::<T>::contains_key(id),
                    "a commitment without an output"
                );
                let commitment =
                    Commitments::<T>::get(id).ok_or("a committed job without a commitment")?;
                ensure!(commitment.price <= job.escrow, "a price beyond the escrow");
            }
        }
        ensure!(
            Prompts::<T>::iter_keys().count() as u32 == jobs,
            "a prompt without a job"
        );
        ensure!(
            Commitments::<T>::iter_keys().count() as u32 == committed,
            "a commitment without a job"
        );
        ensure!(
            Outputs::<T>::iter_keys().count() as u32 == committed,
            "an output without a commitment"
        );
        Ok(())
    }

    /// The ring and the outcomes name the same jobs, none of them live.
    fn check_outcomes() -> Result<(), TryRuntimeError> {
        let kept = T::OutcomesKept::get();
        ensure!(
            OutcomeCursor::<T>::get() < kept,
            "the ring's cursor is outside the ring"
        );
        let mut slots = 0u32;
        for (slot, id) in OutcomeSlots::<T>::iter() {
            ensure!(slot < kept, "a slot outside the ring");
            ensure!(Outcomes::<T>::contains_key(id), "a slot without an outcome");
            slots = slots.saturating_add(1);
        }
        ensure!(
            Outcomes::<T>::iter_keys().count() as u32 == slots,
            "an outcome without a slot"
        );
        let live = |id: JobId| Jobs::<T>::contains_key(id);
        ensure!(
            !Outcomes::<T>::iter_keys().any(live),
            "an outcome of a live job"
        );
        Ok(())
    }
}
