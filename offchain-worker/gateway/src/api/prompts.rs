//! `prompt` of completions and `input` of embeddings: a text, a list of them, token ids, or a list
//! of those.

use serde_json::Value;

use super::fields::{token_id, wrong_type, Fields};
use super::sampling::alternatives;
use crate::error::ApiError;
use crate::upstream::Model;

const EXPECTED: &str = "a string, a list of strings, a list of token ids, or a list of such lists";

/// Token ids of each of 1 to `most` texts in the field `name`.
///
/// # Errors
/// It is missing or malformed, there are too many, one is empty, or an id is none of the model's.
pub fn read(
    fields: Fields<'_>,
    name: &str,
    model: &Model,
    most: usize,
) -> Result<Vec<Vec<u32>>, ApiError> {
    let value = fields
        .value(name)
        .ok_or_else(|| ApiError::missing(name, format!("`{name}` is missing: give {EXPECTED}.")))?;
    let empty = || ApiError::invalid(name, format!("`{name}` is empty; give at least one."));
    let prompts = match value {
        Value::String(text) => vec![encode(name, text, model)?],
        Value::Array(list) => match list.first() {
            None => return Err(empty()),
            Some(Value::Number(_)) => vec![ids(name, list, model)?],
            Some(_) if list.len() > most => {
                let words = format!("`{name}` has {}; give at most {most}.", list.len());
                return Err(ApiError::invalid(name, words));
            }
            Some(_) => list
                .iter()
                .map(|one| match one {
                    Value::String(text) => encode(name, text, model),
                    Value::Array(list) => ids(name, list, model),
                    other => Err(wrong_type(name, EXPECTED, other)),
                })
                .collect::<Result<_, _>>()?,
        },
        other => return Err(wrong_type(name, EXPECTED, other)),
    };
    match prompts.iter().any(Vec::is_empty) {
        true => Err(empty()),
        false => Ok(prompts),
    }
}

fn encode(name: &str, text: &str, model: &Model) -> Result<Vec<u32>, ApiError> {
    // An empty text may still have a token of the tokenizer's own; it is no prompt all the same.
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let ids = model.tokenizer.encode(text, true);
    ids.map_err(|error| ApiError::invalid(name, error.to_string()))
}

fn ids(name: &str, list: &[Value], model: &Model) -> Result<Vec<u32>, ApiError> {
    list.iter()
        .map(|value| token_id(name, value, model.vocab_size))
        .collect()
}

/// What completions alone have: `echo` and `suffix` are refused, `logprobs` is a number.
///
/// # Errors
/// As said, or malformed.
pub fn top_logprobs(fields: Fields<'_>) -> Result<Option<usize>, ApiError> {
    if fields.flag("echo")? {
        let words = "`echo` is not supported: put the prompt before the answer yourself.";
        return Err(ApiError::unsupported("echo", words));
    }
    if fields
        .string("suffix")?
        .is_some_and(|text| !text.is_empty())
    {
        let words = "`suffix` is not supported: write the whole prompt.";
        return Err(ApiError::unsupported("suffix", words));
    }
    match fields.value("logprobs") {
        // Clients that send one field to both endpoints.
        Some(Value::Bool(false)) => Ok(None),
        _ => alternatives(fields, "logprobs"),
    }
}
