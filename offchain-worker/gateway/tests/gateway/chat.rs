//! Chats: messages in, an answer out, whole or as a stream.

use std::ops::ControlFlow;

use chasqui_engine::{GenerateRequest, Sampling};
use serde_json::{json, Value};

use super::server::{engine, plain, MODEL, PLAIN};

fn hello() -> Value {
    json!([{ "role": "user", "content": "Tell me a tale." }])
}

/// What the engine itself says after a prompt of text.
pub fn said_after(prompt: &str, special: bool, sampling: Sampling) -> (String, usize) {
    let tokenizer = engine().tokenizer().unwrap();
    let request = GenerateRequest {
        prompt_ids: tokenizer.encode(prompt, special).unwrap(),
        sampling,
        fingerprint_seed: [0; 32],
    };
    let made = engine()
        .generate(&request, |_| ControlFlow::Continue(()))
        .unwrap();
    let text = tokenizer.decode(&made.output_ids, true).unwrap();
    (text, made.output_ids.len())
}

pub fn warm(seed: u64, max_tokens: u32) -> Sampling {
    Sampling {
        temperature_milli: 700,
        top_p_ppm: 900_000,
        seed,
        ..Sampling::greedy(max_tokens)
    }
}

// GIVEN a chat with sampling parameters
// WHEN it is asked for whole and as a stream
// THEN both are what the model says after the template's prompt, in OpenAI's shapes
#[tokio::test]
async fn a_chat_is_answered_whole_and_as_a_stream() {
    let server = plain().await;
    let mut body = json!({
        "model": MODEL, "messages": hello(), "temperature": 0.7, "top_p": 0.9, "seed": 11,
        "max_tokens": 24, "user": "u", "metadata": {}, "store": false, "tools": [], "logit_bias": {},
        "frequency_penalty": 0, "presence_penalty": 0.0, "something_new": [1],
    });
    let (expected, tokens) = said_after("user: Tell me a tale.\nassistant:", false, warm(11, 24));
    // The model may end by itself before.
    let finish = if tokens < 24 { "stop" } else { "length" };

    let reply = server.chat(body.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("x-request-id").starts_with("req_"));
    let whole = reply.json();
    let choice = &whole["choices"][0];
    assert_eq!(whole["object"], "chat.completion");
    assert!(whole["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(whole["created"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], *expected);
    assert_eq!(choice["finish_reason"], finish);
    assert_eq!(choice["logprobs"], Value::Null);
    let prompt = whole["usage"]["prompt_tokens"].as_u64().unwrap();
    assert_eq!(whole["usage"]["completion_tokens"], tokens);
    assert_eq!(whole["usage"]["total_tokens"], prompt + tokens as u64);

    body["stream"] = json!(true);
    let reply = server.chat(body.clone()).await;
    assert!(reply
        .header("content-type")
        .starts_with("text/event-stream"));
    let events = reply.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let mut text = String::new();
    for event in &events {
        assert_eq!(event["object"], "chat.completion.chunk");
        assert_eq!(event["id"], events[0]["id"]);
        assert!(event.get("usage").is_none());
        text += event["choices"][0]["delta"]["content"]
            .as_str()
            .unwrap_or("");
    }
    assert_eq!(text, expected);
    let last = events.last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], finish);
    assert_eq!(last["choices"][0]["delta"], json!({}));
    assert_eq!(last["chasqui"]["choices"][0]["seed"], "11");
    let finished = events
        .iter()
        .filter(|e| !e["choices"][0]["finish_reason"].is_null());
    assert_eq!(finished.count(), 1);

    body["stream_options"] = json!({ "include_usage": true });
    let events = server.chat(body).await.events();
    let (last, others) = events.split_last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], whole["usage"]);
    assert_eq!(last["chasqui"]["price"], "0");
    assert!(others.iter().all(|event| event["usage"].is_null()));
    assert!(others.iter().all(|event| event.get("chasqui").is_none()));
    server.stop().await;
}

// GIVEN contents as parts, a developer's message to a template that knows none, an assistant's turn
// without content, a tool's answer
// WHEN they are sent
// THEN the prompt is the one of the same messages in plain words
#[tokio::test]
async fn messages_in_all_their_shapes_make_the_same_prompt() {
    let server = plain().await;
    let ask = |messages: Value| {
        let body = json!({ "model": MODEL, "messages": messages, "temperature": 0, "max_completion_tokens": 8 });
        server.chat(body)
    };
    let shaped = ask(json!([
        { "role": "developer", "content": [{ "type": "text", "text": "Be " }, { "type": "text", "text": "brief." }] },
        { "role": "user", "content": "Hi", "name": "bob" },
        { "role": "assistant", "content": null, "tool_calls": [] },
        { "role": "tool", "content": "42", "tool_call_id": "1" },
    ]))
    .await;
    let plain = ask(json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": "" },
        { "role": "tool", "content": "42" },
    ]))
    .await;
    let (shaped, plain) = (shaped.json(), plain.json());
    assert_eq!(shaped["choices"], plain["choices"]);
    assert_eq!(shaped["usage"], plain["usage"]);
    let prompt = "system: Be brief.\nuser: Hi\nassistant: \ntool: 42\nassistant:";
    let (expected, _) = said_after(prompt, false, Sampling::greedy(8));
    assert_eq!(plain["choices"][0]["message"]["content"], *expected);
    server.stop().await;
}

// GIVEN a model without a chat template, a role that the template refuses, and messages that are no
// messages
// WHEN they are sent
// THEN each error names the field and what to do
#[tokio::test]
async fn what_is_no_chat_is_named() {
    let server = plain().await;
    let reply = server
        .chat(json!({ "model": PLAIN, "messages": hello() }))
        .await;
    let said = reply.error(400, "unsupported_value", "model");
    assert!(said.contains("/v1/completions"), "{said}");

    let image = json!([{ "type": "image_url", "image_url": { "url": "data:," } }]);
    let cases = [
        (json!([]), "invalid_value", "messages", "1 to 1024"),
        (json!("hi"), "invalid_type", "messages", "list"),
        (json!([1]), "invalid_type", "messages[0]", "object"),
        (
            json!([{ "content": "x" }]),
            "missing_required_parameter",
            "messages[0].role",
            "role",
        ),
        (
            json!([{ "role": "user" }]),
            "missing_required_parameter",
            "messages[0].content",
            "content",
        ),
        (
            json!([{ "role": "user", "content": 5 }]),
            "invalid_type",
            "messages[0].content",
            "number",
        ),
        (
            json!([{ "role": "user", "content": image }]),
            "unsupported_value",
            "messages[0].content[0]",
            "text",
        ),
        (
            json!([{ "role": "user", "content": [{ "type": "text" }] }]),
            "invalid_value",
            "messages[0].content[0]",
            "text",
        ),
        (
            json!([{ "role": "bard", "content": "x" }]),
            "invalid_value",
            "messages",
            "unknown role bard",
        ),
        (
            json!([{ "role": "assistant", "content": null, "tool_calls": [{ "id": "1" }] }]),
            "unsupported_value",
            "messages[0].tool_calls",
            "text",
        ),
    ];
    for (messages, code, param, words) in cases {
        let reply = server
            .chat(json!({ "model": MODEL, "messages": messages }))
            .await;
        let said = reply.error(400, code, param);
        assert!(said.contains(words), "{said}");
        assert!(!said.contains(".jinja"), "{said}");
    }
    let reply = server.chat(json!({ "model": MODEL })).await;
    reply.error(400, "missing_required_parameter", "messages");
    server.stop().await;
}
