//! A client that lies is not served, and costs its executor at most the request in flight.

mod common;

use bytes::Bytes;
use chasqui_primitives::{session::requests_conflict, FinishReason};
use chasqui_session::{
    wire::{frame, Ask, Event, RefusalCode, Resume, REQUEST_PATH, RESUME_PATH},
    HashSigner, Request,
};
use common::{account, key, raw, terms, until, World, GENESIS, SLICE};
use sp_core::H256;

const PROMPT: [u32; 2] = [0, 40];
/// What the test's request can cost: 2 prompt tokens and 6 of output, at 100 a unit.
const MOST: u128 = 100 * (2 + 4 * 6);

fn receipt(events: &[Event]) -> &chasqui_session::SignedReceipt {
    match events.last() {
        Some(Event::Receipt(receipt)) => receipt,
        _ => panic!("no receipt: {events:?}"),
    }
}

// GIVEN requests that are wrong in one respect each
// WHEN they are sent
// THEN each is refused by its field, nothing is computed or written down, and a right one is still served
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_is_refused_by_name() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob", "Dave"], SLICE);
    let running = world.start("Bob");
    type Change = fn(&mut Request);
    let wrong: [(Change, RefusalCode, &str); 18] = [
        (
            |r| r.operator = account("Dave"),
            RefusalCode::NotServed,
            "operator",
        ),
        (
            |r| r.session = H256::zero(),
            RefusalCode::UnknownSession,
            "session",
        ),
        (
            |r| r.checkpoint = H256::zero(),
            RefusalCode::NotServed,
            "checkpoint",
        ),
        (
            |r| r.prompt_hash = H256::zero(),
            RefusalCode::Request,
            "prompt_hash",
        ),
        (
            |r| r.prompt_tokens = 3,
            RefusalCode::Request,
            "prompt_tokens",
        ),
        (
            |r| r.sampling.max_tokens = 0,
            RefusalCode::Request,
            "max_tokens",
        ),
        (
            |r| r.sampling.max_tokens = 2_049,
            RefusalCode::Request,
            "max_tokens",
        ),
        (
            |r| r.sampling.temperature_milli = 1,
            RefusalCode::Request,
            "temperature_milli",
        ),
        (
            |r| r.sampling.top_p_ppm = 0,
            RefusalCode::Request,
            "top_p_ppm",
        ),
        (
            |r| {
                r.sampling.max_tokens = 511;
                (r.max_price, r.cap) = (1_000_000, 1_000_000);
            },
            RefusalCode::Request,
            "max_tokens",
        ),
        (|r| r.unit_price = 89, RefusalCode::Price, "unit_price"),
        (|r| r.max_price -= 1, RefusalCode::Price, "max_price"),
        (
            |r| r.unit_price = u128::MAX,
            RefusalCode::Price,
            "max_price",
        ),
        (|r| r.cap -= 1, RefusalCode::CapTooLow, "cap"),
        (|r| r.cap = SLICE + 1, RefusalCode::SliceTooSmall, "cap"),
        (|r| r.seq = 2, RefusalCode::OutOfOrder, "seq"),
        (|r| r.seq = 0, RefusalCode::OutOfOrder, "seq"),
        (|r| r.valid_until = 999, RefusalCode::Expired, "valid_until"),
    ];
    for (n, (change, code, field)) in wrong.into_iter().enumerate() {
        let ask = raw::request(session, 1, MOST, &PROMPT, change);
        let events = raw::ask(running.address, &ask).await;
        assert_eq!(raw::refusal(&events), (code, field), "{n}");
    }
    // Another key's signature, and a right one over another request.
    let mut ask = raw::request(session, 1, MOST, &PROMPT, |_| {});
    let hash = ask.signed.request.signing_hash(&GENESIS).0;
    ask.signed.signature = HashSigner::sign(&key("Eve"), &hash);
    let events = raw::ask(running.address, &ask).await;
    assert_eq!(raw::refusal(&events), (RefusalCode::Signature, "signature"));
    // A prompt outside the vocabulary.
    let ask = raw::request(session, 1, MOST, &[0, 1_280], |_| {});
    let events = raw::ask(running.address, &ask).await;
    assert_eq!(raw::refusal(&events), (RefusalCode::Request, "prompt"));
    assert_eq!(running.batcher.load().passes, 0);
    assert!(running
        .executor
        .journal()
        .channel(&session)
        .unwrap()
        .is_none());
    let ask = raw::request(session, 1, MOST, &PROMPT, |_| {});
    receipt(&raw::ask(running.address, &ask).await);
}

