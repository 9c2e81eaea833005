//! A checkpoint as the gateway serves it: tokenizer, template and settings out of the blob folder, the rest from the chain.

use super::facts::Offer;
use crate::blobs::{BlobStore, Manifest};
use anyhow::{Context, Result};
use chasqui_engine::Assets;
use chasqui_gateway::upstream::{Model, Price};
use chasqui_primitives::{Balance, CheckpointRoot};
use chasqui_session::{Terms, MAX_OUTPUT_TOKENS};
use std::{path::Path, sync::Arc, time::UNIX_EPOCH};

/// Longest file that is read for text, in bytes.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// The files that turn text into ids and back, and say how to sample.
const TEXT_FILES: [&str; 5] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
];
/// Without it there is no text.
const TOKENIZER: &str = TEXT_FILES[0];

/// What of a checkpoint does not change: everything but its price.
#[derive(Debug, Clone)]
pub struct Described {
    /// Which.
    pub checkpoint: CheckpointRoot,
    /// Without a price.
    model: Model,
}

/// What tokens cost under these terms, in planck each.
pub fn price_of(terms: &Terms) -> Price {
    let each = |units: u32| terms.unit_price.saturating_mul(Balance::from(units));
    Price {
        prompt: each(terms.units_per_prompt_token),
        output: each(terms.units_per_output_token),
    }
}

impl Described {
    /// Of a model whose text is known already.
    pub fn of(checkpoint: CheckpointRoot, model: Model) -> Self {
        Self { checkpoint, model }
    }

    /// Reads the checkpoint's text files out of `blobs`.
    ///
    /// # Errors
    /// A file is missing, damaged, or does not fit the checkpoint's vocabulary.
    pub fn read(
        blobs: &BlobStore,
        checkpoint: CheckpointRoot,
        terms: &Terms,
        id: String,
    ) -> Result<Self> {
        let manifest = Manifest::open(blobs, &checkpoint)?;
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        for file in &manifest.files {
            if TEXT_FILES.contains(&file.name.as_str()) {
                let bytes = blobs.read_all(&file.root, MAX_FILE_BYTES)?;
                let path = folder.path().join(&file.name);
                std::fs::write(&path, bytes)
                    .with_context(|| format!("writing {}", path.display()))?;
            }
        }
        let vocabulary = terms.vocabulary as usize;
        let assets = Assets::from_dir(folder.path(), vocabulary)?;
        let tokenizer = assets
            .tokenizer
            .with_context(|| format!("the checkpoint has no {TOKENIZER}: it takes ids only"))?;
        let root = format!("{checkpoint:?}");
        Ok(Self {
            checkpoint,
            model: Model {
                aliases: if id == root { Vec::new() } else { vec![root] },
                id,
                created: modified(&blobs.data_path(&checkpoint)),
                owned_by: "chasqui".into(),
                context: terms.context_tokens as usize,
                max_output: Some(MAX_OUTPUT_TOKENS),
                vocab_size: vocabulary,
                embedding_size: None,
                eos_ids: terms.end_tokens.clone(),
                tokenizer: Arc::new(tokenizer),
                chat: assets.chat,
                defaults: assets.generation,
                price: Price::default(),
            },
        })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.model.id
    }

    /// The model as it is offered now; `None` while it takes no payment.
    pub fn offered(&self, offer: &Offer) -> Option<Arc<Model>> {
        let terms = offer.terms.as_ref()?;
        Some(Arc::new(Model {
            price: price_of(terms),
            eos_ids: terms.end_tokens.clone(),
            ..self.model.clone()
        }))
    }
}

/// When a file was written, in seconds since 1970; 0 where the file system does not say.
fn modified(file: &Path) -> u64 {
    let time = std::fs::metadata(file).and_then(|file| file.modified());
    let since = time
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs())
}

/// Whether clients can ask for a model of this name.
pub fn is_model_id(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._:@/-".contains(c);
    !name.is_empty()
        && name.len() <= chasqui_gateway::local::MAX_MODEL_ID
        && name.chars().all(legal)
}
