//! What happens when windows close: the agenda, and the steps that [`machine`] decides on.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    machine::{self, Closed, Duty, Facts, Next, Part},
    Agenda, Ballot, Ballots, Case, Cases, Config, Duties, Event, Flag, Openings, Pallet,
    Parameters, Phase, WeightInfo,
};
use alloc::{collections::BTreeSet, vec::Vec};
use chasqui_primitives::{
    audit::{self, Decision, HardReason, Stage, Verdict},
    draw::MAX_CANDIDATES,
    traits::{CaseSubjects, Ledger, Operators, Randomness, SeedExpired},
    CaseId,
};
use frame_support::weights::Weight;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::{Get, H256};

/// What a case does when its turn comes.
pub(crate) enum Step {
    /// A window has closed.
    Window(Next),
    /// The randomness of a redraw is there.
    FillSeats(H256),
    /// It is not there yet.
    Wait,
}

impl<T: Config> Pallet<T> {
    /// Handles the cases on this block's agenda. Those that there is no room for roll forward.
    pub(crate) fn close_windows(now: BlockNumberFor<T>) -> Weight {
        let mut weight = T::WeightInfo::agenda();
        let mut room = T::MaxBallotsPerBlock::get();
        let mut worked = false;
        for id in Agenda::<T>::take(now) {
            let Some(mut case) = Cases::<T>::get(id) else {
                weight = weight.saturating_add(T::WeightInfo::step());
                continue;
            };
            let step = Self::step_of(id, &mut case, now);
            let ballots = Self::ballots_touched(&case, &step);
            if ballots > room && worked {
                Self::schedule(id, &mut case, now);
                Cases::<T>::insert(id, case);
                // The ballots may have been read to see what comes next.
                weight = weight
                    .saturating_add(T::WeightInfo::step())
                    .saturating_add(T::DbWeight::get().reads(ballots.into()));
                continue;
            }
            if ballots > 0 {
                worked = true;
                room = room.saturating_sub(ballots);
            }
            weight = weight.saturating_add(Self::step_weight(&case, &step, ballots));
            Self::take_step(id, case, step, now);
        }
        weight
    }

    fn step_of(id: CaseId, case: &mut Case<T>, now: BlockNumberFor<T>) -> Step {
        let closed = match case.phase {
            Phase::Commit { .. } => Closed::Commit,
            Phase::Reveal { .. } => Closed::Reveal,
            Phase::Opening { .. } => Closed::Opening,
            Phase::AwaitSeed { due, until } => {
                return match T::Randomness::seed(due) {
                    Ok(Some(seed)) => Step::FillSeats(seed),
                    _ if now >= until => Step::Window(Next::EnterStageTwo),
                    Ok(None) => Step::Wait,
                    Err(SeedExpired) => {
                        let due = T::Randomness::next_due();
                        case.phase = Phase::AwaitSeed { due, until };
                        Step::Wait
                    }
                };
            }
        };
        Step::Window(machine::next(&Facts {
            stage: case.stage,
            closed,
            commits: case.commits,
            posted: Openings::<T>::contains_key(id),
            history: case.history,
            reveals: case
                .seats
                .iter()
                .map(|seat| {
                    let (verdict, evidence) = seat.reveal.as_ref()?;
                    Some((*verdict, evidence))
                })
                .collect(),
            evidence_tau: case.evidence_tau,
            tally: case.tally,
            withheld: case.withheld,
            electorate: case.electorate.weight,
            reason: Self::leading_reason(id, case),
        }))
    }

    fn leading_reason(id: CaseId, case: &Case<T>) -> HardReason {
        // Only a hard majority needs its reason.
        if case.tally.hard <= case.electorate.weight / 2 {
            return HardReason::Margin;
        }
        let hard = Ballots::<T>::iter_prefix_values(id).filter_map(|ballot| {
            match ballot.vote.map(|vote| vote.verdict) {
                Some(Verdict::Hard(reason)) => Some((reason, ballot.weight)),
                _ => None,
            }
        });
        machine::leading_reason(hard)
    }

    /// How many ballots a step reads and writes.
    fn ballots_touched(case: &Case<T>, step: &Step) -> u32 {
        let voters = case.electorate.voters.min(T::MaxElectorate::get());
        match (step, case.stage) {
            (Step::Window(Next::EnterStageTwo) | Step::FillSeats(_), _) => voters,
            (Step::Window(Next::JudgeAnew | Next::Extend | Next::Close(_)), Stage::Two) => voters,
            _ => 0,
        }
    }

