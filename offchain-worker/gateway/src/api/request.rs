//! From a request's head and body to a parsed JSON value with its key, within bounds of size and
//! time, off the threads that serve connections.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{header, HeaderMap, StatusCode};
use futures::StreamExt;
use serde_json::Value;

use super::fields::Fields;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::keys::Key;
use crate::upstream::Model;

/// Of a body that is too large, this much is read and thrown away, so that the client reads the
/// answer instead of a broken connection.
const MAX_DRAINED: usize = 64 << 20;

/// Whose request it is.
///
/// # Errors
/// As [`Keyring::authenticate`](crate::keys::Keyring::authenticate).
pub fn authenticate(gateway: &Gateway, headers: &HeaderMap) -> Result<Arc<Key>, ApiError> {
    let header = headers.get(header::AUTHORIZATION);
    // What is not text is no key.
    let text = header.map(|value| value.to_str().unwrap_or(""));
    gateway.keys.authenticate(text)
}

/// The whole body.
async fn body(gateway: &Gateway, request: Request) -> Result<Vec<u8>, ApiError> {
    let limit = gateway.limits.body_bytes;
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(ApiError::body(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body is compressed: send it without `Content-Encoding`.",
        ));
    }
    let mut bytes = Vec::new();
    let mut count = 0usize;
    let broken = |error: &dyn std::fmt::Display| {
        ApiError::body(
            StatusCode::BAD_REQUEST,
            format!("The body broke off: {error}."),
        )
    };
    let reading = async {
        let mut data = Body::into_data_stream(request.into_body());
        while let Some(chunk) = data.next().await {
            let chunk = chunk.map_err(|error| broken(&error))?;
            count += chunk.len();
            if count <= limit {
                bytes.extend_from_slice(&chunk);
            } else {
                bytes = Vec::new();
                if count > limit.saturating_add(MAX_DRAINED) {
                    break;
                }
            }
        }
        Ok::<_, ApiError>(())
    };
    let longest = gateway.limits.request_read;
    match tokio::time::timeout(longest, reading).await {
        Ok(read) => read?,
        Err(_) => {
            return Err(ApiError::body(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "The body did not come within {} seconds.",
                    longest.as_secs()
                ),
            ));
        }
    }
    if count > limit {
        return Err(ApiError::body(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body has more than {limit} bytes, the most that this gateway takes."),
        ));
    }
    Ok(bytes)
}

/// Authenticates, reads the body, and has `parse` make something of its fields and its model, where
/// that may take its time.
///
/// # Errors
/// The key, the body, the JSON or the model is not right, or as `parse`.
pub async fn read<T: Send + 'static>(
    gateway: &Arc<Gateway>,
    request: Request,
    parse: impl FnOnce(Fields<'_>, &Arc<Model>, &Gateway) -> Result<T, ApiError> + Send + 'static,
) -> Result<(Arc<Key>, Arc<Model>, T), ApiError> {
    let key = authenticate(gateway, request.headers())?;
    let bytes = body(gateway, request).await?;
    let turn = gateway.parsing.clone().acquire_owned().await;
    let turn = turn.map_err(|_| ApiError::unavailable("The gateway is stopping."))?;
    let gateway = gateway.clone();
    let parsing = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let body: Value = serde_json::from_slice(&bytes).map_err(|error| {
            ApiError::body(
                StatusCode::BAD_REQUEST,
                format!("The body is not valid JSON: {error}."),
            )
        })?;
        drop(bytes);
        let fields = Fields::of(&body)?;
        let id = fields.string("model")?.ok_or_else(|| {
            ApiError::missing(
                "model",
                "`model` is missing: GET /v1/models lists those that are there.",
            )
        })?;
        let model = gateway.model(id, &key)?;
        let parsed = parse(fields, &model, &gateway)?;
        Ok((key, model, parsed))
    });
    parsing
        .await
        .map_err(|error| ApiError::internal(format!("reading the request failed: {error}")))?
}
