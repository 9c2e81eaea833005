//! Blobs go from node to node over the chain's own network.

mod common;

use common::blobs::{author, bytes, follower};
use serde_json::json;
use tempfile::TempDir;

fn twenty_mebibytes_travel(backend: &str) {
    // GIVEN an author with a blob, and a follower
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let stack = ["--network-backend", backend];
    let holder = author(&dirs[0], &stack);
    let data = bytes((20 << 20) + 12_345, 1);
    let root = holder.put(&data);
    let mut wants = follower(&dirs[1], &[&holder], &stack);
    // WHEN the follower hears of it and fetches it
    wants.hears_of(&root, 1);
    let over = wants.fetch(&root, json!({ "pin": true }));
    // THEN it has it, byte by byte, from one peer
    assert_eq!(over["state"], "done", "{over}\n{}", wants.node.log());
    assert_eq!(
        (over["bytes"].as_u64(), over["peers"].as_u64()),
        (Some(data.len() as u64), Some(1))
    );
    assert!(std::fs::read(wants.file(&root)).unwrap() == data);
    // AND hands it out itself, pinned
    let held = &wants.node.call("blobs_find", json!([root]))["held"];
    assert_eq!(held["pinned"], true);
    // AND a second fetch ends at once
    assert_eq!(wants.fetch(&root, json!(null))["state"], "done");
}

#[test]
fn blobs_travel_over_litep2p() {
    twenty_mebibytes_travel("litep2p");
}

#[test]
fn blobs_travel_over_libp2p() {
    twenty_mebibytes_travel("libp2p");
}

#[test]
fn strangers_and_nodes_without_blobs_are_told_so() {
    // GIVEN a node that answers strangers
    let dir = TempDir::new().unwrap();
    let node = author(&dir, &["--rpc-methods", "safe"]);
    let root = format!("0x{}", "11".repeat(32));
    for (method, params) in [
        ("blobs_put", json!(["file"])),
        ("blobs_status", json!([])),
        ("blobs_find", json!([root])),
        ("blobs_pin", json!([root])),
        ("blobs_unpin", json!([root])),
        ("blobs_withdraw", json!([root])),
    ] {
        // THEN each method is denied
        let error = node.node.try_call(method, params).unwrap_err();
        assert!(error.contains("unsafe"), "{method}: {error}");
    }
    let denied =
        common::rpc::Subscription::open(node.node.rpc_port(), "blobs_fetch", json!([root]));
    assert!(denied.is_err_and(|error| error.contains("unsafe")));
    // AND a node without blobs has none of them
    let without = common::Node::start(&["--dev", "--no-blobs"]);
    let error = without.try_call("blobs_status", json!([])).unwrap_err();
    assert!(error.contains("Method not found"), "{error}");
}

#[test]
fn bad_requests_of_a_worker_are_refused_and_lose_nothing() {
    let dir = TempDir::new().unwrap();
    let node = author(&dir, &["--blob-quota", "3M"]);
    std::fs::write(dir.path().join("blobs/secret"), b"secret").unwrap();
    for (file, expected) in [
        ("../secret", "no name of a file"),
        ("absent", "cannot inspect"),
    ] {
        let error = node.node.try_call("blobs_put", json!([file])).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let wrong = json!(["given", format!("0x{}", "22".repeat(32))]);
    std::fs::write(node.dir.join("inbox/given"), b"bytes").unwrap();
    let error = node.node.try_call("blobs_put", wrong).unwrap_err();
    assert!(error.contains("not 0x2222"), "{error}");
    // GIVEN what does not fit
    std::fs::write(node.dir.join("inbox/large"), vec![1; 4 << 20]).unwrap();
    let error = node
        .node
        .try_call("blobs_put", json!(["large"]))
        .unwrap_err();
    assert!(error.contains("--blob-quota"), "{error}");
    // THEN it lies where it lay, and what fits is taken
    assert!(node.dir.join("inbox/large").exists());
    node.put(b"bytes");
    let error = node.node.try_call("blobs_fetch", json!(["0x12"]));
    assert!(error.is_err());
}
