//! Thresholds out of honest pairs.
//!
//! A pair is an honest generation and its replay: the same model computed along two different orders of summation,
//! or in two arithmetics that one numeric profile allows, which is what separates two honest machines. A validator's
//! own calibration decodes token by token with a cache and replays many tokens a pass; on our CPU kernels both give
//! the same bits, so that the floors below are what it submits. Measured over all pairs ([`Measured`]):
//!
//! - `noise`: the largest difference of a logit between both. An honest claim misses by at most twice that.
//! - `margin`: the largest margin of a claimed token; `m` mismatches among `N` tokens.
//! - `f`: the largest mean distance of a run's fingerprints; `e`: the largest distance of two evidences.
//! - `mean`: the largest mean margin of a run.
//!
//! With `d = max(2 * noise, margin)`, in millionths of a logit, and `r = (m + 1) / N`:
//!
//! | limit | soft | hard |
//! |---|---|---|
//! | largest margin | `max(2_000, d / 2, 2 margin)` | `max(10_000, 2 d)` |
//! | mean margin | `max(500, d / 128, 2 mean)` | `max(2_000, d / 32, 4 mean)` |
//! | mismatch share (ppm) | `max(20_000, 10 r)` | `max(100_000, 30 r)` |
//! | mean fingerprint distance | `max(4, 1.25 f)` | `max(8, 2 f)` |
//!
//! `boundary = max(1_000, 2 d)`, `clip = max(1_000_000, hard margin)`, `tau = max(32, 4 e)`.
//!
//! Where the factors come from: the program behind `scripts/bench audit` measures thousands of honest pairs in f32
//! arithmetic, and in bf16 arithmetic, fits the tails and prints the reserve of every limit over the worst of them. In
//! bf16 arithmetic `d / 2` is some three times the worst margin of a thousand runs and `2 d` about twice what the fit
//! expects once in 10^9; a run's mean fingerprint distance hardly varies, so that a quarter on top of the worst is
//! enough, and more would let rounded weights pass. The floors keep an exact pair (`d` = 0) from giving limits that the
//! next processor breaks: f32 arithmetic that differs by 1e-5 moves a fingerprint by about half a quantum in all, while
//! weights rounded to f16 alone move it by 12 on average (bf16 and int8: some hundreds). No run of the calibration
//! itself exceeds its limits. A checkpoint's thresholds are the worst of several validators' calibrations
//! ([`AuditThresholds::worst`]) plus the chain's margin.

use std::ops::ControlFlow;

use chasqui_engine::{Engine, GenerateRequest};
use chasqui_primitives::{
    audit::{evidence_distance, AuditLimits, AuditThresholds},
    sampling::{Sampling, TOP_P_OFF},
};
use serde::Serialize;
use sp_core::H256;

use crate::{
    claim::{fingerprint_seed, Commitment, Opening},
    error::{AuditError, Result},
    evidence::{uniform, EvidenceBuilder},
    replay::{check_without_model, measure, micro, summarise},
    scorer::{Chunked, Scorer},
};

/// What to run.
#[derive(Debug, Clone)]
pub struct CalibrationPlan {
    /// Output tokens a run; shortened where the context is.
    pub max_tokens: u32,
    /// Temperatures, thousandths.
    pub temperatures_milli: Vec<u32>,
    /// Sampling seeds, each for every prompt and temperature.
    pub seeds: Vec<u64>,
}

impl Default for CalibrationPlan {
    fn default() -> Self {
        Self {
            max_tokens: 64,
            temperatures_milli: vec![0, 800],
            seeds: vec![1, 2],
        }
    }
}

/// What honest pairs differ by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Honest runs replayed.
    pub pairs: u32,
    /// Their output tokens.
    pub tokens: u64,
    /// Largest difference of a logit, millionths.
    pub noise_micro: u64,
    /// Largest margin of a claimed token, millionths of a logit.
    pub margin_micro: u64,
    /// Largest mean margin of a run, millionths of a logit.
    pub mean_margin_micro: u64,
    /// Tokens that the replay would have chosen otherwise.
    pub mismatches: u64,
    /// Largest mean fingerprint distance of a run, thousandths.
    pub fingerprint_milli: u64,
    /// Largest distance of two evidences.
    pub evidence: u64,
}

/// Thresholds and what they were made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Calibration {
    /// What the pairs differ by.
    pub measured: Measured,
    /// The limits that follow.
    pub thresholds: AuditThresholds,
}

/// Limits for a pair that shows no difference at all: the floors.
pub fn default_thresholds() -> AuditThresholds {
    thresholds(&Measured {
        pairs: 1,
        tokens: 1_000_000,
        ..Measured::default()
    })
}

