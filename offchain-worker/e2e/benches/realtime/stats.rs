//! What a load's times come to.

use crate::load::Run;
use serde_json::{json, Value};
use std::time::Duration;

/// Milliseconds that so many percent of `times` stay within; the nearest rank.
pub fn percentile(times: &[Duration], percent: f64) -> f64 {
    let mut sorted: Vec<Duration> = times.to_vec();
    sorted.sort();
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    let found = sorted.get(rank.saturating_sub(1)).copied();
    milliseconds(found.unwrap_or_default())
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// The percentiles that are told.
pub fn spread(times: &[Duration]) -> Value {
    json!({
        "p50": percentile(times, 50.0),
        "p95": percentile(times, 95.0),
        "p99": percentile(times, 99.0),
        "count": times.len(),
    })
}

/// A load in numbers: times in milliseconds.
pub fn summary(run: &Run, clients: usize) -> Value {
    let first: Vec<Duration> = run.answers().map(|answer| answer.first).collect();
    let total: Vec<Duration> = run.answers().map(|answer| answer.total).collect();
    let gaps: Vec<Duration> = run
        .answers()
        .flat_map(|answer| answer.gaps.iter().copied())
        .collect();
    let each: Vec<Duration> = run
        .answers()
        .filter(|answer| answer.output_tokens > 1)
        .map(|answer| {
            let streamed = answer.gaps.iter().sum::<Duration>();
            streamed.div_f64((answer.output_tokens - 1) as f64)
        })
        .collect();
    let tokens: u64 = run.answers().map(|answer| answer.output_tokens).sum();
    let seconds = run.wall.as_secs_f64().max(f64::MIN_POSITIVE);
    json!({
        "clients": clients,
        "asked": run.outcomes.len(),
        "answered": first.len(),
        "refused_tries": run.refusals,
        "failures": run.failures(10),
        "first_token_ms": spread(&first),
        "between_tokens_ms": spread(&gaps),
        "each_token_ms": spread(&each),
        "whole_answer_ms": spread(&total),
        "seconds": seconds,
        "requests_per_second": first.len() as f64 / seconds,
        "output_tokens_per_second": tokens as f64 / seconds,
    })
}
