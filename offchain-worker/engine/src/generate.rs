//! The engine: a loaded model that generates, scores and replays.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chasqui_primitives::trace::TraceLeaf;
pub use chasqui_primitives::FinishReason;

use crate::assets::Assets;
use crate::config::LlamaConfig;
use crate::decoder::{Decoder, Pass, Sequence};
use crate::error::{EngineError, Result};
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::logprobs::LogProbs;
use crate::progress::Progress;
use crate::sampling::{check_sampling, expected_and_margin, Sampling};
use crate::tokenizer::Tokenizer;

/// Tokens of a sequence that are scored at once: bounds the memory of their hidden states.
pub(crate) const CHUNK: usize = 256;

/// Logits that are computed at once while scoring, in elements: bounds their memory.
const LOGITS: usize = 1 << 22;

/// What to generate.
#[derive(Debug, Clone)]
pub struct GenerateRequest {
    /// The prompt, special tokens included.
    pub prompt_ids: Vec<u32>,
    /// How tokens follow from logits, and when to stop.
    pub sampling: Sampling,
    /// Seed of the fingerprints' projections.
    pub fingerprint_seed: [u8; 32],
}

/// One output token as it is made.
#[derive(Debug, Clone, Copy)]
pub struct TokenEvent {
    /// Number of output tokens before it.
    pub index: usize,
    /// Its id.
    pub id: u32,
    /// How likely it was, if the request asked.
    pub logprobs: Option<LogProbs>,
}

/// How long a generation took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// From the request to the first output token.
    pub prefill: Duration,
    /// From the first output token to the last.
    pub decode: Duration,
    /// Prompt tokens.
    pub prompt_tokens: usize,
    /// Prompt tokens that were not fed because a kept cache held them.
    pub reused_tokens: usize,
    /// Output tokens.
    pub output_tokens: usize,
}

impl Timings {
    /// Prompt tokens a second.
    pub fn prefill_tokens_per_second(&self) -> f64 {
        rate(self.prompt_tokens, self.prefill)
    }

    /// Output tokens a second after the first; 0 when there is only one.
    pub fn decode_tokens_per_second(&self) -> f64 {
        rate(self.output_tokens.saturating_sub(1), self.decode)
    }
}

fn rate(count: usize, time: Duration) -> f64 {
    match time.is_zero() {
        true => 0.0,
        false => count as f64 / time.as_secs_f64(),
    }
}

/// A finished generation.
#[derive(Debug, Clone)]
pub struct Generation {
    /// Output ids; a stop token that ended the output is the last of them.
    pub output_ids: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Per output token, of the hidden state that chose it.
    pub fingerprints: Vec<Fingerprint>,
    /// How long it took.
    pub timings: Timings,
}

impl Generation {
    /// The token trace that a commitment binds.
    pub fn trace(&self) -> Vec<TraceLeaf> {
        self.output_ids
            .iter()
            .zip(&self.fingerprints)
            .map(|(&token, &fingerprint)| TraceLeaf { token, fingerprint })
            .collect()
    }
}

/// Logits and hidden states of every position of a sequence, row-major.
#[derive(Debug, Clone)]
pub struct Scores {
    /// Number of positions.
    pub positions: usize,
    /// Row length of `logits`.
    pub vocab_size: usize,
    /// Row length of `hidden`.
    pub hidden_size: usize,
    /// `[positions, vocab_size]`: row `t` predicts token `t + 1`.
    pub logits: Vec<f32>,
    /// `[positions, hidden_size]` after the final norm.
    pub hidden: Vec<f32>,
}

/// What a replay computes for one output token.
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    /// Output tokens before it.
    pub index: usize,
    /// Its absolute position: prompt tokens and output tokens before it.
    pub position: u64,
    /// The id that the output claims.
    pub token: u32,
    /// The logits that chose it, `[vocab]`.
    pub logits: &'a [f32],
    /// The hidden state behind them, `[hidden]`, after the final norm.
    pub hidden: &'a [f32],
}

/// An auditor's finding on one output token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplayedToken {
    /// What the auditor would have sampled.
    pub expected: u32,
    /// [`post_noise_margin`](crate::sampling::post_noise_margin) of the claimed token, in logit units.
    pub margin: f64,
    /// Fingerprint of the auditor's hidden state.
    pub fingerprint: Fingerprint,
}

/// A model ready to run. Shared between threads by reference.
#[derive(Debug)]
pub struct Engine {
    pub(crate) decoder: Arc<dyn Decoder>,
    pub(crate) assets: Assets,
    pub(crate) eos_ids: Vec<u32>,
}

