//! What a model folder holds besides the network: how text becomes tokens, how a chat becomes
//! text, and how its makers sample.

use std::path::Path;

use crate::chat::ChatTemplate;
use crate::error::Result;
use crate::generation_config::GenerationDefaults;
use crate::tokenizer::Tokenizer;

/// The parts of a model folder that are not weights.
#[derive(Debug, Default)]
pub struct Assets {
    /// `tokenizer.json`, if it is there.
    pub tokenizer: Option<Tokenizer>,
    /// The chat template, if there is one. It is compiled when it is used, so that a model whose
    /// template the engine cannot run still serves prompts.
    pub chat: Option<ChatTemplate>,
    /// `generation_config.json`.
    pub generation: GenerationDefaults,
}

impl Assets {
    /// Reads a model folder for a model of `vocab_size` tokens.
    ///
    /// # Errors
    /// A file is damaged or does not belong to this model.
    pub fn from_dir(dir: &Path, vocab_size: usize) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        let tokenizer = match path.exists() {
            true => Some(Tokenizer::from_file(&path, vocab_size)?),
            false => None,
        };
        Ok(Self {
            tokenizer,
            chat: ChatTemplate::from_dir(dir)?,
            generation: GenerationDefaults::from_dir(dir, vocab_size)?,
        })
    }
}
