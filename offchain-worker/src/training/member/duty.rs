//! A worker's seats: one for each run that its operator is a member of, and joining those that its configuration names.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head, Signer};
use chasqui_engine::device;
use chasqui_primitives::{
    training::{List, Phase},
    RunId,
};
use chasqui_training::diloco::ReplayClass;
use sp_core::H256;
use tokio::task::JoinHandle;

use super::{
    blobs::Vault,
    onchain::{self, OnChain, Peers},
    seat::{Seat, Tools},
    shelves::run_of_group,
    step::Gone,
};
use crate::{
    config::Config,
    duties::{training::place, Worker},
    training::{config::Join, setup::Place},
    view::fetch,
};

/// How often is looked which runs there are.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause after a run could not be joined, or a seat not be opened.
const PAUSE: Duration = Duration::from_secs(30);

/// Takes part in runs until the program ends.
pub async fn keep(worker: Arc<Worker>, config: Config) {
    let mut seats = Seats::new(worker, &config);
    loop {
        if let Err(error) = seats.look().await {
            tracing::debug!(error = format!("{error:#}"), "looking which runs there are");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

struct Seats {
    worker: Arc<Worker>,
    tools: Tools,
    join: Join,
    listens: bool,
    seats: BTreeMap<RunId, JoinHandle<Gone>>,
    /// Runs of an earlier process, which may leave something behind.
    earlier: BTreeSet<RunId>,
    /// Runs that were left, or lost, since the start.
    done: BTreeSet<RunId>,
    waiting: HashMap<RunId, Instant>,
}

impl Seats {
    fn new(worker: Arc<Worker>, config: &Config) -> Self {
        let vault = Vault {
            store: worker.blobs.clone(),
            shares: worker.shares.clone(),
        };
        let training = &config.training;
        let standard = place(&worker);
        let place = Place {
            device: training.device.clone().unwrap_or(standard.device),
            threads: training.threads.unwrap_or(standard.threads),
            ..standard
        };
        let (chain, operator) = (worker.chain.clone(), worker.operator);
        let tools = Tools {
            ledger: Arc::new(OnChain::new(chain.clone(), worker.signer.clone(), operator)),
            sources: Arc::new(Peers {
                chain,
                operator,
                store: worker.blobs.clone(),
                node: worker.node_blobs.clone(),
            }),
            turns: Arc::new(worker.turns()),
            vault,
            place,
            folder: worker.state_dir.join("training"),
            challenge: training.challenge,
            disk_bytes: training.disk_gib.map(|gib| gib.saturating_mul(1 << 30)),
            metrics: worker.metrics.training.clone(),
            fault: worker.fault.clone(),
        };
        let names = worker.shares.names();
        Self {
            worker,
            tools,
            join: training.join.clone(),
            listens: config.listen.is_some(),
            seats: BTreeMap::new(),
            earlier: names.iter().filter_map(|name| run_of_group(name)).collect(),
            done: BTreeSet::new(),
            waiting: HashMap::new(),
        }
    }

    async fn look(&mut self) -> Result<()> {
        for (run, seat) in std::mem::take(&mut self.seats) {
            if !seat.is_finished() {
                self.seats.insert(run, seat);
                continue;
            }
            match seat.await {
                Ok(gone) => {
                    tracing::info!(run, "training: done with it: {gone:?}");
                    self.done.insert(run);
                }
                Err(error) => {
                    tracing::error!(run, %error, "training: a seat broke off; taking it up again");
                    self.waiting.insert(run, Instant::now() + PAUSE);
                }
            }
        }
        let head = self.worker.chain.head().await?;
        let live = fetch!(head, api::storage().training().live(), ());
        let live: BTreeSet<RunId> = live
            .map(|live| live.0)
            .unwrap_or_default()
            .into_iter()
            .collect();
        let earlier = std::mem::take(&mut self.earlier);
        for run in live.union(&earlier) {
            let waits = self
                .waiting
                .get(run)
                .is_some_and(|until| *until > Instant::now());
            if waits || self.seats.contains_key(run) {
                continue;
            }
            if let Err(error) = self.run(&head, *run, earlier.contains(run)).await {
                tracing::warn!(
                    run,
                    error = format!("{error:#}"),
                    "training: not taking part"
                );
                self.waiting.insert(*run, Instant::now() + PAUSE);
            }
        }
        Ok(())
    }

    /// Takes a seat in a run where there is one, or joins it.
    async fn run(&mut self, head: &Head, run: RunId, earlier: bool) -> Result<()> {
        let member = onchain::member(head, run, &self.worker.operator).await?;
        let sits = member.is_some_and(|member| member.list != List::Banned);
        if sits || earlier {
            // Joined again by a command.
            self.done.remove(&run);
            if sits && !self.listens {
                tracing::error!(run, "training without `listen`: nobody can check this member's work, which counts as \
                                      false; set `listen` in the configuration, or leave the run");
            }
            let seat = Seat::open(self.tools.clone(), run).await?;
            self.seats.insert(run, tokio::spawn(seat.follow()));
        } else if member.is_none() && self.join.wants(run) && !self.done.contains(&run) {
            self.join(head, run).await?;
        }
        Ok(())
    }

    async fn join(&mut self, head: &Head, run: RunId) -> Result<()> {
        let terms = onchain::terms(head, run).await?.context("no such run")?;
        let state = onchain::run(head, run).await?.context("no such run")?;
        let full = state.active.saturating_add(state.waiting) >= terms.max_members;
        let ending = state.cancelled
            || state.phase.is_over()
            || matches!(state.phase, Phase::Cooldown { .. } | Phase::Disband { .. });
        if full || ending {
            return Ok(());
        }
        let device = self.tools.place.device.clone();
        let class = tokio::task::spawn_blocking(move || replay_class(&device)).await??;
        let root = terms.root(&self.worker.chain.genesis(), run);
        let (chain, signer) = (&self.worker.chain, &self.worker.signer);
        join(chain, signer, &self.worker.operator, run, root, class).await?;
        tracing::info!(run, ?class, "training: joined");
        Ok(())
    }
}

/// Whose bits training on a device gives; zero where they may differ from time to time, so that validators measure how far.
///
/// # Errors
/// The device is not there.
pub fn replay_class(device: &str) -> Result<H256> {
    let class = ReplayClass::of(&device::open(device)?)?;
    Ok(class.map(|class| class.hash()).unwrap_or_default())
}

/// Declares to serve a run where the operator does not yet, and joins it.
///
/// # Errors
/// The chain refuses, or the node does not answer.
pub async fn join(
    chain: &Chain,
    signer: &Signer,
    operator: &AccountId32,
    run: RunId,
    root: H256,
    class: H256,
) -> Result<()> {
    let head = chain.head().await?;
    let record = fetch!(head, api::storage().operators().operators(), (*operator,));
    let record = record.with_context(|| format!("{operator} is no operator"))?;
    anyhow::ensure!(
        record.roles.0.compute,
        "{operator} does not have the compute role, which members of runs need"
    );
    if !record.checkpoints.0.contains(&root) {
        chain
            .submit(signer, &api::tx().operators().serve(root))
            .await?;
    }
    chain
        .submit(signer, &api::tx().training().join(run, class))
        .await?;
    Ok(())
}
