//! The store behind a worker's listener.

use std::sync::Arc;

use chasqui_session::blobs::{Library, OpenBlob};
use sp_core::H256;

use super::Shares;
use crate::blobs::{BlobError, BlobStore};

/// The blobs of a store that are shared.
pub struct SharedBlobs {
    /// Where they lie.
    pub store: BlobStore,
    /// Which they are.
    pub shares: Arc<Shares>,
}

impl Library for SharedBlobs {
    fn open(&self, root: &H256) -> Result<Option<Box<dyn OpenBlob>>, String> {
        if !self.shares.contains(root) {
            return Ok(None);
        }
        match self.store.open(root) {
            Ok(reader) => Ok(Some(Box::new(reader))),
            Err(BlobError::Missing { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}
