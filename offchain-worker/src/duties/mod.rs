//! What an operator's worker owes the chain, and doing it.
//!
//! Every duty is read from the chain's state ([`find()`]), never from an event: events say when to look again, and
//! nothing more. So a worker that was killed, or whose node was away, finds exactly what it still owes. What it has
//! under way is kept in memory only to avoid doing it twice; what must survive on disk is a verdict between its
//! commitment and its reveal ([`verdicts`]).
//!
//! `follow` is the loop, `watch` decides when to look, `news` reads events, `place` keeps how far they were read,
//! `progress` what was started; `compute`, `judge` (with `training` and `datasets`) and
//! `calibrate` do what is owed.

mod calibrate;
mod compute;
mod datasets;
mod find;
mod follow;
mod judge;
mod news;
mod place;
mod progress;
mod stock;
pub mod training;
pub mod verdicts;
mod watch;

use crate::{
    blobs::{
        exchange::{NodeBlobs, Shares},
        BlobStore,
    },
    config::Config,
    fault::Fault,
    metrics::Metrics,
    models::ModelCache,
    training::member::duty as members,
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{AccountId32, Chain, ChainError, Head, Signer};
use chasqui_primitives::{audit::Stage, CaseId, CheckpointRoot, JobId};
use chasqui_session::journal::ExecutorJournal;
use progress::Progress;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, SemaphorePermit};
use verdicts::VerdictStore;

pub use find::{find, operator_of};

/// One thing owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Say that the prompt is here, compute, commit.
    Compute { job: JobId },
    /// Replay and commit to a verdict.
    Commit {
        case: CaseId,
        stage: DutyStage,
        round: u32,
    },
    /// Reveal it.
    Reveal {
        case: CaseId,
        stage: DutyStage,
        round: u32,
    },
    /// Put on chain what auditors say is withheld.
    Opening { case: CaseId },
    /// Measure honest runs of a proposed checkpoint.
    Calibrate { root: CheckpointRoot },
}

/// [`Stage`], as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DutyStage {
    One,
    Two,
}

impl From<DutyStage> for Stage {
    fn from(stage: DutyStage) -> Self {
        match stage {
            DutyStage::One => Stage::One,
            DutyStage::Two => Stage::Two,
        }
    }
}

impl From<Stage> for DutyStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::One => DutyStage::One,
            Stage::Two => DutyStage::Two,
        }
    }
}

impl Duty {
    /// Name of its kind, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Duty::Compute { .. } => "compute",
            Duty::Commit { .. } => "audit",
            Duty::Reveal { .. } => "reveal",
            Duty::Opening { .. } => "opening",
            Duty::Calibrate { .. } => "calibrate",
        }
    }
}

/// A worker: one operator's hot key, its models, its duties.
pub struct Worker {
    pub chain: Chain,
    pub signer: Signer,
    pub operator: AccountId32,
    pub blobs: BlobStore,
    /// Which blobs are handed out to other workers, where this one listens.
    pub shares: Arc<Shares>,
    /// The node as a source of blobs.
    pub node_blobs: Option<NodeBlobs>,
    pub models: ModelCache,
    pub verdicts: VerdictStore,
    pub metrics: Metrics,
    pub fault: Option<Fault>,
    pub state_dir: PathBuf,
    device: Arc<Semaphore>,
    progress: Mutex<Progress>,
    /// Where it serves sessions: what it answered in them.
    sessions: OnceLock<Arc<ExecutorJournal>>,
}

