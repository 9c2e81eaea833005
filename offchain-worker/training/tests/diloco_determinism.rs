//! The bits of a segment depend neither on threads nor on the process nor on chance.

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use burn::tensor::Device;
use chasqui_training::diloco::state::vector_root;
use chasqui_training::diloco::{MemoryBlobs, ReplayClass};
use chasqui_training::optim::{AdamWConfig, CosineSchedule};
use chasqui_training::recipe::Size;
use chasqui_training::rng::CounterRng;
use chasqui_training::train::{TrainConfig, Trainer};
use common::{dataset, inner, plan, recipe, start, SPARSE};

const FOLDER: &str = "CHASQUI_TEST_SEGMENT";
const THREADS: &str = "CHASQUI_TEST_THREADS";

/// The leaf after the first five steps, as text.
fn segment(dir: &Path, threads: usize) -> String {
    let data = dataset(dir);
    let recipe = recipe(SPARSE);
    let mut inner = inner(&recipe, threads);
    let plan = plan(&recipe, 0, 2, 1);
    let state = inner.shape().fresh(start(&inner).params, 0);
    let state = inner
        .run(state, &plan, &data, 0, 5, |_| ControlFlow::Continue(()))
        .unwrap();
    format!("{:?}", state.store(&MemoryBlobs::default()).unwrap())
}

/// Hash of weights and moments after two steps of a model whose products are large enough for burn's own threads.
fn wide(threads: usize) -> String {
    let size = Size {
        hidden: 160,
        layers: 1,
        heads: 4,
        kv_heads: 2,
        intermediate: 448,
    };
    let config = TrainConfig {
        seed: 4,
        micro_batch: 2,
        threads,
        optimizer: AdamWConfig::default(),
        schedule: CosineSchedule {
            peak: 1e-3,
            warmup: 1,
            steps: 4,
            floor: 0.1,
        },
        max_gradient_norm: 1.0,
    };
    let mut trainer = Trainer::new(&size.config(500), config, Device::flex()).unwrap();
    let mut rng = CounterRng::new(8, 8, 8);
    for _ in 0..2 {
        let batch: Vec<Vec<u32>> = (0..4)
            .map(|_| (0..97).map(|_| rng.below(500) as u32).collect())
            .collect();
        trainer.step(&batch).unwrap();
    }
    let (params, optimizer) = trainer.into_state();
    let (first, second) = optimizer.moments();
    [&params[..], first, second]
        .map(|part| format!("{:?}", vector_root(part)))
        .join(" ")
}

// The child process of the tests below; as a test of its own it does nothing.
#[test]
fn child() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        let threads = std::env::var(THREADS).unwrap().parse().unwrap();
        println!("class: {}", class().description());
        println!("leaf: {}", segment(Path::new(&dir), threads));
        println!("wide: {}", wide(threads));
    }
}

fn class() -> ReplayClass {
    ReplayClass::of(&Device::flex()).unwrap().unwrap()
}

/// What a child with so many threads for micro-batches, and in burn's own pool, says.
fn in_a_process(dir: &Path, threads: usize, pool: usize) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, dir)
        .env(THREADS, threads.to_string())
        .env("RAYON_NUM_THREADS", pool.to_string())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    ["class: ", "leaf: ", "wide: "]
        .map(|name| {
            let line = text.lines().find_map(|line| line.split_once(name));
            line.unwrap().1.to_owned()
        })
        .to_vec()
}

// GIVEN one state and a segment
// WHEN it is trained again, with other numbers of threads, in this process and in others with pools of other sizes
// THEN weights, moments and residual are the same to the bit, and so is the replay class
#[test]
fn a_segment_has_the_same_bits_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (leaf, wide) = (segment(dir.path(), 1), wide(1));
    for threads in [1, 2, 3, 8] {
        assert_eq!(segment(dir.path(), threads), leaf);
        assert_eq!(self::wide(threads), wide);
    }
    let expected = [class().description().to_owned(), leaf, wide];
    for (threads, pool) in [(1, 1), (2, 1), (1, 2), (3, 5)] {
        let said = in_a_process(dir.path(), threads, pool);
        assert_eq!(said, expected);
    }
}

// GIVEN the CPU
// WHEN its class is asked for
// THEN it names backend, architecture, instructions, caches and a probe, and the hash follows from that
#[test]
fn the_class_names_what_bits_depend_on() {
    let class = class();
    for part in ["burn-flex", std::env::consts::ARCH, "cache", "probe"] {
        assert!(class.description().contains(part), "{class:?}");
    }
    assert_eq!(self::class().hash(), class.hash());
}

// GIVEN the versions that the class names
// WHEN the lock file is read
// THEN they are those that this program is built with
#[test]
fn the_class_names_the_versions_of_the_lock_file() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    for name in ["burn-flex", "gemm"] {
        let (_, rest) = lock
            .split_once(&format!("name = \"{name}\"\nversion = \""))
            .unwrap();
        let version = rest.split('"').next().unwrap();
        let named = format!("{name} {version}");
        assert!(class().description().contains(&named), "{named}");
    }
}
