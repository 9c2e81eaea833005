//! Gradient steps: they learn, they are repeatable, and they do not depend on threads.

use std::sync::Arc;

use burn::tensor::Device;
use chasqui_training::corpus::{Corpus, Split};
use chasqui_training::data::PackedStream;
use chasqui_training::optim::{AdamWConfig, CosineSchedule};
use chasqui_training::recipe::{make, Recipe, Size};
use chasqui_training::tokenizer;
use chasqui_training::train::{TrainConfig, Trainer};
use chasqui_training::TrainingError;

const VOCAB: usize = 320;
const TINY: Size = Size {
    hidden: 32,
    layers: 2,
    heads: 2,
    kv_heads: 1,
    intermediate: 64,
};

fn settings(seed: u64, threads: usize) -> TrainConfig {
    TrainConfig {
        seed,
        micro_batch: 2,
        threads,
        optimizer: AdamWConfig::default(),
        schedule: CosineSchedule {
            peak: 1e-2,
            warmup: 2,
            steps: 20,
            floor: 0.1,
        },
        max_gradient_norm: 1.0,
    }
}

fn batches(count: usize) -> Vec<Vec<Vec<u32>>> {
    let corpus = Corpus::new(11, Split::Train);
    let tokenizer = Arc::new(tokenizer::train(corpus, 100, VOCAB).unwrap());
    let mut stream = PackedStream::new(corpus, tokenizer, 48, 0, 1).unwrap();
    (0..count).map(|_| stream.next_batch(6).unwrap()).collect()
}

fn trained(seed: u64, threads: usize, batches: &[Vec<Vec<u32>>]) -> (Trainer, Vec<f64>) {
    let mut trainer =
        Trainer::new(&TINY.config(VOCAB), settings(seed, threads), Device::flex()).unwrap();
    let losses = batches
        .iter()
        .map(|batch| trainer.step(batch).unwrap().loss)
        .collect();
    (trainer, losses)
}

// GIVEN a tiny model
// WHEN it takes 20 steps
// THEN the loss starts near that of a uniform guess and falls well below it, also on other text
#[test]
fn twenty_steps_reduce_the_loss() {
    let batches = batches(21);
    let (trainer, losses) = trained(1, 2, &batches[..20]);
    let uniform = (VOCAB as f64).ln();
    assert!(
        (losses[0] - uniform).abs() < 0.3,
        "{} against {uniform}",
        losses[0]
    );
    assert!(losses[19] < losses[0] - 1.0, "{losses:?}");
    let other = trainer.evaluate(&batches[20]).unwrap();
    assert!(other < losses[0] - 1.0, "{other}");
}

// GIVEN one seed
// WHEN a run is repeated, with the same and with other numbers of threads
// THEN weights and moments are equal to the bit; another seed gives others
#[test]
fn runs_of_one_seed_are_identical() {
    let batches = batches(6);
    let (first, losses) = trained(1, 1, &batches);
    for threads in [1, 2, 3] {
        let (again, same) = trained(1, threads, &batches);
        assert_eq!(again.params(), first.params());
        assert_eq!(again.optimizer(), first.optimizer());
        assert_eq!(again.hash(), first.hash());
        assert_eq!(same, losses);
    }
    assert_ne!(trained(2, 1, &batches).0.hash(), first.hash());
}

// GIVEN a batch that is empty, too short or ragged
// WHEN a step is asked for
// THEN it is refused and the weights stay as they were
#[test]
fn bad_batches_change_nothing() {
    let mut trainer = Trainer::new(&TINY.config(VOCAB), settings(1, 1), Device::flex()).unwrap();
    let before = trainer.hash();
    for batch in [vec![], vec![vec![1]], vec![vec![1, 2, 3], vec![1, 2]]] {
        let error = trainer.step(&batch).unwrap_err();
        assert!(
            matches!(error, TrainingError::Setting { field: "batch", .. }),
            "{error}"
        );
        assert!(trainer.evaluate(&batch).is_err());
    }
    assert_eq!((trainer.hash(), trainer.optimizer().steps()), (before, 0));
}

// GIVEN a learning rate far too high
// WHEN the run diverges
// THEN the step that meets a value that is not finite says so
#[test]
fn divergence_is_reported() {
    let mut config = settings(1, 1);
    config.schedule = CosineSchedule {
        peak: 1e30,
        warmup: 1,
        steps: 20,
        floor: 1.0,
    };
    let mut trainer = Trainer::new(&TINY.config(VOCAB), config, Device::flex()).unwrap();
    let error = batches(4)
        .iter()
        .find_map(|batch| trainer.step(batch).err())
        .unwrap();
    assert!(matches!(error, TrainingError::Diverged { .. }), "{error}");
}

fn recipe() -> Recipe {
    Recipe {
        size: TINY,
        seed: 5,
        steps: 2,
        batch: 2,
        micro_batch: 1,
        seq: 32,
        long_steps: 1,
        learning_rate: 1e-3,
        threads: 2,
        held_out: 2,
        evaluate_every: 1,
    }
}

// GIVEN a recipe
// WHEN it is followed twice
// THEN both folders hold the whole layout with equal files, and no partial folder is left
#[test]
fn a_recipe_gives_the_same_folder_twice() {
    let dir = tempfile::tempdir().unwrap();
    let summaries = ["a", "b"]
        .map(|name| make(recipe(), &Device::flex(), &dir.path().join(name), |_| {}).unwrap());
    assert_eq!(summaries[0].file_hash, summaries[1].file_hash);
    assert_eq!(summaries[0].weights_hash, summaries[1].weights_hash);
    assert_eq!(summaries[0].samples, summaries[1].samples);
    let files = [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    for file in files {
        let [first, second] =
            ["a", "b"].map(|name| std::fs::read(dir.path().join(name).join(file)).unwrap());
        assert!(first == second, "{file}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

// GIVEN a recipe with a setting out of range
// WHEN it is followed
// THEN the error names the setting and nothing is written
#[test]
fn impossible_recipes_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        (
            "steps",
            Recipe {
                steps: 0,
                ..recipe()
            },
        ),
        (
            "batch",
            Recipe {
                batch: 0,
                ..recipe()
            },
        ),
        (
            "micro-batch",
            Recipe {
                micro_batch: 0,
                ..recipe()
            },
        ),
        (
            "seq",
            Recipe {
                seq: 100_000,
                ..recipe()
            },
        ),
        (
            "long-steps",
            Recipe {
                long_steps: 3,
                ..recipe()
            },
        ),
        (
            "lr",
            Recipe {
                learning_rate: f64::NAN,
                ..recipe()
            },
        ),
        (
            "held-out",
            Recipe {
                held_out: 0,
                ..recipe()
            },
        ),
    ];
    for (name, recipe) in cases {
        match make(recipe, &Device::flex(), &dir.path().join("out"), |_| {}).unwrap_err() {
            TrainingError::Setting { field, .. } => assert_eq!(field, name),
            other => panic!("{other}"),
        }
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
