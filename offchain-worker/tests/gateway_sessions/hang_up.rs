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

// GIVEN an operator that works at a prompt, and a client that goes before the first token
// WHEN the operator comes to its end soon, or not within the time that an account is waited for
// THEN the client is charged for the prompt: else it could have the gateway's money spent, and none of its own
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_before_the_first_token_pays_for_the_prompt() {
    for soon in [true, false] {
        let mut world = World::new();
        world.client.hang_up = std::time::Duration::from_millis(20);
        let honest = world.start("Bob");
        let gateway = Setup::new(&["Bob"]).start(&world).await.warm().await;
        let mut hold = Some(honest.hold());
        let cancel = Cancel::default();
        let leaving = async {
            until("it is in flight", || gateway.spent(&["Bob"]).1 > 0).await;
            cancel.cancel();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            if soon {
                hold.take();
            }
        };
        let asking = gateway.listen(request(7, 480), cancel.clone(), usize::MAX);
        let (heard, ()) = tokio::join!(asking, leaving);
        let charged = match heard.end {
            Ok(finished) => finished.price,
            Err(failure) if failure.delivered => failure.price,
            Err(failure) => panic!("nobody pays: {failure:?}"),
        };
        // No more than what was computed until the operator noticed.
        let most = price(3, 60);
        assert!((price(3, 0)..=most).contains(&charged), "{charged}");
    }
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
