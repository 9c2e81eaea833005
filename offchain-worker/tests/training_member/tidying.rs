//! What members hand out, and for how long.

use std::collections::BTreeSet;

use crate::world::{is_train, World};

// GIVEN members deep in a run
// WHEN old rounds are final and no case of them is open
// THEN only the blobs of rounds that somebody may still ask for, or that are carried on, are left; base and data stay
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn old_rounds_are_removed() {
    let mut world = World::new(6, 2);
    world.start_all().await;
    world.run();
    world
        .until("round 4 trains", |chain| is_train(chain, 4))
        .await;
    world
        .until("round 5 trains", |chain| is_train(chain, 5))
        .await;
    for machine in &world.machines {
        let rounds: BTreeSet<String> = machine
            .vault
            .shares
            .names()
            .into_iter()
            .filter(|name| name.contains("-round-"))
            .collect();
        assert!(!rounds.is_empty());
        for old in ["run-4-round-0", "run-4-round-1", "run-4-round-2"] {
            assert!(!rounds.contains(old), "{rounds:?}");
        }
    }
    world.over().await;
    for index in 1..=2 {
        world.ended(index).await;
        let machine = world.machine(index);
        let names = machine.vault.shares.names();
        assert_eq!(names.len(), 1, "{names:?}");
        assert!(names[0].starts_with("run-4-made-"));
        // The state folder of the run is gone.
        let runs = std::fs::read_dir(machine.folder.join("runs")).unwrap();
        assert_eq!(runs.count(), 0);
        // What it started from may be served by this operator.
        let terms = world.chain().terms;
        assert!(machine.vault.store.contains(&terms.dataset));
        assert!(machine.vault.store.contains(&terms.start.parent().unwrap()));
        // Nothing but that and the newest checkpoint is left.
        let kept = machine.vault.shares.group(&names[0]);
        let base = chasqui_worker::training::setup::shared(&machine.vault.store, &terms).unwrap();
        let blobs = std::fs::read_dir(machine.vault.store.dir()).unwrap();
        let left: Vec<String> = blobs
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".blob").map(str::to_owned))
            .filter(|name| {
                let known = kept.iter().chain(&base);
                !known
                    .into_iter()
                    .any(|root| hex::encode(root.as_bytes()) == *name)
            })
            .collect();
        // What the run began with, weights and momentum, is made anew at each start.
        assert!(left.len() <= 2, "{left:?}");
    }
}
