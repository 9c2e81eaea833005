//! Why a blob cannot be fetched.

use std::time::Duration;

use chasqui_session::{blobs::PeerError, Endpoint};
use sp_core::H256;

use crate::blobs::BlobError;

/// Why a fetch ended without the blob. What had come is kept for the next one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Nobody was named who could have it.
    #[error("blob {root:?} is not here, and nobody is known who holds it")]
    NoHolders {
        /// The blob.
        root: H256,
    },

    /// Nobody gave it, or what is missing of it, in time.
    #[error(
        "blob {root:?}: {} within {waited:?}: {}",
        match .chunks { Some((got, all)) => format!("{got} of {all} chunks came"), None => "no holder has it".into() },
        .tried.join("; ")
    )]
    Unavailable {
        /// The blob.
        root: H256,
        /// How many chunks are here, of how many; `None` when it is not even known how many there are.
        chunks: Option<(u64, u64)>,
        /// For how long nothing more came.
        waited: Duration,
        /// Each holder, and what became of it last.
        tried: Vec<String>,
    },

    /// The blob is larger than is wanted, which its root proves.
    #[error("blob {root:?} has {len} bytes, more than the {limit} allowed here")]
    TooLarge {
        /// The blob.
        root: H256,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },

    /// The blob is of a shape that does not travel, which its root proves.
    #[error("blob {root:?}: {reason}")]
    Shape {
        /// The blob.
        root: H256,
        /// What is too large or too many.
        reason: String,
    },

    /// This machine's own trouble: its disk is full or fails.
    #[error("fetching blob {root:?}: {source}; what has come is kept")]
    Store {
        /// The blob.
        root: H256,
        /// What failed.
        source: BlobError,
    },
}

impl FetchError {
    /// Whether the trouble is this machine's own, not the holders'.
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Store { .. })
    }

    /// What follows from an error of a holder for the whole fetch, where something does: the root proves it.
    pub(super) fn proven(root: H256, error: &PeerError) -> Option<Self> {
        match error {
            PeerError::TooLarge { len, limit } => Some(Self::TooLarge {
                root,
                len: *len,
                limit: *limit,
            }),
            PeerError::Shape { .. } => Some(Self::Shape {
                root,
                reason: error.to_string(),
            }),
            _ => None,
        }
    }
}

/// A line about a holder.
pub(super) fn about(holder: &Endpoint, what: &impl std::fmt::Display) -> String {
    format!("{} {what}", holder.url)
}
