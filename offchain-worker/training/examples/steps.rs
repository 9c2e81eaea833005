//! Training steps on a device: does the loss fall, how fast, and do two runs end with the same bits?
//!
//! `cargo run -p chasqui-training --example steps -- [DEVICE [STEPS]]`, where DEVICE is `burn` (the CPU) or, in a
//! build with `--features chasqui-engine/cuda`, `burn-cuda:0`.

use std::time::Instant;

use chasqui_engine::{device, Architecture, LlamaConfig, RopeScaling, WeightDtype};
use chasqui_training::optim::{AdamWConfig, CosineSchedule};
use chasqui_training::train::{TrainConfig, Trainer};

const SEQUENCES: usize = 16;
const TOKENS: usize = 128;

/// About 15 million parameters.
fn model() -> LlamaConfig {
    LlamaConfig {
        architecture: Architecture::Llama,
        vocab_size: 8_192,
        hidden_size: 512,
        intermediate_size: 1_024,
        num_hidden_layers: 5,
        num_attention_heads: 8,
        num_key_value_heads: 2,
        head_dim: 64,
        max_position_embeddings: 2_048,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        qkv_bias: false,
        attention_output_bias: false,
        mlp_bias: false,
        qk_norm: false,
        tie_word_embeddings: true,
        initializer_range: 0.02,
        bos_token_id: None,
        eos_token_ids: vec![],
        dtype: WeightDtype::F32,
        rope_frequency_dtype: WeightDtype::F32,
    }
}

/// Sequences that count up in steps of their own: something to learn.
fn batch(step: usize) -> Vec<Vec<u32>> {
    (0..SEQUENCES)
        .map(|row| {
            let (start, stride) = (97 * (step * SEQUENCES + row), 1 + row % 4);
            (0..=TOKENS)
                .map(|t| ((start + t * stride) % 512) as u32)
                .collect()
        })
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "burn".into());
    let steps: usize = words.next().map_or(Ok(20), |word| word.parse())?;
    let mut hashes = Vec::new();
    for run in 0..2 {
        let config = TrainConfig {
            seed: 5,
            micro_batch: SEQUENCES,
            threads: 1,
            optimizer: AdamWConfig::default(),
            schedule: CosineSchedule {
                peak: 1e-3,
                warmup: 2,
                steps: steps as u64,
                floor: 0.1,
            },
            max_gradient_norm: 1.0,
        };
        let mut trainer = Trainer::new(&model(), config, device::open(&name)?)?;
        let (mut losses, mut seconds) = (Vec::new(), Vec::new());
        for step in 0..steps {
            let start = Instant::now();
            losses.push(trainer.step(&batch(step))?.loss);
            seconds.push(start.elapsed().as_secs_f64());
        }
        let first = seconds[0];
        seconds.sort_by(f64::total_cmp);
        println!(
            "{name}, run {run}: loss {:.4} to {:.4}; {:.0} tokens/s (median step {:.0} ms, first {first:.1} s); all: {losses:.5?}",
            losses[0],
            losses[steps - 1],
            (SEQUENCES * TOKENS) as f64 / seconds[steps / 2],
            seconds[steps / 2] * 1e3,
        );
        hashes.push(trainer.hash());
    }
    match hashes[0] == hashes[1] {
        true => println!("{name}: both runs ended with the same bits"),
        false => println!("{name}: the runs ended with different bits"),
    }
    Ok(())
}
