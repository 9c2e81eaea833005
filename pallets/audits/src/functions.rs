//! What calls and openings of cases do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    machine, Agenda, Ballots, Case, Cases, Config, Counters, Duties, Error, Event, Flag, History,
    NextCase, Opening, Openings, Pallet, Parameters, Phase, Seat, Totals, Vote, WeightInfo,
};
use alloc::vec::Vec;
use chasqui_primitives::{
    audit::{self, Evidence, Stage, Tally, Verdict},
    draw::draw_subseed,
    hash::tag,
    traits::{CaseRequest, CaseSubjects, Opened, Operators},
    CaseId, Role,
};
use core::cell::Cell;
use frame_support::{ensure, weights::Weight, BoundedVec};
use frame_system::{
    ensure_signed,
    pallet_prelude::{BlockNumberFor, OriginFor},
};
use parity_scale_codec::Encode;
use sp_core::{Get, H256};
use sp_runtime::{
    traits::{One, Saturating, Zero},
    DispatchError, DispatchResult,
};

impl<T: Config> Pallet<T> {
    /// The hash of the first block: what binds signatures and commitments to this chain.
    pub(crate) fn genesis() -> H256 {
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
    }

    pub(crate) fn now() -> BlockNumberFor<T> {
        frame_system::Pallet::<T>::block_number()
    }

    /// The block `blocks` from now.
    pub(crate) fn after(blocks: u32) -> BlockNumberFor<T> {
        Self::now().saturating_add(blocks.into())
    }

    pub(crate) fn count(change: impl FnOnce(&mut Counters)) {
        Totals::<T>::mutate(change);
    }

    /// The operator that a signed origin stands for.
    pub(crate) fn operator_of(origin: OriginFor<T>) -> Result<T::AccountId, DispatchError> {
        let signer = ensure_signed(origin)?;
        Ok(T::Operators::by_signer(&signer).ok_or(Error::<T>::NotAnOperator)?)
    }

    /// Puts a case on the agenda of block `at`, or of the next one with room, and notes where.
    pub(crate) fn schedule(id: CaseId, case: &mut Case<T>, at: BlockNumberFor<T>) {
        let mut at = at.max(Self::now().saturating_add(One::one()));
        // Ends: every full block holds open cases, of which there are finitely many.
        while Agenda::<T>::try_append(at, id).is_err() {
            at = at.saturating_add(One::one());
        }
        case.wake = at;
    }

    /// Moves a case to the next block's agenda: nothing is left to wait for.
    pub(crate) fn hasten(id: CaseId, case: &mut Case<T>) {
        let next = Self::now().saturating_add(One::one());
        if case.wake <= next {
            return;
        }
        Agenda::<T>::mutate_exists(case.wake, |slot| {
            let Some(cases) = slot else { return };
            cases.retain(|other| *other != id);
            if cases.is_empty() {
                *slot = None;
            }
        });
        Self::schedule(id, case, next);
    }

    /// Draws up to `count` auditors out of the case's electorate who have had no seat yet. Returns how many it looked
    /// at, too.
    fn draw_auditors(
        id: CaseId,
        case: &Case<T>,
        seed: &H256,
        count: u32,
    ) -> (Vec<T::AccountId>, u32) {
        let subseed = draw_subseed(
            tag::DRAW_PANEL,
            &Self::genesis(),
            seed,
            &id.encode(),
            case.round,
        );
        let asked = Cell::new(0u32);
        let eligible = |who: &T::AccountId| {
            asked.set(asked.get().saturating_add(1));
            !case.dismissed.contains(who)
                && !case.seats.iter().any(|seat| seat.auditor == *who)
                && !T::Subjects::is_interested(&case.subject, who)
                && T::Operators::vote_weight(
                    case.electorate.epoch,
                    &case.checkpoint,
                    &case.parties(),
                    who,
                ) > 0
        };
        let drawn =
            T::Operators::draw(Role::Validate, &case.checkpoint, &subseed, count, &eligible);
        (drawn, asked.get())
    }

    /// What the draw of a panel costs for those it looks at, beside what any step costs.
    pub(crate) fn passed_over(asked: u32) -> Weight {
        T::WeightInfo::draw_seats(asked)
            .saturating_sub(T::WeightInfo::draw_seats(0))
            .saturating_add(T::Subjects::interest_weight().saturating_mul(asked.into()))
    }

