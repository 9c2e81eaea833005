//! The kernels give the same bits on every platform: digests of their results, computed once on
//! x86-64, hold on any machine that this test runs on. A change of a digest is a change of every
//! model's outputs, so that auditors with another version would see honest work as wrong.

mod kernels;

use chasqui_engine::cpu::{linear, math, Output, Pool, Precision, SimdLevel};
use kernels::{matrix, Numbers};

/// FNV-1a over bits.
fn digest(values: &[f32]) -> u64 {
    values.iter().fold(0xcbf2_9ce4_8422_2325, |hash, v| {
        (hash ^ u64::from(v.to_bits())).wrapping_mul(0x0100_0000_01b3)
    })
}

fn product(level: SimdLevel, precision: Precision) -> u64 {
    let (rows, outs, cols) = (11, 45, 333);
    let mut numbers = Numbers::new(7);
    let matrix = matrix(numbers.units(outs * cols), outs, cols, precision);
    let x = numbers.units(rows * cols);
    let mut y = vec![0.0; rows * outs];
    let output = Output {
        matrix: &matrix,
        bias: None,
        y: &mut y,
        add: false,
    };
    linear(&Pool::new(2).unwrap(), level, &x, rows, &mut [output]);
    digest(&y)
}

#[test]
fn linear_maps_have_the_digests_of_every_platform() {
    // GIVEN what is recorded of a product in each precision
    let recorded = [
        (Precision::F32, 0xce80_152d_9c33_1bea),
        (Precision::F16, 0x5fc4_3c08_7df3_d427),
        (Precision::Bf16, 0xd369_9dda_c74b_2f67),
        (Precision::Int8, 0x0a6d_e47b_8b97_d9d1),
    ];
    for (precision, want) in recorded {
        for level in SimdLevel::supported() {
            // WHEN it is computed here THEN the bits are the same
            let got = product(level, precision);
            assert_eq!(got, want, "{precision} {level}: {got:#x}");
        }
    }
}

#[test]
fn functions_have_the_digests_of_every_platform() {
    // GIVEN numbers of all sizes
    let mut numbers = Numbers::new(8);
    let x: Vec<f32> = (0..5000)
        .map(|i| numbers.unit() * 2f32.powi(i % 12 - 5))
        .collect();
    let w = numbers.units(x.len());
    let (cos, sin) = (numbers.units(x.len() / 2), numbers.units(x.len() / 2));
    for level in SimdLevel::supported() {
        let of = |body: &dyn Fn(&mut [f32])| {
            let mut values = x.clone();
            body(&mut values);
            digest(&values)
        };
        // WHEN each function is applied THEN the bits are those recorded
        let got = [
            of(&|v| math::exp(level, v)),
            of(&|v| math::softmax(level, v)),
            of(&|v| math::silu_gate(level, v, &w)),
            of(&|v| math::rms_norm(level, &x, &w, 1e-6, v)),
            of(&|v| math::rotate(level, v, &cos, &sin)),
            of(&|v| v.fill(math::dot(level, &x, &w))),
        ];
        let want = [
            0x3da5_f793_db70_5d09,
            0x45a8_7f9d_e733_f55f,
            0xc317_01c8_494a_47ea,
            0x73c8_89f8_1cf4_832a,
            0x8768_3264_da1b_1d0d,
            0xead1_febf_1799_bf45,
        ];
        assert_eq!(got, want, "{level}: {got:#x?}");
    }
}
