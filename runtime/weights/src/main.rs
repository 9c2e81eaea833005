//! Runs the benchmarks of Chasqui's pallets in the WASM runtime and writes what they cost into
//! `pallets/*/src/weights.rs`.
//!
//! Every benchmark runs at a number of steps over the range of each of its components, the others at their highest:
//! once to see which storage it touches, and several times for its time. [`fit`] draws lines through that, [`file`]
//! writes them down.

mod file;
mod fit;
mod runtime;
mod steps;
#[cfg(test)]
mod tests;

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use fit::Cost;
use frame_benchmarking::{
    BenchmarkConfig, BenchmarkList, BenchmarkMetadata, BenchmarkResult, BenchmarkSelector,
};
use frame_support::traits::StorageInfo;
use runtime::{Runtime, Watch};
use serde_json::{json, Map, Value};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Measures the pallets that have a folder in `pallets/` and writes their weights.
#[derive(Parser)]
struct Options {
    /// The repository.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Only this pallet, by the name of its folder; may be given several times.
    #[arg(long)]
    pallet: Vec<String>,
    /// Values that are tried of each component.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=1000))]
    steps: u32,
    /// How often a step is timed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// When this was measured, for the files' heads.
    #[arg(long)]
    date: String,
    /// Also writes what was measured as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measures, prints, and writes nothing.
    #[arg(long)]
    dry_run: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = Runtime::new().context("the runtime")?;
    let (lists, items) = runtime.benchmarks()?;
    let mut selected = Vec::new();
    for list in lists {
        let folder = folder(&list)?;
        let ours = options.root.join("pallets").join(&folder).is_dir();
        if ours && (options.pallet.is_empty() || options.pallet.contains(&folder)) {
            selected.push((folder, list));
        }
    }
    if let Some(name) = options
        .pallet
        .iter()
        .find(|name| !selected.iter().any(|(folder, _)| folder == *name))
    {
        bail!("the runtime has no benchmarks of a pallet in pallets/{name}");
    }
    ensure!(
        !selected.is_empty(),
        "no pallet of this runtime has a folder in {}/pallets",
        options.root.display()
    );

    let about = format!(
        "{}, {}, WASM runtime in release, {} steps, {} repeats, storage in memory.",
        options.date,
        processor(),
        options.steps,
        options.repeat
    );
    let mut measured = Map::new();
    let mut failed = Vec::new();
    for (folder, list) in &selected {
        // One pallet's failure costs nobody else's figures.
        match measure_pallet(&runtime, list, &items, &options) {
            Ok(costs) => {
                if !options.dry_run {
                    write_weights(&options.root, folder, &about, &costs)?;
                }
                let costs = costs.iter().map(|cost| (cost.name.clone(), in_json(cost)));
                measured.insert(folder.clone(), Value::Object(costs.collect()));
            }
            Err(error) => {
                eprintln!("{folder}: {error:#}");
                failed.push(folder.as_str());
            }
        }
    }
    if let Some(path) = &options.json {
        let value = json!({ "about": about, "pallets": measured });
        fs::write(path, serde_json::to_string_pretty(&value)? + "\n")
            .with_context(|| format!("writing {}", path.display()))?;
    }
    ensure!(
        failed.is_empty(),
        "not measured, and left as they were: {}",
        failed.join(", ")
    );
    Ok(())
}

/// The folder of a pallet: `pallet_training_fund` lies in `training-fund`.
fn folder(list: &BenchmarkList) -> Result<String> {
    let name = text(&list.pallet)?;
    let name = name.strip_prefix("pallet_").unwrap_or(name);
    Ok(name.replace('_', "-"))
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).context("the runtime names something that is no text")
}

fn measure_pallet(
    runtime: &Runtime,
    list: &BenchmarkList,
    items: &[StorageInfo],
    options: &Options,
) -> Result<Vec<Cost>> {
    let pallet = text(&list.pallet)?;
    let mut costs = Vec::new();
    for benchmark in &list.benchmarks {
        let name = text(&benchmark.name)?;
        let cost = measure(runtime, list, benchmark, items, options)
            .with_context(|| format!("benchmark {name}"))?;
        println!("{pallet}::{name} {}", cost.in_words());
        costs.push(cost);
    }
    Ok(costs)
}

fn measure(
    runtime: &Runtime,
    list: &BenchmarkList,
    benchmark: &BenchmarkMetadata,
    items: &[StorageInfo],
    options: &Options,
) -> Result<Cost> {
    let measured = match benchmark.pov_modes.as_slice() {
        [] => false,
        [(items, mode)] if items == b"ALL" && mode == b"Measured" => true,
        _ => bail!("this tool knows no `pov_mode` but `Measured` of a whole benchmark"),
    };
    let points = steps::points(&benchmark.components, options.steps);
    // A benchmark without components has one step, and as many samples as the others.
    let repeats = if benchmark.components.is_empty() {
        options.steps.saturating_mul(options.repeat)
    } else {
        options.repeat
    };
    let (mut storage, mut times) = (Vec::new(), Vec::<BenchmarkResult>::new());
    for point in points {
        let mut config = BenchmarkConfig {
            pallet: list.pallet.clone(),
            instance: list.instance.clone(),
            benchmark: benchmark.name.clone(),
            selected_components: point,
            // What a benchmark checks of itself is checked by the runtime's tests.
            verify: false,
            internal_repeats: 1,
        };
        storage.extend(runtime.dispatch(&config, Watch::Storage)?);
        config.internal_repeats = repeats;
        times.extend(runtime.dispatch(&config, Watch::Time)?);
    }
    Ok(Cost {
        name: text(&benchmark.name)?.to_owned(),
        components: benchmark
            .components
            .iter()
            .map(|(name, low, high)| (name.to_string(), *low, *high))
            .collect(),
        minimum: times
            .iter()
            .map(|run| run.extrinsic_time)
            .min()
            .unwrap_or(0),
        time: fit::line(&times, BenchmarkSelector::ExtrinsicTime)?,
        reads: fit::line(&storage, BenchmarkSelector::Reads)?,
        writes: fit::line(&storage, BenchmarkSelector::Writes)?,
        proof: if measured {
            fit::line(&storage, BenchmarkSelector::ProofSize)?
        } else {
            fit::proof(&storage, items)?
        },
    })
}

fn write_weights(root: &Path, folder: &str, about: &str, costs: &[Cost]) -> Result<()> {
    let path = root.join("pallets").join(folder).join("src/weights.rs");
    let pallet = format!("pallet_{}", folder.replace('-', "_"));
    fs::write(&path, file::weights(&pallet, about, costs))
        .with_context(|| format!("writing {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn in_json(cost: &Cost) -> Value {
    let line = |line: &fit::Line| {
        let slopes = line
            .slopes
            .iter()
            .map(|(name, slope)| (name.clone(), json!(*slope as u64)));
        json!({ "base": line.base as u64, "slopes": Value::Object(slopes.collect()) })
    };
    json!({
        "least_picoseconds": cost.minimum.saturating_mul(1_000) as u64,
        "picoseconds": line(&cost.time),
        "reads": line(&cost.reads),
        "writes": line(&cost.writes),
        "proof_bytes": line(&cost.proof),
    })
}

/// What this machine's processor calls itself.
fn processor() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    model.unwrap_or_else(|| "an unknown processor".into())
}
