//! A dataset: tokens in one blob, from which any sequence is read by arithmetic.
//!
//! All numbers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `CHQDATA1` |
//! | 8..12 | version, 1 |
//! | 12..16 | bytes of a token: 2 for a vocabulary of up to 65,536, else 4 |
//! | 16..48 | BLAKE2b-256 of `tokenizer.json` |
//! | 48..52 | vocabulary; every token is below it |
//! | 52..56 | the token that ends each document |
//! | 56..64 | tokens in all |
//! | 64..72 | of these, held out: the last ones, never trained on |
//! | 72.. | the tokens |
//!
//! Sequence `i` of predicted length `s` is tokens `i * s` to `i * s + s`, both included: the last token of a sequence is
//! the first of the next, so every token but the first is predicted exactly once. Sequences of the held-out part count
//! from its own beginning.

mod build;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chasqui_primitives::blob::MAX_BLOB_BYTES;
use chasqui_primitives::dataset::token_bytes;
pub use chasqui_primitives::dataset::{HEADER_BYTES, MAGIC, MAX_VOCABULARY, VERSION};
use chasqui_primitives::training::{whole_sequences, RunTerms};
use sp_core::H256;

pub use build::{build, find_texts, BuildOptions, BuildProgress, BuildReport, TextEncoder};

use crate::error::{Result, TrainingError};

/// What a dataset says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// BLAKE2b-256 of the `tokenizer.json` that made the tokens.
    pub tokenizer: H256,
    /// Every token is below it.
    pub vocabulary: u32,
    /// Ends each document.
    pub end: u32,
    /// Tokens in all.
    pub tokens: u64,
    /// Of these, held out at the end.
    pub held_out: u64,
}

impl Header {
    /// Bytes of a token.
    pub fn width(&self) -> u64 {
        token_bytes(self.vocabulary)
    }

    /// Tokens that may be trained on.
    pub fn training(&self) -> u64 {
        self.tokens.saturating_sub(self.held_out)
    }

    /// Length of the whole dataset in bytes.
    pub fn bytes(&self) -> u64 {
        HEADER_BYTES.saturating_add(self.tokens.saturating_mul(self.width()))
    }

    /// Sequences of `sequence` predictions to train on.
    pub fn sequences(&self, sequence: u32) -> u64 {
        whole_sequences(self.training(), sequence)
    }

    /// Sequences of `sequence` predictions that are held out.
    pub fn held_out_sequences(&self, sequence: u32) -> u64 {
        whole_sequences(self.held_out, sequence)
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        let width = self.width() as u32;
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&width.to_le_bytes());
        bytes[16..48].copy_from_slice(self.tokenizer.as_bytes());
        bytes[48..52].copy_from_slice(&self.vocabulary.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.end.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.tokens.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.held_out.to_le_bytes());
        bytes
    }

    /// Reads and checks a header of a dataset of `len` bytes.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn decode(bytes: &[u8; HEADER_BYTES as usize], len: u64) -> Result<Self, String> {
        let u32_at = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(word)
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if &bytes[0..8] != MAGIC {
            return Err("does not begin with CHQDATA1; build one with `dataset build`".into());
        }
        if u32_at(8) != VERSION {
            return Err(format!(
                "has version {}, this program reads {VERSION}",
                u32_at(8)
            ));
        }
        let header = Self {
            tokenizer: H256::from_slice(&bytes[16..48]),
            vocabulary: u32_at(48),
            end: u32_at(52),
            tokens: u64_at(56),
            held_out: u64_at(64),
        };
        let vocabulary = header.vocabulary;
        if !(2..=MAX_VOCABULARY).contains(&vocabulary) {
            return Err(format!(
                "has a vocabulary of {vocabulary}, must be 2 to {MAX_VOCABULARY}"
            ));
        }
        if u64::from(u32_at(12)) != header.width() {
            return Err(format!(
                "has tokens of {} bytes, a vocabulary of {vocabulary} takes {}",
                u32_at(12),
                header.width()
            ));
        }
        if header.end >= vocabulary {
            return Err(format!(
                "ends documents with {}, the vocabulary has {vocabulary}",
                header.end
            ));
        }
        if header.held_out > header.tokens {
            return Err(format!(
                "holds out {} of {} tokens",
                header.held_out, header.tokens
            ));
        }
        if header.tokens > MAX_BLOB_BYTES || header.bytes() > MAX_BLOB_BYTES {
            return Err(format!(
                "states {} tokens, more than a blob can hold",
                header.tokens
            ));
        }
        if header.bytes() != len {
            return Err(format!(
                "has {len} bytes, {} tokens take {}",
                header.tokens,
                header.bytes()
            ));
        }
        Ok(header)
    }
}