// GIVEN bytes that are no request: nonsense, another version, another path, another method's path, too many
// WHEN they are sent
// THEN each is refused, and the service goes on
#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_request_are_refused() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let right = frame(&raw::request(session, 1, MOST, &PROMPT, |_| {}));
    let mut newer = right.to_vec();
    newer[4] = 2;
    let cases = [
        (REQUEST_PATH, Bytes::new(), RefusalCode::Malformed),
        (
            REQUEST_PATH,
            Bytes::from_static(&[3, 0, 0, 0, 1, 9, 9]),
            RefusalCode::Malformed,
        ),
        (
            REQUEST_PATH,
            Bytes::from_static(&[0xff; 64]),
            RefusalCode::Malformed,
        ),
        (
            REQUEST_PATH,
            right.slice(..right.len() - 1),
            RefusalCode::Malformed,
        ),
        (
            REQUEST_PATH,
            [&right[..], &right[..]].concat().into(),
            RefusalCode::Malformed,
        ),
        (REQUEST_PATH, newer.into(), RefusalCode::Version),
        (
            REQUEST_PATH,
            vec![0; 600_000].into(),
            RefusalCode::Malformed,
        ),
        (RESUME_PATH, right.clone(), RefusalCode::Malformed),
        (
            "/chasqui/session/2/request",
            right.clone(),
            RefusalCode::Version,
        ),
    ];
    for (n, (path, body, code)) in cases.into_iter().enumerate() {
        let events = raw::post(running.address, path, body).await;
        assert_eq!(raw::refusal(&events).0, code, "{n}");
    }
    receipt(&raw::post(running.address, REQUEST_PATH, right).await);
}

// GIVEN a request that was answered
// WHEN it is sent again, even after the session closed or the slice is gone
// THEN the same answer and receipt come back, nothing is computed, nothing more is owed
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_gets_the_stored_answer() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let ask = raw::request(session, 1, MOST, &PROMPT, |_| {});
    let first = raw::ask(running.address, &ask).await;
    let passes = running.batcher.load().passes;
    world
        .chain
        .with(|state| state.sessions.get_mut(&session).unwrap().open = false);
    for _ in 0..3 {
        let again = raw::ask(running.address, &ask).await;
        assert_eq!(receipt(&again), receipt(&first));
        assert_eq!(
            again[0],
            Event::Accepted {
                seq: 1,
                stored: true
            }
        );
    }
    assert_eq!(running.batcher.load().passes, passes);
    let counts = running.executor.counts();
    assert_eq!((counts.receipts, counts.repeated), (1, 3));
    let held = running
        .executor
        .journal()
        .channel(&session)
        .unwrap()
        .unwrap();
    assert_eq!(held.receipted, receipt(&first).receipt.price);
    // Without the salt, it is nobody's.
    let mut thief = ask;
    thief.salt = [0; 32];
    let events = raw::ask(running.address, &thief).await;
    assert_eq!(raw::refusal(&events), (RefusalCode::Request, "prompt_hash"));
}

// GIVEN a request that was answered
// WHEN another one is signed for its place
// THEN it is refused, both are kept as a proof, and the channel serves nothing more but what was answered
#[tokio::test(flavor = "multi_thread")]
async fn equivocation_stops_the_channel_and_is_kept() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let first = raw::request(session, 1, MOST, &PROMPT, |_| {});
    receipt(&raw::ask(running.address, &first).await);
    let second = raw::request(session, 1, MOST + 1, &PROMPT, |_| {});
    for _ in 0..2 {
        let events = raw::ask(running.address, &second).await;
        assert_eq!(raw::refusal(&events), (RefusalCode::Equivocation, "seq"));
    }
    let proof = running
        .executor
        .journal()
        .evidence(&session)
        .unwrap()
        .unwrap();
    assert!(requests_conflict(
        &proof.first.request,
        &proof.second.request
    ));
    for signed in [&proof.first, &proof.second] {
        assert!(signed.verify(&GENESIS, &account("Client")));
    }
    let next = raw::request(session, 2, 2 * MOST, &PROMPT, |_| {});
    let events = raw::ask(running.address, &next).await;
    assert_eq!(raw::refusal(&events).0, RefusalCode::Stopped);
    receipt(&raw::ask(running.address, &first).await);
    // What was answered is still settled.
    let (last, claim) = running.executor.journal().claim(&session).unwrap().unwrap();
    world.chain.settle(&last, &claim).unwrap();
    // A restart forgets nothing of it.
    running.kill();
    let running = world.start("Bob");
    let events = raw::ask(running.address, &next).await;
    assert_eq!(raw::refusal(&events).0, RefusalCode::Stopped);
}

