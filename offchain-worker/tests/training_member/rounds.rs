//! Honest members go through a run.

use crate::world::{who, World, RUN};
use chasqui_primitives::training::Phase;
use chasqui_worker::{
    blobs::Manifest,
    training::member::{ledger::Call, step::Gone},
};

// GIVEN three members, of whom one has base and data
// WHEN they go through two rounds
// THEN the run finishes, all are paid for both, nothing was refused, and the model is a checkpoint with the base's tokenizer
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_train_agree_and_are_paid() {
    let mut world = World::new(2, 3);
    world.start_all().await;
    world.run();
    world.over().await;
    for index in 1..=3 {
        assert_eq!(world.ended(index).await, Gone::Over);
    }
    let chain = world.chain();
    assert_eq!(chain.run.phase, Phase::Finished);
    assert_eq!(chain.finals.len(), 2);
    assert_eq!(chain.paid.len(), 6);
    let each = chain.terms.round_pay / 3;
    assert!(chain.paid.values().all(|paid| *paid == each));
    assert!(chain.slashed.is_empty());
    let refused: Vec<_> = chain.told.iter().filter(|told| !told.taken).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    // Each said each thing once; what more than half agree on does not wait for the last.
    let said = |name: &str| {
        chain
            .told
            .iter()
            .filter(|told| told.call.name() == name)
            .count()
    };
    for name in ["commit", "reveal", "attest"] {
        assert_eq!(said(name), 6, "{name}");
    }
    assert!((4..=6).contains(&said("agree")));
    assert_eq!((said("heartbeat"), said("challenge")), (3, 0));
    let losses: Vec<u64> = chain
        .told
        .iter()
        .filter_map(|told| match &told.call {
            Call::Reveal { report, .. } => Some(report.loss_micro),
            _ => None,
        })
        .collect();
    assert!(losses[5] < losses[0], "{losses:?}");
    let (_, model) = chain.finals[1];
    for machine in &world.machines {
        let manifest = Manifest::open(&machine.vault.store, &model.checkpoint).unwrap();
        let names: Vec<&str> = manifest
            .files
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        assert_eq!(
            names,
            ["config.json", "model.safetensors", "tokenizer.json"]
        );
        assert!(machine.vault.shares.contains(&model.checkpoint));
    }
}

// GIVEN a member whose audit ends in anything but `Valid`
// WHEN the run goes on
// THEN it is not paid for that round, and in the next one it carries on from its last accepted one and is paid again
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_round_that_was_not_accepted_leaves_no_trace() {
    use chasqui_primitives::audit::Decision;
    let mut world = World::new(3, 3);
    world
        .chain()
        .verdicts
        .insert((1, who(2)), Decision::Undecided);
    world.start_all().await;
    world.run();
    world
        .until("round 2 runs", |chain| chain.run.round == 2)
        .await;
    {
        let chain = world.chain();
        let member = chain.store.members[&who(2)];
        assert_eq!(member.carried.map(|carried| carried.round), Some(0));
    }
    world.over().await;
    let chain = world.chain();
    assert_eq!(chain.run.phase, Phase::Finished);
    let paid: Vec<u32> = chain
        .paid
        .keys()
        .filter(|(_, of)| *of == who(2))
        .map(|(round, _)| *round)
        .collect();
    assert_eq!(paid, [0, 2], "run {RUN}");
}
