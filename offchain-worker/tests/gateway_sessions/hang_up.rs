//! Clients that go.

use crate::{
    common::{until, World},
    world::{price, request, Setup},
};
use chasqui_gateway::{
    upstream::{Cancel, Event},
    Upstream,
};
use chasqui_primitives::FinishReason;
use futures::StreamExt;

// GIVEN an answer under way
// WHEN it is cancelled after some tokens
// THEN it ends soon with a receipt for what was computed, and the session serves the next request
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_answer_is_paid_for_what_was_computed() {
    let world = World::new();
    let honest = world.start("Bob");
    let gateway = Setup::new(&["Bob"]).start(&world).await.warm().await;
    let heard = gateway.listen(request(7, 480), Cancel::default(), 3).await;
    let finished = heard.finished();
    assert_eq!(finished.reason, FinishReason::Cancelled);
    assert!(finished.output_tokens >= 3);
    assert!(finished.price < price(3, 480), "{finished:?}");
    assert_eq!(finished.price, price(3, finished.output_tokens as usize));
    assert!(finished.receipt.is_some());
    let next = gateway.ask(8, 4).await.finished();
    assert_eq!(next.sequence, Some(2));
    drop(honest);
}

// GIVEN an answer under way
// WHEN nobody listens any more
// THEN it is stopped and accounted for, and the session is free again
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_answer_stops_and_frees_its_session() {
    let world = World::new();
    let honest = world.start("Bob");
    let gateway = Setup::new(&["Bob"]).start(&world).await.warm().await;
    let mut events = gateway
        .upstream
        .generate(request(7, 480), Cancel::default());
    let first = events.next().await;
    assert!(matches!(first, Some(Event::Token { .. })));
    drop(events);
    let next = gateway.ask(8, 4).await.finished();
    until("nothing is in flight", || gateway.spent(&["Bob"]).1 == 0).await;
    let (receipted, _) = gateway.spent(&["Bob"]);
    assert!(receipted - next.price < price(3, 480));
    drop(honest);
}

// GIVEN a request that waits for a session
// WHEN it is cancelled
// THEN it ends at once and costs nothing
#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_ends_at_once() {
    let world = World::new();
    let honest = world.start("Bob");
    let mut setup = Setup::new(&["Bob"]);
    setup.pool.most_sessions = 1;
    let gateway = setup.start(&world).await.warm().await;
    let release = honest.hold();
    let _running = gateway.upstream.generate(request(1, 50), Cancel::default());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let cancel = Cancel::default();
    let waiting = gateway.listen(request(2, 50), cancel.clone(), usize::MAX);
    let cancelling = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        cancel.cancel();
    };
    let started = std::time::Instant::now();
    let (heard, ()) = tokio::join!(waiting, cancelling);
    assert!(started.elapsed().as_secs() < 2);
    let failure = heard.failure();
    assert_eq!((failure.delivered, failure.price), (false, 0));
    drop(release);
}
