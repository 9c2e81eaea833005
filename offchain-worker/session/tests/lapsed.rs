//! A request that lapsed without an answer costs nothing, and its channel goes on.

mod common;

use chasqui_primitives::session::receipts_conflict;
use chasqui_session::{
    client::ErrorKind,
    wire::{frame, Event, Refusal, RefusalCode, VoidAsk, VOID_PATH},
    HashSigner, SignedReceipt, SignedRequest,
};
use common::{account, expected, key, liar, question, raw, Running, World, GENESIS, SLICE};
use std::{
    sync::{mpsc, Arc},
    time::Duration,
};

const PROMPT: [u32; 3] = [0, 40, 41];
/// What the longest request of these tests may cost.
const MOST: u128 = 100_000;
/// After everything that was signed has lapsed.
const LATER: u32 = 5_000;

async fn void(running: &Running, signed: &SignedRequest) -> Vec<Event> {
    let ask = VoidAsk {
        signed: signed.clone(),
    };
    raw::post(running.address, VOID_PATH, frame(&ask)).await
}

/// Kills an executor whose model was kept busy: what it accepted has no answer.
fn kill_held(running: Running, hold: mpsc::Sender<()>) {
    // The model's thread is waited for when its last user goes.
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(hold);
    });
    running.kill();
    release.join().unwrap();
}

fn voided(events: &[Event]) -> SignedReceipt {
    match events {
        [Event::Receipt(receipt)] => receipt.clone(),
        other => panic!("no receipt: {other:?}"),
    }
}

// GIVEN a request that was signed while the executor was away, and lapsed
// WHEN the executor is back and the client asks on
// THEN the request is voided, the next one is answered, and all of it is settled
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_goes_on_behind_a_request_that_nobody_served() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let first = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    let first = first.unwrap().finish().await.unwrap();
    running.kill();
    let lost = client.ask(&session, &bob, question(&PROMPT, 2, 4)).await;
    assert!(lost.is_err(), "nobody is there");
    assert!(client.journal().spent(&session, &bob).unwrap().1 > 0);
    world.chain.with(|state| state.now = LATER);
    let running = world.start("Bob");
    let next = client.ask(&session, &bob, question(&PROMPT, 3, 4)).await;
    let next = next.unwrap().finish().await.unwrap();
    assert_eq!(next.receipt.receipt.seq, 3);
    assert_eq!(next.output, expected(&PROMPT, 3, 4));
    let (_, done) = client.journal().find(&session, &bob, 2).unwrap().unwrap();
    assert!(done.unwrap().receipt.receipt.is_void());
    let paid = first.receipt.receipt.price + next.receipt.receipt.price;
    assert_eq!(client.journal().spent(&session, &bob).unwrap(), (paid, 0));
    let journal = running.executor.journal();
    let (last, claim) = journal.claim(&session).unwrap().unwrap();
    assert_eq!((claim.first, claim.last, claim.sum), (1, 3, paid));
    world.chain.settle(&last, &claim).unwrap();
    assert_eq!(running.executor.counts().voided, 1);
}

// GIVEN a void as the last receipt of a channel
// WHEN everything up to it is settled
// THEN the chain takes the claim: the cap of what was voided covers it
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_may_end_with_a_void() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let first = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    let price = first.unwrap().finish().await.unwrap().receipt.receipt.price;
    let late = raw::request(session, 2, price, &PROMPT, |request| request.max_price = 0);
    world.chain.with(|state| state.now = LATER);
    assert!(voided(&void(&running, &late.signed).await)
        .receipt
        .is_void());
    let (last, claim) = running.executor.journal().claim(&session).unwrap().unwrap();
    assert_eq!((claim.last, claim.sum), (2, price));
    world.chain.settle(&last, &claim).unwrap();
}

// GIVEN an answer that waits to be settled, and behind it a lapsed request that names another checkpoint
// WHEN its client has it voided
// THEN it is refused: as the last request of a claim it would make worthless what was served before
#[tokio::test(flavor = "multi_thread")]
async fn a_void_spoils_no_claim_by_its_checkpoint() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let first = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    let price = first.unwrap().finish().await.unwrap().receipt.receipt.price;
    let late = raw::request(session, 2, MOST, &PROMPT, |request| {
        request.checkpoint = sp_core::H256::repeat_byte(0xee);
    });
    world.chain.with(|state| state.now = LATER);
    let events = void(&running, &late.signed).await;
    let (last, claim) = running.executor.journal().claim(&session).unwrap().unwrap();
    assert_eq!(claim.sum, price);
    world.chain.settle(&last, &claim).unwrap();
    assert_eq!(raw::refusal(&events).0, RefusalCode::NotServed);
}

