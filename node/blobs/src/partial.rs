//! A blob that has not come whole: two files in the store's folder `partial`, never under its name.
//!
//! `<root>.tree` is what [`BlobStore`] keeps of a blob, `<root>.part` its bytes as far as they came, with holes. Which
//! chunks are there is not written down: each is checked against the tree, so nothing that a killed process or a power cut
//! left behind is ever believed.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use parity_scale_codec::Encode;
use sp_core::H256;

use crate::{
    description::Description,
    error::{BlobError, Result},
    staging::{sync_dir, Staged},
    store::{read_tree, BlobStore},
};

/// Files that nobody went on with for so long are thrown away.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The bytes of a blob on their way in. One at a time has it: the file is locked.
pub struct Partial {
    store: BlobStore,
    root: H256,
    data: File,
    path: PathBuf,
    tree: PathBuf,
}

impl Partial {
    /// Takes up what is there of the blob `root`; `None` while somebody else fetches it.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn open(store: &BlobStore, root: &H256) -> Result<Option<Self>> {
        let dir = store.dir().join("partial");
        fs::create_dir_all(&dir).map_err(BlobError::io("create", &dir))?;
        forget_old(&dir);
        let name = hex::encode(root.as_bytes());
        let path = dir.join(format!("{name}.part"));
        let data = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(BlobError::io("create", &path))?;
        match data.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(BlobError::io("lock", &path)(error)),
        }
        // Whoever had the lock before may have given this file its name, and another begun anew.
        let inode = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let held = data.metadata().map_err(BlobError::io("inspect", &path))?;
        if fs::metadata(&path).ok().map(inode) != Some(inode(held)) {
            return Ok(None);
        }
        Ok(Some(Self {
            store: store.clone(),
            root: *root,
            data,
            tree: dir.join(format!("{name}.tree")),
            path,
        }))
    }

    /// Throws away what has come: somebody else was faster.
    pub fn discard(&self) {
        // Nothing depends on them.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.tree);
    }

    /// What the blob is, if that came before.
    pub fn description(&self) -> Option<Description> {
        let (info, leaves) = read_tree(&self.root, &self.tree).ok()?;
        Some(Description { info, leaves })
    }

    /// Writes down what the blob is.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn describe(&self, description: &Description) -> Result<()> {
        self.write_tree(description, &self.tree)
    }

    fn write_tree(&self, description: &Description, path: &Path) -> Result<()> {
        let mut tree = Staged::create(self.store.staging())?;
        tree.append(&description.info.encode())?;
        for leaf in &description.leaves {
            tree.append(leaf.as_bytes())?;
        }
        tree.publish(path)
    }

    fn at(description: &Description, index: u64) -> u64 {
        index.saturating_mul(u64::from(description.info.chunk))
    }

    /// The chunks that have not come.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn missing(&self, description: &Description) -> Result<Vec<u64>> {
        let info = &description.info;
        let len = self
            .data
            .metadata()
            .map_err(BlobError::io("inspect", &self.path))?
            .len();
        if len > info.len {
            self.data
                .set_len(info.len)
                .map_err(BlobError::io("write", &self.path))?;
        }
        let mut missing = Vec::new();
        let mut bytes = Vec::new();
        for index in 0..info.chunks() {
            let at = Self::at(description, index);
            bytes.resize(info.chunk_len(index).unwrap_or(0) as usize, 0);
            if at.saturating_add(bytes.len() as u64) > len {
                missing.push(index);
                continue;
            }
            self.data
                .read_exact_at(&mut bytes, at)
                .map_err(BlobError::io("read", &self.path))?;
            if !description.is_chunk(index, &bytes) {
                missing.push(index);
            }
        }
        Ok(missing)
    }

    /// Keeps a chunk that was checked.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn keep(&self, description: &Description, index: u64, bytes: &[u8]) -> Result<()> {
        self.data
            .write_all_at(bytes, Self::at(description, index))
            .map_err(BlobError::io("write", &self.path))
    }

    /// Gives the whole blob its name: the tree first, then the bytes, each flushed.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn publish(&self, description: &Description) -> Result<()> {
        self.data
            .sync_all()
            .map_err(BlobError::io("flush", &self.path))?;
        self.write_tree(description, &self.store.tree_path(&self.root))?;
        let name = self.store.data_path(&self.root);
        fs::rename(&self.path, &name).map_err(BlobError::io("move a finished file to", &name))?;
        sync_dir(self.store.dir())?;
        // Nothing depends on it.
        let _ = fs::remove_file(&self.tree);
        Ok(())
    }
}

/// Throws away what nobody went on with.
fn forget_old(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let age = changed
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > FORGOTTEN) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
