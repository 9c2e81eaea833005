//! Whole runs of the simulator behind `scripts/bench simulate`: members that lie, crash and are cut off cannot break what
//! the machine promises, and equal seeds give equal runs.

#[path = "../benches/simulate/sim/mod.rs"]
mod sim;

use chasqui_primitives::training::{Effect, ModelState, Run};
use sim::{
    chain::Chain, guard::Guard, simulate, Condition, Kind, Outcome, Scenario, CONDITIONS, IDEAL,
};

const STORM: Condition = Condition {
    name: "storm",
    ideal: false,
    churn: 0.1,
    partitions: true,
    liars: 0.35,
    mislead: false,
};

/// A run of twenty, all of it checked after every event.
fn run(condition: Condition, rounds: u32, seed: u64) -> Outcome {
    let mut scenario = Scenario::new(20, condition, rounds, seed);
    scenario.strict = true;
    simulate(&scenario)
}

#[test]
fn a_run_in_which_nothing_goes_wrong_pays_every_member_every_round() {
    // GIVEN twenty equal machines
    let outcome = run(IDEAL, 5, 1);
    // THEN nothing is lost, and what is paid is the budget
    assert_eq!((outcome.finals, outcome.voids, outcome.undone), (5, 0, 0));
    assert_eq!(outcome.paid, 100);
    assert_eq!((outcome.lost_by_others, outcome.lost_by_itself), (0, 0));
    assert_eq!((outcome.rest_planck, outcome.reserve_planck), (0, 0));
    assert!((outcome.accepted() - 1.0).abs() < 1e-9);
    // AND what machine time is lost is what a round takes beside the training
    let share = 200.0 / f64::from(outcome.round_blocks());
    assert!((outcome.goodput() - share).abs() < 0.05, "{outcome:?}");
}

#[test]
fn liars_and_partitions_break_no_invariant() {
    for seed in 1..=4 {
        // WHEN a third lies, some are cut off, others crash, leave and come (the simulator asserts the rest)
        let outcome = run(STORM, 8, seed);
        // THEN nobody honest is slashed, and what liars were slashed is in the reserve
        assert_eq!(outcome.honest_slashed, 0);
        assert!(outcome.fates.iter().any(|fate| fate.slashed));
        assert!(outcome.reserve_planck > 0);
        assert!(outcome.finals > 0 && outcome.paid > 0, "{outcome:?}");
    }
}

#[test]
fn made_up_work_is_found_in_its_first_round_and_paid_never() {
    for seed in 1..=7 {
        let outcome = run(CONDITIONS[4], 6, seed);
        let invents = outcome
            .fates
            .iter()
            .filter(|fate| fate.kind == Kind::Invents);
        for fate in invents {
            assert_eq!((fate.thrown_out, fate.false_paid), (Some(1), 0), "{fate:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another_one() {
    let outcome = run(STORM, 4, 9);
    assert_eq!(run(STORM, 4, 9), outcome);
    assert_ne!(run(STORM, 4, 10), outcome);
}

#[test]
fn churn_costs_goodput() {
    let mean = |condition| {
        let all: f64 = (1..=3).map(|seed| run(condition, 6, seed).goodput()).sum();
        all / 3.0
    };
    let [calm, restless, ideal] = [CONDITIONS[0], CONDITIONS[2], IDEAL].map(mean);
    assert!(ideal > calm && calm > restless, "{ideal} {calm} {restless}");
}

#[test]
fn a_majority_for_a_false_model_is_undone_and_slashed_and_the_run_goes_on() {
    for seed in 1..=3 {
        // GIVEN terms that forgive the undone round, the one built on it, and rounds of few until others have come
        let mut scenario = Scenario::new(20, CONDITIONS[6], 8, seed);
        (scenario.strict, scenario.timing.max_void) = (true, 6);
        // WHEN eleven of twenty agree on a false model
        let outcome = simulate(&scenario);
        // THEN that is undone, all of them pay for it, nobody else does, and later rounds are final
        assert!(outcome.undone > 0 && outcome.finals > 0, "{outcome:?}");
        assert_eq!(outcome.honest_slashed, 0);
        assert!(outcome.fates.len() == 11 && outcome.fates.iter().all(|fate| fate.slashed));
    }
}

/// Tells the simulator's guard of what must not happen to a run of 20 that has just begun.
fn happens(effects: &[Effect<sim::Who>]) {
    let chain = Chain::new(&Scenario::new(20, IDEAL, 3, 1));
    let mut guard = Guard::new(1_000);
    for effect in effects {
        guard.on(effect, &Run::new(0), &chain.terms, &chain.store);
    }
}

#[test]
#[should_panic(expected = "T1: paid before it is final")]
fn pay_for_a_round_that_is_not_final_is_noticed() {
    happens(&[Effect::Pay {
        who: 1,
        round: 0,
        amount: 5,
        units: 1,
    }]);
}

#[test]
#[should_panic(expected = "T7: 1 is slashed for round 0")]
fn a_slash_without_a_verdict_is_noticed() {
    happens(&[Effect::Slash {
        who: 1,
        round: 0,
        reporter: None,
    }]);
}

#[test]
#[should_panic(expected = "T9: 1 is freed more often than held")]
fn a_bond_that_is_freed_twice_is_noticed() {
    happens(&[Effect::Hold(1), Effect::Free(1), Effect::Free(1)]);
}

#[test]
#[should_panic(expected = "T10")]
fn data_that_are_consumed_twice_are_noticed() {
    let began = |round| Effect::RoundBegan {
        round,
        members: 0,
        first_sequence: 20 * u64::from(round),
    };
    happens(&[began(0), began(1)]);
}

#[test]
#[should_panic(expected = "T8")]
fn an_agreed_model_that_is_not_the_runs_is_noticed() {
    happens(&[Effect::RoundAgreed {
        round: 0,
        model: ModelState::default(),
    }]);
}
