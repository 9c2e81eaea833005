//! The executor's service: HTTP/2 over pinned TLS, checks before anything is computed, streams, signs.

mod answer;
mod check;
mod live;
mod openings;
mod serve;

use crate::{
    audit::Audits,
    blobs::{BlobLimits, Desk, Library},
    chain::{ChainError, ChainView, Standing},
    journal::ExecutorJournal,
    wire::{Refusal, RefusalCode},
    AccountId, HashSigner,
};
use async_trait::async_trait;
use chasqui_engine::batch::Batcher;
use chasqui_primitives::{
    session::{Seq, SessionId},
    CheckpointRoot, NumericProfile,
};
use live::Live;
use openings::Openings;
use sp_core::H256;
use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, OnceLock, PoisonError,
    },
    time::Duration,
};
use tokio::sync::Semaphore;

/// Where an executor finds what computes.
#[async_trait]
pub trait Models: Send + Sync {
    /// What runs the checkpoint `root` in the precision of `profile`; `None` when this operator does not serve it.
    ///
    /// # Errors
    /// Says why it cannot be loaded now.
    async fn batcher(
        &self,
        root: &CheckpointRoot,
        profile: NumericProfile,
    ) -> Result<Option<Arc<Batcher>>, String>;
}

/// What an executor allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorConfig {
    /// Most connections at once; one more is closed at once.
    pub connections: usize,
    /// Most requests at once on one connection.
    pub streams: u32,
    /// Most request bodies that are read at once, each of up to [`crate::wire::MAX_ASK_BYTES`]: bounds their memory. Short
    /// ones, of auditors and others who ask for what is held, are as many as connections.
    pub reading: usize,
    /// Most requests that are computed or wait for it.
    pub computing: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for a request's body.
    pub body: Duration,
    /// A connection without requests is closed after this.
    pub idle: Duration,
    /// A connection is pinged so often, and closed when a ping is not answered within the same time.
    pub keep_alive: Duration,
    /// A connection is closed after this, whatever it does: the answer under way can be had on another.
    pub age: Duration,
    /// How far below the running unit price a request may be, in millionths: one that was signed before the epoch's
    /// price changed is still served.
    pub price_slack_ppm: u32,
}

impl Default for ExecutorConfig {
    /// 1,024 connections of 32 requests, 64 bodies (33 MiB), 256 computations; seconds: 10 for a handshake, 10 for a
    /// body, 300 idle, 20 between pings, 3,600 of age; 10% below the price, which is one epoch's step.
    fn default() -> Self {
        Self {
            connections: 1_024,
            streams: 32,
            reading: 64,
            computing: 256,
            handshake: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            keep_alive: Duration::from_secs(20),
            age: Duration::from_secs(3_600),
            price_slack_ppm: 100_000,
        }
    }
}

/// What an executor did since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were accepted.
    pub accepted: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Receipts that were signed and written down.
    pub receipts: u64,
    /// Those of them for less than the whole output, because the client hung up.
    pub cancelled: u64,
    /// Answers that were sent again.
    pub repeated: u64,
    /// Requests that were voided because they had lapsed.
    pub voided: u64,
    /// Equivocations that were kept as evidence.
    pub equivocations: u64,
    /// Connections that were closed because there were too many, or the peer was too slow.
    pub turned_away: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    receipts: AtomicU64,
    cancelled: AtomicU64,
    repeated: AtomicU64,
    voided: AtomicU64,
    equivocations: AtomicU64,
    turned_away: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// An executor cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// Its parts do not belong together.
    #[error("executor: {0}")]
    Mismatch(String),
}

/// What connections share.
struct Inner {
    config: ExecutorConfig,
    operator: AccountId,
    genesis: H256,
    chain: Arc<dyn ChainView>,
    models: Arc<dyn Models>,
    signer: Arc<dyn HashSigner>,
    journal: Arc<ExecutorJournal>,
    /// What is being computed.
    live: Mutex<HashMap<(SessionId, Seq), Arc<Live>>>,
    connections: Arc<Semaphore>,
    /// Bodies that are read; short ones by themselves.
    reading: Arc<Semaphore>,
    reading_short: Semaphore,
    computing: Arc<Semaphore>,
    /// What is opened to auditors, and who reads it.
    audits: OnceLock<Arc<dyn Audits>>,
    openings: Openings,
    /// Where blobs are handed out.
    desk: OnceLock<Arc<Desk>>,
    counters: Counters,
}

