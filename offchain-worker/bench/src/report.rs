//! Results, as JSON and as Markdown.

use std::fmt::Write;

use serde::Serialize;

use crate::alone::{Reply, Runs};
use crate::case::{Precision, Size, System};
use crate::machine::Machine;
use crate::stats::{first_difference, Spread};

const MIB: f64 = 1024.0 * 1024.0;

/// Everything that one start of the program found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How it was started.
    pub command: String,
    /// Revision of the source, if it was told.
    pub revision: Option<String>,
    /// Machine, build and versions.
    pub machine: Machine,
    /// Threads of every engine.
    pub threads: usize,
    /// Processes running or waiting before the first measurement, averaged over a minute.
    pub load_before: Option<f64>,
    /// Prompt tokens.
    pub prompt_tokens: usize,
    /// Output tokens.
    pub output_tokens: usize,
    /// Repetitions of every measurement.
    pub repetitions: usize,
    /// Bytes a second that all threads read from memory.
    pub read_bandwidth: f64,
    /// Single-precision operations a second that all threads do in registers.
    pub multiply_peak: f64,
    /// The instructions that did them.
    pub multiply_instructions: &'static str,
    /// One request at a time: one entry per model and precision.
    pub cases: Vec<CaseReport>,
    /// Several requests at once.
    pub together: Vec<Together>,
}

/// Several requests at once through the batcher, against one.
#[derive(Debug, Serialize)]
pub struct Together {
    /// Model.
    pub size: Size,
    /// How weights are held.
    pub precision: Precision,
    /// Requests at once.
    pub requests: usize,
    /// Prompt tokens of each.
    pub prompt_tokens: usize,
    /// Output tokens a second of one request alone, prompt included in the time.
    pub one: Spread,
    /// Output tokens a second of all requests together, prompts included in the time.
    pub several: Spread,
    /// Most memory that the process held, in bytes.
    pub peak_memory: Option<u64>,
}

/// One model in one precision.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// Model.
    pub size: Size,
    /// Parameters.
    pub parameters: u64,
    /// How weights are held.
    pub precision: Precision,
    /// The engines, ours first.
    pub systems: Vec<SystemReport>,
    /// Ours over candle.
    pub ratios: Option<Ratios>,
}

/// One engine on one model.
#[derive(Debug, Serialize)]
pub struct SystemReport {
    /// Engine.
    pub system: System,
    /// Prompt tokens a second until the first output token.
    pub prefill: Spread,
    /// Output tokens a second after the first.
    pub decode: Spread,
    /// Most memory that the process held, in bytes.
    pub peak_memory: Option<u64>,
    /// Seconds to load the model.
    pub load_seconds: f64,
    /// How the engine says it computes, where it says.
    pub description: Option<String>,
    /// Weights' bytes read for decoded tokens, over the bandwidth.
    pub bandwidth_share: f64,
    /// Operations of the prompt's matrix products, over the peak.
    pub peak_share: f64,
    /// The greedy output.
    pub tokens: Vec<u32>,
    /// The first output token at which it differs from ours.
    pub first_difference: Option<usize>,
}

/// Ours over candle: above 1 we are faster, or larger in memory.
#[derive(Debug, Serialize)]
pub struct Ratios {
    /// Against candle with weights as stored.
    pub prefill: f64,
    /// Against candle with weights as stored.
    pub decode: f64,
    /// Against the faster of candle as stored and candle converted to f32.
    pub prefill_best: f64,
    /// Against the faster of candle as stored and candle converted to f32.
    pub decode_best: f64,
    /// Against candle with weights as stored.
    pub memory: Option<f64>,
}

/// The machine's ceilings and the workload, which every share needs.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Bytes a second.
    pub read_bandwidth: f64,
    /// Operations a second.
    pub multiply_peak: f64,
    /// Prompt tokens.
    pub prompt_tokens: usize,
}

