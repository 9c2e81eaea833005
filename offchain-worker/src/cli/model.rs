//! `model`: look into model folders, import and calibrate them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use chasqui_audit::{calibrate, calibrate::CalibrationPlan};
use chasqui_engine::{cpu::Precision, weights::WeightFiles, Assets, Engine, LlamaConfig};
use clap::{Args, Subcommand};
use serde_json::{json, Value};

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
        let (config, weights) = open_model(&self.dir)?;
        let assets = Assets::from_dir(&self.dir, config.vocab_size)?;
        let needed: BTreeSet<String> = config
            .tensor_shapes()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let (mut stored, mut unused) = (BTreeMap::<String, usize>::new(), Vec::new());
        for entry in weights.entries() {
            match needed.contains(&entry.name) {
                true => *stored.entry(entry.dtype).or_default() += 1,
                false => unused.push(entry.name),
            }
        }
        let said = &assets.generation;
        let end_ids = said.eos_token_ids.as_ref();
        let value = json!({
            "architecture": config.architecture.class_name(),
            "parameters": config.num_parameters(),
            "weights": config.dtype.name(),
            "stored_tensors": stored,
            "tensors": needed.len(),
            "unused_tensors": unused,
            "memory_bytes": {
                "stored": weights.memory(&config, None)?,
                "int8": weights.memory(&config, Some(Precision::Int8))?,
                "float32": 4 * config.num_parameters(),
            },
            "cache_bytes_per_token": config.cache_bytes_per_token(),
            "vocab_size": config.vocab_size,
            "hidden_size": config.hidden_size,
            "layers": config.num_hidden_layers,
            "attention_heads": config.num_attention_heads,
            "key_value_heads": config.num_key_value_heads,
            "head_size": config.head_dim,
            "context": config.max_position_embeddings,
            "rope_base": config.rope_theta,
            "rope_scaling": format!("{:?}", config.rope_scaling),
            "begin_id": config.bos_token_id,
            "end_ids": end_ids.unwrap_or(&config.eos_token_ids),
            "tied_head": config.tie_word_embeddings,
            "tokenizer": assets.tokenizer.is_some(),
            "chat_template": assets.chat.is_some(),
            "sampling": {
                "temperature": said.effective_temperature(),
                "top_k": said.effective_top_k(),
                "top_p": said.effective_top_p(),
                "max_new_tokens": said.max_new_tokens,
                "not_computed": said.ignored,
            },
        });
        self.json.print(&value, || {
            for (key, value) in value.as_object().into_iter().flatten() {
                println!("{key:<22} {}", shown(key, value));
            }
        });
        Ok(())
    }
}

/// A value as a person reads it: bytes with their unit, lists and tables in words.
fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Object(table) => table
            .iter()
            .map(|(name, value)| format!("{name} {}", shown(key, value)))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Array(list) if list.is_empty() => "none".into(),
        Value::Array(list) => list
            .iter()
            .map(|value| shown(key, value))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Number(number) if key.contains("bytes") => {
            let bytes = number.as_f64().unwrap_or_default();
            format!("{bytes} ({:.1} MiB)", bytes / f64::from(1 << 20))
        }
        Value::Bool(value) => if *value { "yes" } else { "no" }.into(),
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
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
        let (config, _) = open_model(&self.dir)?;
        Assets::from_dir(&self.dir, config.vocab_size)?;
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

/// Refuses what no worker could serve: the configuration must be one that the engine computes, the weight files
/// whole, and every tensor there in its shape.
fn open_model(dir: &Path) -> Result<(LlamaConfig, WeightFiles)> {
    let config = LlamaConfig::from_file(&dir.join("config.json"))?;
    let weights = WeightFiles::open(dir)?;
    weights.check(&config)?;
    Ok((config, weights))
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
    /// Where to compute: cpu, or cuda:N, an NVIDIA GPU.
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
