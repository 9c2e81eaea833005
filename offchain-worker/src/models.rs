//! From a checkpoint root to a loaded engine.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result};
use chasqui_engine::{
    batch::{Batcher, Limits},
    cpu::matrix::Precision,
    Engine, LoadOptions,
};
use chasqui_primitives::{CheckpointRoot, NumericProfile};

use crate::blobs::{BlobStore, Manifest};

/// Loaded models by checkpoint root: each is unpacked and loaded once and shared; the least recently used goes
/// when there are too many. Whoever still holds one keeps it.
pub struct ModelCache {
    blobs: BlobStore,
    folder: PathBuf,
    device: String,
    limits: Limits,
    most: usize,
    /// Most recently used last.
    slots: Mutex<Vec<(CheckpointRoot, Arc<Slot>)>>,
}

/// One model; its lock is held while it loads, so that two callers do not load it twice and other models do not
/// wait.
#[derive(Default)]
struct Slot(Mutex<Option<Arc<Batcher>>>);

impl ModelCache {
    /// A cache of at most `most` models (at least 1), unpacked below `folder`, run on `device`; each model's
    /// concurrent requests share passes within `limits`.
    pub fn new(
        blobs: BlobStore,
        folder: impl Into<PathBuf>,
        device: impl Into<String>,
        limits: Limits,
        most: usize,
    ) -> Self {
        Self {
            blobs,
            folder: folder.into(),
            device: device.into(),
            limits,
            most: most.max(1),
            slots: Mutex::default(),
        }
    }

    /// The engine of the checkpoint `root`, loaded if need be in the precision of its `profile`, which the chain says
    /// and which never changes. Blocks while it loads: call it where that is
    /// allowed. A failure is not remembered: the blob may come later.
    ///
    /// # Errors
    /// A blob is missing or damaged, or the engine refuses the model.
    pub fn engine(&self, root: &CheckpointRoot, profile: NumericProfile) -> Result<Arc<Engine>> {
        Ok(self.batcher(root, profile)?.engine().clone())
    }

    /// The batcher of the checkpoint `root`: the way to generate, since concurrent requests share each pass.
    ///
    /// # Errors
    /// As [`Self::engine`].
    pub fn batcher(&self, root: &CheckpointRoot, profile: NumericProfile) -> Result<Arc<Batcher>> {
        let slot = self.slot(root);
        let mut held = locked(&slot.0);
        if let Some(batcher) = held.as_ref() {
            return Ok(batcher.clone());
        }
        let engine = self
            .load(root, profile)
            .with_context(|| format!("loading the checkpoint {root:?}"))?;
        let batcher = Arc::new(Batcher::new(Arc::new(engine), self.limits)?);
        *held = Some(batcher.clone());
        Ok(batcher)
    }

    /// Whether the checkpoint's manifest and all its files are in the blob store, without reading them.
    pub fn is_available(&self, root: &CheckpointRoot) -> bool {
        Manifest::open(&self.blobs, root).is_ok_and(|manifest| {
            manifest
                .files
                .iter()
                .all(|file| self.blobs.contains(&file.root))
        })
    }

    /// Models held at the moment.
    pub fn len(&self) -> usize {
        locked(&self.slots).len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of `root`, moved to the most recent place; the oldest go.
    fn slot(&self, root: &CheckpointRoot) -> Arc<Slot> {
        let mut slots = locked(&self.slots);
        let slot = match slots.iter().position(|(held, _)| held == root) {
            Some(index) => slots.remove(index).1,
            None => Arc::default(),
        };
        slots.push((*root, slot.clone()));
        let excess = slots.len().saturating_sub(self.most);
        slots.drain(..excess);
        slot
    }

    fn load(&self, root: &CheckpointRoot, profile: NumericProfile) -> Result<Engine> {
        let manifest = Manifest::open(&self.blobs, root)?;
        let folder = self.folder.join(hex::encode(root.as_bytes()));
        // What an earlier run unpacked counts only if it is still what the root names.
        if !manifest.matches_dir(&folder) {
            std::fs::create_dir_all(&self.folder)
                .with_context(|| format!("creating {}", self.folder.display()))?;
            manifest.materialise(&self.blobs, root, &folder)?;
        }
        let options = LoadOptions {
            precision: precision(profile),
            ..LoadOptions::on(&self.device)
        };
        Ok(Engine::load_with(&folder, &options)?)
    }

    /// What models run on.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Where models are unpacked.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// In which precision the matrices of a checkpoint of `profile` are held; `None` is as they are stored, which the
/// kernels widen to f32 exactly: arithmetic is f32 in every profile.
pub fn precision(profile: NumericProfile) -> Option<Precision> {
    match profile {
        NumericProfile::Int8 => Some(Precision::Int8),
        NumericProfile::F32 | NumericProfile::F16 | NumericProfile::Bf16 => None,
    }
}

impl fmt::Debug for ModelCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelCache")
            .field("folder", &self.folder)
            .field("device", &self.device)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

/// A panic while loading leaves the slot empty or the list in order: nothing to give up on.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
