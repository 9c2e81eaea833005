//! Every cheat against every detector: how much is found, how often honest work is flagged, what an audit costs.
//!
//! Prints Markdown tables; `--json FILE` writes the same as JSON. Deterministic but for the times.

mod cost;
mod matrix;
mod report;

use std::{path::PathBuf, time::Instant};

use anyhow::{bail, Context, Result};
use chasqui_engine::cpu::Precision;
use cost::Cost;
use indicatif::{ProgressBar, ProgressStyle};
use matrix::{
    cases::Cases,
    cheats::{Cheat, Family},
    honest::{self, Pair},
    models::{self, Models, Rounding},
    profile::{self, Effort, ProfileReport},
};
use report::Report;

const USAGE: &str =
    "usage: audit [--quick] [--runs N] [--seed N] [--only NAME] [--no-cost | --no-matrix] [--json FILE]

  --quick       50 runs of each cheat and each honest pair instead of 1000
  --runs N      so many instead
  --seed N      of prompts, sampling and positions (default 1)
  --only NAME   one cheat, for instance int8
  --no-cost     leave out the times, which want a machine that does nothing else
  --no-matrix   the times alone
  --json FILE   writes everything there too";

/// Output tokens of every run.
const TOKENS: usize = 64;

struct Options {
    runs: usize,
    seed: u64,
    only: Option<String>,
    cost: bool,
    matrix: bool,
    json: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options = Self {
            runs: 1_000,
            seed: 1,
            only: None,
            cost: true,
            matrix: true,
            json: None,
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut value = |name: &str| {
                arguments
                    .next()
                    .with_context(|| format!("{name} wants a value"))
            };
            match argument.as_str() {
                "-h" | "--help" => return Ok(None),
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => options.runs = 50,
                "--no-cost" => options.cost = false,
                "--no-matrix" => options.matrix = false,
                "--runs" => {
                    options.runs = value("--runs")?.parse().context("--runs wants a number")?
                }
                "--seed" => {
                    options.seed = value("--seed")?.parse().context("--seed wants a number")?
                }
                "--only" => options.only = Some(value("--only")?),
                "--json" => options.json = Some(value("--json")?.into()),
                other => bail!("unknown option {other:?}\n{USAGE}"),
            }
        }
        if !options.cost && !options.matrix {
            bail!("--no-cost and --no-matrix together leave nothing to do");
        }
        if options.runs == 0 {
            bail!("--runs is 0; at least one is needed");
        }
        Ok(Some(options))
    }

    fn cheats(&self) -> Result<Vec<Cheat>> {
        let chosen = |cheat: &Cheat| self.only.as_deref().is_none_or(|only| only == cheat.key());
        let cheats: Vec<Cheat> = Cheat::ALL.into_iter().filter(chosen).collect();
        if cheats.is_empty() {
            let known: Vec<&str> = Cheat::ALL.iter().map(|cheat| cheat.key()).collect();
            bail!("--only knows {}", known.join(", "));
        }
        Ok(cheats)
    }
}

/// One profile to try.
struct Plan {
    name: &'static str,
    pairs: Vec<Pair>,
    family: Family,
    cheats: Vec<Cheat>,
}

/// Every profile that a checkpoint can declare, whose arithmetic is f32, and bf16 arithmetic, which none can.
fn plans(models: &Models, cheats: &[Cheat]) -> Result<Vec<Plan>> {
    // What a profile prescribes or allows is no cheat.
    let without = |allowed: &[Cheat]| -> Vec<Cheat> {
        let forbidden = |cheat: &&Cheat| !allowed.contains(cheat);
        cheats.iter().filter(forbidden).copied().collect()
    };
    let bf16 = models::rounded(&models.right, Rounding::Bf16)?;
    let int8 = models::rounded(&models.right, Rounding::Int8)?;
    Ok(vec![
        Plan {
            name: "f32",
            pairs: honest::f32_pairs(&models.right)?,
            family: Family::new(models, &models.right, None)?,
            cheats: without(&[]),
        },
        Plan {
            name: "bf16",
            pairs: honest::rounded_pairs(&bf16, None)?,
            family: Family::new(models, &bf16, Some(Rounding::Bf16))?,
            cheats: without(&[]),
        },
        Plan {
            name: "int8",
            pairs: honest::rounded_pairs(&int8, Some(Precision::Int8))?,
            family: Family::new(models, &int8, Some(Rounding::Int8))?,
            cheats: without(&[Cheat::Int8]),
        },
        Plan {
            name: "bf16 arithmetic allowed (not offered)",
            pairs: honest::mixed_pairs(&bf16)?,
            family: Family::new(models, &bf16, Some(Rounding::Bf16))?,
            cheats: without(&[Cheat::Bf16]),
        },
    ])
}

/// The model whose runs take longest.
const LARGE: &str = "random weights, 110M";

/// The times of all models and lengths.
fn costs(options: &Options, bar: &ProgressBar) -> Result<Vec<Cost>> {
    let repetitions = if options.runs < 200 { 3 } else { 9 };
    let engines = [
        ("chasqui-tales, 1M", models::shipped()?),
        ("random weights, 15M", models::random(&models::SHAPE_15M)?),
        (LARGE, models::random(&models::SHAPE_110M)?),
    ];
    let mut costs = Vec::new();
    for (name, engine) in &engines {
        // Seconds each, and steady.
        let repetitions = if *name == LARGE { 3 } else { repetitions };
        costs.extend(cost::measure(name, engine, repetitions, |name| {
            bar.set_message(format!("cost: {name}"))
        })?);
    }
    Ok(costs)
}

/// Every profile's rates.
fn matrix(options: &Options, effort: &Effort, bar: &ProgressBar) -> Result<Vec<ProfileReport>> {
    let cheats = options.cheats()?;
    let models = Models::load()?;
    let cases = Cases {
        tokenizer: models.tokenizer.clone(),
        seed: options.seed,
        tokens: TOKENS,
    };
    let plans = plans(&models, &cheats)?;
    let runs_of = |plan: &Plan| {
        plan.pairs.len() * (effort.calibration + effort.runs) + plan.cheats.len() * effort.runs
    };
    bar.set_length(plans.iter().map(runs_of).sum::<usize>() as u64);
    let run = |plan: &Plan| {
        let progress = |what: &str, runs: usize| {
            bar.set_message(format!("{}: {what}", plan.name));
            bar.inc(runs as u64);
        };
        let Plan {
            name,
            pairs,
            family,
            cheats,
        } = plan;
        profile::run(name, pairs, family, cheats, &cases, effort, &progress)
    };
    plans.iter().map(run).collect()
}

fn main() -> Result<()> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    // A wrong name is an error before anything is measured.
    options.cheats()?;
    let start = Instant::now();
    let bar = ProgressBar::new(0);
    let style = "{elapsed_precise} [{wide_bar}] {pos}/{len} {msg}";
    bar.set_style(ProgressStyle::with_template(style)?.progress_chars("=> "));
    let effort = Effort {
        runs: options.runs,
        calibration: (options.runs / 4).max(16),
    };
    // The cost first: nothing else of this program runs meanwhile.
    let costs = match options.cost {
        true => costs(&options, &bar)?,
        false => Vec::new(),
    };
    let profiles = match options.matrix {
        true => matrix(&options, &effort, &bar)?,
        false => Vec::new(),
    };
    bar.finish_and_clear();

    let report = Report {
        seed: options.seed,
        tokens: TOKENS,
        effort,
        profiles,
        costs,
        seconds: start.elapsed().as_secs_f64(),
    };
    print!("{}", report.markdown());
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}
