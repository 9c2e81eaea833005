//! Random sequences of everything that auditors, executors and strangers can do.
//!
//! After every step the pallet's own checks hold, and liabilities are those of the seats. In the
//! end every case has closed within its longest time, whatever anybody did.

use crate::{mock::*, *};
use chasqui_primitives::{
    audit::{Decision, HardReason, Verdict},
    traits::Cases as _,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Open,
    /// An operator commits to what it plans, honest or not.
    Commit {
        who: u64,
        case: u64,
    },
    /// It reveals what it planned, or something else.
    Reveal {
        who: u64,
        case: u64,
        honest: bool,
    },
    /// Everybody with a duty does it.
    Diligence,
    /// The executor posts to all of its cases.
    Post {
        genuine: bool,
    },
    Blocks(u32),
    Jail {
        who: u64,
        jailed: bool,
    },
    Weight {
        who: u64,
        weight: u64,
    },
    Seeds {
        come: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 1..=9u64;
    let case = 0..6u64;
    let step = prop_oneof![
        2 => Just(Step::Open),
        8 => (who.clone(), case.clone()).prop_map(|(who, case)| Step::Commit { who, case }),
        8 => (who.clone(), case, prop::bool::weighted(0.9))
            .prop_map(|(who, case, honest)| Step::Reveal { who, case, honest }),
        16 => Just(Step::Diligence),
        3 => prop::bool::weighted(0.7).prop_map(|genuine| Step::Post { genuine }),
        12 => (1..5u32).prop_map(Step::Blocks),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, jailed)| Step::Jail { who, jailed }),
        1 => (who, 0..100u64).prop_map(|(who, weight)| Step::Weight { who, weight }),
        1 => any::<bool>().prop_map(|come| Step::Seeds { come }),
    ];
    prop::collection::vec(step, 1..150)
}

/// What an operator says of a case: mostly what is true of it, by its character and the case's
/// number, sometimes something else.
fn plan(who: u64, case: u64, character: u64) -> (Verdict, i32) {
    let truth = match (case + character) % 5 {
        0 | 1 => Verdict::Valid,
        2 => Verdict::Soft,
        3 => Verdict::Hard(HardReason::Finish),
        _ if Openings::<Test>::contains_key(case) => Verdict::Valid,
        _ => Verdict::Withheld,
    };
    match (who * 7 + case * 3 + character) % 23 {
        0 => (Verdict::Soft, 0),
        1 => (Verdict::Hard(HardReason::Margin), 0),
        2 => (Verdict::Withheld, 0),
        3 => (Verdict::NoModel, 0),
        4 => (truth, 50),
        5 => (Verdict::Valid, 0),
        _ => (truth, 0),
    }
}

fn try_commit(who: u64, case: u64, character: u64) {
    let (verdict, value) = plan(who, case, character);
    let hash = commitment(case, who, verdict, &evidence(value));
    let _ = Audits::commit(RuntimeOrigin::signed(who), case, hash);
}

fn try_reveal(who: u64, case: u64, character: u64) {
    let (verdict, value) = plan(who, case, character);
    let _ = reveal_with(case, who, verdict, evidence(value));
}

fn take(step: Step, character: u64) {
    match step {
        Step::Open => {
            let _ = Audits::open(request());
        }
        Step::Commit { who, case } => try_commit(who, case, character),
        Step::Reveal { who, case, honest } => {
            try_reveal(who, case, if honest { character } else { character + 1 })
        }
        Step::Diligence => {
            for who in 1..=7 {
                for (case, _) in Audits::duties_of(who) {
                    try_commit(who, case, character);
                    try_reveal(who, case, character);
                }
            }
        }
        Step::Post { genuine } => {
            let bytes: &[u8] = if genuine { OPENING } else { b"forged" };
            let opening: Opening = bytes.to_vec().try_into().expect("it fits");
            for case in Cases::<Test>::iter_keys().collect::<Vec<_>>() {
                let executor = RuntimeOrigin::signed(EXECUTOR);
                let _ = Audits::post_opening(executor, case, opening.clone());
            }
        }
        Step::Blocks(blocks) => run_for(blocks),
        Step::Jail { who, jailed } if who <= 7 => {
            World::change(who, |operator| operator.jailed = jailed)
        }
        Step::Weight { who, weight } if who <= 7 => {
            World::change(who, |operator| operator.weight = weight)
        }
        Step::Jail { .. } | Step::Weight { .. } => {}
        Step::Seeds { come } => World::with(|world| world.seed_delay = come.then_some(1)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..Default::default() })]

    #[test]
    fn any_sequence_keeps_the_state_consistent_and_every_case_ends(
        steps in steps(),
        character in 0..11u64,
        max_agenda in 1..4u32,
        max_ballots in 1..20u32,
    ) {
        build_and_execute(|| {
            MaxAgenda::set(max_agenda);
            MaxBallotsPerBlock::set(max_ballots);
            let mut opened = Vec::new();
            for step in steps {
                let before = Audits::counters().cases;
                take(step, character);
                check();
                if Audits::counters().cases > before {
                    opened.push(System::block_number());
                }
            }

            // A case waits for the room of others at most once a step of its own.
            let cases = opened.len() as u32;
            let patience = params().longest_case() + 16 * (cases + 1);
            run_for(patience);
            assert_eq!(Cases::<Test>::iter().count(), 0);
            assert_eq!(World::ended().len() as u32, cases);
            assert_eq!(Agenda::<Test>::iter().count(), 0);
            assert_eq!(Ballots::<Test>::iter().count(), 0);
            assert_eq!(Openings::<Test>::iter().count(), 0);

            // What is forfeited arrives, less the indivisible rest.
            let operators = World::with(|world| world.operators.clone());
            let lost: u128 = operators.values().map(|operator| operator.forfeited).sum();
            let won: u128 = operators.values().map(|operator| operator.received).sum();
            assert!(won <= lost && lost - won < 10 * u128::from(cases + 1) * 8);

            // Points are earned only in a majority.
            let members: usize = World::ended().iter().map(|ended| ended.majority.len()).sum();
            let points: u64 = operators.values().map(|operator| operator.points).sum();
            assert_eq!(points, members as u64 * params().points_per_case);
            for ended in World::ended() {
                assert!(ended.decision != Decision::Undecided || ended.majority.is_empty());
            }
        });
    }
}
