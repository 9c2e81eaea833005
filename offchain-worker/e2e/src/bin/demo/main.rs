//! `scripts/demo`: plays on a real node with real workers.

mod acts;
mod governance;
mod training;

use anyhow::{bail, Context, Result};
use chasqui_e2e::{chat, interrupt, scenes, Network, NodeOptions};
use clap::Parser;
use serde_json::{json, Value};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// Plays the life of a job on a network of this machine: a node, two compute workers, three validators; then three
/// cheats, each caught, slashed, and its client refunded.
///
/// Ctrl-C and SIGTERM stop every process that it started and remove the folder they wrote to. CHASQUI_BIN names the
/// folder of chasqui-node and chasqui-worker, where they do not lie beside this program; CHASQUI_E2E_DIR one to write to
/// that is kept.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Demo {
    #[command(subcommand)]
    play: Option<Play>,
    #[command(flatten)]
    ending: Ending,
    /// Only open the market: write its address, checkpoint and blob folder to --json, and keep it running.
    #[arg(long, requires = "json", conflicts_with = "once")]
    market_only: bool,
    /// What the client asks.
    #[arg(long, default_value = "Once upon a time")]
    prompt: String,
}

/// Another play than the life of a job.
#[derive(clap::Subcommand)]
enum Play {
    /// Those who contribute decide: a parameter, the price, a model, a grant, and what most are against.
    Governance {
        #[command(flatten)]
        ending: Ending,
    },
    /// The network trains a model: a fund from settled jobs, a judged dataset, four members of whom one cheats and one is
    /// killed, a fifth that comes late, and a prompt answered by what they made.
    Training {
        #[command(flatten)]
        ending: Ending,
    },
    /// A paid job on nodes that run already, as on a relay chain for tests: workers are spread over the nodes.
    Elsewhere {
        #[command(flatten)]
        ending: Ending,
        /// Address of a node; repeat it for more of them.
        #[arg(long, value_name = "URL", required = true)]
        node: Vec<String>,
        /// How much slower than a development node the chain is: limits of time are multiplied by it.
        #[arg(long, value_name = "TIMES", default_value_t = 8)]
        patience: u32,
    },
    /// A conversation of the openai package with the gateway: streamed, settled, audited, closed, and who got what.
    Chat {
        #[command(flatten)]
        ending: Ending,
        /// A Python that has the package `openai`.
        #[arg(long, value_name = "FILE", default_value = "python3")]
        python: PathBuf,
        /// Talk a second time, and put a picture of the live page into FILE (needs Chromium).
        #[arg(long, value_name = "FILE")]
        picture: Option<PathBuf>,
        /// What the user says, turn by turn.
        #[arg(value_name = "LINE")]
        lines: Vec<String>,
    },
}

#[derive(clap::Args)]
struct Ending {
    /// Stop everything and exit after the last act. Without it the network keeps running.
    #[arg(long)]
    once: bool,
    /// Write what happened to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let demo = Demo::parse();
    match interrupt::watch().and_then(|()| play(demo, Instant::now())) {
        Ok(()) => ExitCode::SUCCESS,
        // Whatever failed on the way out failed because of it.
        Err(error) => match interrupt::came() {
            Some(interrupted) => {
                eprintln!("demo: {interrupted}; all processes stopped");
                ExitCode::from(interrupted.status())
            }
            None => {
                eprintln!("demo: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn play(demo: Demo, start: Instant) -> Result<()> {
    let say = |line: &str| println!("[{:>5.1} s] {line}", start.elapsed().as_secs_f64());
    let mut network = match &demo.play {
        Some(Play::Elsewhere { node, patience, .. }) => Network::on(node.clone(), *patience)?,
        _ => {
            say("starting a development node");
            Network::start(NodeOptions::default())?
        }
    };
    say(&format!(
        "node at {}, files in {}",
        network.url(),
        network.folder().display()
    ));
    let (outcome, ending) = match demo.play {
        Some(Play::Governance { ending }) => (governance::play(&mut network, &say), ending),
        Some(Play::Training { ending }) => (training::play(&mut network, &say), ending),
        Some(Play::Chat {
            ending,
            python,
            picture,
            lines,
        }) => {
            let options = chat::Options {
                python,
                picture,
                lines,
            };
            (chat::play(&options, &mut network, &say), ending)
        }
        Some(Play::Elsewhere { ending, .. }) => {
            (acts::one_job(&demo.prompt, &mut network, &say), ending)
        }
        None if demo.market_only => (market(&mut network, &say), demo.ending),
        None => (acts::play(&demo.prompt, &mut network, &say), demo.ending),
    };
    let report = match outcome {
        Ok(report) => report,
        Err(error) => bail!("{error:#}\n{}", network.logs(25)),
    };
    if let Some(path) = &ending.json {
        write(path, &report)?;
        say(&format!("report written to {}", path.display()));
    }
    if !ending.once {
        say(&format!(
            "the network keeps running at {}; Ctrl-C stops it",
            network.url()
        ));
        loop {
            interrupt::pause(Duration::from_millis(500))?;
            if let Some(code) = network.node_ended() {
                bail!("the node ended with code {code}");
            }
        }
    }
    Ok(())
}

/// Never leaves half a report behind.
fn write(path: &Path, report: &Value) -> Result<()> {
    let draft = path.with_extension("part");
    std::fs::write(&draft, serde_json::to_vec_pretty(report)?)
        .and_then(|()| std::fs::rename(&draft, path))
        .with_context(|| format!("writing {}", path.display()))
}

fn market(network: &mut Network, say: &dyn Fn(&str)) -> Result<Value> {
    let root = network.open_market(&scenes::honest_operators(), &mut |line| say(line))?;
    Ok(json!({
        "node": network.url(),
        "checkpoint": root,
        "blobs": network.blobs(),
        "model": scenes::model("chasqui-tales")?,
    }))
}