impl Engine {
    /// An engine around a decoder, without a tokenizer; end tokens are those of its configuration.
    pub fn from_decoder(decoder: Arc<dyn Decoder>) -> Self {
        Self {
            eos_ids: decoder.config().eos_token_ids.clone(),
            assets: Assets::default(),
            decoder,
        }
    }

    /// The model's configuration.
    pub fn config(&self) -> &LlamaConfig {
        self.decoder.config()
    }

    /// What computes: for callers that feed sequences themselves.
    pub fn decoder(&self) -> &Arc<dyn Decoder> {
        &self.decoder
    }

    /// The checkpoint's own end tokens.
    pub fn eos_ids(&self) -> &[u32] {
        &self.eos_ids
    }

    /// What the model folder holds besides the network.
    pub fn assets(&self) -> &Assets {
        &self.assets
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// The folder had none.
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.assets
            .tokenizer
            .as_ref()
            .ok_or_else(|| EngineError::Tokenizer {
                path: "tokenizer.json".into(),
                reason: "missing from the model folder; text needs it, token ids do not".into(),
            })
    }

    /// Whether `id` ends an output under `sampling`.
    pub fn is_stop(&self, id: u32, sampling: &Sampling) -> bool {
        sampling.stop_ids.contains(&id) || (!sampling.ignore_eos && self.eos_ids.contains(&id))
    }

    /// Checks a request without computing anything.
    ///
    /// # Errors
    /// Empty prompt, ids outside the vocabulary, prompt and `max_tokens` beyond the context, or
    /// sampling out of range.
    pub fn check(&self, prompt_ids: &[u32], sampling: &Sampling) -> Result<()> {
        check_sampling(sampling)?;
        self.check_ids("prompt_ids", prompt_ids)?;
        let context = self.config().max_position_embeddings;
        if prompt_ids.len() >= context {
            return Err(EngineError::request(
                "prompt_ids",
                format!(
                    "{} tokens leave no room in a context of {context}",
                    prompt_ids.len()
                ),
            ));
        }
        let room = context - prompt_ids.len();
        if sampling.max_tokens as usize > room {
            return Err(EngineError::request(
                "max_tokens",
                format!(
                    "is {}; a prompt of {} leaves room for {room} in a context of {context}",
                    sampling.max_tokens,
                    prompt_ids.len()
                ),
            ));
        }
        Ok(())
    }

    pub(crate) fn check_ids(&self, field: &'static str, ids: &[u32]) -> Result<()> {
        let (vocab, context) = (
            self.config().vocab_size,
            self.config().max_position_embeddings,
        );
        if ids.is_empty() {
            return Err(EngineError::request(
                field,
                "is empty; at least one token is needed",
            ));
        }
        if ids.len() > context {
            return Err(EngineError::request(
                field,
                format!("has {} tokens; the context holds {context}", ids.len()),
            ));
        }
        match ids.iter().find(|id| **id as usize >= vocab) {
            None => Ok(()),
            Some(id) => Err(EngineError::request(
                field,
                format!("holds id {id}; the vocabulary has {vocab} tokens"),
            )),
        }
    }

    /// Generates token after token. `on_token` sees each one at once and may end the generation
    /// by returning [`ControlFlow::Break`]; that token still counts as delivered.
    ///
    /// # Errors
    /// Before the first token: as [`Self::check`]. At any token: a logit that is not finite.
    pub fn generate(
        &self,
        request: &GenerateRequest,
        mut on_token: impl FnMut(TokenEvent) -> ControlFlow<()>,
    ) -> Result<Generation> {
        self.check(&request.prompt_ids, &request.sampling)?;
        let mut sequence = self.decoder.sequence(Progress::capacity(request))?;
        let mut progress = Progress::new(request.clone(), self.config().hidden_size);
        let prompt = &request.prompt_ids;
        let mut hidden = self.feed(&mut sequence, prompt, prompt.len() - 1)?;
        loop {
            let chosen = progress.choose(&hidden, &self.decoder.logits(&hidden)?)?;
            let id = chosen.id;
            if let Some(finish_reason) = progress.take(self, chosen, &mut on_token) {
                return Ok(progress.finish(finish_reason));
            }
            hidden = self.feed(&mut sequence, &[id], 0)?;
        }
    }

    /// Appends `ids` to `sequence`; hidden states of `ids[from..]`.
    pub(crate) fn feed(
        &self,
        sequence: &mut Sequence,
        ids: &[u32],
        from: usize,
    ) -> Result<Vec<f32>> {
        let pass = Pass {
            sequence,
            ids,
            from,
        };
        self.decoder.forward(&mut [pass])
    }

