//! What seldom talking costs: the same model on the same tokens of real text, trained by one worker, by four that exchange
//! every gradient, and by four in DiLoCo rounds with each codec.
//!
//! All runs go on from one base, which data-parallel steps made, as runs on the network go on from a checkpoint: with new
//! moments, on tokens that the base has not seen, with the same schedule over as many tokens. Settings of each are chosen by
//! one half of the held-out sequences; the loss is that on the other half. Deterministic but for the times.

mod audit;
mod lab;
mod report;
mod spec;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{bail, Context, Result};
use audit::AuditRow;
use chasqui_primitives::training::Codec;
use lab::{Lab, Settings};
use report::Report;
use spec::{Spec, SPARSE};

const USAGE: &str =
    "usage: diloco [--quick] [--text DIR].. [--base-steps N] [--base-rate R] [--steps N] [--batch N] [--seed N]
              [--run RUN].. [--only TEXT].. [--audit] [--json FILE]

  --quick         a few steps, to see that it runs
  --text DIR      folder with *.md files to train on; default: this machine's documentation
  --base-steps N  data-parallel steps before all runs part (default 2500); 0: they start from random weights
  --base-rate R   highest learning rate of these (default 0.004)
  --steps N       inner steps of each of the four members after that (default 2000)
  --batch N       sequences a member and step (default 8)
  --seed N        of the initial weights and the order of the data (default 1)
  --run RUN       only this run: share:RATE (one worker, its share of the tokens), alone:RATE (one worker, all tokens),
                  parallel:RATE, or CODEC:H:RATE:OUTER:MOMENTUM with a codec f32, int8 or sparse;
                  default: the published ones, of which those for --batch 32
                  are others (with --steps 500)
  --only TEXT     only runs of which that is a part
  --audit         instead: what audits of rounds cost beside the rounds
  --json FILE     writes everything there after each run, and goes on with what is there; FILE.base holds the base";

struct Options {
    quick: bool,
    settings: Settings,
    runs: Vec<Spec>,
    only: Vec<String>,
    audit: bool,
    json: Option<PathBuf>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options = Self {
            quick: false,
            settings: Settings {
                texts: Vec::new(),
                max_tokens: u64::MAX,
                base_steps: 2_500,
                base_rate: 4e-3,
                steps: 2_000,
                batch: 8,
                seed: 1,
            },
            runs: Vec::new(),
            only: Vec::new(),
            audit: false,
            json: None,
        };
        fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
            text.parse()
                .ok()
                .with_context(|| format!("{name} wants a number, got {text:?}"))
        }
        while let Some(argument) = arguments.next() {
            let name = argument.as_str();
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{name} wants a value"))
            };
            let settings = &mut options.settings;
            match name {
                "-h" | "--help" => return Ok(None),
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => {
                    options.quick = true;
                    settings.max_tokens = 1 << 20;
                    (settings.base_steps, settings.steps) = (8, 16);
                }
                "--text" => settings.texts.push(value()?.into()),
                "--base-steps" => settings.base_steps = number(name, &value()?)?,
                "--base-rate" => settings.base_rate = number(name, &value()?)?,
                "--steps" => settings.steps = number(name, &value()?)?,
                "--batch" => settings.batch = number(name, &value()?)?,
                "--seed" => settings.seed = number(name, &value()?)?,
                "--run" => options.runs.push(value()?.parse()?),
                "--only" => options.only.push(value()?),
                "--audit" => options.audit = true,
                "--json" => options.json = Some(value()?.into()),
                other => bail!("unknown option {other:?}\n{USAGE}"),
            }
        }
        options.settings.check()?;
        Ok(Some(options))
    }
}

/// Where this machine keeps documentation.
fn documentation() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let registry = home.map(|home| home.join(".cargo/registry/src"));
    [Some(PathBuf::from("/usr/share/doc")), registry]
        .into_iter()
        .flatten()
        .filter(|dir| dir.is_dir())
        .collect()
}

/// Rounds of some lengths, cut finely and coarsely, with one segment of each replayed.
fn audits(lab: &Lab, quick: bool) -> Result<Vec<AuditRow>> {
    let rounds = if quick { 1 } else { 15 };
    let int8 = Codec::Int8 { block: 256 };
    let mut rows = Vec::new();
    for (inner_steps, codec, segments) in [
        (16, ("int8", int8), 4),
        (100, ("int8", int8), 10),
        (100, ("int8", int8), 36),
        (100, ("sparse", SPARSE), 36),
    ] {
        if quick && inner_steps > 16 {
            continue;
        }
        let row = audit::cost(lab, 4e-3, inner_steps, codec, (segments, 1), rounds)?;
        eprintln!(
            "H = {inner_steps}, {segments} segments: round {:.2} s, audit {:.3} s",
            row.round, row.audit
        );
        rows.push(row);
    }
    Ok(rows)
}

fn main() -> Result<()> {
    let Some(mut options) = Options::parse(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    let start = Instant::now();
    if options.settings.texts.is_empty() {
        options.settings.texts = documentation();
    }
    if options.settings.texts.is_empty() {
        bail!("no documentation on this machine; name a folder of *.md files with --text");
    }
    let mut runs = match (options.runs.is_empty(), options.quick) {
        (false, _) => options.runs,
        (true, true) => Spec::list(spec::QUICK)?,
        (true, false) => spec::published(options.settings.batch)?,
    };
    runs.retain(|run| {
        let text = run.to_string();
        options.only.is_empty() || options.only.iter().any(|only| text.contains(only.as_str()))
    });
    let base = options.json.as_ref().map(|file| {
        let mut name = file.clone().into_os_string();
        name.push(".base");
        PathBuf::from(name)
    });
    let lab = Lab::new(options.settings, base.as_deref())?;
    let mut report = Report::open(lab.protocol().clone(), options.json.as_deref())?;
    eprintln!(
        "{:>7.1} s  held-out loss {:.4} where the runs part",
        start.elapsed().as_secs_f64(),
        lab.protocol().base_loss
    );
    if options.audit {
        report.set_audits(audits(&lab, options.quick)?)?;
        runs.clear();
    }
    for run in runs {
        if report.has(&run) {
            continue;
        }
        let row = lab.run(&run)?;
        let loss = row.loss.unwrap_or(f64::NAN);
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{seconds:>7.1} s  {:<28} loss {loss:.4}", row.spec);
        report.add(row)?;
    }
    print!("{}", report.markdown()?);
    Ok(())
}
