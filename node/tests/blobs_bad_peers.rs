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
fn peers_that_lack_what_they_announce_or_never_answer_hold_nothing_up() {
    // GIVEN a peer that announces whatever others announce, and one that takes requests and answers none
    let dirs: [TempDir; 4] = dirs();
    let data = bytes(12 << 20, 3);
    let honest = author(&dirs[0], &[]);
    let root = honest.put(&data);
    let boaster = follower(&dirs[1], &[&honest], &["--blob-fault", "boast"]);
    let silent = follower(&dirs[2], &[&honest], &["--blob-fault", "stall"]);
    assert_eq!(silent.put(&data), root);
    let mut wants = follower(&dirs[3], &[&honest, &boaster, &silent], &[]);
    wants.hears_of(&root, 3);
    // WHEN the blob is fetched
    let began = std::time::Instant::now();
    let over = wants.fetch(&root, json!({ "patience": 40 }));
    // THEN it comes from who has it, long before a request ends by itself
    assert_eq!(over["state"], "done", "{over}\n{}", wants.node.log());
    assert_eq!(over["peers"], 1);
    assert!(began.elapsed() < std::time::Duration::from_secs(50));
    whole(&wants, &root, &data);
}
