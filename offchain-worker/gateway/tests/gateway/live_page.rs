//! The live page, its events, health and metrics.

use std::sync::Arc;
use std::time::Duration;

use chasqui_gateway::live::{ChainUpdate, Happening, Head, OperatorStanding};
use chasqui_gateway::{Limits, LiveFeed, Options};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::Response;
use serde_json::{json, Value};

use super::server::{keyring, local, plain, start, with, MODEL, PLAIN};

/// Reads named events one by one.
struct Events {
    response: Response<Incoming>,
    text: String,
}

impl Events {
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (name, data) = event.split_once('\n').unwrap();
                let name = name.strip_prefix("event: ").unwrap().to_string();
                let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                self.text = rest.to_string();
                return (name, data);
            }
            let frame = self.response.body_mut().frame();
            let frame = tokio::time::timeout(Duration::from_secs(10), frame)
                .await
                .unwrap();
            let data = frame.unwrap().unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }

    async fn named(&mut self, wanted: &str) -> Value {
        loop {
            let (name, data) = self.next().await;
            if name == wanted {
                return data;
            }
        }
    }
}

// GIVEN a gateway
// WHEN its page is fetched
// THEN it is one file that names no other host and may load nothing else
#[tokio::test]
async fn the_page_is_one_file() {
    let server = plain().await;
    let reply = server.send("GET", "/", &[], "").await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").starts_with("text/html"));
    assert!(reply
        .header("content-security-policy")
        .starts_with("default-src 'none'"));
    let page = reply.text();
    let known = ["http://www.w3.org/2000/svg"];
    let urls = page
        .split(['"', '\'', '`', ' ', '('])
        .filter(|word| word.contains("://"));
    for url in urls {
        assert!(known.contains(&url), "the page names {url}");
    }
    assert!(!page.contains("src=") && !page.contains("@import") && !page.contains("innerHTML"));
    server.stop().await;
}

// GIVEN a gateway without a chain
// WHEN somebody watches while a completion is made
// THEN the numbers come every second and count it
#[tokio::test]
async fn the_gateway_s_own_numbers_come_every_second() {
    let server = plain().await;
    let response = server.send_events().await;
    let mut events = Events {
        response,
        text: String::new(),
    };
    let first = events.named("gateway").await;
    assert_eq!(first["requests"], 0);
    assert_eq!(first["models"][MODEL]["generations"], 0);
    let body = json!({ "model": PLAIN, "prompt": "Once", "max_tokens": 20, "temperature": 0, "ignore_eos": true });
    assert_eq!(server.complete(body).await.status, 200);
    assert_eq!(server.complete(json!({})).await.status, 400);
    let mut now = json!(null);
    for _ in 0..10 {
        now = events.named("gateway").await;
        let counts = now["tokens_per_second"].as_array().unwrap();
        let sum: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
        // They may fall into two seconds, of which the second is still running.
        assert!(sum <= 20);
        if sum == 20 {
            break;
        }
    }
    let counts = now["tokens_per_second"].as_array().unwrap();
    let sum: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(sum, 20);
    assert_eq!((&now["requests"], &now["errors"]), (&json!(2), &json!(1)));
    assert_eq!(now["models"][PLAIN]["output_tokens"], 20);
    assert_eq!(now["spend"], "0 DOT");
    server.stop().await;
}

// GIVEN a feed of the chain
// WHEN somebody watches
// THEN the state comes first, then every change as it happens
#[tokio::test]
async fn the_chain_is_shown_where_somebody_follows_it() {
    let feed = Arc::new(LiveFeed::default());
    let head = |block| Head {
        block,
        epoch: 3,
        epoch_block: 5,
        epoch_blocks: 10,
    };
    feed.publish(ChainUpdate::Head(head(41)));
    feed.publish(ChainUpdate::Operator(OperatorStanding {
        operator: "5Fine".into(),
        roles: "compute".into(),
        reputation_permille: 250,
        bond: "10000000000000".into(),
        status: "active".into(),
    }));
    let server = start(Options {
        upstreams: vec![local()],
        keys: keyring(),
        limits: Limits::default(),
        live: Some(feed.clone()),
    })
    .await;
    let response = server.send_events().await;
    let mut events = Events {
        response,
        text: String::new(),
    };
    let chain = events.named("chain").await;
    assert_eq!(chain["head"]["block"], 41);
    assert_eq!(chain["operators"][0]["operator"], "5Fine");
    feed.publish(ChainUpdate::Head(head(42)));
    feed.publish(ChainUpdate::Slash(Happening {
        block: 42,
        operator: "5Bad".into(),
        what: "false result".into(),
        amount: Some("5".into()),
    }));
    let update = events.named("update").await;
    assert_eq!(
        (&update["kind"], &update["value"]["block"]),
        (&json!("head"), &json!(42))
    );
    let update = events.named("update").await;
    assert_eq!(
        (&update["kind"], &update["value"]["operator"]),
        (&json!("slash"), &json!("5Bad"))
    );
    server.stop().await;
}

// GIVEN as many viewers as are allowed
// WHEN another comes, and when one goes
// THEN the first is told so, and then there is a place
#[tokio::test]
async fn viewers_are_bounded() {
    let limits = Limits {
        viewers: 1,
        ..Limits::default()
    };
    let server = with(vec![local()], limits).await;
    let first = server.send_events().await;
    let reply = server.get("/events").await;
    assert!(reply.error(503, "unavailable", "").contains("1 viewers"));
    drop(first);
    for attempt in 0.. {
        let response = server.send_events().await;
        if response.status() == 200 {
            break;
        }
        assert!(attempt < 100);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
}

// GIVEN some requests
// WHEN metrics and health are read
// THEN they are counted by endpoint and status, clients' paths are not names, and health is well
#[tokio::test]
async fn metrics_and_health_tell_how_it_goes() {
    let server = plain().await;
    assert_eq!(
        server.get("/health").await.json(),
        json!({ "status": "ok", "models": 2 })
    );
    server
        .complete(json!({ "model": PLAIN, "prompt": "Once", "max_tokens": 4 }))
        .await;
    server.complete(json!({})).await;
    server.get("/made/up/path").await;
    let count = |endpoint: &str, status: u16| {
        format!("requests_total{{endpoint=\"{endpoint}\",status=\"{status}\"}}")
    };
    assert_eq!(server.metric(&count("/v1/completions", 200)).await, 1.0);
    assert_eq!(server.metric(&count("/v1/completions", 400)).await, 1.0);
    assert_eq!(server.metric(&count("other", 404)).await, 1.0);
    assert_eq!(
        server
            .metric(&format!("first_token_seconds_count{{model=\"{PLAIN}\"}}"))
            .await,
        1.0
    );
    assert!(!server.get("/metrics").await.text().contains("made/up"));
    server.stop().await;
}
