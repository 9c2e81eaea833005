//! Agreed models that are not what the accepted work gives.

use crate::world::{who, World};
use chasqui_primitives::{audit::Decision, training::ModelState};
use chasqui_worker::training::member::ledger::Call;
use sp_core::H256;

fn false_model() -> ModelState {
    ModelState {
        hash: H256::repeat_byte(9),
        params: H256::repeat_byte(8),
        momentum: H256::repeat_byte(7),
        checkpoint: H256::zero(),
    }
}

// GIVEN members who all say something false of a round, and one that computed the truth
// WHEN the round is agreed on
// THEN that one challenges with what it computed; the round is undone, and the liars are slashed
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_false_model_is_challenged_and_undone() {
    let mut world = World::new(3, 3);
    world.chain().terms.timing.challenge_blocks = 120;
    world.chain().false_model = Some((1, false_model()));
    // The third does not get to say what it computed.
    world.chain().deaf_to.push((who(3), "agree"));
    for index in 0..2 {
        world.machines[index].tools.challenge = false;
    }
    world.start_all().await;
    world.run();
    world
        .until("undone", |chain| !chain.undone.is_empty())
        .await;
    world
        .until("slashed", |chain| chain.slashed.len() == 2)
        .await;
    let chain = world.chain();
    let challenges: Vec<_> = chain
        .told
        .iter()
        .filter(|told| told.call.name() == "challenge")
        .collect();
    assert_eq!(challenges.len(), 1);
    assert_eq!(challenges[0].who, who(3));
    assert!(challenges[0].taken);
    assert!(matches!(
        challenges[0].call,
        Call::Challenge { round: 1, model } if model.hash != false_model().hash
    ));
    assert_eq!(chain.undone, [1]);
    let mut slashed: Vec<_> = chain.slashed.iter().map(|(_, who)| *who).collect();
    slashed.sort();
    assert_eq!(slashed, [who(1), who(2)]);
}

// GIVEN a challenge that decides nothing, so that nobody is to blame for what was undone
// WHEN the run goes on
// THEN all stand on the model from before, with their moments of then, and finish the run
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_round_that_is_undone_is_forgotten_by_all() {
    let mut world = World::new(4, 3);
    world.chain().terms.timing.challenge_blocks = 120;
    world.chain().false_model = Some((1, false_model()));
    // The undone round and the one that began from it are void.
    world.chain().terms.timing.max_void = 3;
    world.chain().challenge_verdict = Decision::Undecided;
    world.start_all().await;
    world.run();
    world.until("undone", |chain| chain.undone == [1]).await;
    {
        let chain = world.chain();
        let base = chain.finals.first().map(|(_, model)| *model);
        assert_eq!(chain.run.model, base);
    }
    world.over().await;
    let chain = world.chain();
    assert!(chain.slashed.is_empty());
    let finals: Vec<u32> = chain.finals.iter().map(|(round, _)| *round).collect();
    assert!(finals.contains(&3), "{finals:?}");
    assert!(!finals.contains(&1), "{finals:?}");
}
