//! What an executor committed to, what it opened, and the checks that need no model.

use chasqui_primitives::{
    audit::HardReason,
    hash::{output_hash, prompt_hash},
    sampling::Sampling,
    trace::{trace_root, TraceLeaf},
    FinishReason,
};
use sp_core::H256;

/// What is on chain of one job (or signed in one receipt).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// Hash of the chain's first block; part of every hash.
    pub genesis: H256,
    /// `H(salt ‖ prompt ids)`, stated by the client.
    pub prompt_hash: H256,
    /// Prompt tokens.
    pub prompt_tokens: u32,
    /// How tokens follow from logits, stated by the client.
    pub sampling: Sampling,
    /// Hash of the output's ids.
    pub output_hash: H256,
    /// Output tokens.
    pub output_tokens: u32,
    /// Root of the token trace.
    pub trace_root: H256,
    /// Why the output ended.
    pub finish: FinishReason,
}

/// The plaintext behind a [`Commitment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening<'a> {
    /// Salt of the prompt's hash.
    pub salt: &'a [u8; 32],
    /// Prompt ids as the model reads them, beginning-of-sequence id included.
    pub prompt_ids: &'a [u32],
    /// Output ids, the ending stop id included.
    pub output_ids: &'a [u32],
    /// One leaf an output token.
    pub trace: &'a [TraceLeaf],
}

impl Commitment {
    /// The commitment that an honest executor makes for `opening`.
    pub fn of(
        genesis: H256,
        sampling: Sampling,
        finish: FinishReason,
        opening: &Opening<'_>,
    ) -> Self {
        Self {
            genesis,
            prompt_hash: prompt_hash(&genesis, opening.salt, opening.prompt_ids),
            prompt_tokens: count(opening.prompt_ids),
            sampling,
            output_hash: output_hash(&genesis, opening.output_ids),
            output_tokens: count(opening.output_ids),
            trace_root: trace_root(opening.trace),
            finish,
        }
    }

    /// Whether `opening` is what was committed to, checked in the order prompt hash, prompt count, output hash,
    /// output count, trace root, trace tokens.
    ///
    /// # Errors
    /// The first that fails is the reason.
    pub fn check(&self, opening: &Opening<'_>) -> Result<(), HardReason> {
        let checks = [
            (
                self.prompt_hash == prompt_hash(&self.genesis, opening.salt, opening.prompt_ids),
                HardReason::PromptHash,
            ),
            (
                self.prompt_tokens == count(opening.prompt_ids),
                HardReason::PromptCount,
            ),
            (
                self.output_hash == output_hash(&self.genesis, opening.output_ids),
                HardReason::OutputHash,
            ),
            (
                self.output_tokens == count(opening.output_ids),
                HardReason::OutputCount,
            ),
            (
                self.trace_root == trace_root(opening.trace),
                HardReason::TraceRoot,
            ),
            (
                opening
                    .trace
                    .iter()
                    .map(|leaf| &leaf.token)
                    .eq(opening.output_ids),
                HardReason::TraceRoot,
            ),
        ];
        checks
            .into_iter()
            .try_for_each(|(holds, reason)| if holds { Ok(()) } else { Err(reason) })
    }

    /// Whether the finish reason fits the output's ids.
    ///
    /// `Stop`: the last id is a stop id and no earlier one is. `Length`: exactly `max_tokens` ids, no stop id at
    /// all. `Cancelled`: fewer than `max_tokens`, no stop id at all; it belongs to sessions, and that no job
    /// ends so is the chain's to check. `end_ids` are the checkpoint's end tokens.
    ///
    /// # Errors
    /// [`HardReason::Finish`].
    pub fn check_finish(&self, output_ids: &[u32], end_ids: &[u32]) -> Result<(), HardReason> {
        let limit = self.sampling.max_tokens;
        let is_stop = |id: &u32| is_stop_id(&self.sampling, end_ids, *id);
        let Some((last, earlier)) = output_ids.split_last() else {
            return Err(HardReason::Finish);
        };
        let made = count(output_ids);
        let within = made <= limit && !earlier.iter().any(is_stop);
        let ends = match self.finish {
            FinishReason::Stop => is_stop(last),
            FinishReason::Length => made == limit && !is_stop(last),
            FinishReason::Cancelled => made < limit && !is_stop(last),
        };
        if within && ends {
            Ok(())
        } else {
            Err(HardReason::Finish)
        }
    }
}

/// Whether `id` ends an output under `sampling`.
pub fn is_stop_id(sampling: &Sampling, end_ids: &[u32], id: u32) -> bool {
    sampling.stop_ids.contains(&id) || (!sampling.ignore_eos && end_ids.contains(&id))
}

/// The seed of a request's fingerprints: its prompt hash, which the client's salt makes unique.
pub fn fingerprint_seed(prompt_hash: &H256) -> [u8; 32] {
    prompt_hash.0
}

fn count(ids: &[u32]) -> u32 {
    u32::try_from(ids.len()).unwrap_or(u32::MAX)
}
