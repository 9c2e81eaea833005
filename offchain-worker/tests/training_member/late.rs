//! Members that come late, leave, or are too slow.

use crate::world::{is_train, who, World};
use chasqui_primitives::training::Phase;
use chasqui_worker::training::member::step::Gone;

// GIVEN a run of three members in its first round
// WHEN a fourth joins
// THEN it fetches the agreed model, takes part from the next round on, computes the same models, and is paid
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_late_member_takes_up_the_agreed_model() {
    let mut world = World::new(3, 3);
    world.start_all().await;
    world.run();
    world
        .until("round 1 trains", |chain| is_train(chain, 1))
        .await;
    world.add_machine(4);
    world.join(4);
    world.start(4).await;
    world.over().await;
    let chain = world.chain();
    assert_eq!(chain.run.phase, Phase::Finished);
    let paid: Vec<u32> = chain
        .paid
        .keys()
        .filter(|(_, of)| *of == who(4))
        .map(|(round, _)| *round)
        .collect();
    assert_eq!(paid, [2]);
    assert!(chain.told.iter().all(|told| told.taken));
    // Had it computed another model than the others, it would have challenged theirs.
    let challenged = chain
        .told
        .iter()
        .any(|told| told.call.name() == "challenge");
    assert!(!challenged);
}

// GIVEN a member that leaves in the middle of a run
// WHEN the round that runs is over
// THEN its seat ends, and the others go on and finish
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_that_leaves_is_done_with_once_its_rounds_are() {
    let mut world = World::new(3, 3);
    world.start_all().await;
    world.run();
    world
        .until("round 0 trains", |chain| is_train(chain, 0))
        .await;
    world.leave(3);
    assert_eq!(world.ended(3).await, Gone::NotMember);
    {
        let chain = world.chain();
        assert!(chain.dropped.contains(&who(3)));
        // It was paid for the round that it took part in.
        assert!(chain.paid.contains_key(&(0, who(3))));
    }
    let left = world.machine(3).vault.shares.names();
    assert!(left.iter().all(|group| group.contains("made")), "{left:?}");
    world.over().await;
    assert_eq!(world.chain().run.phase, Phase::Finished);
}

// GIVEN a round whose time to train is over before a member has trained
// WHEN the others go on
// THEN it stops, misses that round, and takes part in the next
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_that_is_too_slow_goes_on_with_the_next_round() {
    let mut world = World::new(3, 3);
    let device = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let slow = &mut world.machines[2];
    slow.tools.turns = std::sync::Arc::new(device.clone());
    {
        let mut chain = world.chain();
        chain.terms.timing.train_blocks = 60;
        chain.terms.timing.grace_blocks = 4;
    }
    world.start_all().await;
    world.run();
    world
        .until("round 0 is attested", |chain| {
            matches!(chain.run.phase, Phase::Attest { .. })
        })
        .await;
    device.add_permits(1);
    world.over().await;
    let chain = world.chain();
    assert_eq!(chain.run.phase, Phase::Finished);
    assert!(!chain.paid.contains_key(&(0, who(3))));
    assert!(chain.paid.contains_key(&(2, who(3))), "{:?}", chain.paid);
}
