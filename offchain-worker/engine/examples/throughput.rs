//! Prefill and decode speed of model folders given as arguments, or of a random model of about
//! 15 million parameters.
//!
//! `cargo run --release -p chasqui-engine --example throughput [DIR..]`

use std::ops::ControlFlow;
use std::path::Path;

use chasqui_engine::{
    device, Architecture, Engine, GenerateRequest, LlamaConfig, RopeScaling, Sampling, WeightDtype,
};

fn random_model() -> chasqui_engine::Result<Engine> {
    let config = LlamaConfig {
        architecture: Architecture::Llama,
        vocab_size: 8_192,
        hidden_size: 384,
        intermediate_size: 1_024,
        num_hidden_layers: 6,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 64,
        max_position_embeddings: 1_024,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        qkv_bias: false,
        attention_output_bias: false,
        mlp_bias: false,
        qk_norm: false,
        tie_word_embeddings: false,
        initializer_range: 0.02,
        bos_token_id: None,
        eos_token_ids: vec![],
        dtype: WeightDtype::F32,
        rope_frequency_dtype: WeightDtype::F32,
    };
    println!("random model of {} parameters", config.num_parameters());
    Ok(Engine::new(config.init(1, &device::open("cpu")?)))
}

fn measure(name: &str, engine: &Engine) -> chasqui_engine::Result<()> {
    let vocab = engine.config().vocab_size as u32;
    let prompt_ids: Vec<u32> = (0..256).map(|i| i * 31 % vocab).collect();
    let sampling = Sampling {
        temperature_milli: 800,
        ignore_eos: true,
        ..Sampling::greedy(128)
    };
    let request = GenerateRequest {
        prompt_ids,
        sampling,
        fingerprint_seed: [0; 32],
    };
    for run in ["cold", "warm"] {
        let generation = engine.generate(&request, |_| ControlFlow::Continue(()))?;
        println!(
            "{name} ({run}): prefill {:.0} tokens/s, decode {:.0} tokens/s",
            generation.timings.prefill_tokens_per_second(),
            generation.timings.decode_tokens_per_second()
        );
    }
    Ok(())
}

fn main() -> chasqui_engine::Result<()> {
    let dirs: Vec<String> = std::env::args().skip(1).collect();
    for dir in &dirs {
        measure(dir, &Engine::load(Path::new(dir), "cpu")?)?;
    }
    if dirs.is_empty() {
        measure("random", &random_model()?)?;
    }
    Ok(())
}
