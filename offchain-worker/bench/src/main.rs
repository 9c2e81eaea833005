//! Measures Chasqui's engine beside candle on the same CPU: the same random weights, prompt and
//! greedy length, runs interleaved, each engine in a process of its own.
//!
//! | module | what it holds |
//! |---|---|
//! | [`case`] | model shapes, precisions, engines |
//! | [`folders`], [`gguf`] | the models on disk |
//! | [`systems`] | each engine behind one interface |
//! | [`alone`], [`together`] | the measurements: one request at a time, several at once |
//! | [`child`] | an engine in a process of its own |
//! | [`probes`], [`machine`] | the machine: its ceilings, its description |
//! | [`stats`], [`report`] | from runs to tables |

mod alone;
mod case;
mod child;
mod folders;
mod gguf;
mod machine;
mod probes;
mod report;
mod stats;
mod systems;
mod together;

use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::alone::Runs;
use crate::case::{Precision, Size, System};
use crate::folders::Folders;
use crate::machine::Machine;
use crate::report::{CaseReport, Report, Scale, SystemReport};

/// Measures Chasqui's engine beside candle on the same CPU and prints tables in Markdown.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    child: Option<Mode>,
    #[command(flatten)]
    measure: Measure,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Runs one engine for a parent process.
    #[command(hide = true)]
    Child {
        #[arg(long, value_enum)]
        system: System,
        #[command(flatten)]
        model: ChildOptions,
    },
    /// Runs the batcher for a parent process.
    #[command(hide = true)]
    Together(ChildOptions),
}

#[derive(Debug, Args)]
struct ChildOptions {
    #[arg(long, value_enum)]
    precision: Precision,
    #[arg(long)]
    threads: usize,
    #[arg(long)]
    model: PathBuf,
}

#[derive(Debug, Args)]
struct Measure {
    /// Writes everything that was measured to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The small model, a short prompt, few repetitions: does it run, not how fast.
    #[arg(long)]
    quick: bool,
    /// Models.
    #[arg(long, value_enum, value_delimiter = ',')]
    sizes: Vec<Size>,
    /// Precisions of the weights.
    #[arg(long, value_enum, value_delimiter = ',')]
    precisions: Vec<Precision>,
    /// Threads of every engine (default: all CPUs).
    #[arg(long)]
    threads: Option<usize>,
    /// Prompt tokens (default 256).
    #[arg(long)]
    prompt: Option<usize>,
    /// Output tokens (default 64).
    #[arg(long)]
    output: Option<usize>,
    /// Repetitions (default 7).
    #[arg(long)]
    repetitions: Option<usize>,
    /// Where the random models are kept (default: beside this program).
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// The command line that the report shows.
    #[arg(long, hide = true)]
    command: Option<String>,
    /// The source revision that the report shows.
    #[arg(long, hide = true)]
    revision: Option<String>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    match options.child {
        Some(Mode::Child { system, model }) => {
            alone::child(system, &model.model, model.precision, model.threads)
        }
        Some(Mode::Together(model)) => {
            together::child(&model.model, model.precision, model.threads)
        }
        None => measure(options.measure),
    }
}

