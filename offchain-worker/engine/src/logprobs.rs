//! Log-probabilities of tokens, for clients that ask how sure the model was.
//!
//! They are those of the model itself: the natural logarithm of the softmax of its logits, before
//! temperature and candidate sets. How a token is sampled does not change them.

use crate::sampling::top_k;

/// Most alternatives that can be asked for.
pub const MAX_TOP_LOGPROBS: usize = 20;

/// How likely the model found a chosen token, and what else it considered.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprobs {
    /// Natural logarithm of the chosen token's probability; at most 0.
    pub chosen: f32,
    /// The likeliest tokens with theirs, likeliest first (lowest id among equals). The chosen one
    /// is among them only where it belongs.
    pub top: Vec<(u32, f32)>,
}

/// Log-probabilities under a row of finite `logits`: of `chosen`, and of the `top` likeliest
/// tokens, at most [`MAX_TOP_LOGPROBS`] and at most the vocabulary. A `chosen` outside the
/// vocabulary has probability 0, whose logarithm is negative infinity.
pub fn token_logprobs(logits: &[f32], chosen: u32, top: usize) -> TokenLogprobs {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let best = f64::from(best);
    let mass: f64 = logits
        .iter()
        .map(|logit| (f64::from(*logit) - best).exp())
        .sum();
    let normaliser = best + mass.ln();
    let of = |token: u32| {
        let logit = logits.get(token as usize).copied();
        logit.map_or(f32::NEG_INFINITY, |logit| {
            // Rounding must not make a certain token more than certain.
            (f64::from(logit) - normaliser).min(0.0) as f32
        })
    };
    let ranked = match top.min(MAX_TOP_LOGPROBS) {
        0 => Vec::new(),
        count => top_k(logits, count),
    };
    TokenLogprobs {
        chosen: of(chosen),
        top: ranked.into_iter().map(|token| (token, of(token))).collect(),
    }
}
