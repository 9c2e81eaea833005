//! The checkpoint's tokenizer: byte-level BPE, so that every text has an encoding and comes back
//! unchanged, trained on the corpus itself.

use std::path::Path;

use serde_json::json;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::bpe::{BpeTrainer, BPE};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::{AddedToken, Tokenizer, TokenizerBuilder, TokenizerImpl};

use crate::corpus::Corpus;
use crate::error::{Result, TrainingError};

/// Beginning of a document.
pub const BOS: &str = "<s>";
/// Id of [`BOS`].
pub const BOS_ID: u32 = 0;
/// End of a document: generation stops here.
pub const EOS: &str = "</s>";
/// Id of [`EOS`].
pub const EOS_ID: u32 = 1;

fn failed(error: impl std::fmt::Display) -> TrainingError {
    TrainingError::Tokenizer(error.to_string())
}

/// Trains a tokenizer of `vocab_size` tokens (the two special ones and 256 bytes among them) on
/// the first `documents` documents of `corpus`. Encoding with special tokens puts [`BOS`] first.
///
/// The same arguments give the same tokenizer: merges are chosen by count, then by token ids.
///
/// # Errors
/// A vocabulary too small for the bytes, or a corpus too small to fill it.
pub fn train(corpus: Corpus, documents: usize, vocab_size: usize) -> Result<Tokenizer> {
    train_on(corpus.documents(0).take(documents), vocab_size)
}

/// As [`train`], on the texts that `documents` yields.
///
/// # Errors
/// As [`train`].
pub fn train_on<S: AsRef<str> + Send>(
    documents: impl Iterator<Item = S> + Send,
    vocab_size: usize,
) -> Result<Tokenizer> {
    const SMALLEST: usize = 2 + 256;
    if vocab_size < SMALLEST {
        return Err(TrainingError::setting(
            "vocab_size",
            format!("is {vocab_size}, must be at least {SMALLEST}"),
        ));
    }
    let mut tokenizer: TokenizerImpl<
        BPE,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    > = TokenizerBuilder::default()
        .with_model(BPE::default())
        .with_pre_tokenizer(Some(ByteLevel::new(false, true, true).into()))
        .with_decoder(Some(ByteLevel::new(false, true, true).into()))
        .with_post_processor(Some(add_bos()?.into()))
        .build()
        .map_err(failed)?;
    let mut trainer: BpeTrainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(vec![
            AddedToken::from(BOS, true),
            AddedToken::from(EOS, true),
        ])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    tokenizer.train(&mut trainer, documents).map_err(failed)?;
    let tokenizer = Tokenizer::from(tokenizer);
    let found = tokenizer.get_vocab_size(true);
    if found != vocab_size {
        return Err(TrainingError::setting(
            "documents",
            format!("the documents give only {found} of {vocab_size} tokens"),
        ));
    }
    Ok(tokenizer)
}

fn add_bos() -> Result<TemplateProcessing> {
    TemplateProcessing::builder()
        .try_single(format!("{BOS} $A"))
        .map_err(failed)?
        .try_pair(format!("{BOS} $A {BOS}:1 $B:1"))
        .map_err(failed)?
        .special_tokens(vec![(BOS, BOS_ID)])
        .build()
        .map_err(failed)
}

/// Ids of a document as the model is trained on it: [`BOS`], the text, [`EOS`].
///
/// # Errors
/// The tokenizer fails.
pub fn encode_document(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>> {
    let encoding = tokenizer.encode_fast(text, false).map_err(failed)?;
    let mut ids = Vec::with_capacity(encoding.len() + 2);
    ids.push(BOS_ID);
    ids.extend_from_slice(encoding.get_ids());
    ids.push(EOS_ID);
    Ok(ids)
}

/// Text of `ids`, without special tokens.
///
/// # Errors
/// The tokenizer fails.
pub fn decode(tokenizer: &Tokenizer, ids: &[u32]) -> Result<String> {
    tokenizer.decode(ids, true).map_err(failed)
}

/// Reads `tokenizer.json`.
///
/// # Errors
/// The file is missing or is no tokenizer.
pub fn load(path: &Path) -> Result<Tokenizer> {
    Tokenizer::from_file(path).map_err(|error| failed(format!("{}: {error}", path.display())))
}

/// Writes `tokenizer.json` and `tokenizer_config.json` into `dir`; `context` is the longest input
/// in tokens.
///
/// # Errors
/// A file cannot be written.
pub fn save(tokenizer: &Tokenizer, dir: &Path, context: usize) -> Result<()> {
    tokenizer
        .save(dir.join("tokenizer.json"), true)
        .map_err(failed)?;
    let config = json!({
        "add_bos_token": true,
        "add_eos_token": false,
        "bos_token": BOS,
        "clean_up_tokenization_spaces": false,
        "eos_token": EOS,
        "model_max_length": context,
        "tokenizer_class": "PreTrainedTokenizerFast",
    });
    write_json(&dir.join("tokenizer_config.json"), &config)
}

/// Writes `value`, indented, with a newline at the end.
pub(crate) fn write_json(path: &Path, value: &serde_json::Value) -> Result<()> {
    std::fs::write(path, format!("{value:#}\n")).map_err(|e| TrainingError::write(path, e))
}
