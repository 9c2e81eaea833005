//! One request on its way from prompt to answer: what a lone generation and the batcher share.

use std::ops::ControlFlow;
use std::time::Instant;

use chasqui_primitives::FinishReason;

use crate::error::Result;
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::generate::{Engine, GenerateRequest, Generation, Timings, TokenEvent};
use crate::logprobs::LogProbs;
use crate::sampling::sample;

/// The output so far, and how the next token follows from a state.
#[derive(Debug)]
pub(crate) struct Progress {
    request: GenerateRequest,
    fingerprinter: Fingerprinter,
    output_ids: Vec<u32>,
    fingerprints: Vec<Fingerprint>,
    /// How many of the likeliest tokens to tell with each token; `None` for no probabilities at all.
    top_logprobs: Option<u8>,
    reused: usize,
    start: Instant,
    first: Option<Instant>,
}

/// The next token, not counted yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    pub(crate) id: u32,
    fingerprint: Fingerprint,
    logprobs: Option<LogProbs>,
}

impl Progress {
    /// `width` is the model's hidden size; the clock starts now.
    pub(crate) fn new(request: GenerateRequest, width: usize) -> Self {
        Self {
            fingerprinter: Fingerprinter::new(&request.fingerprint_seed, width),
            request,
            output_ids: Vec::new(),
            fingerprints: Vec::new(),
            top_logprobs: None,
            reused: 0,
            start: Instant::now(),
            first: None,
        }
    }

    /// Tells with each token how likely it was, and the `top` likeliest.
    pub(crate) fn tell(&mut self, top: Option<u8>) {
        self.top_logprobs = top;
    }

    /// Notes how many prompt tokens need not be fed.
    pub(crate) fn reuse(&mut self, tokens: usize) {
        self.reused = tokens;
    }

    /// Prompt and output so far.
    pub(crate) fn ids(&self) -> Vec<u32> {
        [&self.request.prompt_ids[..], &self.output_ids].concat()
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

    /// The next token, with the fingerprint of the state that chose it.
    ///
    /// # Errors
    /// A logit or a hidden state that is not finite.
    pub(crate) fn choose(&self, hidden: &[f32], logits: &[f32]) -> Result<Chosen> {
        let position = (self.request.prompt_ids.len() + self.output_ids.len()) as u64;
        let id = sample(logits, &self.request.sampling, position)?;
        Ok(Chosen {
            id,
            fingerprint: self.fingerprinter.fingerprint(hidden)?,
            logprobs: self.top_logprobs.map(|top| LogProbs::of(logits, id, top)),
        })
    }

    /// Counts a chosen token, shows it to `on_token`, and says whether the output ends with it.
    pub(crate) fn take(
        &mut self,
        engine: &Engine,
        chosen: Chosen,
        on_token: &mut dyn FnMut(TokenEvent) -> ControlFlow<()>,
    ) -> Option<FinishReason> {
        let Chosen { id, logprobs, .. } = chosen;
        self.fingerprints.push(chosen.fingerprint);
        self.output_ids.push(id);
        self.first.get_or_insert_with(Instant::now);
        let index = self.output_ids.len() - 1;
        let flow = on_token(TokenEvent {
            index,
            id,
            logprobs,
        });
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
                reused_tokens: self.reused,
                output_tokens: self.output_ids.len(),
            },
            output_ids: self.output_ids,
            finish_reason,
            fingerprints: self.fingerprints,
        }
    }
}
