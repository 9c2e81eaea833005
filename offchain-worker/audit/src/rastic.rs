//! RASTiC, the cheap mode: three checks at a few positions instead of all.
//!
//! - **Continuity**: the first output token follows from the prompt.
//! - **Integrity**: `k` interior output tokens, drawn by a seed that the executor did not know when it
//!   committed, follow from what stands before them.
//! - **Truncation**: an output that ends by a stop id is checked at that id (did the model want to stop
//!   there?); one that ends at the limit by counting.
//!
//! Cost: one teacher-forced pass over the prompt and the output up to the last checked position; the positions
//! are prefixes of one sequence, so `k + 2` prefix replays cost no more than the longest of them. Against the full
//! replay it saves the output head, the sampling noise and the fingerprints at every position that is not
//! checked (most of the work when the vocabulary is large and the model small), and what lies behind the last
//! checked position when the output ends at the limit.
//!
//! What it finds: a share `f` of false interior tokens passes all `k` draws with probability `(1 - f)^k`. With
//! `k` = 8 a cheat in the last tenth of an output passes in 43% of all checks, with 32 in 3%. The network's own
//! audits therefore replay in full; RASTiC is for clients and outsourced spot checks.

use std::collections::BTreeSet;

use chasqui_primitives::{
    audit::{judge, AuditStatistics, AuditThresholds, Verdict},
    FinishReason,
};
use serde::Serialize;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

use crate::{
    claim::{Commitment, Opening},
    error::Result,
    evidence::uniform,
    replay::{check_without_model, measure, summarise, TokenCheck},
    scorer::Scorer,
};

/// Interior positions by default.
pub const DEFAULT_K: u32 = 8;

/// Which of the three checks a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// The first output token.
    Continuity,
    /// A drawn interior token.
    Integrity,
    /// The stop id that ends the output.
    Truncation,
}

/// The outcome of the cheap mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rastic {
    /// `Valid` means: as far as was looked.
    pub verdict: Verdict,
    /// Over the checked tokens only.
    pub statistics: AuditStatistics,
    /// The checked tokens, in order.
    pub tokens: Vec<(Check, TokenCheck)>,
    /// Tokens that went through the model.
    pub fed_tokens: u32,
}

/// Checks `opening` at its first token, at `k` interior ones drawn by `seed`, and at its end.
///
/// # Errors
/// As [`crate::replay()`]: the auditor's own trouble only.
pub fn rastic<S: Scorer + ?Sized>(
    scorer: &S,
    commitment: &Commitment,
    opening: &Opening<'_>,
    thresholds: &AuditThresholds,
    seed: &H256,
    k: u32,
) -> Result<Rastic> {
    if let Err(reason) = check_without_model(scorer, commitment, opening) {
        return Ok(Rastic {
            verdict: Verdict::Hard(reason),
            statistics: AuditStatistics::default(),
            tokens: Vec::new(),
            fed_tokens: 0,
        });
    }
    let last = opening.output_ids.len().saturating_sub(1);
    let stops = commitment.finish == FinishReason::Stop;
    let indices = positions(seed, opening.output_ids.len(), stops, k);
    let tokens = measure(
        scorer,
        commitment,
        opening,
        thresholds.boundary_micro,
        &indices,
        |_, _| Ok(()),
    )?;
    let statistics = summarise(&tokens, thresholds.clip_micro);
    let fed = opening
        .prompt_ids
        .len()
        .saturating_add(indices.last().copied().unwrap_or(0));
    let label = |token: TokenCheck| {
        let check = match token.index as usize {
            index if stops && index == last => Check::Truncation,
            0 => Check::Continuity,
            _ => Check::Integrity,
        };
        (check, token)
    };
    Ok(Rastic {
        verdict: judge(&statistics, thresholds),
        statistics,
        tokens: tokens.into_iter().map(label).collect(),
        fed_tokens: u32::try_from(fed).unwrap_or(u32::MAX),
    })
}

/// The output positions that are checked, ascending: the first, `k` interior ones drawn by `seed`, and where the output
/// `stops` by a stop id the last. None of an empty output.
pub fn positions(seed: &H256, outputs: usize, stops: bool, k: u32) -> Vec<usize> {
    let Some(last) = outputs.checked_sub(1) else {
        return Vec::new();
    };
    let mut positions = interior(seed, last, k);
    positions.insert(0);
    if stops {
        positions.insert(last);
    }
    positions.into_iter().collect()
}

/// `k` distinct indices strictly between 0 and `last`, uniformly (Floyd's method); all of them if there are no
/// more than `k`.
fn interior(seed: &H256, last: usize, k: u32) -> BTreeSet<usize> {
    let count = last.saturating_sub(1);
    let k = count.min(k as usize);
    let mut chosen = BTreeSet::new();
    for upper in count - k..count {
        let mut input = b"chasqui/rastic/1".to_vec();
        input.extend_from_slice(seed.as_bytes());
        input.extend_from_slice(&(upper as u64).to_le_bytes());
        let draw = uniform(&blake2_256(&input), upper as u64 + 1) as usize;
        if !chosen.insert(draw + 1) {
            chosen.insert(upper + 1);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN outputs of every small length
    // WHEN interior positions are drawn
    // THEN they are distinct, strictly inside, and as many as asked for or as there are
    #[test]
    fn draws_stay_inside() {
        for last in 0..40usize {
            for k in [0u32, 1, 3, 8, 32] {
                let drawn = interior(&H256::repeat_byte(7), last, k);
                assert_eq!(drawn.len(), (k as usize).min(last.saturating_sub(1)));
                assert!(drawn.iter().all(|index| *index > 0 && *index < last));
            }
        }
    }

    // GIVEN many seeds
    // WHEN three of twenty interior positions are drawn
    // THEN each position comes up about equally often
    #[test]
    fn draws_are_uniform() {
        let mut counts = [0u32; 22];
        for seed in 0..4_000u64 {
            for index in interior(&H256::from_low_u64_be(seed), 21, 3) {
                counts[index] += 1;
            }
        }
        // Expected 600 each, standard deviation about 23.
        assert!(
            counts[1..21].iter().all(|count| (480..720).contains(count)),
            "{counts:?}"
        );
    }
}
