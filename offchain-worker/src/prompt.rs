//! Prompts: from what a client has to what stands on chain, and from there to the token ids that the model reads.

use crate::blobs::{BlobStore, Manifest};
use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::H256;
use chasqui_engine::{generate::Engine, tokenizer::Tokenizer};
use chasqui_primitives::{
    blob::CHUNK_BYTES, hash, CheckpointRoot, Prompt, MAX_INLINE_PROMPT_BYTES, MAX_INLINE_PROMPT_IDS,
};
use parity_scale_codec::{DecodeAll, Encode};
use std::path::Path;

/// Longest blob of prompt ids that is read or made, in bytes.
pub const MAX_PROMPT_BLOB_BYTES: u64 = 16 << 20;
/// Longest file of a prompt's text that is read, in bytes.
pub const MAX_PROMPT_FILE_BYTES: u64 = 16 << 20;
/// Longest tokenizer file that is read from the blob store, in bytes.
const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// Token ids of `prompt`. Executor, auditors and clients all come to the same.
///
/// # Errors
/// The text is no UTF-8, the model has no tokenizer, the blob is not there, or it does not hold as many ids of the
/// model's vocabulary as the job says.
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
            let ids = Vec::<u32>::decode_all(&mut bytes.as_slice())
                .with_context(|| format!("blob {root:?} holds no list of token ids"))?;
            ensure!(
                ids.len() == *prompt_tokens as usize,
                "blob {root:?} holds {} token ids, the job says {prompt_tokens}",
                ids.len()
            );
            // The chain checks this for prompts that it holds.
            let vocabulary = engine.config().vocab_size;
            if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
                bail!("blob {root:?} holds the token id {id}; the model's vocabulary has {vocabulary}");
            }
            Ok(ids)
        }
    }
}

/// Whether the ids that `prompt` gave have the hash that the job says. The chain refuses any other hash, so that work
/// on such a prompt could never be delivered.
///
/// # Errors
/// The prompt is a blob with other ids than the client hashed.
pub fn check_hash(prompt: &Prompt, hash: &H256) -> Result<()> {
    match prompt {
        Prompt::Blob {
            root, prompt_hash, ..
        } => ensure!(
            prompt_hash == hash,
            "the ids in blob {root:?} have the hash {hash:?}, the job says {prompt_hash:?}"
        ),
        Prompt::Text(_) | Prompt::Ids(_) => {}
    }
    Ok(())
}

/// What a client asks, before it is known whether it fits on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Text; whoever computes it tokenizes it.
    Text(String),
    /// Token ids, beginning-of-sequence included.
    Ids(Vec<u32>),
}

impl Asked {
    /// The text in a file, byte for byte: a line feed at its end is part of the prompt.
    ///
    /// # Errors
    /// The file cannot be read, has more than [`MAX_PROMPT_FILE_BYTES`], or is no UTF-8.
    pub fn from_file(path: &Path) -> Result<Self> {
        use std::io::Read;
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| {
                file.take(MAX_PROMPT_FILE_BYTES.saturating_add(1))
                    .read_to_end(&mut bytes)
            })
            .with_context(|| format!("reading the prompt from {}", path.display()))?;
        ensure!(
            bytes.len() as u64 <= MAX_PROMPT_FILE_BYTES,
            "{} has more than {MAX_PROMPT_FILE_BYTES} bytes, the longest prompt",
            path.display()
        );
        let text = String::from_utf8(bytes).with_context(|| {
            format!(
                "{} is no UTF-8 text: convert it, or give token ids by --ids",
                path.display()
            )
        })?;
        Ok(Asked::Text(text))
    }

    /// The prompt as it stands on chain; `None` where it does not fit there.
    pub fn inline(&self) -> Option<Prompt> {
        match self {
            Asked::Text(text) => text.as_bytes().to_vec().try_into().ok().map(Prompt::Text),
            Asked::Ids(ids) => ids.clone().try_into().ok().map(Prompt::Ids),
        }
    }

    /// How long it is, and how long a prompt on chain may be, in words.
    pub fn size(&self) -> String {
        match self {
            Asked::Text(text) => format!(
                "{} bytes, of which {MAX_INLINE_PROMPT_BYTES} fit on chain",
                text.len()
            ),
            Asked::Ids(ids) => format!(
                "{} token ids, of which {MAX_INLINE_PROMPT_IDS} fit on chain",
                ids.len()
            ),
        }
    }

    /// The prompt's token ids; `tokenizer` is only asked for where there is text.
    ///
    /// # Errors
    /// There is no tokenizer, or it refuses the text.
    pub fn ids(self, tokenizer: impl FnOnce() -> Result<Tokenizer>) -> Result<Vec<u32>> {
        match self {
            Asked::Text(text) => Ok(tokenizer()?.encode(&text, true)?),
            Asked::Ids(ids) => Ok(ids),
        }
    }
}

/// Puts a prompt into the blob store, in the form that executors read, and names it as the chain wants it named.
///
/// # Errors
/// There are more ids than a prompt's blob holds, or the disk refuses.
pub fn to_blob(ids: &[u32], genesis: &H256, salt: &[u8; 32], blobs: &BlobStore) -> Result<Prompt> {
    let bytes = ids.encode();
    ensure!(
        bytes.len() as u64 <= MAX_PROMPT_BLOB_BYTES,
        "{} token ids are more than a prompt's blob of {MAX_PROMPT_BLOB_BYTES} bytes holds",
        ids.len()
    );
    let prompt_tokens = u32::try_from(ids.len()).context("counting the prompt's tokens")?;
    Ok(Prompt::Blob {
        root: blobs.put_bytes(&bytes, CHUNK_BYTES)?.root(),
        prompt_hash: hash::prompt_hash(genesis, salt, ids),
        prompt_tokens,
    })
}

/// A checkpoint's tokenizer: from the model folder, if one is given, else from the checkpoint's blobs.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn tokenizer(
    model: Option<&Path>,
    blobs: &BlobStore,
    checkpoint: &CheckpointRoot,
) -> Result<Tokenizer> {
    const FILE: &str = "tokenizer.json";
    if let Some(folder) = model {
        return Ok(Tokenizer::from_file(&folder.join(FILE), usize::MAX)?);
    }
    let remedy = "give the model's folder by --model, or the folder of its blobs by --blob-dir";
    let manifest = Manifest::open(blobs, checkpoint).context(remedy)?;
    let file = manifest
        .files
        .iter()
        .find(|file| file.name == FILE)
        .with_context(|| format!("checkpoint {checkpoint:?} has no {FILE}: {remedy}"))?;
    let bytes = blobs
        .read_all(&file.root, MAX_TOKENIZER_BYTES)
        .context(remedy)?;
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let path = folder.path().join(FILE);
    std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))?;
    Ok(Tokenizer::from_file(&path, usize::MAX)?)
}
