//! From tokens to text as a client may see it: whole characters, nothing behind a stop string, and
//! each token's log-probability with the text it belongs to.

use std::collections::VecDeque;

use chasqui_engine::{Detokenizer, EngineError, Tokenizer};

use crate::upstream::TokenLogprobs;

/// A token with its log-probability, for the client.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredToken {
    /// Its text; bytes that are no whole character as U+FFFD.
    pub text: String,
    /// Its bytes, where the tokenizer tells them.
    pub bytes: Option<Vec<u8>>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens in its place, likeliest first.
    pub top: Vec<TopToken>,
    /// Characters of the output before it.
    pub offset: usize,
}

/// An alternative.
#[derive(Debug, Clone, PartialEq)]
pub struct TopToken {
    /// As [`ScoredToken::text`].
    pub text: String,
    /// As [`ScoredToken::bytes`].
    pub bytes: Option<Vec<u8>>,
    /// As [`ScoredToken::logprob`].
    pub logprob: f32,
}

/// What became certain: text that can be shown, and the tokens that it is made of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Release {
    /// Never a part of a character or of a stop string.
    pub text: String,
    /// Only where log-probabilities were asked for.
    pub tokens: Vec<ScoredToken>,
}

impl Release {
    /// Nothing to show.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.tokens.is_empty()
    }
}

/// A token whose text is not shown yet.
struct Waiting {
    /// Bytes of the output before it.
    start: usize,
    token: ScoredToken,
}

/// Puts an output together, token by token.
pub struct Assembler<'a> {
    tokenizer: &'a Tokenizer,
    detokenizer: Detokenizer<'a>,
    stops: &'a [String],
    /// Text that may be the beginning of a stop string.
    pending: String,
    /// Bytes and characters of the output so far, `pending` included.
    bytes: usize,
    characters: usize,
    waiting: VecDeque<Waiting>,
    stopped: bool,
}

impl<'a> Assembler<'a> {
    /// For one output. `stops` are not empty strings.
    pub fn new(tokenizer: &'a Tokenizer, stops: &'a [String]) -> Self {
        Self {
            tokenizer,
            detokenizer: tokenizer.stream(true),
            stops,
            pending: String::new(),
            bytes: 0,
            characters: 0,
            waiting: VecDeque::new(),
            stopped: false,
        }
    }

    /// Whether a stop string came; nothing is released after it.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Takes the next token.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn push(
        &mut self,
        id: u32,
        logprobs: Option<&TokenLogprobs>,
    ) -> Result<Release, EngineError> {
        if self.stopped {
            return Ok(Release::default());
        }
        if let Some(logprobs) = logprobs {
            let token = self.scored(id, logprobs);
            let start = self.bytes;
            self.waiting.push_back(Waiting { start, token });
        }
        let text = self.detokenizer.push(id)?;
        Ok(self.take(&text))
    }

    /// The end: what was held back, an incomplete character as U+FFFD.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn finish(mut self) -> Result<Release, EngineError> {
        if self.stopped {
            return Ok(Release::default());
        }
        let fresh = self.tokenizer.stream(true);
        let text = std::mem::replace(&mut self.detokenizer, fresh).finish()?;
        let mut release = self.take(&text);
        if !self.stopped {
            release.text.push_str(&self.pending);
            let left = self.waiting.drain(..).map(|waiting| waiting.token);
            release.tokens.extend(left);
        }
        Ok(release)
    }

    fn take(&mut self, text: &str) -> Release {
        self.pending.push_str(text);
        self.bytes += text.len();
        self.characters += text.chars().count();
        let found = self.stops.iter().filter_map(|stop| self.pending.find(stop));
        let count = match found.min() {
            Some(start) => {
                self.stopped = true;
                start
            }
            None => self.pending.len() - self.held(),
        };
        let shown_before = self.bytes - self.pending.len();
        let rest = self.pending.split_off(count);
        let text = std::mem::replace(&mut self.pending, rest);
        let mut tokens = Vec::new();
        while let Some(waiting) = self.waiting.pop_front() {
            if waiting.start >= shown_before + count {
                self.waiting.push_front(waiting);
                break;
            }
            tokens.push(waiting.token);
        }
        Release { text, tokens }
    }

    /// Bytes at the end of `pending` that may be the beginning of a stop string.
    fn held(&self) -> usize {
        let longest = self.stops.iter().map(|stop| stop.len() - 1).max();
        let most = longest.unwrap_or(0).min(self.pending.len());
        let from = self.pending.len() - most;
        let starts = self.pending.char_indices().map(|(start, _)| start);
        starts
            .filter(|start| *start >= from)
            .map(|start| &self.pending[start..])
            .find(|tail| self.stops.iter().any(|stop| stop.starts_with(*tail)))
            .map_or(0, str::len)
    }

    fn scored(&self, id: u32, logprobs: &TokenLogprobs) -> ScoredToken {
        let (text, bytes) = token_text(self.tokenizer, id);
        let top = logprobs.top.iter().map(|(id, logprob)| {
            let (text, bytes) = token_text(self.tokenizer, *id);
            TopToken {
                text,
                bytes,
                logprob: finite(*logprob),
            }
        });
        ScoredToken {
            text,
            bytes,
            logprob: finite(logprobs.chosen),
            top: top.collect(),
            offset: self.characters,
        }
    }
}

/// JSON has no infinity; OpenAI writes -9999 for what is next to impossible.
fn finite(logprob: f32) -> f32 {
    logprob.max(-9999.0)
}

/// A token's text by itself, and its bytes.
fn token_text(tokenizer: &Tokenizer, id: u32) -> (String, Option<Vec<u8>>) {
    let text = tokenizer.decode(&[id], false).unwrap_or_default();
    let written = tokenizer.token(id).unwrap_or_default();
    if text.contains('\u{FFFD}') {
        return (text, written_bytes(&written));
    }
    // Decoders drop the space before the first word of a text; of a token it is a part.
    let text = match written.starts_with('\u{2581}') && !text.starts_with(' ') {
        true => format!(" {text}"),
        false => text,
    };
    let bytes = text.as_bytes().to_vec();
    (text, Some(bytes))
}

/// The bytes behind a vocabulary's spelling: `<0xE2>`, or GPT-2's alphabet of one character a byte.
fn written_bytes(written: &str) -> Option<Vec<u8>> {
    let hex = written
        .strip_prefix("<0x")
        .and_then(|rest| rest.strip_suffix('>'));
    if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
        return Some(vec![byte]);
    }
    written.chars().map(byte_of).collect()
}

/// GPT-2's alphabet: printable bytes stand for themselves, the 68 others are counted from U+0100.
fn byte_of(character: char) -> Option<u8> {
    let byte = match u32::from(character) {
        code @ (33..=126 | 161..=172 | 174..=255) => code,
        code @ 256..=288 => code - 256,
        code @ 289..=322 => code - 289 + 127,
        323 => 173,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN all bytes in GPT-2's alphabet
    // WHEN they are read back
    // THEN each byte has one character; what is outside the alphabet has none
    #[test]
    fn the_alphabet_of_bytes_is_complete() {
        let mut found: Vec<u8> = (0..400)
            .filter_map(char::from_u32)
            .filter_map(byte_of)
            .collect();
        found.sort_unstable();
        assert_eq!(found, (0..=255).collect::<Vec<u8>>());
        assert_eq!(written_bytes("<0xE2>"), Some(vec![0xE2]));
        assert_eq!(written_bytes("ĠA"), Some(b" A".to_vec()));
        assert_eq!(written_bytes("漢"), None);
    }
}
