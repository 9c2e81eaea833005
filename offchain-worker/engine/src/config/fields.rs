//! A JSON object read field by field, so that an error names the field and not only the file.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{EngineError, Result};
use crate::files::read_json;

/// The fields of a JSON object. `null` counts as absent, as it does for the files' other readers.
pub(crate) struct Fields<'a> {
    pub(crate) path: &'a Path,
    values: Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// Reads a file of at most `limit` bytes that holds one object.
    pub(crate) fn from_file(path: &'a Path, limit: u64) -> Result<Self> {
        let values = read_json(path, limit)?;
        Ok(Self { path, values })
    }

    /// The field's value, if it is there.
    pub(crate) fn get<T: DeserializeOwned>(&self, field: &'static str) -> Result<Option<T>> {
        match self.value(field) {
            None => Ok(None),
            Some(value) => T::deserialize(value)
                .map(Some)
                .map_err(|error| self.fail(field, shortened(&error.to_string()))),
        }
    }

    /// The field's value, which must be there.
    pub(crate) fn need<T: DeserializeOwned>(&self, field: &'static str) -> Result<T> {
        self.get(field)?
            .ok_or_else(|| self.fail(field, "is missing"))
    }

    /// The field's value as it stands; `None` for null.
    pub(crate) fn value(&self, field: &str) -> Option<&Value> {
        self.values.get(field).filter(|value| !value.is_null())
    }

    /// Whether the file speaks of the field, if only to say null.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }

    /// One id or several: `eos_token_id` comes in both forms.
    pub(crate) fn ids(&self, field: &'static str) -> Result<Option<Vec<u32>>> {
        let one_or_many = match self.value(field) {
            None => return Ok(None),
            Some(Value::Array(ids)) => ids.clone(),
            Some(id) => vec![id.clone()],
        };
        let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
        let ids: Option<Vec<u32>> = one_or_many.iter().map(id).collect();
        ids.map(Some)
            .ok_or_else(|| self.fail(field, "is not a token id, nor a list of them"))
    }

    pub(crate) fn fail(&self, field: &'static str, reason: impl Into<String>) -> EngineError {
        EngineError::config(self.path, field, reason)
    }
}

/// A parser repeats what it found, which may be long.
fn shortened(reason: &str) -> String {
    const MOST: usize = 200;
    match reason.char_indices().nth(MOST) {
        None => reason.to_string(),
        Some((end, _)) => format!("{}…", &reason[..end]),
    }
}
