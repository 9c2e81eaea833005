//! What the sessions of a gateway tell Prometheus.

use prometheus::{
    core::Collector, exponential_buckets, Gauge, Histogram, HistogramOpts, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts,
};

/// Counters of one pool of sessions.
#[derive(Debug, Clone)]
pub struct SessionMetrics {
    /// Sessions by model and state: `ready`, `busy`.
    pub sessions: IntGaugeVec,
    /// DOT on hold in them.
    pub held: Gauge,
    /// Deeds on the chain by name and outcome: `done`, `refused`, `unsure`.
    pub deeds: IntCounterVec,
    /// Failures of operators and channels, by whose fault.
    pub failures: IntCounterVec,
    /// Requests that went on to another operator before their first token.
    pub failovers: IntCounter,
    /// Receipts by outcome: `checked`, `false`.
    pub receipts: IntCounterVec,
    /// DOT that receipts are for.
    pub receipted: Gauge,
    /// Seconds that a request waited for a session.
    pub wait: Histogram,
    /// Operators that are avoided.
    pub avoided: IntGauge,
    /// Requests in flight that nobody follows.
    pub stuck: IntGauge,
    /// Answers that were audited, by verdict; `dropped` are those for which there was no time, `failed` those that could
    /// not be judged.
    pub audits: IntCounterVec,
}

impl SessionMetrics {
    /// Counters at zero.
    ///
    /// # Errors
    /// A name is none: a bug.
    pub fn new() -> prometheus::Result<Self> {
        let counters =
            |name: &str, help: &str, by: &[&str]| IntCounterVec::new(Opts::new(name, help), by);
        let buckets = exponential_buckets(0.001, 4.0, 9)?;
        Ok(Self {
            sessions: IntGaugeVec::new(
                Opts::new("sessions", "Sessions by model and state"),
                &["model", "state"],
            )?,
            held: Gauge::new("sessions_held_dot", "DOT on hold in sessions")?,
            deeds: counters(
                "session_deeds_total",
                "Transactions about sessions by kind and outcome",
                &["deed", "outcome"],
            )?,
            failures: counters(
                "session_failures_total",
                "Failed attempts in sessions by whose fault",
                &["fault"],
            )?,
            failovers: IntCounter::new(
                "session_failovers_total",
                "Requests that went on to another operator before their first token",
            )?,
            receipts: counters(
                "session_receipts_total",
                "Receipts by outcome of their check",
                &["outcome"],
            )?,
            receipted: Gauge::new("session_receipted_dot", "DOT that receipts are for")?,
            wait: Histogram::with_opts(
                HistogramOpts::new(
                    "session_wait_seconds",
                    "Seconds that a request waited for a session",
                )
                .buckets(buckets),
            )?,
            avoided: IntGauge::new("session_operators_avoided", "Operators that are avoided")?,
            stuck: IntGauge::new(
                "session_requests_unfollowed",
                "Requests in flight that nobody follows",
            )?,
            audits: counters(
                "session_audits_total",
                "Answers that were audited by verdict",
                &["verdict"],
            )?,
        })
    }

    /// All of them, to be registered.
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.sessions.clone()),
            Box::new(self.held.clone()),
            Box::new(self.deeds.clone()),
            Box::new(self.failures.clone()),
            Box::new(self.failovers.clone()),
            Box::new(self.receipts.clone()),
            Box::new(self.receipted.clone()),
            Box::new(self.wait.clone()),
            Box::new(self.avoided.clone()),
            Box::new(self.stuck.clone()),
            Box::new(self.audits.clone()),
        ]
    }
}