    /// The most that a step with so many ballots costs: whatever the auditors deserve, and what the subject's owner
    /// does about a case that closes.
    pub(crate) fn step_weight(case: &Case<T>, step: &Step, ballots: u32) -> Weight {
        let mut weight = T::WeightInfo::step().max(T::WeightInfo::dismiss());
        if ballots > 0 {
            let most = T::WeightInfo::open_ballots(ballots)
                .max(T::WeightInfo::step_ballots(ballots))
                .max(T::WeightInfo::punish_ballots(ballots));
            weight = weight.saturating_add(most);
        }
        let flags = case.flags.len() as u64;
        let beside = match step {
            Step::Window(Next::Close(decision)) => {
                let majority = ballots.saturating_add(case.seats.len() as u32);
                let liens = match (decision, ballots) {
                    (Decision::Valid, 1..) => T::WeightInfo::forfeit_lien(ballots),
                    _ => Weight::zero(),
                };
                T::Subjects::close_weight(decision, majority)
                    .saturating_add(liens.saturating_mul(flags))
            }
            Step::Window(Next::JudgeAnew) => T::WeightInfo::forfeit_lien(1).saturating_mul(flags),
            // Where nobody can vote the case is closed at once.
            Step::Window(Next::EnterStageTwo) => T::Subjects::close_weight(&Decision::Undecided, 0)
                .saturating_add(Self::interest_weight(case)),
            Step::FillSeats(_) => T::Subjects::close_weight(&Decision::Undecided, 0)
                .saturating_add(Self::interest_weight(case))
                .saturating_add(Self::passed_over(MAX_CANDIDATES)),
            Step::Window(_) | Step::Wait => Weight::zero(),
        };
        weight.saturating_add(beside)
    }

    /// What asking every voter costs whether the work was done for it. Those beyond the most that can vote are asked too.
    fn interest_weight(case: &Case<T>) -> Weight {
        T::Subjects::interest_weight().saturating_mul(case.electorate.voters.into())
    }

    fn take_step(id: CaseId, case: Case<T>, step: Step, now: BlockNumberFor<T>) {
        let case = match step {
            Step::Window(Next::OpenReveals) => Self::open_reveals(id, case),
            Step::Window(Next::Redraw(seats)) => Self::dismiss_seats(id, case, &seats),
            Step::Window(Next::DemandOpening) => Self::demand_opening(id, case),
            Step::Window(Next::JudgeAnew) => Self::judge_anew(id, case),
            Step::Window(Next::Extend) => Self::extend(id, case),
            Step::Window(Next::EnterStageTwo) => return Self::enter_stage_two(id, case),
            Step::Window(Next::Close(decision)) => return Self::close(id, case, decision),
            Step::FillSeats(seed) => return Self::redraw(id, case, &seed),
            Step::Wait => {
                let mut case = case;
                Self::schedule(id, &mut case, now);
                case
            }
        };
        Cases::<T>::insert(id, case);
    }

    fn open_reveals(id: CaseId, mut case: Case<T>) -> Case<T> {
        let params = Parameters::<T>::get();
        let until = Self::after(match case.stage {
            Stage::One => params.reveal_blocks,
            Stage::Two => params.vote_reveal_blocks,
        });
        case.phase = Phase::Reveal { until };
        Self::schedule(id, &mut case, until);
        Self::deposit_event(Event::RevealsOpened {
            case: id,
            stage: case.stage,
        });
        case
    }

    /// Takes the seats at these positions away: a missed duty, and no liability any more.
    fn dismiss_seats(id: CaseId, mut case: Case<T>, positions: &[u32]) -> Case<T> {
        let auditors: Vec<T::AccountId> = positions
            .iter()
            .filter_map(|position| case.seats.get(*position as usize))
            .map(|seat| seat.auditor.clone())
            .collect();
        case.seats.retain(|seat| !auditors.contains(&seat.auditor));
        for auditor in &auditors {
            Self::record_duty(auditor, Duty::Abstained);
            T::Operators::remove_liability(auditor);
            Duties::<T>::remove(auditor, id);
            // There is room: seats are dismissed once, and were at most as many.
            let _ = case.dismissed.try_push(auditor.clone());
        }
        case.history.redrawn = true;
        let until = Self::after(Parameters::<T>::get().redraw_blocks);
        let due = T::Randomness::next_due();
        case.phase = Phase::AwaitSeed { due, until };
        Self::schedule(id, &mut case, Self::now());
        Self::count(|totals| totals.redrawn = totals.redrawn.saturating_add(1));
        Self::deposit_event(Event::SeatsDismissed { case: id, auditors });
        case
    }

