//! Embeddings: a text as one vector.
//!
//! The mean of the hidden states after the final norm over all tokens, special ones included,
//! scaled to length 1. Dot products of two such vectors are their cosine. A model that was trained
//! to predict text gives usable but not excellent vectors; one that was trained for embeddings
//! with mean pooling gives its own.

use crate::error::{EngineError, Result};
use crate::generate::{Engine, CHUNK};

impl Engine {
    /// The embedding of `ids`, `[hidden_size]`, of Euclidean length 1.
    ///
    /// # Errors
    /// `ids` is empty, too long, or holds an id outside the vocabulary; the device failed; or a
    /// hidden state is not finite or all zero, as with damaged weights.
    pub fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        self.check_ids("ids", ids)?;
        let width = self.config().hidden_size;
        let mut sequence = self.decoder.sequence(ids.len())?;
        let mut sum = vec![0f64; width];
        for chunk in ids.chunks(CHUNK) {
            for hidden in self.feed(&mut sequence, chunk, 0)?.chunks_exact(width) {
                for (sum, value) in sum.iter_mut().zip(hidden) {
                    *sum += f64::from(*value);
                }
            }
        }
        // The mean and the sum have the same direction, and only that is left.
        let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
        if !length.is_finite() || length == 0.0 {
            return Err(EngineError::Compute(format!(
                "the hidden states add up to a vector of length {length}: damaged weights or \
                 numeric overflow; no embedding is made of it"
            )));
        }
        Ok(sum.iter().map(|value| (value / length) as f32).collect())
    }
}
