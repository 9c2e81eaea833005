//! API keys and their budgets.

use chasqui_gateway::keys::{new_key, KeyError};
use chasqui_gateway::{Keyring, Limits, Options};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::scripted::{Scripted, Step};
use super::server::{plain, start, Server, KEY, PLAIN};

fn entry(rest: &str) -> String {
    let hash = hex::encode(Sha256::digest(KEY));
    format!("[[keys]]\nname = \"test\"\nsha256 = \"{hash}\"\n{rest}\n")
}

async fn priced(budget: &str, steps: &[Step]) -> (Server, std::sync::Arc<Scripted>) {
    // A hundredth of a DOT a token.
    let scripted = Scripted::new(100_000_000, steps);
    let server = start(Options {
        upstreams: vec![scripted.clone()],
        keys: Keyring::from_toml(&entry(&format!("budget = \"{budget}\""))).unwrap(),
        limits: Limits::default(),
        live: None,
    })
    .await;
    (server, scripted)
}

// GIVEN no key, a wrong one, another scheme, and bytes that are no text
// WHEN a request comes with it
// THEN it is refused with 401 before anything else, and the right key is taken in any case of `Bearer`
#[tokio::test]
async fn requests_need_a_key() {
    let server = plain().await;
    let long = format!("Bearer {}", "x".repeat(5_000));
    for header in [
        None,
        Some("Bearer sk-wrong"),
        Some("Bearer "),
        Some("Basic abc"),
        Some("ü"),
        Some(&*long),
    ] {
        for (method, path) in [
            ("GET", "/v1/models"),
            ("POST", "/v1/completions"),
            ("POST", "/v1/embeddings"),
        ] {
            let headers: Vec<(&str, &str)> = header
                .iter()
                .map(|value| ("authorization", *value))
                .collect();
            let reply = server.send(method, path, &headers, "not json").await;
            reply.error(401, "invalid_api_key", "");
            assert_eq!(reply.header("www-authenticate"), "Bearer");
        }
    }
    for right in [format!("Bearer {KEY}"), format!("bearer {KEY}")] {
        let reply = server
            .send("GET", "/v1/models", &[("authorization", &right)], "")
            .await;
        assert_eq!(reply.status, 200);
    }
    // What shows no secret needs none.
    for path in ["/", "/health", "/metrics"] {
        assert_eq!(
            server.send("GET", path, &[], "").await.status,
            200,
            "{path}"
        );
    }
    server.stop().await;
}

// GIVEN a budget that pays for one small request
// WHEN a request may cost more, when one is paid, and when the next comes
// THEN only what was computed is charged, and the rest is refused with what is left
#[tokio::test]
async fn a_budget_is_kept() {
    let (server, scripted) = priced("0.3", &[Step::Say(" yes.")]).await;
    let ask = |tokens: u32| {
        server.complete(json!({ "model": PLAIN, "prompt": "Once", "max_tokens": tokens }))
    };
    let reply = ask(100).await;
    let said = reply.error(429, "insufficient_quota", "");
    assert!(
        said.contains("0.3 DOT") && said.contains("max_tokens"),
        "{said}"
    );
    assert_eq!(reply.header("x-should-retry"), "false");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() <= 86_400);
    assert_eq!(scripted.calls(), 0);

    let first = ask(20).await.json();
    let price: u128 = first["chasqui"]["price"].as_str().unwrap().parse().unwrap();
    let tokens = first["usage"]["total_tokens"].as_u64().unwrap();
    assert_eq!(price, u128::from(tokens) * 100_000_000);
    assert_eq!(server.gateway.models(None).len(), 1);
    ask(20).await.json();
    let mut answers = 2;
    while ask(5).await.status == 200 {
        answers += 1;
    }
    // 30 tokens are paid for, and every answer had as many as the first.
    assert!(
        u64::from(answers as u32) * tokens <= 30,
        "{answers} answers of {tokens}"
    );
    ask(5).await.error(429, "insufficient_quota", "");
    let spent = server.metric("spend_dot_total").await;
    assert!((spent - answers as f64 * tokens as f64 / 100.0).abs() < 1e-9);
    server.stop().await;
}

