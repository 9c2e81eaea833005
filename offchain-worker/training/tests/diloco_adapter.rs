//! Low-rank adapters: trained like everything else, replayed to the bit, served on the frozen base. And students.

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use chasqui_engine::generate::{Engine, GenerateRequest};
use chasqui_engine::load::LoadOptions;
use chasqui_engine::sampling::Sampling;
use chasqui_primitives::audit::Verdict;
use chasqui_primitives::training::{AdapterTargets, Codec, Recipe, Trains};
use chasqui_training::adapter::{adapter_config, LowRank};
use chasqui_training::diloco::{Inner, Local, OuterState};
use chasqui_training::flat::Layout;
use chasqui_training::rng::CounterRng;
use chasqui_training::train::mean_loss;
use common::claims::Court;
use common::{base, inner, recipe, SIZE, SPARSE, VOCABULARY};
use sp_core::H256;

fn adapted(codec: Codec, targets: AdapterTargets) -> Recipe {
    let recipe = Recipe {
        trains: Trains::Adapter {
            rank: 4,
            alpha_milli: 8_000,
            targets,
        },
        ..recipe(codec)
    };
    recipe.validate().unwrap();
    recipe
}

fn low_rank(targets: AdapterTargets) -> LowRank {
    let layout = Layout::of(&base());
    let frozen = layout.read(&base()).unwrap();
    let config = adapter_config(4, 8_000, targets);
    LowRank::new(base().config(), &layout, frozen, config).unwrap()
}

fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = CounterRng::new(seed, 1, 1);
    (0..len).map(|_| rng.unit() as f32 - 0.5).collect()
}

// GIVEN a fresh adapter
// WHEN it is laid over its base
// THEN the weights are the base's, to the bit, and another seed begins elsewhere
#[test]
fn a_fresh_adapter_changes_nothing() {
    let adapter = low_rank(AdapterTargets::ALL);
    let start = adapter.init(1);
    let layout = Layout::of(&base());
    assert_eq!(
        adapter.expand(&start).unwrap(),
        layout.read(&base()).unwrap()
    );
    assert_ne!(adapter.init(2), start);
    // Two matrices of rank 4 for each of the layers' maps.
    let widths: usize = [
        32 + 32,
        32 + 16,
        32 + 16,
        32 + 32,
        32 + 64,
        32 + 64,
        64 + 32,
    ]
    .iter()
    .sum();
    assert_eq!(start.len(), 2 * 4 * widths);
    let attention = low_rank(AdapterTargets::ATTENTION);
    assert_eq!(attention.init(1).len(), 2 * 4 * (64 + 48 + 48 + 64));
    assert!(adapter.expand(&start[1..]).is_err());
    assert!(adapter.pull_back(&start, &[0.0]).is_err());
}

// GIVEN an adapter somewhere, and a gradient of the weights
// WHEN it is pulled back
// THEN it is the slope of the weights along any direction of the adapter
#[test]
fn the_gradient_of_the_adapter_is_the_slope() {
    let adapter = low_rank(AdapterTargets::ALL);
    let len = adapter.layout().len();
    let here = noise(len, 1);
    let full = noise(Layout::of(&base()).len(), 2);
    let gradient = adapter.pull_back(&here, &full).unwrap();
    for seed in 3..8 {
        let along = noise(len, seed);
        let at = |step: f32| -> f64 {
            let moved: Vec<f32> = here.iter().zip(&along).map(|(x, d)| x + step * d).collect();
            let weights = adapter.expand(&moved).unwrap();
            weights
                .iter()
                .zip(&full)
                .map(|(w, g)| f64::from(*w) * f64::from(*g))
                .sum()
        };
        let slope = (at(0.05) - at(-0.05)) / 0.1;
        let stated: f64 = gradient
            .iter()
            .zip(&along)
            .map(|(g, d)| f64::from(*g) * f64::from(*d))
            .sum();
        assert!(
            (slope - stated).abs() < 1e-3 * stated.abs().max(1.0),
            "{slope} {stated}"
        );
    }
}

