//! How likely a token was among all, before temperature and cuts: what clients call log-probabilities.

use crate::error::{EngineError, Result};

/// Most likeliest tokens that are told with each token.
pub const MAX_TOP_LOGPROBS: u8 = 20;

/// Natural logarithms of probabilities at one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogProbs {
    /// Of the token that was chosen.
    pub chosen: f32,
    top: [(u32, f32); MAX_TOP_LOGPROBS as usize],
    count: u8,
}

impl LogProbs {
    /// Of `id`, and of the `top` likeliest tokens (at most [`MAX_TOP_LOGPROBS`]), under finite
    /// `logits`.
    pub fn of(logits: &[f32], id: u32, top: u8) -> Self {
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mass: f64 = logits
            .iter()
            .map(|logit| f64::from(logit - best).exp())
            .sum();
        let log_mass = mass.ln();
        // Rounding must not make a certain token more than certain.
        let log_prob = |logit: f32| (f64::from(logit - best) - log_mass).min(0.0) as f32;
        let mut held = Self {
            chosen: logits.get(id as usize).map_or(f32::MIN, |l| log_prob(*l)),
            top: [(0, 0.0); MAX_TOP_LOGPROBS as usize],
            count: 0,
        };
        let wanted = usize::from(top.min(MAX_TOP_LOGPROBS)).min(logits.len());
        let mut ranked: Vec<u32> = (0..logits.len() as u32).collect();
        let before = |a: &u32, b: &u32| {
            let (x, y) = (logits[*a as usize], logits[*b as usize]);
            y.total_cmp(&x).then(a.cmp(b))
        };
        if wanted > 0 && wanted < ranked.len() {
            ranked.select_nth_unstable_by(wanted - 1, before);
        }
        ranked.truncate(wanted);
        ranked.sort_unstable_by(before);
        for (slot, token) in held.top.iter_mut().zip(&ranked) {
            *slot = (*token, log_prob(logits[*token as usize]));
        }
        held.count = wanted as u8;
        held
    }

    /// The likeliest tokens, in descending order; lower ids first among equals.
    pub fn top(&self) -> &[(u32, f32)] {
        &self.top[..usize::from(self.count)]
    }
}

/// Refuses to tell more than there is room for.
pub(crate) fn check_top_logprobs(top: Option<u8>) -> Result<()> {
    match top {
        Some(top) if top > MAX_TOP_LOGPROBS => Err(EngineError::request(
            "top_logprobs",
            format!("is {top}; at most {MAX_TOP_LOGPROBS} are told"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN logits whose probabilities are known
    // WHEN they are asked for
    // THEN chosen and likeliest are right, in order, and no more than asked
    #[test]
    fn probabilities_of_known_logits() {
        let ln = |p: f32| p.ln();
        let logits = [ln(0.1) + 3.0, ln(0.6) + 3.0, ln(0.3) + 3.0];
        let held = LogProbs::of(&logits, 2, 2);
        assert!((held.chosen - ln(0.3)).abs() < 1e-6);
        let ids: Vec<u32> = held.top().iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [1, 2]);
        assert!((held.top()[0].1 - ln(0.6)).abs() < 1e-6);
        assert_eq!(LogProbs::of(&logits, 0, 20).top().len(), 3);
        assert!(LogProbs::of(&logits, 0, 0).top().is_empty());
        assert!(check_top_logprobs(Some(21)).is_err());
    }
}
