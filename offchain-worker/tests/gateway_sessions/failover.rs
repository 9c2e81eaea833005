//! Operators that do not answer.

use crate::{
    common::{
        account, expected,
        liar::{self, accepted, receipt, signed, tokens},
        proxy::Proxy,
        until, World,
    },
    world::{name, price, request, Setup},
};
use chasqui_gateway::upstream::{Cancel, FailureKind};
use chasqui_session::wire::{frame, Ask, Event, Refusal, RefusalCode};
use std::{sync::Arc, time::Duration};

// GIVEN a committee whose primary refuses, is nowhere, or breaks off at once
// WHEN a request comes
// THEN the backup answers it whole, the client sees nothing of it, and the primary is not asked first again
#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_token_the_next_operator_answers() {
    let refusal = |ask: Ask| {
        let _ = ask;
        let refusal = Refusal::new(RefusalCode::Compute, "request", "no");
        vec![frame(&Event::Refused(refusal))]
    };
    let silent = |ask: Ask| vec![accepted(&ask)];
    let nothing = |_: Ask| Vec::new();
    let scripts: [Option<liar::Script>; 4] = [
        Some(Arc::new(refusal)),
        Some(Arc::new(silent)),
        Some(Arc::new(nothing)),
        None,
    ];
    for script in scripts {
        let world = World::new();
        let honest = world.start("Dave");
        match script {
            Some(script) => liar::start(&world.chain, "Bob", script).await,
            None => world.register("Bob", "127.0.0.1:1".parse().unwrap()),
        }
        let gateway = Setup::new(&["Bob", "Dave"])
            .start(&world)
            .await
            .warm()
            .await;
        let heard = gateway.ask(7, 12).await;
        assert_eq!(heard.tokens, expected(&[0, 40, 41], 7, 12));
        let finished = heard.finished();
        assert_eq!(finished.operator, Some(name("Dave")));
        assert_eq!(finished.price, price(3, 12));
        assert_eq!(finished.sequence, Some(1));
        assert!(gateway.upstream.metrics().failovers.get() >= 1);
        let again = gateway.ask(8, 4).await.finished();
        assert_eq!(again.operator, Some(name("Dave")));
        assert_eq!(again.sequence, Some(2));
        drop(honest);
    }
}

// GIVEN operators of whom none answers
// WHEN a request comes
// THEN it fails as unavailable, before any token and for nothing
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_answers_the_client_is_told() {
    let world = World::new();
    for operator in ["Bob", "Dave"] {
        world.register(operator, "127.0.0.1:1".parse().unwrap());
    }
    let gateway = Setup::new(&["Bob", "Dave"])
        .start(&world)
        .await
        .warm()
        .await;
    let failure = gateway.ask(7, 12).await.failure();
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure:?}");
    assert!(!failure.delivered);
    assert_eq!(failure.price, 0);
    assert!(failure.reason.contains("127.0.0.1:1"), "{}", failure.reason);
}

// GIVEN operators who all say that the request itself is wrong
// WHEN two have said so
// THEN the client is told so; what one says alone is not believed
#[tokio::test(flavor = "multi_thread")]
async fn one_operator_alone_does_not_make_a_request_wrong() {
    let refuse = |_: Ask| {
        let refusal = Refusal::new(RefusalCode::Request, "prompt", "I do not like it");
        vec![frame(&Event::Refused(refusal))]
    };
    let world = World::new();
    let honest = world.start("Dave");
    liar::start(&world.chain, "Bob", Arc::new(refuse)).await;
    let gateway = Setup::new(&["Bob", "Dave"])
        .start(&world)
        .await
        .warm()
        .await;
    let finished = gateway.ask(7, 4).await.finished();
    assert_eq!(finished.operator, Some(name("Dave")));
    drop((gateway, honest, world));

    let world = World::new();
    for operator in ["Bob", "Dave"] {
        liar::start(&world.chain, operator, Arc::new(refuse)).await;
    }
    let gateway = Setup::new(&["Bob", "Dave"])
        .start(&world)
        .await
        .warm()
        .await;
    let failure = gateway.ask(7, 4).await.failure();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.reason.contains("I do not like it"));
}

