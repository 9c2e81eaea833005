//! `model`: look into model folders, import and calibrate them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chasqui_audit::{calibrate, calibrate::CalibrationPlan};
use chasqui_engine::{weights::WeightFiles, Engine, LlamaConfig};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    generate::{ids_option, IdList},
    options::JsonOption,
};
use crate::{
    blobs::{BlobStore, Manifest},
    config::default_blob_dir,
};

/// Commands on model folders.
#[derive(Debug, Subcommand)]
pub enum Model {
    /// What a model folder holds, without loading it.
    Inspect(Inspect),
    /// Put a model folder into the blob store and print its checkpoint root.
    Import(Import),
    /// Measure honest runs and print the audit thresholds that follow.
    Calibrate(Calibrate),
}

impl Model {
    /// Runs the command.
    ///
    /// # Errors
    /// The folder is not a model that the engine computes, or a file cannot be read or written.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Inspect(command) => command.run(),
            Self::Import(command) => command.run(),
            Self::Calibrate(command) => command.run(),
        }
    }
}

/// Options of `model inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// Model folder in the Hugging Face layout.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub json: JsonOption,
}

impl Inspect {
    fn run(self) -> Result<()> {
        let config = LlamaConfig::from_file(&self.dir.join("config.json"))?;
        let weights = WeightFiles::open(&self.dir)?;
        let tensors = weights.names();
        let value = json!({
            "architecture": config.architecture.class_name(),
            "parameters": config.num_parameters(),
            "weights": config.dtype.name(),
            "vocab_size": config.vocab_size,
            "hidden_size": config.hidden_size,
            "layers": config.num_hidden_layers,
            "attention_heads": config.num_attention_heads,
            "key_value_heads": config.num_key_value_heads,
            "context": config.max_position_embeddings,
            "end_ids": config.eos_token_ids,
            "tied_head": config.tie_word_embeddings,
            "tensors": tensors.len(),
            "tokenizer": self.dir.join("tokenizer.json").is_file(),
        });
        self.json.print(&value, || {
            for (key, value) in value.as_object().into_iter().flatten() {
                println!("{key:<16} {value}");
            }
        });
        Ok(())
    }
}

/// Options of `model import`.
#[derive(Debug, Args)]
pub struct Import {
    /// Model folder in the Hugging Face layout.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The blob store's folder.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
    #[command(flatten)]
    pub json: JsonOption,
}

impl Import {
    fn run(self) -> Result<()> {
        check_model(&self.dir)?;
        let store = BlobStore::open_dir(&self.blob_dir)
            .with_context(|| format!("--blob-dir {}", self.blob_dir.display()))?;
        let (manifest, root) = Manifest::import(&store, &self.dir)?;
        let files: Vec<_> = manifest
            .files
            .iter()
            .map(|file| json!({ "name": file.name, "root": file.root, "bytes": file.len }))
            .collect();
        let value = json!({
            "root": root,
            "bytes": manifest.total_bytes(),
            "files": files,
            "blob_dir": self.blob_dir,
        });
        self.json.print(&value, || {
            println!("{root:?}");
            for file in &manifest.files {
                eprintln!("{:?}  {:>12}  {}", file.root, file.len, file.name);
            }
        });
        Ok(())
    }
}

/// Refuses what no worker could serve before it gets a name: the configuration must be one that the engine
/// computes, and the weight files whole.
fn check_model(dir: &Path) -> Result<()> {
    LlamaConfig::from_file(&dir.join("config.json"))?;
    WeightFiles::open(dir)?;
    Ok(())
}

/// Options of `model calibrate`.
#[derive(Debug, Args)]
pub struct Calibrate {
    /// Model folder in the Hugging Face layout.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// A prompt as token ids; may be given several times. Without one, short random prompts are made.
    #[arg(long, value_name = "ID,…", value_parser = ids_option)]
    pub ids: Vec<IdList>,
    /// Output tokens a run.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub max_tokens: u32,
    /// Sampling seeds for each prompt and temperature.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub seeds: u64,
    /// Where to compute: cpu, or cuda:N in a build with CUDA.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    #[command(flatten)]
    pub json: JsonOption,
}

impl Calibrate {
    fn run(self) -> Result<()> {
        let engine = Engine::load(&self.dir, &self.device)?;
        let prompts = match self.ids.is_empty() {
            true => calibrate::random_prompts(&engine, 4, 16, 0),
            false => self.ids.iter().map(|ids| ids.0.clone()).collect(),
        };
        let plan = CalibrationPlan {
            max_tokens: self.max_tokens,
            seeds: (0..self.seeds).collect(),
            ..CalibrationPlan::default()
        };
        let found = calibrate(&engine, &prompts, &plan)?;
        let value = serde_json::to_value(found)?;
        self.json.print(&value, || println!("{value:#}"));
        Ok(())
    }
}
