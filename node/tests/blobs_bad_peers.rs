//! Peers that lie, boast, stall or die hold nothing up.

mod common;

use common::blobs::{author, bytes, follower, BlobNode};
use serde_json::json;
use tempfile::TempDir;

fn dirs<const N: usize>() -> [TempDir; N] {
    std::array::from_fn(|_| TempDir::new().expect("a folder"))
}

fn whole(node: &BlobNode, root: &str, data: &[u8]) {
    assert!(std::fs::read(node.file(root)).expect("the blob") == data);
}

#[test]
fn a_blob_comes_whole_beside_a_liar_and_a_peer_that_dies_midway() {
    // GIVEN three holders: an honest one, one that lies, one that dies after a few chunks
    let dirs: [TempDir; 4] = dirs();
    let data = bytes(24 << 20, 2);
    let honest = author(&dirs[0], &[]);
    let liar = follower(&dirs[1], &[&honest], &["--blob-fault", "lie"]);
    let dying = follower(&dirs[2], &[&honest], &["--blob-fault", "die-after:3"]);
    let root = honest.put(&data);
    for holder in [&liar, &dying] {
        assert_eq!(holder.put(&data), root);
    }
    // WHEN a fourth node fetches
    let mut wants = follower(&dirs[3], &[&honest, &liar, &dying], &[]);
    wants.hears_of(&root, 3);
    let over = wants.fetch(&root, json!(null));
    // THEN the blob is whole
    assert_eq!(over["state"], "done", "{over}\n{}", wants.node.log());
    whole(&wants, &root, &data);
    // AND the lie was seen
    assert!(
        wants.node.log().contains("sent a false chunk"),
        "{}",
        wants.node.log()
    );
}

#[test]
fn a_peer_that_lacks_what_it_announces_costs_only_time() {
    // GIVEN a peer that announces whatever others announce
    let dirs: [TempDir; 3] = dirs();
    let data = bytes(3 << 20, 3);
    let honest = author(&dirs[0], &[]);
    let root = honest.put(&data);
    let boaster = follower(&dirs[1], &[&honest], &["--blob-fault", "boast"]);
    let mut wants = follower(&dirs[2], &[&honest, &boaster], &[]);
    wants.hears_of(&root, 2);
    // WHEN the blob is fetched THEN it comes from who has it
    let over = wants.fetch(&root, json!(null));
    assert_eq!(over["state"], "done", "{over}\n{}", wants.node.log());
    assert_eq!(over["peers"], 1);
    whole(&wants, &root, &data);
}

#[test]
fn a_peer_that_never_answers_does_not_hold_a_fetch_up() {
    // GIVEN a peer that takes requests and answers none
    let dirs: [TempDir; 3] = dirs();
    let data = bytes(12 << 20, 4);
    let honest = author(&dirs[0], &[]);
    let root = honest.put(&data);
    let silent = follower(&dirs[1], &[&honest], &["--blob-fault", "stall"]);
    assert_eq!(silent.put(&data), root);
    let mut wants = follower(&dirs[2], &[&honest, &silent], &[]);
    wants.hears_of(&root, 2);
    let began = std::time::Instant::now();
    let over = wants.fetch(&root, json!({ "patience": 40 }));
    // THEN its chunks come from the other long before a request ends by itself
    assert_eq!(over["state"], "done", "{over}\n{}", wants.node.log());
    assert!(began.elapsed() < std::time::Duration::from_secs(40));
    whole(&wants, &root, &data);
}

#[test]
fn a_liar_alone_gives_nothing() {
    let dirs: [TempDir; 2] = dirs();
    let liar = author(&dirs[0], &["--blob-fault", "lie"]);
    let root = liar.put(&bytes(2 << 20, 5));
    let mut wants = follower(&dirs[1], &[&liar], &[]);
    wants.hears_of(&root, 1);
    let over = wants.fetch(&root, json!({ "patience": 3 }));
    assert_eq!(over["state"], "failed");
    let error = over["error"].as_str().unwrap();
    assert!(error.contains("sent a false chunk"), "{error}");
    assert!(!wants.file(&root).exists());
}
