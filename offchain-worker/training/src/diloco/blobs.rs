//! Where blobs come from and go to. The worker's blob store implements [`Blobs`]; the two here serve a state folder, tests
//! and benchmarks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chasqui_primitives::blob::{blob_root, CHUNK_BYTES};
use sp_core::H256;

use super::files::{create_dir, remove_file, write_whole};
use crate::error::{Result, TrainingError};

/// A store of blobs, named by their roots.
pub trait Blobs {
    /// Takes in `bytes`, in chunks of `chunk` bytes, durably, and returns their root. Putting a blob twice is harmless.
    ///
    /// # Errors
    /// The store cannot keep it.
    fn put_chunked(&self, bytes: &[u8], chunk: u32) -> Result<H256>;

    /// As [`Self::put_chunked`], in chunks of [`CHUNK_BYTES`].
    ///
    /// # Errors
    /// The store cannot keep it.
    fn put(&self, bytes: &[u8]) -> Result<H256> {
        self.put_chunked(bytes, CHUNK_BYTES)
    }

    /// The bytes under `root`, checked against it; `None` when they are not to be had.
    ///
    /// # Errors
    /// The blob has more than `limit` bytes ([`TrainingError::BadBlob`]), or the store fails.
    fn get(&self, root: &H256, limit: u64) -> Result<Option<Vec<u8>>>;

    /// Forgets the blob under `root`, if it is there.
    ///
    /// # Errors
    /// The store fails.
    fn remove(&self, root: &H256) -> Result<()>;
}

impl<B: Blobs + ?Sized> Blobs for &B {
    fn put_chunked(&self, bytes: &[u8], chunk: u32) -> Result<H256> {
        (**self).put_chunked(bytes, chunk)
    }

    fn get(&self, root: &H256, limit: u64) -> Result<Option<Vec<u8>>> {
        (**self).get(root, limit)
    }

    fn remove(&self, root: &H256) -> Result<()> {
        (**self).remove(root)
    }
}

impl<B: Blobs + ?Sized> Blobs for Arc<B> {
    fn put_chunked(&self, bytes: &[u8], chunk: u32) -> Result<H256> {
        (**self).put_chunked(bytes, chunk)
    }

    fn get(&self, root: &H256, limit: u64) -> Result<Option<Vec<u8>>> {
        (**self).get(root, limit)
    }

    fn remove(&self, root: &H256) -> Result<()> {
        (**self).remove(root)
    }
}

/// The bytes of a blob that must be there.
///
/// # Errors
/// [`TrainingError::MissingBlob`], and what the store says.
pub fn need<B: Blobs + ?Sized>(
    blobs: &B,
    what: &'static str,
    root: &H256,
    limit: u64,
) -> Result<Vec<u8>> {
    blobs
        .get(root, limit)?
        .ok_or(TrainingError::MissingBlob { what, root: *root })
}

fn too_long(root: &H256, len: u64, limit: u64) -> TrainingError {
    TrainingError::BadBlob {
        what: "blob",
        root: *root,
        reason: format!("has {len} bytes, at most {limit} are wanted"),
    }
}

/// Blobs in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Mutex<BTreeMap<H256, Vec<u8>>>);

impl MemoryBlobs {
    /// Bytes of all blobs together.
    pub fn total_bytes(&self) -> u64 {
        self.map().values().map(|bytes| bytes.len() as u64).sum()
    }

    fn map(&self) -> std::sync::MutexGuard<'_, BTreeMap<H256, Vec<u8>>> {
        // A panic elsewhere leaves whole entries behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for MemoryBlobs {
    fn put_chunked(&self, bytes: &[u8], chunk: u32) -> Result<H256> {
        let root = blob_root(bytes, chunk);
        self.map().insert(root, bytes.to_vec());
        Ok(root)
    }

    fn get(&self, root: &H256, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.map().get(root) {
            Some(bytes) if bytes.len() as u64 > limit => {
                Err(too_long(root, bytes.len() as u64, limit))
            }
            found => Ok(found.cloned()),
        }
    }

    fn remove(&self, root: &H256) -> Result<()> {
        self.map().remove(root);
        Ok(())
    }
}

/// Blobs as files of one folder, each under its root in hexadecimal: the chunk size (4 bytes), then the bytes. A damaged
/// file counts as missing.
#[derive(Debug, Clone)]
pub struct FolderBlobs {
    dir: PathBuf,
}

impl FolderBlobs {
    /// The store in `dir`, which is created if need be.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        create_dir(&dir)?;
        Ok(Self { dir })
    }

    fn path(&self, root: &H256) -> PathBuf {
        self.dir.join(format!("{root:x}.blob"))
    }
}

impl Blobs for FolderBlobs {
    fn put_chunked(&self, bytes: &[u8], chunk: u32) -> Result<H256> {
        let root = blob_root(bytes, chunk);
        if self.get(&root, bytes.len() as u64)?.is_none() {
            let stored = [&chunk.to_le_bytes()[..], bytes].concat();
            write_whole(&self.path(&root), &stored)?;
        }
        Ok(root)
    }

    fn get(&self, root: &H256, limit: u64) -> Result<Option<Vec<u8>>> {
        let path = self.path(root);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TrainingError::read(&path, error)),
        };
        let failed = |error| TrainingError::read(&path, error);
        let len = file.metadata().map_err(failed)?.len().saturating_sub(4);
        if len > limit {
            return Err(too_long(root, len, limit));
        }
        let mut chunk = [0; 4];
        if file.read_exact(&mut chunk).is_err() {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        let chunk = u32::from_le_bytes(chunk);
        Ok(Some(bytes).filter(|bytes| blob_root(bytes, chunk) == *root))
    }

    fn remove(&self, root: &H256) -> Result<()> {
        remove_file(&self.path(root))
    }
}
