//! Money that is not there, and money that is held.

use crate::{
    common::World,
    world::{price, Setup, DEPOSIT, STORAGE},
};
use chasqui_gateway::{
    upstream::{FailureKind, Price},
    Upstream,
};
use std::time::Duration;

// GIVEN an account that cannot pay for a session
// WHEN a request comes
// THEN it is told that the gateway has no funds, with the amounts, and nothing is opened
#[tokio::test(flavor = "multi_thread")]
async fn without_funds_requests_are_refused_as_unfunded() {
    let world = World::new();
    let mut setup = Setup::new(&["Bob"]);
    setup.free = STORAGE;
    let gateway = setup.start(&world).await;
    let failure = gateway.ask(1, 4).await.failure();
    assert_eq!(failure.kind, FailureKind::Unfunded, "{failure:?}");
    assert!(failure.reason.contains("account"), "{}", failure.reason);
    assert_eq!(gateway.sessions(), 0);
}

// GIVEN a budget of one session
// WHEN a request may cost more than it holds
// THEN it is refused as unfunded and smaller ones are answered; the budget is never exceeded
#[tokio::test(flavor = "multi_thread")]
async fn the_budget_is_what_a_request_may_cost_at_most() {
    let world = World::new();
    let honest = world.start("Bob");
    let mut setup = Setup::new(&["Bob"]);
    setup.pool.deposit = price(3, 20);
    setup.pool.budget = price(3, 25) + STORAGE;
    let budget = setup.pool.budget;
    let gateway = setup.start(&world).await.warm().await;
    let failure = gateway.ask(1, 60).await.failure();
    assert_eq!(failure.kind, FailureKind::Unfunded, "{failure:?}");
    assert!(failure.reason.contains("budget"), "{}", failure.reason);
    let finished = gateway.ask(1, 10).await.finished();
    assert_eq!(finished.price, price(3, 10));
    // A slice that ran low grows as far as the budget goes.
    let grown = gateway.ask(2, 12).await;
    let held: u128 = world.chain.with(|state| {
        let sessions = state.sessions.values();
        sessions.map(|one| one.deposit.left() + STORAGE).sum()
    });
    assert!(held <= budget, "{held} of {budget}");
    grown.finished();
    drop(honest);
}

// GIVEN a session whose slice does not cover a request
// WHEN the budget does
// THEN the slice grows, and the request is answered
#[tokio::test(flavor = "multi_thread")]
async fn a_slice_grows_with_what_is_asked() {
    let world = World::new();
    let honest = world.start("Bob");
    let mut setup = Setup::new(&["Bob"]);
    setup.pool.deposit = price(3, 10);
    setup.pool.most_sessions = 1;
    let gateway = setup.start(&world).await.warm().await;
    let finished = gateway.ask(1, 100).await.finished();
    assert_eq!(finished.output_tokens, 100);
    assert_eq!(gateway.sessions(), 1);
    drop(honest);
}

// GIVEN prices of the chain
// WHEN they change, or the checkpoint takes no payment any more
// THEN the model shows the new price, or is not offered
#[tokio::test(flavor = "multi_thread")]
async fn prices_follow_the_chain() {
    let world = World::new();
    let honest = world.start("Bob");
    let gateway = Setup::new(&["Bob"]).start(&world).await.warm().await;
    let shown =
        |gateway: &crate::world::Gateway| gateway.upstream.models().first().map(|m| m.price);
    let of = |unit: u128| Price {
        prompt: unit,
        output: 4 * unit,
    };
    assert_eq!(shown(&gateway), Some(of(100)));
    world.chain.with(|state| {
        state.now += 1;
        if let Some(terms) = &mut state.terms {
            terms.unit_price = 110;
        }
    });
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(shown(&gateway), Some(of(110)));
    let finished = gateway.ask(1, 4).await.finished();
    assert_eq!(finished.price, of(110).of(3, 4));
    world.chain.with(|state| {
        state.now += 1;
        state.terms = None;
    });
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(shown(&gateway), None);
    let failure = gateway.ask(2, 4).await.failure();
    assert_eq!(failure.kind, FailureKind::Unavailable);
    drop(honest);
}

// GIVEN open sessions
// WHEN the gateway closes them all
// THEN none is open
#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_can_be_closed() {
    let world = World::new();
    let gateway = Setup::new(&["Bob"]).start(&world).await.warm().await;
    gateway.upstream.stop();
    gateway.upstream.close_all().await;
    let open = world
        .chain
        .with(|state| state.sessions.values().filter(|one| one.open).count());
    assert_eq!(open, 0);
    let free = *gateway.treasury.free.lock().unwrap();
    assert_eq!(free, 99 * DEPOSIT - STORAGE);
}
