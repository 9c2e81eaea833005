//! A gateway that was killed.

use crate::{
    common::{expected, until, World},
    world::{price, request, Gateway, Setup},
};
use chasqui_gateway::{
    upstream::{Cancel, Event},
    Upstream,
};
use futures::StreamExt;

/// Ends a gateway as a kill would: nobody is told, nothing is written.
async fn kill(gateway: Gateway) {
    gateway.upstream.stop();
    drop(gateway);
}

// GIVEN a gateway that answered, and one request in the middle of its answer
// WHEN it is killed and another begins with the same journal
// THEN it finds the session again, pays the broken request for what was computed, and goes on behind it
#[tokio::test(flavor = "multi_thread")]
async fn the_next_one_goes_on_in_the_same_sessions_with_the_right_numbers() {
    let world = World::new();
    let honest = world.start("Bob");
    let mut setup = Setup::new(&["Bob"]);
    setup.pool.most_sessions = 1;
    let first = setup.start(&world).await.warm().await;
    let one = first.ask(1, 8).await.finished();
    let two = first.ask(2, 8).await.finished();
    let mut events = first.upstream.generate(request(3, 480), Cancel::default());
    assert!(matches!(events.next().await, Some(Event::Token { .. })));
    drop(events);
    kill(first).await;

    let mut setup = Setup::new(&["Bob"]);
    setup.pool.most_sessions = 1;
    setup.first_session = 50;
    let second = setup.start(&world).await.warm().await;
    let four = second.ask(4, 8).await;
    assert_eq!(four.tokens, expected(&[0, 40, 41], 4, 8));
    let four = four.finished();
    assert_eq!(four.session, one.session);
    assert_eq!(four.sequence, Some(4));
    assert_eq!(second.sessions(), 1);
    until("nothing is in flight", || second.spent(&["Bob"]).1 == 0).await;
    let (receipted, _) = second.spent(&["Bob"]);
    let broken = receipted - one.price - two.price - four.price;
    assert!(broken > 0 && broken < price(3, 480), "{broken}");
    assert_eq!(honest.executor.counts().equivocations, 0);
    drop(honest);
}
