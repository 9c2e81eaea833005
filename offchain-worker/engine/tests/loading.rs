//! How a model is loaded: device, threads, precision, instructions.

mod common;

use chasqui_engine::cpu::{Precision, SimdLevel};
use chasqui_engine::{Engine, LoadOptions};
use common::{golden, golden_copy, message};

fn load(name: &str, options: LoadOptions) -> chasqui_engine::Result<Engine> {
    Engine::load_with(&golden(name), &options)
}

// GIVEN device names and options
// WHEN a model is loaded with them
// THEN the decoder says what it computes with
#[test]
fn what_was_asked_for_is_what_runs() {
    let best = SimdLevel::from_env().unwrap();
    let two = LoadOptions {
        threads: Some(2),
        ..LoadOptions::on("cpu")
    };
    let cases = [
        (
            "llama-mha-tied",
            two.clone(),
            format!("cpu {best}, 2 threads, f32"),
        ),
        (
            "llama3-rope-headdim",
            two.clone(),
            format!("cpu {best}, 2 threads, f16"),
        ),
        (
            "llama-gqa-bf16-sharded",
            LoadOptions {
                threads: Some(1),
                simd: Some(SimdLevel::Portable),
                ..two.clone()
            },
            "cpu portable, 1 thread, bf16".into(),
        ),
        (
            "mistral-gqa",
            LoadOptions {
                device: "auto".into(),
                precision: Some(Precision::Int8),
                ..two
            },
            format!("cpu {best}, 2 threads, int8"),
        ),
        (
            "mistral-gqa",
            LoadOptions::on("burn"),
            "burn flex, f32".into(),
        ),
    ];
    for (name, options, expected) in cases {
        let engine = load(name, options).unwrap();
        assert_eq!(engine.decoder().describe(), expected);
    }
}

// GIVEN options that cannot be had
// WHEN a model is loaded with them
// THEN the error names the option and says what can
#[test]
fn what_cannot_be_had_is_refused() {
    let cpu = LoadOptions::on("cpu");
    let cases = [
        (
            LoadOptions {
                threads: Some(0),
                ..cpu.clone()
            },
            "`threads`",
            "at least 1",
        ),
        (
            LoadOptions {
                precision: Some(Precision::F16),
                ..cpu.clone()
            },
            "`precision`",
            "quantised to int8",
        ),
        (
            LoadOptions {
                threads: Some(2),
                ..LoadOptions::on("burn")
            },
            "`threads`",
            "`cpu` only",
        ),
        (
            LoadOptions {
                precision: Some(Precision::Int8),
                ..LoadOptions::on("burn")
            },
            "`precision`",
            "`cpu` only",
        ),
    ];
    for (options, field, expected) in cases {
        let error = message(load("llama-mha-tied", options));
        assert!(error.contains(field) && error.contains(expected), "{error}");
    }
}

// GIVEN a checkpoint
// WHEN its matrices are quantised while it is loaded
// THEN its logits stay near the exact ones, and are not the same
#[test]
fn quantised_models_stay_near() {
    for name in &common::golden_names() {
        let int8 = LoadOptions {
            precision: Some(Precision::Int8),
            ..LoadOptions::on("cpu")
        };
        let (exact, near) = (
            load(name, LoadOptions::on("cpu")).unwrap(),
            load(name, int8).unwrap(),
        );
        let vocab = exact.config().vocab_size as u32;
        let ids: Vec<u32> = (0..50).map(|index| index * 37 % vocab).collect();
        let (exact, near) = (exact.score(&ids).unwrap(), near.score(&ids).unwrap());
        let norm = |values: &[f32]| values.iter().map(|x| x * x).sum::<f32>().sqrt();
        let apart: Vec<f32> = exact
            .logits
            .iter()
            .zip(&near.logits)
            .map(|(a, b)| a - b)
            .collect();
        let relative = norm(&apart) / norm(&exact.logits);
        assert!(relative > 0.0 && relative < 0.05, "{name}: {relative}");
    }
}

// GIVEN a weight file in which one matrix is missing
// WHEN it is loaded onto the CPU
// THEN the error names the tensor
#[test]
fn missing_matrices_are_named() {
    let dir = golden_copy("mistral-gqa");
    common::edit_json(&dir.path().join("config.json"), |config| {
        config["num_hidden_layers"] = 100.into()
    });
    let error = message(Engine::load(dir.path(), "cpu"));
    assert!(
        error.contains("model.layers.") && error.contains("missing"),
        "{error}"
    );
}