    /// Fills the dismissed seats; the whole panel judges anew, since what the others revealed is
    /// public by now and under a common projection seed could be copied.
    fn redraw(id: CaseId, mut case: Case<T>, seed: &H256) {
        let earlier = case.seats.len();
        case.round = case.round.saturating_add(1);
        let (full, _) = Self::fill_seats(id, &mut case, seed);
        if !full {
            return Self::enter_stage_two(id, case);
        }
        case.projection_seed = audit::projection_seed(&Self::genesis(), seed, id);
        Self::begin_panel_round(id, &mut case);
        Self::deposit_event(Event::SeatsRedrawn {
            case: id,
            auditors: case
                .seats
                .iter()
                .skip(earlier)
                .map(|seat| seat.auditor.clone())
                .collect(),
        });
        Cases::<T>::insert(id, case);
    }

    fn demand_opening(id: CaseId, mut case: Case<T>) -> Case<T> {
        let until = Self::after(Parameters::<T>::get().opening_blocks);
        case.history.opening_demanded = true;
        case.phase = Phase::Opening { until };
        Self::schedule(id, &mut case, until);
        Self::count(|totals| {
            totals.openings_demanded = totals.openings_demanded.saturating_add(1);
        });
        Self::deposit_event(Event::OpeningDemanded {
            case: id,
            operator: case.operator.clone(),
            until,
        });
        case
    }

    /// The opening came: those without a decisive verdict judge anew.
    ///
    /// A lone auditor who claimed that it was withheld pays the executor for posting it: a claim
    /// costs the executor up to 64 KiB of a block, and must not be free. Several claimants of
    /// different owners, or the whole panel, are believed: they keep their liens, and the executor
    /// has missed a duty. If every claimant paid, an executor could withhold each trace off chain,
    /// post it whenever it is demanded, and live on the liens of auditors who told the truth.
    /// Opening on chain is a remedy for a lost message, not a way to serve. In return, two auditors
    /// who collude can make an honest executor post, and have it counted as one missed duty, which
    /// the duty test forgives.
    fn judge_anew(id: CaseId, mut case: Case<T>) -> Case<T> {
        let (claims, flags): (Vec<_>, Vec<_>) =
            case.flags.iter().cloned().partition(|flag| flag.withheld);
        case.flags.retain(|flag| flags.contains(flag));
        let claimants = Self::independent_claimants(id, &case, &claims);
        let whole_panel = case.stage == Stage::One
            && case
                .seats
                .iter()
                .all(|seat| matches!(seat.reveal, Some((Verdict::Withheld, _))));
        if claimants > 1 || whole_panel {
            T::Operators::record_duty(&case.operator, false);
            Self::deposit_event(Event::WithholdingConfirmed {
                case: id,
                operator: case.operator.clone(),
                claimants,
            });
        } else {
            for claim in claims {
                Self::forfeit(id, &claim.auditor, claim.lien, &[case.operator.clone()]);
            }
        }
        match case.stage {
            Stage::One => {
                for seat in &case.seats {
                    if matches!(seat.reveal, None | Some((Verdict::NoModel, _))) {
                        Self::record_duty(&seat.auditor, Duty::Abstained);
                    }
                }
                Self::renew_projection(id, &mut case);
                Self::begin_panel_round(id, &mut case);
            }
            Stage::Two => Self::begin_vote_round(id, &mut case),
        }
        Self::deposit_event(Event::JudgedAnew {
            case: id,
            stage: case.stage,
        });
        case
    }

