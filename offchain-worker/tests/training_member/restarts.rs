//! Members that are killed at any moment go on from what is on disk and on chain.

use std::collections::BTreeSet;

use crate::world::{is_train, who, Chain, World};
use chasqui_primitives::training::Phase;
use chasqui_worker::training::member::ledger::Call;
use sp_core::H256;

fn commitments(chain: &Chain, index: u8) -> Vec<(u32, H256)> {
    let own = chain.told.iter().filter(|told| told.who == who(index));
    own.filter_map(|told| match told.call {
        Call::Commit { round, commitment } => Some((round, commitment)),
        _ => None,
    })
    .collect()
}

// GIVEN three members
// WHEN one is killed once in each phase of a round, and started again
// THEN every round is accepted and paid, and it never committed to two things in one round
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_killed_in_each_phase_misses_nothing() {
    let mut world = World::new(2, 3);
    world.start_all().await;
    world.run();
    type Moment = (&'static str, fn(&Chain) -> bool);
    let moments: [Moment; 6] = [
        ("warmup", |chain| {
            matches!(chain.run.phase, Phase::Warmup { .. })
        }),
        ("train", |chain| is_train(chain, 0)),
        ("exchange", |chain| {
            matches!(chain.run.phase, Phase::Exchange { .. })
        }),
        ("attest", |chain| {
            matches!(chain.run.phase, Phase::Attest { .. })
        }),
        ("agree", |chain| {
            matches!(chain.run.phase, Phase::Agree { .. })
        }),
        ("train again", |chain| is_train(chain, 1)),
    ];
    for (name, moment) in moments {
        world.until(name, moment).await;
        world.kill(2).await;
        world.start(2).await;
    }
    world.over().await;
    let chain = world.chain();
    assert_eq!(chain.run.phase, Phase::Finished);
    assert_eq!(chain.paid.len(), 6, "{:?}", chain.paid);
    let said = commitments(&chain, 2);
    let rounds: BTreeSet<u32> = said.iter().map(|(round, _)| *round).collect();
    let different: BTreeSet<_> = said.iter().collect();
    assert_eq!(rounds.len(), different.len(), "{said:?}");
}

// GIVEN a member whose commitment does not reach the chain
// WHEN it is killed, started again, and the node answers again
// THEN it commits to what it had sealed before it first said so
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_sealed_is_what_is_committed_to() {
    let mut world = World::new(1, 2);
    world.chain().deaf_to.push((who(2), "commit"));
    world.start_all().await;
    world.run();
    world
        .until("the other committed", |chain| {
            !commitments(chain, 1).is_empty()
        })
        .await;
    let folder = world.machine(2).folder.join("runs");
    let page = |folder: &std::path::Path| {
        let run = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
        std::fs::read(run.path().join("rounds/round-0.page")).ok()
    };
    let sealed = loop {
        if let Some(sealed) = page(&folder) {
            break sealed;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    world.kill(2).await;
    world.chain().deaf_to.clear();
    world.start(2).await;
    world
        .until("both revealed", |chain| {
            let reveals = chain.told.iter();
            reveals.filter(|told| told.call.name() == "reveal").count() == 2
        })
        .await;
    let now = page(&folder).unwrap();
    // Later pages add what the outer step gave.
    assert!(now.len() >= sealed.len());
    let (_, commitment) = commitments(&world.chain(), 2)[0];
    let bytes = commitment.as_bytes();
    assert!(sealed.windows(32).any(|window| window == bytes));
    world.over().await;
    assert_eq!(world.chain().paid.len(), 2);
}

// GIVEN a member whose state folder is lost after it committed
// WHEN the round goes on
// THEN it reveals nothing, commits to nothing else, and takes part again from the next round on
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_that_lost_its_salt_skips_the_round() {
    let mut world = World::new(3, 3);
    world.chain().deaf_to.push((who(3), "commit"));
    world.start_all().await;
    world.run();
    world
        .until("the second committed", |chain| {
            !commitments(chain, 2).is_empty()
        })
        .await;
    world.kill(2).await;
    let runs = world.machine(2).folder.join("runs");
    std::fs::remove_dir_all(&runs).unwrap();
    world.chain().deaf_to.clear();
    world.start(2).await;
    world
        .until("round 0 is over", |chain| chain.run.round > 0)
        .await;
    {
        let chain = world.chain();
        assert_eq!(commitments(&chain, 2).len(), 1);
        let reveals = chain
            .told
            .iter()
            .filter(|told| told.who == who(2) && told.call.name() == "reveal");
        assert_eq!(reveals.count(), 0);
    }
    world.over().await;
    let chain = world.chain();
    assert_eq!(chain.run.phase, Phase::Finished);
    assert_eq!(chain.paid.len(), 8, "{:?}", chain.paid);
}
