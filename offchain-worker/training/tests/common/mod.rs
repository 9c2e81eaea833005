//! A small run: text, dataset, model, recipe.
#![allow(dead_code)]

pub mod claims;

use std::path::Path;

use burn::tensor::Device;
use chasqui_engine::model::Llama;
use chasqui_primitives::training::{
    AuditTerms, Codec, InnerOptimizer, Outer, Recipe, RunTerms, Schedule, Start, Timing, Trains,
};
use chasqui_training::corpus::{Corpus, Split};
use chasqui_training::diloco::dataset::{build, BuildOptions, TextEncoder};
use chasqui_training::diloco::{Dataset, Inner, Local, OuterState, RoundPlan};
use chasqui_training::recipe::Size;
use chasqui_training::tokenizer;
use sp_core::H256;

pub const VOCABULARY: usize = 320;
pub const SIZE: Size = Size {
    hidden: 32,
    layers: 2,
    heads: 2,
    kv_heads: 1,
    intermediate: 64,
};
pub const SPARSE: Codec = Codec::Sparse {
    chunk: 256,
    keep: 16,
    decay_ppm: 950_000,
};
pub const TERMS: AuditTerms = AuditTerms {
    segments: 1,
    soft_ppm: 1_000,
    hard_ppm: 10_000,
    evidence_tau: 8,
};
pub const RUN: H256 = H256([7; 32]);

/// Writes `count` documents of made-up prose into `dir`.
pub fn write_texts(dir: &Path, count: u64) {
    std::fs::create_dir_all(dir).unwrap();
    let corpus = Corpus::new(11, Split::Train);
    for index in 0..count {
        let path = dir.join(format!("{index:04}.txt"));
        std::fs::write(path, corpus.document(index)).unwrap();
    }
}

pub fn encoder() -> TextEncoder {
    let corpus = Corpus::new(11, Split::Train);
    let tokenizer = tokenizer::train(corpus, 100, VOCABULARY).unwrap();
    let json = tokenizer.to_string(false).unwrap();
    TextEncoder::from_bytes(json.as_bytes(), tokenizer::EOS_ID).unwrap()
}

/// A dataset built in `dir`.
pub fn dataset(dir: &Path) -> Dataset {
    let (texts, out) = (dir.join("texts"), dir.join("data"));
    if !out.exists() {
        write_texts(&texts, 120);
        let options = BuildOptions {
            held_out_ppm: 100_000,
            ..BuildOptions::default()
        };
        build(&[&texts], &encoder(), &out, &options, |_| {}).unwrap();
    }
    Dataset::open(&out).unwrap()
}

pub fn base() -> Llama {
    SIZE.config(VOCABULARY).init(3, &Device::flex())
}

pub fn recipe(codec: Codec) -> Recipe {
    let recipe = Recipe {
        inner_steps: 6,
        batch: 4,
        micro_batch: 2,
        sequence: 24,
        optimizer: InnerOptimizer::default(),
        schedule: Schedule {
            peak_nano: 3_000_000,
            warmup_steps: 2,
            total_steps: 60,
            floor_ppm: 100_000,
        },
        clip_milli: 1_000,
        outer: Outer::default(),
        codec,
        norm_clip_ppm: 2_000_000,
        segments: 3,
        trains: Trains::Full,
    };
    recipe.validate().unwrap();
    recipe
}

/// Terms of a run on a dataset of so many sequences.
pub fn terms(sequences: u64) -> RunTerms {
    let terms = RunTerms {
        start: Start::Fresh {
            config: H256::zero(),
            seed: 1,
        },
        dataset: H256::zero(),
        sequences,
        recipe: recipe(Codec::F32),
        rounds: 3,
        round_pay: 1_000,
        min_members: 1,
        max_members: 8,
        timing: Timing {
            forming_blocks: 1,
            warmup_blocks: 1,
            train_blocks: 1,
            grace_blocks: 1,
            spread_percent: 100,
            exchange_blocks: 1,
            attest_blocks: 1,
            audit_blocks: 1,
            agree_blocks: 1,
            challenge_blocks: 1,
            idle_blocks: 1,
            max_missed: 1,
            max_void: 1,
        },
        audit: TERMS,
    };
    terms.validate().unwrap();
    terms
}

pub fn inner(recipe: &Recipe, threads: usize) -> Inner {
    Inner::new(&base(), recipe, Local { threads }, Device::flex()).unwrap()
}

pub fn start(inner: &Inner) -> OuterState {
    inner.start(5)
}

/// The part of `rank` in `round`, of a run whose rounds all had so many members.
pub fn plan(recipe: &Recipe, round: u32, members: u32, rank: u32) -> RoundPlan {
    RoundPlan {
        run: RUN,
        round,
        seed: H256::repeat_byte(round as u8 + 1),
        members,
        rank,
        first_sequence: u64::from(round) * recipe.sequences_per_round(members),
    }
}
