//! What happens around every request: who may send it from where, its id, CORS, its count.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{header, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::gateway::Gateway;

/// Longest list of header names that a browser may ask for, in bytes.
const MAX_ASKED_HEADERS: usize = 2_048;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A fresh id: a prefix and 128 random bits.
///
/// # Errors
/// The operating system gives no random bytes.
pub fn fresh_id(prefix: &str) -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    getrandom::getrandom(&mut bytes)
        .map_err(|error| ApiError::internal(format!("no random bytes: {error}")))?;
    Ok(format!("{prefix}{}", hex::encode(bytes)))
}

/// The middleware around all endpoints.
pub async fn around(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let endpoint = endpoint(request.uri().path());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let asked = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .filter(|asked| asked.len() <= MAX_ASKED_HEADERS)
        .cloned();
    let allowed = allowed_from(&gateway, request.headers());
    let preflight = request.method() == Method::OPTIONS;
    let mut response = match allowed {
        Err(error) => error.into_response(),
        Ok(()) if preflight => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let headers = response.headers_mut();
            let methods = HeaderValue::from_static("GET, POST, OPTIONS");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            let default = HeaderValue::from_static("authorization, content-type");
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                asked.unwrap_or(default),
            );
            let day = HeaderValue::from_static("86400");
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, day);
            response
        }
        Ok(()) => next.run(request).await,
    };
    let status = response.status();
    if origin.is_some() && status != StatusCode::FORBIDDEN {
        let headers = response.headers_mut();
        // With keys the key is what counts; without, only pages of this machine come this far.
        let any = HeaderValue::from_static("*");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
        let exposed = HeaderValue::from_static("x-request-id, retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    if let Some(id) = fresh_id("req_").ok().and_then(|id| id.parse().ok()) {
        response.headers_mut().insert(REQUEST_ID.clone(), id);
    }
    if !preflight {
        let counter = &gateway.metrics.requests;
        counter
            .with_label_values(&[endpoint, status.as_str()])
            .inc();
        if endpoint.starts_with("/v1/") {
            gateway.stats.answered(status.as_u16() >= 400);
        }
    }
    response
}

/// The endpoint's name for the metrics: clients must not make up new ones.
fn endpoint(path: &str) -> &'static str {
    match path {
        "/v1/chat/completions" => "/v1/chat/completions",
        "/v1/completions" => "/v1/completions",
        "/v1/embeddings" => "/v1/embeddings",
        "/v1/models" => "/v1/models",
        "/health" => "/health",
        "/metrics" => "/metrics",
        "/events" => "/events",
        "/" => "/",
        path if path.starts_with("/v1/models/") => "/v1/models",
        _ => "other",
    }
}

/// A gateway without keys serves this machine only. Listening on loopback is not enough: any web
/// page that this machine's user looks at can send requests there, under a name of its own (DNS
/// rebinding) or as a form. Browsers cannot hide `Host` and `Origin`.
fn allowed_from(gateway: &Gateway, headers: &HeaderMap) -> Result<(), ApiError> {
    if !gateway.keys.is_open() {
        return Ok(());
    }
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let here = |value: &str| is_loopback(value);
    let host = text(header::HOST).is_none_or(here);
    let origin = text(header::ORIGIN).is_none_or(|origin| {
        let address = origin.split_once("://").map(|(_, address)| address);
        address.is_some_and(here)
    });
    match host && origin {
        true => Ok(()),
        false => Err(ApiError::forbidden(
            "This gateway asks for no key and therefore serves pages and names of this machine only (localhost, \
             127.0.0.1). Start it with keys to serve others.",
        )),
    }
}

/// Whether `HOST[:PORT]` names this machine.
fn is_loopback(address: &str) -> bool {
    let host = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    };
    let ip: Option<std::net::IpAddr> = host.parse().ok();
    host.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN names of this machine and of others
    // WHEN they stand in `Host` or `Origin`
    // THEN only this machine's count
    #[test]
    fn only_this_machine_is_this_machine() {
        for here in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.1.2.3:1",
            "[::1]:80",
            "[::1]",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for other in [
            "",
            "example.org",
            "localhost.example.org:80",
            "10.0.0.1:80",
            "[::2]",
            "127.0.0.1.nip.io",
            "null",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
