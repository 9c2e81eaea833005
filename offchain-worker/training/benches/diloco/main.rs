//! What seldom talking costs: the same model on the same tokens of real text, trained by one worker, by four that exchange
//! every gradient, and by four in DiLoCo rounds with each codec.
//!
//! Prints a Markdown table; `--json FILE` writes the same as JSON. Deterministic but for the times.

mod lab;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{bail, Context, Result};
use chasqui_primitives::training::{Codec, Outer};
use lab::Lab;
use report::{Report, Row};

const USAGE: &str =
    "usage: diloco [--quick] [--text DIR].. [--steps N] [--rate R] [--seed N] [--json FILE]

  --quick       a few steps, to see that it runs
  --text DIR    folder with *.md files to train on; default: this machine's documentation
  --steps N     inner steps of each of the four members (default 1280)
  --rate R      highest inner learning rate (default 0.004)
  --seed N      of the initial weights and the order of the data (default 1)
  --only NAME   only runs whose name contains it, and the data-parallel one
  --json FILE   writes everything there too";

/// Members of a run.
pub const MEMBERS: u32 = 4;
/// The sparse codec of the Covenant runs: 64 of 4,096.
const SPARSE: Codec = Codec::Sparse {
    chunk: 4096,
    keep: 64,
    decay_ppm: 950_000,
};
const INT8: Codec = Codec::Int8 { block: 256 };

struct Options {
    quick: bool,
    texts: Vec<PathBuf>,
    steps: u32,
    rate: f64,
    seed: u64,
    only: Option<String>,
    json: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options = Self {
            quick: false,
            texts: Vec::new(),
            steps: 1_280,
            rate: 4e-3,
            seed: 1,
            only: None,
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
                "--quick" => {
                    options.quick = true;
                    options.steps = 64;
                }
                "--text" => options.texts.push(value("--text")?.into()),
                "--steps" => {
                    options.steps = value("--steps")?
                        .parse()
                        .context("--steps wants a number")?
                }
                "--rate" => {
                    options.rate = value("--rate")?.parse().context("--rate wants a number")?
                }
                "--seed" => {
                    options.seed = value("--seed")?.parse().context("--seed wants a number")?
                }
                "--only" => options.only = Some(value("--only")?),
                "--json" => options.json = Some(value("--json")?.into()),
                other => bail!("unknown option {other:?}\n{USAGE}"),
            }
        }
        if options.steps == 0 {
            bail!("--steps is 0; at least one is needed");
        }
        if !(options.rate > 0.0 && options.rate < 1.0) {
            bail!("--rate is {}, must lie between 0 and 1", options.rate);
        }
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

/// One DiLoCo run to make.
struct Plan {
    name: String,
    inner_steps: u32,
    codec: Codec,
    outer: Outer,
}

fn plans(quick: bool) -> Vec<Plan> {
    let nesterov = Outer::default();
    // Error feedback keeps what was not sent, which outer momentum would count twice.
    let plain = Outer {
        rate_ppm: 1_000_000,
        momentum_ppm: 0,
        nesterov: false,
    };
    let plan = |codec, inner_steps, outer| Plan {
        name: format!(
            "DiLoCo, H = {inner_steps}, {}",
            match codec {
                Codec::F32 => "f32",
                Codec::Int8 { .. } => "int8",
                Codec::Sparse { .. } => "sparse",
            }
        ),
        inner_steps,
        codec,
        outer,
    };
    match quick {
        true => vec![
            plan(Codec::F32, 16, nesterov),
            plan(INT8, 16, nesterov),
            plan(SPARSE, 4, plain),
        ],
        false => vec![
            plan(Codec::F32, 10, nesterov),
            plan(Codec::F32, 32, nesterov),
            plan(Codec::F32, 128, nesterov),
            plan(INT8, 10, nesterov),
            plan(INT8, 128, nesterov),
            plan(SPARSE, 10, plain),
            plan(SPARSE, 32, plain),
        ],
    }
}

fn main() -> Result<()> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    let start = Instant::now();
    let texts = match options.texts.is_empty() {
        true => documentation(),
        false => options.texts.clone(),
    };
    if texts.is_empty() {
        bail!("no documentation on this machine; name a folder of *.md files with --text");
    }
    let lab = Lab::new(&texts, options.steps, options.rate, options.seed)?;
    let wanted = |name: &str| {
        options
            .only
            .as_deref()
            .is_none_or(|only| name.contains(only))
    };
    let mut rows = Vec::new();
    let mut add = |row: Row| {
        eprintln!(
            "{:>7.1} s  {:<28} loss {:.4}",
            start.elapsed().as_secs_f64(),
            row.name,
            row.loss
        );
        rows.push(row);
    };
    add(lab.data_parallel()?);
    if wanted("one worker") {
        add(lab.one_worker()?);
    }
    for plan in plans(options.quick) {
        if wanted(&plan.name) {
            add(lab.diloco(plan.name, plan.inner_steps, plan.codec, plan.outer)?);
        }
    }
    let report = Report::new(&lab, rows, start.elapsed().as_secs_f64());
    print!("{}", report.markdown());
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}
