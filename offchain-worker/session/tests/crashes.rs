//! Either side may be killed at any step: the other loses nothing, and nothing is paid twice.

mod common;

use chasqui_primitives::FinishReason;
use chasqui_session::{client::Output, wire::Event, Retry};
use common::{account, expected, proxy::Proxy, question, raw, until, World, SLICE};

/// Prompt and length of the request that is broken off.
const PROMPT: [u32; 3] = [0, 40, 41];
const LEN: u32 = 200;

// GIVEN an executor that is killed after any number of tokens of an answer
// WHEN it is started again and the client asks on
// THEN the client gets the whole answer and one receipt for it, the same numbers as if nothing had happened
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_executor_resumes() {
    for tokens in [0usize, 1, 5, 150] {
        let world = World::new();
        let session = world.chain.open(1, &["Bob"], SLICE);
        let bob = account("Bob");
        let running = world.start("Bob");
        let client = world.connect();
        let asked = question(&PROMPT, 7, LEN);
        let mut answer = client.ask(&session, &bob, asked).await.unwrap();
        for _ in 0..tokens {
            let output = answer.next().await.unwrap().unwrap();
            assert!(matches!(output, Output::Token(_)));
        }
        running.kill();
        let error = loop {
            match answer.next().await {
                Some(Ok(Output::Token(_))) => {}
                // It may have been faster than its end.
                Some(Ok(Output::Finished(_))) => break None,
                Some(Err(error)) => break Some(error),
                None => panic!("an answer ends with its receipt or an error"),
            }
        };
        if let Some(error) = &error {
            let retry = if error.delivered == 0 {
                Retry::Other
            } else {
                Retry::Same
            };
            assert_eq!(error.retry(), retry, "{error}");
        }
        let running = world.start("Bob");
        let resumed = client.resume(&session, &bob).await.unwrap();
        assert_eq!(resumed.len(), usize::from(error.is_some()));
        let (_, done) = client.journal().find(&session, &bob, 1).unwrap().unwrap();
        let done = done.unwrap();
        assert_eq!(done.output, expected(&PROMPT, 7, LEN));
        let answer = client.ask(&session, &bob, question(&PROMPT, 8, 3)).await;
        let next = answer.unwrap().finish().await.unwrap();
        assert_eq!(next.receipt.receipt.seq, 2);
        let (_, claim) = running.executor.journal().claim(&session).unwrap().unwrap();
        let paid = done.receipt.receipt.price + next.receipt.receipt.price;
        assert_eq!((claim.last, claim.sum), (2, paid));
    }
}

// GIVEN an executor that was killed with the answer written down and its receipt not sent
// WHEN the client asks on
// THEN it gets that very receipt, and pays once
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_not_sent_is_sent_later() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let proxy = Proxy::start(running.address).await;
    world.register("Bob", proxy.address);
    let client = world.connect();
    let asked = question(&PROMPT, 7, 20);
    let answer = client.ask(&session, &bob, asked).await.unwrap();
    // Nothing is read: the client is gone when the receipt is ready.
    until("the receipt is written down", || {
        running.executor.counts().receipts == 1
    })
    .await;
    proxy.cut();
    running.kill();
    drop(answer);
    let kept = world.executor_journal("Bob").channel(&session).unwrap();
    let kept = kept.unwrap().receipt.unwrap();
    let _running = world.start("Bob");
    let resumed = client.resume(&session, &bob).await.unwrap();
    assert_eq!(resumed[0].receipt, kept);
    assert_eq!(resumed[0].output, expected(&PROMPT, 7, 20));
    let spent = client.journal().spent(&session, &bob).unwrap();
    assert_eq!(spent, (kept.receipt.price, 0));
}

