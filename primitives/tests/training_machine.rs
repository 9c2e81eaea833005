//! Random events, all sides lying: what must always hold of a training run does, and every run ends.

mod training_world;

use chasqui_primitives::{
    audit::{Decision, HardReason},
    training::Phase,
};
use proptest::prelude::*;
use training_world::{terms, World};

#[derive(Clone, Debug)]
enum Event {
    Join(u64),
    Heartbeat(u64),
    Leave(u64),
    /// Everybody whose bit is in the first mask does what the phase asks for, lying where it is in the second.
    Act(u16, u16),
    Reveal(u64),
    Attest(u64, u32),
    Agree(u64, u8),
    Challenge(u64, u8),
    Seed,
    Case(usize, Decision),
    Panels(bool),
    Blocks(u32),
    Cancel,
}

const PEOPLE: u64 = 12;

fn decisions() -> impl Strategy<Value = Decision> {
    prop_oneof![
        6 => Just(Decision::Valid),
        1 => Just(Decision::Soft),
        1 => Just(Decision::Undecided),
        2 => Just(Decision::Hard(HardReason::Mismatch)),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let who = || 0..PEOPLE;
    let most = || prop_oneof![Just(u16::MAX), any::<u16>(), any::<u16>()];
    let few = || prop_oneof![3 => Just(0u16), 1 => any::<u16>(), 1 => Just(u16::MAX)];
    prop_oneof![
        4 => who().prop_map(Event::Join),
        3 => who().prop_map(Event::Heartbeat),
        1 => who().prop_map(Event::Leave),
        16 => (most(), few()).prop_map(|(all, liars)| Event::Act(all, liars)),
        1 => who().prop_map(Event::Reveal),
        1 => (who(), any::<u32>()).prop_map(|(who, ranks)| Event::Attest(who, ranks)),
        1 => (who(), 0..3u8).prop_map(|(who, value)| Event::Agree(who, value)),
        2 => (who(), 0..3u8).prop_map(|(who, value)| Event::Challenge(who, value)),
        10 => Just(Event::Seed),
        8 => (0..20usize, decisions()).prop_map(|(case, decision)| Event::Case(case, decision)),
        1 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(Event::Panels),
        12 => (1..6u32).prop_map(Event::Blocks),
        1 => (20..50u32).prop_map(Event::Blocks),
    ]
}

fn apply(world: &mut World, event: &Event) {
    match event.clone() {
        Event::Join(who) => {
            let _ = world.join(who);
        }
        Event::Heartbeat(who) => {
            let _ = world.heartbeat(who);
        }
        Event::Leave(who) => {
            let _ = world.leave(who);
        }
        Event::Act(all, liars) => {
            for who in (0..PEOPLE).filter(|who| all >> who & 1 == 1) {
                world.act(who, liars >> who & 1 == 1);
            }
        }
        Event::Reveal(who) => {
            let _ = world.reveal(who);
        }
        Event::Attest(who, ranks) => {
            let _ = world.attest(who, (0..32).filter(|rank| ranks >> rank & 1 == 1));
        }
        Event::Agree(who, value) => {
            let _ = world.agree(who, value);
        }
        Event::Challenge(who, value) => {
            let _ = world.challenge(who, value);
        }
        Event::Seed => {
            let _ = world.give_seed();
        }
        Event::Case(index, decision) => {
            let _ = world.close_case(index, decision);
        }
        Event::Panels(there) => world.panels = there,
        Event::Blocks(count) => world.blocks(count),
        Event::Cancel => {
            let _ = world.tell(|machine| machine.cancel());
        }
    }
}

fn finish(world: &mut World, verdicts: bool) {
    // T6: nobody does anything any more; blocks pass and seeds come.
    let most = 50 * (world.terms.rounds + 10) * 10;
    for _ in 0..most {
        if world.run.phase.is_over() {
            break;
        }
        world.give_seed();
        if verdicts {
            world.close_case(0, Decision::Valid);
        }
        world.block();
    }
    assert!(world.run.phase.is_over(), "T6: {:?}", world.run);
    // Late verdicts still come, and then nothing is left.
    while world.close_case(0, Decision::Valid) {}
    while world.give_seed() {}
    world.blocks(3);
    assert_eq!(world.ended.len(), 1, "it ends once");
    assert!(
        world.held.values().all(|held| *held == 0),
        "T9: {:?}",
        world.held
    );
    assert_eq!(world.deposits, 0, "T9: a deposit is undecided");
    assert!(world.store.members.is_empty() && world.store.lists.is_empty());
    assert!(world.store.contributions.is_empty() && world.store.rounds.is_empty());
    assert!(world.store.revealed.is_empty() && world.store.votes.is_empty());
    assert!(world.store.times.is_empty() && world.store.tallies.is_empty());
    let finished = world.run.phase == Phase::Finished;
    assert!(!finished || !world.finals.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold_and_the_run_ends(
        events in prop::collection::vec(events(), 1..220),
        cancel in prop::option::weighted(0.1, 0..200usize),
        rounds in 1..6u32,
        min in 1..4u32,
        max in 4..=10u32,
        budget in prop_oneof![Just(1u32), 2..20u32, Just(1_000)],
        verdicts in any::<bool>(),
    ) {
        let mut world = World::new(terms(rounds, min, max));
        world.budget = budget;
        // Most runs begin well, so that something happens in them.
        for who in 0..u64::from(max) - 1 {
            world.join(who).unwrap();
            world.heartbeat(who).unwrap();
        }
        let mut twin = world.clone();
        for (index, event) in events.iter().enumerate() {
            if cancel == Some(index) {
                apply(&mut world, &Event::Cancel);
            }
            apply(&mut world, event);
        }
        // T3: the same events, the same state.
        for (index, event) in events.iter().enumerate() {
            if cancel == Some(index) {
                apply(&mut twin, &Event::Cancel);
            }
            apply(&mut twin, event);
        }
        prop_assert!(world == twin, "T3: another state");
        finish(&mut world, verdicts);
    }
}
