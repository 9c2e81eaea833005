//! What can be told without a runtime.

mod files;
mod lines;
mod points;

use frame_benchmarking::{BenchmarkParameter, BenchmarkResult};

/// A run of a benchmark with one component.
fn run(value: u32, nanoseconds: u128) -> BenchmarkResult {
    BenchmarkResult {
        components: vec![(BenchmarkParameter::n, value)],
        extrinsic_time: nanoseconds,
        ..Default::default()
    }
}