/// The limits that follow from `measured`, by the module's table.
pub fn thresholds(measured: &Measured) -> AuditThresholds {
    let d = measured
        .noise_micro
        .saturating_mul(2)
        .max(measured.margin_micro);
    let at_least = |floor: u64, value: u64| u32::try_from(floor.max(value)).unwrap_or(u32::MAX);
    let rate_ppm = measured
        .mismatches
        .saturating_add(1)
        .saturating_mul(1_000_000)
        .checked_div(measured.tokens)
        .unwrap_or(1_000_000);
    let f = measured.fingerprint_milli;
    let limits = |max, mean, mismatch: u64, finger| AuditLimits {
        max_margin_micro: max,
        mean_margin_micro: mean,
        mismatch_ppm: u32::try_from(mismatch.min(1_000_000)).unwrap_or(1_000_000),
        fingerprint_milli: finger,
    };
    let mean = measured.mean_margin_micro;
    let hard = limits(
        at_least(10_000, d.saturating_mul(2)),
        at_least(2_000, (d / 32).max(mean.saturating_mul(4))),
        rate_ppm.saturating_mul(30).max(100_000),
        at_least(8_000, f.saturating_mul(2)),
    );
    let soft = limits(
        at_least(2_000, (d / 2).max(measured.margin_micro.saturating_mul(2))),
        at_least(500, (d / 128).max(mean.saturating_mul(2))),
        rate_ppm.saturating_mul(10).max(20_000),
        at_least(4_000, f.saturating_add(f / 4)),
    );
    AuditThresholds {
        boundary_micro: at_least(1_000, d.saturating_mul(2)),
        clip_micro: hard.max_margin_micro.max(1_000_000),
        soft,
        hard,
        evidence_tau: at_least(32, measured.evidence.saturating_mul(4)),
    }
}

/// `count` prompts of `tokens` random ids each (fewer in a short context), after the beginning-of-sequence id
/// where the model has one: what to calibrate on without a text in the model's language.
pub fn random_prompts(engine: &Engine, count: u32, tokens: usize, seed: u64) -> Vec<Vec<u32>> {
    let vocabulary = engine.config().vocab_size as u64;
    let tokens = tokens.min(engine.context_len() / 2).max(1);
    (0..count)
        .map(|prompt| {
            let ids = (0..tokens as u64).map(|at| {
                let word = sp_crypto_hashing::blake2_256(
                    &[
                        seed.to_le_bytes(),
                        u64::from(prompt).to_le_bytes(),
                        at.to_le_bytes(),
                    ]
                    .concat(),
                );
                uniform(&word, vocabulary) as u32
            });
            engine
                .config()
                .bos_token_id
                .into_iter()
                .chain(ids)
                .collect()
        })
        .collect()
}

/// Runs the model honestly on every prompt, temperature and seed of `plan`, replays each run and derives the
/// thresholds. Prompts that leave no room in the context are passed over.
///
/// # Errors
/// [`AuditError::NothingMeasured`] without a usable prompt; the engine's errors.
pub fn calibrate(
    engine: &Engine,
    prompts: &[Vec<u32>],
    plan: &CalibrationPlan,
) -> Result<Calibration> {
    let mut measured = Measured::default();
    for (number, prompt) in prompts.iter().enumerate() {
        let room = engine.context_len().saturating_sub(prompt.len());
        let max_tokens = plan.max_tokens.min(u32::try_from(room).unwrap_or(u32::MAX));
        if max_tokens == 0 {
            continue;
        }
        for temperature_milli in &plan.temperatures_milli {
            for seed in &plan.seeds {
                let sampling = Sampling {
                    temperature_milli: *temperature_milli,
                    top_k: 0,
                    top_p_ppm: TOP_P_OFF,
                    seed: seed.wrapping_add((number as u64) << 32),
                    // All the way to the limit: more tokens to measure.
                    ignore_eos: true,
                    ..Sampling::greedy(max_tokens)
                };
                measure_pair(engine, prompt, sampling, &mut measured)?;
            }
        }
    }
    if measured.tokens == 0 {
        return Err(AuditError::NothingMeasured {
            pairs: measured.pairs as usize,
            tokens: measured.tokens,
        });
    }
    Ok(Calibration {
        measured,
        thresholds: thresholds(&measured),
    })
}

/// One honest run of `engine`, replayed by itself.
fn measure_pair(
    engine: &Engine,
    prompt: &[u32],
    sampling: Sampling,
    measured: &mut Measured,
) -> Result<()> {
    let genesis = H256::zero();
    let salt = [0u8; 32];
    let hash = chasqui_primitives::hash::prompt_hash(&genesis, &salt, prompt);
    let request = GenerateRequest {
        prompt_ids: prompt.to_vec(),
        sampling: sampling.clone(),
        fingerprint_seed: fingerprint_seed(&hash),
    };
    let made = engine.generate(&request, |_| ControlFlow::Continue(()))?;
    let trace = made.trace();
    let opening = Opening {
        salt: &salt,
        prompt_ids: prompt,
        output_ids: &made.output_ids,
        trace: &trace,
    };
    let commitment = Commitment::of(genesis, sampling, made.finish_reason, &opening);
    let stepwise = Chunked { engine, chunk: 1 };
    measured.add(&stepwise, engine, &commitment, &opening)
}

