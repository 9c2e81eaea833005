//! Prompts of one length that share no beginning, and what the engine alone needs for them.

use anyhow::Result;
use chasqui_engine::{Engine, GenerateRequest, Sampling};
use std::{ops::ControlFlow, path::Path, sync::Arc, time::Duration};

/// Requests that are left out of the engine's own times: the first ones touch the weights.
const WARM_UP: usize = 3;

/// A model in this process.
pub struct Model {
    engine: Engine,
    /// A text of its own, as ids.
    text: Vec<u32>,
}

impl Model {
    /// Loads it, and has it write a text to cut prompts from.
    pub fn load(folder: &Path) -> Result<Self> {
        let engine = Engine::load(folder, "cpu")?;
        let prompt_ids = engine.tokenizer()?.encode("Once upon a time", true)?;
        let sampling = Sampling {
            seed: 1,
            ignore_eos: true,
            temperature_milli: 800,
            ..Sampling::greedy(400)
        };
        let request = request(prompt_ids, sampling);
        let text = engine.generate(&request, |_| ControlFlow::Continue(()))?;
        Ok(Self {
            text: text.output_ids,
            engine,
        })
    }

    /// So many prompts of so many tokens; no two begin alike.
    pub fn prompts(&self, count: usize, tokens: usize) -> Arc<Vec<Vec<u32>>> {
        let around = self.text.iter().copied().cycle();
        let prompt = |index: usize| -> Vec<u32> {
            // The running number comes first, so that no cache of an earlier prompt fits.
            let vocabulary = self.engine.config().vocab_size;
            let head = [
                (index % 1_000 + 100) % vocabulary,
                (index / 1_000 + 100) % vocabulary,
            ];
            let head = head.into_iter().map(|id| id as u32);
            let rest = around.clone().skip(index * 7 % self.text.len());
            head.chain(rest).take(tokens).collect()
        };
        Arc::new((0..count).map(prompt).collect())
    }

    /// How long the engine takes from a prompt to its first token, with nothing around it.
    pub fn prefill(&self, prompts: &[Vec<u32>]) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for prompt in prompts {
            let request = request(prompt.clone(), Sampling::greedy(1));
            let made = self
                .engine
                .generate(&request, |_| ControlFlow::Continue(()))?;
            times.push(made.timings.prefill);
        }
        Ok(times.split_off(WARM_UP.min(times.len())))
    }
}

fn request(prompt_ids: Vec<u32>, sampling: Sampling) -> GenerateRequest {
    GenerateRequest {
        prompt_ids,
        sampling,
        fingerprint_seed: [0; 32],
    }
}