// GIVEN one request sent many times at once
// WHEN they all arrive while it is computed
// THEN it is computed once, and everybody gets the one answer
#[tokio::test(flavor = "multi_thread")]
async fn many_copies_are_computed_once() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let ask = raw::request(session, 1, 100 * (2 + 4 * 100), &PROMPT, |request| {
        request.sampling.max_tokens = 100;
        request.max_price = 100 * (2 + 4 * 100);
    });
    let all = (0..8).map(|_| raw::ask(running.address, &ask));
    let answers = futures::future::join_all(all).await;
    for events in &answers {
        assert_eq!(receipt(events), receipt(&answers[0]));
        assert_eq!(receipt(events).receipt.finish, FinishReason::Length);
    }
    let counts = running.executor.counts();
    assert_eq!((counts.accepted, counts.receipts), (1, 1));
    assert_eq!(running.batcher.load().tokens, 2 + 99);
}

// GIVEN a channel whose slice is about to shrink, whose session closes, or whose operator is not drawn any more
// WHEN a request comes that the old state would have covered
// THEN it is not served
#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_chain_promises_is_served() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let ask = raw::request(session, 1, MOST, &PROMPT, |_| {});
    world
        .chain
        .change(&session, "Bob", |channel, deposit, now| {
            channel
                .announce_shrink(deposit, MOST - 1, now, now + 10)
                .unwrap();
        });
    let refused = |events: Vec<Event>| raw::refusal(&events).0;
    let events = raw::ask(running.address, &ask).await;
    assert_eq!(refused(events), RefusalCode::SliceTooSmall);
    world
        .chain
        .change(&session, "Bob", |channel, deposit, now| {
            channel.readmit(deposit, now).unwrap();
        });
    let close = |open| {
        world
            .chain
            .with(|state| state.sessions.get_mut(&session).unwrap().open = open);
    };
    close(false);
    assert_eq!(
        refused(raw::ask(running.address, &ask).await),
        RefusalCode::NotServed
    );
    close(true);
    world.chain.with(|state| state.down = true);
    assert_eq!(
        refused(raw::ask(running.address, &ask).await),
        RefusalCode::Chain
    );
    world.chain.with(|state| state.down = false);
    world.chain.with(|state| state.terms = None);
    assert_eq!(
        refused(raw::ask(running.address, &ask).await),
        RefusalCode::NotServed
    );
    world.chain.with(|state| state.terms = Some(terms()));
    world
        .chain
        .with(|state| state.signers.insert(account("Bob"), account("Other")));
    assert_eq!(
        refused(raw::ask(running.address, &ask).await),
        RefusalCode::NotServed
    );
    world.chain.with(|state| state.signers.clear());
    world
        .chain
        .with(|state| state.sessions.get_mut(&session).unwrap().committee.clear());
    assert_eq!(
        refused(raw::ask(running.address, &ask).await),
        RefusalCode::NotServed
    );
}

// GIVEN an executor that holds a receipt of a channel
// WHEN its client asks what it holds, and others do
// THEN the client sees its own request and receipt, and others nothing
#[tokio::test(flavor = "multi_thread")]
async fn only_the_client_learns_what_is_held() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let ask: Ask = raw::request(session, 1, MOST, &PROMPT, |_| {});
    let answered = raw::ask(running.address, &ask).await;
    let query = |until: u32, by: &str| {
        let query = Resume::new(&GENESIS, session, account("Bob"), until, &key(by));
        raw::post(running.address, RESUME_PATH, frame(&query))
    };
    let events = query(1_010, "Client").await;
    let [Event::Held(held)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(held.last.as_ref(), Some(&ask.signed));
    assert_eq!(held.receipt.as_ref(), Some(receipt(&answered)));
    let code = |events: Vec<Event>| raw::refusal(&events).0;
    assert_eq!(code(query(1_010, "Eve").await), RefusalCode::Signature);
    assert_eq!(code(query(999, "Client").await), RefusalCode::Expired);
    assert_eq!(code(query(1_101, "Client").await), RefusalCode::Expired);
}

