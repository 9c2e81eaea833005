//! `tokenizer.json`: text to ids and back, also one token at a time.

use std::path::{Path, PathBuf};

use crate::error::{EngineError, Result};
use crate::files::{read_bounded, MAX_TOKENIZER_BYTES};

/// A checkpoint's tokenizer.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    path: PathBuf,
}

impl Tokenizer {
    /// Loads `path` and checks that every id it can produce lies in a vocabulary of `vocab_size`.
    ///
    /// # Errors
    /// The file is missing or not a tokenizer, or it belongs to a model with a larger vocabulary.
    pub fn from_file(path: &Path, vocab_size: usize) -> Result<Self> {
        let fail = |reason| EngineError::Tokenizer {
            path: path.to_path_buf(),
            reason,
        };
        let bytes = read_bounded(path, MAX_TOKENIZER_BYTES)?;
        let inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|e| fail(format!("not a tokenizer ({e}); download the file again")))?;
        if let Some((token, id)) = inner.get_vocab(true).into_iter().max_by_key(|(_, id)| *id) {
            if id as usize >= vocab_size {
                return Err(fail(format!(
                    "token {token:?} has id {id}, but the model's vocab_size is {vocab_size}; \
                     this tokenizer.json belongs to another model"
                )));
            }
        }
        Ok(Self {
            inner,
            path: path.to_path_buf(),
        })
    }

    /// Ids of `text`; with `special`, plus those that the tokenizer's template puts around it.
    ///
    /// # Errors
    /// The tokenizer rejects the text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, special)
            .map_err(|e| self.fail(e))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Text of `ids`, without special tokens if `skip_special`. Bytes that are not UTF-8 become
    /// U+FFFD.
    ///
    /// # Errors
    /// The tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.inner
            .decode(ids, skip_special)
            .map_err(|e| self.fail(e))
    }

    /// The id of a token, such as `<|im_end|>`.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of an id as the vocabulary writes it: for most tokenizers not its text.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Turns a stream of ids into a stream of text.
    pub fn stream(&self, skip_special: bool) -> Detokenizer<'_> {
        Detokenizer {
            tokenizer: self,
            skip_special,
            ids: Vec::new(),
            shown: 0,
        }
    }

    fn fail(&self, error: tokenizers::Error) -> EngineError {
        EngineError::Tokenizer {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }
}

/// Streaming detokeniser: gives text out as soon as it cannot change any more, and holds back the
/// bytes of a character until the last of them has come.
#[derive(Debug)]
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    /// The window that is decoded again: tokens already shown, kept for their effect on spacing,
    /// then those held back.
    ids: Vec<u32>,
    /// How many of `ids` are shown.
    shown: usize,
}

impl Detokenizer<'_> {
    /// A character has at most four bytes; what stays incomplete longer never completes.
    const MOST_HELD: usize = 8;
    /// Most tokens of a character that is not whole yet.
    const MOST_BEGUN: usize = 3;
    /// Tokens kept while nothing is shown, as with special tokens that are skipped.
    const MOST_KEPT: usize = 64;

    /// The text that `id` completes; empty while a character is incomplete.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.ids.push(id);
        let text = self.pending()?;
        let incomplete = text.ends_with('\u{FFFD}');
        match incomplete {
            true if self.ids.len() - self.shown < Self::MOST_HELD => Ok(String::new()),
            true => self.show_settled(),
            false => {
                self.show(&text);
                Ok(text)
            }
        }
    }

    /// Shows all that is held back but the last tokens, which may begin a character: what comes before them is either
    /// U+FFFD itself, which a text may well contain, or will never be anything else. A cut through a character leaves a
    /// replacement on both sides, so the right one is where both sides have the fewest characters.
    fn show_settled(&mut self) -> Result<String> {
        let end = self.ids.len();
        let mut best: Option<(usize, usize)> = None;
        for split in end - Self::MOST_BEGUN..end {
            let mut characters = 0;
            for part in [&self.ids[self.shown..split], &self.ids[split..]] {
                let text = self.tokenizer.decode(part, self.skip_special)?;
                characters += text.chars().count();
            }
            if best.is_none_or(|(least, _)| characters <= least) {
                best = Some((characters, split));
            }
        }
        let held = self.ids.split_off(best.map_or(end, |(_, split)| split));
        let text = self.pending()?;
        self.show(&text);
        self.ids.extend(held);
        Ok(text)
    }

    /// What is still held back, incomplete characters as U+FFFD.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn finish(self) -> Result<String> {
        self.pending()
    }

    /// Text of the tokens that are not shown yet.
    fn pending(&self) -> Result<String> {
        let shown = self
            .tokenizer
            .decode(&self.ids[..self.shown], self.skip_special)?;
        let all = self.tokenizer.decode(&self.ids, self.skip_special)?;
        match all.strip_prefix(shown.as_str()) {
            Some(text) => Ok(text.to_string()),
            // A decoder that joins bytes across tokens gives up a whole run of them while its last
            // character is incomplete; what was shown of the run stays shown.
            None => self
                .tokenizer
                .decode(&self.ids[self.shown..], self.skip_special),
        }
    }

    /// Counts all tokens as shown. The last ones that gave text are kept: whether a space stands
    /// before the next token depends on them.
    fn show(&mut self, text: &str) {
        if !text.is_empty() || self.ids.len() >= Self::MOST_KEPT {
            self.ids.drain(..self.shown);
        }
        self.shown = self.ids.len();
    }
}
