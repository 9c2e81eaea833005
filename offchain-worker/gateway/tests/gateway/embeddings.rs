//! Embeddings: numbers or base64, of texts or token ids.

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use chasqui_gateway::upstream::FailureKind;
use chasqui_gateway::Limits;
use serde_json::{json, Value};

use super::scripted::{Scripted, Step};
use super::server::{engine, local, plain, with, Reply, Server, PLAIN};

async fn embed(server: &Server, body: Value) -> Reply {
    server.post("/v1/embeddings", &body).await
}

fn numbers(value: &Value) -> Vec<f32> {
    let list = value.as_array().unwrap();
    list.iter()
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

// GIVEN texts and the same as token ids
// WHEN they are embedded as numbers and as base64
// THEN each is the engine's vector, in order, with the tokens counted
#[tokio::test]
async fn texts_become_the_engine_s_vectors() {
    let server = plain().await;
    let texts = ["A runner came to the village.", "Dear Nina,"];
    let tokenizer = engine().tokenizer().unwrap();
    let ids: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| tokenizer.encode(text, true).unwrap())
        .collect();
    let expected: Vec<Vec<f32>> = ids.iter().map(|ids| engine().embed(ids).unwrap()).collect();
    for input in [json!(texts), json!(ids)] {
        let reply = embed(&server, json!({ "model": PLAIN, "input": input })).await;
        let answer = reply.json();
        assert_eq!(answer["object"], "list");
        for (index, expected) in expected.iter().enumerate() {
            let one = &answer["data"][index];
            assert_eq!(
                (one["index"].as_u64(), &one["object"]),
                (Some(index as u64), &json!("embedding"))
            );
            assert_eq!(numbers(&one["embedding"]), *expected);
        }
        assert_eq!(answer["usage"]["prompt_tokens"], ids.concat().len());
        assert_eq!(answer["usage"]["total_tokens"], ids.concat().len());
    }
    let body = json!({ "model": PLAIN, "input": texts[0], "encoding_format": "base64", "dimensions": 128 });
    let answer = embed(&server, body).await.json();
    let bytes = STANDARD
        .decode(answer["data"][0]["embedding"].as_str().unwrap())
        .unwrap();
    let found: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    assert_eq!(found, expected[0]);
    server.stop().await;
}

// GIVEN inputs that cannot be embedded
// WHEN they are sent
// THEN each error names the field, with the numbers that matter
#[tokio::test]
async fn what_cannot_be_embedded_is_named() {
    let server = plain().await;
    let long = vec![7; 513];
    for (fields, code, param, words) in [
        (json!({}), "missing_required_parameter", "input", "input"),
        (json!({ "input": [] }), "invalid_value", "input", "empty"),
        (json!({ "input": "" }), "invalid_value", "input", "empty"),
        (
            json!({ "input": ["a", ""] }),
            "invalid_value",
            "input",
            "empty",
        ),
        (
            json!({ "input": [1, 99999] }),
            "invalid_value",
            "input",
            "1280",
        ),
        (
            json!({ "input": long }),
            "context_length_exceeded",
            "input",
            "513",
        ),
        (
            json!({ "input": "a", "dimensions": 64 }),
            "unsupported_value",
            "dimensions",
            "128",
        ),
        (
            json!({ "input": "a", "encoding_format": "int8" }),
            "invalid_value",
            "encoding_format",
            "base64",
        ),
    ] {
        let mut body = fields;
        body["model"] = json!(PLAIN);
        let said = embed(&server, body).await.error(400, code, param);
        assert!(said.contains(words), "{said}");
    }
    server.stop().await;
}

// GIVEN an upstream that fails before one that works
// WHEN a text is embedded
// THEN the second answers
#[tokio::test]
async fn the_next_upstream_embeds() {
    let broken = Scripted::new(0, &[Step::Fail(FailureKind::Unavailable)]);
    let server = with(vec![broken, local()], Limits::default()).await;
    let answer = embed(&server, json!({ "model": PLAIN, "input": "a" }))
        .await
        .json();
    assert_eq!(numbers(&answer["data"][0]["embedding"]).len(), 128);
    server.stop().await;
}
