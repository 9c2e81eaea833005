//! Binary Merkle trees over 32-byte leaf hashes.
//!
//! Leaves, inner nodes and the root are hashed under different tags, so a leaf can never be passed
//! off as a node, and the root binds the number of leaves, so a proof fits exactly one position of
//! exactly one tree shape. An odd node at the end of a level is promoted unchanged.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use alloc::vec::Vec;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Domain tag in front of a leaf's bytes.
pub const LEAF_TAG: &[u8] = b"chasqui/merkle/leaf/1";
/// Domain tag in front of two child hashes.
pub const NODE_TAG: &[u8] = b"chasqui/merkle/node/1";
/// Domain tag in front of the leaf count and the top hash.
pub const ROOT_TAG: &[u8] = b"chasqui/merkle/root/1";
/// The root of a tree without leaves.
pub const EMPTY_ROOT: H256 = H256(*b"chasqui/merkle/empty/1\0\0\0\0\0\0\0\0\0\0");

fn hash_parts(parts: &[&[u8]]) -> H256 {
    H256(blake2_256(&parts.concat()))
}

/// Hash of one leaf's bytes.
pub fn leaf_hash(data: &[u8]) -> H256 {
    hash_parts(&[LEAF_TAG, data])
}

/// Hash of an inner node from its two children.
pub fn node_hash(left: &H256, right: &H256) -> H256 {
    hash_parts(&[NODE_TAG, left.as_bytes(), right.as_bytes()])
}

/// The root from the tree's top hash and its number of leaves.
fn root_hash(count: u64, top: &H256) -> H256 {
    hash_parts(&[ROOT_TAG, &count.to_le_bytes(), top.as_bytes()])
}

/// The level above `level`: pairs hashed, an odd last node promoted.
fn parents(level: &[H256]) -> Vec<H256> {
    level
        .chunks(2)
        .filter_map(|pair| match pair {
            [left, right] => Some(node_hash(left, right)),
            [single] => Some(*single),
            _ => None,
        })
        .collect()
}

/// The root of the tree over `leaves` (leaf hashes, in order); [`EMPTY_ROOT`] for none.
pub fn root_of_leaves(leaves: &[H256]) -> H256 {
    let count = leaves.len() as u64;
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = parents(&level);
    }
    level
        .first()
        .map_or(EMPTY_ROOT, |top| root_hash(count, top))
}

/// The proof of the leaf at `index`: its siblings from the bottom up. `None` when out of range.
pub fn prove(leaves: &[H256], index: u64) -> Option<Vec<H256>> {
    let mut position = usize::try_from(index).ok().filter(|i| *i < leaves.len())?;
    let mut level = leaves.to_vec();
    let mut proof = Vec::new();
    while level.len() > 1 {
        if let Some(sibling) = level.get(position ^ 1) {
            proof.push(*sibling);
        }
        level = parents(&level);
        position >>= 1;
    }
    Some(proof)
}

/// Number of siblings that a proof for `index` of `count` leaves has; `None` when out of range.
pub fn proof_len(index: u64, count: u64) -> Option<u32> {
    let mut last = count.checked_sub(1)?;
    if index > last {
        return None;
    }
    let (mut position, mut siblings) = (index, 0u32);
    while last > 0 {
        if position & 1 == 1 || position < last {
            siblings = siblings.saturating_add(1);
        }
        position >>= 1;
        last >>= 1;
    }
    Some(siblings)
}

/// Whether `leaf` is the leaf hash at `index` of the tree of `count` leaves under `root`.
///
/// The proof must hold exactly the siblings that `(index, count)` calls for, no more and no fewer.
/// An empty tree has no leaves, so nothing verifies against it.
pub fn verify(root: &H256, leaf: &H256, index: u64, count: u64, proof: &[H256]) -> bool {
    let Some(mut last) = count.checked_sub(1) else {
        return false;
    };
    if index > last {
        return false;
    }
    let mut siblings = proof.iter();
    let mut position = index;
    let mut hash = *leaf;
    while last > 0 {
        // The last node of a level with an even index has no sibling: it was promoted.
        if position & 1 == 1 || position < last {
            let Some(sibling) = siblings.next() else {
                return false;
            };
            hash = if position & 1 == 1 {
                node_hash(sibling, &hash)
            } else {
                node_hash(&hash, sibling)
            };
        }
        position >>= 1;
        last >>= 1;
    }
    siblings.next().is_none() && root_hash(count, &hash) == *root
}
