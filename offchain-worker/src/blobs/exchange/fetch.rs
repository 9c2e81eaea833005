//! Getting a blob from whoever has it.

use std::{
    collections::{BTreeSet, VecDeque},
    future::Future,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chasqui_primitives::blob::BlobInfo;
use chasqui_session::{
    blobs::{PeerError, Peers, PeersConfig, MAX_ASK_CHUNKS},
    Endpoint,
};
use futures::{stream::FuturesUnordered, StreamExt};
use sp_core::H256;
use tokio::time::{sleep, sleep_until, Instant};

use super::{
    error::{about, FetchError},
    NodeBlobs,
};
use chasqui_blobs::{BlobError, BlobStore, Description, Partial};

/// How often is looked whether another fetch of the same blob has ended, or work has come back.
const LOOK: Duration = Duration::from_millis(50);
/// Patience with holders where the node can get the blob too.
const HURRY: Duration = Duration::from_secs(4);
/// Longest pause before a holder is asked again.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How a blob is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchConfig {
    /// How patient to be with each holder.
    pub peers: PeersConfig,
    /// Most holders asked at once.
    pub parallel: usize,
    /// About so many bytes are asked for at a time.
    pub batch_bytes: u64,
    /// The fetch ends when nothing more has come for so long: a holder may be about to share it.
    pub patience: Duration,
    /// Pause before a holder that failed is asked again; it doubles each time.
    pub pause: Duration,
    /// The worker's node, which is asked for what no holder gives.
    pub node: Option<NodeBlobs>,
}

impl Default for FetchConfig {
    /// 4 holders at once, 4 MiB at a time, a minute of patience, pauses from 0.2 seconds on, no node.
    fn default() -> Self {
        Self {
            peers: PeersConfig::default(),
            parallel: 4,
            batch_bytes: 4 << 20,
            patience: Duration::from_secs(60),
            pause: Duration::from_millis(200),
            node: None,
        }
    }
}

/// Gets the blob `root`, of at most `max_bytes`, into `store`: one that is there is not fetched; else from `holders`; what
/// they do not give, from the node's network, where there is one.
///
/// # Errors
/// See [`FetchError`]; what has come is kept for the next fetch. It is the holders' failure that is told.
pub async fn fetch(
    store: &BlobStore,
    root: H256,
    max_bytes: u64,
    holders: &[Endpoint],
    config: &FetchConfig,
) -> Result<BlobInfo, FetchError> {
    let announced = match &config.node {
        Some(node) if store.contains(&root) => {
            node.keep(store, &root).await;
            false
        }
        Some(node) => node.announces(&root).await,
        None => false,
    };
    let hurried;
    let config = match announced {
        // Nobody waits for a holder that is away while others have it.
        true => {
            hurried = FetchConfig {
                patience: config.patience.min(HURRY),
                ..config.clone()
            };
            &hurried
        }
        false => config,
    };
    let failed = match fetch_from(store, root, max_bytes, holders, config).await {
        Ok(info) => return Ok(info),
        Err(error) => error,
    };
    let elsewhere = matches!(
        failed,
        FetchError::NoHolders { .. } | FetchError::Unavailable { .. }
    );
    let Some(node) = config.node.as_ref().filter(|_| elsewhere) else {
        return Err(failed);
    };
    match node.fetch(store, root, max_bytes).await {
        // Checked once more, as if it had been there before.
        Ok(()) => fetch_from(store, root, max_bytes, &[], config).await,
        Err(error) => {
            tracing::debug!(
                ?root,
                error = format!("{error:#}"),
                "the node does not give it either"
            );
            Err(failed)
        }
    }
}

/// Gets the blob `root`, of at most `max_bytes`, from `holders` into `store`: from several at once, each chunk checked. A
/// holder that sends false bytes is not asked again. What came before a stop is not fetched again; the blob appears under
/// its name whole or not at all. Several may fetch the same at once: one does it.
///
/// # Errors
/// See [`FetchError`]; what has come is kept for the next fetch.
async fn fetch_from(
    store: &BlobStore,
    root: H256,
    max_bytes: u64,
    holders: &[Endpoint],
    config: &FetchConfig,
) -> Result<BlobInfo, FetchError> {
    let here = || {
        let store = store.clone();
        on_disk(root, move || match store.open(&root) {
            Ok(reader) => Ok(Some(*reader.info())),
            // One that is damaged is fetched anew.
            Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        })
    };
    let fits = |info: BlobInfo| match info.len <= max_bytes {
        true => Ok(info),
        false => Err(FetchError::TooLarge {
            root,
            len: info.len,
            limit: max_bytes,
        }),
    };
    if let Some(info) = here().await? {
        return fits(info);
    }
    if holders.is_empty() {
        return Err(FetchError::NoHolders { root });
    }
    let began = Instant::now();
    let partial = loop {
        let store = store.clone();
        if let Some(partial) = on_disk(root, move || Partial::open(&store, &root)).await? {
            break Arc::new(partial);
        }
        if began.elapsed() >= config.patience {
            return Err(FetchError::Unavailable {
                root,
                chunks: None,
                waited: began.elapsed(),
                tried: vec!["another fetch of it is under way".into()],
            });
        }
        sleep(LOOK).await;
    };
    if let Some(info) = here().await? {
        partial.discard();
        return fits(info);
    }

    let job = Job::new(root, holders, config);
    let known = {
        let partial = partial.clone();
        on_disk(root, move || Ok(partial.description())).await?
    };
    let description = match known {
        Some(description) => description,
        None => job.describe(max_bytes).await?,
    };
    fits(description.info)?;
    let description = Arc::new(description);
    let missing = {
        let (partial, description) = (partial.clone(), description.clone());
        on_disk(root, move || {
            partial.describe(&description)?;
            partial.missing(&description)
        })
        .await?
    };
    let disk = OnDisk {
        root,
        partial: partial.clone(),
        description: description.clone(),
    };
    let info = description.info;
    job.collect(&disk, &description, missing, info.chunks())
        .await?;
    on_disk(root, move || partial.publish(&description)).await?;
    Ok(info)
}

