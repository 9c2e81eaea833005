//! Errors as OpenAI's clients expect them: a status, and an object with `message`, `type`, `param`
//! and `code`.

use axum::body::Body;
use axum::http::{header, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{json, Value};

use crate::upstream::{Failure, FailureKind};

/// What a client is told when its request is not answered.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// What is wrong and what to do.
    pub message: String,
    /// OpenAI's `type`.
    pub kind: &'static str,
    /// The request's field.
    pub param: Option<String>,
    /// OpenAI's `code`.
    pub code: Option<&'static str>,
    /// Seconds after which it may work.
    pub retry_after: Option<u64>,
    /// Whether the client's library should try again by itself, where the status says otherwise.
    pub should_retry: Option<bool>,
}

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind,
            param: None,
            code: None,
            retry_after: None,
            should_retry: None,
        }
    }

    fn code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// A field that cannot be taken.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(StatusCode::BAD_REQUEST, INVALID, message).code("invalid_value")
        }
    }

    /// A field that asks for what is not computed here.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(param, message).code("unsupported_value")
    }

    /// A field that must be there.
    pub fn missing(param: &str, message: impl Into<String>) -> Self {
        Self::invalid(param, message).code("missing_required_parameter")
    }

    /// A body that is not a request.
    pub fn body(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, INVALID, message)
    }

    /// Prompt and output do not fit the model.
    pub fn context(param: &str, message: impl Into<String>) -> Self {
        Self::invalid(param, message).code("context_length_exceeded")
    }

    /// A model that is not there, with those that are.
    pub fn unknown_model(id: &str, known: &[String]) -> Self {
        let there = match known.is_empty() {
            true => "no model is served at the moment".to_string(),
            false => format!("there are: {}", listed(known)),
        };
        let message = format!(
            "The model '{}' does not exist here; {there}.",
            shortened(id)
        );
        Self {
            param: Some("model".into()),
            ..Self::new(StatusCode::NOT_FOUND, INVALID, message).code("model_not_found")
        }
    }

    /// No key, or one that nobody has.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, INVALID, message).code("invalid_api_key")
    }

    /// A request from where none is taken.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, INVALID, message).code("forbidden")
    }

    /// Too much at once.
    pub fn busy(message: impl Into<String>, retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after.max(1)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "requests", message)
                .code("rate_limit_exceeded")
        }
    }

    /// The key's budget does not reach; it is renewed in `renewed` seconds.
    pub fn quota(message: impl Into<String>, renewed: u64) -> Self {
        const QUOTA: &str = "insufficient_quota";
        Self {
            retry_after: Some(renewed.max(1)),
            should_retry: Some(false),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, QUOTA, message).code(QUOTA)
        }
    }

    /// Nothing at this path, or not with this method.
    pub fn route(status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(status, INVALID, message).code("unknown_url")
    }

    /// Not now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(5),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, SERVER, message).code("unavailable")
        }
    }

    /// Something is broken here.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, SERVER, message).code("internal_error")
    }

    /// What an upstream's failure means for the client.
    pub fn upstream(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::Busy => Self::busy(&failure.reason, 2),
            FailureKind::Unavailable => Self::unavailable(&failure.reason),
            FailureKind::Unfunded => Self::unavailable(&failure.reason).code("unfunded"),
            FailureKind::Invalid => {
                Self::new(StatusCode::BAD_REQUEST, INVALID, &failure.reason).code("invalid_value")
            }
            FailureKind::Internal => Self::internal(&failure.reason),
        }
    }

    /// The error object.
    pub fn json(&self) -> Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }})
    }
}

/// A client's own words in an error, not without end.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        None => text.to_string(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn listed(names: &[String]) -> String {
    const MOST: usize = 20;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>();
    match names.len() > MOST {
        true => format!("{} and {} more", shown.join(", "), names.len() - MOST),
        false => shown.join(", "),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.json().to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(retry) = self.should_retry {
            let value = if retry { "true" } else { "false" };
            headers.insert("x-should-retry", HeaderValue::from_static(value));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
