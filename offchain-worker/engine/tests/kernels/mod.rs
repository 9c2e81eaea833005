//! What the tests of the kernels share: the sums as their contract words them, and seeded numbers.

#![allow(dead_code)]

use chasqui_engine::cpu::{Matrix, Precision};

/// The sum over k that the kernels promise, written down literally.
pub fn lane_sum(w: &[f32], x: &[f32]) -> f32 {
    let mut a = [0.0f32; 16];
    for (k, (w, x)) in w.iter().zip(x).enumerate() {
        a[k % 16] = w.mul_add(*x, a[k % 16]);
    }
    for l in 0..8 {
        a[l] += a[l + 8];
    }
    for l in 0..4 {
        a[l] += a[l + 4];
    }
    for l in 0..2 {
        a[l] += a[l + 2];
    }
    a[0] + a[1]
}

/// xorshift64*: numbers that are the same in every run.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Even in -1..1.
    pub fn unit(&mut self) -> f32 {
        (self.word() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn units(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.unit()).collect()
    }
}

pub const PRECISIONS: [Precision; 4] = [
    Precision::F32,
    Precision::F16,
    Precision::Bf16,
    Precision::Int8,
];

pub fn matrix(values: Vec<f32>, rows: usize, cols: usize, precision: Precision) -> Matrix {
    let bits = |to: fn(f32) -> u16| values.iter().map(|v| to(*v)).collect::<Vec<u16>>();
    match precision {
        Precision::F32 => Matrix::from_f32(values, rows, cols),
        Precision::F16 => Matrix::from_f16(bits(|v| half::f16::from_f32(v).to_bits()), rows, cols),
        Precision::Bf16 => {
            Matrix::from_bf16(bits(|v| half::bf16::from_f32(v).to_bits()), rows, cols)
        }
        Precision::Int8 => Matrix::from_f32(values, rows, cols).quantise(),
    }
}

/// The weights as the kernels see them, row by row.
pub fn rows_of(matrix: &Matrix) -> Vec<Vec<f32>> {
    (0..matrix.rows())
        .map(|row| {
            let mut values = vec![0.0; matrix.cols()];
            matrix.row_to_f32(row, &mut values);
            values
        })
        .collect()
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}
