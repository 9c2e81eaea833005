//! What happens by itself: windows that end, takings whose epoch is over, draws whose seed has come, decided takings.

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
    draw::{draw_subseed, MAX_CANDIDATES},
    hash::tag,
    session::{
        rules,
        sample::{is_audited, planck_count},
        SessionId,
    },
    traits::{CaseRequest, Cases, Epochs, Ledger, Opened, Operators, Randomness},
    EpochIndex, RelayBlockNumber, Role,
};
use core::cell::Cell;
use frame_support::{
    pallet_prelude::*, storage::with_storage_layer, traits::Get, weights::WeightMeter,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{
    traits::{One, Saturating},
    DispatchError,
};

/// How often a case that cannot be opened is tried again before it counts as undecided.
pub const MAX_FAILED_OPENINGS: u32 = 3;

impl<T: Config> Pallet<T> {
    /// What the draw of a committee costs that looked at so many candidates.
    fn committee_weight(asked: u32) -> Weight {
        T::WeightInfo::draw_committee(asked)
    }

    /// The most that one draw costs.
    fn most_draw_weight() -> Weight {
        let case = T::WeightInfo::open_case()
            .max(T::WeightInfo::open_no_case())
            .saturating_add(T::Cases::most_passed_over());
        Self::committee_weight(MAX_CANDIDATES).max(case)
    }

    /// # Panics
    /// When a block cannot serve one item of each queue: a queue would stand still for ever.
    pub(crate) fn check_service_weight() {
        let quarter = T::ServiceWeight::get()
            .saturating_sub(T::WeightInfo::service_base())
            .saturating_div(4);
        for (what, most) in [
            ("the end of a session", T::WeightInfo::finish(MAX_CHANNELS)),
            ("takings", T::WeightInfo::announce_takings()),
            ("a draw", Self::most_draw_weight()),
            ("a settlement", T::WeightInfo::clear_settlement()),
        ] {
            // With room for finding the next item.
            let most = most.saturating_add(T::DbWeight::get().reads(2));
            assert!(
                most.all_lte(quarter),
                "ServiceWeight does not suffice for {what}: {most:?} exceeds {quarter:?}"
            );
        }
    }

    /// Serves all queues within the meter's limit: each has a quarter, and what those before it leave.
    pub(crate) fn service(now: BlockNumberFor<T>, meter: &mut WeightMeter) {
        if meter.try_consume(T::WeightInfo::service_base()).is_err() {
            return;
        }
        let quarter = meter.remaining().saturating_div(4);
        let queues: [fn(BlockNumberFor<T>, &mut WeightMeter); 4] = [
            |now, meter| Self::service_agenda(now, meter),
            |_, meter| Self::service_takings(meter),
            |_, meter| Self::service_draws(meter),
            |_, meter| Self::service_decided(meter),
        ];
        let mut room = Weight::zero();
        for queue in queues {
            room = room.saturating_add(quarter);
            let mut own = WeightMeter::with_limit(room.min(meter.remaining()));
            queue(now, &mut own);
            meter.consume(own.consumed());
            room = room.saturating_sub(own.consumed());
        }
    }

    /// Ends the sessions whose window is over, oldest first.
    fn service_agenda(now: BlockNumberFor<T>, meter: &mut WeightMeter) {
        let probe = T::DbWeight::get().reads(1);
        let each = T::WeightInfo::finish(MAX_CHANNELS);
        let mut block = AgendaCursor::<T>::get().unwrap_or(now);
        while block <= now && meter.try_consume(probe).is_ok() {
            // Read before they are served: serving removes keys.
            let room = meter
                .remaining()
                .checked_div_per_component(&each)
                .unwrap_or(u64::MAX);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let mut keys = Agenda::<T>::iter_key_prefix(block);
            let sessions = keys.by_ref().take(room).collect::<Vec<_>>();
            let emptied = sessions.len() < room || keys.next().is_none();
            for session in sessions {
                Agenda::<T>::remove(block, session);
                let channels = Self::on_window_end(session);
                meter.consume(T::WeightInfo::finish(channels));
            }
            if !emptied {
                break;
            }
            block = block.saturating_add(One::one());
        }
        AgendaCursor::<T>::put(block);
    }

    /// Returns how many channels the session had.
    pub(crate) fn on_window_end(id: SessionId) -> u32 {
        match Sessions::<T>::get(id) {
            Some(session) => {
                let channels = session.channels;
                Self::finish(id, session);
                channels
            }
            None => {
                log::error!(target: LOG_TARGET, "a window of session {id:?}, which is not live");
                0
            }
        }
    }

    /// Announces the draws of takings whose epoch is over.
    fn service_takings(meter: &mut WeightMeter) {
        let each = T::WeightInfo::announce_takings();
        let (next, epoch) = (NextTakings::<T>::get(), T::Epochs::current());
        let mut cursor = TakingsCursor::<T>::get();
        while cursor < next && meter.can_consume(each) {
            // Takings are numbered in the order of their epochs.
            if AllTakings::<T>::get(cursor).is_some_and(|takings| takings.epoch >= epoch) {
                meter.consume(T::DbWeight::get().reads(1));
                break;
            }
            meter.consume(each);
            Self::announce_takings(cursor);
            cursor = cursor.saturating_add(1);
        }
        TakingsCursor::<T>::put(cursor);
    }

    pub(crate) fn announce_takings(id: TakingsId) {
        AllTakings::<T>::mutate_exists(id, |slot| {
            let Some(takings) = slot else {
                log::error!(target: LOG_TARGET, "takings {id} are missing");
                return;
            };
            let (ticket, _) = Self::announce_draw(Drawn::Takings(id));
            takings.stage = TakingsStage::Drawing {
                ticket,
                failed_openings: 0,
            };
        });
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
                Some(seed) => Self::on_seed(draw.subject, seed),
                None => Self::announce_again(draw.subject),
            };
            meter.consume(spent);
        }
        DrawHead::<T>::put(head);
    }

    /// Clears decided takings away, one settlement after another.
    fn service_decided(meter: &mut WeightMeter) {
        let each = T::WeightInfo::clear_settlement();
        let tail = DecidedTail::<T>::get();
        let mut head = DecidedHead::<T>::get();
        while head < tail && meter.try_consume(each).is_ok() {
            let done = Decided::<T>::get(head).is_none_or(Self::clear_settlement);
            if done {
                Decided::<T>::remove(head);
                head = head.saturating_add(1);
            }
        }
        DecidedHead::<T>::put(head);
    }

    /// Puts a draw into the queue, to be decided by a seed that does not exist yet.
    pub(crate) fn announce_draw(subject: Drawn) -> (Ticket, RelayBlockNumber) {
        let due = T::Randomness::next_due();
        let ticket = DrawTail::<T>::get();
        Draws::<T>::insert(ticket, PendingDraw { subject, due });
        DrawTail::<T>::put(ticket.saturating_add(1));
        (ticket, due)
    }

    /// The seed came and went while the draw waited in the queue. Returns what that cost.
    fn announce_again(subject: Drawn) -> Weight {
        let (fresh, _) = Self::announce_draw(subject);
        let known = match subject {
            Drawn::Committee(id) => Sessions::<T>::mutate(id, |slot| {
                slot.as_mut()
                    .is_some_and(|session| session.draw.replace(fresh).is_some())
            }),
            Drawn::Takings(id) => AllTakings::<T>::mutate(id, |slot| {
                match slot.as_mut().map(|takings| &mut takings.stage) {
                    Some(TakingsStage::Drawing { ticket, .. }) => {
                        *ticket = fresh;
                        true
                    }
                    _ => false,
                }
            }),
            Drawn::Report(id) => Reports::<T>::mutate(id, |slot| {
                match slot.as_mut().map(|report| &mut report.stage) {
                    Some(ReportStage::Drawing { ticket, .. }) => {
                        *ticket = fresh;
                        true
                    }
                    _ => false,
                }
            }),
        };
        if !known {
            log::error!(target: LOG_TARGET, "a draw that {subject:?} does not know");
            Draws::<T>::remove(fresh);
        }
        T::WeightInfo::announce_takings()
    }

    /// Decides what was drawn for. Returns what that cost.
    pub(crate) fn on_seed(subject: Drawn, seed: H256) -> Weight {
        match subject {
            Drawn::Committee(id) => match Sessions::<T>::get(id) {
                Some(session) => Self::committee_weight(Self::draw_committee(id, session, seed)),
                None => Self::unknown(subject),
            },
            Drawn::Takings(id) => match AllTakings::<T>::get(id) {
                Some(takings) => Self::audit_takings(id, takings, seed),
                None => Self::unknown(subject),
            },
            Drawn::Report(id) => match Reports::<T>::get(id) {
                Some(report) => Self::audit_report(id, report, seed),
                None => Self::unknown(subject),
            },
        }
    }

    fn unknown(subject: Drawn) -> Weight {
        log::error!(target: LOG_TARGET, "a draw for {subject:?}, which is not there");
        T::WeightInfo::announce_takings()
    }

    /// Draws a committee and slices what is free. Returns how many candidates it looked at.
    fn draw_committee(id: SessionId, mut session: SessionOf<T>, seed: H256) -> u32 {
        let epoch = T::Epochs::current();
        let subseed = id.using_encoded(|subject| {
            let genesis = Self::genesis_hash();
            draw_subseed(tag::DRAW_COMMITTEE, &genesis, &seed, subject, epoch)
        });
        let mut channels = Self::all_channels(&id);
        let wanted = Parameters::<T>::get().committee.min(MAX_COMMITTEE);
        // A session that could run out of channels keeps to those it has.
        let full = session.channels.saturating_add(wanted) > MAX_CHANNELS;
        let asked = Cell::new(0u32);
        let eligible = |who: &T::AccountId| {
            asked.set(asked.get().saturating_add(1));
            match channels.iter().find(|(operator, _)| operator == who) {
                Some((_, channel)) => channel.rules.stopped.is_none(),
                None => !full,
            }
        };
        let mut drawn = T::Operators::draw(
            Role::Compute,
            &session.checkpoint,
            &subseed,
            wanted,
            &eligible,
        );
        drawn.truncate(wanted as usize);
        let (now, until) = (Self::now(), Self::window_end());
        for (operator, channel) in &mut channels {
            let rules = &mut channel.rules;
            let changed = match drawn.contains(operator) {
                true => {
                    let key = T::Operators::hot_key(operator).unwrap_or(operator.clone());
                    if channel.signer != key {
                        channel.former = Some(core::mem::replace(&mut channel.signer, key));
                    }
                    rules.readmit(&mut session.deposit, now)
                }
                false if session.committee.contains(operator) => {
                    rules.retire(&mut session.deposit, now, until)
                }
                false => rules.apply_shrink(&mut session.deposit, now).map(|_| ()),
            };
            Self::expect_lawful(id, changed);
        }
        for operator in &drawn {
            if !channels.iter().any(|(known, _)| known == operator) {
                let record = ChannelRecord {
                    rules: Default::default(),
                    signer: T::Operators::hot_key(operator).unwrap_or(operator.clone()),
                    former: None,
                    settled_in: 0,
                    settlements: 0,
                    reported: BoundedVec::new(),
                };
                channels.push((operator.clone(), record));
                Engagements::<T>::insert(operator, id, ());
                session.channels = session.channels.saturating_add(1);
            }
        }
        let members = u32::try_from(drawn.len()).unwrap_or(u32::MAX);
        let (primary, backup) = rules::slices(session.deposit.free(), members);
        for (place, operator) in drawn.iter().enumerate() {
            let amount = if place == 0 { primary } else { backup };
            let own = channels.iter_mut().find(|(known, _)| known == operator);
            if let Some((_, channel)) = own {
                let grown = channel.rules.grow(&mut session.deposit, amount, now);
                Self::expect_lawful(id, grown);
            }
        }
        for (operator, channel) in channels {
            Channels::<T>::insert(id, operator, channel);
        }
        let committee = BoundedVec::truncate_from(drawn);
        session.committee = committee.clone();
        session.drawn_in = Some(epoch);
        session.draw = None;
        Sessions::<T>::insert(id, session);
        Self::deposit_event(Event::CommitteeDrawn {
            session: id,
            epoch,
            committee,
        });
        asked.get()
    }

    fn expect_lawful(id: SessionId, change: Result<(), rules::Refusal>) {
        if let Err(refusal) = change {
            log::error!(target: LOG_TARGET, "a draw for session {id:?}: {refusal:?}");
        }
    }

    /// Opens a case about work of `epoch`, or leaves everything as it was.
    fn open_case(
        request: CaseRequest<T::AccountId>,
        epoch: EpochIndex,
    ) -> Result<Opened, DispatchError> {
        let operator = request.operator.clone();
        let opened = with_storage_layer(|| T::Cases::open(request))?;
        T::Ledger::case_opened(&operator, epoch);
        Ok(opened)
    }

    /// Opens the case over takings, or announces another draw.
    fn audit_takings(id: TakingsId, mut takings: TakingsOf<T>, seed: H256) -> Weight {
        let TakingsStage::Drawing {
            failed_openings, ..
        } = takings.stage
        else {
            return Self::unknown(Drawn::Takings(id));
        };
        let subseed = id.using_encoded(|subject| {
            let genesis = Self::genesis_hash();
            draw_subseed(tag::DRAW_PLANCKS, &genesis, &seed, subject, failed_openings)
        });
        let params = Parameters::<T>::get();
        // Once: another chance for every case that cannot be opened would be more than one.
        if failed_openings == 0 && !is_audited(&subseed, takings.total, params.audit_from) {
            Self::accept_takings(id, takings);
            return T::WeightInfo::open_no_case();
        }
        let request = CaseRequest {
            subject: Subject::SessionTakings(id),
            operator: takings.operator.clone(),
            // It was done for many: see `is_interested`.
            client: None,
            checkpoint: takings.checkpoint,
            seed,
            evidence_tau: takings.evidence_tau,
            // The lien of a flag goes by it: what a case costs, not what an operator settled. Else one that withholds from a
            // single auditor, and then shows on chain, would take that one's whole bond.
            price: takings
                .pending()
                .min(params.audit_from.max(params.report_deposit)),
        };
        match Self::open_case(request, takings.epoch) {
            Ok(Opened { case, passed_over }) => {
                takings.stage = TakingsStage::InAudit {
                    case,
                    subseed,
                    plancks: planck_count(T::Operators::reputation(&takings.operator)),
                };
                AllTakings::<T>::insert(id, takings);
                Self::deposit_event(Event::TakingsInAudit { takings: id, case });
                T::WeightInfo::open_case().saturating_add(passed_over)
            }
            Err(_) if failed_openings < MAX_FAILED_OPENINGS => {
                let (ticket, _) = Self::announce_draw(Drawn::Takings(id));
                takings.stage = TakingsStage::Drawing {
                    ticket,
                    failed_openings: failed_openings.saturating_add(1),
                };
                AllTakings::<T>::insert(id, takings);
                T::WeightInfo::open_case().saturating_add(T::Cases::most_passed_over())
            }
            Err(error) => {
                log::warn!(target: LOG_TARGET, "no case over takings {id}: {error:?}");
                Self::decide_takings(id, takings, Decision::Undecided, &[]);
                T::WeightInfo::open_no_case().saturating_add(T::Cases::most_passed_over())
            }
        }
    }

    /// Opens the case about a report, or announces another draw.
    fn audit_report(id: ReportId, mut report: ReportOf<T>, seed: H256) -> Weight {
        let ReportStage::Drawing {
            failed_openings, ..
        } = report.stage
        else {
            return Self::unknown(Drawn::Report(id));
        };
        let answer = &report.receipt.receipt;
        let request = CaseRequest {
            subject: Subject::SessionReceipt(id),
            operator: answer.operator.clone(),
            client: Some(report.client.clone()),
            checkpoint: report.request.request.checkpoint,
            seed,
            evidence_tau: report.evidence_tau,
            // What it pays those who look. For the price of the answer both can sign whatever they like.
            price: report.deposit,
        };
        match Self::open_case(request, report.epoch) {
            Ok(Opened { case, passed_over }) => {
                report.stage = ReportStage::InAudit { case };
                Reports::<T>::insert(id, report);
                Self::deposit_event(Event::ReportInAudit { report: id, case });
                T::WeightInfo::open_case().saturating_add(passed_over)
            }
            Err(_) if failed_openings < MAX_FAILED_OPENINGS => {
                let (ticket, _) = Self::announce_draw(Drawn::Report(id));
                report.stage = ReportStage::Drawing {
                    ticket,
                    failed_openings: failed_openings.saturating_add(1),
                };
                Reports::<T>::insert(id, report);
                T::WeightInfo::open_case().saturating_add(T::Cases::most_passed_over())
            }
            Err(error) => {
                log::warn!(target: LOG_TARGET, "no case about report {id}: {error:?}");
                Self::close_report(id, report, Decision::Undecided, &[]);
                T::WeightInfo::open_no_case().saturating_add(T::Cases::most_passed_over())
            }
        }
    }
}
