//! Shared by the engine's tests: golden folders and small models.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use chasqui_engine::{Architecture, LlamaConfig, RopeScaling, Sampling, WeightDtype};
use tempfile::TempDir;

/// Every golden case: the folders of `tests/golden`, in order of their names.
pub fn golden_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(golden(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("expected.safetensors").is_file())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string())
        .collect();
    names.sort();
    assert!(names.len() >= 17, "golden cases are missing: {names:?}");
    names
}

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// A copy of a golden folder that a test may damage.
pub fn golden_copy(name: &str) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(golden(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::write(
            copy.path().join(path.file_name().unwrap()),
            std::fs::read(&path).unwrap(),
        )
        .unwrap();
    }
    copy
}

/// Rewrites a JSON file.
pub fn edit_json(path: &Path, edit: impl FnOnce(&mut serde_json::Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    edit(&mut value);
    std::fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

pub fn greedy(max_tokens: u32) -> Sampling {
    Sampling::greedy(max_tokens)
}

/// Warm sampling with everything on.
pub fn warm(seed: u64, max_tokens: u32) -> Sampling {
    Sampling {
        temperature_milli: 900,
        top_k: 50,
        top_p_ppm: 950_000,
        seed,
        ..Sampling::greedy(max_tokens)
    }
}

/// A decoder small enough for a test of any property.
pub fn tiny_config() -> LlamaConfig {
    LlamaConfig {
        architecture: Architecture::Llama,
        vocab_size: 64,
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        max_position_embeddings: 64,
        rms_norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        qkv_bias: false,
        attention_output_bias: false,
        mlp_bias: false,
        qk_norm: false,
        tie_word_embeddings: false,
        initializer_range: 0.2,
        bos_token_id: Some(0),
        eos_token_ids: vec![1],
        dtype: WeightDtype::F32,
        rope_frequency_dtype: WeightDtype::F32,
    }
}

/// Every variant of the family, small.
pub fn variants() -> Vec<LlamaConfig> {
    let base = tiny_config();
    vec![
        base.clone(),
        LlamaConfig {
            tie_word_embeddings: true,
            ..base.clone()
        },
        LlamaConfig {
            architecture: Architecture::Qwen2,
            qkv_bias: true,
            rope_scaling: RopeScaling::Linear { factor: 4.0 },
            ..base.clone()
        },
        LlamaConfig {
            architecture: Architecture::Qwen3,
            qk_norm: true,
            ..base.clone()
        },
        LlamaConfig {
            qkv_bias: true,
            attention_output_bias: true,
            mlp_bias: true,
            rope_scaling: RopeScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_context: 16,
            },
            eos_token_ids: vec![1, 2],
            ..base
        },
    ]
}

/// The message of what must fail.
pub fn message<T>(result: chasqui_engine::Result<T>) -> String {
    match result {
        Ok(_) => panic!("succeeded, should have failed"),
        Err(error) => error.to_string(),
    }
}
