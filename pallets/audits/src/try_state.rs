//! What must hold of the storage after every block.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    Agenda, Ballots, Cases, Config, Duties, NextCase, Openings, Pallet, Parameters, Phase, Totals,
};
use alloc::{collections::BTreeMap, vec::Vec};
use chasqui_primitives::audit::{Stage, Tally};
use frame_support::ensure;
use sp_core::Get;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks agenda, duties, ballots, tallies and counters against the open cases.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(
            Parameters::<T>::get().is_valid(T::MaxSeats::get()),
            "parameters out of range"
        );
        Self::check_agenda()?;
        Self::check_cases()?;
        Self::check_duties()?;
        Self::check_totals()
    }

    fn check_agenda() -> Result<(), TryRuntimeError> {
        let mut entries = 0usize;
        for (at, cases) in Agenda::<T>::iter() {
            ensure!(!cases.is_empty(), "an empty agenda is kept");
            ensure!(at > Self::now(), "the agenda of a past block is kept");
            for id in cases {
                let case = Cases::<T>::get(id).ok_or("the agenda names no open case")?;
                ensure!(case.wake == at, "a case waits for another block");
                entries = entries.saturating_add(1);
            }
        }
        ensure!(
            entries == Cases::<T>::iter_keys().count(),
            "a case is not on the agenda exactly once"
        );
        Ok(())
    }

    fn check_cases() -> Result<(), TryRuntimeError> {
        for (id, case) in Cases::<T>::iter() {
            ensure!(id < NextCase::<T>::get(), "a case of the future");
            ensure!(
                case.electorate.weight > 0,
                "a case whose electorate has no weight"
            );
            let mut auditors: Vec<_> = case.seats.iter().map(|s| s.auditor.clone()).collect();
            auditors.extend(case.dismissed.iter().cloned());
            auditors.sort();
            auditors.dedup();
            ensure!(
                auditors.len() == case.seats.len().saturating_add(case.dismissed.len()),
                "an auditor has two seats"
            );
            ensure!(
                case.parties().iter().all(|party| !auditors.contains(party)),
                "a party judges its own case"
            );
            for flag in &case.flags {
                ensure!(
                    case.seats.iter().any(|seat| seat.auditor == flag.auditor),
                    "a flag without a seat"
                );
            }
            ensure!(
                !Openings::<T>::contains_key(id) || case.history.opening_demanded,
                "an opening that nobody demanded"
            );
            ensure!(
                !matches!(case.phase, Phase::AwaitSeed { .. }) || case.history.redrawn,
                "a redraw that is not noted"
            );
            Self::check_stage(id, &case)?;
        }
        for id in Openings::<T>::iter_keys() {
            ensure!(Cases::<T>::contains_key(id), "an opening without a case");
        }
        for (id, _, _) in Ballots::<T>::iter() {
            let case = Cases::<T>::get(id).ok_or("a ballot without a case")?;
            ensure!(case.stage == Stage::Two, "a ballot in stage one");
        }
        Ok(())
    }

    fn check_stage(
        id: chasqui_primitives::CaseId,
        case: &crate::Case<T>,
    ) -> Result<(), TryRuntimeError> {
        if case.stage == Stage::One {
            if !matches!(case.phase, Phase::AwaitSeed { .. }) {
                ensure!(
                    case.seats.is_empty() || case.seats.len() as u32 == case.wanted,
                    "a panel that lacks seats"
                );
                let commits = case.seats.iter().filter(|s| s.commitment.is_some());
                let reveals = case.seats.iter().filter(|s| s.reveal.is_some());
                ensure!(
                    case.commits as usize == commits.count()
                        && case.reveals as usize == reveals.count(),
                    "a panel that is miscounted"
                );
            }
            return Ok(());
        }
        let mut tally = Tally::default();
        let (mut weight, mut withheld, mut voters) = (0u64, 0u64, 0u32);
        let (mut commits, mut reveals) = (0u32, 0u32);
        for ballot in Ballots::<T>::iter_prefix_values(id) {
            voters = voters.saturating_add(1);
            weight = weight.saturating_add(ballot.weight);
            let mut in_round = true;
            if let Some(vote) = &ballot.vote {
                tally.add(&vote.verdict, ballot.weight);
                in_round = vote.round == case.round;
                if in_round {
                    reveals = reveals.saturating_add(1);
                    if vote.verdict == chasqui_primitives::audit::Verdict::Withheld {
                        withheld = withheld.saturating_add(ballot.weight);
                    }
                }
            }
            if in_round && ballot.commitment.is_some() {
                commits = commits.saturating_add(1);
            }
        }
        ensure!(tally == case.tally, "a tally that is not its votes' sum");
        ensure!(withheld == case.withheld, "withheld weight is miscounted");
        ensure!(
            voters == case.electorate.voters && weight <= case.electorate.weight,
            "ballots that are not the electorate's"
        );
        ensure!(
            commits == case.commits && reveals == case.reveals && commits <= case.expected,
            "a vote that is miscounted"
        );
        Ok(())
    }

    fn check_duties() -> Result<(), TryRuntimeError> {
        let mut expected = BTreeMap::new();
        for (id, case) in Cases::<T>::iter() {
            match case.stage {
                Stage::One => {
                    for seat in case.seats.iter().filter(|seat| seat.reveal.is_none()) {
                        expected.insert((seat.auditor.clone(), id), 0u8);
                    }
                }
                Stage::Two => {
                    for (voter, ballot) in Ballots::<T>::iter_prefix(id) {
                        if ballot.vote.is_none() {
                            expected.insert((voter, id), 1u8);
                        }
                    }
                }
            }
        }
        let found: BTreeMap<_, _> = Duties::<T>::iter()
            .map(|(auditor, id, stage)| ((auditor, id), u8::from(stage == Stage::Two)))
            .collect();
        ensure!(found == expected, "duties that are not the open cases'");
        Ok(())
    }

    fn check_totals() -> Result<(), TryRuntimeError> {
        let totals = Totals::<T>::get();
        let closed = [totals.valid, totals.soft, totals.caught, totals.undecided]
            .iter()
            .fold(0u64, |sum, part| sum.saturating_add(*part));
        let open = Cases::<T>::iter_keys().count() as u64;
        ensure!(
            totals.cases == NextCase::<T>::get() && closed.saturating_add(open) == totals.cases,
            "cases that are miscounted"
        );
        Ok(())
    }
}