    /// Fills the panel's empty seats by a draw: all of them, or none. Each auditor's bond becomes
    /// liable. `false`: too few auditors could be drawn. The number is that of those looked at.
    pub(crate) fn fill_seats(id: CaseId, case: &mut Case<T>, seed: &H256) -> (bool, u32) {
        let missing = case.wanted.saturating_sub(case.seats.len() as u32);
        let (mut drawn, asked) = Self::draw_auditors(id, case, seed, missing);
        drawn.truncate(missing as usize);
        if (drawn.len() as u32) < missing {
            return (false, asked);
        }
        let mut seated: Vec<T::AccountId> = Vec::new();
        for auditor in drawn {
            if T::Operators::add_liability(&auditor).is_err() {
                break;
            }
            seated.push(auditor);
        }
        let mut seats = case.seats.clone().into_inner();
        seats.extend(seated.iter().cloned().map(Seat::new));
        match BoundedVec::try_from(seats) {
            Ok(seats) if seats.len() as u32 == case.wanted => {
                case.seats = seats;
                (true, asked)
            }
            _ => {
                seated.iter().for_each(T::Operators::remove_liability);
                (false, asked)
            }
        }
    }

    /// Opens a commit window of stage one for the seated panel.
    pub(crate) fn begin_panel_round(id: CaseId, case: &mut Case<T>) {
        for seat in case.seats.iter_mut() {
            seat.commitment = None;
            seat.reveal = None;
            Duties::<T>::insert(&seat.auditor, id, Stage::One);
        }
        case.expected = case.seats.len() as u32;
        case.commits = 0;
        case.reveals = 0;
        let until = Self::after(Parameters::<T>::get().commit_blocks);
        case.phase = Phase::Commit { until };
        Self::schedule(id, case, until);
    }

    pub(crate) fn do_open(request: CaseRequest<T::AccountId>) -> Result<Opened, DispatchError> {
        let mut parties = alloc::vec![request.operator.clone()];
        parties.extend(request.client.clone());
        let electorate = T::Operators::electorate(&request.checkpoint, &parties);
        ensure!(
            electorate.weight > 0 && electorate.voters > 0,
            Error::<T>::EmptyElectorate
        );
        let id = NextCase::<T>::get();
        NextCase::<T>::put(id.saturating_add(1));
        let now = Self::now();
        let mut case = Case::<T> {
            subject: request.subject,
            operator: request.operator,
            client: request.client,
            checkpoint: request.checkpoint,
            evidence_tau: request.evidence_tau,
            price: request.price,
            electorate,
            opened_at: now,
            stage: Stage::One,
            phase: Phase::Commit { until: now },
            round: 0,
            projection_seed: audit::projection_seed(&Self::genesis(), &request.seed, id),
            wanted: Parameters::<T>::get()
                .seats
                .min(electorate.voters)
                .min(T::MaxSeats::get()),
            seats: Default::default(),
            dismissed: Default::default(),
            flags: Default::default(),
            history: History {
                // As if it had been: there is nothing to demand.
                opening_demanded: !request.subject.has_opening(),
                ..History::default()
            },
            tally: Tally::default(),
            withheld: 0,
            expected: 0,
            commits: 0,
            reveals: 0,
            wake: now,
        };
        let (full, asked) = Self::fill_seats(id, &mut case, &request.seed);
        if full {
            Self::begin_panel_round(id, &mut case);
        } else {
            // Part of the electorate cannot be drawn now. Fewer than k valid reveals close
            // nothing, so the vote follows at once.
            Self::schedule(id, &mut case, now);
        }
        Self::count(|totals| totals.cases = totals.cases.saturating_add(1));
        Self::deposit_event(Event::CaseOpened {
            case: id,
            subject: case.subject,
            operator: case.operator.clone(),
            panel: case.seats.iter().map(|s| s.auditor.clone()).collect(),
        });
        Cases::<T>::insert(id, case);
        Ok(Opened {
            case: id,
            passed_over: Self::passed_over(asked),
        })
    }

    /// Notes a commitment. Equal commitments are not compared: one binds its author, so a copy can
    /// never be revealed, while refusing it would let the copyist lock the author out.
    pub(crate) fn do_commit(id: CaseId, auditor: T::AccountId, commitment: H256) -> DispatchResult {
        let mut case = Cases::<T>::get(id).ok_or(Error::<T>::NoSuchCase)?;
        let is_open = matches!(case.phase, Phase::Commit { .. });
        match case.stage {
            Stage::One => {
                let seat = case
                    .seats
                    .iter_mut()
                    .find(|seat| seat.auditor == auditor)
                    .ok_or(Error::<T>::NotAssigned)?;
                ensure!(is_open, Error::<T>::CommitWindowClosed);
                ensure!(seat.commitment.is_none(), Error::<T>::AlreadyCommitted);
                seat.commitment = Some(commitment);
            }
            Stage::Two => {
                let mut ballot = Ballots::<T>::get(id, &auditor).ok_or(Error::<T>::NotAssigned)?;
                ensure!(is_open, Error::<T>::CommitWindowClosed);
                ensure!(ballot.vote.is_none(), Error::<T>::AlreadyRevealed);
                ensure!(ballot.commitment.is_none(), Error::<T>::AlreadyCommitted);
                ballot.commitment = Some(commitment);
                Ballots::<T>::insert(id, &auditor, ballot);
            }
        }
        case.commits = case.commits.saturating_add(1);
        if case.commits >= case.expected {
            Self::hasten(id, &mut case);
        }
        Self::deposit_event(Event::Committed {
            case: id,
            stage: case.stage,
            auditor,
        });
        Cases::<T>::insert(id, case);
        Ok(())
    }

