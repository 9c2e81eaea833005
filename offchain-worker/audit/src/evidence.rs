//! Proof of having replayed.
//!
//! Every auditor of a panel projects the hidden states of its own replay under one seed, which is drawn after
//! the executor's commitment; so nobody can precompute it, and who did not run the model has nothing to project.
//! Entry `j` looks at one pseudo-random output position only: its rounding noise is that of a single state,
//! whatever the output's length, and two honest auditors agree within a small `tau` on all 16 together.

use chasqui_engine::fingerprint::Projector;
use chasqui_primitives::audit::{Evidence, EVIDENCE_DIMS};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

use crate::error::Result;

/// Collects one output's evidence while it is replayed.
#[derive(Debug, Clone)]
pub struct EvidenceBuilder {
    projector: Projector,
    /// Per entry: the output position it looks at, and its value once seen.
    entries: Vec<(usize, i32)>,
}

impl EvidenceBuilder {
    /// For an output of `tokens` tokens and hidden states of `width` elements, under the panel's `seed`.
    pub fn new(seed: &H256, tokens: usize, width: usize) -> Self {
        let entries = (0..EVIDENCE_DIMS).map(|j| (position(seed, j, tokens), 0));
        Self {
            projector: Projector::new(seed.as_fixed_bytes(), EVIDENCE_DIMS as usize, width),
            entries: entries.collect(),
        }
    }

    /// Shows it the hidden state that chose output token `index`.
    ///
    /// # Errors
    /// The state has another width or is not finite.
    pub fn add(&mut self, index: usize, hidden: &[f32]) -> Result<()> {
        if self.entries.iter().all(|(position, _)| *position != index) {
            return Ok(());
        }
        let values = self.projector.project(hidden)?;
        for ((position, entry), value) in self.entries.iter_mut().zip(values) {
            if *position == index {
                *entry = i32::from(value);
            }
        }
        Ok(())
    }

    /// The evidence; entries whose position was never shown are 0.
    pub fn finish(self) -> Evidence {
        let values: Vec<i32> = self.entries.into_iter().map(|(_, value)| value).collect();
        Evidence::truncate_from(values)
    }
}

/// Output position of entry `j`; 0 for an empty output.
fn position(seed: &H256, j: u32, tokens: usize) -> usize {
    let mut input = b"chasqui/evidence/1".to_vec();
    input.extend_from_slice(seed.as_bytes());
    input.extend_from_slice(&j.to_le_bytes());
    uniform(&blake2_256(&input), tokens as u64) as usize
}

/// A number below `bound` out of a hash, 0 for a bound of 0. Bias: below `bound / 2^64`.
pub(crate) fn uniform(hash: &[u8; 32], bound: u64) -> u64 {
    let word = hash
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    ((u128::from(word) * u128::from(bound)) >> 64) as u64
}
