//! Requests that are malformed, too large, or ask for what is not computed.

use std::time::Duration;

use chasqui_gateway::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::server::{local, plain, with, KEY, MODEL, PLAIN};

// GIVEN parameters out of range, of the wrong type, or of things that are not computed
// WHEN they are sent
// THEN each is refused with 400, and the error names it and what to give
#[tokio::test]
async fn every_wrong_parameter_is_named() {
    let server = plain().await;
    let long = "x".repeat(1_025);
    for (name, value, code, words) in [
        ("temperature", json!(-1), "invalid_value", "0.05 to 10"),
        ("temperature", json!(0.01), "invalid_value", "likeliest"),
        ("temperature", json!("hot"), "invalid_type", "number"),
        ("top_p", json!(1.5), "invalid_value", "0 to 1"),
        ("top_k", json!(-2), "invalid_value", "-1"),
        ("max_tokens", json!(0), "invalid_value", "1 to"),
        ("max_tokens", json!(1.5), "invalid_type", "whole"),
        ("max_tokens", json!(5_000), "invalid_value", "4096"),
        ("seed", json!("x"), "invalid_type", "whole"),
        ("n", json!(0), "invalid_value", "1 to 16"),
        ("n", json!(17), "invalid_value", "1 to 16"),
        ("best_of", json!(2), "unsupported_value", "`n`"),
        ("stop", json!(5), "invalid_type", "string"),
        ("stop", json!(["a", ""]), "invalid_value", "empty"),
        ("stop", json!(vec!["a"; 17]), "invalid_value", "16"),
        ("stop", json!(long), "invalid_value", "1024"),
        ("stop_token_ids", json!([1280]), "invalid_value", "1280"),
        ("stop_token_ids", json!(vec![1; 9]), "invalid_value", "8"),
        ("stream", json!("yes"), "invalid_type", "true or false"),
        (
            "stream_options",
            json!({ "include_usage": true }),
            "invalid_value",
            "stream: true",
        ),
        (
            "frequency_penalty",
            json!(0.5),
            "unsupported_value",
            "verify",
        ),
        (
            "presence_penalty",
            json!(-0.5),
            "unsupported_value",
            "verify",
        ),
        (
            "repetition_penalty",
            json!(1.1),
            "unsupported_value",
            "verify",
        ),
        (
            "logit_bias",
            json!({ "5": 1 }),
            "unsupported_value",
            "verify",
        ),
        (
            "response_format",
            json!({ "type": "json_object" }),
            "unsupported_value",
            "text",
        ),
        (
            "tools",
            json!([{ "type": "function" }]),
            "unsupported_value",
            "not supported",
        ),
        ("echo", json!(true), "unsupported_value", "yourself"),
        ("suffix", json!("end"), "unsupported_value", "suffix"),
        ("prompt", json!(""), "invalid_value", "empty"),
        ("prompt", json!([]), "invalid_value", "empty"),
        ("prompt", json!([[]]), "invalid_value", "empty"),
        ("prompt", json!([1, -1]), "invalid_type", "token ids"),
        ("prompt", json!([1, 1280]), "invalid_value", "1280"),
        ("prompt", json!({ "text": "a" }), "invalid_type", "object"),
        ("prompt", json!(["a", 5]), "invalid_type", "number"),
        ("prompt", json!(vec!["a"; 17]), "invalid_value", "16"),
    ] {
        let mut body = json!({ "model": PLAIN, "prompt": "Once" });
        body[name] = value.clone();
        let said = server.complete(body).await.error(400, code, name);
        assert!(said.contains(words), "{name} {value}: {said}");
    }
    let body = json!({ "model": PLAIN, "prompt": ["a", "b"], "n": 9 });
    server.complete(body).await.error(400, "invalid_value", "n");
    let body =
        json!({ "model": PLAIN, "prompt": "a", "max_tokens": 5, "max_completion_tokens": 6 });
    server
        .complete(body)
        .await
        .error(400, "invalid_value", "max_tokens");
    server.stop().await;
}

