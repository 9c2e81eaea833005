//! Keeping in stock what this operator declared to serve: a checkpoint that its blob folder lacks is fetched from others
//! who serve it, and, where the operator wants that, handed out to them.

use super::Worker;
use crate::{
    blobs::exchange::{checkpoint_blobs, fetch_checkpoint, FetchConfig},
    registry,
    view::fetch,
};
use anyhow::{Context, Result};
use chasqui_chain::{api, Head, H256};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How often is looked what is served.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long a checkpoint that nobody gave is left alone.
const PAUSE: Duration = Duration::from_secs(120);
/// Most operators who are asked.
const MOST_HOLDERS: usize = 16;
const GROUP: &str = "checkpoint-";

/// Looks again and again. Never ends.
pub async fn keep(worker: Arc<Worker>, share: bool) {
    let mut waiting: HashMap<H256, Instant> = HashMap::new();
    loop {
        if let Err(error) = look(&worker, share, &mut waiting).await {
            tracing::debug!(error = format!("{error:#}"), "looking what is served");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(
    worker: &Arc<Worker>,
    share: bool,
    waiting: &mut HashMap<H256, Instant>,
) -> Result<()> {
    let head = worker.chain.head().await?;
    let own = api::storage().operators().operators();
    let record = fetch!(head, own, (worker.operator,));
    let served = record
        .map(|record| record.checkpoints.0)
        .unwrap_or_default();
    for root in &served {
        let available = {
            let (worker, root) = (worker.clone(), *root);
            tokio::task::spawn_blocking(move || worker.models.is_available(&root)).await?
        };
        if !available {
            if waiting
                .get(root)
                .is_some_and(|until| *until > Instant::now())
            {
                continue;
            }
            if let Err(error) = stock(worker, &head, root).await {
                tracing::warn!(checkpoint = ?root, error = format!("{error:#}"),
                    "a checkpoint that this operator serves is not here");
                waiting.insert(*root, Instant::now() + PAUSE);
                continue;
            }
        }
        if share {
            hand_out(worker, root).await?;
        }
    }
    for group in worker.shares.names() {
        let kept = share && served.iter().any(|root| group_of(root) == group);
        if group.starts_with(GROUP) && !kept {
            worker.shares.drop_group(&group)?;
        }
    }
    Ok(())
}

fn group_of(root: &H256) -> String {
    format!("{GROUP}{}", hex::encode(root.as_bytes()))
}

/// Fetches what is missing of a checkpoint. Of anything else that is served (a run) nothing is to be done here.
async fn stock(worker: &Arc<Worker>, head: &Head, root: &H256) -> Result<()> {
    let registered = fetch!(head, api::storage().checkpoints().registry(), (*root,));
    if registered.is_none() {
        return Ok(());
    }
    let holders = registry::holders(head, root, &worker.operator, MOST_HOLDERS).await?;
    let began = Instant::now();
    let config = FetchConfig {
        node: worker.node_blobs.clone(),
        ..FetchConfig::default()
    };
    let manifest = fetch_checkpoint(&worker.blobs, root, &holders, &config).await?;
    tracing::info!(checkpoint = ?root, bytes = manifest.total_bytes(),
        seconds = began.elapsed().as_secs_f64(), "fetched a checkpoint from others who serve it");
    Ok(())
}

async fn hand_out(worker: &Arc<Worker>, root: &H256) -> Result<()> {
    let (worker, root) = (worker.clone(), *root);
    let work = move || match checkpoint_blobs(&worker.blobs, &root) {
        Ok(blobs) => worker.shares.put(&group_of(&root), blobs),
        // A run, or not here yet.
        Err(_) => Ok(()),
    };
    tokio::task::spawn_blocking(work)
        .await?
        .context("sharing a checkpoint")
}
