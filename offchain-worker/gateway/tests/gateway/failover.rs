//! An executor that is lost: before the first token nobody notices, later everybody is told.

use std::time::Duration;

use chasqui_gateway::upstream::FailureKind;
use chasqui_gateway::Limits;
use serde_json::json;

use super::scripted::{Scripted, Step};
use super::server::{with, PLAIN};

fn limits() -> Limits {
    Limits {
        first_token: Duration::from_secs(1),
        next_token: Duration::from_secs(1),
        settle: Duration::from_secs(1),
        ..Limits::default()
    }
}

// GIVEN upstreams that fail, vanish and keep silent before the first token, and one that works
// WHEN a completion is asked for, whole and as a stream
// THEN the last one answers, the client sees nothing else, and pays once
#[tokio::test]
async fn before_the_first_token_the_next_one_answers() {
    for stream in [false, true] {
        let bad = [
            Step::Fail(FailureKind::Unavailable),
            Step::Fail(FailureKind::Unfunded),
            Step::Fail(FailureKind::Busy),
            Step::Fail(FailureKind::Internal),
            Step::Vanish,
            Step::Silence,
        ];
        let bad: Vec<_> = bad
            .into_iter()
            .map(|step| Scripted::new(50, &[step]))
            .collect();
        let good = Scripted::new(2, &[Step::Say(" here.")]);
        let mut upstreams: Vec<std::sync::Arc<dyn chasqui_gateway::Upstream>> = Vec::new();
        upstreams.extend(bad.iter().cloned().map(|one| one as _));
        upstreams.push(good.clone());
        let server = with(upstreams, limits()).await;
        let body = json!({ "model": PLAIN, "prompt": "Where", "stream": stream });
        let reply = server.complete(body).await;
        let (text, price) = match stream {
            false => {
                let answer = reply.json();
                let text = answer["choices"][0]["text"].as_str().map(String::from);
                (text.unwrap(), answer["chasqui"]["price"].clone())
            }
            true => {
                let events = reply.events();
                let text = events
                    .iter()
                    .map(|e| e["choices"][0]["text"].as_str().unwrap());
                (
                    text.collect(),
                    events.last().unwrap()["chasqui"]["price"].clone(),
                )
            }
        };
        assert_eq!(text, " here.");
        assert!(
            price.as_str().unwrap().parse::<u32>().unwrap() < 50,
            "{price}"
        );
        assert!(bad.iter().all(|one| one.calls() == 1) && good.calls() == 1);
        let labels = "failovers_total{model=\"tales\"}";
        assert_eq!(server.metric(labels).await, 6.0);
        server.stop().await;
    }
}

// GIVEN upstreams that break off, fail and fall silent after some tokens, before one that works
// WHEN a stream is asked for
// THEN the text that came is followed by an error event, and nobody else is asked
#[tokio::test]
async fn after_the_first_token_the_client_is_told() {
    for (step, words) in [
        (Step::Vanish, "broke off"),
        (Step::Fail(FailureKind::Unavailable), "as the test says"),
        (Step::Silence, "fell silent after"),
    ] {
        let bad = Scripted::new(1, &[Step::Say(" one two"), step]);
        let good = Scripted::new(1, &[Step::Say(" three")]);
        let server = with(vec![bad, good.clone()], limits()).await;
        let body = json!({ "model": PLAIN, "prompt": "Count", "stream": true });
        let text = server.complete(body.clone()).await.text();
        let events: Vec<serde_json::Value> = text
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .map(|event| serde_json::from_str(event).unwrap_or_else(|e| panic!("{e}: {event}")))
            .collect();
        let (last, others) = events.split_last().unwrap();
        let shown: String = others
            .iter()
            .map(|e| e["choices"][0]["text"].as_str().unwrap())
            .collect();
        assert_eq!(shown, " one two");
        let said = last["error"]["message"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
        assert_eq!(last["error"]["type"], "server_error");
        assert_eq!(good.calls(), 0);
        // Asked for whole, the client gets the status.
        let body = json!({ "model": PLAIN, "prompt": "Count" });
        assert_eq!(server.complete(body).await.status, 503);
        server.stop().await;
    }
}

// GIVEN a request that an upstream refuses as such
// WHEN it comes
// THEN no other is asked, and the client gets 400
#[tokio::test]
async fn a_refused_request_is_not_passed_on() {
    let first = Scripted::new(0, &[Step::Fail(FailureKind::Invalid)]);
    let second = Scripted::new(0, &[Step::Say("x")]);
    let server = with(vec![first, second.clone()], limits()).await;
    for stream in [false, true] {
        let body = json!({ "model": PLAIN, "prompt": "a", "stream": stream });
        server.complete(body).await.error(400, "invalid_value", "");
    }
    assert_eq!(second.calls(), 0);
    server.stop().await;
}

// GIVEN a first token that is long in coming
// WHEN a stream is asked for
// THEN it begins with comments, so that nobody closes the connection, and then the tokens come
#[tokio::test]
async fn a_long_wait_is_kept_alive() {
    let slow = Scripted::new(
        0,
        &[
            Step::Pause(Duration::from_millis(3_500)),
            Step::Say(" late"),
        ],
    );
    let limits = Limits {
        status_wait: Duration::from_secs(1),
        keep_alive: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = with(vec![slow], limits).await;
    let body = json!({ "model": PLAIN, "prompt": "a", "stream": true });
    let reply = server.complete(body).await;
    assert!(
        reply.text().starts_with(": keep-alive\n\n"),
        "{}",
        reply.text()
    );
    let text: String = reply
        .events()
        .iter()
        .map(|e| e["choices"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(text, " late");
    server.stop().await;
}

// GIVEN an upstream that sends more tokens than were asked for
// WHEN a completion is asked for
// THEN they are refused
#[tokio::test]
async fn more_tokens_than_asked_for_are_refused() {
    let server = with(vec![Scripted::new(0, &[Step::Slowly(50)])], limits()).await;
    let body = json!({ "model": PLAIN, "prompt": "a", "max_tokens": 10 });
    let said = server.complete(body).await.error(500, "internal_error", "");
    assert!(said.contains("more tokens"), "{said}");
    server.stop().await;
}
