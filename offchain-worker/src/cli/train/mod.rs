//! `train`: runs, in which operators train a model together.

mod create;
mod plot;
mod status;
mod watch;

use super::options::{JsonOption, KeyOptions, NodeOptions};
use crate::training::member::{duty, onchain};
use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Chain};
use chasqui_primitives::{
    training::{Phase, Run, RunTerms},
    RunId,
};
use serde_json::json;

/// Create, join, watch and end training runs.
#[derive(Debug, clap::Subcommand)]
pub enum TrainCommand {
    /// Create a run from a file of terms (root only, until governance decides). The fund sets its budget aside.
    Create(create::CreateCommand),
    /// Take part in a run: declares to serve it where needed, and joins. The worker of this operator does the rest.
    Join(JoinCommand),
    /// Leave a run: at once before its first round, else when the running round has ended.
    Leave(RunCall),
    /// Show a run: phase, members, losses, pay; without a number, all runs.
    Status(status::StatusCommand),
    /// Follow a run: rounds, loss, tokens a second, members.
    Watch(watch::WatchCommand),
    /// Draw the loss of a run, round by round, as told by its members.
    Plot(plot::PlotCommand),
    /// Register the checkpoint that a run made, once it is over. Anybody's operator may.
    Register(RunCall),
}

/// Something that an operator does about a run.
#[derive(Debug, clap::Args)]
pub struct RunCall {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: RunId,
    #[command(flatten)]
    pub key: KeyOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Take part in a run.
#[derive(Debug, clap::Args)]
pub struct JoinCommand {
    #[command(flatten)]
    pub call: RunCall,
    /// What its worker trains on: `cpu`, or `cuda:N`. Run this on the worker's machine: what it computes there is stated.
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
}

impl TrainCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Create(command) => command.run().await,
            Self::Join(command) => command.run().await,
            Self::Leave(call) => call.leave().await,
            Self::Status(command) => command.run().await,
            Self::Watch(command) => command.run().await,
            Self::Plot(command) => command.run().await,
            Self::Register(call) => call.register().await,
        }
    }
}

/// A run and its terms.
async fn run_of(chain: &Chain, run: RunId) -> Result<(RunTerms, Run<AccountId32>)> {
    let head = chain.head().await?;
    let terms = onchain::terms(&head, run).await?;
    let state = onchain::run(&head, run).await?;
    match (terms, state) {
        (Some(terms), Some(state)) => Ok((terms, state)),
        _ => bail!("there is no run {run}: see `chasqui-worker train status`"),
    }
}

impl RunCall {
    async fn operator(&self, chain: &Chain) -> Result<AccountId32> {
        let account = self.key.signer()?.account();
        let head = chain.head().await?;
        let operator = crate::duties::operator_of(&head, &account).await?;
        operator.with_context(|| {
            format!("{account} signs for no operator: give the key of the bonded account, or its hot key")
        })
    }

    async fn leave(self) -> Result<()> {
        self.key.signer()?;
        let chain = &self.node.connect().await?;
        run_of(chain, self.run).await?;
        let operator = self.operator(chain).await?;
        let call = api::tx().training().leave(self.run);
        self.key
            .sign(
                chain,
                |signer| async move { chain.submit(&signer, &call).await },
            )
            .await?;
        let head = chain.head().await?;
        let still = onchain::member(&head, self.run, &operator).await?.is_some();
        let value = json!({ "run": self.run, "operator": operator.to_string(), "left": !still });
        self.json.print(&value, || match still {
            true => println!(
                "leaves run {} when its round has ended; keep the worker running until then",
                self.run
            ),
            false => println!("left run {}", self.run),
        });
        Ok(())
    }

    async fn register(self) -> Result<()> {
        self.key.signer()?;
        let chain = &self.node.connect().await?;
        let (_, state) = run_of(chain, self.run).await?;
        ensure!(
            state.phase.is_over(),
            "run {} is not over: it can be registered once `chasqui-worker train status {}` says finished or failed",
            self.run,
            self.run
        );
        let call = api::tx().training().register_checkpoint(self.run);
        let included = self
            .key
            .sign(
                chain,
                |signer| async move { chain.submit(&signer, &call).await },
            )
            .await?;
        let event = included
            .events
            .find_first::<api::training::events::Registered>()
            .context("registered, but no event says so")??;
        let value = json!({
            "run": self.run,
            "round": event.round,
            "checkpoint": format!("{:?}", event.root),
        });
        self.json.print(&value, || {
            println!("{:?}", event.root);
            eprintln!(
                "of round {}; validators that serve it calibrate it next",
                event.round
            );
        });
        Ok(())
    }
}

impl JoinCommand {
    async fn run(self) -> Result<()> {
        let call = self.call;
        call.key.signer()?;
        let chain = &call.node.connect().await?;
        let (terms, state) = run_of(chain, call.run).await?;
        let ending = matches!(state.phase, Phase::Cooldown { .. } | Phase::Disband { .. });
        ensure!(
            !state.phase.is_over() && !ending && !state.cancelled,
            "run {} takes no more members: it ends, or is over",
            call.run
        );
        let operator = call.operator(chain).await?;
        let device = self.device.clone();
        let class = tokio::task::spawn_blocking(move || duty::replay_class(&device))
            .await?
            .context("--device")?;
        let root = terms.root(&chain.genesis(), call.run);
        call.key
            .sign(chain, |signer| async move {
                duty::join(chain, &signer, &operator, call.run, root, class).await
            })
            .await?;
        let value = json!({
            "run": call.run,
            "operator": operator.to_string(),
            "root": format!("{root:?}"),
            "class": format!("{class:?}"),
        });
        call.json.print(&value, || {
            println!(
                "joined run {}; its worker fetches base and data, and takes part from the next round on",
                call.run
            );
        });
        Ok(())
    }
}
