//! A folder of content-addressed blobs, which a node and the workers beside it may share.
//!
//! Everything large (a model's files, a long trace) is a blob, named by the root of
//! [`chasqui_primitives::blob`], which binds its bytes, its length and its chunk size. Two files stand for
//! one blob: `<root>.blob` with its plain bytes and `<root>.tree` with its description and leaf hashes.
//! The tree is published first, the bytes last, each by write, fsync and rename; so a blob either is there
//! whole under its name or is not there, also after a power cut or `kill -9` at any moment. Every read
//! checks each chunk against the root: a damaged file is an error, never wrong bytes. What has come of a blob that is
//! not whole yet is a [`Partial`], in a folder beside.

mod description;
mod error;
mod partial;
mod staging;
mod store;

pub use description::{travels, Description, MAX_CHUNKS};
pub use error::{BlobError, Result};
pub use partial::Partial;
pub use staging::{remove_leftovers, sync_dir, Staged};
pub use store::{BlobReader, BlobStore};
