//! The chain's own network as one more source of blobs: the worker's node fetches them into the folder that both share,
//! and hands out there what the worker shares.
//!
//! It is asked last: the folder first, then other workers, who answer for what they serve, then the node. A node whose
//! folder is another, that has no blobs, or that takes this worker for a stranger is left alone.

use std::{
    collections::BTreeSet,
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{bail, Context, Result};
use chasqui_blobs::BlobStore;
use chasqui_chain::{Chain, RpcParams};
use serde::{de::IgnoredAny, Deserialize};
use serde_json::json;
use sp_core::H256;
use tokio::time::{sleep, timeout, Instant};

use super::Shares;

/// How often it is asked again whether the node's folder is this worker's.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How often is looked whether what is shared has changed.
const OFFER_EVERY: Duration = Duration::from_secs(10);
/// The node says how far it is more often than this.
const SILENCE: Duration = Duration::from_secs(120);
/// A fetch ends when nothing comes for so many seconds: somebody announced the blob, so it comes soon or not at all.
const PATIENCE: u64 = 20;
/// The group of what the node was given to hand out.
const OFFERED: &str = "node";

/// A worker's node, where it shares the folder of blobs.
#[derive(Clone)]
pub struct NodeBlobs {
    inner: Arc<Inner>,
}

struct Inner {
    chain: Chain,
    folder: BlobStore,
    ready: Mutex<Option<(Instant, bool)>>,
}

impl fmt::Debug for NodeBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeBlobs")
            .field(&self.inner.chain.url())
            .finish()
    }
}

impl PartialEq for NodeBlobs {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for NodeBlobs {}

#[derive(Deserialize)]
struct Status {
    dir: String,
}

#[derive(Deserialize)]
struct Found {
    holders: u64,
    held: Option<Held>,
}

#[derive(Deserialize)]
struct Held {
    pinned: bool,
}

#[derive(Deserialize)]
struct Progress {
    state: String,
    error: Option<String>,
}

impl NodeBlobs {
    /// The node behind `chain`, for a worker whose blobs lie in `folder`.
    pub fn new(chain: Chain, folder: BlobStore) -> Self {
        Self {
            inner: Arc::new(Inner {
                chain,
                folder,
                ready: Mutex::default(),
            }),
        }
    }

    async fn request<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        values: &[serde_json::Value],
    ) -> Result<T> {
        Ok(self.inner.chain.request(method, params(values)?).await?)
    }

