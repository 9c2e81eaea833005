//! The checkpoints that a run makes on its way: the same bytes on every machine, or nobody would agree on their roots.

use std::path::Path;

use anyhow::{Context, Result};
use chasqui_primitives::{
    blob::CHUNK_BYTES,
    training::{RunTerms, Start, Trains},
    CheckpointRoot,
};
use chasqui_training::diloco::Inner;
use parity_scale_codec::Encode;
use sp_core::H256;

use crate::blobs::{BlobStore, Manifest, ManifestEntry};

/// Checkpoints that a run makes, about.
const MADE: u32 = 16;

/// Whether the model behind this round becomes a checkpoint: the last one does, and about sixteen on the way, so that a run
/// that fails late leaves something behind.
pub fn is_made(terms: &RunTerms, round: u32) -> bool {
    let next = round.saturating_add(1);
    let every = terms.rounds.div_ceil(MADE).max(1);
    next >= terms.rounds || next.is_multiple_of(every)
}

/// The root of the checkpoint that the weights `params` behind round `round` make, whose blobs are in the store then; zero
/// where none is made of that round.
///
/// # Errors
/// The base's files are not in the store, or the disk refuses.
pub fn make(
    blobs: &BlobStore,
    folder: &Path,
    inner: &mut Inner,
    terms: &RunTerms,
    round: u32,
    params: &[f32],
) -> Result<CheckpointRoot> {
    if !is_made(terms, round) {
        return Ok(H256::zero());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let made = tempfile::Builder::new()
        .prefix("made-")
        .tempdir_in(folder)
        .with_context(|| format!("creating a folder in {}", folder.display()))?;
    let parent = terms.start.parent();
    inner.save(params, parent, made.path())?;
    match terms.recipe.trains {
        Trains::Adapter { .. } => adapter(blobs, made.path()),
        Trains::Full | Trains::Distil { .. } => model(blobs, made.path(), terms),
    }
}

/// A whole model: its own configuration and weights, and of what it began from whatever else there is, such as a tokenizer.
fn model(blobs: &BlobStore, made: &Path, terms: &RunTerms) -> Result<CheckpointRoot> {
    let start = match terms.start {
        Start::Checkpoint(root) => root,
        Start::Fresh { config, .. } => config,
    };
    for file in Manifest::open(blobs, &start)?.files {
        let weights = file.name.ends_with(".safetensors") || file.name.ends_with(".index.json");
        if !weights && file.name != "config.json" {
            let bytes = blobs.read_all(&file.root, file.len)?;
            let path = made.join(&file.name);
            std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    let (_, root) = Manifest::import(blobs, made)?;
    Ok(root)
}

/// An adapter's two files.
fn adapter(blobs: &BlobStore, made: &Path) -> Result<CheckpointRoot> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(made).with_context(|| format!("reading {}", made.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    let mut files = Vec::new();
    for name in names {
        let info = blobs.put_file(&made.join(&name), CHUNK_BYTES)?;
        files.push(ManifestEntry {
            name,
            root: info.root(),
            len: info.len,
        });
    }
    let manifest = Manifest { files };
    Ok(blobs.put_bytes(&manifest.encode(), CHUNK_BYTES)?.root())
}