impl SystemReport {
    /// Sums up an engine's runs; `None` when there are none.
    pub fn new(size: Size, precision: Precision, engine: &Runs, scale: Scale) -> Option<Self> {
        let (system, runs) = (engine.system, &engine.replies);
        let prefill = |run: &Reply| scale.prompt_tokens as f64 / run.prefill;
        let decode = |run: &Reply| (run.tokens.len() - 1) as f64 / run.decode;
        let prefill = Spread::of(&runs.iter().map(prefill).collect::<Vec<_>>())?;
        let decode = Spread::of(&runs.iter().map(decode).collect::<Vec<_>>())?;
        let weights = (size.layer_weights() + size.head_weights()) as f64;
        let read = weights * system.bytes_per_weight(precision) * decode.median;
        let prompts = prefill.median / scale.prompt_tokens as f64;
        let operations = size.prefill_operations(scale.prompt_tokens) * prompts;
        Some(Self {
            system,
            prefill,
            decode,
            peak_memory: runs.iter().filter_map(|run| run.peak_memory).max(),
            load_seconds: engine.loaded.seconds,
            description: engine.loaded.description.clone(),
            bandwidth_share: read / scale.read_bandwidth,
            peak_share: operations / scale.multiply_peak,
            tokens: runs.last()?.tokens.clone(),
            first_difference: None,
        })
    }
}

impl CaseReport {
    /// Compares the engines; ours is the first of them.
    pub fn new(size: Size, precision: Precision, mut systems: Vec<SystemReport>) -> Self {
        let ours = systems
            .first()
            .map(|ours| ours.tokens.clone())
            .unwrap_or_default();
        for system in &mut systems {
            system.first_difference = first_difference(&ours, &system.tokens);
        }
        Self {
            size,
            parameters: size.config(precision.stored()).num_parameters(),
            precision,
            ratios: Ratios::of(&systems),
            systems,
        }
    }
}

impl Ratios {
    fn of(systems: &[SystemReport]) -> Option<Self> {
        let find = |wanted| systems.iter().find(|report| report.system == wanted);
        let (ours, candle) = (find(System::Ours)?, find(System::Candle)?);
        let best = |rate: fn(&SystemReport) -> f64| {
            let candles = systems.iter().filter(|report| report.system.is_candle());
            candles.map(rate).fold(0.0, f64::max)
        };
        let (prefill, decode) = (ours.prefill.median, ours.decode.median);
        let memory = ours.peak_memory.zip(candle.peak_memory);
        Some(Self {
            prefill: prefill / candle.prefill.median,
            decode: decode / candle.decode.median,
            prefill_best: prefill / best(|report| report.prefill.median),
            decode_best: decode / best(|report| report.decode.median),
            memory: memory.map(|(ours, candle)| ours as f64 / candle as f64),
        })
    }
}

