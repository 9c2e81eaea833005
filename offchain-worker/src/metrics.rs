//! What a worker tells Prometheus.

use crate::training::metrics::TrainingMetrics;
use anyhow::{Context, Result};
use axum::{http::header, routing::get, Router};
use prometheus::{
    register_histogram_with_registry, register_int_counter_vec_with_registry,
    register_int_counter_with_registry, register_int_gauge_with_registry, Encoder, Histogram,
    IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder,
};
use std::net::SocketAddr;

/// Counters of one worker.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Duties by kind (`compute`, `audit`, `calibrate`, `opening`) and outcome (`done`, `failed`).
    pub duties: IntCounterVec,
    /// Verdicts by name.
    pub verdicts: IntCounterVec,
    /// Prompt and output tokens computed for jobs.
    pub tokens: IntCounterVec,
    /// Inner steps of training runs: `trained` as a member, `replayed` as a validator.
    pub training_steps: IntCounterVec,
    /// Of a member of training runs.
    pub training: TrainingMetrics,
    /// The newest block seen.
    pub block: IntGauge,
    /// Finalised blocks, by how they were followed: `live`, `backfilled` (read late), `skipped` (too old to be read),
    /// `replaced` (by the node).
    pub blocks: IntCounterVec,
    /// Times that the node was lost and found again.
    pub reconnects: IntCounter,
    /// Seconds to compute a job.
    pub compute_seconds: Histogram,
    /// Seconds to replay an output.
    pub audit_seconds: Histogram,
}

impl Metrics {
    pub fn new() -> Result<Self> {
        let registry = Registry::new_custom(Some("chasqui_worker".into()), None)?;
        let training_steps = register_int_counter_vec_with_registry!(
            "training_steps_total",
            "Inner steps of training runs, trained as a member or replayed as a validator",
            &["kind"],
            registry
        )?;
        Ok(Self {
            training: TrainingMetrics::new(&registry, training_steps.clone())?,
            training_steps,
            duties: register_int_counter_vec_with_registry!(
                "duties_total",
                "Duties by kind and outcome",
                &["kind", "outcome"],
                registry
            )?,
            verdicts: register_int_counter_vec_with_registry!(
                "verdicts_total",
                "Verdicts by name",
                &["verdict"],
                registry
            )?,
            tokens: register_int_counter_vec_with_registry!(
                "tokens_total",
                "Tokens computed for jobs, by kind",
                &["kind"],
                registry
            )?,
            block: register_int_gauge_with_registry!("block", "Newest block seen", registry)?,
            blocks: register_int_counter_vec_with_registry!(
                "blocks_total",
                "Finalised blocks by how they were followed",
                &["how"],
                registry
            )?,
            reconnects: register_int_counter_with_registry!(
                "reconnects_total",
                "Times that the node was lost and found again",
                registry
            )?,
            compute_seconds: register_histogram_with_registry!(
                "compute_seconds",
                "Seconds to compute a job",
                prometheus::exponential_buckets(0.05, 2.0, 14)?,
                registry
            )?,
            audit_seconds: register_histogram_with_registry!(
                "audit_seconds",
                "Seconds to replay an output",
                prometheus::exponential_buckets(0.05, 2.0, 14)?,
                registry
            )?,
            registry,
        })
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(error) => format!("# {error}\n"),
        }
    }

    /// Serves `/metrics` until the program ends.
    pub async fn serve(self, address: SocketAddr) -> Result<()> {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("metrics: listening on {address}"))?;
        let answer = move || {
            let text = self.render();
            async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text) }
        };
        tokio::spawn(async move {
            let routes = Router::new().route("/metrics", get(answer));
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "metrics server ended");
            }
        });
        Ok(())
    }
}
