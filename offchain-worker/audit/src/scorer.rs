//! The model as an audit sees it.

use chasqui_engine::{Engine, Pass};

use crate::error::Result;

/// What the model says at one position of a sequence.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    /// Index of the position in the sequence; its logits choose the token at `index + 1`.
    pub index: usize,
    /// Hidden state after the final norm, `[hidden]`.
    pub hidden: &'a [f32],
    /// Logits, `[vocab]`.
    pub logits: &'a [f32],
}

/// A model that can be fed a whole sequence at once.
pub trait Scorer {
    /// Rows of the vocabulary; ids from here on do not exist.
    fn vocab_size(&self) -> usize;

    /// Width of a hidden state.
    fn hidden_size(&self) -> usize;

    /// Longest sequence, prompt and output together, in tokens.
    fn context_len(&self) -> usize;

    /// Ids that end a generation unless the request ignores them.
    fn end_ids(&self) -> &[u32];

    /// Feeds `ids` through the model in one pass and shows `visit` the positions `wanted` (ascending, each below
    /// `ids.len()`), in order. `ids` lie in the vocabulary and fit the context: the audit checks that first.
    ///
    /// # Errors
    /// The model's, and `visit`'s first one.
    fn score_at(
        &self,
        ids: &[u32],
        wanted: &[usize],
        visit: &mut dyn FnMut(Position<'_>) -> Result<()>,
    ) -> Result<()>;
}

/// An engine that takes `chunk` tokens at a time: 1 computes as decoding does, large ones as a prefill does. Their
/// difference is what calibration measures; on a device whose bits do not depend on the chunk there is none.
#[derive(Debug, Clone, Copy)]
pub struct Chunked<'a> {
    /// The model.
    pub engine: &'a Engine,
    /// Tokens a pass; 0 counts as 1.
    pub chunk: usize,
}

impl Scorer for Chunked<'_> {
    fn vocab_size(&self) -> usize {
        self.engine.config().vocab_size
    }

    fn hidden_size(&self) -> usize {
        self.engine.config().hidden_size
    }

    fn context_len(&self) -> usize {
        self.engine.config().max_position_embeddings
    }

    fn end_ids(&self) -> &[u32] {
        self.engine.eos_ids()
    }

    // The output head runs over the wanted positions only: with a large vocabulary it is a good part of the cost.
    fn score_at(
        &self,
        ids: &[u32],
        wanted: &[usize],
        visit: &mut dyn FnMut(Position<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(&last) = wanted.last() else {
            return Ok(());
        };
        let (width, vocab) = (self.hidden_size(), self.vocab_size());
        let decoder = self.engine.decoder();
        let fed = ids.get(..=last).unwrap_or(ids);
        let mut sequence = decoder.sequence(fed.len())?;
        let mut wanted = wanted;
        for (pass, ids) in fed.chunks(self.chunk.max(1)).enumerate() {
            let start = pass * self.chunk.max(1);
            let here = wanted.partition_point(|index| *index < start + ids.len());
            let (rows, later) = wanted.split_at(here);
            wanted = later;
            let first = rows.first().map_or(start + ids.len(), |first| *first);
            let from = first - start;
            let pass = Pass {
                sequence: &mut sequence,
                ids,
                from,
            };
            let states = decoder.forward(&mut [pass])?;
            let state = |index: usize| &states[(index - first) * width..][..width];
            for rows in rows.chunks((LOGITS / vocab).max(1)) {
                let hidden: Vec<f32> = rows
                    .iter()
                    .flat_map(|index| state(*index))
                    .copied()
                    .collect();
                let logits = decoder.logits(&hidden)?;
                let states = hidden.chunks_exact(width);
                for ((index, hidden), logits) in
                    rows.iter().zip(states).zip(logits.chunks_exact(vocab))
                {
                    visit(Position {
                        index: *index,
                        hidden,
                        logits,
                    })?;
                }
            }
        }
        Ok(())
    }
}

/// Logits that are computed at once, in elements: bounds their memory.
const LOGITS: usize = 1 << 22;

/// Tokens a pass while auditing: bounds the attention scores' memory.
const AUDIT_CHUNK: usize = 256;

impl Scorer for Engine {
    fn vocab_size(&self) -> usize {
        self.config().vocab_size
    }

    fn hidden_size(&self) -> usize {
        self.config().hidden_size
    }

    fn context_len(&self) -> usize {
        self.config().max_position_embeddings
    }

    fn end_ids(&self) -> &[u32] {
        self.eos_ids()
    }

    fn score_at(
        &self,
        ids: &[u32],
        wanted: &[usize],
        visit: &mut dyn FnMut(Position<'_>) -> Result<()>,
    ) -> Result<()> {
        let chunked = Chunked {
            engine: self,
            chunk: AUDIT_CHUNK,
        };
        chunked.score_at(ids, wanted, visit)
    }
}