// GIVEN a request that was accepted by an executor that was then killed, and lapsed
// WHEN the client asks on
// THEN it is answered, not voided: the executor still can
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_answered_however_late() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let hold = running.hold();
    let answer = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    drop(answer.unwrap());
    kill_held(running, hold);
    world.chain.with(|state| state.now = LATER);
    let running = world.start("Bob");
    let resumed = client.resume(&session, &bob).await.unwrap();
    assert_eq!(resumed[0].output, expected(&PROMPT, 1, 4));
    assert_eq!(running.executor.counts().voided, 0);
}

// GIVEN a request that was accepted, and whose checkpoint takes no payment any more when its executor is back
// WHEN it has lapsed and the client asks on
// THEN it is voided, and not before
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_any_more_is_voided_when_it_lapses() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let hold = running.hold();
    let answer = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    drop(answer.unwrap());
    kill_held(running, hold);
    world.chain.with(|state| state.terms = None);
    let _running = world.start("Bob");
    assert!(client.resume(&session, &bob).await.is_err());
    assert!(client.journal().spent(&session, &bob).unwrap().1 > 0);
    world.chain.with(|state| state.now = LATER);
    let resumed = client.resume(&session, &bob).await.unwrap();
    assert!(resumed[0].receipt.receipt.is_void() && resumed[0].cut_short);
    assert_eq!(client.journal().spent(&session, &bob).unwrap(), (0, 0));
}

// GIVEN a request that was accepted, and an executor that comes back with another key than the channel's
// WHEN the client asks on
// THEN it is told so, and gets no receipt that it would have to take for a lie
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_signed_with_a_key_that_the_channel_does_not_take() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let hold = running.hold();
    let answer = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    drop(answer.unwrap());
    kill_held(running, hold);
    let other = account("Eve");
    world
        .chain
        .with(|state| state.signers.insert(bob.clone(), other));
    let _running = world.start("Bob");
    let error = client.resume(&session, &bob).await.unwrap_err();
    match &*error.kind {
        ErrorKind::Refused(refusal) | ErrorKind::Failed(refusal) => {
            assert_eq!(refusal.code, RefusalCode::NotServed);
        }
        other => panic!("{other:?}"),
    }
    assert!(client.journal().spent(&session, &bob).unwrap().1 > 0);
}

// GIVEN a client that lost its journal while a request of its was accepted and not answered
// WHEN that has lapsed
// THEN the client has it voided without its prompt, and goes on
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_journal_does_not_lose_the_channel() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let hold = running.hold();
    let answer = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    drop(answer.unwrap());
    kill_held(running, hold);
    drop(client);
    std::fs::remove_file(world.path("client")).unwrap();
    let running = world.start("Bob");
    let client = world.connect();
    let ask = || client.ask(&session, &bob, question(&PROMPT, 2, 4));
    let error = ask().await.unwrap_err().to_string();
    assert!(error.contains("can go on after block 1600"), "{error}");
    world.chain.with(|state| state.now = LATER);
    let next = ask().await.unwrap().finish().await.unwrap();
    assert_eq!(next.receipt.receipt.seq, 2);
    assert_eq!(running.executor.counts().equivocations, 0);
}

