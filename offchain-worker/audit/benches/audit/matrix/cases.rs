//! What clients ask, and claims about the answers.

use std::sync::Arc;

use anyhow::{ensure, Result};
use chasqui_audit::{
    claim::{fingerprint_seed, Commitment, Opening},
    Scorer,
};
use chasqui_engine::fingerprint::Fingerprinter;
use chasqui_primitives::{
    hash::prompt_hash,
    sampling::{Sampling, TOP_P_OFF},
    trace::TraceLeaf,
    FinishReason,
};
use chasqui_training::{
    corpus::{Corpus, Split},
    rng::CounterRng,
    tokenizer::encode_document,
};
use sp_core::H256;

use super::generate::Order;

/// The chain's first block.
pub const GENESIS: H256 = H256::repeat_byte(0x11);
/// Seed of the panel's evidence.
pub const PANEL: H256 = H256::repeat_byte(0x22);
/// Shortest and longest prompt, in tokens.
const PROMPT: (usize, usize) = (16, 64);

/// Temperature in thousandths and top-p in millionths; a run's number chooses.
const SETTINGS: [(u32, u32); 4] = [
    (0, TOP_P_OFF),
    (700, TOP_P_OFF),
    (1_000, TOP_P_OFF),
    (800, 900_000),
];

/// One client's request.
#[derive(Clone)]
pub struct Case {
    /// Its number.
    pub index: u64,
    /// Prompt ids.
    pub prompt: Vec<u32>,
    /// Sampling.
    pub sampling: Sampling,
    /// Salt of the prompt's hash.
    pub salt: [u8; 32],
}

/// Requests without end, out of text that no model was trained on.
#[derive(Clone)]
pub struct Cases {
    /// Tokenizer of all models.
    pub tokenizer: Arc<tokenizers::Tokenizer>,
    /// Seed of everything.
    pub seed: u64,
    /// Output tokens.
    pub tokens: usize,
}

impl Cases {
    /// Numbers for one purpose and request: prompts, seeds, positions of edits.
    pub fn random(&self, purpose: u64, index: u64) -> CounterRng {
        CounterRng::new(self.seed, purpose, index)
    }

    /// Request number `index`.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn case(&self, index: u64) -> Result<Case> {
        let mut random = self.random(1, index);
        let (temperature_milli, top_p_ppm) = SETTINGS[(index % SETTINGS.len() as u64) as usize];
        let mut prompt = self.text(index)?;
        prompt.truncate(PROMPT.0 + random.below(PROMPT.1 - PROMPT.0 + 1));
        let mut salt = [0; 32];
        for part in salt.chunks_exact_mut(8) {
            part.copy_from_slice(&random.next_u64().to_le_bytes());
        }
        Ok(Case {
            index,
            prompt,
            sampling: Sampling {
                temperature_milli,
                top_p_ppm,
                seed: random.next_u64(),
                // To the limit: all runs are equally long.
                ignore_eos: true,
                ..Sampling::greedy(self.tokens as u32)
            },
            salt,
        })
    }

    /// Ids of a text nobody trained on, at least as long as the longest prompt; no end token.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn text(&self, index: u64) -> Result<Vec<u32>> {
        let corpus = Corpus::new(self.seed, Split::HeldOut);
        let mut ids = Vec::new();
        // Documents are short: what is missing comes from the stream's other texts.
        for part in 0..64 {
            let text = corpus.document(index.wrapping_mul(64).wrapping_add(part));
            let more = encode_document(&self.tokenizer, &text)?;
            let more = &more[usize::from(part > 0)..more.len() - 1];
            ids.extend_from_slice(more);
            if ids.len() >= PROMPT.1 {
                return Ok(ids);
            }
        }
        anyhow::bail!("the corpus has no text of {} tokens at {index}", PROMPT.1)
    }
}

impl Case {
    /// Hash of the prompt.
    pub fn prompt_hash(&self) -> H256 {
        prompt_hash(&GENESIS, &self.salt, &self.prompt)
    }

    /// Seed of the fingerprints.
    pub fn fingerprint_seed(&self) -> [u8; 32] {
        fingerprint_seed(&self.prompt_hash())
    }

    /// The run that an honest executor makes.
    pub fn order(&self) -> Order {
        Order {
            prompt: self.prompt.clone(),
            skipped: 0,
            sampling: self.sampling.clone(),
            seed: self.fingerprint_seed(),
            tokens: self.sampling.max_tokens as usize,
        }
    }

    /// The run that goes on behind `tokens`, up to the limit.
    pub fn order_after(&self, tokens: &[u32]) -> Order {
        let order = self.order();
        Order {
            prompt: [&order.prompt, tokens].concat(),
            tokens: order.tokens - tokens.len(),
            ..order
        }
    }

    /// What an executor commits to that answers with `trace`, all hashes and counts right.
    pub fn claim(&self, trace: Vec<TraceLeaf>) -> Claim {
        self.claim_ending(trace, FinishReason::Length, self.sampling.clone())
    }

    /// As [`Self::claim`], with another end and other sampling parameters of the client's.
    pub fn claim_ending(
        &self,
        trace: Vec<TraceLeaf>,
        finish: FinishReason,
        sampling: Sampling,
    ) -> Claim {
        let output: Vec<u32> = trace.iter().map(|leaf| leaf.token).collect();
        let opening = Opening {
            salt: &self.salt,
            prompt_ids: &self.prompt,
            output_ids: &output,
            trace: &trace,
        };
        Claim {
            commitment: Commitment::of(GENESIS, sampling, finish, &opening),
            salt: self.salt,
            prompt: self.prompt.clone(),
            output,
            trace,
        }
    }

    /// `tokens` under the fingerprints that `scorer` gives them: what an executor shows that has not generated with
    /// the right model but fed it the finished answer, which costs a prefill.
    ///
    /// # Errors
    /// The scorer's.
    pub fn restated<S: Scorer + ?Sized>(
        &self,
        scorer: &S,
        tokens: &[u32],
    ) -> Result<Vec<TraceLeaf>> {
        let fingerprinter = Fingerprinter::new(&self.fingerprint_seed(), scorer.hidden_size());
        let first = self.prompt.len() - 1;
        let wanted: Vec<usize> = (first..first + tokens.len()).collect();
        let ids = [&self.prompt, tokens].concat();
        let mut trace = Vec::with_capacity(tokens.len());
        scorer.score_at(&ids, &wanted, &mut |at| {
            trace.push(TraceLeaf {
                token: tokens[at.index - first],
                fingerprint: fingerprinter.fingerprint(at.hidden)?,
            });
            Ok(())
        })?;
        ensure!(trace.len() == tokens.len(), "a scorer left positions out");
        Ok(trace)
    }
}

/// A commitment with its opening.
#[derive(Clone)]
pub struct Claim {
    /// What stands on chain.
    pub commitment: Commitment,
    salt: [u8; 32],
    prompt: Vec<u32>,
    output: Vec<u32>,
    trace: Vec<TraceLeaf>,
}

impl Claim {
    /// The opening.
    pub fn opening(&self) -> Opening<'_> {
        Opening {
            salt: &self.salt,
            prompt_ids: &self.prompt,
            output_ids: &self.output,
            trace: &self.trace,
        }
    }
}