// GIVEN an executor behind a connection that is cut in the middle of an answer
// WHEN tokens have been delivered
// THEN the client gets a clean failure with what it owes, another request is answered, and the cut one is paid for what
// was delivered and no more
#[tokio::test(flavor = "multi_thread")]
async fn after_the_first_token_the_request_ends_with_what_was_delivered() {
    let world = World::new();
    let honest = world.start("Bob");
    let proxy = Proxy::start(honest.address).await;
    world.register("Bob", proxy.address);
    let mut setup = Setup::new(&["Bob"]);
    setup.pool.most_sessions = 1;
    let gateway = setup.start(&world).await.warm().await;
    let cutting = async {
        let before = proxy.passed.load(std::sync::atomic::Ordering::Relaxed);
        // Some frames of tokens.
        until("tokens pass", || {
            proxy.passed.load(std::sync::atomic::Ordering::Relaxed) > before + 3_000
        })
        .await;
        proxy.cut();
    };
    let asking = gateway.listen(request(7, 480), Cancel::default(), usize::MAX);
    let (heard, ()) = tokio::join!(asking, cutting);
    let delivered = heard.tokens.len();
    let failure = heard.failure();
    assert!(failure.delivered, "{failure:?}");
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert_eq!(failure.price, price(3, delivered));
    assert!(delivered < 480);
    // The channel goes on once that is resolved.
    let next = gateway.ask(8, 4).await.finished();
    assert_eq!(next.sequence, Some(2));
    let (receipted, flying) = gateway.spent(&["Bob"]);
    assert_eq!(flying, 0);
    let cut = receipted - next.price;
    assert!(cut >= price(3, delivered), "{cut} for {delivered} tokens");
    // What was on the wire when it was cut.
    assert!(cut <= price(3, 480), "{cut}");
    drop(honest);
}

// GIVEN an operator whose receipt is for another price, or is not signed by its key
// WHEN its answer has been delivered
// THEN the request fails, the receipt is counted as false, and the operator is never asked again
#[tokio::test(flavor = "multi_thread")]
async fn a_false_receipt_is_a_failure_and_its_operator_is_shunned() {
    for by in ["Bob", "Eve"] {
        let world = World::new();
        let honest = world.start("Dave");
        let lie = move |ask: Ask| {
            let output = [10, 11, 12, 13];
            let mut said = receipt(&ask, &output);
            if by == "Bob" {
                said.price += 1;
            }
            vec![
                accepted(&ask),
                tokens(&output),
                frame(&Event::Receipt(signed(said, by))),
            ]
        };
        liar::start(&world.chain, "Bob", Arc::new(lie)).await;
        let gateway = Setup::new(&["Bob", "Dave"])
            .start(&world)
            .await
            .warm()
            .await;
        let failure = gateway.ask(7, 4).await.failure();
        assert!(failure.delivered);
        assert!(failure.reason.contains("not honest"), "{}", failure.reason);
        let receipts = &gateway.upstream.metrics().receipts;
        assert_eq!(receipts.with_label_values(&["false"]).get(), 1);
        for seed in 0..4 {
            let finished = gateway.ask(seed, 4).await.finished();
            assert_eq!(finished.operator, Some(name("Dave")));
        }
        // What lies against it is kept for a report.
        if by == "Bob" {
            let journal = gateway.client.journal();
            let sessions: Vec<_> = world.chain.with(|s| s.sessions.keys().copied().collect());
            let kept: usize = sessions
                .iter()
                .map(|id| journal.conflicts(id, &account("Bob"), 9).unwrap().len())
                .sum();
            assert_eq!(kept, 1);
        }
        drop(honest);
    }
}

// GIVEN an executor that ends its answers before their time
// WHEN it delivered nothing, or something
// THEN the next one is asked, or the answer counts as ended early
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_short_is_not_taken_for_whole() {
    let world = World::new();
    let honest = world.start("Dave");
    let short = |ask: Ask| {
        let output = [10, 11];
        let said = receipt(&ask, &output);
        vec![
            accepted(&ask),
            tokens(&output),
            frame(&Event::Receipt(signed(said, "Bob"))),
        ]
    };
    liar::start(&world.chain, "Bob", Arc::new(short)).await;
    let gateway = Setup::new(&["Bob", "Dave"])
        .start(&world)
        .await
        .warm()
        .await;
    let finished = gateway.ask(7, 12).await.finished();
    assert_eq!(finished.reason, chasqui_primitives::FinishReason::Cancelled);
    assert_eq!(finished.price, price(3, 2));
    tokio::time::sleep(Duration::from_millis(50)).await;
    // It is asked last now.
    let next = gateway.ask(8, 12).await.finished();
    assert_eq!(next.operator, Some(name("Dave")));
    drop(honest);
}