// GIVEN requests that may still be begun, were answered, are another's or out of order
// WHEN they are to be voided
// THEN each is refused, and nothing has changed
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_lapsed_request_of_the_channel_is_not_voided() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let refused = |events: Vec<Event>| raw::refusal(&events).0;
    // It may still be begun.
    let first = raw::request(session, 1, MOST, &PROMPT, |_| {});
    let early = void(&running, &first.signed).await;
    assert_eq!(refused(early), RefusalCode::OutOfOrder);
    // It was answered.
    let answered = raw::ask(running.address, &first).await;
    let Some(Event::Receipt(answer)) = answered.last() else {
        panic!("{answered:?}");
    };
    world.chain.with(|state| state.now = LATER);
    let late = void(&running, &first.signed).await;
    assert_eq!(refused(late), RefusalCode::OutOfOrder);
    // It is for another place, key, operator or session.
    let far = raw::request(session, 3, MOST, &PROMPT, |_| {});
    assert_eq!(
        refused(void(&running, &far.signed).await),
        RefusalCode::OutOfOrder
    );
    let mut forged = raw::request(session, 2, MOST, &PROMPT, |_| {});
    let hash = forged.signed.request.signing_hash(&GENESIS).0;
    forged.signed.signature = HashSigner::sign(&key("Eve"), &hash);
    assert_eq!(
        refused(void(&running, &forged.signed).await),
        RefusalCode::Signature
    );
    let other = raw::request(session, 2, MOST, &PROMPT, |r| r.operator = account("Dave"));
    assert_eq!(
        refused(void(&running, &other.signed).await),
        RefusalCode::NotServed
    );
    let nowhere = raw::request(sp_core::H256::zero(), 2, MOST, &PROMPT, |_| {});
    assert_eq!(
        refused(void(&running, &nowhere.signed).await),
        RefusalCode::UnknownSession
    );
    // Its cap would spoil the claim for what was answered.
    let poor = raw::request(session, 2, answer.receipt.price - 1, &PROMPT, |_| {});
    assert_eq!(
        refused(void(&running, &poor.signed).await),
        RefusalCode::CapTooLow
    );
    // Bytes that are none.
    let nonsense = raw::post(running.address, VOID_PATH, bytes::Bytes::from_static(b"?")).await;
    assert_eq!(refused(nonsense), RefusalCode::Malformed);
    let held = running
        .executor
        .journal()
        .channel(&session)
        .unwrap()
        .unwrap();
    assert_eq!(held.last.unwrap().request.seq, 1);
    assert_eq!(running.executor.counts().voided, 0);
}

// GIVEN a request that was voided
// WHEN it is voided again, sent again, or another one is signed for its place
// THEN the same void comes back, and the other one is an equivocation
#[tokio::test(flavor = "multi_thread")]
async fn a_void_is_the_only_receipt_of_its_place() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    world.chain.with(|state| state.now = LATER);
    let late = raw::request(session, 1, MOST, &PROMPT, |_| {});
    let first = voided(&void(&running, &late.signed).await);
    assert!(first.verify(&GENESIS, &account("Bob")));
    assert_eq!(voided(&void(&running, &late.signed).await), first);
    let sent = raw::ask(running.address, &late).await;
    assert_eq!(sent.last(), Some(&Event::Receipt(first.clone())));
    let other = raw::request(session, 1, MOST, &[0, 50], |_| {});
    let twice = void(&running, &other.signed).await;
    assert_eq!(raw::refusal(&twice).0, RefusalCode::Equivocation);
    assert!(running
        .executor
        .journal()
        .evidence(&session)
        .unwrap()
        .is_some());
    assert!(!receipts_conflict(&first.receipt, &first.receipt));
}

// GIVEN a client that signs requests which have lapsed, one after the other
// WHEN it has each voided
// THEN the executor writes down a bounded number of them
#[tokio::test(flavor = "multi_thread")]
async fn voids_in_a_row_are_bounded() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    world.chain.with(|state| state.now = LATER);
    for seq in 1..=64 {
        let late = raw::request(session, seq, MOST, &PROMPT, |_| {});
        voided(&void(&running, &late.signed).await);
    }
    let late = raw::request(session, 65, MOST, &PROMPT, |_| {});
    let events = void(&running, &late.signed).await;
    assert_eq!(raw::refusal(&events).0, RefusalCode::Overloaded);
    // What is served goes on from there, and makes room.
    let good = raw::request(session, 65, MOST, &PROMPT, |r| r.valid_until = LATER);
    let served = raw::ask(running.address, &good).await;
    assert!(
        matches!(served.last(), Some(Event::Receipt(_))),
        "{served:?}"
    );
    let late = raw::request(session, 66, MOST, &PROMPT, |_| {});
    voided(&void(&running, &late.signed).await);
}

// GIVEN an operator that says a request has expired, and answers the wish to void it with something else
// WHEN the client asks on
// THEN it takes nothing for a void: the request stays in flight, and the error is that of the request
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_void_is_not_taken_for_one() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let script = Arc::new(|_| {
        let refusal = Refusal::new(RefusalCode::Expired, "valid_until", "too late");
        vec![frame(&Event::Refused(refusal))]
    });
    liar::start(&world.chain, "Bob", script).await;
    let client = world.connect();
    let refused = client.ask(&session, &bob, question(&PROMPT, 1, 4)).await;
    assert!(refused.is_err());
    let risked = client.journal().spent(&session, &bob).unwrap();
    assert!(risked.1 > 0);
    world.chain.with(|state| state.now = LATER);
    let error = client.resume(&session, &bob).await.unwrap_err();
    assert!(error.to_string().contains("too late"), "{error}");
    assert_eq!(client.journal().spent(&session, &bob).unwrap(), risked);
}
