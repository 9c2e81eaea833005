//! The functions of a decoder layer are accurate, and give the same bits on every level.

mod kernels;

use chasqui_engine::cpu::{math, SimdLevel};
use kernels::{bits, lane_sum, Numbers};
use proptest::prelude::*;

/// Distance of `got` from `want` in units of the last place of `want` as f32.
fn ulps(got: f32, want: f64) -> f64 {
    let nearest = want as f32;
    let above = f32::from_bits(nearest.abs().to_bits() + 1);
    let ulp = f64::from(above) - f64::from(nearest.abs());
    (f64::from(got) - want).abs() / ulp
}

fn exp(level: SimdLevel, values: &[f32]) -> Vec<f32> {
    let mut values = values.to_vec();
    math::exp(level, &mut values);
    values
}

#[test]
fn exp_is_within_two_ulp_and_the_same_on_every_level() {
    // GIVEN every 997th single between the ends of the range, and those next to the ends
    let step = 997;
    let positive = (0..88.722_83f32.to_bits())
        .step_by(step)
        .map(f32::from_bits);
    let negative = (0..87.336_54f32.to_bits())
        .step_by(step)
        .map(|b| -f32::from_bits(b));
    let ends = [88.722_83, -87.336_54, 0.0, -0.0, 1.0, -1.0];
    let x: Vec<f32> = positive.chain(negative).chain(ends).collect();
    let reference = exp(SimdLevel::detect(), &x);
    // WHEN exp is taken THEN it is within 2 ulp
    let worst = x
        .iter()
        .zip(&reference)
        .map(|(x, e)| ulps(*e, libm::exp(f64::from(*x))))
        .fold(0.0, f64::max);
    assert!(worst <= 2.0, "{worst} ulp");
    assert!(worst > 0.4, "the measure itself is broken: {worst}");
    // AND the bits do not depend on the level
    for level in SimdLevel::supported() {
        assert_eq!(bits(&exp(level, &x)), bits(&reference), "{level}");
    }
}

#[test]
fn exp_keeps_its_promises_at_the_ends() {
    // GIVEN arguments out of range
    let x = [
        -87.4,
        -100.0,
        -1e30,
        f32::NEG_INFINITY,
        88.73,
        1e30,
        f32::INFINITY,
        f32::NAN,
        0.0,
    ];
    for level in SimdLevel::supported() {
        // WHEN exp is taken
        let e = exp(level, &x);
        // THEN it is 0 below, infinity above, NaN of NaN, and exact at 0
        assert_eq!(e[..4], [0.0; 4], "{level}");
        assert_eq!(e[4..7], [f32::INFINITY; 3], "{level}");
        assert!(e[7].is_nan(), "{level}");
        assert_eq!(e[8], 1.0, "{level}");
    }
}

#[test]
fn silu_is_accurate() {
    // GIVEN arguments of all sizes
    let mut numbers = Numbers::new(1);
    let mut x: Vec<f32> = (0..20_000)
        .map(|i| numbers.unit() * 2f32.powi(i % 10 - 3))
        .collect();
    x.extend([0.0, -0.0, 100.0, -86.0, 1e30, -1e30]);
    for level in SimdLevel::supported() {
        // WHEN silu is taken
        let mut got = x.clone();
        math::silu(level, &mut got);
        // THEN it is x / (1 + e^-x) to a few ulp, and next to nothing far below zero
        for (x, y) in x.iter().zip(&got) {
            let x = f64::from(*x);
            let want = x / (1.0 + libm::exp(-x));
            let error = (f64::from(*y) - want).abs();
            assert!(
                error <= 5e-7 * want.abs() + 1e-36,
                "{level}: silu({x}) = {y}, not {want}"
            );
        }
    }
}

