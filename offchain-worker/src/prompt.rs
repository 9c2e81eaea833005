//! From a prompt as it stands on chain to the token ids that the model reads.

use crate::blobs::BlobStore;
use anyhow::{bail, Context, Result};
use chasqui_engine::generate::Engine;
use chasqui_primitives::{Prompt, MAX_INLINE_PROMPT_IDS};
use parity_scale_codec::Decode;

/// Longest blob of prompt ids that is read, in bytes.
const MAX_PROMPT_BLOB_BYTES: u64 = 16 << 20;

/// Token ids of `prompt`. Executor, auditors and clients all come to the same.
///
/// # Errors
/// The text is no UTF-8, the model has no tokenizer, or the blob is not there.
pub fn ids(prompt: &Prompt, engine: &Engine, blobs: &BlobStore) -> Result<Vec<u32>> {
    match prompt {
        Prompt::Text(bytes) => {
            let text = std::str::from_utf8(bytes).context("the prompt is no UTF-8 text")?;
            Ok(engine.tokenizer()?.encode(text, true)?)
        }
        Prompt::Ids(ids) => Ok(ids.to_vec()),
        Prompt::Blob {
            root,
            prompt_tokens,
            ..
        } => {
            let bytes = blobs.read_all(root, MAX_PROMPT_BLOB_BYTES)?;
            let ids = Vec::<u32>::decode(&mut bytes.as_slice())
                .with_context(|| format!("blob {root:?} holds no token ids"))?;
            if ids.len() != *prompt_tokens as usize {
                bail!(
                    "blob {root:?} holds {} token ids, the job says {prompt_tokens}",
                    ids.len()
                );
            }
            Ok(ids)
        }
    }
}

/// A prompt of token ids: inline where it fits.
pub fn from_ids(ids: Vec<u32>) -> Result<Prompt> {
    let count = ids.len();
    match ids.try_into() {
        Ok(ids) => Ok(Prompt::Ids(ids)),
        Err(_) => bail!("{count} token ids; a prompt on chain holds {MAX_INLINE_PROMPT_IDS}"),
    }
}
