//! Too much, too large, too slow, all at once.

use std::time::Duration;

use chasqui_gateway::{Keyring, Limits, Options};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::task::JoinSet;

use super::scripted::{Scripted, Step};
use super::server::{local, plain, start, KEY, MODEL, PLAIN};

/// The text of a stream that is read slowly.
async fn read_slowly(response: hyper::Response<hyper::body::Incoming>, pause: Duration) -> String {
    let mut body = response.into_body();
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.unwrap().into_data() {
            text.push_str(&String::from_utf8_lossy(&data));
        }
        tokio::time::sleep(pause).await;
    }
    text
}

// GIVEN two hundred clients that stream at once, on a gateway that runs 64 and lets the rest wait
// WHEN all have been served
// THEN every stream is whole, each with its own text, and nothing is left under way
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_streams_at_once_are_all_whole() {
    let limits = Limits {
        queued_per_key: 256,
        ..Limits::default()
    };
    let server = start(Options {
        upstreams: vec![local()],
        keys: Keyring::single("test", KEY, 64),
        limits,
        live: None,
    })
    .await;
    let server = std::sync::Arc::new(server);
    let mut clients = JoinSet::new();
    for seed in 0..200u64 {
        let server = server.clone();
        clients.spawn(async move {
            let body = json!({ "model": PLAIN, "prompt": "Once", "max_tokens": 8, "seed": seed % 4, "stream": true });
            let reply = server.post("/v1/completions", &body).await;
            let text: String = reply
                .events()
                .iter()
                .filter_map(|event| event["choices"][0]["text"].as_str().map(str::to_string))
                .collect();
            (seed % 4, text)
        });
    }
    let mut texts = std::collections::BTreeMap::new();
    while let Some(done) = clients.join_next().await {
        let (seed, text) = done.unwrap();
        let first = texts.entry(seed).or_insert_with(|| text.clone());
        assert_eq!(*first, text, "seed {seed}");
    }
    assert_eq!(texts.len(), 4);
    server.metric_becomes("in_flight", 0.0).await;
    server.metric_becomes("queued", 0.0).await;
}

// GIVEN a body of ten megabytes
// WHEN it is sent to a gateway with the limits that it has by default, several times at once
// THEN each is refused with the limit in words, and others are served meanwhile
#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_refused() {
    let server = std::sync::Arc::new(plain().await);
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let server = server.clone();
        clients.spawn(async move {
            let body = json!({ "model": PLAIN, "prompt": "a".repeat(10 << 20) });
            server.post("/v1/completions", &body).await
        });
    }
    let body = json!({ "model": PLAIN, "prompt": "Once", "max_tokens": 2 });
    assert_eq!(server.complete(body).await.status, 200);
    while let Some(reply) = clients.join_next().await {
        let said = reply.unwrap().error(413, "", "");
        assert!(said.contains(&(4 << 20).to_string()), "{said}");
    }
}

// GIVEN a client that reads its stream slowly, and one that asks meanwhile
// WHEN the answer is longer than what lies on the way
// THEN the slow one gets all of it, and does not hold up the other
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_everything_and_holds_up_nobody() {
    let scripted = Scripted::new(1, &[Step::Slowly(120)]);
    let server = start(Options {
        upstreams: vec![scripted, local()],
        keys: Keyring::single("test", KEY, 8),
        limits: Limits::default(),
        live: None,
    })
    .await;
    let slow = server
        .stream(json!({ "model": PLAIN, "prompt": "a", "max_tokens": 200, "stream": true }))
        .await;
    let reading = tokio::spawn(read_slowly(slow, Duration::from_millis(15)));
    let started = std::time::Instant::now();
    let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 4 });
    assert_eq!(server.chat(body).await.status, 200);
    assert!(started.elapsed() < Duration::from_secs(5));
    let text = reading.await.unwrap();
    assert!(text.trim_end().ends_with("[DONE]"), "{text}");
    assert_eq!(text.matches("\"text\":\" a\"").count(), 120);
    server.stop().await;
}

// GIVEN fields that nobody knows, and known ones of every wrong type
// WHEN they are sent
// THEN the unknown are ignored, and each wrong one is named with status 400
#[tokio::test]
async fn unknown_fields_are_ignored_and_wrong_types_named() {
    let server = plain().await;
    let body = json!({
        "model": PLAIN, "prompt": "Once", "max_tokens": 2,
        "x": { "y": [1, 2, { "z": null }] }, "": 1, "store": true, "user": "a", "metadata": { "k": "v" },
    });
    assert_eq!(server.complete(body).await.status, 200);
    let wrong = [json!({}), json!([]), json!("x"), json!(true), json!(1.5)];
    for field in [
        "model",
        "prompt",
        "max_tokens",
        "n",
        "seed",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "stream",
        "logprobs",
        "stop_token_ids",
        "ignore_eos",
        "stream_options",
    ] {
        let mut named = 0;
        for value in &wrong {
            let mut body = json!({ "model": PLAIN, "prompt": "Once", "max_tokens": 2 });
            body[field] = value.clone();
            let reply = server.complete(body).await;
            if reply.status == 200 || reply.status == 404 {
                // It is a value of that field, or a model that is not there.
                continue;
            }
            assert_eq!(reply.status, 400, "{field}: {value}");
            let error = &reply.json()["error"];
            let param = error["param"].as_str().unwrap_or("");
            assert!(param.starts_with(field), "{field}: {value}: {error}");
            named += 1;
        }
        assert!(named >= 2, "{field} takes nearly anything");
    }
    server.stop().await;
}