    /// Whether the node shares this worker's folder.
    pub async fn is_ready(&self) -> bool {
        let known = *self
            .inner
            .ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ready)) = known.filter(|(at, _)| at.elapsed() < ASK_EVERY) {
            return ready;
        }
        let status = self.request::<Status>("blobs_status", &[]).await;
        let ready = match &status {
            Ok(status) => same(Path::new(&status.dir), self.inner.folder.dir()),
            Err(_) => false,
        };
        if known.is_none_or(|(_, before)| before != ready) {
            match (&status, ready) {
                (_, true) => tracing::info!("blobs also come and go over the node's network"),
                (Ok(status), false) => tracing::info!(node = status.dir,
                    "the node's blobs lie elsewhere: start it with --blob-dir and this worker's `blob_dir` to use its \
                     network for them"),
                (Err(error), false) => {
                    tracing::debug!(error = format!("{error:#}"), "the node lends no blobs")
                }
            }
        }
        let mut known = self
            .inner
            .ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), ready));
        ready
    }

    /// Whether the node shares the folder, and has the blob or heard of somebody who has.
    pub async fn announces(&self, root: &H256) -> bool {
        if !self.is_ready().await {
            return false;
        }
        let found = self.request::<Found>("blobs_find", &[json!(root)]).await;
        found.is_ok_and(|found| found.holders > 0 || found.held.is_some())
    }

    /// Keeps a blob of this worker's folder from going when the node's quota is reached: one that the node fetched for
    /// something else may.
    pub async fn keep(&self, store: &BlobStore, root: &H256) {
        if store.dir() != self.inner.folder.dir() || !self.is_ready().await {
            return;
        }
        let found = self.request::<Found>("blobs_find", &[json!(root)]).await;
        let loose = found.is_ok_and(|found| found.held.is_some_and(|held| !held.pinned));
        if loose {
            let pinned = self
                .request::<IgnoredAny>("blobs_pin", &[json!(root)])
                .await;
            if let Err(error) = pinned {
                tracing::warn!(
                    ?root,
                    error = format!("{error:#}"),
                    "the node may throw a blob away"
                );
            }
        }
    }

    /// Gets the blob `root`, of at most `max_bytes`, into `store`, if anybody on the node's network announces it. What goes
    /// into the worker's own folder stays there; for another store it is copied out of it.
    ///
    /// # Errors
    /// The node does not share the folder, nobody announces the blob, or it does not come.
    pub async fn fetch(&self, store: &BlobStore, root: H256, max_bytes: u64) -> Result<()> {
        // It may have been announced, or the node may have come, while holders were asked.
        if !self.announces(&root).await {
            bail!("nobody announces it to the node");
        }
        let own = store.dir() == self.inner.folder.dir();
        let options = json!({ "maxBytes": max_bytes, "pin": own, "patience": PATIENCE });
        let mut updates = self
            .inner
            .chain
            .subscribe::<Progress>(
                "blobs_fetch",
                params(&[json!(root), options])?,
                "blobs_stopFetch",
            )
            .await?;
        loop {
            let update = timeout(SILENCE, updates.next()).await;
            let update = update.context("the node says nothing any more")?;
            let update = update.context("the node ended the fetch")??;
            match update.state.as_str() {
                "done" => break,
                "failed" => bail!("the node: {}", update.error.unwrap_or_default()),
                _ => {}
            }
        }
        if own {
            return Ok(());
        }
        let (from, to) = (self.inner.folder.clone(), store.clone());
        tokio::task::spawn_blocking(move || {
            let chunk = from.open(&root)?.info().chunk;
            to.put_file_as(&from.data_path(&root), chunk, Some(root))
        })
        .await?
        .context("taking over what the node fetched")?;
        Ok(())
    }

    /// Has the node hand out what `shares` has, for as long as it has it. `memory` is a folder for what was given to the
    /// node. Never ends.
    pub async fn offer(self, shares: Arc<Shares>, memory: Arc<Shares>) {
        let mut refused = BTreeSet::new();
        loop {
            if self.is_ready().await {
                if let Err(error) = self.offer_once(&shares, &memory, &mut refused).await {
                    tracing::debug!(error = format!("{error:#}"), "offering blobs to the node");
                }
            }
            sleep(OFFER_EVERY).await;
        }
    }

    async fn offer_once(
        &self,
        shares: &Shares,
        memory: &Shares,
        refused: &mut BTreeSet<H256>,
    ) -> Result<()> {
        let wanted = shares.all();
        let given = memory.group(OFFERED);
        let mut now: BTreeSet<H256> = given.intersection(&wanted).copied().collect();
        for root in given.difference(&wanted) {
            self.request::<bool>("blobs_withdraw", &[json!(root)])
                .await?;
        }
        for root in wanted.difference(&given) {
            // What is shared but not here yet is tried again.
            if !self.inner.folder.contains(root) {
                continue;
            }
            match self
                .request::<IgnoredAny>("blobs_pin", &[json!(root)])
                .await
            {
                Ok(_) => {
                    now.insert(*root);
                }
                // Said once: it is tried again, and may fit later.
                Err(error) if refused.insert(*root) => {
                    tracing::warn!(
                        ?root,
                        error = format!("{error:#}"),
                        "the node does not hand out a blob"
                    )
                }
                Err(_) => {}
            }
        }
        memory.put(OFFERED, now)?;
        Ok(())
    }
}

fn params(values: &[serde_json::Value]) -> Result<RpcParams> {
    let mut params = RpcParams::new();
    for value in values {
        params.push(value)?;
    }
    Ok(params)
}

/// Whether two paths lead to one folder of this machine.
fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
