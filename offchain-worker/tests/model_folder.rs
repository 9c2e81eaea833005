//! What a model folder says besides its weights: inspected, and used by `generate`.

mod common;

use std::{fs, path::PathBuf};

use common::{copy_of, fails, golden, json, run, stderr, text};
use serde_json::{json, Value};
use tempfile::TempDir;

const MODEL: &str = "llama-mha-tied";

/// A golden model whose folder says more.
fn model(files: &[(&str, Value)]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    copy_of(MODEL, &path);
    for (name, value) in files {
        fs::write(path.join(name), value.to_string()).unwrap();
    }
    (dir, path)
}

fn generate(model: &str, more: &[&str]) -> Value {
    json(&[&["generate", "--model", model, "--json"], more].concat())
}

// GIVEN models in f32 and bf16, one of them with a chat template and settings of its makers
// WHEN they are inspected
// THEN what is stored, what it takes in memory and what the folder says is shown
#[test]
fn folders_are_inspected() {
    let plain = json(&["model", "inspect", text(&golden(MODEL)), "--json"]);
    assert_eq!(plain["stored_tensors"], json!({"F32": plain["tensors"]}));
    assert_eq!(plain["unused_tensors"], json!([]));
    let parameters = plain["parameters"].as_u64().unwrap();
    assert_eq!(plain["memory_bytes"]["stored"], 4 * parameters);
    assert_eq!(plain["memory_bytes"]["float32"], 4 * parameters);
    assert!(plain["memory_bytes"]["int8"].as_u64().unwrap() < 2 * parameters);
    // Keys and values of two layers, four heads of 16, in f32.
    assert_eq!(plain["cache_bytes_per_token"], 2 * 2 * 4 * 16 * 4);
    assert_eq!(plain["chat_template"], false);
    assert_eq!(plain["sampling"]["temperature"], 0.0);

    let sharded = golden("llama-gqa-bf16-sharded");
    let half = json(&["model", "inspect", text(&sharded), "--json"]);
    assert_eq!(half["stored_tensors"], json!({"BF16": half["tensors"]}));
    let (stored, whole) = (
        &half["memory_bytes"]["stored"],
        &half["memory_bytes"]["float32"],
    );
    assert!(2 * stored.as_u64().unwrap() < whole.as_u64().unwrap() * 11 / 10);

    let (_dir, path) = model(&[
        ("tokenizer_config.json", json!({"chat_template": "x"})),
        (
            "generation_config.json",
            json!({"eos_token_id": [1, 2], "do_sample": true, "temperature": 0.7,
                "repetition_penalty": 1.1}),
        ),
    ]);
    let said = json(&["model", "inspect", text(&path), "--json"]);
    assert_eq!(said["chat_template"], true);
    assert_eq!(said["end_ids"], json!([1, 2]));
    assert_eq!(said["sampling"]["temperature"], 0.7);
    assert_eq!(
        said["sampling"]["not_computed"],
        json!(["repetition_penalty"])
    );
    let shown = run(&["model", "inspect", text(&path)]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for line in [
        "architecture ",
        "memory_bytes ",
        "chat_template          yes",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

// GIVEN a folder whose weights lack a tensor
// WHEN it is inspected or imported
// THEN it is refused with the tensor's name, before anything is stored
#[test]
fn incomplete_folders_are_refused() {
    let (dir, path) = model(&[]);
    let config = path.join("config.json");
    let mut value: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    value["num_hidden_layers"] = json!(3);
    fs::write(&config, value.to_string()).unwrap();
    let blobs = dir.path().join("blobs");
    for arguments in [
        &["model", "inspect", text(&path)][..],
        &["model", "import", text(&path), "--blob-dir", text(&blobs)],
    ] {
        let said = fails(arguments);
        assert!(
            said.contains("`model.layers.2.") && said.contains("is missing"),
            "{said}"
        );
    }
    assert!(!blobs.exists());
}

// GIVEN a model whose makers sample, with a setting that is not computed
// WHEN a person generates with and without options of their own
// THEN what they do not give is the makers', as if they had given it, and the rest is told
#[test]
fn the_makers_settings_are_defaults() {
    let (_dir, path) = model(&[(
        "generation_config.json",
        json!({"do_sample": true, "temperature": 0.7, "top_k": 5, "top_p": 0.9,
            "max_new_tokens": 6, "no_repeat_ngram_size": 2}),
    )]);
    let model = text(&path);
    let made = generate(model, &["--ids", "5,6,7", "--seed", "3", "--ignore-eos"]);
    assert_eq!(made["output_ids"].as_array().unwrap().len(), 6);
    assert_eq!(
        made["sampling"],
        json!({"temperature": 0.7, "top_k": 5, "top_p": 0.9, "max_tokens": 6, "seed": 3})
    );
    let explicit = [
        "--ids",
        "5,6,7",
        "--seed",
        "3",
        "--ignore-eos",
        "--temperature",
        "0.7",
        "--top-k",
        "5",
        "--top-p",
        "0.9",
        "--max-tokens",
        "6",
    ];
    let plain = golden(MODEL);
    assert_eq!(
        generate(text(&plain), &explicit)["output_ids"],
        made["output_ids"]
    );

    let greedy = [
        "--ids",
        "5,6,7",
        "--ignore-eos",
        "--temperature",
        "0",
        "--top-k",
        "0",
    ];
    let greedy = [&greedy[..], &["--max-tokens", "4"]].concat();
    let ours = generate(model, &greedy);
    assert_eq!(
        ours["output_ids"],
        generate(text(&plain), &greedy)["output_ids"]
    );
    let told = run(&["generate", "--model", model, "--ids", "5"]);
    assert!(
        stderr(&told).contains("no_repeat_ngram_size"),
        "{}",
        stderr(&told)
    );
}

// GIVEN makers' settings beyond what a prompt leaves of the context
// WHEN a person generates without saying how much
// THEN the output ends with the context
#[test]
fn the_context_bounds_the_makers_length() {
    let (_dir, path) = model(&[("generation_config.json", json!({"max_new_tokens": 100_000}))]);
    let ids = vec!["7"; 508].join(",");
    let made = generate(text(&path), &["--ids", &ids, "--ignore-eos"]);
    assert_eq!(made["output_ids"].as_array().unwrap().len(), 4);
}

// GIVEN a model with a chat template
// WHEN a person asks in a chat, with and without a system message
// THEN the prompt is what the template makes of it, special tokens once
#[test]
fn chats_are_put_into_the_template() {
    let template =
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}\
                    {% if add_generation_prompt %}[assistant]{% endif %}";
    let (_dir, path) = model(&[(
        "tokenizer_config.json",
        json!({"chat_template": template, "bos_token": "<|bos|>"}),
    )]);
    let model = text(&path);
    let ask = ["--prompt", "vote", "--max-tokens", "1"];
    for (chat, prompt) in [
        (&["--chat"][..], "<|bos|>[user] vote\n[assistant]"),
        (
            &["--chat", "--system", "be brief"],
            "<|bos|>[system] be brief\n[user] vote\n[assistant]",
        ),
    ] {
        let asked = generate(model, &[&ask[..], chat].concat());
        // The golden tokenizer adds no special tokens of its own.
        let plain = generate(model, &["--prompt", prompt, "--max-tokens", "1"]);
        assert_eq!(asked["prompt_ids"], plain["prompt_ids"]);
        assert_eq!(asked["prompt_ids"][0], 0);
        assert_eq!(asked["output_ids"], plain["output_ids"]);
    }
}

// GIVEN chats that cannot be
// WHEN they are asked for
// THEN the error says what is missing
#[test]
fn chats_that_cannot_be() {
    let plain = golden(MODEL);
    let (_dir, path) = model(&[(
        "tokenizer_config.json",
        json!({"chat_template": "{{ raise_exception('no, ' + messages[0].role) }}"}),
    )]);
    for (arguments, needle) in [
        (
            &[
                "generate",
                "--model",
                text(&plain),
                "--prompt",
                "a",
                "--chat",
            ][..],
            "chat template: is missing",
        ),
        (
            &[
                "generate",
                "--model",
                text(&path),
                "--prompt",
                "a",
                "--chat",
            ],
            "refuses these messages: no, user",
        ),
        (
            &["generate", "--model", text(&path), "--ids", "1", "--chat"],
            "cannot be used with",
        ),
        (
            &[
                "generate",
                "--model",
                text(&path),
                "--prompt",
                "a",
                "--system",
                "b",
            ],
            "--chat",
        ),
    ] {
        let said = fails(arguments);
        assert!(said.contains(needle), "{arguments:?}: {said}");
    }
}
