//! candle's Llama over safetensors, with its cache of keys and values.

use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};

use super::{generate, Run, Runner};
use crate::case::Precision;

pub struct Candle {
    model: Llama,
    /// Rotary tables and no keys: each request starts from a copy.
    empty: Cache,
}

/// Loads a model folder with weights as `precision`.
///
/// # Errors
/// candle's.
pub fn load(folder: &Path, precision: Precision) -> Result<Candle> {
    let dtype = match precision {
        Precision::F32 => DType::F32,
        Precision::F16 => DType::F16,
        Precision::Bf16 => DType::BF16,
        Precision::Int8 => anyhow::bail!("candle reads int8 from GGUF only"),
    };
    let config: LlamaConfig = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    let config: Config = config.into_config(false);
    let files = [folder.join("model.safetensors")];
    // SAFETY: nothing writes to the file while this program runs.
    let weights = unsafe { VarBuilder::from_mmaped_safetensors(&files, dtype, &Device::Cpu)? };
    Ok(Candle {
        model: Llama::load(weights, &config)?,
        empty: Cache::new(true, dtype, &config, &Device::Cpu)?,
    })
}

impl Runner for Candle {
    fn run(&mut self, prompt: &[u32], length: usize) -> Result<Run> {
        let mut cache = self.empty.clone();
        let model = &self.model;
        // candle's own advice: threads stay warm between the many short parallel sections.
        Device::Cpu.with_context(|| {
            generate(prompt, length, |ids, position| {
                let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
                Ok(model
                    .forward(&ids, position, &mut cache)?
                    .squeeze(0)?
                    .to_vec1()?)
            })
        })
    }
}
