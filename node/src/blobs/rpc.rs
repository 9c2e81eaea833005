//! `blobs_*`: what a worker, or whoever runs this node, asks of it. All of them are denied to strangers.

use super::{
    fetch::{FetchError, Fetcher, Progress, State, Wanted},
    holders::Holders,
    shelf::{Entry, Shelf, ShelfError},
};
use chasqui_primitives::blob::MAX_BLOB_BYTES;
use futures::{stream, StreamExt};
use jsonrpsee::{
    core::{async_trait, RpcResult},
    proc_macros::rpc,
    types::ErrorObjectOwned,
    Extensions, PendingSubscriptionSink,
};
use sc_rpc::{
    utils::{spawn_subscription_task, PendingSubscription, RingBuffer},
    SubscriptionTaskExecutor,
};
use sc_rpc_api::check_if_safe;
use serde::{Deserialize, Serialize};
use sp_core::H256;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Error code: the folder, or its quota, refuses.
const REFUSED: i32 = 7_101;
/// Error code: too many fetches.
const CROWDED: i32 = 7_102;
/// How many updates wait for a slow reader; older ones give way to newer.
const BUFFERED_UPDATES: usize = 4;
/// Updates come at most so often.
const UPDATE_EVERY: Duration = Duration::from_millis(250);
/// Patience of a fetch that names none.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most patience, in seconds.
const MAX_PATIENCE: u64 = 24 * 3_600;
/// Most blobs that a status lists.
const MAX_LISTED: usize = 256;

/// How a blob is fetched.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FetchOptions {
    /// Most bytes of it. As many as a blob may have when absent.
    pub max_bytes: Option<u64>,
    /// Whether it stays when the quota is reached.
    pub pin: bool,
    /// The fetch ends when nothing comes for so many seconds. 60 when absent.
    pub patience: Option<u64>,
}

/// A blob that this node hands out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobView {
    /// Its root.
    pub root: H256,
    /// Length in bytes.
    pub len: u64,
    /// Whether it stays when the quota is reached.
    pub pinned: bool,
}

/// How the node's blobs stand.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The folder, on the node's machine.
    pub dir: String,
    /// Where files are put for `blobs_put`.
    pub inbox: String,
    /// Bytes that are handed out, and on their way in.
    pub used: u64,
    /// How many at most.
    pub quota: u64,
    /// How many blobs are handed out.
    pub count: usize,
    /// Those that were used last, at most 256.
    pub blobs: Vec<BlobView>,
    /// What is being fetched.
    pub fetching: Vec<Progress>,
    /// Peers that announce blobs.
    pub peers: usize,
    /// Different blobs that they announce.
    pub announced: usize,
}

/// How one blob stands.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobStatus {
    /// What is handed out.
    pub held: Option<BlobView>,
    /// How many peers announce it.
    pub holders: usize,
    /// How far its fetch is.
    pub fetching: Option<Progress>,
}

/// The node's methods for blobs.
#[rpc(server, namespace = "blobs")]
pub trait BlobsRpc {
    /// Takes in the file of that name in the node's inbox, hands it out, and removes it from the inbox; only if it has the
    /// given root, where one is given.
    #[method(name = "put", with_extensions)]
    async fn put(&self, file: String, root: Option<H256>) -> RpcResult<BlobView>;

    /// Gets a blob from other nodes. Sends how far it is until it is `done` or `failed`. Whoever unsubscribes stops the
    /// fetch, unless somebody else waits for it; what has come is kept.
    #[subscription(
        name = "fetch" => "progress",
        unsubscribe = "stopFetch",
        item = Progress,
        with_extensions
    )]
    fn fetch(&self, root: H256, options: Option<FetchOptions>);

    /// What is handed out, fetched and announced.
    #[method(name = "status", with_extensions)]
    fn status(&self) -> RpcResult<Status>;

    /// The same of one blob.
    #[method(name = "find", with_extensions)]
    fn find(&self, root: H256) -> RpcResult<BlobStatus>;

    /// Hands out a blob that lies in the folder, and keeps it whatever the quota.
    #[method(name = "pin", with_extensions)]
    async fn pin(&self, root: H256) -> RpcResult<BlobView>;

    /// Lets a blob go when the quota is reached. **Its bytes may be removed from then on.**
    #[method(name = "unpin", with_extensions)]
    async fn unpin(&self, root: H256) -> RpcResult<BlobView>;

    /// Hands out a blob no more; its bytes stay. Returns whether it was handed out.
    #[method(name = "withdraw", with_extensions)]
    async fn withdraw(&self, root: H256) -> RpcResult<bool>;
}

/// Serves [`BlobsRpc`].
pub struct Blobs {
    pub shelf: Arc<Shelf>,
    pub fetcher: Arc<Fetcher>,
    pub holders: Arc<Mutex<Holders>>,
    pub executor: SubscriptionTaskExecutor,
}

