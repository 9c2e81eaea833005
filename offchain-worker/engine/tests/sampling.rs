//! Sampling and the audit's margin as properties of pure functions.

use chasqui_engine::sampling::{
    candidates, expected_and_margin, gumbel, post_noise_margin, sample, Sampling,
};
use chasqui_engine::EngineError;
use proptest::prelude::*;

fn sampling(temperature_milli: u32, top_k: u32, top_p_ppm: u32, seed: u64) -> Sampling {
    Sampling {
        temperature_milli,
        top_k,
        top_p_ppm,
        seed,
        ..Sampling::greedy(1)
    }
}

fn any_sampling() -> impl Strategy<Value = Sampling> {
    let temperature = prop_oneof![Just(0u32), 50u32..=3_000];
    let top_k = prop_oneof![Just(0u32), 1u32..60];
    let top_p = prop_oneof![Just(1_000_000u32), 1u32..=1_000_000];
    (temperature, top_k, top_p, any::<u64>()).prop_map(|(t, k, p, seed)| sampling(t, k, p, seed))
}

/// Rows of logits, half of them with many ties.
fn any_logits() -> impl Strategy<Value = Vec<f32>> {
    prop_oneof![
        prop::collection::vec(-8f32..8.0, 1..48),
        prop::collection::vec((-3i8..3).prop_map(f32::from), 1..48),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // GIVEN any logits and parameters
    // WHEN a token is sampled twice
    // THEN it is the same token, a candidate, and its margin is 0 for any tolerance
    #[test]
    fn sampled_tokens_have_margin_zero(
        logits in any_logits(),
        sampling in any_sampling(),
        position in any::<u64>(),
        delta in 0f64..0.5,
    ) {
        let token = sample(&logits, &sampling, position).unwrap();
        prop_assert_eq!(token, sample(&logits, &sampling, position).unwrap());
        let set = candidates(&logits, &sampling, position).unwrap();
        prop_assert!(set.is_none_or(|set| set.contains(&token)));
        for delta in [0.0, delta] {
            let margin = post_noise_margin(&logits, &sampling, position, token, delta).unwrap();
            prop_assert_eq!(margin, 0.0);
        }
    }

    // GIVEN an executor whose every logit differs from the auditor's by at most half of delta
    // WHEN the auditor measures the executor's token
    // THEN its margin is at most delta: honest rounding is never taken for more than it is
    #[test]
    fn honest_rounding_is_bounded(
        logits in any_logits(),
        sampling in any_sampling(),
        position in any::<u64>(),
        delta in 0f64..1.0,
        noise in prop::collection::vec(-1f64..1.0, 48),
    ) {
        let theirs: Vec<f32> = logits
            .iter()
            .zip(&noise)
            .map(|(logit, noise)| (f64::from(*logit) + noise * delta / 2.0) as f32)
            .collect();
        let token = sample(&theirs, &sampling, position).unwrap();
        // The perturbed logits were rounded to f32 on top.
        let delta = delta + 1e-5;
        let margin = post_noise_margin(&logits, &sampling, position, token, delta).unwrap();
        prop_assert!(margin <= delta, "margin {margin}, delta {delta}");
    }

    // GIVEN any logits, parameters and claimed token, in the vocabulary or not
    // WHEN an auditor asks for the expected token and the margin together
    // THEN it gets what it gets by asking for each
    #[test]
    fn one_pass_gives_both(
        logits in any_logits(),
        sampling in any_sampling(),
        position in any::<u64>(),
        claimed in 0u32..50,
        delta in 0f64..0.5,
    ) {
        let both = expected_and_margin(&logits, &sampling, position, claimed, delta).unwrap();
        let expected = sample(&logits, &sampling, position).unwrap();
        let margin = post_noise_margin(&logits, &sampling, position, claimed, delta).unwrap();
        prop_assert_eq!(both, (expected, margin));
    }

    // GIVEN any tolerance
    // WHEN it grows
    // THEN no margin grows, and none is negative
    #[test]
    fn margins_shrink_with_tolerance(
        logits in any_logits(),
        sampling in any_sampling(),
        position in any::<u64>(),
        claimed in 0u32..50,
        delta in 0f64..1.0,
    ) {
        let margin = |delta| post_noise_margin(&logits, &sampling, position, claimed, delta);
        let (strict, loose) = (margin(delta / 2.0).unwrap(), margin(delta).unwrap());
        prop_assert!(strict >= loose && loose >= 0.0, "{strict} {loose}");
    }

    // GIVEN parameters without top-p
    // WHEN the candidates are listed
    // THEN they are the k best by (logit, id), counted independently
    #[test]
    fn top_k_sets(logits in any_logits(), k in 1u32..60) {
        let mut ranked: Vec<u32> = (0..logits.len() as u32).collect();
        ranked.sort_by(|a, b| {
            logits[*b as usize].partial_cmp(&logits[*a as usize]).unwrap().then(a.cmp(b))
        });
        let set = candidates(&logits, &sampling(1_000, k, 1_000_000, 0), 0).unwrap();
        match set {
            None => prop_assert!(k as usize >= logits.len()),
            Some(set) => prop_assert_eq!(&set[..], &ranked[..k as usize]),
        }
    }

    // GIVEN a nucleus
    // WHEN its mass is computed independently
    // THEN it reaches top_p, and without its last token it does not
    #[test]
    fn top_p_sets(
        logits in any_logits(),
        t in 50u32..3_000,
        p in 1u32..1_000_000,
        k in prop_oneof![Just(0u32), 1u32..60],
    ) {
        let set = candidates(&logits, &sampling(t, k, p, 0), 0).unwrap().unwrap();
        let pool = candidates(&logits, &sampling(t, k, 1_000_000, 0), 0).unwrap();
        let pool = pool.unwrap_or_else(|| (0..logits.len() as u32).collect());
        let best = logits.iter().fold(f32::MIN, |a, b| a.max(*b));
        let weight = |token: &u32| {
            (f64::from(logits[*token as usize] - best) * 1_000.0 / f64::from(t)).exp()
        };
        let total: f64 = pool.iter().map(weight).sum();
        let mass = |tokens: &[u32]| tokens.iter().map(weight).sum::<f64>() / total;
        let p = f64::from(p) / 1e6;
        prop_assert!(mass(&set) >= p - 1e-9);
        prop_assert!(set.len() == 1 || mass(&set[..set.len() - 1]) < p + 1e-9);
        let lowest = logits[*set.last().unwrap() as usize];
        let outside = pool.iter().filter(|token| !set.contains(token));
        prop_assert!(outside.into_iter().all(|token| logits[*token as usize] <= lowest));
    }

    // GIVEN a row with one logit that is not finite
    // WHEN it is sampled or audited
    // THEN it is an error that names the token, never a token
    #[test]
    fn non_finite_logits_are_errors(
        mut logits in any_logits(),
        sampling in any_sampling(),
        at in any::<prop::sample::Index>(),
        value in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ) {
        let at = at.index(logits.len());
        logits[at] = value;
        let expected = |error: &EngineError| {
            matches!(error, EngineError::NonFiniteLogit { position: 9, token, .. } if *token as usize == at)
        };
        prop_assert!(expected(&sample(&logits, &sampling, 9).unwrap_err()));
        prop_assert!(expected(&post_noise_margin(&logits, &sampling, 9, 0, 0.1).unwrap_err()));
        prop_assert!(expected(&expected_and_margin(&logits, &sampling, 9, 0, 0.1).unwrap_err()));
    }
}

// GIVEN equal highest logits
// WHEN temperature is 0
// THEN the lowest id wins, and the margin is the distance to the highest logit
#[test]
fn greedy_ties_and_margins() {
    let logits = [1.0, 3.0, 2.5, 3.0];
    let greedy = sampling(0, 0, 1_000_000, 0);
    assert_eq!(sample(&logits, &greedy, 0).unwrap(), 1);
    let margin = |token| post_noise_margin(&logits, &greedy, 0, token, 0.0).unwrap();
    assert_eq!(
        [margin(0), margin(1), margin(2), margin(3)],
        [2.0, 0.0, 0.5, 0.0]
    );
    assert_eq!(margin(4), f64::INFINITY);
}

// GIVEN a token outside every candidate set, and one just outside
// WHEN the boundary may move by delta
// THEN the first has an infinite margin, the second a finite one
#[test]
fn boundaries_move_by_delta_only() {
    let logits = [5.0, 4.0, 3.95, 1.0];
    let two = sampling(1_000, 2, 1_000_000, 3);
    let margin = |token, delta| post_noise_margin(&logits, &two, 0, token, delta).unwrap();
    assert_eq!(margin(2, 0.01), f64::INFINITY);
    assert!(margin(2, 0.1).is_finite());
    assert_eq!(margin(3, 0.1), f64::INFINITY);
}

// GIVEN an invalid tolerance or parameter
// WHEN the margin is asked for
// THEN it is an error
#[test]
fn invalid_parameters() {
    let warm = sampling(1_000, 0, 1_000_000, 0);
    for delta in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(post_noise_margin(&[0.0], &warm, 0, 0, delta).is_err());
        assert!(expected_and_margin(&[0.0], &warm, 0, 0, delta).is_err());
    }
    assert!(sample(&[], &warm, 0).is_err());
    assert!(sample(&[0.0], &sampling(49, 0, 1_000_000, 0), 0).is_err());
    assert!(sample(&[0.0], &sampling(10_001, 0, 1_000_000, 0), 0).is_err());
    assert!(sample(&[0.0], &sampling(1_000, 0, 1_000_001, 0), 0).is_err());
}

