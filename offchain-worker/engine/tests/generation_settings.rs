//! `generation_config.json`: end tokens and the makers' sampling.

mod common;

use chasqui_engine::{Engine, GenerationDefaults, Result};
use common::{edit_json, golden_copy, message};
use serde_json::{json, Value};
use tempfile::TempDir;

fn read(value: &Value) -> Result<GenerationDefaults> {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("generation_config.json"), value.to_string()).unwrap();
    GenerationDefaults::from_dir(dir.path(), 100)
}

// GIVEN a file that samples, one that does not although it names a temperature, and none
// WHEN they are read
// THEN what is sampled with follows, with the reference's defaults where it samples
#[test]
fn sampling_defaults() {
    let said = read(&json!({
        "do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "max_new_tokens": 300,
    }))
    .unwrap();
    assert_eq!(
        (
            said.effective_temperature(),
            said.effective_top_k(),
            said.effective_top_p()
        ),
        (0.6, 20, 0.9)
    );
    assert_eq!(said.max_new_tokens, Some(300));
    let silent = read(&json!({"do_sample": true})).unwrap();
    assert_eq!(
        (
            silent.effective_temperature(),
            silent.effective_top_k(),
            silent.effective_top_p()
        ),
        (1.0, 50, 1.0)
    );
    let empty = TempDir::new().unwrap();
    for greedy in [
        read(&json!({"temperature": 0.6, "top_p": 0.9, "top_k": 20})).unwrap(),
        read(&json!({"do_sample": false, "temperature": 0.6})).unwrap(),
        GenerationDefaults::from_dir(empty.path(), 100).unwrap(),
    ] {
        assert_eq!(
            (
                greedy.effective_temperature(),
                greedy.effective_top_k(),
                greedy.effective_top_p()
            ),
            (0.0, 0, 1.0)
        );
    }
}

// GIVEN settings that the engine does not compute, some at the value that means nothing
// WHEN the file is read
// THEN those that would change an output are listed
#[test]
fn settings_that_are_not_computed() {
    let read = read(&json!({
        "repetition_penalty": 1.05, "num_beams": 1, "min_p": 0.0, "typical_p": 1.0,
        "no_repeat_ngram_size": 3, "bad_words_ids": [], "stop_strings": ["x"],
        "suppress_tokens": null, "pad_token_id": 0, "transformers_version": "5.0.0",
    }))
    .unwrap();
    assert_eq!(
        read.ignored,
        ["repetition_penalty", "no_repeat_ngram_size", "stop_strings"]
    );
}

// GIVEN end tokens in one file, in both, as one id and as several
// WHEN the model is loaded
// THEN those of generation_config.json hold where it speaks of them
#[test]
fn end_tokens() {
    let dir = golden_copy("llama-mha-tied");
    let path = dir.path().join("generation_config.json");
    for (ids, expected) in [
        (json!(7), vec![7]),
        (json!([7, 9]), vec![7, 9]),
        (json!(null), vec![1]),
    ] {
        edit_json(&path, |config| config["eos_token_id"] = ids);
        assert_eq!(Engine::load(dir.path(), "cpu").unwrap().eos_ids(), expected);
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(Engine::load(dir.path(), "cpu").unwrap().eos_ids(), [1]);
}

// GIVEN settings out of their range
// WHEN the file is read
// THEN the error names file and field
#[test]
fn settings_out_of_range() {
    for (field, value) in [
        ("eos_token_id", json!(100)),
        ("eos_token_id", json!([1, 100])),
        ("eos_token_id", json!("x")),
        ("temperature", json!(-1.0)),
        ("temperature", json!("warm")),
        ("top_p", json!(0.0)),
        ("top_p", json!(1.5)),
        ("top_k", json!(-1)),
        ("max_new_tokens", json!(0)),
        ("do_sample", json!(1)),
    ] {
        let mut settings = json!({"do_sample": true});
        settings[field] = value.clone();
        let error = message(read(&settings));
        assert!(
            error.contains(&format!("generation_config.json: field `{field}`")),
            "{value}: {error}"
        );
    }
    // 0 is how some files say that the likeliest token is taken.
    let cold = read(&json!({"do_sample": true, "temperature": 0.0})).unwrap();
    assert_eq!(cold.effective_temperature(), 0.0);
}
