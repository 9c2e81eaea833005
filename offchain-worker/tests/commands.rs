//! The commands that need no chain, by the real binary.

mod common;

use std::fs;

use common::{fails, golden, json, run, stderr, text};
use safetensors::SafeTensors;

const MODEL: &str = "llama-mha-tied";

fn floats(file: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensor = file.tensor(name).unwrap();
    let values = tensor
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    (tensor.shape().to_vec(), values)
}

fn ids(file: &SafeTensors<'_>, name: &str) -> Vec<i64> {
    let tensor = file.tensor(name).unwrap();
    let size = tensor.data().len() / tensor.shape().iter().product::<usize>();
    tensor
        .data()
        .chunks_exact(size)
        .map(|b| {
            b.iter()
                .rev()
                .fold(0i64, |n, byte| n << 8 | i64::from(*byte))
        })
        .collect()
}

fn list(ids: &[i64]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

// GIVEN the golden models' reference figures
// WHEN `score` writes logits and hidden states and `generate` continues greedily
// THEN both agree with the reference
#[test]
fn score_and_generate_agree_with_the_reference() {
    for name in [
        MODEL,
        "llama-gqa-bf16-sharded",
        "llama3-rope-headdim",
        "mistral-gqa",
        "qwen3-qknorm",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let model = golden(name);
        let expected = fs::read(model.join("expected.safetensors")).unwrap();
        let expected = SafeTensors::deserialize(&expected).unwrap();
        let input = ids(&expected, "input_ids");
        let out = dir.path().join("scores.safetensors");
        let report = json(&[
            "score",
            "--model",
            text(&model),
            "--ids",
            &list(&input),
            "--out",
            text(&out),
            "--json",
        ]);
        assert_eq!(report["positions"], input.len());
        assert_eq!(
            report["next_log_probabilities"].as_array().unwrap().len(),
            input.len() - 1
        );

        let scored = fs::read(&out).unwrap();
        let scored = SafeTensors::deserialize(&scored).unwrap();
        for tensor in ["logits", "hidden"] {
            let ((shape, ours), (reference, theirs)) =
                (floats(&scored, tensor), floats(&expected, tensor));
            assert_eq!(shape, reference, "{name} {tensor}");
            let worst = ours
                .iter()
                .zip(&theirs)
                .map(|(a, b)| (a - b).abs())
                .fold(0f32, f32::max);
            assert!(worst < 2e-4, "{name} {tensor}: off by {worst}");
        }

        let greedy = ids(&expected, "greedy");
        let report = json(&[
            "generate",
            "--model",
            text(&model),
            "--ids",
            &list(&input),
            "--max-tokens",
            "24",
            "--ignore-eos",
            "--json",
        ]);
        let made: Vec<i64> = report["output_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_i64().unwrap())
            .collect();
        assert_eq!(made, greedy, "{name}");
        for key in [
            "prompt_ids",
            "text",
            "prefill_tokens_per_second",
            "decode_tokens_per_second",
        ] {
            assert!(!report[key].is_null(), "{key}");
        }
    }
}

// GIVEN a text prompt
// WHEN it is completed at a temperature
// THEN the same seed gives the same tokens, streamed text and JSON agree, and another seed differs
#[test]
fn a_seed_fixes_the_completion() {
    let model = golden(MODEL);
    let with = |seed: &str, more: &[&str]| {
        let base = [
            "generate",
            "--model",
            text(&model),
            "--prompt",
            "the chain",
            "--max-tokens",
            "20",
            "--temperature",
            "0.8",
            "--seed",
            seed,
            "--ignore-eos",
        ];
        [&base[..], more]
            .concat()
            .into_iter()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let call =
        |arguments: &[String]| json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let (a, b, c) = (
        call(&with("7", &["--json"])),
        call(&with("7", &["--json"])),
        call(&with("8", &["--json"])),
    );
    assert_eq!(a["output_ids"], b["output_ids"]);
    assert_ne!(a["output_ids"], c["output_ids"]);
    let arguments = with("7", &[]);
    let streamed = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        String::from_utf8_lossy(&streamed.stdout).trim_end_matches('\n'),
        a["text"].as_str().unwrap().trim_end_matches('\n')
    );
    assert!(stderr(&streamed).contains("20 output tokens"));
}

// GIVEN a recorded generation
// WHEN it is audited, as it is and with a token edited
// THEN the first is valid and the second hard, by both modes; exit status tells them apart
#[test]
fn a_recorded_generation_is_audited() {
    let dir = tempfile::tempdir().unwrap();
    let model = golden(MODEL);
    let trace = dir.path().join("trace.json");
    json(&[
        "generate",
        "--model",
        text(&model),
        "--ids",
        "0,5,6,7",
        "--max-tokens",
        "16",
        "--temperature",
        "0.8",
        "--seed",
        "3",
        "--trace",
        text(&trace),
        "--json",
    ]);
    let audit = |trace: &str, mode: &str| {
        run(&[
            "audit",
            "--model",
            text(&model),
            "--trace",
            trace,
            "--mode",
            mode,
            "--k",
            "16",
            "--json",
        ])
    };
    for mode in ["full", "rastic"] {
        let output = audit(text(&trace), mode);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(found["verdict"], "valid");
        assert_eq!(found["mode"], mode);
    }
    // WHEN one output token and its leaf are edited, and all hashes with them
    let mut claim =
        chasqui_audit::TraceFile::from_json(&fs::read_to_string(&trace).unwrap()).unwrap();
    claim.output_ids[9] = (claim.output_ids[9] + 200) % 512;
    claim.trace[9].token = claim.output_ids[9];
    let leaves = claim.leaves();
    let (commitment, opening) = (claim.commitment().unwrap(), claim.opening(&leaves));
    let forged = chasqui_audit::Commitment::of(
        commitment.genesis,
        commitment.sampling,
        commitment.finish,
        &opening,
    );
    let forged = chasqui_audit::TraceFile::new(&forged, &opening);
    let path = dir.path().join("forged.json");
    fs::write(&path, forged.to_json().unwrap()).unwrap();
    for mode in ["full", "rastic"] {
        let output = audit(text(&path), mode);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert_eq!(found["verdict"], "hard", "{mode}: {found}");
    }
    // AND another model's auditor sees that it is not that model's
    let output = run(&[
        "audit",
        "--model",
        text(&golden("mistral-gqa")),
        "--trace",
        text(&trace),
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(3));
    // AND the text form says which token is worst
    let output = run(&["audit", "--model", text(&model), "--trace", text(&path)]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.starts_with("hard (margin)") && said.contains("worst: output token 9"),
        "{said}"
    );
}

// GIVEN a model
// WHEN it is inspected, imported twice, and calibrated
// THEN the figures are its own, the root is stable, and the thresholds are what `audit --thresholds` reads
#[test]
fn a_model_is_inspected_imported_and_calibrated() {
    let dir = tempfile::tempdir().unwrap();
    let model = golden(MODEL);
    let seen = json(&["model", "inspect", text(&model), "--json"]);
    assert_eq!(
        (&seen["architecture"], &seen["vocab_size"]),
        (&"LlamaForCausalLM".into(), &512.into())
    );
    let import = |blobs: &str| {
        json(&[
            "model",
            "import",
            text(&model),
            "--blob-dir",
            blobs,
            "--json",
        ])
    };
    let blobs = dir.path().join("blobs");
    let (first, again) = (import(text(&blobs)), import(text(&blobs)));
    assert_eq!(first, again);
    assert_eq!(
        first["root"],
        import(text(&dir.path().join("elsewhere")))["root"]
    );
    let plain = run(&["model", "import", text(&model), "--blob-dir", text(&blobs)]);
    assert_eq!(
        String::from_utf8_lossy(&plain.stdout).trim(),
        first["root"].as_str().unwrap()
    );

    let limits = dir.path().join("limits.json");
    let found = json(&[
        "model",
        "calibrate",
        text(&model),
        "--max-tokens",
        "12",
        "--seeds",
        "1",
        "--json",
    ]);
    assert_eq!(found["measured"]["pairs"], 8);
    fs::write(&limits, found.to_string()).unwrap();
    let trace = dir.path().join("trace.json");
    json(&[
        "generate",
        "--model",
        text(&model),
        "--ids",
        "0,9",
        "--max-tokens",
        "8",
        "--trace",
        text(&trace),
        "--json",
    ]);
    let audited = json(&[
        "audit",
        "--model",
        text(&model),
        "--trace",
        text(&trace),
        "--thresholds",
        text(&limits),
        "--json",
    ]);
    assert_eq!(audited["thresholds"], found["thresholds"]);
}

// GIVEN wrong uses: files that are not there or damaged, ids and options out of range
// WHEN a command is run
// THEN it fails, says nothing on standard output, and names what is wrong
#[test]
fn wrong_uses_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let model = golden(MODEL);
    let model = text(&model);
    let broken = dir.path().join("broken");
    common::copy_of(MODEL, &broken);
    let weights = broken.join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    let trace = dir.path().join("trace.json");
    fs::write(&trace, "{\"format\": 3}").unwrap();
    let nowhere = dir.path().join("nowhere");

    let cases: &[(&[&str], &str)] = &[
        (
            &["generate", "--model", text(&nowhere), "--ids", "1"],
            "nowhere",
        ),
        (
            &["generate", "--model", text(&broken), "--ids", "1"],
            "model.safetensors",
        ),
        (&["generate", "--model", model, "--ids", "1,x"], "'x'"),
        (&["generate", "--model", model, "--ids", "1,512"], "512"),
        (&["generate", "--model", model, "--ids", ""], "empty"),
        (&["generate", "--model", model], "--prompt"),
        (
            &["generate", "--model", model, "--ids", "1", "--prompt", "a"],
            "cannot be used with",
        ),
        (
            &[
                "generate",
                "--model",
                model,
                "--ids",
                "1",
                "--temperature",
                "0.01",
            ],
            "--temperature",
        ),
        (
            &["generate", "--model", model, "--ids", "1", "--top-p", "0"],
            "--top-p",
        ),
        (
            &[
                "generate",
                "--model",
                model,
                "--ids",
                "1",
                "--max-tokens",
                "0",
            ],
            "--max-tokens",
        ),
        (
            &[
                "generate",
                "--model",
                model,
                "--ids",
                "1",
                "--max-tokens",
                "100000",
            ],
            "max_tokens",
        ),
        (
            &[
                "generate", "--model", model, "--ids", "1", "--device", "abacus",
            ],
            "abacus",
        ),
        (
            &[
                "generate", "--model", model, "--ids", "1", "--salt", "0x12", "--trace", "t",
            ],
            "--salt",
        ),
        (&["score", "--model", model, "--ids", "9999"], "9999"),
        (&["score", "--model", model], "--ids"),
        (
            &["audit", "--model", model, "--trace", text(&nowhere)],
            "nowhere",
        ),
        (
            &["audit", "--model", model, "--trace", text(&trace)],
            "line 1 column",
        ),
        (&["model", "inspect", text(&nowhere)], "nowhere"),
        (
            &[
                "model",
                "import",
                text(&broken),
                "--blob-dir",
                text(&nowhere),
            ],
            "model.safetensors",
        ),
        (&["model", "import", text(&nowhere)], "nowhere"),
    ];
    for (arguments, needle) in cases {
        let said = fails(arguments);
        assert!(said.contains(needle), "{arguments:?} said: {said}");
    }
    assert!(!nowhere.exists(), "a refused import leaves no store behind");
}

// GIVEN every command
// WHEN its help is asked for
// THEN it answers
#[test]
fn every_command_has_help() {
    for command in [
        &["generate"][..],
        &["score"],
        &["audit"],
        &["model"],
        &["model", "inspect"],
        &["model", "import"],
        &["model", "calibrate"],
        &[],
    ] {
        let output = run(&[command, &["--help"]].concat());
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Usage")
        );
    }
}
