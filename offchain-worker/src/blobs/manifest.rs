//! Model folders as blobs: one blob a file, and a manifest blob whose root names the checkpoint.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use chasqui_primitives::{
    blob::{BlobInfo, CHUNK_BYTES, MAX_BLOB_BYTES},
    CheckpointRoot,
};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;

use chasqui_blobs::{sync_dir, BlobError, BlobStore, Result};

/// Most files of a manifest.
pub const MAX_FILES: usize = 4_096;
/// Longest file name, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// Longest encoded manifest, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Files beside the weights that decide what a model computes or how its text is encoded. Anything else in
/// the folder (a model card, a license) leaves the checkpoint's root alone.
const MODEL_FILES: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    INDEX,
];
const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";

/// One file of a model: on the wire `(name, root, length)`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ManifestEntry {
    /// Plain file name, without folders.
    pub name: String,
    /// Root of the file's blob.
    pub root: H256,
    /// Length in bytes.
    pub len: u64,
}

/// A model's files, sorted by name. The root of the blob of its SCALE encoding is the checkpoint's root.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Manifest {
    /// The files.
    pub files: Vec<ManifestEntry>,
}

impl Manifest {
    /// Imports the model folder `dir` into `store`: one blob a file, then the manifest's. Returns the
    /// manifest and the checkpoint root. The same files give the same root, wherever they lie.
    ///
    /// # Errors
    /// [`BlobError::NotAModel`] when `config.json` or the weights are missing or the shard index is
    /// unreadable, else what the store says.
    pub fn import(store: &BlobStore, dir: &Path) -> Result<(Self, CheckpointRoot)> {
        let mut files = Vec::new();
        for name in model_files(dir)? {
            let info = store.put_file(&dir.join(&name), CHUNK_BYTES)?;
            files.push(ManifestEntry {
                name,
                root: info.root(),
                len: info.len,
            });
        }
        let manifest = Self { files };
        let info = store.put_bytes(&manifest.encode(), CHUNK_BYTES)?;
        Ok((manifest, info.root()))
    }

    /// The manifest of the checkpoint `root`.
    ///
    /// # Errors
    /// [`BlobError::Manifest`] when it breaks a rule (names that are not plain, sorted or unique; too many
    /// files), else what the store says.
    pub fn open(store: &BlobStore, root: &CheckpointRoot) -> Result<Self> {
        let bytes = store.read_all(root, MAX_MANIFEST_BYTES)?;
        Self::from_bytes(root, &bytes)
    }

    /// Decodes and checks the manifest named `root`.
    ///
    /// # Errors
    /// [`BlobError::Manifest`].
    pub fn from_bytes(root: &CheckpointRoot, mut bytes: &[u8]) -> Result<Self> {
        let refuse = |reason: String| BlobError::Manifest {
            root: *root,
            reason,
        };
        let manifest = Self::decode_all(&mut bytes)
            .map_err(|_| refuse("does not decode; the root names something else".into()))?;
        if manifest.files.is_empty() || manifest.files.len() > MAX_FILES {
            return Err(refuse(format!(
                "has {} files, a model has 1 to {MAX_FILES}",
                manifest.files.len()
            )));
        }
        for entry in &manifest.files {
            if !is_plain_name(&entry.name) {
                return Err(refuse(format!("{:?} is not a plain file name", entry.name)));
            }
            if entry.len > MAX_BLOB_BYTES {
                return Err(refuse(format!("`{}` is longer than any blob", entry.name)));
            }
        }
        let sorted = manifest
            .files
            .iter()
            .zip(manifest.files.iter().skip(1))
            .all(|(a, b)| a.name < b.name);
        if !sorted {
            return Err(refuse("its names are not sorted and unique".into()));
        }
        Ok(manifest)
    }

