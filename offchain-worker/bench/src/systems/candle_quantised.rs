//! candle's Llama over a GGUF file, with its cache of keys and values.

use std::io::BufReader;
use std::path::Path;

use anyhow::Result;
use candle_core::quantized::gguf_file;
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;

use super::{generate, Run, Runner};

pub struct CandleQuantised(ModelWeights);

/// Loads a GGUF file.
///
/// # Errors
/// candle's.
pub fn load(file: &Path) -> Result<CandleQuantised> {
    let mut reader = BufReader::new(std::fs::File::open(file)?);
    let content = gguf_file::Content::read(&mut reader)?;
    let model = ModelWeights::from_gguf(content, &mut reader, &Device::Cpu)?;
    Ok(CandleQuantised(model))
}

impl Runner for CandleQuantised {
    fn run(&mut self, prompt: &[u32], length: usize) -> Result<Run> {
        let model = &mut self.0;
        model.clear_kv_cache();
        Device::Cpu.with_context(|| {
            generate(prompt, length, |ids, position| {
                let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
                Ok(model.forward(&ids, position)?.squeeze(0)?.to_vec1()?)
            })
        })
    }
}
