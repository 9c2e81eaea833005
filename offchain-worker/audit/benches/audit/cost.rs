//! What an audit costs beside the generation that it audits, on the same engine, both alone.

use std::{ops::ControlFlow, time::Instant};

use anyhow::{Context, Result};
use chasqui_audit::{
    claim::{fingerprint_seed, Commitment, Opening},
    default_thresholds, rastic, replay,
};
use chasqui_engine::{Engine, GenerateRequest, Sampling};
use chasqui_primitives::{hash::prompt_hash, trace::encode_trace};
use serde::Serialize;

use crate::matrix::{
    cases::{GENESIS, PANEL},
    stats::median,
};

/// Prompt tokens.
pub const PROMPT: usize = 32;
/// Output lengths.
pub const LENGTHS: [usize; 6] = [16, 32, 64, 128, 256, 512];
/// Interior positions of the cheap mode.
pub const K: u32 = 8;
/// Temperature in thousandths: sampling noise is part of the cost on both sides.
const TEMPERATURE: u32 = 700;

/// One model and output length.
#[derive(Debug, Serialize)]
pub struct Cost {
    /// The model.
    pub model: &'static str,
    /// Output tokens.
    pub tokens: usize,
    /// Seconds to generate, fingerprints included; median.
    pub generate: f64,
    /// Seconds to replay and judge; median.
    pub replay: f64,
    /// Seconds of the cheap mode; median.
    pub rastic: f64,
    /// Median of `replay / generate`, each of one repetition.
    pub ratio: f64,
    /// The same of the cheap mode.
    pub rastic_ratio: f64,
    /// Bytes of trace per output token.
    pub trace_bytes: f64,
}

/// Measures every length that fits `engine`'s context, `repetitions` times, interleaved.
///
/// # Errors
/// The engine's.
pub fn measure(
    model: &'static str,
    engine: &Engine,
    repetitions: usize,
    mut progress: impl FnMut(&str),
) -> Result<Vec<Cost>> {
    let vocabulary = engine.config().vocab_size;
    let prompt: Vec<u32> = (0..PROMPT)
        .map(|i| (2 + i * 7_919 % (vocabulary - 2)) as u32)
        .collect();
    let mut costs = Vec::new();
    let fits = |tokens: &usize| PROMPT + tokens <= engine.config().max_position_embeddings;
    for tokens in LENGTHS.into_iter().filter(fits) {
        let (mut times, mut ratios) = (
            [Vec::new(), Vec::new(), Vec::new()],
            [Vec::new(), Vec::new()],
        );
        let mut trace_bytes = 0.0;
        // The first repetition warms caches and does not count.
        for repetition in 0..=repetitions {
            let (spent, bytes) = once(engine, &prompt, tokens, repetition as u64)?;
            progress(model);
            if repetition > 0 {
                times
                    .iter_mut()
                    .zip(spent)
                    .for_each(|(all, time)| all.push(time));
                ratios[0].push(spent[1] / spent[0]);
                ratios[1].push(spent[2] / spent[0]);
                trace_bytes = bytes;
            }
        }
        costs.push(Cost {
            model,
            tokens,
            generate: median(&times[0]),
            replay: median(&times[1]),
            rastic: median(&times[2]),
            ratio: median(&ratios[0]),
            rastic_ratio: median(&ratios[1]),
            trace_bytes,
        });
    }
    Ok(costs)
}

/// Seconds of generation, replay and cheap mode, and trace bytes a token.
fn once(engine: &Engine, prompt: &[u32], tokens: usize, seed: u64) -> Result<([f64; 3], f64)> {
    let salt = [7u8; 32];
    let sampling = Sampling {
        temperature_milli: TEMPERATURE,
        seed,
        ignore_eos: true,
        ..Sampling::greedy(u32::try_from(tokens).context("output length")?)
    };
    let request = GenerateRequest {
        prompt_ids: prompt.to_vec(),
        sampling: sampling.clone(),
        fingerprint_seed: fingerprint_seed(&prompt_hash(&GENESIS, &salt, prompt)),
    };
    let start = Instant::now();
    let made = engine.generate(&request, |_| ControlFlow::Continue(()))?;
    let generate = start.elapsed().as_secs_f64();
    let trace = made.trace();
    let opening = Opening {
        salt: &salt,
        prompt_ids: prompt,
        output_ids: &made.output_ids,
        trace: &trace,
    };
    let commitment = Commitment::of(GENESIS, sampling, made.finish_reason, &opening);
    let thresholds = default_thresholds();
    let start = Instant::now();
    replay(engine, &commitment, &opening, &thresholds, &PANEL)?;
    let replayed = start.elapsed().as_secs_f64();
    let start = Instant::now();
    rastic(engine, &commitment, &opening, &thresholds, &PANEL, K)?;
    let cheap = start.elapsed().as_secs_f64();
    let bytes = encode_trace(&trace).len() as f64 / tokens as f64;
    Ok(([generate, replayed, cheap], bytes))
}
