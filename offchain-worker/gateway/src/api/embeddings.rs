//! `/v1/embeddings`: texts as vectors, in numbers or in base64.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use serde_json::{json, Value};

use super::fields::Fields;
use super::{prompts, request};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::upstream::{Embedding, Failure, FailureKind, Model};

struct Parsed {
    base64: bool,
    inputs: Vec<Vec<u32>>,
}

fn parse(fields: Fields<'_>, model: &Model, gateway: &Gateway) -> Result<Parsed, ApiError> {
    let size = model.embedding_size.ok_or_else(|| {
        ApiError::unsupported("model", format!("'{}' makes no embeddings.", model.id))
    })?;
    let base64 = match fields.string("encoding_format")? {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let words = "`encoding_format` must be `float` or `base64`.";
            return Err(ApiError::invalid("encoding_format", words));
        }
    };
    let dimensions = fields.integer("dimensions", 1, i64::MAX)?;
    if dimensions.is_some_and(|asked| asked != size as i64) {
        let words =
            format!("`dimensions` must be {size}, or left out: this model's vectors are not cut.");
        return Err(ApiError::unsupported("dimensions", words));
    }
    let inputs = prompts::read(fields, "input", model, gateway.limits.inputs)?;
    if let Some(long) = inputs.iter().find(|ids| ids.len() > model.context) {
        return Err(ApiError::context(
            "input",
            format!(
                "An input has {} tokens; the context of '{}' holds {}. Split it.",
                long.len(),
                model.id,
                model.context
            ),
        ));
    }
    Ok(Parsed { base64, inputs })
}

/// `POST /v1/embeddings`.
pub async fn embeddings(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
) -> Result<Response, ApiError> {
    let read = request::read(&gateway, request, |fields, model, gateway| {
        parse(fields, model, gateway)
    });
    let (key, model, parsed) = read.await?;
    let _turn = gateway.admission.admit(&key).await?;
    let tokens: usize = parsed.inputs.iter().map(Vec::len).sum();
    let mut data = Vec::with_capacity(parsed.inputs.len());
    for (index, ids) in parsed.inputs.into_iter().enumerate() {
        let reservation = key.reserve(gateway.most(&model.id, ids.len(), 0))?;
        let count = ids.len() as u32;
        let made = embed(&gateway, &model, ids).await?;
        gateway.stats.generated(&model.id, count, 0, made.price);
        let counter = &gateway.metrics.tokens;
        let counter = counter.with_label_values(&[&*model.id, "prompt"]);
        counter.inc_by(u64::from(count));
        let dot = made.price as f64 / chasqui_primitives::DOT as f64;
        gateway.metrics.spend.inc_by(dot);
        reservation.settle(made.price);
        data.push(json!({
            "object": "embedding",
            "index": index,
            "embedding": shown(&made.vector, parsed.base64),
        }));
    }
    let body = json!({
        "object": "list",
        "data": data,
        "model": model.id,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    });
    Ok(super::json(&body))
}

/// Asks one upstream after the other.
async fn embed(gateway: &Gateway, model: &Model, ids: Vec<u32>) -> Result<Embedding, ApiError> {
    let mut last = None;
    for upstream in gateway.serving(&model.id) {
        let longest = gateway.limits.first_token;
        let asked = upstream.embed(&model.id, ids.clone());
        let failure = match tokio::time::timeout(longest, asked).await {
            Ok(Ok(made)) => return Ok(made),
            Ok(Err(failure)) => failure,
            Err(_) => {
                let reason = format!("No embedding came within {} seconds.", longest.as_secs());
                Failure::new(FailureKind::Unavailable, reason)
            }
        };
        let invalid = failure.kind == FailureKind::Invalid;
        last = Some(failure);
        if invalid {
            break;
        }
    }
    let failure = last.unwrap_or_else(|| {
        let reason = format!("No upstream serves '{}' any more.", model.id);
        Failure::new(FailureKind::Unavailable, reason)
    });
    Err(ApiError::upstream(&failure))
}

/// Numbers, or the base64 of their little-endian bytes, which OpenAI's libraries ask for.
fn shown(vector: &[f32], base64: bool) -> Value {
    match base64 {
        false => json!(vector),
        true => {
            let bytes: Vec<u8> = vector
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            Value::String(STANDARD.encode(bytes))
        }
    }
}
