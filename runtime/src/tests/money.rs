//! Money is conserved and every job ends, whatever anybody does.
//!
//! Long random sequences of every call by honest and hostile actors; after every step each pallet's
//! state must be sound and the sum of all DOT unchanged. A failure names the seed and how many steps
//! of its sequence it takes.

use super::{
    traffic::{Seen, Traffic},
    world::chain,
};
use proptest::prelude::*;

fn run(seed: u64, steps: usize) -> Seen {
    chain(seed).execute_with(|| {
        let mut traffic = Traffic::new(seed);
        for _ in 0..steps {
            traffic.step();
        }
        traffic.wind_up();
        traffic.seen
    })
}

/// Sequences that are the same in every run. Together they reach what the random ones are about.
#[test]
fn known_sequences_reach_every_call_and_every_ending() {
    // GIVEN sequences of fixed seeds
    let mut seen = Seen::default();
    for seed in [4, 7, 8] {
        seen.add(run(seed, 900));
    }
    println!("{:#?}\n{:#?}", seen.calls, seen.endings);
    // THEN every call of the pallets that jobs need was made (so not `describe_trained`, which needs a run), and nearly
    // all have succeeded at least once
    let ours = ["Operators", "Checkpoints", "Jobs", "Audits", "Rewards"];
    let calls: Vec<_> = seen
        .calls
        .iter()
        .filter(|(name, _)| ours.iter().any(|pallet| name.starts_with(*pallet)))
        .collect();
    assert_eq!(calls.len(), 14 + 8 + 6 + 4 + 2, "{calls:#?}");
    let succeeded = calls.iter().filter(|(_, (good, _))| *good > 0).count();
    assert!(
        succeeded >= 30,
        "only {succeeded} calls succeeded: {calls:#?}"
    );
    // AND jobs have ended in every way but the rarest, with all consequences
    for ending in [
        "settled true",
        "refunded Hard",
        "refunded Soft",
        "refunded Undecided",
        "refunded Convicted",
        "expired NoExecutor",
        "expired DeadlinesLapsed",
        "expired Cancelled",
        "slashed FalseResult",
        "slashed MissedDuties",
        "lien forfeited",
        "revenue forfeited",
        "reputation",
        "opening demanded",
        "seats redrawn",
        "vote extended",
    ] {
        assert!(
            seen.endings.contains_key(ending),
            "{ending} was not reached: {:#?}",
            seen.endings
        );
    }
}

proptest! {
    // 4 sequences, or a sixty-fourth of PROPTEST_CASES.
    #![proptest_config({
        let default = ProptestConfig::default();
        ProptestConfig {
            cases: (default.cases / 64).max(1),
            max_shrink_iters: 16,
            failure_persistence: None,
            ..default
        }
    })]

    #[test]
    fn random_sequences_conserve_money_and_end_every_job(
        seed in any::<u64>().no_shrink(),
        steps in 100..700usize,
    ) {
        run(seed, steps);
    }
}
