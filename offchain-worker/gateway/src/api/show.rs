//! What people and monitors look at: the live page and its events, health, metrics.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{header, HeaderValue, StatusCode};
use axum::response::Response;
use futures::stream::{self, BoxStream};
use futures::StreamExt;
use serde::Serialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior};

use super::stream::response;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::live::ChainUpdate;

/// The live page: one file, which asks for nothing but `/events`.
const PAGE: &str = include_str!("../page.html");

/// How often the page gets the gateway's numbers; also what keeps its connection alive.
const EVERY: Duration = Duration::from_secs(1);

/// `GET /`.
pub async fn page() -> Response {
    let mut response = Response::new(Body::from(PAGE));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `GET /health`: 200 while requests are served.
pub async fn health(State(gateway): State<Arc<Gateway>>) -> Response {
    let models = gateway.models(None).len();
    let (status, word) = match (gateway.closing.is_cancelled(), models) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        (false, 0) => (StatusCode::SERVICE_UNAVAILABLE, "no models"),
        (false, _) => (StatusCode::OK, "ok"),
    };
    let mut response = super::json(&json!({ "status": word, "models": models }));
    *response.status_mut() = status;
    response
}

/// `GET /metrics`.
pub async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    gateway
        .metrics
        .queued
        .set(gateway.admission.waiting() as i64);
    let mut response = Response::new(Body::from(gateway.metrics.render()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

struct Viewer {
    gateway: Arc<Gateway>,
    _place: OwnedSemaphorePermit,
    begin: Option<Bytes>,
    updates: BoxStream<'static, ChainUpdate>,
    clock: Interval,
}

/// `GET /events`: at once `chain` (or nothing without a chain) and `gateway`, then `update` for each
/// change on the chain and `gateway` every second.
pub async fn events(State(gateway): State<Arc<Gateway>>) -> Result<Response, ApiError> {
    let place = gateway.viewers.clone().try_acquire_owned().map_err(|_| {
        let most = gateway.limits.viewers;
        ApiError::unavailable(format!(
            "{most} viewers are watching already; try again later."
        ))
    })?;
    let (begin, updates) = match &gateway.live {
        Some(live) => {
            let (snapshot, updates) = live.watch();
            (Some(named("chain", &snapshot)), updates)
        }
        None => (None, stream::pending().boxed()),
    };
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let viewer = Viewer {
        gateway: gateway.clone(),
        _place: place,
        begin,
        updates,
        clock,
    };
    let body = stream::unfold(viewer, |mut viewer| async move {
        let bytes = viewer.next().await?;
        Some((Ok::<_, Infallible>(bytes), viewer))
    });
    Ok(response(Body::from_stream(body)))
}

impl Viewer {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(begin) = self.begin.take() {
            return Some(begin);
        }
        tokio::select! {
            () = self.gateway.closing.cancelled() => None,
            // A feed that ends has more to tell than fits: the page starts anew.
            update = self.updates.next() => update.map(|update| named("update", &update)),
            _ = self.clock.tick() => Some(named("gateway", &self.gateway.snapshot())),
        }
    }
}

fn named(name: &str, data: &impl Serialize) -> Bytes {
    match serde_json::to_string(data) {
        Ok(json) => Bytes::from(format!("event: {name}\ndata: {json}\n\n")),
        Err(error) => Bytes::from(format!(": {error}\n\n")),
    }
}
