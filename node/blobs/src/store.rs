//! Putting blobs in and reading them back, checked.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use chasqui_primitives::{
    blob::{BlobHasher, BlobInfo, MAX_BLOB_BYTES},
    merkle,
};
use parity_scale_codec::{Decode, Encode};
use sp_core::H256;

use crate::{
    error::{BlobError, Result},
    staging::{remove_leftovers, Staged},
};

/// Bytes copied at a time while a file is taken in.
const COPY_BYTES: usize = 1 << 20;

/// A folder of blobs. Several processes may share one.
#[derive(Debug, Clone)]
pub struct BlobStore {
    dir: PathBuf,
    staging: PathBuf,
}

impl BlobStore {
    /// Opens the store in `dir`, which is created if need be, and clears away what a killed process left
    /// half-written.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the folder cannot be made or listed.
    pub fn open_dir(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let staging = dir.join("tmp");
        fs::create_dir_all(&staging).map_err(BlobError::io("create", &staging))?;
        let removed = remove_leftovers(&staging)?;
        if removed > 0 {
            tracing::info!(dir = %dir.display(), removed, "cleared half-written blobs");
        }
        Ok(Self { dir, staging })
    }

    /// The store's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes in `bytes` as a blob with chunks of `chunk` bytes. Putting a blob twice is harmless and repairs
    /// a damaged one.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the disk refuses.
    pub fn put_bytes(&self, bytes: &[u8], chunk: u32) -> Result<BlobInfo> {
        let mut incoming = Incoming::new(self, chunk)?;
        incoming.write(bytes)?;
        incoming.publish()
    }

    /// As [`Self::put_bytes`], for bytes that are claimed to be the blob `root`: the store only takes them if
    /// they are.
    ///
    /// # Errors
    /// [`BlobError::WrongRoot`] and [`BlobError::Io`].
    pub fn put_expected(&self, root: H256, bytes: &[u8], chunk: u32) -> Result<BlobInfo> {
        let mut incoming = Incoming::new(self, chunk)?;
        incoming.write(bytes)?;
        incoming.publish_as(root)
    }

    /// Takes in the file at `path`, one buffer at a time.
    ///
    /// # Errors
    /// [`BlobError::Io`], [`BlobError::Unnameable`] for more than [`MAX_BLOB_BYTES`].
    pub fn put_file(&self, path: &Path, chunk: u32) -> Result<BlobInfo> {
        self.put_file_as(path, chunk, None)
    }

    /// As [`Self::put_file`]; a file that is `expected` to have a root is only taken if it has.
    ///
    /// # Errors
    /// As [`Self::put_file`], and [`BlobError::WrongRoot`].
    pub fn put_file_as(&self, path: &Path, chunk: u32, expected: Option<H256>) -> Result<BlobInfo> {
        let mut source = File::open(path).map_err(BlobError::io("open", path))?;
        let mut incoming = Incoming::new(self, chunk)?;
        let mut buffer = vec![0u8; COPY_BYTES];
        loop {
            let got = source
                .read(&mut buffer)
                .map_err(BlobError::io("read", path))?;
            let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            incoming.write(bytes)?;
            if incoming.hasher.len() > MAX_BLOB_BYTES {
                return Err(BlobError::Unnameable {
                    path: path.to_path_buf(),
                });
            }
        }
        match expected {
            Some(root) => incoming.publish_as(root),
            None => incoming.publish(),
        }
    }

    /// Whether the blob is there. Its bytes are checked when they are read.
    pub fn contains(&self, root: &H256) -> bool {
        self.data_path(root).is_file()
    }

    /// Opens the blob named `root` after checking that its description belongs to that name.
    ///
    /// # Errors
    /// [`BlobError::Missing`], [`BlobError::Corrupt`] when the description is damaged or the length wrong.
    pub fn open(&self, root: &H256) -> Result<BlobReader> {
        let path = self.data_path(root);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BlobError::Missing {
                    root: *root,
                    dir: self.dir.clone(),
                })
            }
            Err(error) => return Err(BlobError::io("open", &path)(error)),
        };
        let tree = self.tree_path(root);
        let (info, leaves) = read_tree(root, &tree)?;
        let len = file
            .metadata()
            .map_err(BlobError::io("inspect", &path))?
            .len();
        if len != info.len {
            let reason = format!("has {len} bytes, the blob has {}", info.len);
            return Err(BlobError::corrupt(&path, reason));
        }
        Ok(BlobReader {
            file,
            path,
            info,
            leaves,
        })
    }

    /// All bytes of the blob named `root`, every chunk checked; at most `limit`.
    ///
    /// # Errors
    /// As [`Self::open`], [`BlobError::TooLarge`], and [`BlobError::Corrupt`] for a damaged chunk.
    pub fn read_all(&self, root: &H256, limit: u64) -> Result<Vec<u8>> {
        let reader = self.open(root)?;
        let info = *reader.info();
        if info.len > limit {
            return Err(BlobError::TooLarge {
                root: *root,
                len: info.len,
                limit,
            });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(info.len).unwrap_or_default());
        for index in 0..info.chunks() {
            bytes.extend_from_slice(&reader.chunk(index)?);
        }
        Ok(bytes)
    }

    /// Reads the whole blob once to check it.
    ///
    /// # Errors
    /// As [`Self::read_all`].
    pub fn verify(&self, root: &H256) -> Result<BlobInfo> {
        let reader = self.open(root)?;
        for index in 0..reader.info().chunks() {
            reader.chunk(index)?;
        }
        Ok(*reader.info())
    }

    /// Removes the blob; removing one that is not there does nothing.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn remove(&self, root: &H256) -> Result<()> {
        // The bytes first: without them the blob is gone, and a tree alone is not one.
        for path in [self.data_path(root), self.tree_path(root)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(BlobError::io("remove", &path)(error))
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the blob's plain bytes lie. Reading them past this store skips its checks.
    pub fn data_path(&self, root: &H256) -> PathBuf {
        self.dir
            .join(format!("{}.blob", hex::encode(root.as_bytes())))
    }

    /// Where files lie that are being written.
    pub fn staging(&self) -> &Path {
        &self.staging
    }

    /// Where its description and leaf hashes lie.
    pub fn tree_path(&self, root: &H256) -> PathBuf {
        self.dir
            .join(format!("{}.tree", hex::encode(root.as_bytes())))
    }
}

