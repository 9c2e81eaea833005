//! `config.json` is read as the reference implementation reads it.

mod common;

use chasqui_engine::{LlamaConfig, RopeScaling};
use common::{edit_json, golden_copy, message};
use serde_json::{json, Value};
use tempfile::TempDir;

/// What a golden case's file says after `fields` have been set in it; null stays null.
fn with(name: &str, fields: Value) -> (TempDir, chasqui_engine::Result<LlamaConfig>) {
    let dir = golden_copy(name);
    let path = dir.path().join("config.json");
    edit_json(&path, |config| {
        for (field, value) in fields.as_object().unwrap() {
            config[field] = value.clone();
        }
    });
    let read = LlamaConfig::from_file(&path);
    (dir, read)
}

fn config(name: &str, fields: Value) -> LlamaConfig {
    with(name, fields).1.unwrap()
}

const BF16: &str = "llama-gqa-bf16-sharded";
const EXACT: f32 = 0.316_227_77;
const ROUNDED: f32 = 0.316_406_25;

// GIVEN 16-bit checkpoints with a context of more than 512 tokens, or written by an older version,
//       or by an unknown one
// WHEN their files are read
// THEN the rotary frequencies are not rounded
#[test]
fn published_checkpoints_keep_exact_frequencies() {
    let published = [
        json!({"max_position_embeddings": 513}),
        json!({"max_position_embeddings": 131_072, "dtype": "float16"}),
        json!({"transformers_version": "4.57.6"}),
        json!({"transformers_version": null}),
        json!({"transformers_version": "main"}),
    ];
    for fields in published {
        let frequency = config(BF16, fields.clone()).inverse_frequencies()[1];
        assert!((frequency - EXACT).abs() < 1e-7, "{fields}: {frequency}");
    }
}

// GIVEN a 16-bit toy model that was cast and evaluated by the program that made it
// WHEN its file is read
// THEN the rotary frequencies are rounded as its weights are
#[test]
fn toy_models_count_as_cast() {
    let read = config(BF16, json!({}));
    assert_eq!(read.inverse_frequencies()[1], ROUNDED);
}

// GIVEN files that tell how the rotary frequencies were rounded
// WHEN they are read, written and read again
// THEN what they tell holds, whatever the context and the version; an unknown type is an error
#[test]
fn stated_rounding_holds() {
    let cases = [
        (json!({"rope_frequency_dtype": "float32"}), EXACT),
        (
            json!({"rope_frequency_dtype": "bfloat16", "max_position_embeddings": 4096}),
            ROUNDED,
        ),
    ];
    for (fields, expected) in cases {
        let (dir, read) = with(BF16, fields);
        let read = read.unwrap();
        assert!((read.inverse_frequencies()[1] - expected).abs() < 1e-7);
        let path = dir.path().join("config.json");
        std::fs::write(&path, read.to_json().to_string()).unwrap();
        assert_eq!(LlamaConfig::from_file(&path).unwrap(), read);
    }
    let (_dir, read) = with(BF16, json!({"rope_frequency_dtype": "float64"}));
    assert!(message(read).contains("`rope_frequency_dtype`"));
}

// GIVEN files with `rope_scaling` and `rope_parameters`, one of them empty, null or different
// WHEN they are read
// THEN `rope_scaling` goes first if it says anything; a base in the table goes before the field
#[test]
fn order_of_rotary_fields() {
    let name = "llama-mha-tied";
    let linear = RopeScaling::Linear { factor: 4.0 };
    let cases = [
        (
            json!({"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_theta": 7.0}),
            (7.0, &linear),
        ),
        (
            json!({"rope_scaling": {}, "rope_theta": 7.0}),
            (10_000.0, &RopeScaling::None),
        ),
        (
            json!({"rope_scaling": null, "rope_parameters": {}, "rope_theta": 7.0}),
            (7.0, &RopeScaling::None),
        ),
        (
            json!({"rope_parameters": {"rope_type": "linear", "factor": 4.0}}),
            (10_000.0, &linear),
        ),
        (
            json!({"rope_parameters": {"rope_theta": 5.0}, "rope_theta": 7.0}),
            (5.0, &RopeScaling::None),
        ),
    ];
    for (fields, (theta, scaling)) in cases {
        let read = config(name, fields.clone());
        assert_eq!(read.rope_theta, theta, "{fields}");
        assert_eq!(&read.rope_scaling, scaling, "{fields}");
    }
    let nested = json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}});
    let error = message(with(name, nested).1);
    assert!(
        error.contains("`rope_parameters`") && error.contains("`full_attention`"),
        "{error}"
    );
}

// GIVEN files of each family with a sliding window of 100 tokens, used or not
// WHEN they are read
// THEN the window bounds the context where the family uses it, and only there
#[test]
fn sliding_windows_bound_the_context() {
    let cases = [
        ("mistral-gqa", json!({"sliding_window": 100}), 100),
        (
            "mistral-gqa",
            json!({"sliding_window": 100, "use_sliding_window": false}),
            100,
        ),
        ("mistral-gqa", json!({"sliding_window": null}), 512),
        (
            "qwen3-qknorm",
            json!({"sliding_window": 100, "use_sliding_window": true}),
            100,
        ),
        (
            "qwen3-qknorm",
            json!({"sliding_window": 100, "use_sliding_window": false}),
            512,
        ),
        (
            "qwen3-qknorm",
            json!({"sliding_window": 100, "use_sliding_window": null}),
            512,
        ),
        ("llama-mha-tied", json!({"sliding_window": 100}), 512),
    ];
    for (name, fields, context) in cases {
        let read = config(name, fields.clone());
        assert_eq!(read.max_position_embeddings, context, "{name} {fields}");
    }
}
