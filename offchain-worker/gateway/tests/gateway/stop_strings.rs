//! Stop strings and characters of several bytes: nothing is shown that has to be taken back.

use chasqui_gateway::text::{Assembler, Release};
use chasqui_gateway::{Limits, Upstream};
use serde_json::json;

use super::scripted::{Scripted, Step};
use super::server::{local, plain, with, PLAIN};

fn assembled(text: &str, stops: &[&str]) -> (Vec<String>, bool) {
    let tokenizer = local().models()[0].tokenizer.clone();
    let stops: Vec<String> = stops.iter().map(|stop| stop.to_string()).collect();
    let mut assembler = Assembler::new(&tokenizer, &stops);
    let mut pieces = Vec::new();
    let mut keep = |release: Release| {
        if !release.text.is_empty() {
            pieces.push(release.text);
        }
    };
    // Byte by byte where the tokenizer has no token for a character.
    for id in tokenizer.encode(text, false).unwrap() {
        keep(assembler.push(id, None).unwrap());
    }
    let stopped = assembler.stopped();
    keep(assembler.finish().unwrap());
    (pieces, stopped)
}

// GIVEN text with characters of two to four bytes, which are several tokens
// WHEN it is put together
// THEN every piece is whole characters, and all of them are the text
#[test]
fn characters_come_whole() {
    let text = "naïve façade — 漢字 🦙🦙 end";
    let (pieces, stopped) = assembled(text, &[]);
    assert!(!stopped);
    assert!(pieces.len() > 5);
    assert!(pieces.iter().all(|piece| !piece.contains('\u{FFFD}')));
    assert_eq!(pieces.concat(), text);
}

// GIVEN stop strings that come, that almost come, that overlap, and in characters of several bytes
// WHEN text is put together
// THEN it ends before the first that comes, and what almost came is shown in the end
#[test]
fn text_ends_before_a_stop_string() {
    for (text, stops, expected, stopped) in [
        ("one two three", &["two"][..], "one ", true),
        ("one two three", &["two three four"], "one two three", false),
        ("one two three", &["three", " two"], "one", true),
        ("aaaaab", &["aab"], "aaa", true),
        ("say 漢字 now", &["字"], "say 漢", true),
        ("tail ##", &["###"], "tail ##", false),
        ("stop", &["stop"], "", true),
        ("line\n\nnext", &["\n\n"], "line", true),
    ] {
        let (pieces, ended) = assembled(text, stops);
        assert_eq!(
            (pieces.concat(), ended),
            (expected.to_string(), stopped),
            "{text}"
        );
    }
}

// GIVEN an upstream that goes on after a stop string
// WHEN a completion with that string is asked for whole and as a stream
// THEN the text ends before it, the generation is cancelled, and what was computed is charged
#[tokio::test]
async fn a_stop_string_ends_the_generation() {
    let scripted = Scripted::new(1, &[Step::Say(" one two"), Step::Slowly(400)]);
    let limits = Limits::default();
    let server = with(vec![scripted.clone()], limits).await;
    for stop in [json!("two"), json!(["xyz", "two"])] {
        for stream in [false, true] {
            let body = json!({ "model": PLAIN, "prompt": "Count:", "max_tokens": 450, "stop": stop, "stream": stream });
            let reply = server.complete(body).await;
            let (text, last) = match stream {
                false => {
                    let answer = reply.json();
                    (
                        answer["choices"][0]["text"].as_str().unwrap().to_string(),
                        answer,
                    )
                }
                true => {
                    let events = reply.events();
                    let texts = events
                        .iter()
                        .map(|e| e["choices"][0]["text"].as_str().unwrap());
                    (texts.collect(), events.last().unwrap().clone())
                }
            };
            assert_eq!(text, " one ");
            assert_eq!(last["choices"][0]["finish_reason"], "stop");
            assert!(last["chasqui"]["choices"][0]["receipt"].is_string());
        }
    }
    let stopped = scripted.cancelled_at.lock().unwrap().clone();
    assert_eq!(stopped.len(), 4);
    assert!(stopped.iter().all(|tokens| *tokens < 100), "{stopped:?}");
    server.stop().await;
}

// GIVEN the model's own end token, and token ids to stop at
// WHEN it comes
// THEN it is no part of the text
#[tokio::test]
async fn end_tokens_are_not_shown() {
    let server = plain().await;
    let tokenizer = local().models()[0].tokenizer.clone();
    let body =
        json!({ "model": PLAIN, "prompt": "Once upon a time", "max_tokens": 24, "temperature": 0 });
    let text = server.complete(body.clone()).await.json()["choices"][0]["text"].clone();
    let ids = tokenizer.encode(text.as_str().unwrap(), false).unwrap();
    let mut stopping = body;
    stopping["stop_token_ids"] = json!([ids[6]]);
    let answer = server.complete(stopping).await.json();
    let before = ids.iter().position(|id| *id == ids[6]).unwrap();
    let expected = tokenizer.decode(&ids[..before], true).unwrap();
    assert_eq!(answer["choices"][0]["text"], *expected);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["completion_tokens"], before + 1);
    server.stop().await;
}