impl Worker {
    /// Connects (waiting for the node), finds the operator that the hot key signs for, opens blobs and state.
    pub async fn open(config: &Config, fault: Option<Fault>) -> Result<Arc<Self>> {
        let signer = config.signer()?;
        let chain = Chain::connect_patiently(&config.node, config.expected_genesis()?, |error| {
            tracing::warn!(%error, "waiting for the node");
        })
        .await?;
        let account = signer.account();
        let operator = loop {
            let found = match chain.head().await {
                Ok(head) => find::operator_of(&head, &account).await,
                Err(error) => Err(error.into()),
            };
            match found {
                Ok(Some(operator)) => break operator,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "looking for the operator");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Ok(None) => {
                    tracing::warn!(hot_key = %account,
                        "no operator has this hot key yet: run `chasqui-worker operator register`");
                    tokio::time::sleep(Duration::from_secs(3)).await;
                }
            }
        };
        std::fs::create_dir_all(&config.state_dir)
            .with_context(|| format!("creating `state_dir` {}", config.state_dir.display()))?;
        let blobs = BlobStore::open_dir(&config.blob_dir)?;
        let models = ModelCache::new(
            blobs.clone(),
            config.state_dir.join("models"),
            &config.device,
            config.batch_limits(),
            config.max_models,
        );
        let metrics = Metrics::new()?;
        if let Some(address) = config.metrics {
            metrics.clone().serve(address).await?;
        }
        let node_blobs = config
            .node_blobs
            .then(|| NodeBlobs::new(chain.clone(), blobs.clone()));
        Ok(Arc::new(Self {
            node_blobs,
            chain,
            signer,
            operator,
            blobs,
            shares: Arc::new(Shares::open(config.state_dir.join("shares"))?),
            models,
            verdicts: VerdictStore::open(config.state_dir.join("verdicts"))?,
            metrics,
            fault,
            state_dir: config.state_dir.clone(),
            device: Arc::new(Semaphore::new(config.parallel)),
            progress: Mutex::default(),
            sessions: OnceLock::new(),
        }))
    }

    /// Works until the program is stopped.
    pub async fn run(self: Arc<Self>, config: &Config) -> Result<()> {
        tracing::info!(operator = %self.operator, hot_key = %self.signer.account(),
            node = self.chain.url(), genesis = ?self.chain.genesis(), "worker started");
        crate::sessions::serve::start(&self, config).await?;
        let share = config.share_models && config.listen.is_some();
        tokio::spawn(stock::keep(self.clone(), share));
        if config.share_datasets && config.listen.is_some() {
            tokio::spawn(datasets::hand_out(self.clone()));
        }
        if let Some(node) = self.node_blobs.clone() {
            let memory = Arc::new(Shares::open(self.state_dir.join("node-blobs"))?);
            tokio::spawn(node.offer(self.shares.clone(), memory));
        }
        tokio::spawn(members::keep(self.clone(), config.clone()));
        follow::follow(self).await
    }

    /// This worker answers in sessions, and this is their journal.
    pub fn serves_sessions(&self, journal: Arc<ExecutorJournal>) {
        let _ = self.sessions.set(journal);
    }

    /// The journal of the sessions that it serves.
    pub fn sessions(&self) -> Option<&Arc<ExecutorJournal>> {
        self.sessions.get()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Starts what is owed at `head` and not under way.
    fn take_up(self: &Arc<Self>, owed: Vec<Duty>, head: &Head) {
        self.progress().forget_all_but(&owed);
        for duty in owed {
            if self.progress().start(duty, head.number, Instant::now()) {
                tokio::spawn(self.clone().try_to(duty, head.clone()));
            }
        }
    }

    async fn try_to(self: Arc<Self>, duty: Duty, head: Head) {
        let number = head.number;
        let outcome = self.clone().perform(duty, head).await;
        let best = self.chain.best_number().await.unwrap_or(number);
        let ended = match outcome {
            Ok(()) => {
                self.progress().done(duty, best);
                "done"
            }
            Err(error) => {
                // The chain often answers "no longer owed" here: the next block shows what is.
                tracing::warn!(?duty, error = format!("{error:#}"), "duty failed");
                self.progress().failed(duty, Instant::now());
                "failed"
            }
        };
        let counter = self.metrics.duties.with_label_values(&[duty.kind(), ended]);
        counter.inc();
    }

    async fn perform(self: Arc<Self>, duty: Duty, head: Head) -> Result<()> {
        match duty {
            Duty::Compute { job } => compute::compute(&self, job).await,
            Duty::Commit { case, stage, round } => judge::commit(&self, case, stage, round).await,
            Duty::Reveal { case, stage, round } => {
                judge::reveal(&self, case, stage, round, &head).await
            }
            Duty::Opening { case } => judge::post_opening(&self, case, &head).await,
            Duty::Calibrate { root } => calibrate::calibrate(&self, root).await,
        }
    }

    /// Waits for a turn on the device: held while a model computes, never while waiting for the chain.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        Ok(self.device.acquire().await?)
    }

    /// The turns themselves, for whoever takes many.
    pub fn turns(&self) -> Arc<Semaphore> {
        self.device.clone()
    }

    /// What training and its replay run on: the worker's device where burn has it in this build, else the processor.
    pub fn training_device(&self) -> String {
        let device = self.models.device();
        match chasqui_engine::device::open(device) {
            Ok(_) => device.to_owned(),
            Err(error) => {
                tracing::debug!(%error, "training runs on the processor");
                "cpu".into()
            }
        }
    }

    /// Submits with the hot key.
    pub async fn submit<Call: subxt::tx::Payload>(&self, call: &Call) -> Result<(), ChainError> {
        self.chain.submit(&self.signer, call).await.map(drop)
    }

    /// Ends the process at once, as a crash would, the first time this state folder sees `what`.
    pub fn crash_once(&self, what: &str) -> Result<()> {
        let mark = self.state_dir.join(format!("{what}.crashed"));
        if mark.exists() {
            return Ok(());
        }
        std::fs::write(&mark, b"")?;
        tracing::error!(what, "test fault: ending the process");
        std::process::exit(137)
    }
}

/// A model's answer in a thread of its own: tensor work must not block the runtime, and a panic in it must end in an
/// error for one request, not in a dead worker.
pub async fn on_device<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => bail!("the computation broke off: {error}"),
    }
}
