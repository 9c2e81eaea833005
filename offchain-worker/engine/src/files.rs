//! Small files of a model folder, read within bounds: nobody vouches for what a folder holds.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{EngineError, Result};

/// `config.json`, `generation_config.json`: a few KiB in practice.
pub(crate) const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// `model.safetensors.index.json`: below 1 MiB in practice.
pub(crate) const MAX_INDEX_BYTES: u64 = 32 << 20;

/// `tokenizer_config.json`, `special_tokens_map.json`: some list thousands of added tokens.
pub(crate) const MAX_TOKENIZER_CONFIG_BYTES: u64 = 16 << 20;

/// `tokenizer.json`: up to about 40 MiB in practice.
pub(crate) const MAX_TOKENIZER_BYTES: u64 = 256 << 20;

/// The whole of a file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|e| EngineError::read(path, e))?;
    let mut bytes = Vec::new();
    // One byte more tells a file at the limit from one beyond it, whatever its metadata say.
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| EngineError::read(path, e))?;
    if bytes.len() as u64 > limit {
        return Err(EngineError::FileTooLarge {
            path: path.to_path_buf(),
            limit,
        });
    }
    Ok(bytes)
}

/// A JSON file of at most `limit` bytes.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<T> {
    serde_json::from_slice(&read_bounded(path, limit)?).map_err(|e| EngineError::json(path, e))
}