/// Runs what blocks on the disk.
async fn on_disk<T: Send + 'static>(
    root: H256,
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, FetchError> {
    let outcome = match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        // A panic in it, which goes on here as it would without a thread.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    outcome.map_err(|source| FetchError::Store { root, source })
}

/// Where chunks go that were checked.
pub(super) trait Keep: Sync {
    /// Keeps one.
    fn keep(
        &self,
        index: u64,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<(), FetchError>> + Send;
}

/// Chunks of a blob that will be whole.
struct OnDisk {
    root: H256,
    partial: Arc<Partial>,
    description: Arc<Description>,
}

impl Keep for OnDisk {
    async fn keep(&self, index: u64, bytes: Vec<u8>) -> Result<(), FetchError> {
        let (partial, description) = (self.partial.clone(), self.description.clone());
        on_disk(self.root, move || partial.keep(&description, index, &bytes)).await
    }
}

/// A holder that waits for its turn.
struct Waiting {
    index: usize,
    not_before: Instant,
    failures: u32,
}

/// One fetch.
pub(super) struct Job<'a> {
    root: H256,
    config: &'a FetchConfig,
    holders: Vec<&'a Endpoint>,
    peers: Peers,
    state: Mutex<State>,
}

struct State {
    waiting: VecDeque<Waiting>,
    /// What became of each holder last.
    tried: Vec<String>,
    /// When something came last.
    progress: Instant,
}

/// Chunks that are to be fetched.
struct Todo {
    chunks: VecDeque<u64>,
    /// How many have not come, those under way included.
    left: u64,
}

impl<'a> Job<'a> {
    pub(super) fn new(root: H256, holders: &'a [Endpoint], config: &'a FetchConfig) -> Self {
        let mut seen = BTreeSet::new();
        let holders: Vec<&Endpoint> = holders
            .iter()
            .filter(|holder| seen.insert((&holder.url, holder.tls_key)))
            .collect();
        let now = Instant::now();
        let waiting = (0..holders.len()).map(|index| Waiting {
            index,
            not_before: now,
            failures: 0,
        });
        Self {
            root,
            config,
            state: Mutex::new(State {
                waiting: waiting.collect(),
                tried: holders
                    .iter()
                    .map(|holder| about(holder, &"was not asked"))
                    .collect(),
                progress: now,
            }),
            peers: Peers::new(&config.peers),
            holders,
        }
    }

