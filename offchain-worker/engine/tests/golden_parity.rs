//! The engine computes what the reference implementation computes.

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use chasqui_engine::{
    Engine, FinishReason, GenerateRequest, Llama, LlamaConfig, Pass, Sampling, Sequence, Tokenizer,
};
use common::{golden, golden_names};
use safetensors::SafeTensors;

struct Expected {
    input_ids: Vec<u32>,
    logits: Vec<f32>,
    hidden: Vec<f32>,
    greedy: Vec<u32>,
    /// In the cases that `make.py` makes.
    inverse_frequencies: Option<Vec<f32>>,
}

fn expected(dir: &Path) -> Expected {
    let bytes = std::fs::read(dir.join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let data = file.tensor(name).unwrap().data();
        data.chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let ids = |name: &str| -> Vec<u32> {
        let tensor = file.tensor(name).unwrap();
        let count: usize = tensor.shape().iter().product();
        let width = tensor.data().len() / count;
        let low = |b: &[u8]| u32::from_le_bytes(b[..4].try_into().unwrap());
        tensor.data().chunks_exact(width).map(low).collect()
    };
    Expected {
        input_ids: ids("input_ids"),
        logits: floats("logits"),
        hidden: floats("hidden"),
        greedy: ids("greedy"),
        inverse_frequencies: file
            .names()
            .contains(&"inverse_frequencies")
            .then(|| floats("inverse_frequencies")),
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}

fn request(prompt_ids: Vec<u32>, sampling: Sampling) -> GenerateRequest {
    GenerateRequest {
        prompt_ids,
        sampling,
        fingerprint_seed: [7; 32],
    }
}

/// Our own kernels, burn as the reference beside them, and a GPU where the machine has one.
fn devices() -> Vec<&'static str> {
    let gpu = (chasqui_engine::cuda::gpus() > 0).then_some("cuda:0");
    ["cpu", "burn"].into_iter().chain(gpu).collect()
}

fn cases() -> impl Iterator<Item = (String, &'static str)> {
    let devices = devices();
    golden_names()
        .into_iter()
        .flat_map(move |name| devices.clone().into_iter().map(move |d| (name.clone(), d)))
}

// GIVEN every golden checkpoint: all families, tied and untied, grouped heads, rotary scaling in
//       older and newer files, explicit head widths, biases, query and key norms, odd sizes, f32,
//       f16 and bf16, sharded, one token to many
// WHEN the reference input is scored, by our kernels and by burn
// THEN logits and hidden states agree with the reference
#[test]
fn logits_and_hidden_states_agree() {
    for (name, device) in cases() {
        let dir = golden(&name);
        let expected = expected(&dir);
        let engine = Engine::load(&dir, device).unwrap();
        let scores = engine.score(&expected.input_ids).unwrap();
        let logits = largest_difference(&scores.logits, &expected.logits);
        let hidden = largest_difference(&scores.hidden, &expected.hidden);
        println!("{name}, {device}: logits differ by {logits:e}, hidden states by {hidden:e}");
        assert!(logits < 2e-4, "{name}, {device}: logits differ by {logits}");
        assert!(hidden < 2e-4, "{name}, {device}: states differ by {hidden}");
    }
}

// GIVEN the checkpoints whose rotary frequencies are on record
// WHEN their files are read
// THEN the frequencies agree to the last bit, so that angles at far positions do too
#[test]
fn rotary_frequencies_agree() {
    let mut seen = 0;
    for name in golden_names() {
        let dir = golden(&name);
        let Some(expected) = expected(&dir).inverse_frequencies else {
            continue;
        };
        let ours = LlamaConfig::from_file(&dir.join("config.json"))
            .unwrap()
            .inverse_frequencies();
        assert_eq!(ours.len(), expected.len(), "{name}");
        for (ours, expected) in ours.iter().zip(&expected) {
            let apart = (ours - expected).abs() / expected;
            assert!(apart <= f32::EPSILON, "{name}: {ours} for {expected}");
        }
        seen += 1;
    }
    assert!(seen >= 12, "{seen} cases");
}

// GIVEN every golden checkpoint
// WHEN 24 tokens are generated greedily past any end token
// THEN they are the reference's tokens
#[test]
fn greedy_tokens_are_identical() {
    for (name, device) in cases() {
        let dir = golden(&name);
        let expected = expected(&dir);
        let engine = Engine::load(&dir, device).unwrap();
        let sampling = Sampling {
            ignore_eos: true,
            ..Sampling::greedy(24)
        };
        let generation = engine
            .generate(&request(expected.input_ids, sampling), |_| {
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(generation.output_ids, expected.greedy, "{name}, {device}");
        assert_eq!(generation.finish_reason, FinishReason::Length);
    }
}

// GIVEN the same checkpoints and a sampled output
// WHEN the states of token-by-token passes are compared with one teacher-forced pass, and the
//      output is replayed
// THEN our kernels give the same bits, and burn agrees within rounding
#[test]
fn cached_decoding_agrees_with_one_pass() {
    for (name, device) in cases() {
        let exact = device != "burn";
        let dir = golden(&name);
        let ids = expected(&dir).input_ids;
        let engine = Engine::load(&dir, device).unwrap();
        let scores = engine.score(&ids).unwrap();
        let mut sequence = engine.decoder().sequence(ids.len()).unwrap();
        for (t, id) in ids.iter().enumerate() {
            let hidden = feed(&engine, &mut sequence, &[*id]);
            let logits = engine.decoder().logits(&hidden).unwrap();
            let row = &scores.logits[t * scores.vocab_size..][..scores.vocab_size];
            let difference = largest_difference(&logits, row);
            assert!(difference < 1e-4, "{name}, position {t}: {difference}");
            assert!(!exact || logits == row, "{name}, position {t}");
        }

        let sampling = common::warm(11, 20);
        let request = request(ids.clone(), sampling.clone());
        let generation = engine
            .generate(&request, |_| ControlFlow::Continue(()))
            .unwrap();
        let replay = engine
            .replay(&ids, &generation.output_ids, &sampling, 1e-3, &[7; 32])
            .unwrap();
        assert_eq!(replay.len(), generation.output_ids.len());
        for (index, token) in replay.iter().enumerate() {
            assert_eq!(token.expected, generation.output_ids[index], "{name}");
            assert!(token.margin < 1e-3, "{name}: margin {}", token.margin);
            let apart = chasqui_engine::fingerprint::distance(
                &token.fingerprint,
                &generation.fingerprints[index],
            );
            assert!(apart <= 14, "{name}: fingerprints {apart} apart");
            assert!(!exact || (token.margin, apart) == (0.0, 0), "{name}");
        }
    }
}

// GIVEN a prompt longer than one chunk of the prefill
// WHEN it is scored, and separately run as one pass: through a cache, and without one
// THEN our kernels give the same bits, and burn the same logits within rounding
#[test]
fn chunks_do_not_show() {
    let dir = golden("mistral-gqa");
    let ids: Vec<u32> = (0..400u32).map(|i| i * 37 % 512).collect();
    let whole = Llama::from_dir(&dir, &cpu())
        .unwrap()
        .forward(tokens(&ids))
        .try_into_vec_as::<f32>()
        .unwrap();
    for device in devices() {
        let engine = Engine::load(&dir, device).unwrap();
        let chunked = engine.score(&ids).unwrap();
        let difference = largest_difference(&chunked.logits, &whole);
        assert!(difference < 1e-4, "{device}: {difference}");
        let mut sequence = engine.decoder().sequence(ids.len()).unwrap();
        let hidden = feed(&engine, &mut sequence, &ids);
        assert!(device == "burn" || hidden == chunked.hidden);
    }
}

// GIVEN the golden texts
// WHEN they are tokenised
// THEN the ids are the reference's after its one beginning-of-sequence id
#[test]
fn tokenizer_agrees() {
    for name in golden_names() {
        let dir = golden(&name);
        let case: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.join("case.json")).unwrap()).unwrap();
        let text = case["text"].as_str().unwrap();
        let vocab_size = LlamaConfig::from_file(&dir.join("config.json"))
            .unwrap()
            .vocab_size;
        let tokenizer = Tokenizer::from_file(&dir.join("tokenizer.json"), vocab_size).unwrap();
        let ids = tokenizer.encode(text, true).unwrap();
        assert_eq!(ids, expected(&dir).input_ids[1..], "{name}");
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), text);
    }
}

/// Appends `ids` to `sequence`; all their hidden states.
fn feed(engine: &Engine, sequence: &mut Sequence, ids: &[u32]) -> Vec<f32> {
    let pass = Pass {
        sequence,
        ids,
        from: 0,
    };
    engine.decoder().forward(&mut [pass]).unwrap()
}

fn cpu() -> burn::tensor::Device {
    chasqui_engine::device::open("cpu").unwrap()
}

fn tokens(ids: &[u32]) -> burn::tensor::Tensor<2, burn::tensor::Int> {
    let values: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
    let data = burn::tensor::TensorData::new(values, [1, ids.len()]);
    burn::tensor::Tensor::from_data(data, &cpu())
}
