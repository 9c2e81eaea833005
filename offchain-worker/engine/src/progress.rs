//! One request on its way from prompt to answer: what a lone generation and the batcher share.

use std::ops::ControlFlow;
use std::time::Instant;

use chasqui_primitives::FinishReason;

use crate::error::Result;
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::generate::{Engine, GenerateRequest, Generation, Timings, TokenEvent};
use crate::logprobs::{token_logprobs, TokenLogprobs};
use crate::sampling::sample;

/// A sampled token.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) id: u32,
    /// Of the state that chose it.
    pub(crate) fingerprint: Fingerprint,
    /// Where the request asks for them.
    pub(crate) logprobs: Option<TokenLogprobs>,
}

/// The output so far, and how the next token follows from a state.
#[derive(Debug)]
pub(crate) struct Progress {
    request: GenerateRequest,
    /// How many alternatives to report with each token; `None` reports no log-probabilities.
    top_logprobs: Option<usize>,
    fingerprinter: Fingerprinter,
    output_ids: Vec<u32>,
    fingerprints: Vec<Fingerprint>,
    start: Instant,
    first: Option<Instant>,
}

impl Progress {
    /// `width` is the model's hidden size; the clock starts now.
    pub(crate) fn new(request: GenerateRequest, width: usize, top_logprobs: Option<usize>) -> Self {
        Self {
            top_logprobs,
            fingerprinter: Fingerprinter::new(&request.fingerprint_seed, width),
            request,
            output_ids: Vec::new(),
            fingerprints: Vec::new(),
            start: Instant::now(),
            first: None,
        }
    }

    pub(crate) fn prompt(&self) -> &[u32] {
        &self.request.prompt_ids
    }

    /// Tokens that the cache must hold: the last output token is never fed back.
    pub(crate) fn capacity(request: &GenerateRequest) -> usize {
        request.prompt_ids.len() + request.sampling.max_tokens as usize - 1
    }

    /// The token to feed next, once there is an output.
    pub(crate) fn last(&self) -> Option<u32> {
        self.output_ids.last().copied()
    }

    /// The next token.
    ///
    /// # Errors
    /// A logit or a hidden state that is not finite.
    pub(crate) fn choose(&self, hidden: &[f32], logits: &[f32]) -> Result<Chosen> {
        let position = (self.request.prompt_ids.len() + self.output_ids.len()) as u64;
        let id = sample(logits, &self.request.sampling, position)?;
        Ok(Chosen {
            id,
            fingerprint: self.fingerprinter.fingerprint(hidden)?,
            logprobs: self.top_logprobs.map(|top| token_logprobs(logits, id, top)),
        })
    }

    /// Counts a chosen token, shows it to `on_token`, and says whether the output ends with it.
    pub(crate) fn take(
        &mut self,
        engine: &Engine,
        chosen: Chosen,
        on_token: &mut dyn FnMut(TokenEvent, Option<TokenLogprobs>) -> ControlFlow<()>,
    ) -> Option<FinishReason> {
        let id = chosen.id;
        self.fingerprints.push(chosen.fingerprint);
        self.output_ids.push(id);
        self.first.get_or_insert_with(Instant::now);
        let index = self.output_ids.len() - 1;
        let flow = on_token(TokenEvent { index, id }, chosen.logprobs);
        if engine.is_stop(id, &self.request.sampling) {
            Some(FinishReason::Stop)
        } else if self.output_ids.len() == self.request.sampling.max_tokens as usize {
            Some(FinishReason::Length)
        } else if flow.is_break() {
            Some(FinishReason::Cancelled)
        } else {
            None
        }
    }

    pub(crate) fn finish(self, finish_reason: FinishReason) -> Generation {
        let first = self.first.unwrap_or(self.start);
        Generation {
            timings: Timings {
                prefill: first - self.start,
                decode: first.elapsed(),
                prompt_tokens: self.request.prompt_ids.len(),
                output_tokens: self.output_ids.len(),
            },
            output_ids: self.output_ids,
            finish_reason,
            fingerprints: self.fingerprints,
        }
    }
}