impl Report {
    /// For `docs/benchmarks.md`.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        self.write_setting(out)?;
        self.write_figures(out)?;
        self.write_ratios(out)?;
        self.write_together(out)
    }

    fn write_setting(&self, out: &mut String) -> std::fmt::Result {
        let machine = &self.machine;
        let memory = machine.memory_bytes.map_or(String::new(), |bytes| {
            format!(", {:.0} GiB", bytes as f64 / MIB / 1024.0)
        });
        writeln!(out, "- Command: `{}`", self.command)?;
        let revision = self.revision.as_deref().unwrap_or("not told");
        writeln!(out, "- Date: {}; revision: {revision}", machine.date)?;
        let cpus = match machine.cpus {
            1 => "1 CPU".into(),
            n => format!("{n} CPUs"),
        };
        writeln!(
            out,
            "- Machine: {}, {cpus}{memory}, {}",
            machine.cpu, machine.system
        )?;
        writeln!(out, "- Instructions: {}", machine.simd.join(", "))?;
        let flags = match machine.rustflags {
            "" => "no further flags",
            flags => flags,
        };
        writeln!(out, "- Build: {}, release profile, {flags}", machine.rustc)?;
        writeln!(out, "- Libraries: {}", machine.libraries.join(", "))?;
        if let Some(load) = self.load_before {
            writeln!(out, "- Load before: {load:.2} processes running or waiting")?;
        }
        writeln!(
            out,
            "- Measured ceilings: {:.1} GB/s read from memory, {:.0} GFLOP/s in f32 ({})",
            self.read_bandwidth / 1e9,
            self.multiply_peak / 1e9,
            self.multiply_instructions
        )?;
        let ours = self.cases.iter().flat_map(|case| &case.systems);
        let mut ours: Vec<&str> = ours
            .filter_map(|system| system.description.as_deref())
            .collect();
        ours.sort_unstable();
        ours.dedup();
        writeln!(out, "- Ours computes as: {}", ours.join("; "))?;
        writeln!(
            out,
            "- Workload: one request at a time, {} prompt tokens, {} greedy output tokens, {} threads, medians of {} \
             interleaved runs (smallest to largest)\n",
            self.prompt_tokens, self.output_tokens, self.threads, self.repetitions
        )
    }

    fn write_figures(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "| model | weights | engine | prefill, tokens/s | of f32 peak | decode, tokens/s | of bandwidth | peak \
             memory, MiB | load, s |\n|---|---|---|---|---|---|---|---|---|"
        )?;
        for case in &self.cases {
            for system in &case.systems {
                let memory = mebibytes(system.peak_memory);
                writeln!(
                    out,
                    "| {} | {} | {} | {} | {:.0}% | {} | {:.0}% | {memory} | {:.2} |",
                    case.size.name(),
                    case.precision.name(),
                    system.system.name(),
                    rate(system.prefill),
                    system.peak_share * 100.0,
                    rate(system.decode),
                    system.bandwidth_share * 100.0,
                    system.load_seconds,
                )?;
            }
        }
        writeln!(
            out,
            "\nShares are of the ceilings above. Weights that fit the CPU's caches are not read from memory for every token, \
             so their share can exceed 100%. candle computes int8 with 8-bit activations, which can exceed the peak in \
             f32; ours keeps activations in f32. Ours samples and takes fingerprints of every token within these times. \
             Peak memory counts mapped weight files, for int8 of ours also the f32 file that it is made of.\n"
        )
    }

    fn write_ratios(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "Ours over candle (`best`: the faster of weights as stored and weights as f32):\n\n| model | weights | \
             prefill | prefill, best | decode | decode, best | memory | greedy tokens |\n|---|---|---|---|---|---|---|---|"
        )?;
        for case in &self.cases {
            let Some(ratios) = &case.ratios else { continue };
            let memory = ratios
                .memory
                .map_or("unknown".into(), |ratio| format!("{ratio:.2}"));
            writeln!(
                out,
                "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {memory} | {} |",
                case.size.name(),
                case.precision.name(),
                ratios.prefill,
                ratios.prefill_best,
                ratios.decode,
                ratios.decode_best,
                case.agreement(),
            )?;
        }
        Ok(())
    }
}

impl Report {
    fn write_together(&self, out: &mut String) -> std::fmt::Result {
        if self.together.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\nSeveral requests at once, output tokens/s with prompts in the time; every request's tokens are those it \
             has alone:\n\n| model | weights | prompt | one request | at once | together | ratio | peak memory, MiB \
             |\n|---|---|---|---|---|---|---|---|"
        )?;
        for case in &self.together {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {:.2} | {} |",
                case.size.name(),
                case.precision.name(),
                case.prompt_tokens,
                rate(case.one),
                case.requests,
                rate(case.several),
                case.several.median / case.one.median,
                mebibytes(case.peak_memory),
            )?;
        }
        Ok(())
    }
}

impl CaseReport {
    /// Whether the engines made the same output, in words.
    pub fn agreement(&self) -> String {
        let differing = self.systems.iter().filter_map(|system| {
            let at = system.first_difference?;
            Some(format!("{} differs at {at}", system.system.name()))
        });
        let differing: Vec<String> = differing.collect();
        match differing.is_empty() {
            true => "same".into(),
            false => differing.join(", "),
        }
    }
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or("unknown".into(), |bytes| {
        format!("{:.0}", bytes as f64 / MIB)
    })
}

fn rate(spread: Spread) -> String {
    let digits = usize::from(spread.median < 100.0);
    format!(
        "{:.digits$} ({:.digits$}–{:.digits$})",
        spread.median, spread.min, spread.max
    )
}