// GIVEN a client that hangs up after it has got what it wanted
// WHEN the executor notices
// THEN it stops, and its receipt is for what was delivered, not for the rest
#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_pays_what_was_delivered() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    let bob = account("Bob");
    let asked = common::question(&PROMPT, 1, 500);
    let mut answer = client.ask(&session, &bob, asked).await.unwrap();
    for _ in 0..3 {
        answer.next().await.unwrap().unwrap();
    }
    let finished = client.hang_up(answer).await.unwrap();
    let receipt = &finished[0].receipt.receipt;
    assert_eq!(receipt.output_tokens as usize, finished[0].output.len());
    assert!(receipt.output_tokens >= 3);
    let whole = common::expected(&PROMPT, 1, 500);
    assert_eq!(finished[0].output[..], whole[..finished[0].output.len()]);
    if receipt.output_tokens < 500 {
        assert_eq!(receipt.finish, FinishReason::Cancelled);
        assert_eq!(running.executor.counts().cancelled, 1);
    }
    until("nothing is computed", || running.executor.computing() == 0).await;
}

// GIVEN an executor that is busy with a prompt for longer than it takes to ask for the receipt
// WHEN its client hangs up
// THEN asking for the receipt is not wanting the answer: what comes is for what was computed until it noticed
#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_on_a_busy_executor_does_not_buy_the_whole_answer() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    let bob = account("Bob");
    let hold = running.hold();
    let asked = common::question(&PROMPT, 1, 400);
    let answer = client.ask(&session, &bob, asked).await.unwrap();
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        drop(hold);
    };
    let (finished, ()) = tokio::join!(client.hang_up(answer), release);
    let receipt = &finished.unwrap()[0].receipt.receipt;
    assert_eq!(receipt.finish, FinishReason::Cancelled);
    assert!(receipt.output_tokens < 100, "{}", receipt.output_tokens);
    assert_eq!(client.journal().spent(&session, &bob).unwrap().1, 0);
}

// GIVEN a client that hangs up before the first token
// WHEN the executor notices
// THEN the receipt is for no token at all
#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_before_the_first_token_pays_no_token() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    let bob = account("Bob");
    let hold = running.hold();
    let asked = common::question(&PROMPT, 1, 50);
    let answer = client.ask(&session, &bob, asked).await.unwrap();
    drop(answer);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    drop(hold);
    until("nothing is computed", || running.executor.computing() == 0).await;
    let finished = client.resume(&session, &bob).await.unwrap();
    let receipt = &finished[0].receipt.receipt;
    assert_eq!(receipt.finish, FinishReason::Cancelled);
    assert_eq!((receipt.output_tokens, receipt.price), (0, 200));
    assert!(finished[0].output.is_empty() && !finished[0].cut_short);
}

// GIVEN a client whose connection broke while its request was computed
// WHEN it asks again on another one before the executor has noticed
// THEN it follows the same computation, which nobody broke off
#[tokio::test(flavor = "multi_thread")]
async fn a_second_stream_takes_over() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let hold = running.hold();
    let ask = raw::request(session, 1, MOST, &PROMPT, |_| {});
    let first = tokio::spawn({
        let (address, ask) = (running.address, ask.clone());
        async move { raw::ask(address, &ask).await }
    });
    until("it is accepted", || running.executor.computing() == 1).await;
    let second = raw::ask(running.address, &ask);
    tokio::pin!(second);
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), &mut second).await;
    assert!(early.is_err());
    first.abort();
    let _ = first.await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(hold);
    let events = second.await;
    assert_eq!(receipt(&events).receipt.finish, FinishReason::Length);
    assert_eq!(running.executor.counts().receipts, 1);
}
