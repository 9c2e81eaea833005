//! What the gateway tells Prometheus.

use prometheus::{
    core::Collector, exponential_buckets, register_counter_with_registry,
    register_histogram_vec_with_registry, register_int_counter_vec_with_registry,
    register_int_gauge_with_registry, Counter, Encoder, HistogramVec, IntCounterVec, IntGauge,
    Registry, TextEncoder,
};

/// Counters of one gateway.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// Answers by endpoint and status.
    pub requests: IntCounterVec,
    /// Charged tokens by model and kind (`prompt`, `output`).
    pub tokens: IntCounterVec,
    /// Generations by how they ended: `stop`, `length`, `hung_up`, `failed`.
    pub generations: IntCounterVec,
    /// Generations that went on to another upstream before their first token.
    pub failovers: IntCounterVec,
    /// Seconds from a generation's start to its first token, by model.
    pub first_token_seconds: HistogramVec,
    /// Requests that wait for their turn.
    pub queued: IntGauge,
    /// Generations under way.
    pub in_flight: IntGauge,
    /// DOT charged to keys.
    pub spend: Counter,
}

impl Metrics {
    /// Counters at zero.
    ///
    /// # Errors
    /// Two of them have one name: a bug.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("chasqui_gateway".into()), None)?;
        Ok(Self {
            requests: register_int_counter_vec_with_registry!(
                "requests_total",
                "Answers by endpoint and status",
                &["endpoint", "status"],
                registry
            )?,
            tokens: register_int_counter_vec_with_registry!(
                "tokens_total",
                "Tokens computed, by model and kind",
                &["model", "kind"],
                registry
            )?,
            generations: register_int_counter_vec_with_registry!(
                "generations_total",
                "Generations by how they ended",
                &["outcome"],
                registry
            )?,
            failovers: register_int_counter_vec_with_registry!(
                "failovers_total",
                "Generations that went on to another upstream before their first token",
                &["model"],
                registry
            )?,
            first_token_seconds: register_histogram_vec_with_registry!(
                "first_token_seconds",
                "Seconds from a generation's start to its first token",
                &["model"],
                exponential_buckets(0.005, 2.0, 15)?,
                registry
            )?,
            queued: register_int_gauge_with_registry!(
                "queued",
                "Requests that wait for their turn",
                registry
            )?,
            in_flight: register_int_gauge_with_registry!(
                "in_flight",
                "Generations under way",
                registry
            )?,
            spend: register_counter_with_registry!(
                "spend_dot_total",
                "DOT charged to keys",
                registry
            )?,
            registry,
        })
    }

    /// Shows counters of an upstream beside the gateway's own.
    ///
    /// # Errors
    /// Something of that name is shown already.
    pub fn register(&self, collectors: Vec<Box<dyn Collector>>) -> prometheus::Result<()> {
        collectors
            .into_iter()
            .try_for_each(|collector| self.registry.register(collector))
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(error) => format!("# {error}\n"),
        }
    }
}
