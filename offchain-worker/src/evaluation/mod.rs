//! What a model loses on the held-out part of a dataset: the same number on every machine, or nobody could compare.
//!
//! The convention: the first tokens of the held-out part are cut into windows of [`WINDOW`] predictions, or as many as the
//! model's context has room for. Each window is computed by itself; its last token is the first of the next, so every token
//! but the very first is predicted exactly once. Losses are summed window by window in order, in f64. Threads change no bit.
//!
//! | module | what it does |
//! |---|---|
//! | [`find`] | from a root, a folder or a file to an engine and a dataset |
//! | [`attested`] | what validators say on chain that checkpoints lose |
//! | [`lineage`] | what a checkpoint was made from |

pub mod attested;
pub mod find;
pub mod lineage;

use anyhow::{bail, ensure, Context, Result};
use chasqui_engine::{Engine, EngineError, Tokenizer};
use chasqui_training::diloco::Dataset;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Most predictions of a window.
pub const WINDOW: usize = 512;
/// Predictions of an evaluation, unless told otherwise.
pub const TOKENS: u64 = 1 << 16;

/// Predictions of a window of a model with a context of so many tokens: its last token is fed, too.
pub fn window_of(context: usize) -> usize {
    context.saturating_sub(1).min(WINDOW)
}

/// How many predictions an evaluation of at most `wanted` makes on this dataset.
///
/// # Errors
/// Nothing can be predicted: fewer than two tokens are held out, or none are wanted.
pub fn predictions(dataset: &Dataset, wanted: u64) -> Result<u64> {
    ensure!(
        wanted > 0,
        "--tokens: is 0; give how many tokens are to be predicted"
    );
    let held_out = dataset.header().held_out;
    ensure!(
        held_out >= 2,
        "--data: the dataset holds out {held_out} tokens, so there is nothing to evaluate on: build one with a larger \
         `--held-out-ppm`"
    );
    Ok(wanted.min(held_out.saturating_sub(1)))
}

/// The sum of the losses of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Predictions.
    pub tokens: u64,
    /// Sum of their losses, in nats.
    pub nats: f64,
}

/// What a model lost, window by window.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// Never empty.
    windows: Vec<Window>,
}

impl Losses {
    /// Predictions.
    pub fn tokens(&self) -> u64 {
        self.windows.iter().map(|window| window.tokens).sum()
    }

    /// Sum of all losses, in nats.
    pub fn nats(&self) -> f64 {
        self.windows.iter().map(|window| window.nats).sum()
    }

    /// Mean loss, nats a token.
    pub fn mean(&self) -> f64 {
        self.nats() / self.tokens() as f64
    }

    /// Mean loss as the chain takes it, millionths of a nat a token.
    pub fn mean_micro(&self) -> u64 {
        (self.mean() * 1e6).round() as u64
    }

    /// Perplexity: of how many tokens it is as unsure as if all were equally likely.
    pub fn perplexity(&self) -> f64 {
        self.mean().exp()
    }

    /// Bits for each byte of a text of `bytes`: what models with different tokenizers can be compared by.
    pub fn bits_per_byte(&self, bytes: u64) -> Option<f64> {
        (bytes > 0).then(|| self.nats() / std::f64::consts::LN_2 / bytes as f64)
    }

    /// How much more a token costs in these losses than in `before`, over the same windows, and the standard error of that:
    /// `None` with a single window. `None` at all where the windows are others.
    pub fn more_than(&self, before: &Self) -> Option<(f64, Option<f64>)> {
        let same = self.windows.len() == before.windows.len();
        let pairs = || self.windows.iter().zip(&before.windows);
        if !same || pairs().any(|(now, was)| now.tokens != was.tokens) {
            return None;
        }
        let tokens = self.tokens() as f64;
        let mean = (self.nats() - before.nats()) / tokens;
        let count = self.windows.len() as f64;
        let squares: f64 = pairs()
            .map(|(now, was)| (now.nats - was.nats - mean * now.tokens as f64).powi(2))
            .sum();
        let error =
            (self.windows.len() > 1).then(|| (squares * count / (count - 1.0)).sqrt() / tokens);
        Some((mean, error))
    }
}

/// Evaluates a model on the first `tokens` predictions of the held-out part, in windows of `window`. `progress` is told how
/// many are done. Blocks.
///
/// # Errors
/// The dataset cannot be read or has fewer tokens, a token is none of the model's, or a loss is not finite.
pub fn evaluate(
    engine: &Engine,
    dataset: &Dataset,
    window: usize,
    tokens: u64,
    mut progress: impl FnMut(u64),
) -> Result<Losses> {
    ensure!(
        window > 0,
        "the model's context has room for no prediction: config.json, `max_position_embeddings`"
    );
    let (mut windows, mut done) = (Vec::new(), 0);
    while done < tokens {
        let count = (window as u64).min(tokens.saturating_sub(done));
        let ids = dataset.held_out_tokens(done, count as usize + 1)?;
        let (first, rest) = ids.split_at(1);
        let mut nats = 0.0;
        engine.replay_with(first, rest, |at| {
            let loss = log_probability(at.logits, at.token).map(|log| -log);
            nats += loss.filter(|loss| loss.is_finite()).ok_or_else(|| {
                EngineError::Compute(format!(
                    "the loss of token {} at position {} of window {} is not finite",
                    at.token,
                    at.position,
                    windows.len()
                ))
            })?;
            Ok(())
        })?;
        windows.push(Window {
            tokens: count,
            nats,
        });
        done = done.saturating_add(count);
        progress(done);
    }
    ensure!(!windows.is_empty(), "nothing was predicted");
    Ok(Losses { windows })
}

