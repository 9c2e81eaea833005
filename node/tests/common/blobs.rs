//! Nodes with blobs: what they are given, and how they fetch.

use super::{rpc::Subscription, Node};
use serde_json::{json, Value};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A node with a folder of blobs that outlives it.
pub struct BlobNode {
    pub node: Node,
    pub dir: PathBuf,
}

/// An author of the local chain with its blobs in `dir`.
pub fn author(dir: &TempDir, more: &[&str]) -> BlobNode {
    start(dir, &["--alice", "--sealing", "interval:2000"], more)
}

/// A follower that knows `others`.
pub fn follower(dir: &TempDir, others: &[&BlobNode], more: &[&str]) -> BlobNode {
    let addresses: Vec<String> = others.iter().map(|other| other.node.address()).collect();
    let mut args = vec!["--bootnodes"];
    args.extend(addresses.iter().map(String::as_str));
    start(dir, &args, more)
}

fn start(dir: &TempDir, args: &[&str], more: &[&str]) -> BlobNode {
    let (base, blobs) = (dir.path().join("base"), dir.path().join("blobs"));
    let mut all = vec!["--chain", "local", "--base-path", path(&base)];
    // Peers of one machine are found as well as those of many.
    all.extend([
        "--blob-dir",
        path(&blobs),
        "--allow-private-ip",
        "--discover-local",
    ]);
    all.extend(args);
    all.extend(more);
    BlobNode {
        node: Node::start(&all),
        dir: blobs.clone(),
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Bytes that differ from chunk to chunk and from seed to seed.
pub fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

impl BlobNode {
    /// Gives the node a blob; returns its root.
    pub fn put(&self, bytes: &[u8]) -> String {
        std::fs::write(self.dir.join("inbox/given"), bytes).expect("a file in the inbox");
        let view = self.node.call("blobs_put", json!(["given"]));
        view["root"].as_str().expect("a root").into()
    }

    /// Where the blob's bytes lie once they are whole.
    pub fn file(&self, root: &str) -> PathBuf {
        let name = root.trim_start_matches("0x");
        self.dir.join(format!("{name}.blob"))
    }

    /// Waits until so many peers announce the blob.
    pub fn hears_of(&mut self, root: &str, holders: u64) {
        self.node.wait("an announcement", |node| {
            let found = node.call("blobs_find", json!([root]));
            (found["holders"].as_u64()? >= holders).then_some(())
        });
    }

    /// Begins a fetch.
    pub fn begin(&self, root: &str, options: Value) -> Subscription {
        Subscription::open(self.node.rpc_port(), "blobs_fetch", json!([root, options]))
            .expect("the node fetches")
    }

    /// Fetches to the end; what the node says last.
    pub fn fetch(&self, root: &str, options: Value) -> Value {
        last(&mut self.begin(root, options))
            .unwrap_or_else(|| panic!("no end:\n{}", self.node.log()))
    }
}

/// The last word on a fetch.
pub fn last(fetch: &mut Subscription) -> Option<Value> {
    loop {
        let item = fetch.next_item()?;
        if matches!(item["state"].as_str(), Some("done" | "failed")) {
            return Some(item);
        }
    }
}