/// A blob's description and leaf hashes, checked against its name.
pub(crate) fn read_tree(root: &H256, path: &Path) -> Result<(BlobInfo, Vec<H256>)> {
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => BlobError::corrupt(path, "the file is missing"),
        _ => BlobError::io("read", path)(error),
    })?;
    let mut input = bytes.as_slice();
    let info = BlobInfo::decode(&mut input)
        .map_err(|_| BlobError::corrupt(path, "the description does not decode"))?;
    if info.root() != *root || !info.is_well_formed() {
        return Err(BlobError::corrupt(path, "it describes another blob"));
    }
    let (leaves, rest) = input.as_chunks::<32>();
    let leaves: Vec<H256> = leaves.iter().map(H256::from).collect();
    if !rest.is_empty()
        || leaves.len() as u64 != info.chunks()
        || merkle::root_of_leaves(&leaves) != info.tree
    {
        return Err(BlobError::corrupt(
            path,
            "its leaf hashes do not add up to the root",
        ));
    }
    Ok((info, leaves))
}

/// An open blob.
#[derive(Debug)]
pub struct BlobReader {
    file: File,
    path: PathBuf,
    info: BlobInfo,
    leaves: Vec<H256>,
}

impl BlobReader {
    /// The blob's description.
    pub fn info(&self) -> &BlobInfo {
        &self.info
    }

    /// Hashes of the blob's chunks, which add up to its root.
    pub fn leaves(&self) -> &[H256] {
        &self.leaves
    }

    /// The bytes of the chunk at `index`, checked.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`] when they are not the blob's, or when there is no such chunk.
    pub fn chunk(&self, index: u64) -> Result<Vec<u8>> {
        let chunk = self
            .info
            .chunk_len(index)
            .zip(usize::try_from(index).ok())
            .and_then(|(len, at)| Some((len, *self.leaves.get(at)?)));
        let Some((len, leaf)) = chunk else {
            let reason = format!("no chunk {index} of {}", self.info.chunks());
            return Err(BlobError::corrupt(&self.path, reason));
        };
        let mut bytes = vec![0u8; len as usize];
        let at = index.saturating_mul(u64::from(self.info.chunk));
        self.file
            .read_exact_at(&mut bytes, at)
            .map_err(BlobError::io("read", &self.path))?;
        if merkle::leaf_hash(&bytes) != leaf {
            let reason = format!("chunk {index} does not match the root");
            return Err(BlobError::corrupt(&self.path, reason));
        }
        Ok(bytes)
    }

    /// The chunk at `index` with its Merkle proof, as a peer needs it.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub fn proven_chunk(&self, index: u64) -> Result<(Vec<u8>, Vec<H256>)> {
        let bytes = self.chunk(index)?;
        let proof = merkle::prove(&self.leaves, index).unwrap_or_default();
        Ok((bytes, proof))
    }
}

/// A blob on its way in: bytes go to a staged file and through the hasher at once.
struct Incoming<'a> {
    store: &'a BlobStore,
    hasher: BlobHasher,
    data: Staged,
}

impl<'a> Incoming<'a> {
    fn new(store: &'a BlobStore, chunk: u32) -> Result<Self> {
        Ok(Self {
            store,
            hasher: BlobHasher::new(chunk),
            data: Staged::create(&store.staging)?,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.data.append(bytes)
    }

    fn publish(self) -> Result<BlobInfo> {
        self.publish_if(|_| Ok(()))
    }

    fn publish_as(self, expected: H256) -> Result<BlobInfo> {
        self.publish_if(|found| match found == expected {
            true => Ok(()),
            false => Err(BlobError::WrongRoot { expected, found }),
        })
    }

    fn publish_if(self, check: impl FnOnce(H256) -> Result<()>) -> Result<BlobInfo> {
        let (info, leaves) = self.hasher.finish_with_leaves();
        let root = info.root();
        check(root)?;
        let mut tree = Staged::create(&self.store.staging)?;
        tree.append(&info.encode())?;
        for leaf in &leaves {
            tree.append(leaf.as_bytes())?;
        }
        tree.publish(&self.store.tree_path(&root))?;
        self.data.publish(&self.store.data_path(&root))?;
        Ok(info)
    }
}
