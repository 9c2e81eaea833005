//! The decoder as burn modules: initialisation, names, saving, training.

mod common;

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor, TensorData};
use chasqui_engine::{device, Engine, Llama, LlamaConfig, WeightDtype};
use common::{tiny_config, variants};

fn parameters(model: &Llama) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    model.named_parameters().unwrap()
}

// GIVEN a seed
// WHEN a model is initialised twice, and once with another seed
// THEN the first two are equal bit for bit, norms are one, biases zero, and the third differs
#[test]
fn initialisation_is_seeded() {
    let cpu = device::open("cpu").unwrap();
    let config = &variants()[4];
    let (a, b, c) = (
        config.init(1, &cpu),
        config.init(1, &cpu),
        config.init(2, &cpu),
    );
    assert_eq!(parameters(&a), parameters(&b));
    for ((name, _, ours), (_, _, theirs)) in parameters(&a).iter().zip(parameters(&c)) {
        match name {
            n if n.ends_with("norm.weight") => assert!(ours.iter().all(|x| *x == 1.0), "{name}"),
            n if n.ends_with(".bias") => assert!(ours.iter().all(|x| *x == 0.0), "{name}"),
            _ => {
                assert_ne!(*ours, theirs, "{name}");
                let mean = ours.iter().sum::<f32>() / ours.len() as f32;
                let square = ours.iter().map(|x| x * x).sum::<f32>() / ours.len() as f32;
                assert!(mean.abs() < 0.03, "{name}: mean {mean}");
                assert!(
                    (square.sqrt() - 0.2).abs() < 0.03,
                    "{name}: deviation {square}"
                );
            }
        }
    }
}

// GIVEN every variant of the family
// WHEN it is saved and loaded
// THEN configuration, names and bits survive, and the parameter count is what the config says
#[test]
fn saved_models_load_again() {
    let cpu = device::open("cpu").unwrap();
    for config in variants() {
        let model = config.init(7, &cpu);
        let count: usize = parameters(&model)
            .iter()
            .map(|(_, _, values)| values.len())
            .sum();
        assert_eq!(count as u64, config.num_parameters());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder");
        model.save_hf(&path).unwrap();
        let loaded = Llama::from_dir(&path, &cpu).unwrap();
        assert_eq!(loaded.config(), &config);
        assert_eq!(parameters(&loaded), parameters(&model));
        let files: Vec<_> = std::fs::read_dir(&path).unwrap().collect();
        assert_eq!(files.len(), 2, "no partial file stays behind");
    }
}

// GIVEN a model declared as bf16
// WHEN it is saved and loaded
// THEN the weights are those rounded to bf16
#[test]
fn saving_in_half_precision_rounds() {
    let cpu = device::open("cpu").unwrap();
    let config = LlamaConfig {
        dtype: WeightDtype::Bf16,
        ..tiny_config()
    };
    let model = config.init(7, &cpu);
    let dir = tempfile::tempdir().unwrap();
    model.save_hf(dir.path()).unwrap();
    let loaded = Llama::from_dir(dir.path(), &cpu).unwrap();
    for ((name, _, ours), (_, _, theirs)) in parameters(&loaded).iter().zip(parameters(&model)) {
        let rounded: Vec<f32> = theirs
            .iter()
            .map(|x| half::bf16::from_f32(*x).to_f32())
            .collect();
        assert_eq!(*ours, rounded, "{name}");
    }
}

// GIVEN parameter paths in the module tree
// WHEN they are compared with a checkpoint's tensor names
// THEN they are the same set
#[test]
fn paths_are_tensor_names() {
    let dir = common::golden("qwen3-qknorm");
    let model = Llama::from_dir(&dir, &device::open("cpu").unwrap()).unwrap();
    let mut ours: Vec<String> = parameters(&model)
        .into_iter()
        .map(|(name, _, _)| name)
        .collect();
    ours.sort();
    let mut theirs = chasqui_engine::weights::WeightFiles::open(&dir)
        .unwrap()
        .names();
    theirs.retain(|name| name != "lm_head.weight");
    assert_eq!(ours, theirs);
}

