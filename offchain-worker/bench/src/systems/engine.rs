//! Chasqui's engine as the worker runs it: sampling and fingerprints are part of every token.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{ensure, Result};
use chasqui_engine::{Engine, GenerateRequest, Sampling};

use super::{Run, Runner};
use crate::case::Precision;

pub struct Ours(Engine);

/// Loads a model folder onto our kernels.
///
/// # Errors
/// The engine's.
pub fn load(folder: &Path, _precision: Precision, _threads: usize) -> Result<Ours> {
    Ok(Ours(Engine::load(folder, "cpu")?))
}

/// Loads a model folder onto burn's modules on the CPU.
///
/// # Errors
/// The engine's.
pub fn load_burn(folder: &Path) -> Result<Ours> {
    Ok(Ours(Engine::load(folder, "cpu")?))
}

impl Runner for Ours {
    fn run(&mut self, prompt: &[u32], length: usize) -> Result<Run> {
        let request = GenerateRequest {
            prompt_ids: prompt.to_vec(),
            sampling: Sampling {
                ignore_eos: true,
                ..Sampling::greedy(length as u32)
            },
            fingerprint_seed: [0; 32],
        };
        let made = self.0.generate(&request, |_| ControlFlow::Continue(()))?;
        ensure!(
            made.output_ids.len() == length,
            "stopped after {}",
            made.output_ids.len()
        );
        Ok(Run {
            tokens: made.output_ids,
            prefill: made.timings.prefill,
            decode: made.timings.decode,
        })
    }
}