// GIVEN harmless forms that clients send
// WHEN they come
// THEN they are taken
#[tokio::test]
async fn harmless_forms_are_taken() {
    let server = plain().await;
    for fields in [
        json!({ "temperature": null, "top_p": null, "stop": null, "seed": null, "logit_bias": null, "n": null }),
        json!({ "top_p": 0, "top_k": -1, "seed": -5, "stop": [], "best_of": 1, "n": 1.0 }),
        json!({ "seed": u64::MAX, "logit_bias": { "5": 0 }, "logprobs": false, "suffix": "", "echo": false }),
        json!({ "response_format": { "type": "text" }, "tools": null, "modalities": ["text"], "stream_options": null }),
        json!({ "max_tokens": 3, "max_completion_tokens": 3, "service_tier": "auto", "prediction": {} }),
    ] {
        let mut body = fields;
        body["model"] = json!(PLAIN);
        body["prompt"] = json!("Once");
        let reply = server.complete(body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    server.stop().await;
}

// GIVEN prompts that fill the context, alone or with their output
// WHEN they are sent
// THEN the error has OpenAI's code and all the numbers; one token less is taken
#[tokio::test]
async fn what_exceeds_the_context_is_refused_with_numbers() {
    let server = plain().await;
    let ask = |tokens: usize, more: u32| {
        server.complete(json!({ "model": PLAIN, "prompt": vec![7; tokens], "max_tokens": more }))
    };
    let said = ask(512, 1)
        .await
        .error(400, "context_length_exceeded", "prompt");
    assert!(said.contains("512"), "{said}");
    let said = ask(500, 13)
        .await
        .error(400, "context_length_exceeded", "prompt");
    assert!(
        said.contains("500") && said.contains("513") && said.contains("at most 12"),
        "{said}"
    );
    assert_eq!(ask(511, 1).await.status, 200);
    let words = "word ".repeat(600);
    let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": words }] });
    server
        .chat(body)
        .await
        .error(400, "context_length_exceeded", "messages");
    server.stop().await;
}

// GIVEN bodies that are no JSON, no object, compressed, or too large, with or without a length
// WHEN they are sent
// THEN each gets its status and an error object
#[tokio::test]
async fn bodies_that_are_no_requests_are_refused() {
    let limits = Limits {
        body_bytes: 10_000,
        ..Limits::default()
    };
    let server = with(vec![local()], limits).await;
    let authorization = format!("Bearer {KEY}");
    let headers = [("authorization", &*authorization)];
    let deep = "[".repeat(5_000);
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("\"x\"", 400),
        ("\u{0}", 400),
        (&*deep, 400),
    ] {
        let reply = server
            .send("POST", "/v1/completions", &headers, body.to_string())
            .await;
        assert!(reply.error(status, "", "").contains("JSON"));
    }
    let large = json!({ "model": PLAIN, "prompt": "a".repeat(1 << 20) }).to_string();
    let reply = server
        .send("POST", "/v1/completions", &headers, large)
        .await;
    assert!(reply.error(413, "", "").contains("10000"));
    let zipped = [
        ("authorization", &*authorization),
        ("content-encoding", "gzip"),
    ];
    let reply = server.send("POST", "/v1/completions", &zipped, "{}").await;
    reply.error(415, "", "");
    assert_eq!(
        server
            .complete(json!({ "model": PLAIN, "prompt": "a" }))
            .await
            .status,
        200
    );
    server.stop().await;
}

// GIVEN paths and methods that are not there
// WHEN they are asked for
// THEN the error lists what is
#[tokio::test]
async fn wrong_paths_and_methods_are_told() {
    let server = plain().await;
    for (method, path, status) in [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/chat/completions", 404),
        ("GET", "/v1/engines", 404),
        ("DELETE", "/", 405),
    ] {
        let said = server
            .send(method, path, &[], "")
            .await
            .error(status, "unknown_url", "");
        assert!(said.contains("POST /v1/chat/completions"), "{said}");
    }
    server.stop().await;
}

// GIVEN clients that send their head or body slowly, or stop in the middle
// WHEN time is up
// THEN they are cut, and others are served meanwhile
#[tokio::test]
async fn slow_clients_are_cut() {
    let limits = Limits {
        request_read: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = with(vec![local()], limits).await;
    let half = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {KEY}\r\ncontent-length: 100\r\n\r\n{{"
    );
    for (sent, expected) in [("GET / HT", ""), (&*half, "HTTP/1.1 408 ")] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(server.get("/health").await.status, 200);
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .unwrap()
            .unwrap();
        assert!(answer.starts_with(expected), "{answer}");
    }
    server.stop().await;
}

// GIVEN a client that asks for much and reads nothing
// WHEN it has left the answers unread for too long
// THEN its connection is broken before all of them were written
#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let limits = Limits {
        client_stall: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = with(vec![local()], limits).await;
    let page = server.get("/").await.body.len();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let requests = 3_000;
    let asked = "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(requests);
    // The server stops reading when it cannot write: what it takes of this is enough.
    let sent = stream.write_all(asked.as_bytes());
    let _ = tokio::time::timeout(Duration::from_millis(500), sent).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut answers = Vec::new();
    // The end is a broken connection or a closed one.
    let read = stream.read_to_end(&mut answers);
    let _ = tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .unwrap();
    assert!(answers.len() < requests * page, "{}", answers.len());
    assert_eq!(server.get("/health").await.status, 200);
    server.stop().await;
}
