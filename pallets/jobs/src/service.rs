//! What happens by itself: draws whose seed has come, and deadlines.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    audit::Subject,
    draw::{audit_probability, bernoulli, draw_subseed, MAX_CANDIDATES},
    hash::tag,
    traits::{CaseRequest, Cases, Ledger, Offence, Opened, Operators, Randomness},
    Balance, ExpiryReason, JobClass, JobId, RefundReason, RelayBlockNumber, Role,
};
use core::cell::Cell;
use frame_support::{
    pallet_prelude::*, storage::with_storage_layer, traits::Get, weights::WeightMeter,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{
    traits::{One, Saturating},
    Perbill,
};

/// How often an audit that cannot be opened is tried again before the client is refunded.
pub const MAX_FAILED_OPENINGS: u32 = 3;

impl<T: Config> Pallet<T> {
    /// What a block costs that serves nothing.
    pub(crate) fn base_weight() -> Weight {
        T::WeightInfo::service_base()
    }

    /// The most that one deadline costs.
    pub(crate) fn deadline_weight() -> Weight {
        T::WeightInfo::lapse_deadline().max(T::WeightInfo::settle())
    }

    /// What the draw of an executor costs that looked at so many candidates: somebody is assigned, or the job ends.
    pub(crate) fn executor_draw_weight(asked: u32) -> Weight {
        let nobody = T::WeightInfo::no_executor(0);
        let asking = T::WeightInfo::no_executor(asked).saturating_sub(nobody);
        T::WeightInfo::draw_executor()
            .max(nobody)
            .saturating_add(asking)
    }

    /// The most that one draw costs.
    pub(crate) fn most_draw_weight() -> Weight {
        let audit = T::WeightInfo::draw_audit().saturating_add(T::Cases::most_passed_over());
        Self::executor_draw_weight(MAX_CANDIDATES).max(audit)
    }

    /// # Panics
    /// When a block cannot serve a deadline and a draw: a queue would stand still for ever.
    pub(crate) fn check_service_weight() {
        let half = T::ServiceWeight::get().saturating_div(2);
        assert!(
            Self::deadline_weight()
                .saturating_add(Self::base_weight())
                .all_lte(half),
            "ServiceWeight does not suffice for one deadline"
        );
        assert!(
            Self::most_draw_weight().all_lte(half),
            "ServiceWeight does not suffice for one draw"
        );
    }

    /// Serves deadlines, then draws, within the meter's limit.
    pub(crate) fn service(now: BlockNumberFor<T>, meter: &mut WeightMeter) {
        if meter.try_consume(Self::base_weight()).is_err() {
            return;
        }
        let half = meter
            .limit()
            .saturating_div(2)
            .saturating_sub(meter.consumed());
        let mut deadlines = WeightMeter::with_limit(half);
        Self::service_agenda(now, &mut deadlines);
        meter.consume(deadlines.consumed());
        Self::service_draws(meter);
    }

    /// Serves the agendas up to `now`, oldest first.
    fn service_agenda(now: BlockNumberFor<T>, meter: &mut WeightMeter) {
        let probe = T::DbWeight::get().reads(1);
        let each = Self::deadline_weight();
        let mut block = AgendaCursor::<T>::get().unwrap_or(now);
        while block <= now && meter.try_consume(probe).is_ok() {
            // Read before they are served: serving removes keys.
            let room = meter
                .remaining()
                .checked_div_per_component(&each)
                .unwrap_or(u64::MAX);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let mut keys = Agenda::<T>::iter_key_prefix(block);
            let jobs = keys.by_ref().take(room).collect::<alloc::vec::Vec<_>>();
            let emptied = jobs.len() < room || keys.next().is_none();
            for job in jobs {
                meter.consume(each);
                Self::on_deadline(block, job);
            }
            if !emptied {
                break;
            }
            block = block.saturating_add(One::one());
        }
        AgendaCursor::<T>::put(block);
    }

    /// Serves the draws whose seed has come, in the order announced.
    fn service_draws(meter: &mut WeightMeter) {
        let gap = T::DbWeight::get().reads(1);
        let most = Self::most_draw_weight();
        let tail = DrawTail::<T>::get();
        let mut head = DrawHead::<T>::get();
        while head < tail && meter.can_consume(gap) {
            let Some(draw) = Draws::<T>::get(head) else {
                meter.consume(gap);
                head = head.saturating_add(1);
                continue;
            };
            let seed = match T::Randomness::seed(draw.due) {
                Ok(None) => break,
                Ok(Some(seed)) => Some(seed),
                Err(_) => None,
            };
            // What it costs is known afterwards: room for the worst is needed before.
            if !meter.can_consume(most) {
                break;
            }
            Draws::<T>::remove(head);
            head = head.saturating_add(1);
            let spent = match seed {
                Some(seed) => Self::on_seed(draw.job, seed),
                None => Self::announce_again(draw.job),
            };
            meter.consume(spent);
        }
        DrawHead::<T>::put(head);
    }

    /// Puts a draw about `job` into the queue, to be decided by a seed that does not exist yet.
    pub(crate) fn announce_draw(job: JobId) -> (Ticket, RelayBlockNumber) {
        let due = T::Randomness::next_due();
        let ticket = DrawTail::<T>::get();
        Draws::<T>::insert(ticket, PendingDraw { job, due });
        DrawTail::<T>::put(ticket.saturating_add(1));
        (ticket, due)
    }

    /// The seed came and went while the draw waited in the queue. Returns what that cost.
    fn announce_again(id: JobId) -> Weight {
        Jobs::<T>::mutate_exists(id, |slot| {
            let Some(job) = slot else { return };
            let (fresh, _) = Self::announce_draw(id);
            match &mut job.stage {
                Stage::Submitted { ticket } | Stage::Committed { ticket, .. } => *ticket = fresh,
                _ => Draws::<T>::remove(fresh),
            }
        });
        T::WeightInfo::draw_executor()
    }

    /// Decides what `job` waits for. Returns what that cost.
    pub(crate) fn on_seed(id: JobId, seed: H256) -> Weight {
        let Some(job) = Jobs::<T>::get(id) else {
            log::error!(target: LOG_TARGET, "a draw for job {id}, which is not live");
            return T::WeightInfo::draw_executor();
        };
        match job.stage {
            Stage::Submitted { .. } => {
                Self::executor_draw_weight(Self::draw_executor(id, job, seed))
            }
            Stage::Committed {
                failed_openings, ..
            } => {
                let passed_over = Self::draw_audit(id, job, seed, failed_openings);
                T::WeightInfo::draw_audit().saturating_add(passed_over)
            }
            stage => {
                log::error!(target: LOG_TARGET, "a draw for job {id} in {stage:?}");
                T::WeightInfo::draw_executor()
            }
        }
    }

    /// With which probability a job of `operator` must be audited; `None` when no probability is
    /// enough. One stake answers for all that the operator has in flight, so all of it counts, and
    /// `extra` for a job that is not its own yet: whole prices, an upper bound of what it gets.
    fn audit_share(operator: &T::AccountId, extra: Balance) -> Option<Perbill> {
        let in_flight = Exposures::<T>::get(operator).map_or(0, |exposure| exposure.pay);
        audit_probability(
            T::Operators::reputation(operator),
            Parameters::<T>::get().audit_floor,
            in_flight.saturating_add(extra),
            T::Cases::seats(),
            T::Operators::slashable(operator, Offence::FalseResult),
            T::Ledger::unclaimed(operator),
        )
    }

    /// Assigns the job to an executor, or ends it. Returns how many candidates were looked at.
    fn draw_executor(id: JobId, mut job: JobOf<T>, seed: H256) -> u32 {
        let round = job.executors.len() as u32;
        let subseed = id.using_encoded(|subject| {
            draw_subseed(
                tag::DRAW_EXECUTOR,
                &Self::genesis_hash(),
                &seed,
                subject,
                round,
            )
        });
        let asked = Cell::new(0u32);
        let eligible = |who: &T::AccountId| {
            asked.set(asked.get().saturating_add(1));
            !job.executors.contains(who) && Self::audit_share(who, job.escrow).is_some()
        };
        let drawn = T::Operators::draw(Role::Compute, &job.checkpoint, &subseed, 1, &eligible);
        let asked = asked.get();
        let Some(executor) = drawn.into_iter().next() else {
            Self::expire(id, job, ExpiryReason::NoExecutor);
            return asked;
        };
        if job.executors.try_push(executor.clone()).is_err() {
            Self::expire(id, job, ExpiryReason::DeadlinesLapsed);
            return asked;
        }
        let deadline = Self::now().saturating_add(Parameters::<T>::get().acknowledge_blocks);
        job.stage = Stage::Assigned { deadline };
        Agenda::<T>::insert(deadline, id, ());
        Assignments::<T>::insert(&executor, id, ());
        Self::expose(&executor, job.escrow);
        Jobs::<T>::insert(id, job);
        Self::deposit_event(Event::ExecutorDrawn {
            job: id,
            executor,
            deadline,
        });
        asked
    }

    /// Opens an audit, or accepts the job without one. Returns what the panel's draw cost for those it passed over.
    fn draw_audit(id: JobId, mut job: JobOf<T>, seed: H256, failed_openings: u32) -> Weight {
        let (Some(executor), Some(commitment)) =
            (job.executor().cloned(), Commitments::<T>::get(id))
        else {
            log::error!(target: LOG_TARGET, "job {id} has no commitment to audit");
            return Weight::zero();
        };
        if Self::is_tainted(&executor, &commitment) {
            Self::refund(id, job, RefundReason::Convicted, || ());
            return Weight::zero();
        }
        let subseed = id.using_encoded(|subject| {
            let genesis = Self::genesis_hash();
            draw_subseed(tag::DRAW_AUDIT, &genesis, &seed, subject, failed_openings)
        });
        // Only auditors can tell whether an output outside the chain is there at all.
        let certain = job.class == JobClass::Premium
            || failed_openings > 0
            || Self::inline_output(id).is_none();
        let share = if certain {
            Perbill::one()
        } else {
            Self::audit_share(&executor, 0).unwrap_or(Perbill::one())
        };
        if !bernoulli(&subseed, share) {
            let until = Self::now().saturating_add(Parameters::<T>::get().dispute_blocks);
            job.stage = Stage::Accepted { until };
            Agenda::<T>::insert(until, id, ());
            Jobs::<T>::insert(id, job);
            Self::deposit_event(Event::Accepted { job: id, until });
            return Weight::zero();
        }
        let request = CaseRequest {
            subject: Subject::Job(id),
            operator: executor.clone(),
            client: Some(job.client.clone()),
            checkpoint: job.checkpoint,
            seed,
            evidence_tau: job.thresholds().evidence_tau,
            price: commitment.price,
        };
        match with_storage_layer(|| T::Cases::open(request)) {
            Ok(Opened { case, passed_over }) => {
                T::Ledger::case_opened(&executor, commitment.epoch);
                job.stage = Stage::InAudit { case };
                Jobs::<T>::insert(id, job);
                Self::deposit_event(Event::AuditOpened { job: id, case });
                passed_over
            }
            Err(_) if failed_openings < MAX_FAILED_OPENINGS => {
                let (ticket, due) = Self::announce_draw(id);
                let failed_openings = failed_openings.saturating_add(1);
                job.stage = Stage::Committed {
                    ticket,
                    failed_openings,
                };
                Jobs::<T>::insert(id, job);
                Self::deposit_event(Event::AuditPostponed { job: id, due });
                T::Cases::most_passed_over()
            }
            Err(error) => {
                log::warn!(target: LOG_TARGET, "no case for job {id}: {error:?}");
                Self::refund(id, job, RefundReason::Undecided, || ());
                T::Cases::most_passed_over()
            }
        }
    }

    /// The agenda of `block` says that this job's time is up.
    pub(crate) fn on_deadline(block: BlockNumberFor<T>, id: JobId) {
        Agenda::<T>::remove(block, id);
        let Some(job) = Jobs::<T>::get(id) else {
            log::error!(target: LOG_TARGET, "a deadline of job {id}, which is not live");
            return;
        };
        match job.stage {
            Stage::Assigned { .. } | Stage::Acknowledged { .. } => Self::lapse(id, job),
            Stage::Accepted { .. } => Self::settle_unaudited(id, job),
            stage => log::error!(target: LOG_TARGET, "a deadline of job {id} in {stage:?}"),
        }
    }

    /// The executor let its deadline pass.
    pub(crate) fn lapse(id: JobId, job: JobOf<T>) {
        if let Some(executor) = job.executor().cloned() {
            T::Operators::record_duty(&executor, false);
            Self::deposit_event(Event::DeadlineMissed { job: id, executor });
        }
        Self::redraw(id, job);
    }

    /// Takes the job from its executor and draws another, or ends it when enough have had it.
    pub(crate) fn redraw(id: JobId, mut job: JobOf<T>) {
        if job.executors.len() as u32 > Parameters::<T>::get().max_redraws {
            return Self::expire(id, job, ExpiryReason::DeadlinesLapsed);
        }
        Self::leave_queues(id, &job);
        if let Some(executor) = job.executor() {
            Assignments::<T>::remove(executor, id);
            Self::unexpose(executor, job.escrow);
        }
        let (ticket, _) = Self::announce_draw(id);
        job.acknowledged = None;
        job.stage = Stage::Submitted { ticket };
        Jobs::<T>::insert(id, job);
    }

    /// Takes the job out of the draw queue or agenda that its stage is listed in.
    pub(crate) fn leave_queues(id: JobId, job: &JobOf<T>) {
        if let Some(ticket) = job.stage.ticket() {
            Draws::<T>::remove(ticket);
        }
        if let Some(block) = job.stage.agenda_block() {
            Agenda::<T>::remove(block, id);
        }
    }
}
