//! From documents to batches of token ids.

use std::sync::Arc;

use tokenizers::Tokenizer;

use crate::corpus::Corpus;
use crate::error::{Result, TrainingError};
use crate::tokenizer::encode_document;

/// Where a packed stream stands: enough to continue it on another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The next document to read.
    pub next_document: u64,
    /// Tokens of earlier documents that are still unused.
    pub buffered: usize,
}

/// Documents laid end to end and cut into sequences of equal length, so that no position of a
/// batch is padding. A sequence starts with the last token of the one before it: every token after
/// the first is predicted exactly once.
pub struct PackedStream {
    corpus: Corpus,
    tokenizer: Arc<Tokenizer>,
    sequence: usize,
    next_document: u64,
    stride: u64,
    buffer: Vec<u32>,
}

impl PackedStream {
    /// Sequences of `sequence` predictions (`sequence + 1` ids) out of the documents `first`,
    /// `first + stride`, … of `corpus`: with as many shards as `stride`, no two shards share one.
    ///
    /// # Errors
    /// `sequence` or `stride` is 0.
    pub fn new(
        corpus: Corpus,
        tokenizer: Arc<Tokenizer>,
        sequence: usize,
        first: u64,
        stride: u64,
    ) -> Result<Self> {
        if sequence == 0 {
            return Err(TrainingError::setting("seq", "is 0, must be at least 1"));
        }
        if stride == 0 {
            return Err(TrainingError::setting("stride", "is 0, must be at least 1"));
        }
        Ok(Self {
            corpus,
            tokenizer,
            sequence,
            next_document: first,
            stride,
            buffer: Vec::new(),
        })
    }

    /// The next `sequence + 1` ids.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn next_sequence(&mut self) -> Result<Vec<u32>> {
        while self.buffer.len() <= self.sequence {
            let text = self.corpus.document(self.next_document);
            self.buffer.extend(encode_document(&self.tokenizer, &text)?);
            self.next_document = self.next_document.wrapping_add(self.stride);
        }
        let ids = self.buffer[..=self.sequence].to_vec();
        self.buffer.drain(..self.sequence);
        Ok(ids)
    }

    /// The next `count` sequences.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn next_batch(&mut self, count: usize) -> Result<Vec<Vec<u32>>> {
        (0..count).map(|_| self.next_sequence()).collect()
    }

    /// Sequences of `sequence` predictions from now on; no token is lost.
    ///
    /// # Errors
    /// `sequence` is 0.
    pub fn set_sequence(&mut self, sequence: usize) -> Result<()> {
        if sequence == 0 {
            return Err(TrainingError::setting("seq", "is 0, must be at least 1"));
        }
        self.sequence = sequence;
        Ok(())
    }

    /// Where the stream stands.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            next_document: self.next_document,
            buffered: self.buffer.len(),
        }
    }
}
