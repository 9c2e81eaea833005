//! Proof of having replayed: projections of what the replay moved the weights by.
//!
//! Entry `j` looks at one of the audited segments, `j` modulo their number, so whoever skips one has nothing to show for
//! it. The seed is drawn after the report, so nobody can project in advance, and honest replays agree within a small
//! distance, in the same class to the bit.
//!
//! Entry `j` of a movement `d` is `round(4096 * sum_i s_ji * d_i / |d|)`, summed in order in f64; sign `s_ji` is bit
//! `i mod 256` (least significant first) of `BLAKE2b-256("chasqui/evidence/training/1" || seed || j as u32 LE ||
//! (i / 256) as u64 LE)`; 1 means plus.

use chasqui_primitives::audit::{Evidence, EVIDENCE_DIMS};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

use super::outer::norm;

/// Quanta per standard deviation.
const QUANTA: f64 = 4_096.0;

/// Collects one audit's evidence.
#[derive(Clone, Debug)]
pub struct EvidenceBuilder {
    seed: H256,
    segments: usize,
    entries: Vec<i32>,
}

impl EvidenceBuilder {
    /// For an audit of `segments` segments under the panel's `seed`.
    pub fn new(seed: &H256, segments: usize) -> Self {
        Self {
            seed: *seed,
            segments,
            entries: vec![0; EVIDENCE_DIMS as usize],
        }
    }

    /// Shows it what the replay of the `position`-th audited segment moved the weights by.
    pub fn add(&mut self, position: usize, delta: &[f32]) {
        let length = norm(delta);
        if self.segments == 0 || length == 0.0 || !length.is_finite() {
            return;
        }
        for (j, entry) in self.entries.iter_mut().enumerate() {
            if j % self.segments == position {
                let sum = project(&self.seed, j as u32, delta);
                // A float-to-integer cast saturates.
                *entry = (QUANTA * sum / length).round() as i32;
            }
        }
    }

    /// The evidence; zeros where nothing was shown.
    pub fn finish(self) -> Evidence {
        Evidence::truncate_from(self.entries)
    }
}

fn project(seed: &H256, j: u32, delta: &[f32]) -> f64 {
    let mut input = b"chasqui/evidence/training/1".to_vec();
    input.extend_from_slice(seed.as_bytes());
    input.extend_from_slice(&j.to_le_bytes());
    let head = input.len();
    let mut sum = 0f64;
    for (block, values) in (0u64..).zip(delta.chunks(256)) {
        input.truncate(head);
        input.extend_from_slice(&block.to_le_bytes());
        let signs = blake2_256(&input);
        for (i, value) in values.iter().enumerate() {
            let plus = signs[i / 8] >> (i % 8) & 1 == 1;
            sum += f64::from(if plus { *value } else { -*value });
        }
    }
    sum
}
