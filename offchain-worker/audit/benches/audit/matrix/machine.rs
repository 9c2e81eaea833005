//! Whoever computes: an engine with any decoder, or bf16 arithmetic.

use chasqui_audit::{Chunked, Position, Result, Scorer};
use chasqui_engine::{Engine, EngineError, LlamaConfig, Pass, Sequence};

use super::bf16::{Bf16Model, Bf16Sequence};

/// A model and how it is computed.
// A handful in a process.
#[allow(clippy::large_enum_variant)]
pub enum Machine {
    /// Our engine: CPU kernels in any of their forms, or burn.
    Engine(Engine),
    /// Every tensor rounded to bf16.
    Bf16(Bf16Model),
}

/// Keys and values of one sequence.
pub enum Cache {
    /// Of [`Machine::Engine`].
    Engine(Sequence),
    /// Of [`Machine::Bf16`].
    Bf16(Bf16Sequence),
}

/// One sequence's part of a pass.
pub struct Feed<'a> {
    /// What came before.
    pub cache: &'a mut Cache,
    /// What follows.
    pub ids: &'a [u32],
    /// Hidden states of `ids[from..]` are wanted.
    pub from: usize,
}

impl Machine {
    /// The model's shape.
    pub fn config(&self) -> &LlamaConfig {
        match self {
            Self::Engine(engine) => engine.config(),
            Self::Bf16(model) => model.config(),
        }
    }

    /// An empty cache for `capacity` tokens.
    ///
    /// # Errors
    /// `capacity` is beyond the context.
    pub fn cache(&self, capacity: usize) -> Result<Cache> {
        Ok(match self {
            Self::Engine(engine) => Cache::Engine(engine.decoder().sequence(capacity)?),
            Self::Bf16(model) => Cache::Bf16(model.sequence()),
        })
    }

    /// Hidden states `[n, hidden]` of all wanted rows, in the feeds' order.
    ///
    /// # Errors
    /// The engine's, and a cache of another machine.
    pub fn forward(&self, feeds: &mut [Feed<'_>]) -> Result<Vec<f32>> {
        match self {
            Self::Engine(engine) => {
                let mut passes = Vec::with_capacity(feeds.len());
                for feed in feeds {
                    let Cache::Engine(sequence) = &mut *feed.cache else {
                        return Err(foreign());
                    };
                    passes.push(Pass {
                        sequence,
                        ids: feed.ids,
                        from: feed.from,
                    });
                }
                Ok(engine.decoder().forward(&mut passes)?)
            }
            Self::Bf16(model) => {
                let mut states = Vec::new();
                for feed in feeds {
                    let Cache::Bf16(sequence) = &mut *feed.cache else {
                        return Err(foreign());
                    };
                    states.extend(model.forward(sequence, feed.ids, feed.from));
                }
                Ok(states)
            }
        }
    }

    /// Logits `[n, vocab]` of hidden states `[n, hidden]`.
    ///
    /// # Errors
    /// The engine's.
    pub fn logits(&self, hidden: &[f32]) -> Result<Vec<f32>> {
        Ok(match self {
            Self::Engine(engine) => engine.decoder().logits(hidden)?,
            Self::Bf16(model) => model.logits(hidden),
        })
    }
}

fn foreign() -> chasqui_audit::AuditError {
    EngineError::Compute("a cache of another machine".into()).into()
}

/// A machine that scores `chunk` tokens at a time.
#[derive(Clone, Copy)]
pub struct Auditor<'a> {
    /// Who computes.
    pub machine: &'a Machine,
    /// Tokens a pass.
    pub chunk: usize,
}

impl Scorer for Auditor<'_> {
    fn vocab_size(&self) -> usize {
        self.machine.config().vocab_size
    }

    fn hidden_size(&self) -> usize {
        self.machine.config().hidden_size
    }

    fn context_len(&self) -> usize {
        self.machine.config().max_position_embeddings
    }

    fn end_ids(&self) -> &[u32] {
        &self.machine.config().eos_token_ids
    }

    fn score_at(
        &self,
        ids: &[u32],
        wanted: &[usize],
        visit: &mut dyn FnMut(Position<'_>) -> Result<()>,
    ) -> Result<()> {
        if let Machine::Engine(engine) = self.machine {
            let chunk = self.chunk;
            return Chunked { engine, chunk }.score_at(ids, wanted, visit);
        }
        let Some(&last) = wanted.last() else {
            return Ok(());
        };
        let (width, vocab) = (self.hidden_size(), self.vocab_size());
        let mut cache = self.machine.cache(last + 1)?;
        let mut wanted = wanted.iter().copied().peekable();
        for (pass, ids) in ids[..=last].chunks(self.chunk.max(1)).enumerate() {
            let start = pass * self.chunk.max(1);
            let cache = &mut cache;
            let states = self.machine.forward(&mut [Feed {
                cache,
                ids,
                from: 0,
            }])?;
            while let Some(index) = wanted.next_if(|index| *index < start + ids.len()) {
                let hidden = &states[(index - start) * width..][..width];
                let logits = self.machine.logits(hidden)?;
                visit(Position {
                    index,
                    hidden,
                    logits: &logits[..vocab],
                })?;
            }
        }
        Ok(())
    }
}
