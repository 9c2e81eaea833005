//! `/v1/models`: what may be asked for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{json, Value};

use super::request::authenticate;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::upstream::Model;

fn shown(model: &Model) -> Value {
    json!({
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "chasqui": {
            "context": model.context,
            "max_output": model.max_output,
            "chat": model.chat.is_some(),
            "embedding_size": model.embedding_size,
            "price_prompt_token": model.price.prompt.to_string(),
            "price_output_token": model.price.output.to_string(),
        },
    })
}

/// `GET /v1/models`.
pub async fn list(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = authenticate(&gateway, &headers)?;
    let models = gateway.models(Some(&key));
    let data: Vec<Value> = models.iter().map(|model| shown(model)).collect();
    Ok(super::json(&json!({ "object": "list", "data": data })))
}

/// `GET /v1/models/{id}`; the id may hold slashes.
pub async fn one(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = authenticate(&gateway, &headers)?;
    let model = gateway.model(&id, &key)?;
    Ok(super::json(&shown(&model)))
}