    /// Owners of those who said that the opening is withheld: by a flag, or by a vote that stands.
    fn independent_claimants(id: CaseId, case: &Case<T>, claims: &[Flag<T::AccountId>]) -> u32 {
        let votes = (case.stage == Stage::Two).then(|| Ballots::<T>::iter_prefix(id));
        let by_vote = votes.into_iter().flatten().filter_map(|(voter, ballot)| {
            matches!(ballot.vote?.verdict, Verdict::Withheld).then_some(voter)
        });
        let owners: BTreeSet<T::AccountId> = claims
            .iter()
            .map(|claim| claim.auditor.clone())
            .chain(by_vote)
            .map(|auditor| T::Operators::owner(&auditor).unwrap_or(auditor))
            .collect();
        owners.len() as u32
    }

    fn extend(id: CaseId, mut case: Case<T>) -> Case<T> {
        case.history.extended = true;
        Self::begin_vote_round(id, &mut case);
        Self::deposit_event(Event::StageTwoExtended { case: id });
        case
    }

    fn renew_projection(id: CaseId, case: &mut Case<T>) {
        case.round = case.round.saturating_add(1);
        case.projection_seed = audit::projection_seed(&Self::genesis(), &case.projection_seed, id);
    }

    /// Opens the ballots of the electorate that was frozen when the case opened.
    pub(crate) fn enter_stage_two(id: CaseId, mut case: Case<T>) {
        let mut voters =
            T::Operators::voters(case.electorate.epoch, &case.checkpoint, &case.parties());
        let (subject, mut electorate) = (case.subject, case.electorate.weight);
        // They were counted when the case opened: nobody looked at every voter then.
        voters.retain(|(voter, weight)| {
            let interested = T::Subjects::is_interested(&subject, voter);
            if interested {
                electorate = electorate.saturating_sub(*weight);
            }
            !interested
        });
        case.electorate.weight = electorate;
        Self::open_vote(id, case, voters);
    }

    pub(crate) fn open_vote(id: CaseId, mut case: Case<T>, mut voters: Vec<(T::AccountId, u64)>) {
        voters.retain(|(_, weight)| *weight > 0);
        voters
            .sort_by(|(a, weight_a), (b, weight_b)| weight_b.cmp(weight_a).then_with(|| a.cmp(b)));
        voters.dedup_by(|(a, _), (b, _)| a == b);
        let total = |voters: &[(T::AccountId, u64)]| {
            voters
                .iter()
                .fold(0u64, |sum, (_, weight)| sum.saturating_add(*weight))
        };
        if voters.len() > T::MaxElectorate::get() as usize {
            voters.truncate(T::MaxElectorate::get() as usize);
            case.electorate.weight = total(&voters);
        }
        // Weight that cannot vote any more still counts in what more than half is measured by.
        case.electorate.weight = case.electorate.weight.max(total(&voters));
        case.electorate.voters = voters.len() as u32;
        for seat in &case.seats {
            Duties::<T>::remove(&seat.auditor, id);
        }
        case.stage = Stage::Two;
        Self::count(|totals| totals.stage_two = totals.stage_two.saturating_add(1));
        Self::deposit_event(Event::StageTwoOpened {
            case: id,
            voters: case.electorate.voters,
            weight: case.electorate.weight,
        });
        if voters.is_empty() {
            return Self::close(id, case, Decision::Undecided);
        }
        for (voter, weight) in voters {
            let ballot = Ballot {
                weight,
                commitment: None,
                vote: None,
            };
            Ballots::<T>::insert(id, &voter, ballot);
        }
        Self::begin_vote_round(id, &mut case);
        Cases::<T>::insert(id, case);
    }

    /// Opens a commit window of stage two for everybody without a decisive vote.
    fn begin_vote_round(id: CaseId, case: &mut Case<T>) {
        Self::renew_projection(id, case);
        case.expected = 0;
        case.commits = 0;
        case.reveals = 0;
        case.withheld = 0;
        let ballots: Vec<_> = Ballots::<T>::iter_prefix(id).collect();
        for (voter, ballot) in ballots {
            let decisive = ballot
                .vote
                .as_ref()
                .is_some_and(|vote| !matches!(vote.verdict, Verdict::NoModel | Verdict::Withheld));
            if decisive {
                continue;
            }
            let renewed = Ballot {
                weight: ballot.weight,
                commitment: None,
                vote: None,
            };
            Ballots::<T>::insert(id, &voter, renewed);
            Duties::<T>::insert(&voter, id, Stage::Two);
            case.expected = case.expected.saturating_add(1);
        }
        let until = if case.expected > 0 {
            Self::after(Parameters::<T>::get().vote_commit_blocks)
        } else {
            Self::now()
        };
        case.phase = Phase::Commit { until };
        Self::schedule(id, case, until);
    }

