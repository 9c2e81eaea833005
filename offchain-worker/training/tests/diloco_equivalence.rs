//! Where rounds must come to the same as ordinary training.

mod common;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use burn::tensor::Device;
use chasqui_primitives::training::{Codec, Outer, Recipe};
use chasqui_training::diloco::outer::{norm, pseudo_gradient};
use chasqui_training::diloco::state::TrainState;
use chasqui_training::diloco::{Dataset, Inner, OuterState, RoundPlan};
use chasqui_training::optim::{AdamWConfig, CosineSchedule};
use chasqui_training::train::{TrainConfig, Trainer};
use common::{base, dataset, inner, plan, recipe, start};
use proptest::prelude::*;

const MEMBERS: u32 = 4;
/// The members' mean, and nothing else.
const MEAN: Outer = Outer {
    rate_ppm: 1_000_000,
    momentum_ppm: 0,
    nesterov: false,
};

fn train(
    inner: &mut Inner,
    state: TrainState,
    plan: &RoundPlan,
    data: &Dataset,
    steps: u32,
) -> TrainState {
    let go = |_: &_| ControlFlow::Continue(());
    inner.run(state, plan, data, 0, steps, go).unwrap()
}

/// Rounds of members whose parts are `plans(round)`; the agreed model at the end, and the states.
fn rounds(
    recipe: &Recipe,
    data: &Dataset,
    count: u32,
    plans: impl Fn(u32) -> Vec<RoundPlan>,
) -> (OuterState, Vec<TrainState>) {
    let mut inner = inner(recipe, 2);
    let mut model = start(&inner);
    let mut states = vec![inner.shape().fresh(model.params.clone(), 0); plans(0).len()];
    for round in 0..count {
        let mut sent = Vec::new();
        for (state, plan) in states.iter_mut().zip(plans(round)) {
            state.params.clone_from(&model.params);
            *state = train(&mut inner, state.clone(), &plan, data, recipe.inner_steps);
            let delta = pseudo_gradient(&model.params, &state.params).unwrap();
            let coder = inner.coder();
            sent.push(coder.encode(&delta, &mut state.residual).unwrap());
        }
        let coder = *inner.coder();
        model
            .step(&recipe.outer, recipe.norm_clip_ppm, sent.len(), |rank| {
                coder.decode(&sent[rank])
            })
            .unwrap();
    }
    (model, states)
}

/// How far `a` is from `b`, as a share of how far `b` is from `start`.
fn apart(a: &[f32], b: &[f32], start: &[f32]) -> f64 {
    let distance = |x: &[f32], y: &[f32]| norm(&pseudo_gradient(x, y).unwrap());
    distance(a, b) / distance(b, start)
}

// GIVEN inner steps that are plain gradient descent (an epsilon that outweighs every gradient, no moments), rounds of one
//       step, and an outer step that takes the mean
// WHEN four members train so, and one trainer takes the same steps on their batches together
// THEN both end at the same weights
#[test]
fn rounds_of_one_step_of_gradient_descent_are_data_parallel() {
    const RATE: f64 = 0.5;
    const EPSILON: f32 = 1e6;
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let recipe = Recipe {
        inner_steps: 1,
        ..recipe(Codec::F32)
    };
    let config = TrainConfig {
        seed: 0,
        micro_batch: recipe.batch as usize,
        threads: 2,
        optimizer: AdamWConfig {
            beta1: 0.0,
            beta2: 0.0,
            epsilon: EPSILON,
            weight_decay: 0.0,
        },
        schedule: CosineSchedule {
            peak: RATE * f64::from(EPSILON),
            warmup: 2,
            steps: 12,
            floor: 0.1,
        },
        // A member's clip is of its own gradient.
        max_gradient_norm: f64::INFINITY,
    };
    let trainer = || Trainer::from_model(&base(), config, Device::flex()).unwrap();
    let (mut together, mut members) = (trainer(), Vec::from_iter((0..MEMBERS).map(|_| trainer())));
    let begin = together.params().to_vec();
    let mut model = OuterState::new(begin.clone());
    for round in 0..12 {
        let mut all = Vec::new();
        let mut gradients = Vec::new();
        for (rank, member) in (0..).zip(&mut members) {
            let batch = plan(&recipe, round, MEMBERS, rank)
                .batch(&recipe, &data, 0)
                .unwrap();
            let moments = member.optimizer().clone();
            member.load(model.params.clone(), moments).unwrap();
            member.step(&batch).unwrap();
            gradients.push(pseudo_gradient(&model.params, member.params()).unwrap());
            all.extend(batch);
        }
        model
            .step(
                &MEAN,
                0,
                gradients.len(),
                |rank| Ok(gradients[rank].clone()),
            )
            .unwrap();
        together.step(&all).unwrap();
    }
    let apart = apart(&model.params, together.params(), &begin);
    assert!(apart < 1e-4, "{apart}");
}