/// Bytes that can be read at any place: a file, bytes in memory, a blob whose chunks are checked.
pub trait Source: Read + Seek + Send {}
impl<T: Read + Seek + Send> Source for T {}

/// An open dataset. Threads may share it.
pub struct Dataset {
    name: String,
    header: Header,
    source: Mutex<Box<dyn Source>>,
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset")
            .field("name", &self.name)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

impl Dataset {
    /// Opens the dataset file `path`. Its header and length are checked here, each sequence's tokens when it is read, all
    /// of them by [`Self::validate`].
    ///
    /// # Errors
    /// It cannot be read or is no dataset.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| TrainingError::read(path, error))?;
        Self::from_source(&path.display().to_string(), Box::new(file))
    }

    /// As [`Self::open`], for bytes from elsewhere; `name` is what errors call them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_source(name: &str, mut source: Box<dyn Source>) -> Result<Self> {
        let refuse = |reason: String| TrainingError::dataset(name, reason);
        let mut bytes = [0; HEADER_BYTES as usize];
        let len = source
            .seek(SeekFrom::End(0))
            .map_err(|error| refuse(format!("cannot be read: {error}")))?;
        if len < HEADER_BYTES {
            return Err(refuse(format!(
                "has {len} bytes, a header alone takes {HEADER_BYTES}"
            )));
        }
        read_at(&mut *source, 0, &mut bytes)
            .map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let header = Header::decode(&bytes, len).map_err(refuse)?;
        Ok(Self {
            name: name.to_owned(),
            header,
            source: Mutex::new(source),
        })
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Refuses a dataset that a model with this tokenizer and vocabulary cannot be trained on.
    ///
    /// # Errors
    /// Its tokens belong to another tokenizer, or the model has fewer.
    pub fn check_fits(&self, tokenizer: Option<&H256>, vocabulary: usize) -> Result<()> {
        if tokenizer.is_some_and(|hash| *hash != self.header.tokenizer) {
            return Err(self.refuse(format!(
                "was made with the tokenizer {:?}, the model's is another; build it again with the model's",
                self.header.tokenizer
            )));
        }
        if self.header.vocabulary as usize > vocabulary {
            return Err(self.refuse(format!(
                "has a vocabulary of {}, the model one of {vocabulary}",
                self.header.vocabulary
            )));
        }
        Ok(())
    }

    /// Refuses a dataset that is not as large as the terms of a run say: members must agree which sequences there are.
    ///
    /// # Errors
    /// It has another number of sequences of the recipe's length.
    pub fn check_run(&self, terms: &RunTerms) -> Result<()> {
        let found = self.header.sequences(terms.recipe.sequence);
        match found == terms.sequences {
            true => Ok(()),
            false => Err(self.refuse(format!(
                "has {found} sequences of {} tokens, the run's terms say {}",
                terms.recipe.sequence, terms.sequences
            ))),
        }
    }

    /// The `sequence + 1` tokens of training sequence `index`.
    ///
    /// # Errors
    /// There is no such sequence, it cannot be read, or a token is outside the vocabulary.
    pub fn sequence(&self, index: u64, sequence: u32) -> Result<Vec<u32>> {
        self.read(0, self.header.sequences(sequence), index, sequence)
    }

