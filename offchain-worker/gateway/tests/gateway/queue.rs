//! Who waits, who computes, who is sent away.

use std::time::Duration;

use chasqui_gateway::upstream::FailureKind;
use chasqui_gateway::{Keyring, Limits, Options};
use http_body_util::BodyExt;
use serde_json::json;

use super::scripted::{Scripted, Step};
use super::server::{keyring, start, with, Server, KEY, PLAIN};

fn body() -> serde_json::Value {
    json!({ "model": PLAIN, "prompt": "a", "max_tokens": 400, "stream": true })
}

async fn one_at_a_time(limits: Limits, keys: Keyring) -> Server {
    start(Options {
        upstreams: vec![Scripted::new(0, &[Step::Slowly(400)])],
        keys,
        limits,
        live: None,
    })
    .await
}

// GIVEN a gateway that computes one request at a time and lets one wait
// WHEN three come
// THEN the third gets 429 with `Retry-After`, and the second its turn when the first has gone
#[tokio::test]
async fn one_computes_one_waits_one_is_sent_away() {
    for (limits, keys) in [
        (
            Limits {
                running: 1,
                queued: 1,
                ..Limits::default()
            },
            keyring(),
        ),
        (
            Limits {
                queued_per_key: 1,
                ..Limits::default()
            },
            Keyring::single("test", KEY, 1),
        ),
    ] {
        let server = one_at_a_time(limits, keys).await;
        let mut first = server.stream(body()).await;
        first.body_mut().frame().await.unwrap().unwrap();
        let mut waiting = Box::pin(server.stream(body()));
        assert!(
            tokio::time::timeout(Duration::from_millis(300), &mut waiting)
                .await
                .is_err()
        );
        assert_eq!(server.metric("queued").await, 1.0);

        let reply = server.complete(body()).await;
        let said = reply.error(429, "rate_limit_exceeded", "");
        assert!(said.contains("waiting"), "{said}");
        assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);

        drop(first);
        let mut second = waiting.await;
        assert_eq!(second.status(), 200);
        second.body_mut().frame().await.unwrap().unwrap();
        drop(second);
        server.metric_becomes("in_flight", 0.0).await;
        server.stop().await;
    }
}

// GIVEN a turn that does not come in time, and a client in the queue that hangs up
// WHEN that happens
// THEN the first gets 429, and the place of the second is free again
#[tokio::test]
async fn waiting_ends() {
    let limits = Limits {
        running: 1,
        queued: 1,
        queue_wait: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = one_at_a_time(limits, keyring()).await;
    let mut first = server.stream(body()).await;
    first.body_mut().frame().await.unwrap().unwrap();
    {
        let leaving = server.stream(body());
        assert!(tokio::time::timeout(Duration::from_millis(200), leaving)
            .await
            .is_err());
    }
    server.metric_becomes("queued", 0.0).await;
    let said = server
        .complete(body())
        .await
        .error(429, "rate_limit_exceeded", "");
    assert!(said.contains("No turn came"), "{said}");
    drop(first);
    server.stop().await;
}

// GIVEN an upstream without room
// WHEN a request comes
// THEN it gets 429 with `Retry-After`, as OpenAI's libraries repeat it
#[tokio::test]
async fn a_busy_upstream_is_told() {
    let busy = Scripted::new(0, &[Step::Fail(FailureKind::Busy)]);
    let server = with(vec![busy], Limits::default()).await;
    let reply = server
        .complete(json!({ "model": PLAIN, "prompt": "a" }))
        .await;
    reply.error(429, "rate_limit_exceeded", "");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    server.stop().await;
}