impl Measured {
    /// Adds one honest run, which `executor` made: what `auditor` finds on it, and by how much their logits and
    /// evidence differ on its text.
    ///
    /// # Errors
    /// [`AuditError::Inconsistent`] where the run is no honest one; the scorers' errors.
    pub fn add(
        &mut self,
        executor: &dyn Scorer,
        auditor: &dyn Scorer,
        commitment: &Commitment,
        opening: &Opening<'_>,
    ) -> Result<()> {
        check_without_model(auditor, commitment, opening)
            .map_err(|reason| AuditError::Inconsistent(format!("{reason:?}")))?;
        let outputs = opening.output_ids.len();
        let first = opening.prompt_ids.len().saturating_sub(1);
        let wanted: Vec<usize> = (first..first.saturating_add(outputs)).collect();
        let ids = [opening.prompt_ids, opening.output_ids].concat();
        let panel = H256(sp_crypto_hashing::blake2_256(
            commitment.prompt_hash.as_bytes(),
        ));

        let mut rows = Vec::new();
        let mut claimed = EvidenceBuilder::new(&panel, outputs, executor.hidden_size());
        executor.score_at(&ids, &wanted, &mut |at| {
            rows.push(at.logits.to_vec());
            claimed.add(at.index.saturating_sub(first), at.hidden)
        })?;
        let mut replayed = EvidenceBuilder::new(&panel, outputs, auditor.hidden_size());
        let mut rows = rows.iter();
        let mut noise = 0f64;
        auditor.score_at(&ids, &wanted, &mut |at| {
            for (a, b) in rows.next().into_iter().flatten().zip(at.logits) {
                noise = noise.max(f64::from((a - b).abs()));
            }
            replayed.add(at.index.saturating_sub(first), at.hidden)
        })?;

        let indices: Vec<usize> = (0..outputs).collect();
        let tokens = measure(auditor, commitment, opening, 1_000, &indices, |_, _| Ok(()))?;
        let statistics = summarise(&tokens, u32::MAX);
        let mean = |sum: u64| {
            sum.checked_div(u64::from(statistics.tokens))
                .unwrap_or_default()
        };
        self.merge(&Measured {
            pairs: 1,
            tokens: u64::from(statistics.tokens),
            noise_micro: micro(noise),
            margin_micro: statistics.max_margin_micro,
            mean_margin_micro: mean(statistics.margin_sum_micro),
            mismatches: u64::from(statistics.mismatches),
            fingerprint_milli: mean(statistics.fingerprint_sum.saturating_mul(1_000)),
            evidence: evidence_distance(&claimed.finish(), &replayed.finish()),
        });
        Ok(())
    }

    /// Both together.
    pub fn merge(&mut self, other: &Self) {
        *self = Self {
            pairs: self.pairs.saturating_add(other.pairs),
            tokens: self.tokens.saturating_add(other.tokens),
            noise_micro: self.noise_micro.max(other.noise_micro),
            margin_micro: self.margin_micro.max(other.margin_micro),
            mean_margin_micro: self.mean_margin_micro.max(other.mean_margin_micro),
            mismatches: self.mismatches.saturating_add(other.mismatches),
            fingerprint_milli: self.fingerprint_milli.max(other.fingerprint_milli),
            evidence: self.evidence.max(other.evidence),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // GIVEN any measurement, however wild
        // WHEN limits are derived
        // THEN they are consistent, and no run of the calibration itself exceeds them
        #[test]
        fn limits_are_consistent_and_admit_what_was_measured(
            bits in prop::array::uniform5(0u32..58),
            tokens in 1u64..1_000_000,
            share in 0u64..=1_000,
        ) {
            let [noise, margin, mean, fingerprint, evidence] = bits.map(|n| (1u64 << n) - 1);
            let measured = Measured {
                pairs: 4,
                tokens,
                noise_micro: noise,
                margin_micro: margin,
                mean_margin_micro: mean,
                mismatches: tokens * share / 1_000,
                fingerprint_milli: fingerprint,
                evidence,
            };
            let limits = thresholds(&measured);
            prop_assert!(limits.is_consistent(), "{limits:?}");
            let admits = |limit: u32, value: u64| u64::from(limit) >= value.min(u64::from(u32::MAX));
            prop_assert!(admits(limits.soft.max_margin_micro, margin));
            prop_assert!(admits(limits.soft.mean_margin_micro, mean));
            prop_assert!(admits(limits.soft.fingerprint_milli, fingerprint));
            prop_assert!(admits(limits.evidence_tau, evidence));
        }
    }

    #[test]
    fn the_floors_are_consistent() {
        assert!(default_thresholds().is_consistent());
    }
}