    /// The `sequence + 1` tokens of held-out sequence `index`.
    ///
    /// # Errors
    /// As [`Self::sequence`].
    pub fn held_out(&self, index: u64, sequence: u32) -> Result<Vec<u32>> {
        let (first, count) = (
            self.header.training(),
            self.header.held_out_sequences(sequence),
        );
        self.read(first, count, index, sequence)
    }

    /// `count` tokens of the held-out part, from its token `from` on.
    ///
    /// # Errors
    /// They are not all held out, cannot be read, or one is outside the vocabulary.
    pub fn held_out_tokens(&self, from: u64, count: usize) -> Result<Vec<u32>> {
        let held_out = self.header.held_out;
        if from
            .checked_add(count as u64)
            .is_none_or(|end| end > held_out)
        {
            return Err(self.refuse(format!(
                "holds out {held_out} tokens, {count} from number {from} on were asked for"
            )));
        }
        self.tokens(self.header.training() + from, count)
    }

    fn read(&self, first: u64, count: u64, index: u64, sequence: u32) -> Result<Vec<u32>> {
        if index >= count {
            return Err(self.refuse(format!(
                "has {count} sequences of {sequence} tokens, number {index} was asked for"
            )));
        }
        // Within the header's bounds, so nothing overflows.
        let at = first + index * u64::from(sequence);
        self.tokens(at, sequence as usize + 1)
    }

    /// `count` tokens from token `first` on; the caller has checked that they exist.
    fn tokens(&self, first: u64, count: usize) -> Result<Vec<u32>> {
        let width = self.header.width();
        let mut bytes = vec![0; count * width as usize];
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        read_at(&mut **source, HEADER_BYTES + first * width, &mut bytes)
            .map_err(|error| self.refuse(format!("cannot be read: {error}")))?;
        drop(source);
        let ids: Vec<u32> = match width {
            2 => {
                let (pairs, _) = bytes.as_chunks::<2>();
                pairs
                    .iter()
                    .map(|pair| u16::from_le_bytes(*pair).into())
                    .collect()
            }
            _ => {
                let (words, _) = bytes.as_chunks::<4>();
                words.iter().map(|word| u32::from_le_bytes(*word)).collect()
            }
        };
        match ids.iter().position(|id| *id >= self.header.vocabulary) {
            None => Ok(ids),
            Some(position) => Err(self.refuse(format!(
                "has token {} at position {}, the vocabulary has {}",
                ids[position],
                first + position as u64,
                self.header.vocabulary
            ))),
        }
    }

    /// Reads everything once: every token is in the vocabulary, and both parts end where a document ends. `progress` is
    /// told how many tokens were seen.
    ///
    /// # Errors
    /// The rule that is broken, and where.
    pub fn validate(&self, mut progress: impl FnMut(u64)) -> Result<()> {
        const AT_ONCE: u64 = 1 << 18;
        let Header {
            tokens,
            held_out,
            end,
            ..
        } = self.header;
        let mut at = 0;
        while at < tokens {
            let count = AT_ONCE.min(tokens - at);
            self.tokens(at, count as usize)?;
            at += count;
            progress(at);
        }
        for (part, size, last) in [
            ("training", self.header.training(), self.header.training()),
            ("held-out", held_out, tokens),
        ] {
            if size > 0 && self.tokens(last - 1, 1)? != [end] {
                return Err(self.refuse(format!(
                    "its {part} part does not end with the token {end} that ends documents"
                )));
            }
        }
        Ok(())
    }

    fn refuse(&self, reason: String) -> TrainingError {
        TrainingError::dataset(&self.name, reason)
    }
}

fn read_at(source: &mut dyn Source, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    source.seek(SeekFrom::Start(offset))?;
    source.read_exact(buffer)
}
