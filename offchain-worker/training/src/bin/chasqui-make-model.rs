//! Makes a small language model from nothing and writes it in the Hugging Face layout.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use burn::tensor::Device;
use chasqui_training::recipe::{make, Progress, Recipe, Size};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// The shipped model: hidden 128, 4 layers.
    Full,
    /// A cheap one with the same tokenizer: hidden 64, 2 layers.
    Small,
}

/// Writes a corpus of tales, trains a tokenizer and a Llama model on it, and saves the folder.
///
/// The defaults are those of the shipped model. The same arguments on the same class of CPU give
/// the same files, whatever --threads is.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Folder to write; complete files replace those of the same name at the end.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Widths of the model.
    #[arg(long, value_enum, default_value_t = Preset::Full)]
    size: Preset,
    /// Seed of the initial weights and of the text.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Optimiser steps.
    #[arg(long, default_value_t = 2200)]
    steps: u64,
    /// Sequences in a batch.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Sequences whose gradient is computed at once; part of what fixes the result.
    #[arg(long, default_value_t = 4)]
    micro_batch: usize,
    /// Tokens predicted in a sequence.
    #[arg(long, default_value_t = 256)]
    seq: usize,
    /// Of the steps, how many of the last ones use sequences of the whole context (512).
    #[arg(long, default_value_t = 200)]
    long_steps: u64,
    /// Highest learning rate.
    #[arg(long, default_value_t = 3e-3)]
    lr: f64,
    /// Micro-batches computed at the same time; does not change the result.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Sequences of unseen text on which the loss is measured.
    #[arg(long, default_value_t = 64)]
    held_out: usize,
    /// Steps between two such measurements, 0 for the end only.
    #[arg(long, default_value_t = 200)]
    evaluate_every: u64,
    /// Also write what was made, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Args {
    fn recipe(&self) -> Recipe {
        Recipe {
            size: match self.size {
                Preset::Full => Size::FULL,
                Preset::Small => Size::SMALL,
            },
            seed: self.seed,
            steps: self.steps,
            batch: self.batch,
            micro_batch: self.micro_batch,
            seq: self.seq,
            long_steps: self.long_steps,
            learning_rate: self.lr,
            threads: self.threads,
            held_out: self.held_out,
            evaluate_every: self.evaluate_every,
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let recipe = args.recipe();
    let bar = ProgressBar::new(recipe.steps);
    bar.set_style(ProgressStyle::with_template(
        "{elapsed_precise} {bar:30} {pos}/{len} steps, {msg} (eta {eta})",
    )?);
    let start = std::time::Instant::now();
    let summary = make(
        recipe,
        &Device::flex(),
        &args.out,
        |progress| match progress {
            Progress::Tokenizer { vocab_size } => {
                bar.println(format!("tokenizer: {vocab_size} tokens"));
            }
            Progress::Model { parameters } => {
                bar.println(format!("model: {parameters} parameters"))
            }
            Progress::Step(step) => {
                let tokens = recipe.tokens(step.step + 1) as f64;
                bar.set_message(format!(
                    "loss {:.3}, {:.0} tokens/s",
                    step.loss,
                    tokens / start.elapsed().as_secs_f64()
                ));
                bar.set_position(step.step + 1);
            }
            Progress::HeldOut { steps, loss } => {
                let line = format!(
                    "step {steps}: held-out loss {loss:.4} after {:.0} s",
                    start.elapsed().as_secs_f64()
                );
                // A log file has no bar; the lines that matter still go there.
                if bar.is_hidden() {
                    eprintln!("{line}");
                } else {
                    bar.println(line);
                }
            }
        },
    )?;
    bar.finish_and_clear();
    println!(
        "{}: {} parameters, {} tokens in {:.0} s ({:.0} tokens/s), held-out loss {:.4}",
        args.out.display(),
        summary.parameters,
        summary.tokens,
        summary.seconds,
        summary.tokens_per_second,
        summary.held_out_loss
    );
    println!(
        "model.safetensors: {} bytes, blake2b-256 {}",
        summary.file_bytes, summary.file_hash
    );
    for sample in &summary.samples {
        println!(
            "\n[{}] {}{}",
            sample.temperature, sample.prompt, sample.completion
        );
    }
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&summary)?;
        std::fs::write(file, text + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
