//! Operators who sign twice.

use crate::{
    common::{
        account,
        liar::{self, receipt, signed, tokens},
        until, World,
    },
    world::{name, Notes, Setup},
};
use chasqui_primitives::session::receipts_conflict;
use chasqui_session::wire::{frame, Ask, Event};
use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Arc,
};

const OUTPUT: [u32; 4] = [10, 11, 12, 13];

/// Signs a receipt for too much first, and a good one whenever the same request comes again.
fn two_faced() -> liar::Script {
    let asked = AtomicUsize::new(0);
    Arc::new(move |ask: Ask| {
        let mut said = receipt(&ask, &OUTPUT);
        let stored = asked.fetch_add(1, Ordering::SeqCst) > 0;
        if !stored {
            said.price += 1;
        }
        let seq = ask.signed.request.seq;
        vec![
            frame(&Event::Accepted { seq, stored }),
            tokens(&OUTPUT),
            frame(&Event::Receipt(signed(said, "Bob"))),
        ]
    })
}

// GIVEN an operator whose receipt does not hold, and that signs another one when the gateway asks for it again
// WHEN the journal holds both
// THEN the gateway proves its fraud to the chain without being told to, once, and asks others
#[tokio::test(flavor = "multi_thread")]
async fn two_receipts_for_one_request_are_brought_before_the_chain() {
    let world = World::new();
    let honest = world.start("Dave");
    liar::start(&world.chain, "Bob", two_faced()).await;
    let court = Arc::new(Notes::default());
    let mut setup = Setup::new(&["Bob", "Dave"]);
    setup.court = court.clone();
    let gateway = setup.start(&world).await.warm().await;
    assert!(gateway.ask(7, 4).await.failure().delivered);
    until("fraud is proven", || {
        !court.frauds.lock().unwrap().is_empty()
    })
    .await;
    let finished = gateway.ask(8, 4).await.finished();
    assert_eq!(finished.operator, Some(name("Dave")));
    let frauds = court.frauds.lock().unwrap();
    assert_eq!(frauds.len(), 1);
    let (first, second) = &frauds[0];
    assert!(receipts_conflict(&first.receipt, &second.receipt));
    assert_eq!(first.receipt.operator, account("Bob"));
    drop(honest);
}

// GIVEN a gateway that was stopped when its journal held a proof of fraud that the chain did not have
// WHEN it is started again
// THEN the proof goes to the chain, and the operator is not asked
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_outlives_a_restart() {
    let world = World::new();
    let honest = world.start("Dave");
    liar::start(&world.chain, "Bob", two_faced()).await;
    let first = Arc::new(Notes::default());
    let mut setup = Setup::new(&["Bob", "Dave"]);
    setup.court = first.clone();
    let gateway = setup.start(&world).await.warm().await;
    assert!(gateway.ask(7, 4).await.failure().delivered);
    until("both receipts are there", || {
        !first.frauds.lock().unwrap().is_empty()
    })
    .await;
    gateway.upstream.stop();
    drop(gateway);
    let court = Arc::new(Notes::default());
    let mut setup = Setup::new(&["Bob", "Dave"]);
    setup.court = court.clone();
    setup.first_session = 50;
    // The first gateway's tasks let go of the journal soon.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let gateway = setup.start(&world).await.warm().await;
    until("fraud is proven", || {
        !court.frauds.lock().unwrap().is_empty()
    })
    .await;
    let finished = gateway.ask(8, 4).await.finished();
    assert_eq!(finished.operator, Some(name("Dave")));
    drop(honest);
}