/// Natural logarithm of the probability of a token under logits, in f64; `None` where the vocabulary does not have it.
pub fn log_probability(logits: &[f32], token: u32) -> Option<f64> {
    let own = f64::from(*logits.get(token as usize)?);
    let best = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits
        .iter()
        .map(|logit| (f64::from(*logit) - best).exp())
        .sum();
    Some(own - best - sum.ln())
}

/// The text behind the first tokens of a held-out part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its length in UTF-8.
    pub bytes: u64,
    /// BLAKE2b-256 over the hashes of its documents: whether two datasets hold out the same texts.
    pub hash: H256,
}

/// The text of the first `tokens` predictions of the held-out part, and of the token before them.
///
/// # Errors
/// The dataset cannot be read, or the tokenizer fails on it.
pub fn text(tokenizer: &Tokenizer, dataset: &Dataset, tokens: u64) -> Result<Text> {
    const AT_ONCE: u64 = 1 << 12;
    let end = dataset.header().end;
    let all = tokens.saturating_add(1);
    let (mut bytes, mut hashes) = (0u64, Vec::new());
    let mut document = String::new();
    let mut stream = tokenizer.stream(true);
    let mut at = 0;
    while at < all {
        let count = AT_ONCE.min(all.saturating_sub(at));
        for id in dataset.held_out_tokens(at, count as usize)? {
            if id != end {
                document.push_str(&stream.push(id)?);
                continue;
            }
            document.push_str(&std::mem::replace(&mut stream, tokenizer.stream(true)).finish()?);
            bytes = bytes.saturating_add(document.len() as u64);
            hashes.extend(blake2_256(document.as_bytes()));
            document.clear();
        }
        at = at.saturating_add(count);
    }
    document.push_str(&stream.finish()?);
    if !document.is_empty() {
        bytes = bytes.saturating_add(document.len() as u64);
        hashes.extend(blake2_256(document.as_bytes()));
    }
    Ok(Text {
        bytes,
        hash: H256(blake2_256(&hashes)),
    })
}

/// Refuses a dataset that is not made of the model's tokens.
///
/// # Errors
/// It was made with another tokenizer, or has a larger vocabulary.
pub fn check_fits(model: &find::Model, dataset: &Dataset) -> Result<()> {
    let vocabulary = model.engine.config().vocab_size;
    let header = dataset.header();
    if let Some(hash) = model.tokenizer.filter(|hash| *hash != header.tokenizer) {
        bail!(
            "{}: its tokenizer ({hash:?}) is not the one that the dataset was built with ({:?}). Build a dataset of the \
             same texts with its tokenizer (`chasqui-worker dataset build`): bits per byte compare across tokenizers, and \
             `checkpoint compare` takes that dataset as --other-data",
            model.name,
            header.tokenizer
        );
    }
    dataset
        .check_fits(None, vocabulary)
        .with_context(|| model.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(windows: &[(u64, f64)]) -> Losses {
        Losses {
            windows: windows
                .iter()
                .map(|&(tokens, nats)| Window { tokens, nats })
                .collect(),
        }
    }

    // GIVEN logits of which one is far above the others, or all are equal
    // WHEN a token's probability is asked for
    // THEN it is what they say, without overflow, and a token that is none has no probability
    #[test]
    fn a_tokens_probability_is_what_the_logits_say() {
        assert_eq!(log_probability(&[0.0; 4], 3), Some(-(4f64).ln()));
        assert_eq!(log_probability(&[3e38, -3e38], 0), Some(0.0));
        assert_eq!(log_probability(&[1.0, 2.0], 2), None);
    }

    // GIVEN losses over the same windows
    // WHEN they are compared
    // THEN the difference weighs tokens, not windows, and a constant difference has no error
    #[test]
    fn a_difference_weighs_tokens_and_knows_its_error() {
        let before = losses(&[(4, 8.0), (2, 1.0)]);
        let after = losses(&[(4, 6.0), (2, 0.0)]);
        assert_eq!(before.mean(), 1.5);
        assert_eq!(before.mean_micro(), 1_500_000);
        assert_eq!(after.more_than(&before), Some((-0.5, Some(0.0))));
        let noisy = losses(&[(4, 8.0), (2, 4.0)]);
        let (mean, error) = noisy.more_than(&before).unwrap();
        assert_eq!(mean, 0.5);
        // Deviations of 2 and 2 from the mean: sqrt(8 * 2 / 1) over 6 tokens.
        assert!((error.unwrap() - 4.0 / 6.0).abs() < 1e-12);
        // AND one window has none, and other windows are not compared
        let one = losses(&[(4, 8.0)]);
        assert_eq!(one.more_than(&one), Some((0.0, None)));
        assert_eq!(one.more_than(&before), None);
        assert_eq!(losses(&[(3, 8.0), (3, 1.0)]).more_than(&before), None);
    }

    // GIVEN contexts shorter and longer than a window
    // WHEN the window is asked for
    // THEN it is the convention's, or what the context has room for
    #[test]
    fn a_window_fits_the_context() {
        let windows = [0, 1, 2, 512, 513, 8_192].map(window_of);
        assert_eq!(windows, [0, 0, 1, 511, 512, 512]);
    }
}