// GIVEN 40,000 positions under one seed
// WHEN a token is sampled at each
// THEN the frequencies are the softmax at that temperature, within five standard deviations
#[test]
fn frequencies_are_the_softmax() {
    let logits = [1.0f32, 0.0, -1.0, 2.0, 0.5];
    for milli in [500, 1_000, 2_000] {
        let sampling = sampling(milli, 0, 1_000_000, 42);
        let draws = 40_000u64;
        let mut counts = [0f64; 5];
        for position in 0..draws {
            counts[sample(&logits, &sampling, position).unwrap() as usize] += 1.0;
        }
        let weights = logits.map(|logit| (f64::from(logit) * 1e3 / f64::from(milli)).exp());
        let total: f64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(weights) {
            let p = weight / total;
            let deviation = (p * (1.0 - p) / draws as f64).sqrt();
            let off = (count / draws as f64 - p).abs();
            assert!(
                off < 5.0 * deviation,
                "T {milli}: {off} against {deviation}"
            );
        }
    }
}

// GIVEN values that another implementation (Python, from the definition) computed
// WHEN the noise of the same seeds, positions and tokens is computed
// THEN it is equal up to the last bits of the logarithm
#[test]
fn noise_vectors() {
    let vectors: [((u64, u64, u32), f64); 6] = [
        ((0, 0, 0), 2.061661254434241),
        ((1, 0, 0), 2.1956707299933425),
        ((0, 1, 0), 2.4161365495974962),
        ((0, 0, 1), -0.015734951866712477),
        ((u64::MAX, 1 << 32, 128_255), -0.2079363424428944),
        ((42, 4_096, 31_999), 1.311562877754383),
    ];
    for ((seed, position, token), expected) in vectors {
        let noise = gumbel(seed, position, token);
        assert!(
            (noise - expected).abs() < 1e-14,
            "{seed} {position} {token}: {noise:?}"
        );
    }
}
