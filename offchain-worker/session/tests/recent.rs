//! An executor reads a channel once for many requests, and refuses nothing by what it read before.

mod common;

use chasqui_session::{
    chain::ChainView,
    client::ErrorKind,
    wire::{Event, RefusalCode},
    HashSigner, Recent,
};
use common::{account, key, question, raw, World, GENESIS, SLICE};
use std::{sync::Arc, time::Duration};

const PROMPT: [u32; 3] = [0, 40, 41];
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3_600);

fn remembering(world: &World, age: Duration) -> Arc<Recent> {
    Arc::new(Recent::new(world.chain.clone(), age))
}

// GIVEN a channel that was read a moment ago
// WHEN the node goes down
// THEN it is still shown as it was, and whoever wants it as it is gets an error
#[tokio::test]
async fn what_was_just_read_is_not_read_again() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let recent = remembering(&world, LONG);
    let first = recent.recent_standing(&session, &bob).await.unwrap();
    world.chain.with(|state| state.down = true);
    assert_eq!(recent.recent_standing(&session, &bob).await.unwrap(), first);
    assert!(first.is_some());
    recent.standing(&session, &bob).await.unwrap_err();
}

// GIVEN a channel that was read longer ago than is remembered
// WHEN it is asked for
// THEN it is read again
#[tokio::test]
async fn what_was_read_long_ago_is_read_again() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let recent = remembering(&world, Duration::ZERO);
    recent.recent_standing(&session, &bob).await.unwrap();
    world.chain.with(|state| state.now += 1);
    let now = recent.recent_standing(&session, &bob).await.unwrap();
    assert_eq!(now.unwrap().now, 1_001);
    world.chain.with(|state| state.down = true);
    recent.recent_standing(&session, &bob).await.unwrap_err();
}

// GIVEN a session that was not there when it was asked for
// WHEN it has been opened
// THEN it is there at once: what is missing is not remembered
#[tokio::test]
async fn a_session_that_was_missing_is_looked_for_again() {
    let world = World::new();
    let bob = account("Bob");
    let recent = remembering(&world, LONG);
    let session = sp_core::H256::repeat_byte(1);
    let missing = recent.recent_standing(&session, &bob).await.unwrap();
    assert_eq!(missing, None);
    assert_eq!(world.chain.open(1, &["Bob"], SLICE), session);
    let found = recent.recent_standing(&session, &bob).await.unwrap();
    assert!(found.is_some());
}

// GIVEN an executor that remembers a slice which covers one request
// WHEN the slice grows, and the client asks for more than it covered before
// THEN it is served at once, and refused only where the chain as it is now does not cover it
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_refused_by_what_was_remembered() {
    let world = World::new();
    let bob = account("Bob");
    // 35 units a request, of 100 planck each.
    let slice = 7_500;
    let session = world.chain.open(1, &["Bob"], slice);
    let running = world.start_on("Bob", remembering(&world, LONG));
    let client = world.connect();
    let ask = |seed| client.ask(&session, &bob, question(&PROMPT, seed, 8));
    for seed in 1..=2 {
        ask(seed).await.unwrap().finish().await.unwrap();
    }
    let short = ask(100).await.unwrap_err();
    assert!(matches!(*short.kind, ErrorKind::Budget { .. }), "{short}");
    world
        .chain
        .change(&session, "Bob", |channel, deposit, now| {
            deposit.pay_in(SLICE).unwrap();
            channel.grow(deposit, slice, now).unwrap();
        });
    ask(101).await.unwrap().finish().await.unwrap();
    assert_eq!(running.executor.counts().refused, 0);
}

// GIVEN an executor that remembers an open session
// WHEN the session closes and what was remembered is old
// THEN nothing more is served
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_session_is_served_no_longer_than_it_is_remembered() {
    let world = World::new();
    let bob = account("Bob");
    let session = world.chain.open(1, &["Bob"], SLICE);
    let age = Duration::from_millis(200);
    let running = world.start_on("Bob", remembering(&world, age));
    let client = world.connect();
    let ask = |seed| client.ask(&session, &bob, question(&PROMPT, seed, 4));
    ask(1).await.unwrap().finish().await.unwrap();
    let (first, done) = client.journal().find(&session, &bob, 1).unwrap().unwrap();
    let mut next = first.ask;
    next.signed.request.seq = 2;
    next.signed.request.cap = done.unwrap().receipt.receipt.price + next.signed.request.max_price;
    let hash = next.signed.request.signing_hash(&GENESIS);
    next.signed.signature = HashSigner::sign(&key("Client"), &hash.0);
    world.chain.with(|state| {
        state.sessions.get_mut(&session).unwrap().open = false;
    });
    tokio::time::sleep(age).await;
    match &raw::ask(running.address, &next).await[..] {
        [Event::Refused(refusal)] => assert_eq!(refusal.code, RefusalCode::NotServed, "{refusal}"),
        other => panic!("served: {other:?}"),
    }
}