// GIVEN an upstream that fails before a token
// WHEN a request with a budget for only one ends so, again and again
// THEN nothing is charged
#[tokio::test]
async fn a_failure_before_the_first_token_is_free() {
    let (server, scripted) = priced("0.3", &[Step::Vanish]).await;
    for _ in 0..5 {
        let body = json!({ "model": PLAIN, "prompt": "Once", "max_tokens": 20 });
        server.complete(body).await.error(503, "unavailable", "");
    }
    assert_eq!(scripted.calls(), 5);
    assert_eq!(server.metric("spend_dot_total").await, 0.0);
    server.stop().await;
}

// GIVEN a gateway that keeps its spending in a file
// WHEN it is stopped after a charge and started again, and when the file is damaged
// THEN the budget goes on where it was; damage is an error that names the remedy
#[tokio::test]
async fn spending_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spending.json");
    let ring = || Keyring::from_toml(&entry("budget = \"1\"")).unwrap();
    let mut spent = Vec::new();
    for _ in 0..2 {
        let server = start(Options {
            upstreams: vec![Scripted::new(100_000_000, &[Step::Say(" yes.")])],
            keys: ring().keep_spending(&file).unwrap(),
            limits: Limits::default(),
            live: None,
        })
        .await;
        let body = json!({ "model": PLAIN, "prompt": "Once", "max_tokens": 20 });
        assert_eq!(server.complete(body).await.status, 200);
        server.stop().await;
        let kept: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let planck: u64 = kept["spent"]["test"].as_str().unwrap().parse().unwrap();
        spent.push(planck);
    }
    assert_eq!(spent[1], 2 * spent[0]);
    // Yesterday's spending is over.
    std::fs::write(
        &file,
        "{\"day\":1,\"spent\":{\"test\":\"5\",\"gone\":\"7\"}}",
    )
    .unwrap();
    let ring_today = ring().keep_spending(&file).unwrap();
    assert_eq!(ring_today.keys()[0].spent(), 0);
    for damaged in ["", "{", "{\"day\":1,\"spent\":{\"test\":\"much\"}}", "[1]"] {
        std::fs::write(&file, damaged).unwrap();
        let error = ring().keep_spending(&file).unwrap_err().to_string();
        assert!(
            error.contains("spending.json") && error.contains("delete the file"),
            "{error}"
        );
    }
    let nowhere = folder.path().join("none").join("spending.json");
    let error = ring().keep_spending(&nowhere).unwrap_err();
    assert!(matches!(error, KeyError::Write { .. }), "{error}");
}

// GIVEN key files that are damaged in every way
// WHEN they are read
// THEN each error says which entry and field, and what to give
#[test]
fn a_damaged_key_file_is_named() {
    let twice = format!("{}{}", entry(""), entry(""));
    let same_hash = format!(
        "{}{}",
        entry(""),
        entry("").replace("\"test\"", "\"other\"")
    );
    for (text, words) in [
        ("", "keys"),
        ("keys = []", "1 to"),
        ("[[keys]]\nname = \"a\"", "sha256"),
        ("[[keys]]\nname = \"a\"\nsha256 = \"12\"", "64 hexadecimal"),
        (&*entry("colour = 1"), "colour"),
        (&*entry("budget = \"much\""), "`budget` is 'much'"),
        (&*entry("budget = \"-1\""), "`budget`"),
        (&*entry("concurrent = 0"), "`concurrent` is 0"),
        (&*entry("models = []"), "`models` is empty"),
        (&*entry("").replace("\"test\"", "\"a b\""), "`name`"),
        (&*twice, "two [[keys]] have the name 'test'"),
        (&*same_hash, "'other' has another key's"),
    ] {
        let error = Keyring::from_toml(text).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = Keyring::from_file(&folder.path().join("none.toml")).unwrap_err();
    assert!(matches!(missing, KeyError::Read { .. }) && missing.to_string().contains("none.toml"));
    let binary = folder.path().join("keys.toml");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    assert!(Keyring::from_file(&binary)
        .unwrap_err()
        .to_string()
        .contains("UTF-8"));
}

// GIVEN a new key
// WHEN its hash stands in a file
// THEN the key is taken, and no two new keys are the same
#[test]
fn a_new_key_fits_its_hash() {
    let (key, sha256) = new_key().unwrap();
    let ring =
        Keyring::from_toml(&format!("[[keys]]\nname = \"a\"\nsha256 = \"{sha256}\"\n")).unwrap();
    assert_eq!(
        ring.authenticate(Some(&format!("Bearer {key}")))
            .unwrap()
            .name,
        "a"
    );
    assert!(ring.authenticate(Some(&format!("Bearer {key}x"))).is_err());
    assert_ne!(new_key().unwrap().0, key);
}
