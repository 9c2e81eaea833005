//! Where a member's blobs lie, and where it gets others'.

use std::{io, sync::Arc};

use anyhow::Result;
use async_trait::async_trait;
use chasqui_chain::AccountId32;
use chasqui_training::{diloco::Blobs, TrainingError};
use sp_core::H256;

use crate::blobs::{exchange::Shares, BlobError, BlobStore};

/// Who may have a blob.
#[derive(Clone, Debug, Default)]
pub struct Holders {
    /// These operators.
    pub operators: Vec<AccountId32>,
    /// Whoever declares to serve one of these.
    pub serving: Vec<H256>,
    /// Whoever may have this dataset.
    pub dataset: Option<H256>,
}

/// Gets blobs from others.
#[async_trait]
pub trait Sources: Send + Sync {
    /// Gets the blob `root`, of at most `max_bytes`, into the member's store; one that is there is not fetched.
    ///
    /// # Errors
    /// Nobody gave it, or it is not as it should be.
    async fn fetch(&self, root: H256, max_bytes: u64, holders: &Holders) -> Result<()>;
}

/// The worker's store as the trainer wants it. What is shared is not removed.
#[derive(Clone, Debug)]
pub struct Vault {
    /// The store.
    pub store: BlobStore,
    /// What is handed out of it.
    pub shares: Arc<Shares>,
}

impl Vault {
    fn own_trouble(&self, error: BlobError) -> TrainingError {
        TrainingError::Read {
            path: self.store.dir().to_path_buf(),
            source: io::Error::other(error),
        }
    }
}

impl Blobs for Vault {
    fn put_chunked(&self, bytes: &[u8], chunk: u32) -> Result<H256, TrainingError> {
        let info = self.store.put_bytes(bytes, chunk);
        Ok(info.map_err(|error| self.own_trouble(error))?.root())
    }

    fn get(&self, root: &H256, limit: u64) -> Result<Option<Vec<u8>>, TrainingError> {
        match self.store.read_all(root, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => Ok(None),
            Err(error @ BlobError::TooLarge { .. }) => Err(TrainingError::BadBlob {
                what: "blob",
                root: *root,
                reason: error.to_string(),
            }),
            Err(error) => Err(self.own_trouble(error)),
        }
    }

    fn remove(&self, root: &H256) -> Result<(), TrainingError> {
        match self.shares.contains(root) {
            true => Ok(()),
            false => self
                .store
                .remove(root)
                .map_err(|error| self.own_trouble(error)),
        }
    }
}
