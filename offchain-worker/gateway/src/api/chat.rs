//! `/v1/chat/completions`: from messages to a prompt.

use chasqui_engine::{EngineError, Message};
use serde_json::Value;

use super::fields::{wrong_type, Fields};
use super::sampling::alternatives;
use crate::error::{shortened, ApiError};
use crate::limits::Limits;
use crate::upstream::Model;

/// Longest name of a role in bytes.
const MAX_ROLE: usize = 64;

/// The prompt of a chat.
///
/// # Errors
/// A message is malformed or holds what is not text, or the model has no template or its template
/// refuses the messages.
pub fn prompt(fields: Fields<'_>, model: &Model, limits: &Limits) -> Result<Vec<u32>, ApiError> {
    const NAME: &str = "messages";
    let template = model.chat.as_ref().ok_or_else(|| {
        ApiError::unsupported(
            "model",
            format!(
                "'{}' has no chat template: use /v1/completions and write the whole prompt.",
                model.id
            ),
        )
    })?;
    let given = fields.list(NAME)?.ok_or_else(|| {
        ApiError::missing(
            NAME,
            "`messages` is missing: give a list of at least one message.",
        )
    })?;
    if given.is_empty() || given.len() > limits.messages {
        return Err(ApiError::invalid(
            NAME,
            format!(
                "`messages` has {}; give 1 to {}.",
                given.len(),
                limits.messages
            ),
        ));
    }
    // Reasoning models' name for what most templates call `system`.
    let knows_developer = template.source().contains("developer");
    let messages = given
        .iter()
        .enumerate()
        .map(|(index, value)| message(index, value, knows_developer))
        .collect::<Result<Vec<_>, _>>()?;
    let text = template
        .render(&messages, true)
        .map_err(|error| refused(&error))?;
    let ids = model.tokenizer.encode(&text, false);
    let ids = ids.map_err(|error| ApiError::invalid(NAME, error.to_string()))?;
    match ids.is_empty() {
        false => Ok(ids),
        true => Err(ApiError::invalid(
            NAME,
            "The model's chat template makes an empty prompt of these messages.",
        )),
    }
}

/// Log-probabilities: `logprobs` switches them on, `top_logprobs` asks for alternatives.
///
/// # Errors
/// One is malformed, or alternatives are asked for without the switch.
pub fn top_logprobs(fields: Fields<'_>) -> Result<Option<usize>, ApiError> {
    let on = fields.flag("logprobs")?;
    match (on, alternatives(fields, "top_logprobs")?) {
        (true, top) => Ok(Some(top.unwrap_or(0))),
        (false, None | Some(0)) => Ok(None),
        (false, Some(_)) => Err(ApiError::invalid(
            "top_logprobs",
            "`top_logprobs` needs `logprobs: true`.",
        )),
    }
}

/// Of a template's error the client learns the words, not where the file lies.
fn refused(error: &EngineError) -> ApiError {
    let reason = match error {
        EngineError::ChatTemplate { reason, .. } => format!("The model's chat template: {reason}"),
        other => other.to_string(),
    };
    ApiError::invalid("messages", reason)
}

fn message(index: usize, value: &Value, knows_developer: bool) -> Result<Message, ApiError> {
    let at = |field: &str| format!("messages[{index}].{field}");
    let Value::Object(_) = value else {
        return Err(wrong_type(
            &format!("messages[{index}]"),
            "an object",
            value,
        ));
    };
    let fields = Fields::of(value)?;
    let role = match fields.value("role") {
        Some(Value::String(role)) if !role.is_empty() && role.len() <= MAX_ROLE => role.as_str(),
        Some(Value::String(role)) => {
            let words = format!(
                "`role` is '{}'; give 1 to {MAX_ROLE} bytes.",
                shortened(role)
            );
            return Err(ApiError::invalid(at("role"), words));
        }
        Some(other) => return Err(wrong_type(&at("role"), "a string", other)),
        None => {
            let words = "A message has no `role`: give `system`, `user`, `assistant` or what else the model's template knows.";
            return Err(ApiError::missing(&at("role"), words));
        }
    };
    for calls in ["tool_calls", "function_call"] {
        let given = fields.value(calls);
        if given.is_some_and(|calls| calls.as_array().is_none_or(|list| !list.is_empty())) {
            let words = format!(
                "`{calls}` are not supported: write what was called and what came of it as text."
            );
            return Err(ApiError::unsupported(at(calls), words));
        }
    }
    let content = match fields.value("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .enumerate()
            .map(|(part, value)| text_of(&at(&format!("content[{part}]")), value))
            .collect::<Result<String, _>>()?,
        Some(other) => {
            let expected = "a string or a list of text parts";
            return Err(wrong_type(&at("content"), expected, other));
        }
        None if role == "assistant" => String::new(),
        None => {
            return Err(ApiError::missing(
                &at("content"),
                "A message has no `content`.",
            ));
        }
    };
    let role = match role {
        "developer" if !knows_developer => "system",
        role => role,
    };
    Ok(Message::new(role, content))
}

fn text_of<'a>(name: &str, part: &'a Value) -> Result<&'a str, ApiError> {
    let text = match part["type"].as_str() {
        Some("text") => part["text"].as_str(),
        Some("refusal") => part["refusal"].as_str(),
        Some(other) => {
            let words = format!(
                "A part of type '{}' is not supported: only text is.",
                shortened(other)
            );
            return Err(ApiError::unsupported(name, words));
        }
        None => None,
    };
    text.ok_or_else(|| {
        ApiError::invalid(
            name,
            "A part of the content must be {\"type\": \"text\", \"text\": \"…\"}.",
        )
    })
}
