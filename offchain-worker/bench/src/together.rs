//! Several requests at once through the engine's batcher, against one.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{mpsc, Arc};
use std::time::Instant;

use anyhow::{ensure, Context, Result};
use chasqui_engine::batch::{Batcher, Limits};
use serde::{Deserialize, Serialize};

use crate::case::{Precision, Size, System};
use crate::child::{serve, Loaded, Process};
use crate::folders::Folders;
use crate::report::Together;
use crate::stats::Spread;
use crate::systems::engine;
use crate::{machine, Workload};

/// What the parent asks for: all prompts at once.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    prompts: Vec<Vec<u32>>,
    length: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reply {
    /// Output tokens, prompt by prompt.
    tokens: Vec<Vec<u32>>,
    /// From the first request to the end of the last.
    seconds: f64,
    peak_memory: Option<u64>,
}

/// The child's side: the batcher on one model.
///
/// # Errors
/// The engine's, or a broken pipe.
pub fn child(path: &Path, precision: Precision, threads: usize) -> Result<()> {
    let start = Instant::now();
    let engine = Arc::new(engine::open(path, precision, threads)?);
    let loaded = Loaded {
        seconds: start.elapsed().as_secs_f64(),
        description: Some(engine.decoder().describe()),
    };
    let batcher = Batcher::new(engine, Limits::default())?;
    serve(loaded, |request: Request| {
        let (sender, receiver) = mpsc::channel();
        let start = Instant::now();
        for (index, prompt) in request.prompts.iter().enumerate() {
            let sender = sender.clone();
            batcher.submit(
                engine::request(prompt, request.length),
                |_| ControlFlow::Continue(()),
                move |outcome| {
                    // The receiver outlives every request.
                    let _ = sender.send((index, outcome));
                },
            )?;
        }
        let mut tokens = vec![Vec::new(); request.prompts.len()];
        for _ in &request.prompts {
            let (index, outcome) = receiver.recv().context("the batcher is gone")?;
            tokens[index] = outcome?.output_ids;
        }
        Ok(Reply {
            tokens,
            seconds: start.elapsed().as_secs_f64(),
            peak_memory: machine::peak_memory(),
        })
    })
}

/// Measures `requests` at once against one, in turn and again, for prompts of `prompt_tokens`; and
/// checks that each request's tokens are the same in company and alone.
///
/// # Errors
/// A model cannot be made, the engine failed, or a request's tokens depend on its neighbours.
pub fn measure(
    workload: &Workload,
    folders: &Folders,
    size: Size,
    precision: Precision,
    requests: usize,
    prompt_tokens: usize,
) -> Result<Together> {
    let path = folders.prepare(size, precision, System::Ours)?;
    let name = format!("the batcher in {}", precision.name());
    let mode = ["together".into()];
    let mut process = Process::start(name, &mode, &path, precision, workload.threads)?;
    let length = workload.output_tokens;
    let request = |prompts: Vec<Vec<u32>>| Request { prompts, length };
    let prompt = |index: usize| size.prompt(index, prompt_tokens);
    let all = request((0..requests).map(prompt).collect());
    let company: Reply = process.ask(&all)?;
    for (index, tokens) in company.tokens.iter().enumerate() {
        let alone: Reply = process.ask(&request(vec![prompt(index)]))?;
        ensure!(
            alone.tokens[0] == *tokens,
            "request {index} in {} has other tokens among {requests} requests than alone",
            precision.name()
        );
    }
    let one = request(vec![prompt(0)]);
    let (mut single, mut several, mut peak) = (Vec::new(), Vec::new(), None);
    for repetition in 1..=workload.repetitions {
        eprintln!(
            "bench: {} {}, {requests} requests with {prompt_tokens} prompt tokens, run {repetition} of {}",
            size.name(),
            precision.name(),
            workload.repetitions
        );
        let reply: Reply = process.ask(&one)?;
        single.push(length as f64 / reply.seconds);
        let reply: Reply = process.ask(&all)?;
        several.push((requests * length) as f64 / reply.seconds);
        peak = reply.peak_memory;
    }
    Ok(Together {
        size,
        precision,
        requests,
        prompt_tokens,
        one: Spread::of(&single).context("no runs")?,
        several: Spread::of(&several).context("no runs")?,
        peak_memory: peak,
    })
}