// GIVEN one member and an outer step that takes its model
// WHEN it trains in four rounds of six steps, and once in one round of twenty-four
// THEN weights, moments and counted steps come to the same: nothing starts anew with a round
#[test]
fn one_members_rounds_are_uninterrupted_training() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let short = Recipe {
        outer: MEAN,
        ..recipe(Codec::F32)
    };
    let long = Recipe {
        inner_steps: 4 * short.inner_steps,
        ..short
    };
    let (model, states) = rounds(&short, &data, 4, |round| vec![plan(&short, round, 1, 0)]);
    let (whole, ends) = rounds(&long, &data, 1, |round| vec![plan(&long, round, 1, 0)]);
    let begin = start(&inner(&short, 1)).params;
    let zeros = vec![0.0; begin.len()];
    assert!(apart(&model.params, &whole.params, &begin) < 1e-4);
    assert_eq!(states[0].optimizer.steps(), 24);
    assert_eq!(states[0].next_sequence, ends[0].next_sequence);
    let (first, second) = states[0].optimizer.moments();
    let (whole_first, whole_second) = ends[0].optimizer.moments();
    assert!(apart(first, whole_first, &zeros) < 1e-3);
    assert!(apart(second, whole_second, &zeros) < 1e-3);
}

// GIVEN members that all train on the same part of the data
// WHEN they go through rounds with the default outer step
// THEN the agreed model is what one member alone makes of it
#[test]
fn members_with_the_same_data_are_one_member() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let recipe = recipe(Codec::F32);
    let part = |round| plan(&recipe, round, 1, 0);
    let (four, _) = rounds(&recipe, &data, 3, |round| vec![part(round); 4]);
    let (one, _) = rounds(&recipe, &data, 3, |round| vec![part(round)]);
    let begin = start(&inner(&recipe, 1)).params;
    assert!(apart(&four.params, &one.params, &begin) < 1e-5);
}

// GIVEN four members and one worker with their batch
// WHEN both go through the same steps of a round
// THEN they see the same sequences in each, and no two members the same
#[test]
fn members_share_the_sequences_of_one_large_batch() {
    let short = recipe(Codec::F32);
    let large = Recipe {
        batch: MEMBERS * short.batch,
        ..short
    };
    let total = 100_000;
    let mut seen = BTreeSet::new();
    for (round, step) in (0..3).flat_map(|round| (0..short.inner_steps).map(move |s| (round, s))) {
        let mut theirs = Vec::new();
        for rank in 0..MEMBERS {
            let shard = plan(&short, round, MEMBERS, rank).shard(&short);
            theirs.extend(shard.sequences(&common::RUN, step, total));
        }
        let whole = plan(&large, round, 1, 0).shard(&large);
        assert_eq!(theirs, whole.sequences(&common::RUN, step, total));
        for sequence in theirs {
            assert!(seen.insert(sequence), "{sequence} comes twice");
        }
    }
}

proptest! {
    // GIVEN gradients that one member sends round after round
    // WHEN the outer steps are taken with any rate and momentum
    // THEN they are those of stochastic gradient descent with momentum and without dampening, written down anew in f64
    #[test]
    fn the_outer_step_is_momentum_descent(
        gradients in (1usize..8).prop_flat_map(|len| {
            prop::collection::vec(prop::collection::vec(-1f32..1.0, len), 1..12)
        }),
        rate_ppm in 1u32..2_000_000,
        momentum_ppm in 0u32..990_000,
        nesterov in any::<bool>(),
    ) {
        let len = gradients[0].len();
        let outer = Outer { rate_ppm, momentum_ppm, nesterov };
        let (rate, keep) = (f64::from(rate_ppm) / 1e6, f64::from(momentum_ppm) / 1e6);
        let mut state = OuterState::new(vec![1.0; len]);
        let mut expected = vec![1.0f64; len];
        for (last, gradient) in gradients.iter().enumerate() {
            state.step(&outer, 0, 1, |_| Ok(gradient.clone())).unwrap();
            for (at, value) in expected.iter_mut().enumerate() {
                // The buffer as the sum that it stands for.
                let buffer: f64 = gradients[..=last]
                    .iter()
                    .rev()
                    .zip(0..)
                    .map(|(g, age)| keep.powi(age) * f64::from(g[at]))
                    .sum();
                let newest = f64::from(gradient[at]);
                *value -= rate * if nesterov { newest + keep * buffer } else { buffer };
            }
        }
        for (ours, theirs) in state.params.iter().zip(&expected) {
            prop_assert!((f64::from(*ours) - theirs).abs() < 1e-4 * (1.0 + theirs.abs()));
        }
    }
}