// GIVEN a client that is killed after any number of tokens
// WHEN it is started again with its journal
// THEN it knows what it signed, takes the receipt for it, and goes on with the next number
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_resumes() {
    for tokens in [0usize, 1, 30] {
        let world = World::new();
        let session = world.chain.open(1, &["Bob"], SLICE);
        let bob = account("Bob");
        let running = world.start("Bob");
        let client = world.connect();
        let asked = question(&PROMPT, 7, LEN);
        let mut answer = client.ask(&session, &bob, asked).await.unwrap();
        for _ in 0..tokens {
            answer.next().await.unwrap().unwrap();
        }
        drop(answer);
        drop(client);
        until("the executor has noticed", || {
            running.executor.computing() == 0
        })
        .await;
        let client = world.connect();
        let resumed = client.resume(&session, &bob).await.unwrap();
        let finished = &resumed[0];
        let whole = expected(&PROMPT, 7, LEN);
        assert!(finished.output.len() >= tokens);
        assert_eq!(finished.output[..], whole[..finished.output.len()]);
        let cancelled = finished.receipt.receipt.finish == FinishReason::Cancelled;
        assert_eq!(cancelled, finished.output.len() < whole.len());
        let answer = client.ask(&session, &bob, question(&PROMPT, 8, 3)).await;
        let next = answer.unwrap().finish().await.unwrap();
        assert_eq!(next.receipt.receipt.seq, 2);
        let (_, claim) = running.executor.journal().claim(&session).unwrap().unwrap();
        let spent = client.journal().spent(&session, &bob).unwrap();
        assert_eq!((claim.sum, 0), spent);
    }
}

// GIVEN a client that was killed after it had written its request down, before it sent it
// WHEN it is started again and asks something else
// THEN the first request is served first, under its own number
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_never_sent_keeps_its_place() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let address = running.address;
    let client = world.connect();
    let answer = client.ask(&session, &bob, question(&PROMPT, 1, 2)).await;
    answer.unwrap().finish().await.unwrap();
    // Nobody listens where the chain says.
    world.register("Bob", "127.0.0.1:9".parse().unwrap());
    let client = {
        drop(client);
        world.connect()
    };
    let error = client
        .ask(&session, &bob, question(&PROMPT, 2, 2))
        .await
        .unwrap_err();
    assert_eq!((error.retry(), error.delivered), (Retry::Other, 0));
    drop(client);
    world.register("Bob", address);
    let client = world.connect();
    let answer = client.ask(&session, &bob, question(&PROMPT, 3, 2)).await;
    assert_eq!(
        answer.unwrap().finish().await.unwrap().receipt.receipt.seq,
        3
    );
    let (begun, done) = client.journal().find(&session, &bob, 2).unwrap().unwrap();
    assert_eq!(begun.ask.signed.request.sampling.seed, 2);
    assert_eq!(done.unwrap().output, expected(&PROMPT, 2, 2));
}

// GIVEN a client that lost its journal
// WHEN it asks an executor that holds receipts of its channel, settled or not
// THEN it goes on behind them instead of signing a place twice
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_client_journal_signs_nothing_twice() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let mut paid = 0;
    for turn in 0..3u64 {
        let client = world.connect();
        for n in 0..2 {
            let asked = question(&PROMPT, 10 * turn + n, 3);
            let answer = client.ask(&session, &bob, asked).await.unwrap();
            let finished = answer.finish().await.unwrap();
            assert_eq!(finished.receipt.receipt.seq, 2 * turn + n + 1);
            paid += finished.receipt.receipt.price;
        }
        let spent = client.journal().spent(&session, &bob).unwrap();
        assert_eq!(spent, (paid, 0));
        drop(client);
        std::fs::remove_file(world.path("client")).unwrap();
        if turn == 1 {
            let journal = running.executor.journal();
            let (last, claim) = journal.claim(&session).unwrap().unwrap();
            world.chain.settle(&last, &claim).unwrap();
        }
    }
    assert_eq!(running.executor.counts().equivocations, 0);
}

// GIVEN an executor that lost its journal after everything was settled
// WHEN the client asks on
// THEN it goes on behind what the chain shows
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_executor_journal_goes_on_behind_the_settlement() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let bob = account("Bob");
    let running = world.start("Bob");
    let client = world.connect();
    let answer = client.ask(&session, &bob, question(&PROMPT, 1, 3)).await;
    answer.unwrap().finish().await.unwrap();
    let (last, claim) = running.executor.journal().claim(&session).unwrap().unwrap();
    world.chain.settle(&last, &claim).unwrap();
    running.kill();
    // The file is whole and unused once it can be opened.
    drop(world.executor_journal("Bob"));
    std::fs::remove_file(world.path("executor-Bob")).unwrap();
    let running = world.start("Bob");
    // What is settled cannot be asked for again.
    let old = client.journal().find(&session, &bob, 1).unwrap().unwrap().0;
    let events = raw::ask(running.address, &old.ask).await;
    assert!(matches!(events[..], [Event::Refused(_)]), "{events:?}");
    let answer = client.ask(&session, &bob, question(&PROMPT, 2, 3)).await;
    assert_eq!(
        answer.unwrap().finish().await.unwrap().receipt.receipt.seq,
        2
    );
}
