//! Linear maps are near the sums in f64, in every precision; int8 keeps weights to half a step.

mod kernels;

use chasqui_engine::cpu::{linear, Matrix, Output, Pool, Precision, SimdLevel};
use kernels::{matrix, rows_of, Numbers, PRECISIONS};
use proptest::prelude::*;

#[test]
fn sums_are_near_those_in_f64() {
    // GIVEN weights and rows of a layer's size
    let mut numbers = Numbers::new(3);
    let (outs, cols) = (64, 2048);
    let weights = numbers.units(outs * cols);
    let pool = Pool::new(2).unwrap();
    for precision in PRECISIONS {
        let matrix = matrix(weights.clone(), outs, cols, precision);
        let stored = rows_of(&matrix);
        for rows in [1, 20] {
            let x = numbers.units(rows * cols);
            // WHEN multiplied
            let mut y = vec![0.0; rows * outs];
            let output = Output {
                matrix: &matrix,
                bias: None,
                y: &mut y,
                add: false,
            };
            linear(&pool, SimdLevel::detect(), &x, rows, &mut [output]);
            // THEN each sum is within the bound of 16 sums of 128 terms, four additions and
            // half an ulp each
            for (i, y) in y.iter().enumerate() {
                let (w, x) = (&stored[i % outs], &x[i / outs * cols..][..cols]);
                let terms = w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
                let (sum, size) = terms.fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
                let bound = size * 132.0 * f64::from(f32::EPSILON) / 2.0;
                assert!(
                    (f64::from(*y) - sum).abs() <= bound,
                    "{precision}: {y} for {sum}"
                );
            }
        }
    }
}

#[test]
fn halves_are_converted_exactly() {
    // GIVEN every bit pattern of f16 and bf16 as a matrix of one column
    let all: Vec<u16> = (0..=u16::MAX).collect();
    let pool = Pool::new(1).unwrap();
    let cases: [(Matrix, fn(u16) -> f32); 2] = [
        (Matrix::from_f16(all.clone(), 1 << 16, 1), |b| {
            half::f16::from_bits(b).to_f32()
        }),
        (Matrix::from_bf16(all, 1 << 16, 1), |b| {
            half::bf16::from_bits(b).to_f32()
        }),
    ];
    for (matrix, convert) in &cases {
        for level in SimdLevel::supported() {
            for rows in [1, 9] {
                // WHEN multiplied by one
                let mut y = vec![0.0; rows << 16];
                let output = Output {
                    matrix,
                    bias: None,
                    y: &mut y,
                    add: false,
                };
                linear(&pool, level, &vec![1.0; rows], rows, &mut [output]);
                // THEN the number itself comes out (a zero as +0, any NaN as NaN)
                for (i, y) in y.iter().enumerate() {
                    let want = convert((i & 0xffff) as u16) + 0.0;
                    assert!(
                        y.to_bits() == want.to_bits() || y.is_nan() && want.is_nan(),
                        "{level} {:?} {i:x}: {y} for {want}",
                        matrix.precision()
                    );
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn int8_weights_are_off_by_at_most_half_a_step(
        rows in 1usize..5,
        cols in 1usize..100,
        exponent in -30i32..30,
        seed: u64,
    ) {
        // GIVEN weights of any size
        let mut numbers = Numbers::new(seed);
        let scale = 2f32.powi(exponent);
        let values: Vec<f32> = numbers.units(rows * cols).iter().map(|v| v * scale).collect();
        // WHEN quantised
        let exact = Matrix::from_f32(values.clone(), rows, cols);
        let quantised = exact.quantise();
        // THEN a weight is off by half of its block's greatest over 127 (and the rounding of the
        // product), and the greatest itself by no more than that rounding
        prop_assert_eq!(quantised.precision(), Precision::Int8);
        for (row, got) in rows_of(&quantised).iter().enumerate() {
            let want = &values[row * cols..][..cols];
            for (got, want) in got.chunks(32).zip(want.chunks(32)) {
                let max = want.iter().fold(0.0f32, |m, w| m.max(w.abs()));
                for (g, w) in got.iter().zip(want) {
                    let bound = if w.abs() == max { 0.0 } else { max / 254.0 };
                    prop_assert!((g - w).abs() <= bound + max * 2e-7, "{} for {}", g, w);
                }
            }
        }
        // AND quantising again changes nothing
        prop_assert_eq!(rows_of(&quantised.quantise()), rows_of(&quantised));
    }
}

#[test]
fn int8_rounds_ties_to_even() {
    // GIVEN a block whose scale is 1, with ties
    let values = vec![127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.0];
    // WHEN quantised THEN ties go to the even neighbour
    let rows = rows_of(&Matrix::from_f32(values, 1, 8).quantise());
    assert_eq!(rows[0], [127.0, 0.0, 2.0, 2.0, 0.0, -2.0, -2.0, 3.0]);
}

#[test]
fn int8_blocks_of_zeros_stay_zero_and_damage_stays_visible() {
    // GIVEN a block of zeros, one of the least subnormals, one with a NaN and one with infinity
    let mut values = vec![0.0; 128];
    values[32..64].fill(f32::from_bits(1));
    values[70] = f32::NAN;
    values[100] = f32::INFINITY;
    // WHEN quantised
    let rows = rows_of(&Matrix::from_f32(values, 1, 128).quantise());
    // THEN zeros are zeros, what is too small for a scale too, and the damaged blocks are NaN
    assert_eq!(rows[0][..64], [0.0; 64]);
    assert!(rows[0][64..].iter().all(|w| w.is_nan()));
}

#[test]
fn bytes_are_those_in_memory() {
    // GIVEN 10 rows of 64 weights WHEN asked THEN 4, 2, 2 and 1 bytes a weight plus two scales,
    // padded to 16 bytes
    let bytes = PRECISIONS.map(|p| matrix(vec![0.0; 640], 10, 64, p).bytes());
    assert_eq!(bytes, [2560, 1280, 1280, 10 * (64 + 16)]);
}
