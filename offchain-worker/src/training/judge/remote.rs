//! A validator's blobs: what is here, and what members serve.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use chasqui_training::{diloco::Blobs, TrainingError};
use sp_core::H256;
use tokio::{runtime::Handle, time::timeout};

use crate::blobs::{
    exchange::{fetch, FetchConfig, FetchError, Holder},
    BlobError, BlobStore,
};

/// Patience with further blobs once one did not come: whoever withholds one does not hold up the verdict by the others.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// A member must serve so many bytes a second on average: whoever is slower withholds. Else it could keep a validator
/// from all its other duties.
const LEAST_RATE: u64 = 1 << 20;

/// Blobs of one audit: of the worker's store, else fetched from holders into a folder of the audit's own, which goes when it
/// is done. To be used where blocking is allowed.
pub struct Remote {
    here: BlobStore,
    scratch: BlobStore,
    folder: PathBuf,
    holders: Vec<Holder>,
    config: FetchConfig,
    runtime: Handle,
    /// Whether a blob was not to be had.
    withheld: AtomicBool,
    fetched: AtomicU64,
}

impl Remote {
    /// Fetches from `holders` into `folder`, where an audit that was broken off goes on.
    ///
    /// # Errors
    /// The folder cannot be made, or this is not within a tokio runtime.
    pub fn new(
        here: BlobStore,
        folder: &Path,
        holders: Vec<Holder>,
        config: FetchConfig,
    ) -> Result<Self> {
        Ok(Self {
            here,
            scratch: BlobStore::open_dir(folder)?,
            folder: folder.into(),
            holders,
            config,
            runtime: Handle::try_current()?,
            withheld: AtomicBool::new(false),
            fetched: AtomicU64::new(0),
        })
    }

    /// Bytes that were fetched.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Whether something was not to be had.
    pub fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed)
    }

    /// Throws away what was fetched.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn close(self) -> Result<()> {
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("removing {}", self.folder.display()))
    }

    fn own_trouble(&self, error: impl std::error::Error + Send + Sync + 'static) -> TrainingError {
        TrainingError::Read {
            path: self.folder.clone(),
            source: io::Error::other(error),
        }
    }

    fn bad(root: &H256, reason: impl ToString) -> TrainingError {
        TrainingError::BadBlob {
            what: "blob",
            root: *root,
            reason: reason.to_string(),
        }
    }

    fn read(
        &self,
        store: &BlobStore,
        root: &H256,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, TrainingError> {
        match store.read_all(root, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => Ok(None),
            Err(error @ BlobError::TooLarge { .. }) => Err(Self::bad(root, error)),
            Err(error) => Err(self.own_trouble(error)),
        }
    }
}

impl Blobs for Remote {
    fn put_chunked(&self, bytes: &[u8], chunk: u32) -> Result<H256, TrainingError> {
        let info = self.scratch.put_bytes(bytes, chunk);
        Ok(info.map_err(|error| self.own_trouble(error))?.root())
    }

    fn get(&self, root: &H256, limit: u64) -> Result<Option<Vec<u8>>, TrainingError> {
        for store in [&self.here, &self.scratch] {
            if let Some(bytes) = self.read(store, root, limit)? {
                return Ok(Some(bytes));
            }
        }
        let mut config = self.config.clone();
        if self.is_withheld() {
            config.patience = config.patience.min(AFTERWARDS);
        }
        let within = config.patience + Duration::from_secs(limit / LEAST_RATE);
        let fetched = async {
            let fetched = fetch(&self.scratch, *root, limit, &self.holders, &config);
            let late = || FetchError::Unavailable {
                root: *root,
                chunks: None,
                waited: within,
                tried: vec!["it comes more slowly than a member must serve".into()],
            };
            timeout(within, fetched)
                .await
                .unwrap_or_else(|_| Err(late()))
        };
        match self.runtime.block_on(fetched) {
            Ok(info) => {
                self.fetched.fetch_add(info.len, Ordering::Relaxed);
                self.read(&self.scratch, root, limit)
            }
            Err(error @ (FetchError::TooLarge { .. } | FetchError::Shape { .. })) => {
                Err(Self::bad(root, error))
            }
            Err(error) if error.is_own() => Err(self.own_trouble(error)),
            Err(error) => {
                tracing::warn!(?root, %error, "a blob of a training run is withheld");
                self.withheld.store(true, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    fn remove(&self, root: &H256) -> Result<(), TrainingError> {
        self.scratch
            .remove(root)
            .map_err(|error| self.own_trouble(error))
    }
}
