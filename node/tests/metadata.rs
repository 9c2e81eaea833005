//! The committed metadata, which the worker's client is generated from, is this runtime's.

mod common;

use common::{from_hex, Node};
use parity_scale_codec::Decode;
use serde_json::json;
use std::path::Path;

/// Set to write the file instead of comparing it.
const WRITE: &str = "CHASQUI_WRITE_METADATA";

#[test]
fn committed_metadata_is_the_runtimes() {
    // GIVEN the runtime's metadata, in the newest version that clients read, as the WASM has it
    let node = Node::start(&["--dev"]);
    let answer = node.call(
        "state_call",
        json!(["Metadata_metadata_at_version", "0x10000000"]),
    );
    let answer = from_hex(answer.as_str().expect("hexadecimal"));
    let metadata: Vec<u8> = Option::decode(&mut &answer[..])
        .expect("optional bytes")
        .expect("the runtime has metadata V16");
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../offchain-worker/chain/metadata.scale");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &metadata).expect("the file can be written");
    }
    // THEN it is what lies beside the client
    let committed = std::fs::read(&path).expect("the file can be read");
    assert!(
        committed == metadata,
        "the runtime has changed: run this test with {WRITE}=1 and commit {}",
        path.display()
    );
}
