//! Browsers: pages of other origins, and a gateway without keys that must not serve them.

use chasqui_gateway::{Keyring, Limits, Options};

use super::server::{local, plain, start, KEY};

// GIVEN a gateway with keys
// WHEN a page of another origin asks, with and without a preflight
// THEN the browser may read the answer, errors too
#[tokio::test]
async fn with_keys_any_page_may_ask() {
    let server = plain().await;
    let preflight = [
        ("origin", "https://chat.example.org"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization,x-stainless-lang",
        ),
    ];
    let reply = server
        .send("OPTIONS", "/v1/chat/completions", &preflight, "")
        .await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    assert_eq!(
        reply.header("access-control-allow-headers"),
        "authorization,x-stainless-lang"
    );
    assert!(reply
        .header("access-control-allow-methods")
        .contains("POST"));
    let authorization = format!("Bearer {KEY}");
    for headers in [
        vec![
            ("origin", "https://chat.example.org"),
            ("authorization", &*authorization),
        ],
        vec![("origin", "https://chat.example.org")],
    ] {
        let reply = server.send("GET", "/v1/models", &headers, "").await;
        assert_eq!(reply.header("access-control-allow-origin"), "*");
        assert!(reply
            .header("access-control-expose-headers")
            .contains("x-request-id"));
    }
    server.stop().await;
}

// GIVEN a gateway that asks for no key
// WHEN a program of this machine, a page of this machine, a page of another origin, and a name that
// leads here (DNS rebinding) ask
// THEN only those of this machine are served
#[tokio::test]
async fn without_keys_only_this_machine_is_served() {
    let server = start(Options {
        upstreams: vec![local()],
        keys: Keyring::open(4),
        limits: Limits::default(),
        live: None,
    })
    .await;
    for headers in [
        vec![],
        vec![("authorization", "Bearer whatever")],
        vec![("host", "localhost:8080")],
        vec![("origin", "http://localhost:3000")],
        vec![("origin", "http://127.0.0.1:3000"), ("host", "[::1]:8080")],
    ] {
        let reply = server.send("GET", "/v1/models", &headers, "").await;
        assert_eq!(reply.status, 200, "{headers:?}");
    }
    for headers in [
        vec![("origin", "https://evil.example.org")],
        vec![("origin", "null")],
        vec![("host", "evil.example.org")],
        vec![("host", "127.0.0.1.evil.example.org:8080")],
        vec![("origin", "http://localhost.evil.example.org")],
    ] {
        let reply = server.send("POST", "/v1/completions", &headers, "{}").await;
        reply.error(403, "forbidden", "");
        assert_eq!(reply.header("access-control-allow-origin"), "");
    }
    server.stop().await;
}