// GIVEN a run that trains an adapter
// WHEN a member's round is audited
// THEN it replays to the bit, what is sent is as small as the adapter, and the loss falls with the base untouched
#[test]
fn an_adapter_run_is_replayed() {
    let recipe = adapted(SPARSE, AdapterTargets::ALL);
    let mut court = Court::new(&recipe);
    let len = court.agreed.len();
    assert!(len * 2 < Layout::of(&base()).len());
    let case = court.honest(1);
    assert_eq!(court.verdict(&case, &[0, 1, 2]), Verdict::Valid);
    let mut cheat = case.clone();
    court.send_scaled(&mut cheat, 2.0);
    assert!(matches!(court.verdict(&cheat, &[]), Verdict::Hard(_)));

    let unseen: Vec<Vec<u32>> = (0..16)
        .map(|i| court.data.held_out(i, 24).unwrap())
        .collect();
    let mut loss = |params: &[f32]| {
        let model = court.inner.model(params).unwrap();
        mean_loss(&model, &Device::flex(), &unseen).unwrap()
    };
    let (before, after) = (loss(&court.agreed), loss(&case.states[3].params));
    assert!(after < before - 0.02, "{before} {after}");
}

fn trained(recipe: &Recipe, seed: u64) -> (Inner, OuterState) {
    let mut court = Court::new(recipe);
    court.agreed = court.inner.start(seed).params;
    let plan = court.plan((seed % 4) as u32);
    let first = court.first();
    let states = court.train(&plan, first);
    let model = OuterState::new(states[3].params.clone());
    (inner(recipe, 1), model)
}

/// The ids that follow a prompt, greedily.
fn says(dir: &Path, adapter: Option<&Path>, device: &str) -> Vec<u32> {
    let engine = Engine::load_adapted(dir, adapter, &LoadOptions::on(device)).unwrap();
    let request = GenerateRequest {
        prompt_ids: vec![0, 60, 70, 80],
        sampling: Sampling::greedy(24),
        fingerprint_seed: [0; 32],
    };
    let made = engine.generate(&request, |_| ControlFlow::Continue(()));
    made.unwrap().output_ids
}

// GIVEN a base in a folder, and two adapters trained on it in folders of their own
// WHEN the engine loads the base with either, on its kernels and on burn
// THEN it computes what the trainer's merged model computes, each adapter its own, and the base's files are as before
#[test]
fn the_engine_serves_base_and_adapter() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("base");
    base().save_hf(&folder).unwrap();
    let before = std::fs::read(folder.join("model.safetensors")).unwrap();
    // A high rate, so that outputs differ after a few steps.
    let mut recipe = adapted(Codec::F32, AdapterTargets::ALL);
    recipe.schedule.peak_nano = 50_000_000;
    let parent = H256::repeat_byte(0xab);
    let mut said = vec![says(&folder, None, "cpu")];
    for seed in [1, 2] {
        let (mut inner, model) = trained(&recipe, seed);
        let adapter = dir.path().join(format!("adapter-{seed}"));
        inner.save(&model.params, Some(parent), &adapter).unwrap();
        let config = std::fs::read_to_string(adapter.join("adapter_config.json")).unwrap();
        assert!(config.contains(&format!("{parent:?}")), "{config}");
        let merged = dir.path().join(format!("merged-{seed}"));
        inner
            .model(&model.params)
            .unwrap()
            .save_hf(&merged)
            .unwrap();
        let served = says(&folder, Some(&adapter), "cpu");
        assert_eq!(served, says(&merged, None, "cpu"));
        assert_eq!(
            says(&folder, Some(&adapter), "burn"),
            says(&merged, None, "burn")
        );
        said.push(served);
    }
    assert_ne!(said[0], said[1]);
    assert_ne!(said[1], said[2]);
    assert!(std::fs::read(folder.join("model.safetensors")).unwrap() == before);
}

