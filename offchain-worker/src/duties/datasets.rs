//! Datasets as a duty: judging one that was submitted, and handing out those that lie here.

use super::Worker;
use crate::{
    blobs::exchange::{FetchConfig, PeersConfig},
    datasets::{self, judge::Claim, shelf::Shelf},
    view::fetch,
};
use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, H256};
use chasqui_primitives::{
    audit::{Evidence, HardReason, Verdict},
    CaseId, DatasetId,
};
use std::{sync::Arc, time::Duration};

/// Most operators that are asked for a dataset.
const MOST_HOLDERS: usize = 64;
/// How many of them at once.
const PARALLEL: usize = 16;
/// How long nothing may come: the submitter's worker may be restarting.
const PATIENCE: Duration = Duration::from_secs(12);
/// That nobody gives it is said in so many last blocks of the window, and asked again before: whoever serves it may be away
/// for a minute, or have many to serve.
const LAST_BLOCKS: u32 = 20;
/// How often is looked whether a dataset was submitted: an audit follows a few blocks later.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// After so many looks all are read again: some may have left.
const LOOKS: u32 = 100;
const GROUP: &str = "datasets";

fn config() -> FetchConfig {
    FetchConfig {
        peers: PeersConfig {
            connect: Duration::from_secs(4),
            frame: PATIENCE,
            ..PeersConfig::default()
        },
        parallel: PARALLEL,
        patience: PATIENCE,
        ..FetchConfig::default()
    }
}

/// The verdict on the dataset that case `id` is about, to be committed to before block `until`.
///
/// # Errors
/// The chain or the disk fails, or nobody gives the dataset while there is time to ask again.
pub async fn judge(
    worker: &Arc<Worker>,
    id: CaseId,
    number: DatasetId,
    panel: H256,
    until: u32,
) -> Result<(Verdict, Evidence)> {
    let head = worker.chain.head().await?;
    let record = datasets::by_number(&head, number).await?;
    let record =
        record.with_context(|| format!("case {id} is about dataset {number}, which is gone"))?;
    let claim = Claim {
        root: record.root(),
        terms: record.terms(),
    };
    let own = Some(&worker.operator);
    let holders = datasets::holders(&head, &record.submitter(), own, MOST_HOLDERS).await?;
    let judged = datasets::judge::judge(&worker.blobs, &claim, &panel, &holders, &config()).await?;
    if judged.0 == Verdict::Hard(HardReason::Withheld) {
        let left = until.saturating_sub(worker.chain.best_number().await?);
        ensure!(
            left <= LAST_BLOCKS,
            "dataset {number} is not to be had; asking again, since {left} blocks are left to judge it"
        );
    }
    tracing::info!(case = id, dataset = number, root = ?claim.root, verdict = ?judged.0,
        asked = holders.len(), "judged a dataset");
    Ok(judged)
}

/// What is known of the registered datasets.
#[derive(Default)]
struct Known {
    next: DatasetId,
    roots: Vec<H256>,
    looks: u32,
    shelf: Shelf,
}

/// Hands out each registered dataset that lies in the blob folder. Never ends.
pub async fn hand_out(worker: Arc<Worker>) {
    let mut known = Known::default();
    loop {
        if let Err(error) = look(&worker, &mut known).await {
            tracing::debug!(
                error = format!("{error:#}"),
                "looking which datasets there are"
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(worker: &Arc<Worker>, known: &mut Known) -> Result<()> {
    let head = worker.chain.head().await?;
    let next = fetch!(head, api::storage().datasets().next_dataset(), ());
    let next = next.unwrap_or_default();
    if known.next != next || known.looks == 0 {
        known.roots = datasets::roots(&head).await?;
        known.next = next;
        known.looks = LOOKS;
    }
    known.looks = known.looks.saturating_sub(1);
    let worker = worker.clone();
    let (roots, mut shelf) = (known.roots.clone(), std::mem::take(&mut known.shelf));
    let work = move || {
        let here = shelf.datasets(&worker.blobs, &roots).iter().copied();
        worker.shares.put(GROUP, here).map(|()| shelf)
    };
    known.shelf = tokio::task::spawn_blocking(work)
        .await?
        .context("sharing datasets")?;
    Ok(())
}
