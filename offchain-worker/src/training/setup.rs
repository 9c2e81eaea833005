//! From a run's terms to a trainer and its data: the same for members and validators, or nothing would agree.

use std::{
    collections::BTreeSet,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use chasqui_engine::{config::LlamaConfig, device, model::Llama};
use chasqui_primitives::training::{RunTerms, Start, Trains};
use chasqui_training::diloco::{Dataset, Inner, Local, OuterState, ReplayClass};
use sp_core::H256;

use crate::blobs::{BlobError, BlobReader, BlobStore, Manifest};

/// Where a trainer finds and puts things, and what it runs on.
#[derive(Clone, Debug)]
pub struct Place {
    /// Checkpoints and datasets.
    pub blobs: BlobStore,
    /// Where checkpoints are unpacked.
    pub folder: PathBuf,
    /// `cpu`, or what [`device::open`] knows.
    pub device: String,
    /// Micro-batches at a time; changes no bit.
    pub threads: usize,
}

/// A run's trainer, and whose bits it computes.
pub struct Trainer {
    /// The trainer.
    pub inner: Inner,
    /// The replay class of this machine; `None` where steps may not repeat bit by bit.
    pub class: Option<H256>,
}

/// One at a time unpacks checkpoints.
static UNPACKING: Mutex<()> = Mutex::new(());

/// The blobs that must be here before [`trainer`] and [`dataset`] work, as far as they are known: manifests that have not
/// come hide their files.
///
/// # Errors
/// A manifest breaks a rule, or the store cannot be read.
pub fn missing(blobs: &BlobStore, terms: &RunTerms) -> Result<Vec<H256>> {
    let mut roots = BTreeSet::from([terms.dataset]);
    for root in checkpoints(terms) {
        match Manifest::open(blobs, &root) {
            Ok(manifest) => roots.extend(manifest.files.iter().map(|file| file.root)),
            Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => {
                roots.insert(root);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(roots
        .into_iter()
        .filter(|root| !blobs.contains(root))
        .collect())
}

/// What a member shares so that others can take part in the run and judge it: the dataset and, of what it starts and
/// learns from, manifests and files.
///
/// # Errors
/// They are not all here.
pub fn shared(blobs: &BlobStore, terms: &RunTerms) -> Result<BTreeSet<H256>> {
    let mut roots = BTreeSet::from([terms.dataset]);
    for root in checkpoints(terms) {
        let manifest = Manifest::open(blobs, &root)?;
        roots.insert(root);
        roots.extend(manifest.files.iter().map(|file| file.root));
    }
    Ok(roots)
}

/// The manifests that the terms name.
fn checkpoints(terms: &RunTerms) -> Vec<H256> {
    let start = match terms.start {
        Start::Checkpoint(root) => root,
        Start::Fresh { config, .. } => config,
    };
    match terms.recipe.trains {
        Trains::Distil { teacher, .. } => vec![start, teacher],
        Trains::Full | Trains::Adapter { .. } => vec![start],
    }
}

/// The trainer of a run. Blocks for as long as loading takes.
///
/// # Errors
/// A blob is missing or damaged, the device is not there, or the recipe does not fit the model.
pub fn trainer(place: &Place, terms: &RunTerms) -> Result<Trainer> {
    let device = device::open(&place.device)?;
    let local = Local {
        threads: place.threads.max(1),
    };
    let unpacked = |root: &H256| unpack(place, root);
    let base = match terms.start {
        Start::Checkpoint(root) => {
            Llama::from_dir(&unpacked(&root)?, &device).with_context(|| {
                format!("loading the checkpoint {root:?}, which the run starts from")
            })?
        }
        Start::Fresh { config, seed } => {
            let folder = unpacked(&config)?;
            LlamaConfig::from_file(&folder.join("config.json"))
                .with_context(|| format!("reading the configuration {config:?} of the run"))?
                .init(seed, &device)
        }
    };
    let class = ReplayClass::of(&device)?.map(|class| class.hash());
    let inner = match terms.recipe.trains {
        Trains::Full | Trains::Adapter { .. } => Inner::new(&base, &terms.recipe, local, device)?,
        Trains::Distil { teacher, .. } => {
            let teacher = Llama::from_dir(&unpacked(&teacher)?, &device)
                .with_context(|| format!("loading the teacher {teacher:?}"))?;
            Inner::with_teacher(&base, teacher, &terms.recipe, local, device)?
        }
    };
    Ok(Trainer { inner, class })
}

/// The model that a run's first round starts from: the base, fresh weights, or an adapter that changes nothing yet.
pub fn start(inner: &Inner, terms: &RunTerms) -> OuterState {
    inner.start(match terms.start {
        Start::Fresh { seed, .. } => seed,
        Start::Checkpoint(_) => 0,
    })
}

/// The folder with the files of a manifest.
fn unpack(place: &Place, root: &H256) -> Result<PathBuf> {
    let manifest = Manifest::open(&place.blobs, root)?;
    let folder = place.folder.join(hex::encode(root.as_bytes()));
    let _one = UNPACKING.lock().unwrap_or_else(PoisonError::into_inner);
    if !manifest.matches_dir(&folder) {
        create(&place.folder)?;
        manifest.materialise(&place.blobs, root, &folder)?;
    }
    Ok(folder)
}

fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}

/// The data of a run, out of the store; every byte that is read is checked against the root.
///
/// # Errors
/// The blob is missing, damaged, or not the dataset that the terms say.
pub fn dataset(blobs: &BlobStore, terms: &RunTerms) -> Result<Dataset> {
    let dataset = open_dataset(blobs, &terms.dataset)?;
    dataset.check_run(terms)?;
    Ok(dataset)
}

/// The dataset whose blob is `root`, out of the store; every byte that is read is checked against the root.
///
/// # Errors
/// The blob is missing, damaged, or no dataset.
pub fn open_dataset(blobs: &BlobStore, root: &H256) -> Result<Dataset> {
    let reader = blobs.open(root)?;
    let source = Box::new(Checked::new(reader));
    Ok(Dataset::from_source(&format!("{root:?}"), source)?)
}

/// A blob as a file whose chunks are checked.
struct Checked {
    reader: BlobReader,
    at: u64,
    /// The chunk that was read last.
    held: Option<(u64, Vec<u8>)>,
}

impl Checked {
    fn new(reader: BlobReader) -> Self {
        Self {
            reader,
            at: 0,
            held: None,
        }
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let info = *self.reader.info();
        if self.at >= info.len || buffer.is_empty() {
            return Ok(0);
        }
        let chunk = u64::from(info.chunk.max(1));
        let index = self.at / chunk;
        let bytes = match self.held.take() {
            Some((held, bytes)) if held == index => bytes,
            _ => self
                .reader
                .chunk(index)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        };
        let from = usize::try_from(self.at % chunk).unwrap_or(usize::MAX);
        let there = bytes.get(from..).unwrap_or_default();
        let count = there.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), there.get(..count)) {
            to.copy_from_slice(from);
        }
        self.held = Some((index, bytes));
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for Checked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.reader.info().len, by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from
            .checked_add_signed(by)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the beginning"))?;
        Ok(self.at)
    }
}