    fn record_duty(auditor: &T::AccountId, duty: Duty) {
        T::Operators::record_duty(auditor, duty == Duty::Kept);
        Self::count(|totals| {
            let counter = match duty {
                Duty::Kept => &mut totals.kept,
                Duty::Abstained => &mut totals.abstained,
                Duty::Contradicted => &mut totals.contradicted,
            };
            *counter = counter.saturating_add(1);
        });
    }

    pub(crate) fn forfeit(id: CaseId, auditor: &T::AccountId, lien: u128, to: &[T::AccountId]) {
        let paid = T::Operators::forfeit_lien(auditor, lien, to);
        Self::deposit_event(Event::LienForfeited {
            case: id,
            auditor: auditor.clone(),
            paid,
        });
    }

    /// Every part in both stages, seats first.
    fn parts(case: &Case<T>, ballots: &[(T::AccountId, Ballot)]) -> Vec<Part<T::AccountId>> {
        let seats = case.seats.iter().map(|seat| Part {
            auditor: seat.auditor.clone(),
            weight: 1,
            group: (Stage::One, 0),
            reveal: seat.reveal.clone(),
        });
        let votes = ballots.iter().map(|(voter, ballot)| Part {
            auditor: voter.clone(),
            weight: ballot.weight,
            group: (
                Stage::Two,
                ballot.vote.as_ref().map_or(0, |vote| vote.round),
            ),
            reveal: ballot
                .vote
                .as_ref()
                .map(|vote| (vote.verdict, vote.evidence.clone())),
        });
        seats.chain(votes).collect()
    }

    /// Closes a case: liens, duties and points are settled, the subject's owner is told, and
    /// nothing of the case stays in storage.
    pub(crate) fn close(id: CaseId, case: Case<T>, decision: Decision) {
        let ballots: Vec<_> = Ballots::<T>::drain_prefix(id).collect();
        for (voter, _) in &ballots {
            Duties::<T>::remove(voter, id);
        }
        for seat in &case.seats {
            Duties::<T>::remove(&seat.auditor, id);
        }
        Cases::<T>::remove(id);
        Openings::<T>::remove(id);

        let by_vote = case.stage == Stage::Two && !matches!(case.phase, Phase::Opening { .. });
        let parts = Self::parts(&case, &ballots);
        let judgement = machine::judge_parts(&decision, by_vote, case.evidence_tau, &parts);

        if decision == Decision::Valid {
            let voters: Vec<T::AccountId> = parts
                .iter()
                .zip(&judgement.duties)
                .filter(|(part, (_, duty))| part.group.0 == Stage::Two && *duty == Duty::Kept)
                .map(|(part, _)| part.auditor.clone())
                .collect();
            for flag in &case.flags {
                let to: Vec<T::AccountId> = voters
                    .iter()
                    .filter(|voter| **voter != flag.auditor)
                    .cloned()
                    .collect();
                Self::count(|totals| totals.overturned = totals.overturned.saturating_add(1));
                if !to.is_empty() {
                    Self::forfeit(id, &flag.auditor, flag.lien, &to);
                }
            }
        }
        for (auditor, duty) in &judgement.duties {
            Self::record_duty(auditor, *duty);
        }
        let points = Parameters::<T>::get().points_per_case;
        for auditor in &judgement.majority {
            T::Ledger::record_poc_points(auditor, points);
        }
        Self::count(|totals| {
            let counter = match decision {
                Decision::Valid => &mut totals.valid,
                Decision::Soft => &mut totals.soft,
                Decision::Hard(_) => &mut totals.caught,
                Decision::Undecided => &mut totals.undecided,
            };
            *counter = counter.saturating_add(1);
        });
        T::Subjects::on_closed(&case.subject, id, decision, &judgement.majority);
        for seat in &case.seats {
            T::Operators::remove_liability(&seat.auditor);
        }
        Self::deposit_event(Event::CaseClosed {
            case: id,
            subject: case.subject,
            stage: case.stage,
            decision,
            majority: judgement.majority.len() as u32,
        });
    }
}