// GIVEN an adapter's folder with a file missing, cut, of another base, with a matrix too many, or with a setting that
// means another computation
// WHEN it is loaded
// THEN the error names file and field
#[test]
fn adapters_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, adapter) = (dir.path().join("base"), dir.path().join("adapter"));
    base().save_hf(&folder).unwrap();
    let recipe = adapted(Codec::F32, AdapterTargets::ATTENTION);
    let mut inner = inner(&recipe, 1);
    let params = inner.start(1).params;
    inner.save(&params, None, &adapter).unwrap();
    let options = LoadOptions::on("cpu");
    let load = || match Engine::load_adapted(&folder, Some(&adapter), &options) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert_eq!(load(), "");
    let path = adapter.join("adapter_config.json");
    let good = std::fs::read_to_string(&path).unwrap();
    let cases = [
        ("\"r\": 4", "\"r\": 0", "`r`"),
        ("\"r\": 4", "\"r\": 100000", "`r`"),
        ("\"r\": 4", "\"r\": 8", "shape"),
        ("\"r\": 4", "\"r\": -1", "adapter_config.json"),
        ("\"lora_alpha\": 8.0", "\"lora_alpha\": 0.0", "lora_alpha"),
        ("\"q_proj\"", "\"lm_head\"", "target_modules"),
        ("\"q_proj\"", "\"up_proj\"", "missing"),
        ("LORA", "LOHA", "peft_type"),
        ("\"none\"", "\"all\"", "bias"),
        ("\"r\": 4", "\"use_dora\": true, \"r\": 4", "use_dora"),
        ("\"r\": 4", "\"use_rslora\": true, \"r\": 4", "use_rslora"),
        (
            "\"r\": 4",
            "\"rank_pattern\": {\"q_proj\": 2}, \"r\": 4",
            "rank_pattern",
        ),
        (
            "\"r\": 4",
            "\"modules_to_save\": [\"lm_head\"], \"r\": 4",
            "modules_to_save",
        ),
        ("{", "", "adapter_config.json"),
    ];
    for (from, to, named) in cases {
        assert!(good.contains(from), "{from}");
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let error = load();
        assert!(error.contains(named), "{to}: {error}");
    }
    // One matrix that is nobody's.
    std::fs::write(&path, good.replace("\"q_proj\",", "")).unwrap();
    assert!(load().contains("belongs to none"), "{}", load());
    std::fs::write(&path, &good).unwrap();
    let weights = adapter.join("adapter_model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 5]).unwrap();
    assert!(load().contains("corrupt"), "{}", load());
    let mut huge = bytes.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&weights, huge).unwrap();
    assert!(load().contains("corrupt"), "{}", load());
    std::fs::remove_file(&weights).unwrap();
    assert!(load().contains("cannot read"), "{}", load());
    std::fs::write(&weights, &bytes).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(load().contains("adapter_config.json"));
}

fn distilling(share_ppm: u32) -> Recipe {
    let mut recipe = Recipe {
        trains: Trains::Distil {
            teacher: H256::repeat_byte(1),
            temperature_milli: 2_000,
            share_ppm,
        },
        ..recipe(Codec::F32)
    };
    recipe.schedule.peak_nano = 10_000_000;
    recipe.validate().unwrap();
    recipe
}

// GIVEN a student and a teacher
// WHEN the student learns from the teacher alone
// THEN it comes nearer to it, and replays to the bit; its own teacher it has nothing to learn from
#[test]
fn a_student_learns_from_its_teacher() {
    let recipe = distilling(1_000_000);
    let mut court = Court::new(&common::recipe(Codec::F32));
    let mut teacher_config = SIZE.config(VOCABULARY);
    teacher_config.initializer_range = 0.4;
    let student = |teacher, threads| {
        let local = Local { threads };
        Inner::with_teacher(&base(), teacher, &recipe, local, Device::flex()).unwrap()
    };
    let teacher = teacher_config.init(9, &Device::flex());
    court.inner = student(teacher.clone(), 2);
    let plan = court.plan(0);
    let mut losses = Vec::new();
    let first = court.first();
    court
        .inner
        .run(first, &plan, &court.data, 0, 6, |report| {
            losses.push(report.loss);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(
        losses[0] > 0.1 && losses[5] < losses[0] * 0.95,
        "{losses:?}"
    );
    let case = court.honest(0);
    court.inner = student(teacher, 3);
    assert_eq!(court.verdict(&case, &[0, 1, 2]), Verdict::Valid);
    // Under another teacher it is false.
    court.inner = student(teacher_config.init(10, &Device::flex()), 2);
    assert_eq!(court.caught_at(&case), [0, 1, 2]);

    court.inner = student(base(), 1);
    let first = court.first();
    court
        .inner
        .run(first, &plan, &court.data, 0, 1, |report| {
            assert!(report.loss.abs() < 1e-5, "{}", report.loss);
            ControlFlow::Continue(())
        })
        .unwrap();
}

// GIVEN recipes with and without a teacher, and teachers that do not fit
// WHEN a trainer is made
// THEN it is refused where they do not belong together
#[test]
fn teachers_must_be_wanted_and_fit() {
    let local = Local { threads: 1 };
    let device = Device::flex;
    assert!(Inner::new(&base(), &distilling(500_000), local, device()).is_err());
    let full = recipe(Codec::F32);
    assert!(Inner::with_teacher(&base(), base(), &full, local, device()).is_err());
    let other = SIZE.config(VOCABULARY + 1).init(1, &device());
    let wrong = Inner::with_teacher(&base(), other, &distilling(500_000), local, device());
    assert!(wrong.is_err());
    let mixed = Inner::with_teacher(&base(), base(), &distilling(500_000), local, device());
    assert!(mixed.is_ok());
}
