//! What a blob is, as whoever fetches it must know before its chunks come.

use chasqui_primitives::{
    blob::{BlobInfo, CHUNK_BYTES},
    merkle,
};
use sp_core::H256;

/// Most chunks of a blob that travels: 1 TiB in chunks of 1 MiB. Blobs with larger chunks do not travel either.
pub const MAX_CHUNKS: u64 = 1 << 20;

/// Whether a blob of this shape travels: well-formed, with chunks and a number of them within bounds.
pub fn travels(info: &BlobInfo) -> bool {
    info.is_well_formed() && info.chunk <= CHUNK_BYTES && info.chunks() <= MAX_CHUNKS
}

/// What a blob is, checked against its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What the root commits to.
    pub info: BlobInfo,
    /// Hashes of the chunks.
    pub leaves: Vec<H256>,
}

impl Description {
    /// Whether this is the blob `root`.
    pub fn is_of(&self, root: &H256) -> bool {
        travels(&self.info)
            && self.info.root() == *root
            && self.leaves.len() as u64 == self.info.chunks()
            && merkle::root_of_leaves(&self.leaves) == self.info.tree
    }

    /// Whether `bytes` are the chunk at `index`.
    pub fn is_chunk(&self, index: u64, bytes: &[u8]) -> bool {
        let leaf = usize::try_from(index)
            .ok()
            .and_then(|at| self.leaves.get(at));
        self.info.chunk_len(index).map(|len| len as usize) == Some(bytes.len())
            && leaf.is_some_and(|leaf| merkle::leaf_hash(bytes) == *leaf)
    }
}
