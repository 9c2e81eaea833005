//! `train watch`: a run as it goes on.

use super::status::{number, run_json};
use crate::{
    cli::options::{JsonOption, NodeOptions},
    training::history::History,
};
use anyhow::{bail, Result};
use chasqui_primitives::RunId;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{json, Value};

/// Earlier blocks that are read for losses and speed.
const BLOCKS: u32 = 500;

/// Follow a run until it is over.
#[derive(Debug, clap::Args)]
pub struct WatchCommand {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: RunId,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Three lines: rounds, the phase that runs, and numbers.
struct Bars {
    rounds: ProgressBar,
    phase: ProgressBar,
    numbers: ProgressBar,
}

impl Bars {
    fn new() -> Result<Self> {
        let all = MultiProgress::new();
        let bar = |style: &str| -> Result<ProgressBar> {
            let bar = all.add(ProgressBar::new(0));
            bar.set_style(ProgressStyle::with_template(style)?);
            Ok(bar)
        };
        Ok(Self {
            rounds: bar("rounds   {bar:30} {pos}/{len}  {msg}")?,
            phase: bar("{prefix:8} {bar:30} {pos}/{len} members  {msg}")?,
            numbers: bar("         {msg}")?,
        })
    }

    fn show(&self, status: &Value, history: &History) {
        let count = |field: &str| status[field].as_u64().unwrap_or_default();
        let phase = status["phase"].as_str().unwrap_or_default();
        self.rounds.set_length(count("rounds"));
        self.rounds.set_position(count("round"));
        self.rounds
            .set_message(format!("{} final", count("finalRounds")));
        let (done, of) = match phase {
            "forming" => (count("active") + count("waiting"), count("minMembers")),
            "train" => (count("committed"), count("roundMembers")),
            "exchange" => (count("revealed"), count("roundMembers")),
            _ => (count("accepted"), count("roundMembers")),
        };
        self.phase.set_prefix(phase.to_owned());
        self.phase.set_length(of);
        self.phase.set_position(done);
        self.phase.set_message(match status["deadline"].as_u64() {
            Some(until) => format!("{} blocks left", until.saturating_sub(count("block"))),
            None => String::new(),
        });
        let loss = history.rounds().filter_map(|round| round.loss()).last();
        self.numbers.set_message(format!(
            "loss {}  {} tokens/s  {} members",
            number(&json!(loss), 4),
            number(&json!(history.tokens_per_second()), 0),
            count("active"),
        ));
    }
}

impl WatchCommand {
    pub async fn run(self) -> Result<()> {
        let chain = self.node.connect().await?;
        let bars = Bars::new()?;
        let mut history = History::new(self.run);
        let mut head = chain.head().await?;
        let mut read_to = head.number.saturating_sub(BLOCKS);
        loop {
            let Some(status) = run_json(&chain, &head, self.run).await? else {
                bail!(
                    "there is no run {}: see `chasqui-worker train status`",
                    self.run
                );
            };
            let created = status["createdAt"].as_u64().unwrap_or_default() as u32;
            let first = read_to.saturating_add(1).max(created);
            history.read(&chain, first, head.number, |_| {}).await?;
            read_to = head.number;
            if self.json.json {
                let loss = history.rounds().filter_map(|round| round.loss()).last();
                let mut line = status.clone();
                line["loss"] = json!(loss);
                line["tokensPerSecond"] = json!(history.tokens_per_second());
                println!("{line}");
            } else {
                bars.show(&status, &history);
            }
            if status["endedAt"].is_u64() {
                if !self.json.json {
                    println!(
                        "run {} is over: {}",
                        self.run,
                        status["detail"].as_str().unwrap_or("-")
                    );
                }
                return Ok(());
            }
            let next = chain.next_head(head.number).await?;
            head = next;
        }
    }
}