fn batch(ids: &[[i64; 6]; 2], device: &burn::tensor::Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::from(*ids), device)
}

// GIVEN a batch of two sequences
// WHEN it is run at once, each alone, and through a cache in two steps
// THEN the logits agree: sequences do not see each other, nor the future
#[test]
fn batches_and_caches_agree() {
    let cpu = device::open("cpu").unwrap();
    let ids = [[3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14]];
    for config in variants() {
        let model = config.init(5, &cpu);
        let whole = model
            .forward(batch(&ids, &cpu))
            .try_into_vec_as::<f32>()
            .unwrap();
        let mut cache = chasqui_engine::KvCache::new(&config, 2, 6, &cpu);
        let first = batch(&ids, &cpu).slice([0..2, 0..4]);
        let second = batch(&ids, &cpu).slice([0..2, 4..6]);
        let parts = vec![
            model.forward_cached(first, &mut cache),
            model.forward_cached(second, &mut cache),
        ];
        let cached = model
            .logits(Tensor::cat(parts, 1))
            .try_into_vec_as::<f32>()
            .unwrap();
        assert_eq!(cache.len(), 6);
        let alone: Vec<f32> = ids
            .iter()
            .flat_map(|row| {
                let row = Tensor::<2, Int>::from_data(TensorData::from([*row]), &cpu);
                model.forward(row).try_into_vec_as::<f32>().unwrap()
            })
            .collect();
        for (index, value) in whole.iter().enumerate() {
            assert!((value - cached[index]).abs() < 1e-4, "{config:?}");
            assert!((value - alone[index]).abs() < 1e-4, "{config:?}");
        }
    }
}

// GIVEN a cache that is cut back
// WHEN other tokens follow
// THEN the logits are those of the shorter prefix with these tokens
#[test]
fn truncated_caches_continue() {
    let cpu = device::open("cpu").unwrap();
    let config = tiny_config();
    let model = config.init(5, &cpu);
    let run = |ids: &[i64], cache: &mut chasqui_engine::KvCache| {
        let data = TensorData::new(ids.to_vec(), [1, ids.len()]);
        let hidden = model.forward_cached(Tensor::from_data(data, &cpu), cache);
        hidden.try_into_vec_as::<f32>().unwrap()
    };
    let mut cache = chasqui_engine::KvCache::new(&config, 1, 8, &cpu);
    let mut fresh = chasqui_engine::KvCache::new(&config, 1, 8, &cpu);
    run(&[3, 4, 5, 6], &mut cache);
    cache.truncate(2);
    run(&[3, 4], &mut fresh);
    let (ours, theirs) = (run(&[9, 10], &mut cache), run(&[9, 10], &mut fresh));
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < 1e-4);
    }
}

// GIVEN a model on a device with autodiff
// WHEN the next-token loss is differentiated and one step of descent taken
// THEN every parameter has a finite gradient, and the loss falls
#[test]
fn models_train() {
    use burn::nn::loss::CrossEntropyLossConfig;
    use burn::optim::AdamWConfig;
    let training = device::open("cpu").unwrap().autodiff();
    let ids = [[3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14]];
    for config in variants() {
        let mut model = config.init(5, &training);
        let mut optimiser = AdamWConfig::new().init();
        let loss_of = |model: &Llama| {
            let tokens = batch(&ids, &training);
            let logits = model.forward(tokens.clone().slice([0..2, 0..5]));
            let targets = tokens.slice([0..2, 1..6]).reshape([10]);
            let loss = CrossEntropyLossConfig::new().init(&training);
            loss.forward(logits.reshape([10, config.vocab_size]), targets)
        };
        let before = loss_of(&model).into_scalar::<f32>();
        let grads = GradientsParams::from_grads(loss_of(&model).backward(), &model);
        assert_eq!(grads.len(), parameters(&model).len(), "{config:?}");
        model = optimiser.step(1e-2, model, grads);
        let after = loss_of(&model).into_scalar::<f32>();
        assert!(after.is_finite() && after < before, "{before} to {after}");
        // What was trained can be served without gradients.
        assert!(Engine::new(model).score(&[3, 4]).is_ok());
    }
}