    /// Hidden states and logits of positions `from..` of `ids`, in order and in pieces: calls
    /// `visit(first_position, hidden, logits)` with row-major rows.
    fn teacher_forced(
        &self,
        ids: &[u32],
        from: usize,
        mut visit: impl FnMut(usize, &[f32], &[f32]) -> Result<()>,
    ) -> Result<()> {
        let mut sequence = self.decoder.sequence(ids.len())?;
        let width = self.config().hidden_size;
        let rows = (LOGITS / self.config().vocab_size).max(1);
        for (index, chunk) in ids.chunks(CHUNK).enumerate() {
            let start = index * CHUNK;
            let skip = from.saturating_sub(start).min(chunk.len());
            let states = self.feed(&mut sequence, chunk, skip)?;
            let mut position = start + skip;
            for hidden in states.chunks(rows * width) {
                visit(position, hidden, &self.decoder.logits(hidden)?)?;
                position += hidden.len() / width;
            }
        }
        Ok(())
    }

    /// Logits and hidden states of every position of `ids`, in one teacher-forced pass. The result
    /// takes `4 * ids.len() * (vocab_size + hidden_size)` bytes.
    ///
    /// # Errors
    /// `ids` is empty, too long, or holds an id outside the vocabulary.
    pub fn score(&self, ids: &[u32]) -> Result<Scores> {
        self.check_ids("ids", ids)?;
        let mut scores = Scores {
            positions: ids.len(),
            vocab_size: self.config().vocab_size,
            hidden_size: self.config().hidden_size,
            logits: Vec::new(),
            hidden: Vec::new(),
        };
        self.teacher_forced(ids, 0, |_, hidden, logits| {
            scores.hidden.extend_from_slice(hidden);
            scores.logits.extend_from_slice(logits);
            Ok(())
        })?;
        Ok(scores)
    }

    /// Feeds prompt and output through the model in one teacher-forced pass and shows `visit` what
    /// chose each output token. An empty output is legal and shows nothing.
    ///
    /// # Errors
    /// Ids outside the vocabulary, a sequence beyond the context, or an error of `visit`.
    pub fn replay_with(
        &self,
        prompt_ids: &[u32],
        output_ids: &[u32],
        mut visit: impl FnMut(Replayed<'_>) -> Result<()>,
    ) -> Result<()> {
        self.check_ids("prompt_ids", prompt_ids)?;
        if output_ids.is_empty() {
            return Ok(());
        }
        let ids = [prompt_ids, output_ids].concat();
        self.check_ids("output_ids", &ids)?;
        let (vocab, width) = (self.config().vocab_size, self.config().hidden_size);
        let before = prompt_ids.len() - 1;
        let fed = &ids[..ids.len() - 1];
        self.teacher_forced(fed, before, |start, hidden, logits| {
            let rows = hidden.chunks_exact(width).zip(logits.chunks_exact(vocab));
            for (row, (hidden, logits)) in rows.enumerate() {
                let position = start + row + 1;
                let index = position - prompt_ids.len();
                let position = position as u64;
                let token = output_ids[index];
                visit(Replayed {
                    index,
                    position,
                    token,
                    logits,
                    hidden,
                })?;
            }
            Ok(())
        })
    }

    /// Replays an output and measures every token: the margin of the claimed token with candidate
    /// boundaries that may move by `delta` logit units, and the fingerprint under
    /// `fingerprint_seed`. One entry per output token.
    ///
    /// # Errors
    /// As [`Self::replay_with`] and [`expected_and_margin`].
    pub fn replay(
        &self,
        prompt_ids: &[u32],
        output_ids: &[u32],
        sampling: &Sampling,
        delta: f64,
        fingerprint_seed: &[u8; 32],
    ) -> Result<Vec<ReplayedToken>> {
        let width = self.config().hidden_size;
        let fingerprinter = Fingerprinter::new(fingerprint_seed, width);
        let mut tokens = Vec::with_capacity(output_ids.len());
        self.replay_with(prompt_ids, output_ids, |at| {
            let (expected, margin) =
                expected_and_margin(at.logits, sampling, at.position, at.token, delta)?;
            tokens.push(ReplayedToken {
                expected,
                margin,
                fingerprint: fingerprinter.fingerprint(at.hidden)?,
            });
            Ok(())
        })?;
        Ok(tokens)
    }
}
