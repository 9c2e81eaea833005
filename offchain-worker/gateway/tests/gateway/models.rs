//! The models that are there.

use serde_json::json;

use super::server::{plain, start, MODEL, PLAIN};
use chasqui_gateway::{Keyring, Limits, Options};
use sha2::{Digest, Sha256};

// GIVEN two models, one with a slash in its name
// WHEN they are listed and asked for by name, escaped or not
// THEN they are there, in OpenAI's shape
#[tokio::test]
async fn models_are_listed_and_found_by_name() {
    let server = plain().await;
    let list = server.get("/v1/models").await.json();
    assert_eq!(list["object"], "list");
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [MODEL, PLAIN]);
    for path in ["/v1/models/tales/chat", "/v1/models/tales%2Fchat"] {
        let model = server.get(path).await.json();
        assert_eq!(model, list["data"][0], "{path}");
        assert_eq!(model["object"], "model");
        assert_eq!(model["owned_by"], "local");
        assert!(model["created"].is_u64());
        assert_eq!(model["chasqui"]["context"], 512);
    }
    server.stop().await;
}

// GIVEN a name that no model has
// WHEN it is asked for in any way
// THEN the error is a 404 that lists the models there are
#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let server = plain().await;
    let replies = [
        server.get("/v1/models/gpt-4o").await,
        server
            .complete(json!({ "model": "gpt-4o", "prompt": "a" }))
            .await,
        server
            .post(
                "/v1/embeddings",
                &json!({ "model": "gpt-4o", "input": "a" }),
            )
            .await,
    ];
    for reply in replies {
        let said = reply.error(404, "model_not_found", "model");
        assert!(said.contains("gpt-4o") && said.contains(MODEL), "{said}");
    }
    server.complete(json!({ "prompt": "a" })).await.error(
        400,
        "missing_required_parameter",
        "model",
    );
    server
        .complete(json!({ "model": 5, "prompt": "a" }))
        .await
        .error(400, "invalid_type", "model");
    server.stop().await;
}

// GIVEN a key for one model
// WHEN it lists models and asks for another
// THEN there is only that one for it
#[tokio::test]
async fn a_key_sees_its_own_models() {
    let hash = hex::encode(Sha256::digest(super::server::KEY));
    let keys = format!("[[keys]]\nname = \"one\"\nsha256 = \"{hash}\"\nmodels = [\"{PLAIN}\"]\n");
    let server = start(Options {
        upstreams: vec![super::server::local()],
        keys: Keyring::from_toml(&keys).unwrap(),
        limits: Limits::default(),
        live: None,
    })
    .await;
    let list = server.get("/v1/models").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let said = server
        .chat(json!({ "model": MODEL, "messages": [] }))
        .await
        .error(404, "model_not_found", "model");
    assert!(said.ends_with("there are: tales."), "{said}");
    server.stop().await;
}