/// Serves sessions for one operator. Clones share everything.
#[derive(Clone)]
pub struct Executor {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Executor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Executor")
            .field("operator", &self.inner.operator)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Executor {
    /// An executor for the journal's operator, whose receipts `signer` signs.
    ///
    /// # Errors
    /// The journal is for another chain, or a bound is 0.
    pub fn new(
        config: ExecutorConfig,
        chain: Arc<dyn ChainView>,
        models: Arc<dyn Models>,
        signer: Arc<dyn HashSigner>,
        journal: Arc<ExecutorJournal>,
    ) -> Result<Self, ExecutorError> {
        let genesis = chain.genesis();
        if journal.genesis() != genesis {
            return Err(ExecutorError::Mismatch(format!(
                "field `genesis`: the journal is for chain {:?}, the node is on {genesis:?}",
                journal.genesis()
            )));
        }
        for (field, value) in [
            ("connections", config.connections),
            ("streams", config.streams as usize),
            ("reading", config.reading),
            ("computing", config.computing),
        ] {
            if value == 0 || value > Semaphore::MAX_PERMITS {
                return Err(ExecutorError::Mismatch(format!(
                    "field `{field}` is {value}; must be at least 1 and fit the machine"
                )));
            }
        }
        if config.price_slack_ppm > 1_000_000 {
            return Err(ExecutorError::Mismatch(format!(
                "field `price_slack_ppm` is {}; must be at most 1000000",
                config.price_slack_ppm
            )));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                operator: journal.operator().clone(),
                genesis,
                chain,
                models,
                signer,
                journal,
                live: Mutex::default(),
                connections: Arc::new(Semaphore::new(config.connections)),
                reading: Arc::new(Semaphore::new(config.reading)),
                reading_short: Semaphore::new(config.connections),
                computing: Arc::new(Semaphore::new(config.computing)),
                audits: OnceLock::new(),
                openings: Openings::default(),
                desk: OnceLock::new(),
                counters: Counters::default(),
                config,
            }),
        })
    }

    /// Opens answers to auditors from now on. The first one counts.
    pub fn open_to_auditors(&self, audits: Arc<dyn Audits>) {
        let _ = self.inner.audits.set(audits);
    }

    /// Hands out what `library` shares from now on. The first one counts.
    pub fn share_blobs(&self, library: Arc<dyn Library>, limits: BlobLimits) {
        let _ = self.inner.desk.set(Arc::new(Desk::new(library, limits)));
    }

    /// Bytes of blobs that were handed out since its start.
    pub fn blob_bytes_sent(&self) -> u64 {
        let desk = self.inner.desk.get();
        desk.map_or(0, |desk| desk.sent.load(Ordering::Relaxed))
    }

    /// What it did since its start.
    pub fn counts(&self) -> Counts {
        let counters = &self.inner.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            accepted: read(&counters.accepted),
            refused: read(&counters.refused),
            receipts: read(&counters.receipts),
            cancelled: read(&counters.cancelled),
            repeated: read(&counters.repeated),
            voided: read(&counters.voided),
            equivocations: read(&counters.equivocations),
            turned_away: read(&counters.turned_away),
        }
    }

    /// Requests that are computed now.
    pub fn computing(&self) -> usize {
        self.inner.live().len()
    }

    /// Its journal: what can be settled, and what defends it.
    pub fn journal(&self) -> &Arc<ExecutorJournal> {
        &self.inner.journal
    }
}

impl Inner {
    /// No user code runs under the lock.
    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<(SessionId, Seq), Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn standing(&self, session: &SessionId) -> Result<Standing, Refusal> {
        Self::shown(self.chain.standing(session, &self.operator).await)
    }

    /// Perhaps a moment old: nothing is refused by it.
    async fn recent_standing(&self, session: &SessionId) -> Result<Standing, Refusal> {
        Self::shown(self.chain.recent_standing(session, &self.operator).await)
    }

    fn shown(standing: Result<Option<Standing>, ChainError>) -> Result<Standing, Refusal> {
        standing
            .map_err(|error| {
                tracing::warn!(%error, "no chain to check a request against");
                Refusal::new(
                    RefusalCode::Chain,
                    "session",
                    "the executor cannot read its node now; try again, or another operator",
                )
            })?
            .ok_or_else(|| {
                Refusal::new(
                    RefusalCode::UnknownSession,
                    "session",
                    "no channel with this operator on the finalised chain; it may be a block too early",
                )
            })
    }

    /// Runs what blocks on the disk.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ExecutorJournal) -> crate::journal::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let journal = self.journal.clone();
        let outcome = tokio::task::spawn_blocking(move || work(&journal)).await;
        let failed = |error: String| {
            tracing::error!(error, "the executor's journal");
            // Paths of this machine are nobody else's business.
            Refusal::new(
                RefusalCode::Internal,
                "journal",
                "the executor cannot write its journal; another operator may be tried",
            )
        };
        match outcome {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}
