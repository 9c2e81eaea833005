//! Chasqui's engine as the worker runs it: sampling and fingerprints are part of every token.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{ensure, Result};
use chasqui_engine::{cpu, Engine, GenerateRequest, LoadOptions, Sampling};

use super::{Run, Runner};
use crate::case::Precision;

pub struct Ours(Engine);

/// Our kernels on a model folder, with weights at `precision`.
///
/// # Errors
/// The engine's.
pub fn open(folder: &Path, precision: Precision, threads: usize) -> Result<Engine> {
    let options = LoadOptions {
        device: "cpu".into(),
        threads: Some(threads),
        // What is stored stays as it is; int8 is made of f32.
        precision: (precision == Precision::Int8).then_some(cpu::Precision::Int8),
        simd: None,
    };
    Ok(Engine::load_with(folder, &options)?)
}

/// [`open`] for one request at a time.
///
/// # Errors
/// The engine's.
pub fn load(folder: &Path, precision: Precision, threads: usize) -> Result<Ours> {
    Ok(Ours(open(folder, precision, threads)?))
}

/// Loads a model folder onto burn's modules on the CPU.
///
/// # Errors
/// The engine's.
pub fn load_burn(folder: &Path) -> Result<Ours> {
    Ok(Ours(Engine::load(folder, "burn")?))
}

/// A greedy request for `length` tokens, whatever they are.
pub fn request(prompt: &[u32], length: usize) -> GenerateRequest {
    GenerateRequest {
        prompt_ids: prompt.to_vec(),
        sampling: Sampling {
            ignore_eos: true,
            ..Sampling::greedy(length as u32)
        },
        fingerprint_seed: [0; 32],
    }
}

impl Runner for Ours {
    fn run(&mut self, prompt: &[u32], length: usize) -> Result<Run> {
        let request = request(prompt, length);
        let made = self.0.generate(&request, |_| ControlFlow::Continue(()))?;
        ensure!(
            made.output_ids.len() == length,
            "stopped after {} tokens",
            made.output_ids.len()
        );
        Ok(Run {
            tokens: made.output_ids,
            prefill: made.timings.prefill,
            decode: made.timings.decode,
        })
    }

    fn describe(&self) -> Option<String> {
        Some(self.0.decoder().describe())
    }
}
