//! What can go wrong with blobs. Messages name the file or root and what to do.

use std::path::{Path, PathBuf};

use chasqui_primitives::blob::MAX_BLOB_BYTES;
use sp_core::H256;

/// Result of the store's fallible functions.
pub type Result<T> = std::result::Result<T, BlobError>;

/// An error of the blob store; the display text is meant for an operator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// A file or folder could not be read, written or moved.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// No blob of that name is in the store.
    #[error("blob {root:?} is not in {}; import or fetch it first", dir.display())]
    Missing {
        /// The blob's root.
        root: H256,
        /// The store's folder.
        dir: PathBuf,
    },

    /// A stored file does not hold what its name says.
    #[error("{}: damaged ({reason}); delete it and import or fetch the blob again", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },

    /// The blob is larger than the reader allows.
    #[error("blob {root:?} has {len} bytes, more than the {limit} allowed here")]
    TooLarge {
        /// The blob's root.
        root: H256,
        /// Its length in bytes.
        len: u64,
        /// The reader's limit in bytes.
        limit: u64,
    },

    /// A file is longer than any blob may be.
    #[error("{}: longer than {MAX_BLOB_BYTES} bytes, the largest blob", path.display())]
    Unnameable {
        /// The file.
        path: PathBuf,
    },

    /// Bytes from elsewhere are not the blob that was asked for.
    #[error("the bytes received have root {found:?}, not {expected:?}; fetch the blob from another peer")]
    WrongRoot {
        /// The root asked for.
        expected: H256,
        /// The root of the bytes.
        found: H256,
    },

    /// A manifest does not decode or breaks its rules.
    #[error("manifest {root:?}: {reason}")]
    Manifest {
        /// The manifest's root.
        root: H256,
        /// Which rule is broken, and by which entry.
        reason: String,
    },

    /// A folder is not a model in the Hugging Face layout.
    #[error("{}: {reason}", path.display())]
    NotAModel {
        /// The folder or file.
        path: PathBuf,
        /// What is missing and what to do.
        reason: String,
    },
}

impl BlobError {
    /// An operating system error while doing `action` to `path`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }

    /// The file at `path` does not hold what its name says.
    pub fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_path_buf(),
            reason: reason.into(),
        }
    }
}
