//! A member's training state at one step, as four blobs and a leaf.

use chasqui_primitives::blob::{blob_root, CHUNK_BYTES};
use chasqui_primitives::training::StateLeaf;
use sp_core::H256;

use super::blobs::{need, Blobs};
use crate::error::{Result, TrainingError};
use crate::optim::{AdamW, AdamWConfig};

/// Everything that the next inner step depends on, beside the recipe and the data.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainState {
    /// Weights (or the adapter's), in the layout's order.
    pub params: Vec<f32>,
    /// Moments, and how many steps they have seen.
    pub optimizer: AdamW,
    /// What the codec left out so far; empty for codecs without error feedback.
    pub residual: Vec<f32>,
    /// The run's data cursor: sequences that the run has consumed before this step.
    pub next_sequence: u64,
}

/// How large a run's states are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StateShape {
    /// Parameters.
    pub params: usize,
    /// Values of the residual.
    pub residual: usize,
    /// The inner optimiser's settings.
    pub optimizer: AdamWConfig,
}

impl StateShape {
    /// A state at `params` with nothing learnt about gradients yet.
    pub fn fresh(&self, params: Vec<f32>, next_sequence: u64) -> TrainState {
        TrainState {
            optimizer: AdamW::new(self.optimizer, self.params),
            residual: vec![0.0; self.residual],
            params,
            next_sequence,
        }
    }

    /// Reads the state that `leaf` names.
    ///
    /// # Errors
    /// [`TrainingError::MissingBlob`]; [`TrainingError::BadBlob`] where a blob is not such a vector.
    pub fn load<B: Blobs + ?Sized>(&self, leaf: &StateLeaf, blobs: &B) -> Result<TrainState> {
        let params = load_vector(blobs, "weights", &leaf.params, self.params)?;
        let first = load_vector(blobs, "first moments", &leaf.first, self.params)?;
        let second = load_vector(blobs, "second moments", &leaf.second, self.params)?;
        let residual = load_vector(blobs, "residual", &leaf.residual, self.residual)?;
        if second.iter().any(|x| *x < 0.0) {
            return Err(TrainingError::BadBlob {
                what: "second moments",
                root: leaf.second,
                reason: "a mean of squares is negative".into(),
            });
        }
        Ok(TrainState {
            params,
            optimizer: AdamW::from_moments(self.optimizer, leaf.step, first, second)?,
            residual,
            next_sequence: leaf.next_sequence,
        })
    }
}

impl TrainState {
    /// Stores the four vectors and returns the leaf that names them.
    ///
    /// # Errors
    /// The store fails.
    pub fn store<B: Blobs + ?Sized>(&self, blobs: &B) -> Result<StateLeaf> {
        let (first, second) = self.optimizer.moments();
        Ok(StateLeaf {
            step: self.optimizer.steps(),
            params: store_vector(blobs, &self.params)?,
            first: store_vector(blobs, first)?,
            second: store_vector(blobs, second)?,
            residual: store_vector(blobs, &self.residual)?,
            next_sequence: self.next_sequence,
        })
    }
}

/// Stores a vector as little-endian f32.
///
/// # Errors
/// The store fails.
pub fn store_vector<B: Blobs + ?Sized>(blobs: &B, values: &[f32]) -> Result<H256> {
    blobs.put(&vector_bytes(values))
}

/// The bytes of a vector: little-endian f32.
pub fn vector_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The `len` finite values of the blob `root`.
///
/// # Errors
/// [`TrainingError::MissingBlob`]; [`TrainingError::BadBlob`] for another length or a value that is not finite.
pub fn load_vector<B: Blobs + ?Sized>(
    blobs: &B,
    what: &'static str,
    root: &H256,
    len: usize,
) -> Result<Vec<f32>> {
    let limit = 4 * len as u64;
    let bytes = need(blobs, what, root, limit)?;
    let bad = |reason: String| TrainingError::BadBlob {
        what,
        root: *root,
        reason,
    };
    if bytes.len() as u64 != limit {
        return Err(bad(format!(
            "has {} bytes, {len} values take {limit}",
            bytes.len()
        )));
    }
    let (words, _) = bytes.as_chunks::<4>();
    let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(values),
        Some(position) => Err(bad(format!("value {position} is not finite"))),
    }
}

/// The root of a vector's blob.
pub fn vector_root(values: &[f32]) -> H256 {
    blob_root(&vector_bytes(values), CHUNK_BYTES)
}
