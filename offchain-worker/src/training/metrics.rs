//! What a member of runs tells Prometheus.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use prometheus::{
    register_gauge_vec_with_registry, register_int_counter_vec_with_registry,
    register_int_counter_with_registry, register_int_gauge_vec_with_registry, GaugeVec, IntCounter,
    IntCounterVec, IntGaugeVec, Registry,
};

/// Gauges and counters of runs, by run.
#[derive(Clone)]
pub struct TrainingMetrics {
    /// Mean loss of the last step's batch, nats a token.
    pub loss: GaugeVec,
    /// Tokens trained on a second.
    pub speed: GaugeVec,
    /// The round that runs, or the next one.
    pub round: IntGaugeVec,
    /// Members that take part in rounds.
    pub members: IntGaugeVec,
    /// 1 for the phase that a run is in.
    pub phase: IntGaugeVec,
    /// What was told the chain, by call.
    pub calls: IntCounterVec,
    /// Whatever had to be tried again.
    pub failures: IntCounter,
    /// Inner steps trained or replayed.
    pub steps: IntCounterVec,
    phases: Arc<Mutex<std::collections::HashMap<String, &'static str>>>,
}

impl TrainingMetrics {
    /// Registers all of them; `steps` is counted by validators too.
    ///
    /// # Errors
    /// A name is taken.
    pub fn new(registry: &Registry, steps: IntCounterVec) -> Result<Self> {
        Ok(Self {
            loss: register_gauge_vec_with_registry!(
                "training_loss",
                "Mean loss of the last step's batch, nats a token",
                &["run"],
                registry
            )?,
            speed: register_gauge_vec_with_registry!(
                "training_tokens_per_second",
                "Tokens trained on a second",
                &["run"],
                registry
            )?,
            round: register_int_gauge_vec_with_registry!(
                "training_round",
                "The round that runs, or the next one",
                &["run"],
                registry
            )?,
            members: register_int_gauge_vec_with_registry!(
                "training_members",
                "Members that take part in rounds",
                &["run"],
                registry
            )?,
            phase: register_int_gauge_vec_with_registry!(
                "training_phase",
                "1 for the phase that a run is in",
                &["run", "phase"],
                registry
            )?,
            calls: register_int_counter_vec_with_registry!(
                "training_calls_total",
                "What was told the chain about runs, by call",
                &["call"],
                registry
            )?,
            failures: register_int_counter_with_registry!(
                "training_failures_total",
                "What failed in training and was tried again",
                registry
            )?,
            steps,
            phases: Arc::default(),
        })
    }

    /// A run is in this phase now, and in no other.
    pub fn enters_phase(&self, run: &str, phase: &'static str) {
        let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = phases.insert(run.to_owned(), phase) {
            self.phase.with_label_values(&[run, before]).set(0);
        }
        self.phase.with_label_values(&[run, phase]).set(1);
    }
}
