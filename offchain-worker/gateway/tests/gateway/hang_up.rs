//! A client that hangs up: the generation stops, and what was computed is paid.

use std::time::Duration;

use chasqui_gateway::{Keyring, Limits, Options};
use http_body_util::BodyExt;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::scripted::{Scripted, Step};
use super::server::{plain, start, KEY, MODEL, PLAIN};

// GIVEN a long generation with a price, as a stream and whole
// WHEN its client hangs up after a while
// THEN it stops soon, and the key is charged for the tokens until then
#[tokio::test]
async fn who_hangs_up_pays_for_what_was_computed() {
    for stream in [true, false] {
        let scripted = Scripted::new(10_000_000_000, &[Step::Slowly(490)]);
        let hash = hex::encode(Sha256::digest(KEY));
        let keys = format!("[[keys]]\nname = \"a\"\nsha256 = \"{hash}\"\nbudget = \"10000\"\n");
        let server = start(Options {
            upstreams: vec![scripted.clone()],
            keys: Keyring::from_toml(&keys).unwrap(),
            limits: Limits::default(),
            live: None,
        })
        .await;
        let body = json!({ "model": PLAIN, "prompt": "a", "max_tokens": 500, "stream": stream });
        let opening = server.stream(body);
        match stream {
            true => {
                let mut response = opening.await;
                for _ in 0..3 {
                    response.body_mut().frame().await.unwrap().unwrap();
                }
            }
            false => {
                let waited = tokio::time::timeout(Duration::from_millis(500), opening).await;
                assert!(waited.is_err());
            }
        }
        server
            .metric_becomes("generations_total{outcome=\"hung_up\"}", 1.0)
            .await;
        let stopped = scripted.cancelled_at.lock().unwrap().clone();
        assert!(stopped.len() == 1 && stopped[0] < 400, "{stopped:?}");
        let prompt = scripted
            .last
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .prompt_ids
            .len();
        let spent = server.metric("spend_dot_total").await;
        assert_eq!(spent, (prompt + stopped[0]) as f64);
        server.metric_becomes("in_flight", 0.0).await;
        server.stop().await;
    }
}

// GIVEN a model on this machine that is in the middle of an answer
// WHEN its client hangs up
// THEN it computes no further
#[tokio::test]
async fn a_model_on_this_machine_stops() {
    let server = plain().await;
    let body = json!({
        "model": MODEL, "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 450, "temperature": 1,
        "ignore_eos": true, "stream": true, "n": 8,
    });
    let authorization = format!("Bearer {KEY}");
    let headers = [("authorization", &*authorization)];
    let mut response = server
        .open("POST", "/v1/chat/completions", &headers, body.to_string())
        .await;
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    server.metric_becomes("in_flight", 0.0).await;
    let output = server
        .metric(&format!(
            "tokens_total{{kind=\"output\",model=\"{MODEL}\"}}"
        ))
        .await;
    assert!(output > 0.0 && output < 8.0 * 450.0, "{output}");
    server.stop().await;
}
