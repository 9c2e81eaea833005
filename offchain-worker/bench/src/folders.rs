//! Model folders with random weights, made once and kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chasqui_engine::LlamaConfig;

use crate::case::{Precision, Size, System, SEED};
use crate::gguf;

/// Where the model folders lie.
#[derive(Debug, Clone)]
pub struct Folders {
    root: PathBuf,
}

impl Folders {
    /// Folders under `root`, which is created when one is made.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// What `system` loads for weights of `precision`: a folder in the Hugging Face layout, or a
    /// GGUF file for candle in int8. It is made if it is missing or of another shape.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn prepare(&self, size: Size, precision: Precision, system: System) -> Result<PathBuf> {
        let folder = self.folder(size, precision)?;
        if precision != Precision::Int8 || !system.is_candle() {
            return Ok(folder);
        }
        let file = folder.join("q8_0.gguf");
        if !file.exists() {
            eprintln!("bench: writing {}", file.display());
            gguf::quantise(&folder, &file)
                .with_context(|| format!("cannot quantise {} for candle", folder.display()))?;
        }
        Ok(file)
    }

    fn folder(&self, size: Size, precision: Precision) -> Result<PathBuf> {
        let config = size.config(precision.stored());
        let folder = self.root.join(format!(
            "{}-{}-seed{SEED}",
            size.name(),
            config.dtype.name()
        ));
        if is_made(&folder, &config) {
            return Ok(folder);
        }
        eprintln!("bench: making {}", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove the outdated {}", folder.display()))?;
        }
        let device = chasqui_engine::device::open("cpu")?;
        config.init(SEED, &device).save_hf(&folder)?;
        Ok(folder)
    }
}

/// The configuration is written last, so where it is right the weights are whole.
fn is_made(folder: &Path, config: &LlamaConfig) -> bool {
    LlamaConfig::from_file(&folder.join("config.json")).is_ok_and(|found| &found == config)
}
