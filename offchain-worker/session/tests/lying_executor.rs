//! An executor that lies costs its client at most the request in flight, and leaves a proof.

mod common;

use bytes::Bytes;
use chasqui_primitives::FinishReason;
use chasqui_session::{
    client::Output,
    wire::{frame, Event, Refusal, RefusalCode},
    Client, ClientError, Receipt, Retry,
};
use common::{
    account,
    liar::{self, accepted, receipt, signed, tokens},
    question, World, SLICE,
};
use sp_core::H256;
use std::sync::{
    atomic::{AtomicUsize, Ordering},
    Arc,
};

const OUTPUT: [u32; 4] = [10, 11, 12, 13];

async fn whole(client: &Client, session: &H256) -> Result<(), ClientError> {
    let asked = question(&[0, 40], 1, 4);
    let answer = client.ask(session, &account("Bob"), asked).await?;
    answer.finish().await.map(drop)
}

/// Every answer is `OUTPUT` with a receipt that `change` spoils, signed by `by`.
async fn lie(change: fn(&mut Receipt), by: &'static str) -> (World, H256, Client) {
    let world = World::new();
    let session = world.chain.open(1, &["Bob", "Dave"], SLICE);
    let script = Arc::new(move |ask: chasqui_session::wire::Ask| {
        let mut said = receipt(&ask, &OUTPUT);
        change(&mut said);
        vec![
            accepted(&ask),
            tokens(&OUTPUT),
            frame(&Event::Receipt(signed(said, by))),
        ]
    });
    liar::start(&world.chain, "Bob", script).await;
    let client = world.connect();
    (world, session, client)
}

// GIVEN an executor whose receipts are honest
// WHEN it is a script of this test
// THEN they are accepted: what is refused below is refused for its lie
#[tokio::test(flavor = "multi_thread")]
async fn an_honest_script_passes() {
    let (_world, session, client) = lie(|_| {}, "Bob").await;
    whole(&client, &session).await.unwrap();
}

// GIVEN receipts for another output, price, count, request, place or reason
// WHEN the client checks them
// THEN each is refused and kept, nothing is receipted, and only this request's max_price is at risk
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_receipt_is_refused_and_kept() {
    let lies: [fn(&mut Receipt); 8] = [
        |receipt| receipt.output_hash = H256::zero(),
        |receipt| receipt.price += 1,
        |receipt| receipt.price = 0,
        |receipt| receipt.output_tokens -= 1,
        |receipt| receipt.prompt_tokens += 1,
        |receipt| receipt.request = H256::zero(),
        |receipt| receipt.seq += 1,
        |receipt| receipt.finish = FinishReason::Stop,
    ];
    for change in lies {
        let (_world, session, client) = lie(change, "Bob").await;
        let error = whole(&client, &session).await.unwrap_err();
        assert!(error.to_string().contains("not honest"), "{error}");
        let journal = client.journal();
        let spent = journal.spent(&session, &account("Bob")).unwrap();
        // 2 prompt tokens and 4 of output, at 100 a unit.
        assert_eq!(spent, (0, 100 * (2 + 4 * 4)));
        let waiting = journal.in_flight(&session, &account("Bob")).unwrap();
        assert_eq!(waiting.len(), 1);
        // The client asks no further on this channel before that one is resolved.
        let error = whole(&client, &session).await.unwrap_err();
        assert_eq!(error.earlier, Some(1));
        assert_eq!(error.retry(), Retry::Other);
    }
    let (_world, session, client) = lie(|receipt| receipt.price += 1, "Bob").await;
    whole(&client, &session).await.unwrap_err();
    let bob = account("Bob");
    let kept = client.journal().conflicts(&session, &bob, 9).unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].first.is_none());
}

// GIVEN a receipt that somebody else signed
// WHEN the client checks it
// THEN it is refused, and not kept: it proves nothing against the operator
#[tokio::test(flavor = "multi_thread")]
async fn another_key_signs_nothing() {
    let (_world, session, client) = lie(|_| {}, "Eve").await;
    let error = whole(&client, &session).await.unwrap_err();
    assert!(
        error.to_string().contains("not signed by its key"),
        "{error}"
    );
    let bob = account("Bob");
    assert!(client
        .journal()
        .conflicts(&session, &bob, 9)
        .unwrap()
        .is_empty());
}

// GIVEN an operator whose hot key changed while it answered
// WHEN its receipt is signed by the new one, as the chain shows by then
// THEN it is accepted
#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_looked_up() {
    let (world, session, client) = lie(|_| {}, "BobHot").await;
    let asked = question(&[0, 40], 1, 4);
    let answer = client.ask(&session, &account("Bob"), asked).await.unwrap();
    world
        .chain
        .with(|state| state.signers.insert(account("Bob"), account("BobHot")));
    answer.finish().await.unwrap();
}