#[test]
fn softmax_is_accurate_and_a_nan_shows() {
    // GIVEN scores of a head, also large ones
    let mut numbers = Numbers::new(2);
    for len in [1, 2, 15, 16, 17, 100, 333] {
        let scores: Vec<f32> = numbers
            .units(len)
            .iter()
            .map(|u| u * 90.0 + 500.0)
            .collect();
        let max = scores.iter().copied().fold(f32::MIN, f32::max);
        let exact: Vec<f64> = scores
            .iter()
            .map(|s| libm::exp(f64::from(s - max)))
            .collect();
        let sum: f64 = exact.iter().sum();
        for level in SimdLevel::supported() {
            // WHEN the softmax is taken, at once or as numerators and a sum
            let (mut whole, mut parts) = (scores.clone(), scores.clone());
            math::softmax(level, &mut whole);
            let divisor = math::softmax_numerators(level, &mut parts);
            // THEN both are the same and near the truth
            for ((w, p), e) in whole.iter().zip(&parts).zip(&exact) {
                assert_eq!(w.to_bits(), (p / divisor).to_bits(), "{level}");
                assert!(
                    (f64::from(*w) - e / sum).abs() <= 1e-6 * e / sum + 1e-37,
                    "{level}"
                );
            }
            // AND a NaN among the scores is not lost
            let mut damaged = scores.clone();
            damaged[len / 2] = f32::NAN;
            assert!(
                math::softmax_numerators(level, &mut damaged).is_nan(),
                "{level}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_level_gives_the_same_bits(len in 1usize..200, seed: u64) {
        // GIVEN vectors of any length
        let mut numbers = Numbers::new(seed);
        let len = len * 2;
        let (a, b) = (numbers.units(len), numbers.units(len));
        let (cos, sin) = (numbers.units(len / 2), numbers.units(len / 2));
        let run = |level| {
            let mut out = vec![math::dot(level, &a, &b)];
            let mut norm = vec![0.0; len];
            math::rms_norm(level, &a, &b, 1e-5, &mut norm);
            let (mut head, mut gate, mut scores) = (a.clone(), a.clone(), a.clone());
            math::rotate(level, &mut head, &cos, &sin);
            math::silu_gate(level, &mut gate, &b);
            out.push(math::softmax_numerators(level, &mut scores));
            let mut sum = a.clone();
            math::add_scaled(level, &mut sum, cos[0], &b);
            for part in [norm, head, gate, scores, sum] {
                out.extend(part);
            }
            out
        };
        // WHEN each function runs on each level
        let want = run(SimdLevel::Portable);
        for level in SimdLevel::supported() {
            // THEN the bits are those of the portable one
            prop_assert_eq!(bits(&run(level)), bits(&want), "{}", level);
        }
        // AND the dot product is the lane sum, the norm scales by the root of its mean square
        prop_assert_eq!(want[0].to_bits(), lane_sum(&a, &b).to_bits());
        let scale = 1.0 / (lane_sum(&a, &a) / len as f32 + 1e-5).sqrt();
        for i in 0..len {
            prop_assert_eq!(want[2 + i].to_bits(), (a[i] * scale * b[i]).to_bits());
        }
    }
}

#[test]
fn rotation_turns_pairs_by_their_angle() {
    // GIVEN a head of two pairs and the angles 30 and 90 degrees
    let angles = [std::f64::consts::FRAC_PI_6, std::f64::consts::FRAC_PI_2];
    let (cos, sin) = (
        angles.map(|a| libm::cos(a) as f32),
        angles.map(|a| libm::sin(a) as f32),
    );
    for level in SimdLevel::supported() {
        let mut head = [2.0, 1.0, 0.0, 3.0];
        // WHEN it is rotated
        math::rotate(level, &mut head, &cos, &sin);
        // THEN (2, 0) turns to (√3, 1) and (1, 3) to (-3, 1)
        for (got, want) in head.iter().zip([3f32.sqrt(), -3.0, 1.0, 1.0]) {
            assert!((got - want).abs() < 1e-6, "{level}: {head:?}");
        }
    }
}
