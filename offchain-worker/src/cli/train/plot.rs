//! `train plot`: the loss of a run as a picture.

use crate::{
    cli::options::{JsonOption, NodeOptions},
    training::{curve, history::History, member::onchain},
    view::fetch,
};
use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::api;
use chasqui_primitives::RunId;
use indicatif::ProgressBar;
use serde_json::json;
use std::path::PathBuf;

/// Draw the loss of a run.
#[derive(Debug, clap::Args)]
pub struct PlotCommand {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: RunId,
    /// The picture, an .svg file.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl PlotCommand {
    pub async fn run(self) -> Result<()> {
        let is_svg = self.out.extension().is_some_and(|suffix| suffix == "svg");
        ensure!(
            is_svg,
            "--out: {} is no .svg file; write one, and have any browser or picture program convert it",
            self.out.display()
        );
        let chain = self.node.connect().await?;
        let head = chain.head().await?;
        let Some(terms) = onchain::terms(&head, self.run).await? else {
            bail!(
                "there is no run {}: see `chasqui-worker train status`",
                self.run
            );
        };
        let record = fetch!(head, api::storage().training().runs(), (self.run,));
        let around = record.context("the run is gone")?.around;
        let last = around.ended_at.unwrap_or(head.number).min(head.number);
        let blocks = u64::from(last.saturating_sub(around.created_at));
        let bar = ProgressBar::new(blocks);
        let mut history = History::new(self.run);
        let read = history.read(&chain, around.created_at, last, |done| {
            bar.set_position(u64::from(done))
        });
        read.await.context(
            "reading the run's blocks; a node that forgets old state (--state-pruning) cannot tell of them: ask an \
             archive node",
        )?;
        bar.finish_and_clear();
        let points: Vec<curve::Point> =
            history.rounds().filter_map(|round| round.point()).collect();
        ensure!(
            !points.is_empty(),
            "no member of run {} has revealed a loss yet",
            self.run
        );
        let picture = curve::draw(self.run, terms.rounds, &points)?;
        std::fs::write(&self.out, picture)
            .with_context(|| format!("--out: writing {}", self.out.display()))?;
        let value = json!({
            "run": self.run,
            "file": self.out.display().to_string(),
            "rounds": points.iter().map(curve::Point::json).collect::<Vec<_>>(),
        });
        self.json.print(&value, || {
            println!("{}: {} rounds", self.out.display(), points.len());
        });
        Ok(())
    }
}