    /// No await and no user code under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> usize {
        self.config.parallel.clamp(1, self.holders.len().max(1))
    }

    fn deadline(&self) -> Instant {
        self.state().progress + self.config.patience
    }

    /// The holder whose turn it is, once it is; `None` when there is none left, or it is too late.
    async fn next(&self) -> Option<Turn<'_>> {
        let waiting = self.state().waiting.pop_front()?;
        let turn = Turn {
            job: self,
            endpoint: self.holders.get(waiting.index).copied()?,
            waiting: Some(waiting),
        };
        let due = turn.waiting.as_ref()?.not_before;
        if due.max(Instant::now()) >= self.deadline() {
            return None;
        }
        sleep_until(due).await;
        Some(turn)
    }

    /// What the fetch ends with when it is too late: of how many chunks so many are here, where that is known.
    pub(super) fn unavailable(&self, chunks: Option<(u64, u64)>) -> FetchError {
        let state = self.state();
        FetchError::Unavailable {
            root: self.root,
            chunks,
            waited: state.progress.elapsed(),
            tried: state.tried.clone(),
        }
    }

    /// What the blob is.
    pub(super) async fn describe(&self, max_bytes: u64) -> Result<Description, FetchError> {
        let lane = || async {
            while let Some(turn) = self.next().await {
                let asked = self.peers.describe(turn.endpoint, &self.root, max_bytes);
                match asked.await {
                    Ok(description) => return Some(Ok(description)),
                    Err(error) => match FetchError::proven(self.root, &error) {
                        Some(proven) => return Some(Err(proven)),
                        None => turn.failed(&error),
                    },
                }
            }
            None
        };
        let mut lanes: FuturesUnordered<_> = (0..self.lanes()).map(|_| lane()).collect();
        while let Some(outcome) = lanes.next().await {
            if let Some(found) = outcome {
                return found;
            }
        }
        Err(self.unavailable(None))
    }

    /// Gets the chunks `missing`, ascending, of `wanted` in all.
    pub(super) async fn collect(
        &self,
        keep: &impl Keep,
        description: &Description,
        missing: Vec<u64>,
        wanted: u64,
    ) -> Result<(), FetchError> {
        let todo = Mutex::new(Todo {
            left: missing.len() as u64,
            chunks: missing.into(),
        });
        self.state().progress = Instant::now();
        let lane = || self.lane(keep, description, &todo);
        let mut lanes: FuturesUnordered<_> = (0..self.lanes()).map(|_| lane()).collect();
        while lock(&todo).left > 0 {
            match lanes.next().await {
                Some(outcome) => outcome?,
                None => break,
            }
        }
        drop(lanes);
        let left = lock(&todo).left;
        match left {
            0 => Ok(()),
            _ => Err(self.unavailable(Some((wanted.saturating_sub(left), wanted)))),
        }
    }

    /// Fetches from one holder after the other until nothing is left, or nobody.
    async fn lane(
        &self,
        keep: &impl Keep,
        description: &Description,
        todo: &Mutex<Todo>,
    ) -> Result<(), FetchError> {
        while let Some(mut turn) = self.next().await {
            loop {
                let Some(range) = self.take(todo, description.info.chunk) else {
                    // Others may give back what they took.
                    if lock(todo).left == 0 || Instant::now() >= self.deadline() {
                        return Ok(());
                    }
                    sleep(LOOK).await;
                    continue;
                };
                let mut rest = range.clone();
                let outcome = self
                    .batch(turn.endpoint, keep, description, &mut rest, todo)
                    .await?;
                if rest.start > range.start {
                    turn.gave();
                }
                let mut open = lock(todo);
                for index in rest.rev() {
                    open.chunks.push_front(index);
                }
                drop(open);
                if let Err(error) = outcome {
                    turn.failed(&error);
                    break;
                }
            }
        }
        Ok(())
    }

    /// The next chunks to ask for, one after the other.
    fn take(&self, todo: &Mutex<Todo>, chunk: u32) -> Option<Range<u64>> {
        let most =
            (self.config.batch_bytes / u64::from(chunk.max(1))).clamp(1, u64::from(MAX_ASK_CHUNKS));
        let mut todo = lock(todo);
        let first = todo.chunks.pop_front()?;
        let mut end = first.saturating_add(1);
        while end - first < most && todo.chunks.front() == Some(&end) {
            todo.chunks.pop_front();
            end = end.saturating_add(1);
        }
        Some(first..end)
    }

    /// Fetches the chunks of `rest` from one holder; those that came are no longer in it afterwards.
    async fn batch(
        &self,
        holder: &Endpoint,
        keep: &impl Keep,
        description: &Description,
        rest: &mut Range<u64>,
        todo: &Mutex<Todo>,
    ) -> Result<Result<(), PeerError>, FetchError> {
        let asked = self
            .peers
            .chunks(holder, &self.root, description, rest.clone());
        let mut chunks = match asked.await {
            Ok(chunks) => chunks,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            let (index, bytes) = match chunks.next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            keep.keep(index, bytes).await?;
            rest.start = index.saturating_add(1);
            let mut open = lock(todo);
            open.left = open.left.saturating_sub(1);
            drop(open);
            self.state().progress = Instant::now();
        }
    }
}

fn lock(todo: &Mutex<Todo>) -> MutexGuard<'_, Todo> {
    todo.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A holder while it is asked; afterwards it waits again.
struct Turn<'a> {
    job: &'a Job<'a>,
    endpoint: &'a Endpoint,
    waiting: Option<Waiting>,
}

impl Turn<'_> {
    /// It gave something.
    fn gave(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.failures = 0;
        }
    }

    /// It failed: it waits longer each time. One that lied is not asked again.
    fn failed(mut self, error: &PeerError) {
        let Some(mut waiting) = self.waiting.take() else {
            return;
        };
        let (job, holder) = (self.job, &self.endpoint.url);
        tracing::debug!(root = ?job.root, holder, %error, "fetching");
        let mut state = job.state();
        if let Some(line) = state.tried.get_mut(waiting.index) {
            *line = about(self.endpoint, error);
        }
        if matches!(error, PeerError::False(_)) {
            return;
        }
        let pause = job.config.pause;
        let pause = pause.saturating_mul(1 << waiting.failures.min(16));
        waiting.failures = waiting.failures.saturating_add(1);
        waiting.not_before = Instant::now() + pause.min(MAX_PAUSE);
        state.waiting.push_back(waiting);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.job.state().waiting.push_front(waiting);
        }
    }
}
