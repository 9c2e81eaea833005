//! The runtime of a development chain can be replaced while it runs.

mod common;

use chasqui_runtime::{RuntimeCall, VERSION, WASM_BINARY};
use common::Node;
use parity_scale_codec::Encode;
use serde_json::json;
use sp_keyring::Sr25519Keyring;

/// The runtime with a spec version one higher in the section that nodes read it from, compressed
/// as a release would be.
fn next_runtime() -> Vec<u8> {
    let mut code = WASM_BINARY.expect("built with WASM").to_vec();
    let head = |spec| {
        (
            &VERSION.spec_name,
            &VERSION.impl_name,
            VERSION.authoring_version,
            spec,
        )
    };
    let (old, new) = (
        head(VERSION.spec_version).encode(),
        head(VERSION.spec_version + 1).encode(),
    );
    let at = code
        .windows(old.len())
        .position(|window| window == old)
        .expect("the version lies in a section of its own");
    code[at..at + new.len()].copy_from_slice(&new);
    sp_maybe_compressed_blob::compress_weakly(&code, sp_maybe_compressed_blob::CODE_BLOB_BOMB_LIMIT)
        .expect("it compresses")
}

#[test]
fn root_replaces_the_runtime() {
    // GIVEN a development node
    let mut node = Node::start(&["--dev"]);
    node.wait_for_block(1);
    let version =
        |node: &Node| node.call("state_getRuntimeVersion", json!([]))["specVersion"].clone();
    assert_eq!(version(&node), VERSION.spec_version);
    // WHEN root sets new code
    let code = next_runtime();
    let set_code = RuntimeCall::System(frame_system::Call::set_code { code: code.clone() });
    node.submit(
        &Sr25519Keyring::Alice.pair(),
        RuntimeCall::Sudo(pallet_sudo::Call::sudo {
            call: Box::new(set_code),
        }),
    );
    // THEN the chain gets permission, applies it, and goes on with it
    node.wait("the upgrade", |node| {
        (version(node) == VERSION.spec_version + 1).then_some(())
    });
    assert_eq!(
        node.storage(sp_core::storage::well_known_keys::CODE),
        Some(code)
    );
    let height = node.best();
    node.wait_for_block(height + 3);
}
