//! Blobs: everything large is named by one root over its chunks, its length and its chunk size.

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
use sp_crypto_hashing::blake2_256;

use crate::merkle;

/// Chunk size of stored blobs, in bytes (1 MiB). The last chunk may be shorter.
pub const CHUNK_BYTES: u32 = 1 << 20;
/// Largest blob that has a name, in bytes (1 TiB).
pub const MAX_BLOB_BYTES: u64 = 1 << 40;
/// Domain tag of a blob's root.
pub const BLOB_TAG: &[u8; 14] = b"chasqui/blob/1";

/// What a blob's root commits to: enough to check any chunk against the root.
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
pub struct BlobInfo {
    /// Length in bytes.
    pub len: u64,
    /// Chunk size in bytes; every chunk but the last has exactly this length.
    pub chunk: u32,
    /// Merkle root over the chunks' leaf hashes.
    pub tree: H256,
}

impl BlobInfo {
    /// The blob's name.
    pub fn root(&self) -> H256 {
        H256(blake2_256(
            &(BLOB_TAG, self.len, self.chunk, self.tree).encode(),
        ))
    }

    /// Number of chunks.
    pub fn chunks(&self) -> u64 {
        chunk_count(self.len, self.chunk)
    }

    /// Length in bytes of the chunk at `index`; `None` when out of range.
    pub fn chunk_len(&self, index: u64) -> Option<u32> {
        if index >= self.chunks() {
            return None;
        }
        let start = index.checked_mul(u64::from(self.chunk))?;
        let left = self.len.checked_sub(start)?;
        u32::try_from(left.min(u64::from(self.chunk))).ok()
    }

    /// Whether a blob of this shape can exist: a chunk size above zero, within
    /// [`MAX_BLOB_BYTES`], and an empty blob has the empty tree.
    pub fn is_well_formed(&self) -> bool {
        self.chunk > 0
            && self.len <= MAX_BLOB_BYTES
            && (self.len == 0) == (self.tree == merkle::EMPTY_ROOT)
    }
}

/// Number of chunks of `chunk` bytes in `len` bytes, rounded up; 0 for a chunk size of 0.
pub fn chunk_count(len: u64, chunk: u32) -> u64 {
    if chunk == 0 {
        return 0;
    }
    len.div_ceil(u64::from(chunk))
}

/// Computes a blob's [`BlobInfo`] from a stream of bytes, holding one chunk at a time.
#[derive(Clone, Debug)]
pub struct BlobHasher {
    chunk: u32,
    len: u64,
    /// The leaf tag followed by the bytes of the open chunk.
    open: Vec<u8>,
    leaves: Vec<H256>,
}

impl BlobHasher {
    /// A hasher with chunks of `chunk_size` bytes; a size of 0 counts as 1.
    pub fn new(chunk_size: u32) -> Self {
        Self {
            chunk: chunk_size.max(1),
            len: 0,
            open: merkle::LEAF_TAG.to_vec(),
            leaves: Vec::new(),
        }
    }

    /// Takes the next bytes, in pieces of any size.
    pub fn update(&mut self, data: &[u8]) {
        self.len = self.len.saturating_add(data.len() as u64);
        let full = merkle::LEAF_TAG.len().saturating_add(self.chunk as usize);
        let mut rest = data;
        while !rest.is_empty() {
            let room = full.saturating_sub(self.open.len());
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.open.extend_from_slice(now);
            rest = later;
            if self.open.len() >= full {
                self.close_chunk();
            }
        }
    }

    fn close_chunk(&mut self) {
        self.leaves.push(H256(blake2_256(&self.open)));
        self.open.truncate(merkle::LEAF_TAG.len());
    }

    /// Bytes taken so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether no byte was taken yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The blob's description.
    pub fn finish(self) -> BlobInfo {
        self.finish_with_leaves().0
    }

    /// The blob's description and its leaf hashes, from which [`merkle::prove`] builds proofs.
    pub fn finish_with_leaves(mut self) -> (BlobInfo, Vec<H256>) {
        if self.open.len() > merkle::LEAF_TAG.len() {
            self.close_chunk();
        }
        let tree = merkle::root_of_leaves(&self.leaves);
        (
            BlobInfo {
                len: self.len,
                chunk: self.chunk,
                tree,
            },
            self.leaves,
        )
    }
}

/// Description of `data` cut into chunks of `chunk` bytes.
pub fn blob_info(data: &[u8], chunk: u32) -> BlobInfo {
    let mut hasher = BlobHasher::new(chunk);
    hasher.update(data);
    hasher.finish()
}

/// Root of `data` cut into chunks of `chunk` bytes.
pub fn blob_root(data: &[u8], chunk: u32) -> H256 {
    blob_info(data, chunk).root()
}

/// Leaf hashes of `data` cut into chunks of `chunk` bytes.
pub fn chunk_leaves(data: &[u8], chunk: u32) -> Vec<H256> {
    let mut hasher = BlobHasher::new(chunk);
    hasher.update(data);
    hasher.finish_with_leaves().1
}

/// Whether `data` is the chunk at `index` of the blob named `root`.
///
/// `info` and `proof` come from an untrusted peer: the root binds `info`, `info` fixes the chunk's
/// exact length, and the proof must have exactly the shape that they imply.
pub fn verify_chunk(root: &H256, info: &BlobInfo, index: u64, data: &[u8], proof: &[H256]) -> bool {
    info.is_well_formed()
        && info
            .chunk_len(index)
            .is_some_and(|len| len as usize == data.len())
        && info.root() == *root
        && merkle::verify(
            &info.tree,
            &merkle::leaf_hash(data),
            index,
            info.chunks(),
            proof,
        )
}
