//! Checks, without a node, what Chasqui's state says of a checkpoint.
//!
//! Another chain, a bridge or a client has the hash of a block of Chasqui (from the relay chain, or from a node that it
//! trusts), the block's header, and the nodes of a storage proof (`state_getReadProof`). [`verify`] says what the
//! registry of checkpoints holds at that block. Nothing of FRAME is needed, nor any of Chasqui's own crates:
//! `docs/state-proofs.md` says what the bytes mean, and a test of the runtime keeps them as they are.

#![cfg_attr(not(feature = "std"), no_std)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

extern crate alloc;

use alloc::vec::Vec;
use parity_scale_codec::{Compact, Decode, DecodeAll, Encode};
use sp_core::{Blake2Hasher, H256};
use sp_crypto_hashing::{blake2_256, twox_128};
use sp_trie::{read_trie_value, LayoutV1, StorageProof};

/// Most bytes of a proof; an honest one has less than a tenth.
pub const MAX_PROOF_BYTES: usize = 256 * 1024;

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The header is not the one with that hash.
    WrongHeader,
    /// The header does not decode.
    BadHeader,
    /// The proof has more than [`MAX_PROOF_BYTES`] bytes.
    TooLarge,
    /// The proof's nodes do not lead from the header's state to the entry, or to where it would be.
    BadProof,
    /// The entry has another layout than this verifier knows.
    BadEntry,
}

/// How far a checkpoint's way to being served has come, as its number on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Status {
    /// Validators measure thresholds.
    #[codec(index = 0)]
    Calibrating,
    /// Too few did; its proposer may try again.
    #[codec(index = 1)]
    Stalled,
    /// Thresholds are known; it waits to be accepted.
    #[codec(index = 2)]
    Calibrated,
    /// Takes payment.
    #[codec(index = 3)]
    Accepted,
    /// Takes no more payment.
    #[codec(index = 4)]
    Retired,
}

/// Limits on how an honest replay may differ. Units: millionths of a logit, but for the share of tokens that differ
/// (parts per million) and the distance of fingerprints (thousandths).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Limits {
    pub mean_margin_micro: u32,
    pub max_margin_micro: u32,
    pub mismatch_ppm: u32,
    pub fingerprint_milli: u32,
}

/// What audits of a checkpoint's outputs go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Thresholds {
    pub boundary_micro: u32,
    pub clip_micro: u32,
    pub soft: Limits,
    pub hard: Limits,
    pub evidence_tau: u32,
}

/// A checkpoint as the registry holds it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// UTF-8.
    pub name: Vec<u8>,
    /// The registered checkpoint that it was trained from.
    pub parent: Option<H256>,
    /// For an adapter, the checkpoint whose files it needs.
    pub base: Option<H256>,
    /// Numeric profile: 0 f32, 1 f16, 2 bf16, 3 int8.
    pub profile: u8,
    pub vocabulary: u32,
    /// Longest prompt plus output, in tokens.
    pub context_tokens: u32,
    pub end_tokens: Vec<u32>,
    pub has_tokenizer: bool,
    /// Units of compute for a token of the prompt.
    pub units_per_prompt_token: u32,
    /// Units of compute for a token of the output.
    pub units_per_output_token: u32,
    pub size_bytes: u64,
    /// SPDX identifier.
    pub licence: Vec<u8>,
    pub proposer: Option<[u8; 32]>,
    /// In planck.
    pub deposit: u128,
    pub status: Status,
    pub thresholds: Option<Thresholds>,
    /// Block number.
    pub proposed_at: u32,
}

/// Where the registry keeps the checkpoint `root`: the hashed names of pallet and map, then the root as it is.
pub fn registry_key(root: &H256) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    key.extend(twox_128(b"Checkpoints"));
    key.extend(twox_128(b"Registry"));
    key.extend(root.as_bytes());
    key
}

/// The state root in `header`, the SCALE bytes of the block header whose hash is `block`.
pub fn state_root(block: &H256, header: &[u8]) -> Result<H256, Error> {
    if blake2_256(header) != block.0 {
        return Err(Error::WrongHeader);
    }
    // Parent, number, state root; what follows does not matter here.
    let mut rest = header;
    let (_, _, root) =
        <(H256, Compact<u32>, H256)>::decode(&mut rest).map_err(|_| Error::BadHeader)?;
    Ok(root)
}

/// What the storage under `root` has at `key`, by the trie nodes `proof`.
pub fn read(root: &H256, proof: &[Vec<u8>], key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let bytes = proof
        .iter()
        .fold(0usize, |sum, node| sum.saturating_add(node.len()));
    if bytes > MAX_PROOF_BYTES {
        return Err(Error::TooLarge);
    }
    let nodes = StorageProof::new(proof.iter().cloned()).into_memory_db::<Blake2Hasher>();
    read_trie_value::<LayoutV1<Blake2Hasher>, _>(&nodes, root, key, None, None)
        .map_err(|_| Error::BadProof)
}

/// What the registry holds of checkpoint `root` at block `block`; `None`: it is proven not to be there.
///
/// `header` is the block's header in SCALE, `proof` what `state_getReadProof` gives for [`registry_key`].
pub fn verify(
    block: &H256,
    header: &[u8],
    proof: &[Vec<u8>],
    root: &H256,
) -> Result<Option<Checkpoint>, Error> {
    let state = state_root(block, header)?;
    read(&state, proof, &registry_key(root))?
        .map(|bytes| Checkpoint::decode_all(&mut &bytes[..]).map_err(|_| Error::BadEntry))
        .transpose()
}