    /// Bytes of all files together.
    pub fn total_bytes(&self) -> u64 {
        self.files
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.len))
    }

    /// Recreates the folder as `into`, every byte checked. A folder that is already there is replaced;
    /// `into` never holds a part of the model. One process at a time may work on one `into`.
    ///
    /// # Errors
    /// [`BlobError::Missing`] and [`BlobError::Corrupt`] of a file's blob, [`BlobError::Manifest`] when a
    /// blob's length is not the stated one, [`BlobError::Io`].
    pub fn materialise(&self, store: &BlobStore, root: &CheckpointRoot, into: &Path) -> Result<()> {
        let draft = draft_of(into);
        // Left by a process that was killed here.
        remove_tree(&draft)?;
        let filled = self.fill(store, root, &draft).and_then(|()| {
            remove_tree(into)?;
            fs::rename(&draft, into).map_err(BlobError::io("move the finished folder to", into))
        });
        if filled.is_err() {
            remove_tree(&draft)?;
        }
        filled?;
        into.parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .map_or(Ok(()), sync_dir)
    }

    /// Writes all files into the new folder `draft`, durably.
    fn fill(&self, store: &BlobStore, root: &CheckpointRoot, draft: &Path) -> Result<()> {
        fs::create_dir_all(draft).map_err(BlobError::io("create", draft))?;
        for entry in &self.files {
            let reader = store.open(&entry.root)?;
            if reader.info().len != entry.len {
                return Err(BlobError::Manifest {
                    root: *root,
                    reason: format!(
                        "`{}` is stated as {} bytes, its blob has {}",
                        entry.name,
                        entry.len,
                        reader.info().len
                    ),
                });
            }
            let path = draft.join(&entry.name);
            let mut file = File::create(&path).map_err(BlobError::io("create", &path))?;
            for index in 0..reader.info().chunks() {
                let bytes = reader.chunk(index)?;
                file.write_all(&bytes)
                    .map_err(BlobError::io("write", &path))?;
            }
            file.sync_all().map_err(BlobError::io("flush", &path))?;
        }
        sync_dir(draft)
    }

    /// Whether `dir` holds exactly these files' bytes (further files do not matter).
    pub fn matches_dir(&self, dir: &Path) -> bool {
        self.files.iter().all(|entry| {
            let path = dir.join(&entry.name);
            fs::metadata(&path).is_ok_and(|meta| meta.len() == entry.len)
                && hash_file(&path).is_ok_and(|info| info.root() == entry.root)
        })
    }
}

/// Recreates the checkpoint `root` as the folder `into`.
///
/// # Errors
/// As [`Manifest::open`] and [`Manifest::materialise`].
pub fn materialise(store: &BlobStore, root: &CheckpointRoot, into: &Path) -> Result<Manifest> {
    let manifest = Manifest::open(store, root)?;
    manifest.materialise(store, root, into)?;
    Ok(manifest)
}

/// A name that stays in its folder on every system: letters, digits, `.`, `_`, `-`, not beginning with a dot.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Names of the files of `dir` that belong to the model, sorted.
fn model_files(dir: &Path) -> Result<BTreeSet<String>> {
    let refuse = |path: PathBuf, reason: &str| BlobError::NotAModel {
        path,
        reason: reason.into(),
    };
    if !dir.is_dir() {
        return Err(refuse(
            dir.into(),
            "no such folder; give a model folder in the Hugging Face layout",
        ));
    }
    let mut names: BTreeSet<String> = MODEL_FILES
        .iter()
        .filter(|name| dir.join(name).is_file())
        .map(|name| name.to_string())
        .collect();
    if !names.contains("config.json") {
        return Err(refuse(
            dir.into(),
            "config.json is missing; give a model folder in the Hugging Face layout",
        ));
    }
    if names.contains(INDEX) {
        let path = dir.join(INDEX);
        for shard in shards(&path)? {
            if !is_plain_name(&shard) || !dir.join(&shard).is_file() {
                let reason =
                    format!("names the shard {shard:?}, which is not in the folder; download it");
                return Err(BlobError::NotAModel { path, reason });
            }
            names.insert(shard);
        }
    } else if dir.join(SINGLE).is_file() {
        names.insert(SINGLE.into());
    } else {
        return Err(refuse(
            dir.into(),
            "neither model.safetensors nor model.safetensors.index.json is there; download the weights",
        ));
    }
    Ok(names)
}

/// The shards that a weight index names.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let bytes = fs::read(index).map_err(BlobError::io("read", index))?;
    let parsed: Index = serde_json::from_slice(&bytes).map_err(|error| BlobError::NotAModel {
        path: index.into(),
        reason: format!("field `weight_map`: {error}; download the file again"),
    })?;
    Ok(parsed.weight_map.into_values().collect())
}

/// The description of a file as a stored blob.
fn hash_file(path: &Path) -> std::io::Result<BlobInfo> {
    use std::io::Read;
    let mut file = File::open(path)?;
    let mut hasher = chasqui_primitives::blob::BlobHasher::new(CHUNK_BYTES);
    let mut buffer = vec![0u8; CHUNK_BYTES as usize];
    loop {
        let got = file.read(&mut buffer)?;
        match buffer.get(..got) {
            Some(bytes) if !bytes.is_empty() => hasher.update(bytes),
            _ => return Ok(hasher.finish()),
        }
    }
}

/// Where the folder `path` is put together.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    path.with_file_name(name)
}

fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BlobError::io("replace", path)(error))
        }
        _ => Ok(()),
    }
}
