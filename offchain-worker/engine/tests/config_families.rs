//! `config.json` of each family, in the older and the newer style, and what is refused in it.

mod common;

use std::path::PathBuf;

use chasqui_engine::{Architecture, LlamaConfig, Result, RopeScaling, WeightDtype};
use common::message;
use serde_json::{json, Value};
use tempfile::TempDir;

fn write(value: &Value) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config.json");
    std::fs::write(&path, value.to_string()).unwrap();
    (dir, path)
}

fn read(value: &Value) -> Result<LlamaConfig> {
    let (_dir, path) = write(value);
    LlamaConfig::from_file(&path)
}

/// `base` with fields replaced; null removes one.
fn with(mut base: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        match value.is_null() {
            true => base.as_object_mut().unwrap().remove(name),
            false => base
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    base
}

/// The fields that no family does without.
fn sizes(class: &str) -> Value {
    json!({
        "architectures": [class],
        "vocab_size": 1_000, "hidden_size": 512, "intermediate_size": 1_024,
        "num_hidden_layers": 2, "num_attention_heads": 8, "max_position_embeddings": 32_768,
    })
}

fn llama() -> Value {
    sizes("LlamaForCausalLM")
}

// GIVEN the least that a file of each family may say
// WHEN it is read
// THEN what it leaves out is what that family means by it
#[test]
fn each_family_has_its_defaults() {
    let config = read(&llama()).unwrap();
    assert_eq!(config.architecture, Architecture::Llama);
    assert_eq!((config.head_dim, config.num_key_value_heads), (64, 8));
    assert_eq!(
        (config.rope_theta, &config.rope_scaling),
        (10_000.0, &RopeScaling::None)
    );
    assert_eq!(config.rms_norm_eps, 1e-6);
    assert_eq!(config.dtype, WeightDtype::F32);
    assert!(!config.qkv_bias && !config.attention_output_bias && !config.mlp_bias);
    assert!(!config.qk_norm && !config.tie_word_embeddings);
    assert!(config.eos_token_ids.is_empty());
    assert_eq!(config.max_position_embeddings, 32_768);

    let config = read(&sizes("MistralForCausalLM")).unwrap();
    assert_eq!(
        config.max_position_embeddings, 4_096,
        "the family's own window, as the file names none"
    );
    let config = read(&sizes("Qwen2ForCausalLM")).unwrap();
    assert!(config.qkv_bias && !config.attention_output_bias && !config.qk_norm);
    assert_eq!(config.max_position_embeddings, 32_768, "windows are off");
    let config = read(&sizes("Qwen3ForCausalLM")).unwrap();
    assert!(config.qk_norm && !config.qkv_bias);
    assert_eq!(config.head_dim, 128);
    let by_type = with(
        sizes("x"),
        json!({"architectures": null, "model_type": "qwen3"}),
    );
    assert_eq!(read(&by_type).unwrap().architecture, Architecture::Qwen3);
}

// GIVEN a Llama 3 file in the older style and the same in the newer one
// WHEN both are read
// THEN they mean the same
#[test]
fn older_and_newer_style_agree() {
    let scaling = json!({
        "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3",
    });
    let older = with(
        llama(),
        json!({
            "torch_dtype": "bfloat16", "rope_theta": 500_000.0, "rope_scaling": scaling,
            "bos_token_id": 1, "eos_token_id": [2, 3], "head_dim": 128, "num_key_value_heads": 2,
            "attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true,
            "rms_norm_eps": 1e-5, "hidden_act": "silu",
        }),
    );
    let newer = with(
        older.clone(),
        json!({
            "torch_dtype": null, "dtype": "bfloat16", "rope_theta": null, "rope_scaling": null,
            "rope_parameters": with(scaling, json!({"rope_theta": 500_000.0})),
        }),
    );
    let config = read(&older).unwrap();
    assert_eq!(config, read(&newer).unwrap());
    assert_eq!(config.dtype, WeightDtype::Bf16);
    assert_eq!(config.rope_theta, 500_000.0);
    assert_eq!(
        config.rope_scaling,
        RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8_192
        }
    );
    assert!(config.qkv_bias && config.attention_output_bias && config.mlp_bias);
    assert_eq!(
        (config.bos_token_id, &config.eos_token_ids[..]),
        (Some(1), &[2, 3][..])
    );
    // And what we write means the same again.
    assert_eq!(read(&config.to_json()).unwrap(), config);
}

// GIVEN the two names of a scaling's type
// WHEN the file is read
// THEN both are understood, and `rope_type` goes first
#[test]
fn names_of_the_scaling_type() {
    for scaling in [
        json!({"type": "linear", "factor": 4.0}),
        json!({"rope_type": "linear", "factor": 4}),
        json!({"rope_type": "linear", "type": "yarn", "factor": 4.0}),
    ] {
        let config = read(&with(llama(), json!({"rope_scaling": scaling}))).unwrap();
        assert_eq!(config.rope_scaling, RopeScaling::Linear { factor: 4.0 });
    }
}

