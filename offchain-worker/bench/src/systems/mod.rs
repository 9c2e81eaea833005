//! The engines behind one interface.

mod candle;
mod candle_quantised;
pub mod engine;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::case::{Precision, System};

/// One greedy generation.
#[derive(Debug, Clone)]
pub struct Run {
    /// Output tokens.
    pub tokens: Vec<u32>,
    /// From the request to the first output token.
    pub prefill: Duration,
    /// From the first output token to the last.
    pub decode: Duration,
}

/// A loaded model.
pub trait Runner {
    /// Generates `length` tokens after `prompt` from an empty cache, one request alone.
    ///
    /// # Errors
    /// The engine's.
    fn run(&mut self, prompt: &[u32], length: usize) -> Result<Run>;

    /// How it says it computes, where it says.
    fn describe(&self) -> Option<String> {
        None
    }
}

/// Loads what lies at `path` for `system`, to compute on `threads` threads. Libraries that size
/// their pools by `RAYON_NUM_THREADS` must find it set.
///
/// # Errors
/// The engine's.
pub fn load(
    system: System,
    path: &Path,
    precision: Precision,
    threads: usize,
) -> Result<Box<dyn Runner>> {
    Ok(match (system, precision) {
        (System::Ours, _) => Box::new(engine::load(path, precision, threads)?),
        (System::Burn, _) => Box::new(engine::load_burn(path)?),
        (System::Candle, Precision::Int8) => Box::new(candle_quantised::load(path)?),
        (System::Candle, _) => Box::new(candle::load(path, precision)?),
        (System::CandleF32, _) => Box::new(candle::load(path, Precision::F32)?),
    })
}

/// The id of the largest logit, the first of equals.
fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

/// Times a generation whose passes over the model are `forward(ids, position) -> logits`.
fn generate(
    prompt: &[u32],
    length: usize,
    mut forward: impl FnMut(&[u32], usize) -> Result<Vec<f32>>,
) -> Result<Run> {
    let start = std::time::Instant::now();
    let mut tokens = vec![argmax(&forward(prompt, 0)?)];
    let prefill = start.elapsed();
    let start = std::time::Instant::now();
    for made in 1..length {
        let last = tokens[made - 1];
        tokens.push(argmax(&forward(&[last], prompt.len() + made - 1)?));
    }
    Ok(Run {
        tokens,
        prefill,
        decode: start.elapsed(),
    })
}
