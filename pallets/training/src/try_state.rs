//! What must hold between any two calls.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::collections::{BTreeMap, BTreeSet};
use chasqui_primitives::training::{
    check::check,
    machine::{Pending, Settling},
    Phase,
};
use frame_support::traits::fungible::hold::Inspect as HoldInspect;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the machines' records, ties, money and lists against each other.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        ensure!(Parameters::<T>::get().is_valid(), "parameters out of range");
        Self::check_live()?;
        for (id, record) in Runs::<T>::iter() {
            let terms = Terms::<T>::get(id).ok_or("a run without terms")?;
            check(&record.head, &terms, &RunStore::<T>::of(id))?;
            Self::check_records(id, &record)?;
            Self::check_money(id, &record, &terms)?;
            Self::check_waiting(&record)?;
        }
        ensure!(
            Terms::<T>::iter_keys().count() == Runs::<T>::iter_keys().count(),
            "terms of no run"
        );
        Self::check_seats()?;
        Self::check_deposits()
    }

    fn check_live() -> Result<(), TryRuntimeError> {
        let live: BTreeSet<_> = Live::<T>::get().into_iter().collect();
        ensure!(
            live.len() == Live::<T>::decode_len().unwrap_or(0),
            "a run lives twice"
        );
        for (id, record) in Runs::<T>::iter() {
            ensure!(id < NextRun::<T>::get(), "a run with a number to come");
            let lives = !record.head.phase.is_over();
            ensure!(live.contains(&id) == lives, "a run that is listed wrongly");
            let root = Roots::<T>::get(record.around.root);
            ensure!(
                root == lives.then_some(id),
                "a root that names another run, or one that is over"
            );
        }
        ensure!(
            Roots::<T>::iter().count() == live.len(),
            "a root that names no live run"
        );
        Ok(())
    }

    /// Nothing is left behind that no list or round knows.
    fn check_records(id: RunId, record: &RunRecordOf<T>) -> Result<(), TryRuntimeError> {
        let head = &record.head;
        let members = head
            .active
            .saturating_add(head.waiting)
            .saturating_add(head.banned);
        ensure!(
            Members::<T>::iter_prefix(id).count() as u32 == members,
            "a member that no list knows"
        );
        ensure!(
            Slots::<T>::iter_prefix((id,)).count() as u32 == members,
            "a slot beyond its list"
        );
        let mut records = 0u32;
        for (round, of) in Rounds::<T>::iter_prefix(id) {
            ensure!(
                Contributions::<T>::iter_prefix((id, round)).count() as u32 == of.records,
                "contributions that are miscounted"
            );
            records = records.saturating_add(of.records);
        }
        ensure!(
            Contributions::<T>::iter_prefix((id,)).count() as u32 == records,
            "a contribution of no round"
        );
        Ok(())
    }

    /// The fund has what may still be paid, and nothing for a run that is over.
    fn check_money(
        id: RunId,
        record: &RunRecordOf<T>,
        terms: &RunTerms,
    ) -> Result<(), TryRuntimeError> {
        let reserved = T::Fund::reserved(id);
        if record.head.phase.is_over() {
            ensure!(reserved == 0, "a run that is over keeps money");
            return Ok(());
        }
        let budget = terms.budget().ok_or("a budget beyond a balance")?;
        let (least, most) = (budget.saturating_sub(record.head.paid), budget);
        ensure!(
            (least..=most).contains(&reserved),
            "the fund does not hold what may still be paid"
        );
        Ok(())
    }

    /// A seed is on its way where one is awaited, and a deposit is on hold where a challenge is open.
    fn check_waiting(record: &RunRecordOf<T>) -> Result<(), TryRuntimeError> {
        let RunRecord { head, around } = record;
        let seed = around.seed.map(|awaited| awaited.draw.round);
        if matches!(head.phase, Phase::Seed | Phase::Draw) {
            ensure!(seed == Some(head.round), "a seed that nobody announced");
        }
        let (drawing, challenged) = match &head.pending {
            Some(Pending {
                settling: Settling::Drawing { .. },
                ..
            }) => (true, true),
            Some(Pending {
                settling: Settling::Opening { .. } | Settling::InCase { .. },
                ..
            }) => (false, true),
            _ => (false, false),
        };
        ensure!(
            around.panel.is_some() == drawing,
            "a panel's seed that nobody announced, or nobody waits for"
        );
        ensure!(
            around.challenge.is_some() == challenged,
            "a challenge without deposit, or the other way round"
        );
        Ok(())
    }

    /// Seats are exactly those whom something ties to a run, and everybody behind one is known as interested.
    fn check_seats() -> Result<(), TryRuntimeError> {
        let mut contributions: BTreeMap<(RunId, T::AccountId), u32> = BTreeMap::new();
        for ((run, _, _), contribution) in Contributions::<T>::iter() {
            let count = contributions.entry((run, contribution.who)).or_default();
            *count = count.saturating_add(1);
        }
        let mut interested: BTreeMap<(RunId, T::AccountId), u32> = BTreeMap::new();
        for (run, who, seat) in Seats::<T>::iter() {
            let count = contributions.remove(&(run, who.clone())).unwrap_or(0);
            ensure!(
                count == seat.contributions,
                "contributions that a seat miscounts"
            );
            ensure!(seat.member || count > 0, "a seat that nothing ties");
            ensure!(
                !seat.member || Members::<T>::contains_key(run, &who),
                "a seat of a member that is gone"
            );
            let behind = [Some(&who), Some(&seat.owner).filter(|owner| **owner != who)];
            for account in behind.into_iter().flatten() {
                let count = interested.entry((run, account.clone())).or_default();
                *count = count.saturating_add(1);
            }
        }
        ensure!(contributions.is_empty(), "a contribution without a seat");
        for (run, who, member) in Members::<T>::iter() {
            let seat = Seats::<T>::get(run, &who).is_some_and(|seat| seat.member);
            ensure!(
                seat || member.list == List::Banned,
                "a member that no seat knows"
            );
        }
        for (run, account, seats) in Interested::<T>::iter() {
            ensure!(
                interested.remove(&(run, account)) == Some(seats),
                "somebody is thought to be tied to a run who is not"
            );
        }
        ensure!(
            interested.is_empty(),
            "somebody tied to a run could judge it"
        );
        Ok(())
    }

    /// What is on hold is exactly what seats, challenges and evaluations call for.
    fn check_deposits() -> Result<(), TryRuntimeError> {
        let mut owed = BTreeMap::<T::AccountId, [Balance; 3]>::new();
        let mut owe = |who: T::AccountId, reason: usize, amount: Balance| {
            if let Some(sum) = owed.entry(who).or_default().get_mut(reason) {
                *sum = sum.saturating_add(amount);
            }
        };
        for (_, who, seat) in Seats::<T>::iter() {
            owe(who, 0, seat.deposit);
        }
        for record in Runs::<T>::iter_values() {
            if let Some(challenge) = record.around.challenge {
                owe(challenge.by, 1, challenge.deposit);
            }
        }
        for (_, list) in Evaluations::<T>::iter() {
            ensure!(!list.is_empty(), "an empty list of evaluations");
            for evaluation in list {
                owe(evaluation.by, 2, evaluation.deposit);
            }
        }
        let reasons = [
            HoldReason::Member,
            HoldReason::Challenge,
            HoldReason::Evaluation,
        ];
        for who in frame_system::Account::<T>::iter_keys() {
            let expected = owed.remove(&who).unwrap_or_default();
            for (reason, expected) in reasons.into_iter().zip(expected) {
                ensure!(
                    T::NativeBalance::balance_on_hold(&reason.into(), &who) == expected,
                    "what is on hold is not what deposits call for"
                );
            }
        }
        ensure!(owed.is_empty(), "a deposit of an account that is not there");
        Ok(())
    }
}
