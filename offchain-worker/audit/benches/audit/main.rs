//! Every cheat against every detector: how much is found, how often honest work is flagged, what an audit costs.
//!
//! Prints Markdown tables; `--json FILE` writes the same as JSON. Deterministic but for the times.

mod cost;
mod experiment;
mod matrix;
mod report;

use std::{path::PathBuf, time::Instant};

use anyhow::{bail, Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use matrix::{
    cases::Cases,
    cheats::{Cheat, Family},
    honest,
    models::{self, Models, Rounding},
    profile::{self, Effort},
};
use report::Report;

const USAGE: &str = "usage: audit [--quick] [--runs N] [--seed N] [--only NAME] [--no-cost] [--json FILE]

  --quick       50 runs of each cheat and each honest pair instead of 1000
  --runs N      so many instead
  --seed N      of prompts, sampling and positions (default 1)
  --only NAME   one cheat, for instance int8
  --no-cost     leave out the times, which want a machine that does nothing else
  --json FILE   writes everything there too";

/// Output tokens of every run.
const TOKENS: usize = 64;

struct Options {
    runs: usize,
    seed: u64,
    only: Option<String>,
    cost: bool,
    json: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options = Self {
            runs: 1_000,
            seed: 1,
            only: None,
            cost: true,
            json: None,
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut value = |name: &str| arguments.next().with_context(|| format!("{name} wants a value"));
            match argument.as_str() {
                "-h" | "--help" => return Ok(None),
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => options.runs = 50,
                "--no-cost" => options.cost = false,
                "--runs" => options.runs = value("--runs")?.parse().context("--runs wants a number")?,
                "--seed" => options.seed = value("--seed")?.parse().context("--seed wants a number")?,
                "--only" => options.only = Some(value("--only")?),
                "--json" => options.json = Some(value("--json")?.into()),
                other => bail!("unknown option {other:?}\n{USAGE}"),
            }
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

fn main() -> Result<()> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    let cheats = options.cheats()?;
    let start = Instant::now();
    let bar = ProgressBar::new(0);
    let style = "{elapsed_precise} [{wide_bar}] {pos}/{len} {msg}";
    bar.set_style(ProgressStyle::with_template(style)?.progress_chars("=> "));

    // The cost first: nothing else of this program runs meanwhile.
    let mut costs = Vec::new();
    if options.cost {
        let repetitions = if options.runs < 200 { 3 } else { 9 };
        bar.set_message("cost");
        let engines = [
            ("chasqui-tales, 1M", models::shipped()?),
            ("random weights, 15M", models::random_15m()?),
        ];
        for (name, engine) in &engines {
            costs.extend(cost::measure(name, engine, repetitions, |name| bar.set_message(format!("cost: {name}")))?);
        }
    }

    let models = Models::load()?;
    let cases = Cases {
        tokenizer: models.tokenizer.clone(),
        seed: options.seed,
        tokens: TOKENS,
    };
    let effort = Effort {
        runs: options.runs,
        calibration: (options.runs / 4).max(16),
    };
    let rounded = models::rounded(&models.right, Rounding::Bf16)?;
    let f32_pairs = honest::f32_pairs(&models.right)?;
    let bf16_pairs = honest::bf16_pairs(&rounded)?;
    let f32_family = Family::new(&models, &models.right, None)?;
    let bf16_family = Family::new(&models, &rounded, Some(Rounding::Bf16))?;
    // bf16 arithmetic is no cheat where it is allowed.
    let bf16_cheats: Vec<Cheat> = cheats.iter().copied().filter(|cheat| *cheat != Cheat::Bf16).collect();

    if std::env::var_os("EXPERIMENT").is_some() {
        return experiment::run(&models, &cases, &rounded, &bf16_family, options.runs as u64);
    }
    let pairs = f32_pairs.len() + bf16_pairs.len();
    let all = pairs * (effort.calibration + effort.runs) + (cheats.len() + bf16_cheats.len()) * effort.runs;
    bar.set_length(all as u64);
    let progress = |what: &str, runs: usize| {
        bar.set_message(what.to_owned());
        bar.inc(runs as u64);
    };
    let profiles = vec![
        profile::run("f32", &f32_pairs, &f32_family, &cheats, &cases, &effort, &progress)?,
        profile::run("bf16", &bf16_pairs, &bf16_family, &bf16_cheats, &cases, &effort, &progress)?,
    ];
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