// GIVEN files that ask for arithmetic that the engine does not have, or hold what is no value of a
//       field
// WHEN they are read
// THEN the error names file and field, and what is supported
#[test]
fn what_is_not_supported_is_named() {
    let llama3 = |change: Value| {
        let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192});
        json!({"rope_scaling": with(scaling, change)})
    };
    let cases = [
        (json!({"architectures": ["PhiForCausalLM"]}), "architecture `PhiForCausalLM` is not supported; supported: LlamaForCausalLM, Mistral"),
        (json!({"architectures": null}), "architecture `(none)`"),
        (json!({"architectures": []}), "architecture `(none)`"),
        (json!({"architectures": "LlamaForCausalLM"}), "field `architectures`: invalid type"),
        (json!({"hidden_act": "gelu_new"}), "field `hidden_act`: `gelu_new` is not supported; supported: silu"),
        (json!({"rope_scaling": {"type": "dynamic", "factor": 2.0}}), "field `rope_scaling`: rope type `dynamic` is not supported; supported: default, linear, llama3"),
        (json!({"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}), "field `rope_parameters`: rope type `yarn`"),
        (json!({"rope_scaling": {"rope_type": "longrope"}}), "rope type `longrope`"),
        (json!({"rope_scaling": {"rope_type": 3}}), "`rope_type` is not a string"),
        (json!({"rope_scaling": {"factor": 2.0}}), "`rope_type` is missing beside `factor`"),
        (json!({"rope_scaling": "linear"}), "field `rope_scaling`: is not an object"),
        (json!({"rope_scaling": {"type": "linear", "factor": -1.0}}), "`factor` is missing or not above 0"),
        (llama3(json!({"factor": null})), "`factor` is missing"),
        (llama3(json!({"high_freq_factor": 1.0})), "`high_freq_factor` must be above"),
        (llama3(json!({"original_max_position_embeddings": 1e300})), "`original_max_position_embeddings` is"),
        (llama3(json!({"original_max_position_embeddings": 0.5})), "`original_max_position_embeddings` is"),
        (json!({"partial_rotary_factor": 0.5}), "field `partial_rotary_factor`"),
        (json!({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}), "`partial_rotary_factor` is not supported"),
        (json!({"quantization_config": {"quant_method": "gptq", "bits": 4}}), "field `quantization_config`: weights quantised by `gptq` are not read"),
        (json!({"torch_dtype": "int8"}), "field `torch_dtype`: `int8` is not supported"),
        (json!({"dtype": "float8_e4m3fn"}), "field `dtype`"),
        (json!({"rope_theta": 0}), "field `rope_theta`"),
        (json!({"rope_theta": "big"}), "field `rope_theta`: invalid type"),
        (json!({"hidden_size": 500}), "field `head_dim`: is missing, and hidden_size 500"),
        (json!({"hidden_size": -1}), "field `hidden_size`: invalid"),
        (json!({"hidden_size": 512.5}), "field `hidden_size`"),
        (json!({"num_attention_heads": 0}), "field `num_attention_heads`"),
        (json!({"num_key_value_heads": 3}), "field `num_key_value_heads`: 3 does not divide"),
        (json!({"num_hidden_layers": 1u64 << 40}), "field `num_hidden_layers`"),
        (json!({"max_position_embeddings": null}), "field `max_position_embeddings`: is missing"),
        (json!({"eos_token_id": -1}), "field `eos_token_id`: is not a token id"),
        (json!({"eos_token_id": [2, "x"]}), "field `eos_token_id`: is not a token id"),
        (json!({"eos_token_id": [2, 1_000]}), "field `eos_token_id`: 1000 lies outside"),
        (json!({"bos_token_id": 1_000}), "field `bos_token_id`: 1000 lies outside"),
        (json!({"tie_word_embeddings": "yes"}), "field `tie_word_embeddings`"),
        (json!({"architectures": ["MistralForCausalLM"], "attention_bias": true}), "field `attention_bias`: is true, but MistralForCausalLM has no such"),
        (json!({"architectures": ["Qwen3ForCausalLM"], "mlp_bias": true}), "field `mlp_bias`"),
        (json!({"architectures": ["MistralForCausalLM"], "sliding_window": "x"}), "field `sliding_window`"),
    ];
    for (fields, expected) in cases {
        let error = message(read(&with(llama(), fields.clone())));
        assert!(error.contains(expected), "{fields}: {error}");
        assert!(error.contains("config.json"), "{fields}: {error}");
    }
}

// GIVEN files that are no configuration: empty, a list, endless, with an endless value
// WHEN they are read
// THEN the error names the file and stays short
#[test]
fn files_that_are_no_configuration() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config.json");
    for (text, expected) in [
        (String::new(), "not valid JSON"),
        ("[1]".into(), "not valid JSON"),
        ("[".repeat(100_000), "not valid JSON"),
        (" ".repeat(2 << 20), "larger than the 1048576 bytes"),
        (
            with(llama(), json!({"hidden_size": "x".repeat(100_000)})).to_string(),
            "field `hidden_size`",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = message(LlamaConfig::from_file(&path));
        assert!(error.contains(expected), "{error}");
        assert!(
            error.contains("config.json") && error.len() < 600,
            "{error}"
        );
    }
}
