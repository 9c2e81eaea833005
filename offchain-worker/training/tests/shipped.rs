//! The committed model folders: complete, trained, and what their cards say they are.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use chasqui_engine::generate::{Engine, GenerateRequest};
use chasqui_engine::model::Llama;
use chasqui_engine::sampling::Sampling;
use chasqui_training::recipe::{held_out, shared_tokenizer, Size};
use chasqui_training::sample::{complete, Choice};
use chasqui_training::tokenizer::{decode, encode_document, load, EOS_ID};
use chasqui_training::train::mean_loss;

/// Largest held-out loss of the shipped model, nats a token.
const FULL_BOUND: f64 = 0.6;
/// Least held-out loss of the small one: it must be clearly worse.
const SMALL_AT_LEAST: f64 = 2.0;

const PROMPT: &str = "Once upon a time";
const COMPLETION: &str =
    " there was a runner named Rosa. She lived in the village of Orqo, near a green \
    forest. One morning, she made a small box for her friend Rosa, a weaver in Orqo. She held the \
    small box carefully and started on the";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../models")
        .join(name)
}

fn loss(name: &str) -> f64 {
    let device = Device::flex();
    let model = Llama::from_dir(&folder(name), &device).unwrap();
    let tokenizer = Arc::new(load(&folder(name).join("tokenizer.json")).unwrap());
    mean_loss(&model, &device, &held_out(&tokenizer, 8, 256).unwrap()).unwrap()
}

// GIVEN the shipped model and the small one
// WHEN their loss is measured on text that neither was trained on
// THEN the shipped one is below its bound, the small one far above that, below a uniform guess
#[test]
fn held_out_loss_is_within_its_bounds() {
    let (full, small) = (loss("chasqui-tales"), loss("chasqui-tales-small"));
    assert!(full < FULL_BOUND, "{full}");
    assert!(
        small > SMALL_AT_LEAST && small < 1280f64.ln() - 1.0,
        "{small}"
    );
}

// GIVEN the shipped model
// WHEN it completes a fixed prompt greedily, by the network's engine and by this crate
// THEN both give the recorded text
#[test]
fn greedy_completion_is_the_recorded_one() {
    let dir = folder("chasqui-tales");
    let engine = Engine::load(&dir, "cpu").unwrap();
    let tokenizer = load(&dir.join("tokenizer.json")).unwrap();
    let prompt = engine.tokenizer().unwrap().encode(PROMPT, true).unwrap();
    let mut expected = encode_document(&tokenizer, PROMPT).unwrap();
    expected.pop();
    assert_eq!(prompt, expected);

    let request = GenerateRequest {
        prompt_ids: prompt.clone(),
        sampling: Sampling::greedy(48),
        fingerprint_seed: [0; 32],
    };
    let made = engine
        .generate(&request, |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(!made.output_ids.contains(&EOS_ID));
    assert_eq!(decode(&tokenizer, &made.output_ids).unwrap(), COMPLETION);

    let model = Llama::from_dir(&dir, &Device::flex()).unwrap();
    let own = complete(&model, &Device::flex(), &prompt, 48, Choice::Greedy).unwrap();
    assert_eq!(own, made.output_ids);
}

// GIVEN the shipped model
// WHEN it completes a prompt to its end
// THEN it ends by itself, within the length of a tale
#[test]
fn tales_come_to_an_end() {
    let dir = folder("chasqui-tales");
    let engine = Engine::load(&dir, "cpu").unwrap();
    let request = GenerateRequest {
        prompt_ids: engine.tokenizer().unwrap().encode(PROMPT, true).unwrap(),
        sampling: Sampling::greedy(480),
        fingerprint_seed: [0; 32],
    };
    let made = engine
        .generate(&request, |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(made.output_ids.last(), Some(&EOS_ID));
    assert!(made.output_ids.len() > 60, "{}", made.output_ids.len());
}

// GIVEN both folders
// WHEN their files are looked at
// THEN the layout is complete, small enough to ship, of the declared size, and the tokenizer is
//      the same in both and what the corpus gives today
#[test]
fn folders_are_complete_and_share_a_tokenizer() {
    let read = |name: &str, file: &str| std::fs::read(folder(name).join(file)).unwrap();
    for (name, size, limit) in [
        ("chasqui-tales", Size::FULL, 4_000_000),
        ("chasqui-tales-small", Size::SMALL, 1_000_000),
    ] {
        let model = Llama::from_dir(&folder(name), &Device::flex()).unwrap();
        assert_eq!(*model.config(), size.config(1280));
        assert!(read(name, "model.safetensors").len() < limit);
        for file in [
            "README.md",
            "generation_config.json",
            "tokenizer_config.json",
        ] {
            assert!(!read(name, file).is_empty());
        }
    }
    let tokenizer = read("chasqui-tales", "tokenizer.json");
    assert!(tokenizer == read("chasqui-tales-small", "tokenizer.json"));
    let today = shared_tokenizer().unwrap().to_string(true).unwrap();
    assert!(
        today.as_bytes() == tokenizer,
        "the corpus or the tokenizer's training has changed"
    );
}
