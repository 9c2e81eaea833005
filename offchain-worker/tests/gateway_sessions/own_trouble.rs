//! Trouble that is the gateway's own: its journal, its node.

use crate::{
    common::{
        liar::{self, accepted, receipt, signed, tokens},
        World,
    },
    world::Setup,
};
use chasqui_gateway::upstream::FailureKind;
use chasqui_session::wire::{frame, Ask, Event};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use std::{process::Command, sync::Arc};

// GIVEN a node that is away
// WHEN requests come
// THEN they fail as unavailable without costing anything, and are answered once it is back
#[tokio::test(flavor = "multi_thread")]
async fn without_a_node_requests_fail_and_are_answered_later() {
    let world = World::new();
    let honest = world.start("Bob");
    let gateway = Setup::new(&["Bob"]).start(&world).await.warm().await;
    world.chain.with(|state| state.down = true);
    let failure = gateway.ask(1, 4).await.failure();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!((failure.delivered, failure.price), (false, 0));
    world.chain.with(|state| state.down = false);
    let finished = gateway.ask(2, 4).await.finished();
    assert_eq!(finished.sequence, Some(1));
    drop(honest);
}

/// A limit on the size of files is one of the whole process: this part has one of its own.
#[test]
fn a_full_disk_signs_nothing_and_loses_nothing() {
    let own = std::env::current_exe().unwrap();
    // A write beyond the limit is then an error, not a signal.
    let script = "trap '' XFSZ; exec \"$0\" --ignored --exact own_trouble::with_a_full_disk";
    let output = Command::new("sh").arg("-c").arg(script).arg(own).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

// GIVEN a gateway that answers
// WHEN its journal cannot be written any more, and then can again
// THEN requests fail before anything is signed or paid, and later ones go on with the next number
#[tokio::test(flavor = "multi_thread")]
#[ignore = "limits its whole process: a_full_disk_signs_nothing_and_loses_nothing runs it"]
async fn with_a_full_disk() {
    let world = World::new();
    let answer = |ask: Ask| {
        let output = [10, 11, 12, 13];
        let said = signed(receipt(&ask, &output), "Bob");
        vec![
            accepted(&ask),
            tokens(&output),
            frame(&Event::Receipt(said)),
        ]
    };
    liar::start(&world.chain, "Bob", Arc::new(answer)).await;
    let gateway = Setup::new(&["Bob"]).start(&world).await.warm().await;
    let first = gateway.ask(1, 4).await.finished();
    assert_eq!(first.sequence, Some(1));
    let before = getrlimit(Resource::Fsize);
    let full = Rlimit {
        current: Some(4_096),
        ..before
    };
    setrlimit(Resource::Fsize, full).unwrap();
    for seed in 0..3 {
        let failure = gateway.ask(seed, 4).await.failure();
        assert_eq!(failure.kind, FailureKind::Internal, "{failure:?}");
        assert_eq!((failure.delivered, failure.price), (false, 0));
        assert!(failure.reason.contains("journal"), "{}", failure.reason);
    }
    setrlimit(Resource::Fsize, before).unwrap();
    let second = gateway.ask(2, 4).await.finished();
    assert_eq!(second.sequence, Some(2));
    assert_eq!(gateway.spent(&["Bob"]), (first.price + second.price, 0));
}
