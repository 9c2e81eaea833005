//! The token trace: one fixed-size leaf per output token, which a job's commitment binds.
//!
//! A trace is a blob: its encoding is the plain concatenation of its leaves, and its root is that
//! blob's root with one leaf per chunk, so a single leaf opens with a Merkle proof.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use alloc::vec::Vec;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;

use crate::{
    blob::{self, BlobHasher, BlobInfo},
    merkle,
};

/// Number of quantised random projections of the final hidden state in a fingerprint.
pub const FINGERPRINT_DIMS: usize = 14;
/// Encoded size of a [`TraceLeaf`], in bytes.
pub const TRACE_LEAF_BYTES: usize = 32;

const LEAF_CHUNK: u32 = TRACE_LEAF_BYTES as u32;

/// One output token of a job: its id and the fingerprint of the hidden state that chose it.
///
/// 32 bytes on the wire: the token id, then the 14 projections, all little-endian.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct TraceLeaf {
    /// Token id in the checkpoint's vocabulary.
    pub token: u32,
    /// Quantised projections of the final hidden state.
    pub fingerprint: [i16; FINGERPRINT_DIMS],
}

/// Why bytes are not a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// The length, given here in bytes, is not a multiple of [`TRACE_LEAF_BYTES`].
    UnevenLength(usize),
}

impl core::fmt::Display for TraceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::UnevenLength(len) => {
                write!(
                    f,
                    "a trace of {len} bytes is not a whole number of 32-byte leaves"
                )
            }
        }
    }
}

impl core::error::Error for TraceError {}

impl TraceLeaf {
    /// The leaf's 32 bytes.
    pub fn to_bytes(&self) -> [u8; TRACE_LEAF_BYTES] {
        let mut bytes = [0u8; TRACE_LEAF_BYTES];
        let values = self
            .fingerprint
            .iter()
            .flat_map(|value| value.to_le_bytes());
        for (slot, byte) in bytes
            .iter_mut()
            .zip(self.token.to_le_bytes().into_iter().chain(values))
        {
            *slot = byte;
        }
        bytes
    }

    /// The leaf that 32 bytes stand for; every value is a leaf.
    pub fn from_bytes(bytes: &[u8; TRACE_LEAF_BYTES]) -> Self {
        let (token, values) = bytes.split_at(4);
        let mut fingerprint = [0i16; FINGERPRINT_DIMS];
        for (slot, pair) in fingerprint.iter_mut().zip(values.chunks_exact(2)) {
            *slot = i16::from_le_bytes(pair.try_into().unwrap_or_default());
        }
        Self {
            token: u32::from_le_bytes(token.try_into().unwrap_or_default()),
            fingerprint,
        }
    }
}

/// The trace's bytes: its leaves, one after the other.
pub fn encode_trace(trace: &[TraceLeaf]) -> Vec<u8> {
    trace.iter().flat_map(TraceLeaf::to_bytes).collect()
}

/// The trace in `bytes`; an empty slice is an empty trace.
pub fn decode_trace(bytes: &[u8]) -> Result<Vec<TraceLeaf>, TraceError> {
    let (leaves, rest) = bytes.as_chunks::<TRACE_LEAF_BYTES>();
    if !rest.is_empty() {
        return Err(TraceError::UnevenLength(bytes.len()));
    }
    Ok(leaves.iter().map(TraceLeaf::from_bytes).collect())
}

fn hash_trace(trace: &[TraceLeaf]) -> (BlobInfo, Vec<H256>) {
    let mut hasher = BlobHasher::new(LEAF_CHUNK);
    for leaf in trace {
        hasher.update(&leaf.to_bytes());
    }
    hasher.finish_with_leaves()
}

/// The trace's description as a blob.
pub fn trace_info(trace: &[TraceLeaf]) -> BlobInfo {
    hash_trace(trace).0
}

/// The trace's root: the root of [`encode_trace`]'s bytes with [`TRACE_LEAF_BYTES`] as chunk size.
pub fn trace_root(trace: &[TraceLeaf]) -> H256 {
    trace_info(trace).root()
}

/// What opens the leaf at `index`: the trace's description and the Merkle proof.
/// `None` when out of range.
pub fn prove_leaf(trace: &[TraceLeaf], index: u64) -> Option<(BlobInfo, Vec<H256>)> {
    let (info, leaves) = hash_trace(trace);
    Some((info, merkle::prove(&leaves, index)?))
}

/// Whether `leaf` is the leaf at `index` of the trace named `root`.
///
/// The trace's number of leaves is `info.chunks()`, which the root binds.
pub fn verify_leaf(
    root: &H256,
    info: &BlobInfo,
    index: u64,
    leaf: &TraceLeaf,
    proof: &[H256],
) -> bool {
    info.chunk == LEAF_CHUNK && blob::verify_chunk(root, info, index, &leaf.to_bytes(), proof)
}

/// L1 distance of two fingerprints, in quantisation steps.
pub fn fingerprint_distance(a: &[i16; FINGERPRINT_DIMS], b: &[i16; FINGERPRINT_DIMS]) -> u32 {
    a.iter().zip(b).fold(0u32, |sum, (x, y)| {
        sum.saturating_add(u32::from(x.abs_diff(*y)))
    })
}
