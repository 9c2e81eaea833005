//! Fetching blobs from peers: several at once, each chunk checked against the root, asked for again elsewhere when it is
//! bad or does not come.

mod peers;
mod run;
#[cfg(test)]
mod tests;
mod wire;

pub use wire::{OverNetwork, Wire};

use super::{
    fault::Fault,
    holders::Holders,
    shelf::{Shelf, ShelfError},
};
use chasqui_blobs::BlobError;
use serde::Serialize;
use sp_core::H256;
use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    time::Duration,
};
use tokio::sync::{watch, Semaphore};

const LOG_TARGET: &str = "blobs";
/// Most fetches that are asked for at once, those that wait for their turn included.
const MAX_WAITING: usize = 256;

/// How blobs are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most fetches at work at once; others wait.
    pub fetches: usize,
    /// Most chunks of one fetch on their way at once.
    pub parallel: usize,
    /// Most requests to one peer at once, all fetches together.
    pub per_peer: usize,
    /// A chunk that does not come in so long is asked for elsewhere too.
    pub hedge: Duration,
    /// How long a peer that lacks the blob is left alone.
    pub rest: Duration,
}

impl Default for Settings {
    /// 4 fetches at work, 16 chunks each, 4 requests a peer, 3 seconds for a chunk, 5 seconds for a peer without the blob.
    fn default() -> Self {
        Self {
            fetches: 4,
            parallel: 16,
            per_peer: 4,
            hedge: Duration::from_secs(3),
            rest: Duration::from_secs(5),
        }
    }
}

/// Why a fetch ended without the blob. What has come is kept for the next one.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing more came.
    #[error(
        "blob {root:?}: {} in {} s: {}",
        match .chunks { Some((got, all)) => format!("{got} of {all} chunks are here, and nothing more came"), None => "no peer has it".into() },
        .waited.as_secs(),
        if .tried.is_empty() { "no peer is connected".into() } else { .tried.join("; ") }
    )]
    Unavailable {
        /// The blob.
        root: H256,
        /// How many chunks are here, of how many, where it is known what the blob is.
        chunks: Option<(u64, u64)>,
        /// For how long nothing came.
        waited: Duration,
        /// What became of each peer that was asked.
        tried: Vec<String>,
    },
    /// The blob is larger than is wanted, which its root proves.
    #[error("blob {root:?} has {len} bytes, more than the {limit} allowed")]
    TooLarge { root: H256, len: u64, limit: u64 },
    /// The blob's chunks are too large or too many, which its root proves.
    #[error("blob {root:?} has {chunks} chunks of {chunk} bytes, which do not travel")]
    Shape { root: H256, chunks: u64, chunk: u32 },
    /// Too many are under way.
    #[error("{MAX_WAITING} blobs are being fetched already; try again later")]
    Crowded,
    /// The folder's trouble, or the quota's.
    #[error("fetching blob {root:?}: {source}; what has come is kept")]
    Shelf { root: H256, source: ShelfError },
}

/// How far a fetch is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The blob.
    pub root: H256,
    /// Where it stands.
    pub state: State,
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes of the blob, once known.
    pub total: Option<u64>,
    /// Peers that gave something of it.
    pub peers: usize,
    /// Why it failed.
    pub error: Option<String>,
}

/// Where a fetch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Waits for its turn.
    Waiting,
    /// Looks for somebody who says what the blob is.
    Searching,
    /// Chunks come.
    Fetching,
    /// The blob is here, whole.
    Done,
    /// It ended without the blob.
    Failed,
}

impl Progress {
    fn new(root: H256) -> Self {
        Self {
            root,
            state: State::Waiting,
            bytes: 0,
            total: None,
            peers: 0,
            error: None,
        }
    }

    /// Whether nothing more happens.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed)
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The blob.
    pub root: H256,
    /// Most bytes.
    pub max_bytes: u64,
    /// Whether it stays when the quota is reached.
    pub pin: bool,
    /// The fetch ends when nothing comes for so long.
    pub patience: Duration,
}

struct Running {
    progress: watch::Receiver<Progress>,
    pin: Arc<AtomicBool>,
}

