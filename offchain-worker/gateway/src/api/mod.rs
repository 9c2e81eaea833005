//! The endpoints.

pub mod answer;
mod chat;
mod completions;
mod embeddings;
mod fields;
mod guard;
mod models;
mod prompts;
mod request;
pub mod sampling;
mod show;
mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{header, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use axum::Router;

use crate::error::{shortened, ApiError};
use crate::gateway::Gateway;

const ENDPOINTS: &str = "POST /v1/chat/completions, POST /v1/completions, POST /v1/embeddings, GET /v1/models, \
                         GET /v1/models/{id}, GET /health, GET /metrics, GET / (the live page), GET /events";

/// All of them, with what every answer has: an id, CORS, a count.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(completions::chat))
        .route("/v1/completions", post(completions::completions))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/health", get(show::health))
        .route("/metrics", get(show::metrics))
        .route("/events", get(show::events))
        .route("/", get(show::page))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(
            gateway.clone(),
            guard::around,
        ))
        .with_state(gateway)
}

async fn unknown(uri: Uri) -> ApiError {
    let path = shortened(uri.path());
    let words = format!("There is nothing at '{path}'. There are: {ENDPOINTS}.");
    ApiError::route(StatusCode::NOT_FOUND, words)
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let (method, path) = (shortened(method.as_str()), shortened(uri.path()));
    let words = format!("'{path}' does not take {method}. There are: {ENDPOINTS}.");
    ApiError::route(StatusCode::METHOD_NOT_ALLOWED, words)
}

/// An answer in JSON.
fn json(value: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