fn measure(options: Measure) -> Result<()> {
    let quick = options.quick;
    let or = |value: Option<usize>, full, short| value.unwrap_or(if quick { short } else { full });
    let (prompt_tokens, output_tokens) = (or(options.prompt, 256, 32), or(options.output, 64, 8));
    let repetitions = or(options.repetitions, 7, 2);
    let machine = Machine::detect();
    let threads = options.threads.unwrap_or(machine.cpus);
    ensure!(prompt_tokens > 0, "--prompt must be at least 1");
    ensure!(
        output_tokens > 1,
        "--output must be at least 2: the first token is prefill's"
    );
    ensure!(repetitions > 0, "--repetitions must be at least 1");
    ensure!(threads > 0, "--threads must be at least 1");
    let context = Size::Small
        .config(Precision::F32.stored())
        .max_position_embeddings;
    ensure!(
        prompt_tokens + output_tokens <= context,
        "--prompt and --output exceed the models' context of {context}"
    );
    let sizes = match (options.sizes.is_empty(), quick) {
        (false, _) => options.sizes,
        (true, true) => vec![Size::Small],
        (true, false) => vec![Size::Small, Size::Large],
    };
    let precisions = match options.precisions.is_empty() {
        false => options.precisions,
        true => vec![
            Precision::F32,
            Precision::F16,
            Precision::Bf16,
            Precision::Int8,
        ],
    };
    let folders = Folders::new(match options.models {
        Some(dir) => dir,
        None => std::env::current_exe()?
            .parent()
            .context("this program lies in no folder")?
            .join("models"),
    });

    let load_before = machine::load_average();
    if let Some(load) = load_before.filter(|load| *load > 0.25 * machine.cpus as f64) {
        eprintln!("bench: {load:.2} processes are running already; figures will be too low");
    }
    let ceilings = || {
        let bytes = if quick { 256 << 20 } else { 1 << 30 };
        eprintln!("bench: memory bandwidth and multiplication peak");
        let bandwidth = probes::read_bandwidth(threads, bytes, ROUNDS);
        let (peak, instructions) = probes::multiply_peak(threads, ROUNDS);
        (bandwidth, peak, instructions)
    };
    let (read_bandwidth, multiply_peak, multiply_instructions) = ceilings();
    let workload = Workload {
        prompt_tokens,
        output_tokens,
        repetitions,
        threads,
    };
    let (mut measured, mut together) = (Vec::new(), Vec::new());
    for size in sizes {
        for precision in precisions.iter().copied() {
            let runs = alone::measure(&workload, &folders, size, precision)?;
            measured.push((size, precision, runs));
            // Short prompts show decoding together; long ones what they share of prefill.
            for prompt in [prompt_tokens.div_ceil(8), prompt_tokens] {
                let report =
                    together::measure(&workload, &folders, size, precision, REQUESTS, prompt)?;
                together.push(report);
            }
        }
    }
    // A ceiling is the most that was ever seen, before or after.
    let (again, peak_again, _) = ceilings();
    let scale = Scale {
        read_bandwidth: read_bandwidth.max(again),
        multiply_peak: multiply_peak.max(peak_again),
        prompt_tokens,
    };
    let report = Report {
        command: options
            .command
            .unwrap_or_else(|| std::env::args().collect::<Vec<_>>().join(" ")),
        revision: options.revision,
        machine,
        threads,
        load_before,
        prompt_tokens,
        output_tokens,
        repetitions,
        read_bandwidth: scale.read_bandwidth,
        multiply_peak: scale.multiply_peak,
        multiply_instructions,
        cases: measured
            .into_iter()
            .map(|(size, precision, runs)| summarise(size, precision, &runs, scale))
            .collect::<Result<_>>()?,
        together,
    };
    print!("{}", report.markdown());
    if let Some(file) = options.json {
        let text = serde_json::to_string_pretty(&report)? + "\n";
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    // In the same precision and without rounding of activations the engines are one function.
    for case in report
        .cases
        .iter()
        .filter(|case| case.precision == Precision::F32)
    {
        if case.agreement() != "same" {
            eprintln!("bench: {} in f32: {}", case.size.name(), case.agreement());
        }
    }
    Ok(())
}

fn summarise(size: Size, precision: Precision, runs: &[Runs], scale: Scale) -> Result<CaseReport> {
    let system = |runs| SystemReport::new(size, precision, runs, scale).context("no runs");
    let systems = runs.iter().map(system).collect::<Result<_>>()?;
    Ok(CaseReport::new(size, precision, systems))
}

/// Rounds of which the best is a ceiling.
const ROUNDS: usize = 15;

/// Requests at once, where there are several.
const REQUESTS: usize = 8;

/// What every engine is asked to do.
#[derive(Debug, Clone, Copy)]
struct Workload {
    prompt_tokens: usize,
    output_tokens: usize,
    repetitions: usize,
    threads: usize,
}