/// Fetches blobs onto the shelf.
pub struct Fetcher {
    shelf: Arc<Shelf>,
    wire: Arc<dyn Wire>,
    holders: Arc<Mutex<Holders>>,
    load: Arc<peers::Load>,
    settings: Settings,
    fault: Arc<Fault>,
    running: Mutex<HashMap<H256, Running>>,
    turns: Semaphore,
}

impl Fetcher {
    /// Puts what `wire` brings onto `shelf`, from whoever `holders` names, else from whoever is connected.
    pub fn new(
        shelf: Arc<Shelf>,
        wire: Arc<dyn Wire>,
        holders: Arc<Mutex<Holders>>,
        settings: Settings,
        fault: Arc<Fault>,
    ) -> Arc<Self> {
        Arc::new(Self {
            shelf,
            wire,
            holders,
            load: Arc::new(peers::Load::new(settings.per_peer)),
            turns: Semaphore::new(settings.fetches),
            settings,
            fault,
            running: Mutex::default(),
        })
    }

    fn running(&self) -> MutexGuard<'_, HashMap<H256, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is being fetched.
    pub fn under_way(&self) -> Vec<Progress> {
        let running = self.running();
        let mut all: Vec<Progress> = running
            .values()
            .map(|running| running.progress.borrow().clone())
            .collect();
        drop(running);
        all.sort_by_key(|progress| progress.root);
        all
    }

    /// Starts a fetch, or joins the one of the same blob (whose bounds then hold). It ends early when nobody holds the
    /// receiver any more; what has come is kept. The future does the work and wants to be spawned; there is none where a
    /// fetch is joined.
    pub fn fetch(
        self: &Arc<Self>,
        wanted: Wanted,
    ) -> Result<
        (
            watch::Receiver<Progress>,
            Option<impl std::future::Future<Output = ()> + Send + 'static>,
        ),
        FetchError,
    > {
        let mut running = self.running();
        if let Some(joined) = running.get(&wanted.root) {
            // One that everybody left ends now: it cannot be joined.
            if !joined.progress.borrow().is_over() && joined.progress.has_changed().is_ok() {
                joined.pin.fetch_or(wanted.pin, Ordering::Relaxed);
                return Ok((joined.progress.clone(), None));
            }
        }
        if running.len() >= MAX_WAITING {
            return Err(FetchError::Crowded);
        }
        let (progress, receiver) = watch::channel(Progress::new(wanted.root));
        let pin = Arc::new(AtomicBool::new(wanted.pin));
        let kept = Running {
            progress: receiver.clone(),
            pin: pin.clone(),
        };
        running.insert(wanted.root, kept);
        drop(running);
        Ok((receiver, Some(self.clone().work(wanted, pin, progress))))
    }

    async fn work(
        self: Arc<Self>,
        wanted: Wanted,
        pin: Arc<AtomicBool>,
        progress: watch::Sender<Progress>,
    ) {
        let left = async {
            // The table holds one receiver.
            while progress.receiver_count() > 1 {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let outcome = tokio::select! {
            outcome = self.run(wanted, &pin, &progress) => Some(outcome),
            () = left => None,
        };
        self.running().remove(&wanted.root);
        match outcome {
            Some(Ok(())) => progress.send_modify(|progress| progress.state = State::Done),
            Some(Err(error)) => {
                log::info!(target: LOG_TARGET, "{error}");
                progress.send_modify(|progress| {
                    progress.state = State::Failed;
                    progress.error = Some(error.to_string());
                });
            }
            None => log::debug!(target: LOG_TARGET, "nobody waits for {:?}", wanted.root),
        }
    }

    async fn run(
        &self,
        wanted: Wanted,
        pin: &AtomicBool,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), FetchError> {
        // Never closed.
        let _turn = self.turns.acquire().await;
        run::Run::new(self, wanted, pin, progress).fetch().await
    }
}

/// Runs what blocks on the disk.
async fn on_disk<T: Send + 'static>(
    root: H256,
    work: impl FnOnce() -> Result<T, ShelfError> + Send + 'static,
) -> Result<T, FetchError> {
    let outcome = match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The node is stopping.
        Err(error) => Err(ShelfError::Blob(BlobError::io(
            "wait for",
            std::path::Path::new("the disk"),
        )(std::io::Error::other(error)))),
    };
    outcome.map_err(|source| FetchError::Shelf { root, source })
}
