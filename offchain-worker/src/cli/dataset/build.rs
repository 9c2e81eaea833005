//! `dataset build`.

use super::bar;
use crate::{blobs::BlobStore, cli::options::JsonOption, config::default_blob_dir};
use anyhow::{ensure, Context, Result};
use chasqui_primitives::{
    blob::{BlobHasher, CHUNK_BYTES},
    traits::DatasetTerms,
};
use chasqui_training::{
    diloco::{
        dataset::{self, BuildOptions, TextEncoder},
        Dataset,
    },
    TrainingError,
};
use indicatif::ProgressBar;
use serde_json::json;
use sp_core::H256;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

/// Make a dataset.
#[derive(Debug, clap::Args)]
pub struct BuildCommand {
    /// Folders of text: each file of UTF-8 is a document, whatever its name; links are not followed.
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// The model folder whose tokenizer makes the tokens: runs on the dataset train models with this tokenizer.
    #[arg(long, value_name = "MODEL_DIR")]
    pub tokenizer: PathBuf,
    /// Write it to this file instead of the blob folder.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The blob folder that it goes into: that of the worker that will hand it out.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir(), conflicts_with = "out")]
    pub blob_dir: PathBuf,
    /// Share of the documents that is held out, parts per million: never trained on. A hash of their content says which.
    #[arg(long, value_name = "PPM", default_value_t = BuildOptions::default().held_out_ppm,
          value_parser = clap::value_parser!(u32).range(0..1_000_000))]
    pub held_out_ppm: u32,
    /// Only files whose names end so, without the dot; may be given again.
    #[arg(long = "extension", value_name = "SUFFIX")]
    pub extensions: Vec<String>,
    /// Longer files are left out, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = BuildOptions::default().max_file_bytes)]
    pub max_file_bytes: u64,
    /// End after the document with which so many tokens are reached.
    #[arg(long, value_name = "TOKENS", default_value_t = u64::MAX, hide_default_value = true)]
    pub max_tokens: u64,
    #[command(flatten)]
    pub json: JsonOption,
}

impl BuildCommand {
    pub(super) fn run(self) -> Result<()> {
        for folder in &self.folders {
            ensure!(
                folder.is_dir(),
                "DIR: {} is no folder; give folders of text files",
                folder.display()
            );
        }
        let encoder = TextEncoder::from_dir(&self.tokenizer).context("--tokenizer")?;
        let options = BuildOptions {
            max_file_bytes: self.max_file_bytes,
            held_out_ppm: self.held_out_ppm,
            extensions: self.extensions.clone(),
            max_tokens: self.max_tokens,
        };
        // Into the blob folder it goes by way of a file beside the blobs: its length is not known before.
        let store = match &self.out {
            Some(_) => None,
            None => Some(BlobStore::open_dir(&self.blob_dir).context("--blob-dir")?),
        };
        let (file, _draft) = match (&self.out, &store) {
            (Some(file), _) => {
                ensure!(
                    !file.is_dir(),
                    "--out: {} is a folder; give a file, or a blob folder by --blob-dir",
                    file.display()
                );
                (file.clone(), None)
            }
            (None, _) => {
                let draft = tempfile::Builder::new()
                    .prefix("dataset-")
                    .tempdir_in(&self.blob_dir)
                    .with_context(|| format!("--blob-dir: {}", self.blob_dir.display()))?;
                (draft.path().join("dataset"), Some(draft))
            }
        };
        let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        let progress = bar(0, "reading   {bar:30} {pos}/{len} files  {msg}")?;
        let built = dataset::build(&folders, &encoder, &file, &options, |at| {
            progress.set_length(at.of as u64);
            progress.set_position(at.files as u64);
            progress.set_message(format!("{} tokens", at.tokens));
        });
        progress.finish_and_clear();
        let report = built.map_err(|error| match error {
            TrainingError::Write { .. } if self.out.is_some() => {
                anyhow::Error::from(error).context("--out")
            }
            TrainingError::Write { .. } => anyhow::Error::from(error).context("--blob-dir"),
            error => error.into(),
        })?;
        let hashing = ProgressBar::new_spinner().with_message("hashing");
        hashing.enable_steady_tick(Duration::from_millis(200));
        let root = match &store {
            Some(store) => store.put_file(&file, CHUNK_BYTES)?.root(),
            None => root_of(&file)?,
        };
        hashing.finish_and_clear();
        let terms = crate::datasets::terms_of(Dataset::open(&file)?.header());
        let place = match &self.out {
            Some(file) => ("file", file),
            None => ("blobDir", &self.blob_dir),
        };
        let mut value = described(&root, &terms);
        let more = json!({
            "documents": report.documents,
            "heldOutDocuments": report.held_out_documents,
            "textBytes": report.text_bytes,
            "tooLong": report.too_long,
            "noText": report.no_text,
            "repeated": report.repeated,
            place.0: place.1.display().to_string(),
        });
        if let (Some(value), Some(more)) = (value.as_object_mut(), more.as_object()) {
            value.extend(more.clone());
        }
        self.json.print(&value, || {
            println!("{root:?}");
            eprintln!(
                "{} tokens of {} documents ({} tokens held out), {} bytes in {}",
                report.tokens,
                report.documents,
                report.held_out_tokens,
                terms.bytes,
                place.1.display()
            );
            eprintln!(
                "left out: {} files too long, {} without UTF-8 text, {} repeated",
                report.too_long, report.no_text, report.repeated
            );
        });
        Ok(())
    }
}

/// What a dataset is, as commands print it.
pub(super) fn described(root: &H256, terms: &DatasetTerms) -> serde_json::Value {
    json!({
        "root": format!("{root:?}"),
        "bytes": terms.bytes,
        "tokens": terms.tokens,
        "heldOut": terms.held_out,
        "vocabulary": terms.vocabulary,
        "tokenizer": format!("{:?}", terms.tokenizer),
    })
}

/// The root that a file has as a blob.
fn root_of(path: &Path) -> Result<H256> {
    let reading = || format!("reading {}", path.display());
    let mut file = File::open(path).with_context(reading)?;
    let mut hasher = BlobHasher::new(CHUNK_BYTES);
    let mut buffer = vec![0; CHUNK_BYTES as usize];
    loop {
        let count = file.read(&mut buffer).with_context(reading)?;
        match buffer.get(..count).filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => hasher.update(bytes),
            None => return Ok(hasher.finish().root()),
        }
    }
}
