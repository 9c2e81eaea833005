//! One request at a time: every engine on one model, runs interleaved.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::case::{Precision, Size, System};
use crate::child::{argument, serve, Loaded, Process};
use crate::folders::Folders;
use crate::{machine, systems, Workload};

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    prompt: Vec<u32>,
    length: usize,
}

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    /// Output tokens.
    pub tokens: Vec<u32>,
    /// Seconds from the request to the first output token.
    pub prefill: f64,
    /// Seconds from the first output token to the last.
    pub decode: f64,
    /// Most memory that the process held so far, in bytes, where the system tells.
    pub peak_memory: Option<u64>,
}

/// The runs of one engine.
#[derive(Debug)]
pub struct Runs {
    /// The engine.
    pub system: System,
    /// What it said when the model was loaded.
    pub loaded: Loaded,
    /// Its runs, in order.
    pub replies: Vec<Reply>,
}

/// The child's side: one engine on one model.
///
/// # Errors
/// The engine's, or a broken pipe.
pub fn child(system: System, path: &Path, precision: Precision, threads: usize) -> Result<()> {
    let start = Instant::now();
    let mut runner = systems::load(system, path, precision, threads)?;
    let loaded = Loaded {
        seconds: start.elapsed().as_secs_f64(),
        description: runner.describe(),
    };
    serve(loaded, |request: Request| {
        let run = runner.run(&request.prompt, request.length)?;
        Ok(Reply {
            tokens: run.tokens,
            prefill: run.prefill.as_secs_f64(),
            decode: run.decode.as_secs_f64(),
            peak_memory: machine::peak_memory(),
        })
    })
}

/// Runs every engine that has `precision` on the model of `size`, in turn and again.
///
/// # Errors
/// A model cannot be made, or an engine failed.
pub fn measure(
    workload: &Workload,
    folders: &Folders,
    size: Size,
    precision: Precision,
) -> Result<Vec<Runs>> {
    let request = Request {
        prompt: size.prompt(0, workload.prompt_tokens),
        length: workload.output_tokens,
    };
    let mut engines = Vec::new();
    for system in precision.systems().iter().copied() {
        let path = folders.prepare(size, precision, system)?;
        let name = format!("{} in {}", system.name(), precision.name());
        let mode = ["child".into(), "--system".into(), argument(system)?];
        let mut process = Process::start(name, &mode, &path, precision, workload.threads)?;
        // Touches every weight and buffer once, outside the figures.
        process.ask::<Reply>(&request)?;
        engines.push((system, process, Vec::new()));
    }
    for repetition in 1..=workload.repetitions {
        eprintln!(
            "bench: {} {}, run {repetition} of {}",
            size.name(),
            precision.name(),
            workload.repetitions
        );
        for (_, process, replies) in &mut engines {
            replies.push(process.ask(&request)?);
        }
    }
    let runs = |(system, process, replies): (System, Process, Vec<Reply>)| Runs {
        system,
        loaded: process.loaded.clone(),
        replies,
    };
    Ok(engines.into_iter().map(runs).collect())
}
