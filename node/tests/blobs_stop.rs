//! Fetches that cannot end, that are stopped, and disks and quotas that are full.

mod common;

use common::blobs::{author, bytes, follower};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn a_root_that_nobody_has_ends_in_a_clear_error() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let other = author(&dirs[0], &[]);
    let mut wants = follower(&dirs[1], &[&other], &[]);
    let peers = |node: &common::Node| node.call("blobs_status", json!([]))["peers"].as_u64();
    wants
        .node
        .wait("a peer", |node| (peers(node)? > 0).then_some(()));
    let root = format!("0x{}", "ab".repeat(32));
    let over = wants.fetch(&root, json!({ "patience": 2 }));
    let error = over["error"].as_str().unwrap();
    assert!(
        error.contains(&root) && error.contains("no peer has it"),
        "{error}"
    );
    assert!(error.contains("does not hold it"), "{error}");
}

#[test]
fn a_node_that_is_killed_midway_goes_on_where_it_was() {
    // GIVEN a holder that gives 4 MiB a second
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let holder = author(&dirs[0], &["--blob-rate", "4M"]);
    let data = bytes(24 << 20, 6);
    let root = holder.put(&data);
    let mut wants = follower(&dirs[1], &[&holder], &[]);
    wants.hears_of(&root, 1);
    // WHEN the node that fetches is killed in the middle
    let mut fetch = wants.begin(&root, json!(null));
    let before = loop {
        let item = fetch.next_item().expect("it goes on");
        let bytes = item["bytes"].as_u64().unwrap();
        assert_ne!(item["state"], "done", "it was too quick to be killed");
        if bytes >= 8 << 20 {
            break bytes;
        }
    };
    wants.node.kill();
    // THEN nothing is there under the blob's name
    let name = format!("{}.blob", root.trim_start_matches("0x"));
    assert!(!dirs[1].path().join("blobs").join(&name).exists());
    // AND a restarted node begins with what had come
    let mut wants = follower(&dirs[1], &[&holder], &[]);
    wants.hears_of(&root, 1);
    let mut fetch = wants.begin(&root, json!(null));
    let first = loop {
        let item = fetch.next_item().expect("it goes on");
        if item["total"].is_u64() {
            break item["bytes"].as_u64().unwrap();
        }
    };
    // What was on its way to the disk may have been lost.
    assert!(first + (4 << 20) >= before, "{first} after {before}");
    let over = common::blobs::last(&mut fetch).expect("an end");
    assert_eq!(over["state"], "done", "{over}\n{}", wants.node.log());
    assert!(std::fs::read(wants.file(&root)).unwrap() == data);
}

#[test]
fn the_quota_throws_away_what_was_fetched_and_spares_what_is_pinned() {
    // GIVEN three blobs of 4 MiB, and a node with room for two
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let holder = author(&dirs[0], &[]);
    let roots: Vec<String> = (0..3)
        .map(|n| holder.put(&bytes(4 << 20, 10 + n)))
        .collect();
    let mut wants = follower(&dirs[1], &[&holder], &["--blob-quota", "9M"]);
    wants.hears_of(&roots[2], 1);
    // WHEN it fetches all, the first one pinned
    for (root, pin) in roots.iter().zip([true, false, false]) {
        let over = wants.fetch(root, json!({ "pin": pin }));
        assert_eq!(over["state"], "done", "{over}");
    }
    // THEN the second has gone, and the pinned one is there
    assert!(wants.file(&roots[0]).exists() && wants.file(&roots[2]).exists());
    assert!(!wants.file(&roots[1]).exists());
    // AND where all is pinned, the next one is refused with a reason
    wants.node.call("blobs_pin", json!([roots[2]]));
    let over = wants.fetch(&roots[1], json!(null));
    assert!(
        over["error"].as_str().unwrap().contains("--blob-quota"),
        "{over}"
    );
    // AND fits again when one is let go
    wants.node.call("blobs_unpin", json!([roots[0]]));
    assert_eq!(wants.fetch(&roots[1], json!(null))["state"], "done");
    assert!(!wants.file(&roots[0]).exists());
}

#[test]
fn a_full_disk_is_named_and_the_fetch_goes_on_when_there_is_room() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let holder = author(&dirs[0], &[]);
    let data = bytes(8 << 20, 7);
    let root = holder.put(&data);
    // GIVEN a node whose disk is full after three chunks
    let mut wants = follower(&dirs[1], &[&holder], &["--blob-fault", "disk-full-after:3"]);
    wants.hears_of(&root, 1);
    let over = wants.fetch(&root, json!(null));
    let error = over["error"].as_str().unwrap();
    assert!(error.contains("No space left on device"), "{error}");
    assert!(!wants.file(&root).exists());
    wants.node.kill();
    // WHEN there is room again THEN the rest comes
    let mut wants = follower(&dirs[1], &[&holder], &[]);
    wants.hears_of(&root, 1);
    assert_eq!(wants.fetch(&root, json!(null))["state"], "done");
    assert!(std::fs::read(wants.file(&root)).unwrap() == data);
}
