//! Files on their way into the store.
//!
//! A staged file lives in the store's `tmp` folder and its writer holds a lock on it. A lock dies with its
//! process, so whatever is unlocked there was left behind by a killed one and can go.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::error::{BlobError, Result};

/// A file that is being written; dropped before [`Self::publish`], it disappears.
pub struct Staged {
    file: File,
    path: PathBuf,
    published: bool,
}

impl Staged {
    /// An empty file in `dir`, locked by this process.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn create(dir: &Path) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let serial = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = dir.join(format!("{}-{serial}.part", std::process::id()));
            let opened = OpenOptions::new().write(true).create_new(true).open(&path);
            let file = match opened {
                Ok(file) => file,
                // Left over from an earlier process with our id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(BlobError::io("create", &path)(error)),
            };
            file.lock().map_err(BlobError::io("lock", &path))?;
            // Between creation and lock a clean-up may have taken it for a leftover.
            if path.exists() {
                return Ok(Self {
                    file,
                    path,
                    published: false,
                });
            }
        }
    }

    /// Puts the file under `name`, durably and at once; what was there before is replaced.
    ///
    /// # Errors
    /// [`BlobError::Io`]; nothing is there under that name then that was not before.
    pub fn publish(mut self, name: &Path) -> Result<()> {
        self.file
            .sync_all()
            .map_err(BlobError::io("flush", &self.path))?;
        fs::rename(&self.path, name).map_err(BlobError::io("move a finished file to", name))?;
        self.published = true;
        name.parent().map_or(Ok(()), sync_dir)
    }

    /// Writes all of `bytes` behind those already written.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(BlobError::io("write", &self.path))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // Nothing depends on it: a leftover is cleaned up when the store is next opened.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes a folder's entries durable.
///
/// # Errors
/// [`BlobError::Io`].
pub fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(BlobError::io("flush", dir))
}

/// Removes what killed processes left in `dir`; returns how many files that were.
///
/// # Errors
/// [`BlobError::Io`].
pub fn remove_leftovers(dir: &Path) -> Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(dir).map_err(BlobError::io("list", dir))? {
        let path = entry.map_err(BlobError::io("list", dir))?.path();
        let Ok(file) = OpenOptions::new().write(true).open(&path) else {
            continue;
        };
        match file.try_lock() {
            Ok(()) => {
                if fs::remove_file(&path).is_ok() {
                    removed += 1;
                }
            }
            // Somebody is writing it.
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(BlobError::io("lock", &path)(error)),
        }
    }
    Ok(removed)
}
