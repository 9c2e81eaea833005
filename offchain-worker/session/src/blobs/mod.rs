//! Blobs between workers: on the listener of sessions, chunk by chunk, each checked against the blob's root.
//!
//! Whoever wants a blob asks a holder to describe it: what its root commits to, and the hashes of its chunks, which add up
//! to the root. After that every chunk is checked by itself, from whomever it comes. This crate carries questions and
//! answers; which blobs are shared is the holder's to say ([`Library`]), and fetching from many holders is up to whoever has
//! a store.

mod desk;
mod peers;

pub use chasqui_blobs::{travels, Description, MAX_CHUNKS};
pub use desk::BlobLimits;
pub(crate) use desk::{Desk, Pieces};
pub use peers::{Chunks, PeerError, Peers, PeersConfig};

use crate::wire::{single, Refusal, WireError, MAX_FIELD_BYTES, MAX_REASON_BYTES};
use chasqui_primitives::blob::{BlobInfo, CHUNK_BYTES};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;

/// Where a description is asked for.
pub const DESCRIBE_PATH: &str = "/chasqui/blob/1/describe";
/// Where chunks are asked for.
pub const CHUNKS_PATH: &str = "/chasqui/blob/1/chunks";
/// Longest body of a question, in bytes: a frame with a root and a range.
pub const MAX_BLOB_ASK_BYTES: usize = 64;
/// Longest frame of an answer, in bytes without its length: one chunk, and what goes around it.
pub const MAX_BLOB_FRAME_BYTES: usize = CHUNK_BYTES as usize + 64;
/// Most leaf hashes of one frame.
pub const MAX_FRAME_LEAVES: usize = 2_048;
/// Most chunks that one question asks for.
pub const MAX_ASK_CHUNKS: u32 = 4_096;

/// What is posted to [`DESCRIBE_PATH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct DescribeAsk {
    /// The blob.
    pub root: H256,
}

impl DescribeAsk {
    /// Reads the body of a question.
    ///
    /// # Errors
    /// Not one frame with it.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        single(bytes, MAX_BLOB_ASK_BYTES, "describe")
    }
}

/// What is posted to [`CHUNKS_PATH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ChunksAsk {
    /// The blob.
    pub root: H256,
    /// The first chunk.
    pub first: u64,
    /// How many from it on, at least one and at most [`MAX_ASK_CHUNKS`].
    pub count: u32,
}

impl ChunksAsk {
    /// Reads the body of a question.
    ///
    /// # Errors
    /// Not one frame with it.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        single(bytes, MAX_BLOB_ASK_BYTES, "chunks")
    }
}

/// A message of a holder.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum BlobEvent {
    /// What the root commits to: the first message of a description.
    #[codec(index = 0)]
    Described(BlobInfo),
    /// The next leaf hashes, at least one and at most [`MAX_FRAME_LEAVES`]. A description ends with the last chunk's.
    #[codec(index = 1)]
    Leaves(Vec<H256>),
    /// One chunk. An answer has those that were asked for, in order, and ends with the last.
    #[codec(index = 2)]
    Chunk {
        /// Which.
        index: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Nothing comes, or nothing more. The index is that of [`Event::Refused`](crate::wire::Event::Refused).
    #[codec(index = 3)]
    Refused(Refusal),
}

impl BlobEvent {
    /// Reads the content of a frame.
    ///
    /// # Errors
    /// No message of a holder, or one out of bounds.
    pub fn read(content: &[u8]) -> Result<Self, WireError> {
        let malformed = |field, reason: String| WireError::Malformed { field, reason };
        let event = Self::decode_all(&mut &content[..])
            .map_err(|error| malformed("event", error.to_string()))?;
        match &event {
            Self::Leaves(leaves) if leaves.is_empty() || leaves.len() > MAX_FRAME_LEAVES => {
                let reason = format!("{} in one frame; 1 to {MAX_FRAME_LEAVES}", leaves.len());
                Err(malformed("leaves", reason))
            }
            Self::Refused(refusal)
                if refusal.field.len() > MAX_FIELD_BYTES
                    || refusal.reason.len() > MAX_REASON_BYTES =>
            {
                Err(malformed("refusal", "its words are too long".into()))
            }
            _ => Ok(event),
        }
    }
}

/// What a holder shares. Both may block on the disk.
pub trait Library: Send + Sync {
    /// The blob `root`, ready to be read; `None` when it is not shared, or not here.
    ///
    /// # Errors
    /// It is damaged or cannot be read; says so for this side's log.
    fn open(&self, root: &H256) -> Result<Option<Box<dyn OpenBlob>>, String>;
}

/// An open blob.
pub trait OpenBlob: Send {
    /// What its root commits to.
    fn info(&self) -> BlobInfo;
    /// Hashes of its chunks.
    fn leaves(&self) -> &[H256];
    /// The bytes of a chunk.
    ///
    /// # Errors
    /// It is damaged or cannot be read; says so for this side's log.
    fn chunk(&mut self, index: u64) -> Result<Vec<u8>, String>;
}

impl OpenBlob for chasqui_blobs::BlobReader {
    fn info(&self) -> BlobInfo {
        *Self::info(self)
    }

    fn leaves(&self) -> &[H256] {
        Self::leaves(self)
    }

    fn chunk(&mut self, index: u64) -> Result<Vec<u8>, String> {
        Self::chunk(self, index).map_err(|error| error.to_string())
    }
}
