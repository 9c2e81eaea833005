//! A few chunks of a blob, for whoever is to judge it without having it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chasqui_primitives::blob::BlobInfo;
use chasqui_session::Endpoint;
use sp_core::H256;
use tokio::time::{timeout_at, Instant};

use super::{
    fetch::{FetchConfig, Job, Keep},
    FetchError,
};

/// What came of a blob.
#[derive(Debug)]
pub struct Sample {
    /// What the blob is, checked against its root.
    pub info: BlobInfo,
    /// Its chunks as far as they were wanted and came, each checked.
    pub chunks: BTreeMap<u64, Vec<u8>>,
    /// Why others did not come.
    pub short: Option<FetchError>,
}

/// Gets those chunks of the blob `root`, of at most `max_bytes`, that `wanted` names once it is known what the blob is: at
/// most `within` long, from `holders`, into memory. Indices that the blob does not have are left out.
///
/// # Errors
/// Nobody says what the blob is, or it is larger, or of a shape that does not travel; the root proves the latter two.
pub async fn fetch_chunks(
    root: H256,
    max_bytes: u64,
    wanted: impl FnOnce(&BlobInfo) -> Vec<u64>,
    holders: &[Endpoint],
    config: &FetchConfig,
    within: Duration,
) -> Result<Sample, FetchError> {
    if holders.is_empty() {
        return Err(FetchError::NoHolders { root });
    }
    let deadline = Instant::now() + within;
    let job = Job::new(root, holders, config);
    let described = timeout_at(deadline, job.describe(max_bytes)).await;
    let description = described.unwrap_or_else(|_| Err(job.unavailable(None)))?;
    let info = description.info;
    let mut missing = wanted(&info);
    missing.retain(|index| *index < info.chunks());
    missing.sort_unstable();
    missing.dedup();
    let count = missing.len() as u64;
    let memory = InMemory::default();
    let collected = job.collect(&memory, &description, missing, count);
    let collected = timeout_at(deadline, collected).await;
    let chunks = memory.0.into_inner();
    let chunks = chunks.unwrap_or_else(PoisonError::into_inner);
    let late = || job.unavailable(Some((chunks.len() as u64, count)));
    let short = collected.unwrap_or_else(|_| Err(late())).err();
    Ok(Sample {
        info,
        chunks,
        short,
    })
}

#[derive(Default)]
struct InMemory(Mutex<BTreeMap<u64, Vec<u8>>>);

impl Keep for InMemory {
    async fn keep(&self, index: u64, bytes: Vec<u8>) -> Result<(), FetchError> {
        let mut chunks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.insert(index, bytes);
        Ok(())
    }
}