    pub(crate) fn do_reveal(
        id: CaseId,
        auditor: T::AccountId,
        verdict: Verdict,
        evidence: Evidence,
        salt: [u8; 32],
    ) -> DispatchResult {
        let mut case = Cases::<T>::get(id).ok_or(Error::<T>::NoSuchCase)?;
        let genesis = Self::genesis();
        let check = |case: &Case<T>, commitment: Option<H256>, revealed: bool| -> DispatchResult {
            ensure!(!revealed, Error::<T>::AlreadyRevealed);
            match case.phase {
                Phase::Reveal { .. } => {}
                Phase::Commit { .. } => return Err(Error::<T>::RevealTooEarly.into()),
                _ => return Err(Error::<T>::RevealWindowClosed.into()),
            }
            let commitment = commitment.ok_or(Error::<T>::NotCommitted)?;
            let revealed = audit::verdict_commitment(
                &genesis, id, case.stage, &auditor, &verdict, &evidence, &salt,
            );
            ensure!(revealed == commitment, Error::<T>::RevealMismatch);
            ensure!(
                machine::evidence_is_complete(&verdict, &evidence),
                Error::<T>::EvidenceIncomplete
            );
            Ok(())
        };
        match case.stage {
            Stage::One => {
                let position = case.seats.iter().position(|seat| seat.auditor == auditor);
                let seat = position
                    .and_then(|position| case.seats.get(position))
                    .ok_or(Error::<T>::NotAssigned)?;
                check(&case, seat.commitment, seat.reveal.is_some())?;
                if let Some(seat) = position.and_then(|position| case.seats.get_mut(position)) {
                    seat.reveal = Some((verdict, evidence));
                }
                Self::note_flag(id, &mut case, &auditor, &verdict);
            }
            Stage::Two => {
                let mut ballot = Ballots::<T>::get(id, &auditor).ok_or(Error::<T>::NotAssigned)?;
                check(&case, ballot.commitment, ballot.vote.is_some())?;
                let verdict = case.subject.in_vote(verdict);
                case.tally.add(&verdict, ballot.weight);
                if verdict == Verdict::Withheld {
                    case.withheld = case.withheld.saturating_add(ballot.weight);
                }
                ballot.vote = Some(Vote {
                    round: case.round,
                    verdict,
                    evidence,
                });
                Ballots::<T>::insert(id, &auditor, ballot);
            }
        }
        Duties::<T>::remove(&auditor, id);
        case.reveals = case.reveals.saturating_add(1);
        // Only those who committed can still reveal.
        if case.reveals >= case.commits {
            Self::hasten(id, &mut case);
        }
        Self::deposit_event(Event::Revealed {
            case: id,
            stage: case.stage,
            auditor,
            verdict,
        });
        Cases::<T>::insert(id, case);
        Ok(())
    }

    /// Makes the author of an accusing verdict answer for it.
    fn note_flag(id: CaseId, case: &mut Case<T>, auditor: &T::AccountId, verdict: &Verdict) {
        let withheld = match verdict {
            Verdict::Valid | Verdict::NoModel => return,
            Verdict::Soft | Verdict::Hard(_) => false,
            Verdict::Withheld => true,
        };
        let lien = Parameters::<T>::get().lien_for(case.price);
        let flag = Flag {
            auditor: auditor.clone(),
            lien,
            withheld,
        };
        // There is room: a panel has at most as many flags as seats.
        if case.flags.try_push(flag).is_ok() {
            Self::count(|totals| totals.flags = totals.flags.saturating_add(1));
            Self::deposit_event(Event::Flagged {
                case: id,
                auditor: auditor.clone(),
                lien,
            });
        }
    }

    pub(crate) fn do_post_opening(
        id: CaseId,
        operator: T::AccountId,
        opening: Opening,
    ) -> DispatchResult {
        let mut case = Cases::<T>::get(id).ok_or(Error::<T>::NoSuchCase)?;
        ensure!(case.operator == operator, Error::<T>::NotTheExecutor);
        ensure!(
            matches!(case.phase, Phase::Opening { .. }),
            Error::<T>::OpeningNotDemanded
        );
        ensure!(
            !Openings::<T>::contains_key(id),
            Error::<T>::OpeningAlreadyPosted
        );
        ensure!(
            T::Subjects::opening_matches(&case.subject, &opening),
            Error::<T>::OpeningMismatch
        );
        Openings::<T>::insert(id, opening);
        Self::hasten(id, &mut case);
        Self::count(|totals| totals.openings_posted = totals.openings_posted.saturating_add(1));
        Self::deposit_event(Event::OpeningPosted { case: id });
        Cases::<T>::insert(id, case);
        Ok(())
    }
}
