//! Draws without a relay chain: seeds come with every block, out of the operating system.

mod common;

use chasqui_runtime::{randomness, Runtime};
use common::Node;
use parity_scale_codec::Decode;
use std::collections::BTreeSet;

#[test]
fn every_block_brings_a_seed_that_was_not_known_before() {
    // GIVEN a development node
    let mut node = Node::start(&["--dev"]);
    let parents = |node: &Node| -> Vec<u32> {
        node.storage(&randomness::Parents::<Runtime>::hashed_key())
            .map(|bytes| Decode::decode(&mut &bytes[..]).unwrap())
            .unwrap_or_default()
    };
    // WHEN several blocks share a slot of the relay chain
    node.wait_for_block(10);
    // THEN each has a relay parent of its own
    let seen = parents(&node);
    assert!(
        seen.len() >= 10 && seen.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seen:?}"
    );
    // AND a seed of its own
    let seeds: BTreeSet<_> = seen
        .iter()
        .filter_map(|parent| node.storage(&randomness::Seeds::<Runtime>::hashed_key_for(parent)))
        .collect();
    assert!(
        seeds.len() + 1 >= seen.len(),
        "{} seeds of {}",
        seeds.len(),
        seen.len()
    );

    // AND another network draws otherwise, though it started from the same genesis
    let mut other = Node::start(&["--dev"]);
    other.wait_for_block(3);
    assert_eq!(other.hash(0), node.hash(0));
    for parent in parents(&other) {
        let key = randomness::Seeds::<Runtime>::hashed_key_for(parent);
        if let Some(seed) = other.storage(&key) {
            assert!(!seeds.contains(&seed));
        }
    }
}
