//! Whether a run's records fit together: for tests, and for the chain's own checks.

use super::{
    machine::{Phase, Run},
    members::List,
    recipe::RunTerms,
    round::Contribution,
    store::Store,
};
use crate::Balance;

/// The first thing that does not fit.
///
/// # Errors
/// What it is.
pub fn check<A: Clone + PartialEq, S: Store<A>>(
    run: &Run<A>,
    terms: &RunTerms,
    store: &S,
) -> Result<(), &'static str> {
    let ensure = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
    let mut ready = 0u32;
    for list in [List::Active, List::Waiting, List::Banned] {
        for slot in 0..run.len(list) {
            let who = store.at(list, slot).ok_or("a slot is empty")?;
            let member = store.member(&who).ok_or("a slot's member is unknown")?;
            ensure(
                member.list == list && member.slot == slot,
                "a member is elsewhere than its slot says",
            )?;
            if list == List::Waiting && member.ready {
                ready = ready.saturating_add(1);
            }
        }
        ensure(
            store.at(list, run.len(list)).is_none(),
            "a list is longer than stated",
        )?;
    }
    ensure(ready == run.ready, "the ready are miscounted")?;
    ensure(
        run.active.saturating_add(run.waiting) <= terms.max_members,
        "there are more members than allowed",
    )?;
    let most = terms.round_pay.saturating_mul(Balance::from(run.finals));
    ensure(run.paid <= most, "more was paid than final rounds earn")?;
    ensure(run.round <= terms.rounds, "there are too many rounds")?;
    ensure(
        run.finals <= run.round,
        "more rounds are final than there were",
    )?;
    if let Some(pending) = &run.pending {
        let record = store.round(pending.round).ok_or("no agreed round")?;
        ensure(
            pending.round < run.round && record.agreed.is_some(),
            "what waits to become final was not agreed on",
        )?;
    }
    if run.phase.in_round() {
        check_round(run, store)?;
    }
    Ok(())
}

fn check_round<A: Clone + PartialEq, S: Store<A>>(
    run: &Run<A>,
    store: &S,
) -> Result<(), &'static str> {
    let ensure = |holds: bool, what| if holds { Ok(()) } else { Err(what) };
    let record = store
        .round(run.round)
        .ok_or("the running round is unknown")?;
    ensure(
        record.members == run.active,
        "T2: members changed within a round",
    )?;
    let own: alloc::vec::Vec<Contribution<A>> = (0..record.members)
        .filter_map(|rank| store.contribution(run.round, rank))
        .collect();
    let count = |which: fn(&Contribution<A>) -> bool| {
        own.iter()
            .filter(|contribution| which(contribution))
            .count() as u32
    };
    ensure(
        record.records == own.len() as u32,
        "contributions are miscounted",
    )?;
    if matches!(run.phase, Phase::Close { .. }) {
        return Ok(());
    }
    let counts = [
        (record.committed, count(|own| own.commitment.is_some())),
        (record.revealed, count(|own| own.report.is_some())),
        (record.attested, count(|own| own.attests.is_some())),
    ];
    ensure(
        counts.iter().all(|(stated, found)| stated == found),
        "commitments, reveals or attestations are miscounted",
    )
}