// GIVEN an executor that signs two different answers to one request
// WHEN the client asks for the same again
// THEN both receipts are kept as a proof of fraud, and the first still counts
#[tokio::test(flavor = "multi_thread")]
async fn two_receipts_are_a_proof_of_fraud() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let calls = Arc::new(AtomicUsize::new(0));
    let script = Arc::new(move |ask: chasqui_session::wire::Ask| {
        let n = calls.fetch_add(1, Ordering::SeqCst);
        let output: Vec<u32> = OUTPUT.iter().map(|id| id + n as u32).collect();
        let said = signed(receipt(&ask, &output), "Bob");
        vec![
            accepted(&ask),
            tokens(&output),
            frame(&Event::Receipt(said)),
        ]
    });
    liar::start(&world.chain, "Bob", script).await;
    let client = world.connect();
    whole(&client, &session).await.unwrap();
    let bob = account("Bob");
    let before = client.journal().spent(&session, &bob).unwrap();
    let again = client.repeat(&session, &bob, 1).await.unwrap();
    let error = again.finish().await.unwrap_err();
    assert!(error.to_string().contains("two receipts"), "{error}");
    let kept = client.journal().conflicts(&session, &bob, 9).unwrap();
    let (first, second) = (kept[0].first.clone().unwrap(), &kept[0].second);
    assert!(chasqui_primitives::session::receipts_conflict(
        &first.receipt,
        &second.receipt
    ));
    for signed in [&first, second] {
        assert!(signed.verify(&common::GENESIS, &bob));
    }
    assert_eq!(client.journal().spent(&session, &bob).unwrap(), before);
}

// GIVEN executors that send too much, nothing, nonsense, or messages out of order
// WHEN the client follows
// THEN each ends in an error that says whether tokens were delivered, and never in a panic or an endless wait
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_ends_in_an_error() {
    type Lie = fn(chasqui_session::wire::Ask) -> Vec<Bytes>;
    let lies: [(Lie, usize); 9] = [
        (|_| vec![], 0),
        (|_| vec![Bytes::from_static(&[7; 40])], 0),
        (|_| vec![tokens(&OUTPUT)], 0),
        (|ask| vec![accepted(&ask)], 0),
        (|ask| vec![accepted(&ask), accepted(&ask)], 0),
        (|ask| vec![accepted(&ask), tokens(&OUTPUT)], 4),
        (|ask| vec![accepted(&ask), tokens(&OUTPUT), tokens(&[1])], 4),
        (
            |ask| {
                vec![
                    accepted(&ask),
                    tokens(&OUTPUT[..2]),
                    Bytes::from_static(&[1, 0]),
                ]
            },
            2,
        ),
        (
            |ask| {
                let mut other = ask.clone();
                other.signed.request.seq += 1;
                vec![accepted(&other)]
            },
            0,
        ),
    ];
    for (n, (script, delivered)) in lies.into_iter().enumerate() {
        let world = World::new();
        let session = world.chain.open(1, &["Bob"], SLICE);
        liar::start(&world.chain, "Bob", Arc::new(script)).await;
        let client = world.connect();
        let error = whole(&client, &session).await.unwrap_err();
        assert_eq!(error.delivered, delivered, "{n}: {error}");
        let expected = if delivered == 0 {
            Retry::Other
        } else {
            Retry::Same
        };
        assert_eq!(error.retry(), expected, "{n}: {error}");
    }
}

// GIVEN an executor that refuses, and one that fails after it accepted
// WHEN the client asks
// THEN it reads why, and may ask another operator, which the same session pays
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_lets_another_operator_answer() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob", "Dave"], SLICE);
    let script = Arc::new(|ask: chasqui_session::wire::Ask| {
        let refusal = Refusal::new(RefusalCode::Overloaded, "request", "come back later");
        let first = ask.signed.request.seq == 1;
        match first {
            true => vec![frame(&Event::Refused(refusal))],
            false => vec![accepted(&ask), frame(&Event::Failed(refusal))],
        }
    });
    liar::start(&world.chain, "Bob", script).await;
    let _running = world.start("Dave");
    let client = world.connect();
    let error = whole(&client, &session).await.unwrap_err();
    assert!(error.to_string().contains("come back later"), "{error}");
    assert_eq!(error.retry(), Retry::Other);
    let asked = question(&[0, 40], 1, 4);
    let mut answer = client.ask(&session, &account("Dave"), asked).await.unwrap();
    assert!(matches!(
        answer.next().await.unwrap().unwrap(),
        Output::Token(_)
    ));
    answer.finish().await.unwrap();
}
