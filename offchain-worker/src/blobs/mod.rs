//! Blobs: the store that the node may share ([`chasqui_blobs`]), what models are in it, and how they go from one worker
//! to another ([`exchange`]).

pub mod exchange;
pub mod manifest;

pub use chasqui_blobs::{BlobError, BlobReader, BlobStore, Result};
pub use manifest::{Manifest, ManifestEntry};
