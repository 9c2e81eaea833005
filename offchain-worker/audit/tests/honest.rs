//! Nothing honest is flagged.

mod common;

use chasqui_audit::{calibrate, calibrate::CalibrationPlan, rastic, Verdict};
use chasqui_primitives::audit::evidence_distance;
use common::*;
use sp_core::H256;

const MODELS: [&str; 5] = [
    "llama-mha-tied",
    "llama-gqa-bf16-sharded",
    "llama3-rope-headdim",
    "mistral-gqa",
    "qwen3-qknorm",
];

// GIVEN honest runs of every golden model, greedy and at temperature 0.8, over many seeds and prompts
// WHEN they are replayed
// THEN each is valid, by the full replay and by the cheap mode
#[test]
fn honest_runs_are_valid() {
    for name in MODELS {
        let engine = golden(name);
        for seed in 0..8u64 {
            let prompt: Vec<u32> = (0..5 + seed as u32)
                .map(|i| 2 + (i * 37 + seed as u32) % 300)
                .collect();
            for temperature in [0, 800] {
                let claim = honest(&engine, &prompt, sampling(temperature, seed, 24));
                let replay = claim.replay(&engine);
                assert_eq!(
                    replay.verdict,
                    Verdict::Valid,
                    "{name} {seed} {:?}",
                    replay.statistics
                );
                for k in [3, 8, 32] {
                    let cheap = rastic(
                        &engine,
                        &claim.commitment,
                        &claim.opening(),
                        &thresholds(),
                        &H256::from_low_u64_be(seed),
                        k,
                    )
                    .unwrap();
                    assert_eq!(cheap.verdict, Verdict::Valid, "{name} {seed} k={k}");
                    assert!(cheap.tokens.len() <= k as usize + 2);
                }
            }
        }
    }
}

// GIVEN honest runs with top-k and top-p, whose candidate sets have borders
// WHEN they are replayed
// THEN each is valid
#[test]
fn honest_runs_with_truncated_candidates_are_valid() {
    let engine = golden("llama-mha-tied");
    for seed in 0..12u64 {
        for (top_k, top_p_ppm) in [(40, 1_000_000), (0, 900_000), (20, 500_000), (1, 1_000_000)] {
            let mut sampling = sampling(1_000, seed, 20);
            (sampling.top_k, sampling.top_p_ppm) = (top_k, top_p_ppm);
            let claim = honest(&engine, &[0, 5, 9, 100], sampling);
            let replay = claim.replay(&engine);
            assert_eq!(
                replay.verdict,
                Verdict::Valid,
                "{seed} {:?}",
                replay.statistics
            );
        }
    }
}

// GIVEN the shipped checkpoint and prompts in its language
// WHEN honest runs are replayed
// THEN each is valid, also where the model itself ends the output
#[test]
fn honest_runs_of_the_shipped_checkpoint_are_valid() {
    let engine = tales();
    let prompt = engine
        .tokenizer()
        .unwrap()
        .encode("The runner", true)
        .unwrap();
    for seed in 0..6 {
        for temperature in [0, 800] {
            let claim = honest(&engine, &prompt, sampling(temperature, seed, 96));
            let replay = claim.replay(&engine);
            assert_eq!(
                replay.verdict,
                Verdict::Valid,
                "{seed} {:?}",
                replay.statistics
            );
        }
    }
}

// GIVEN two auditors of one panel that compute in different orders of summation
// WHEN both replay
// THEN their evidence agrees within tau, and evidence under another seed does not
#[test]
fn evidence_agrees_within_a_panel_only() {
    let engine = golden("mistral-gqa");
    let claim = honest(&engine, &[0, 44, 45, 46], sampling(800, 3, 32));
    let a = claim.replay(&engine).evidence;
    let stepwise = chasqui_audit::Chunked {
        engine: &engine,
        chunk: 1,
    };
    let again = |panel: &H256| {
        chasqui_audit::replay(
            &stepwise,
            &claim.commitment,
            &claim.opening(),
            &thresholds(),
            panel,
        )
        .unwrap()
        .evidence
    };
    let tau = u64::from(thresholds().evidence_tau);
    assert_eq!(a.len(), 16);
    assert!(evidence_distance(&a, &again(&PANEL)) <= tau);
    assert!(evidence_distance(&a, &again(&H256::repeat_byte(9))) > 100 * tau);
}

// GIVEN a model
// WHEN it is calibrated on its own honest runs
// THEN the limits are consistent, admit honest runs that were not part of it, and still condemn an edit
#[test]
fn calibration_admits_other_honest_runs() {
    let engine = golden("llama3-rope-headdim");
    let prompts: Vec<Vec<u32>> = (0..3)
        .map(|p| (2..12).map(|i| i * (p + 3) % 300).collect())
        .collect();
    let plan = CalibrationPlan {
        max_tokens: 24,
        ..Default::default()
    };
    let calibration = calibrate(&engine, &prompts, &plan).unwrap();
    assert_eq!(calibration.measured.pairs, 12);
    assert_eq!(calibration.measured.tokens, 288);
    assert!(calibration.thresholds.is_consistent());
    for seed in 100..110 {
        let claim = honest(&engine, &[9, 8, 7], sampling(800, seed, 24));
        assert_eq!(
            claim.replay_by(&engine, &calibration.thresholds).verdict,
            Verdict::Valid
        );
        let edited = claim.edited(|trace| trace[11].token = (trace[11].token + 1) % 500);
        assert!(is_hard(&edited.replay_by(&engine, &calibration.thresholds)));
    }
}

// GIVEN no prompts, or none that fit the context
// WHEN a calibration is asked for
// THEN it is an error that says so
#[test]
fn calibration_needs_something_to_measure() {
    let engine = golden("llama-mha-tied");
    let plan = CalibrationPlan::default();
    for prompts in [vec![], vec![vec![5; 4_096]]] {
        let error = calibrate(&engine, &prompts, &plan).unwrap_err();
        assert!(error.to_string().contains("give prompts"), "{error}");
    }
}

// GIVEN the shipped checkpoint
// WHEN it is calibrated on prompts in its language
// THEN what honest pairs differ by lies far below the floors: the default thresholds suit it
#[test]
fn the_shipped_checkpoint_is_quiet() {
    let engine = tales();
    let encode = |text| engine.tokenizer().unwrap().encode(text, true).unwrap();
    let prompts = ["Once upon a time", "Dear Nina,\n", "In the village of"].map(encode);
    let found = calibrate(&engine, &prompts, &CalibrationPlan::default()).unwrap();
    println!("{:?}", found.measured);
    assert_eq!(found.thresholds, thresholds());
}
