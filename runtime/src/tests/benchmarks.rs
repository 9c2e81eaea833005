//! Every benchmark of Chasqui's pallets runs on this runtime, at the ends and in the middle of its
//! components' ranges.

use super::{bench_state::BenchState, genesis_storage};
use crate::{benchmarks, genesis};
use frame_benchmarking::{BenchmarkConfig, BenchmarkMetadata, BenchmarkParameter};

/// Components to run a benchmark with: each at its ends and middle, the others at their highest.
fn samples(benchmark: &BenchmarkMetadata) -> Vec<Vec<(BenchmarkParameter, u32)>> {
    let highest: Vec<_> = benchmark
        .components
        .iter()
        .map(|(name, _, high)| (*name, *high))
        .collect();
    let mut samples = vec![highest.clone()];
    for (position, (_, low, high)) in benchmark.components.iter().enumerate() {
        for value in [*low, low + (high - low) / 2] {
            let mut sample = highest.clone();
            sample[position].1 = value;
            samples.push(sample);
        }
    }
    samples
}

fn run_all(pallet: &str) {
    // GIVEN the genesis of a development network
    let mut state = BenchState::new(genesis_storage(genesis::DEVELOPMENT));
    let (list, _) = state.execute_with(|| benchmarks::metadata(true));
    let list = list
        .into_iter()
        .find(|list| list.pallet == pallet.as_bytes())
        .unwrap_or_else(|| panic!("{pallet} has no benchmarks in this runtime"));
    for benchmark in &list.benchmarks {
        let name = String::from_utf8_lossy(&benchmark.name).into_owned();
        for components in samples(benchmark) {
            // WHEN a benchmark runs, its own checks included
            let config = BenchmarkConfig {
                pallet: list.pallet.clone(),
                instance: list.instance.clone(),
                benchmark: benchmark.name.clone(),
                selected_components: components.clone(),
                verify: true,
                internal_repeats: 1,
            };
            // THEN it measures something
            let batches = state
                .execute_with(|| benchmarks::dispatch(config))
                .unwrap_or_else(|error| panic!("{pallet}::{name} {components:?}: {error}"));
            let results: usize = batches.iter().map(|batch| batch.results.len()).sum();
            assert_eq!(results, 1, "{pallet}::{name} {components:?} was skipped");
        }
    }
}

#[test]
fn operators_benchmarks_run() {
    run_all("pallet_operators");
}

#[test]
fn checkpoints_benchmarks_run() {
    run_all("pallet_checkpoints");
}

#[test]
fn jobs_benchmarks_run() {
    run_all("pallet_jobs");
}

#[test]
fn audits_benchmarks_run() {
    run_all("pallet_audits");
}

#[test]
fn sessions_benchmarks_run() {
    run_all("pallet_sessions");
}

#[test]
fn training_fund_benchmarks_run() {
    run_all("pallet_training_fund");
}

#[test]
fn training_benchmarks_run() {
    run_all("pallet_training");
}

#[test]
fn datasets_benchmarks_run() {
    run_all("pallet_datasets");
}

#[test]
fn rewards_benchmarks_run() {
    run_all("pallet_rewards");
}

#[test]
fn economy_benchmarks_run() {
    run_all("pallet_economy");
}

#[test]
fn voting_benchmarks_run() {
    run_all("pallet_voting");
}