fn view(root: H256, entry: Entry) -> BlobView {
    BlobView {
        root,
        len: entry.len,
        pinned: entry.pinned,
    }
}

fn refused(error: impl ToString) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(REFUSED, error.to_string(), None::<()>)
}

/// Does `work` where blocking harms nobody.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ShelfError> + Send + 'static,
) -> RpcResult<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(refused)?.map_err(refused)
}

#[async_trait]
impl BlobsRpcServer for Blobs {
    async fn put(&self, ext: &Extensions, file: String, root: Option<H256>) -> RpcResult<BlobView> {
        check_if_safe(ext)?;
        let shelf = self.shelf.clone();
        on_disk(move || {
            let info = shelf.put(&file, root)?;
            let root = info.root();
            let entry = shelf.entry(&root).ok_or(ShelfError::Missing(root))?;
            Ok(view(root, entry))
        })
        .await
    }

    fn fetch(
        &self,
        pending: PendingSubscriptionSink,
        ext: &Extensions,
        root: H256,
        options: Option<FetchOptions>,
    ) {
        if let Err(error) = check_if_safe(ext) {
            return spawn_subscription_task(&self.executor, pending.reject(error));
        }
        let options = options.unwrap_or_default();
        let wanted = Wanted {
            root,
            max_bytes: options.max_bytes.unwrap_or(MAX_BLOB_BYTES),
            pin: options.pin,
            patience: options.patience.map_or(PATIENCE, |seconds| {
                Duration::from_secs(seconds.clamp(1, MAX_PATIENCE))
            }),
        };
        let (progress, work) = match self.fetcher.fetch(wanted) {
            Ok(started) => started,
            Err(error) => {
                let code = match error {
                    FetchError::Crowded => CROWDED,
                    _ => REFUSED,
                };
                let error = ErrorObjectOwned::owned(code, error.to_string(), None::<()>);
                return spawn_subscription_task(&self.executor, pending.reject(error));
            }
        };
        if let Some(work) = work {
            spawn_subscription_task(&self.executor, work);
        }
        let updates = updates(progress).boxed();
        spawn_subscription_task(
            &self.executor,
            PendingSubscription::from(pending)
                .pipe_from_stream(updates, RingBuffer::new(BUFFERED_UPDATES)),
        );
    }

    fn status(&self, ext: &Extensions) -> RpcResult<Status> {
        check_if_safe(ext)?;
        let (used, quota) = self.shelf.usage();
        let all = self.shelf.entries();
        let holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let (peers, (announced, _)) = (holders.peers().len(), holders.counts());
        drop(holders);
        Ok(Status {
            dir: self.shelf.store().dir().display().to_string(),
            inbox: self.shelf.inbox().display().to_string(),
            used,
            quota,
            count: all.len(),
            blobs: all
                .into_iter()
                .take(MAX_LISTED)
                .map(|(root, entry)| view(root, entry))
                .collect(),
            fetching: self.fetcher.under_way(),
            peers,
            announced,
        })
    }

    fn find(&self, ext: &Extensions, root: H256) -> RpcResult<BlobStatus> {
        check_if_safe(ext)?;
        let holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let count = holders.of(&root, Instant::now()).len();
        drop(holders);
        let mut under_way = self.fetcher.under_way().into_iter();
        Ok(BlobStatus {
            held: self.shelf.entry(&root).map(|entry| view(root, entry)),
            holders: count,
            fetching: under_way.find(|progress| progress.root == root),
        })
    }

    async fn pin(&self, ext: &Extensions, root: H256) -> RpcResult<BlobView> {
        check_if_safe(ext)?;
        let shelf = self.shelf.clone();
        on_disk(move || Ok(view(root, shelf.pin(&root)?))).await
    }

    async fn unpin(&self, ext: &Extensions, root: H256) -> RpcResult<BlobView> {
        check_if_safe(ext)?;
        let shelf = self.shelf.clone();
        on_disk(move || Ok(view(root, shelf.unpin(&root)?))).await
    }

    async fn withdraw(&self, ext: &Extensions, root: H256) -> RpcResult<bool> {
        check_if_safe(ext)?;
        let shelf = self.shelf.clone();
        on_disk(move || shelf.withdraw(&root)).await
    }
}

/// How far a fetch is, now and whenever that changes, until it is over.
fn updates(progress: watch::Receiver<Progress>) -> impl stream::Stream<Item = Progress> + Send {
    stream::unfold(Some((progress, true)), |state| async move {
        let (mut progress, first) = state?;
        if !first {
            tokio::time::sleep(UPDATE_EVERY).await;
            if progress.changed().await.is_err() {
                let mut last = progress.borrow().clone();
                if !last.is_over() {
                    // Those it was begun for left before it was over.
                    last.state = State::Failed;
                    last.error = Some("the fetch was stopped; ask again".into());
                }
                return Some((last, None));
            }
        }
        let now = progress.borrow_and_update().clone();
        let next = (!now.is_over()).then_some((progress, false));
        Some((now, next))
    })
}
