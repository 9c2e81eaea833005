//! The verdict on a dataset: whether it can be had, and is what was stated of it.

use std::time::Duration;

use anyhow::Result;
use chasqui_primitives::{
    audit::{Evidence, HardReason, Verdict},
    blob::{BlobInfo, CHUNK_BYTES},
    dataset::{judge as judge_chunks, sampled_chunks, SAMPLED_CHUNKS},
    traits::DatasetTerms,
};
use sp_core::H256;
use tokio::task::spawn_blocking;

use crate::blobs::{
    exchange::{fetch_chunks, FetchConfig, FetchError, Holder, Sample},
    BlobError, BlobStore,
};

/// Whoever serves a dataset gives what an audit looks at with at least so many bytes a second, or withholds it: a verdict has
/// to come in time.
const LEAST_RATE: u64 = 256 << 10;

/// A dataset that is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Root of its blob.
    pub root: H256,
    /// What its submitter states of it.
    pub terms: DatasetTerms,
}

/// Judges by the header and the chunks that `seed`, the projection seed of the case's round, picks: out of `store` where the
/// blob is there, else from `holders`, and then nothing else of it is fetched, nor anything kept. What nobody gives is
/// `Hard(Withheld)`, what its own root proves to be another thing than was stated is `Hard(Dataset)`.
///
/// # Errors
/// This machine's own trouble.
pub async fn judge(
    store: &BlobStore,
    claim: &Claim,
    seed: &H256,
    holders: &[Holder],
    config: &FetchConfig,
) -> Result<(Verdict, Evidence)> {
    let Claim { root, terms } = *claim;
    let seed = *seed;
    let here = {
        let store = store.clone();
        spawn_blocking(move || from_store(&store, &root, &terms, &seed)).await??
    };
    if let Some(judged) = here {
        return Ok(judged);
    }
    let looked_at = u64::from(CHUNK_BYTES) * u64::from(SAMPLED_CHUNKS + 1);
    let within = config.patience + Duration::from_secs(terms.bytes.min(looked_at) / LEAST_RATE);
    let wanted = |info: &BlobInfo| match states(info, &terms) {
        true => sampled_chunks(&seed, terms.bytes),
        false => Vec::new(),
    };
    let fetched = fetch_chunks(root, terms.bytes, wanted, holders, config, within).await;
    let sample = match fetched {
        Ok(sample) => Some(sample),
        // The root proves that it is not what was stated.
        Err(FetchError::TooLarge { .. } | FetchError::Shape { .. }) => {
            return Ok((Verdict::Hard(HardReason::Dataset), Evidence::default()));
        }
        Err(error) if error.is_own() => return Err(error.into()),
        Err(error) => {
            tracing::warn!(?root, %error, "a dataset is withheld");
            None
        }
    };
    if let Some(error) = sample.as_ref().and_then(|sample| sample.short.as_ref()) {
        tracing::warn!(?root, %error, "parts of a dataset are withheld");
    }
    Ok(spawn_blocking(move || from_sample(sample.as_ref(), &terms, &seed)).await?)
}

/// Whether a blob may be the dataset that was stated.
fn states(info: &BlobInfo, terms: &DatasetTerms) -> bool {
    info.len == terms.bytes && info.chunk == CHUNK_BYTES
}

fn from_sample(sample: Option<&Sample>, terms: &DatasetTerms, seed: &H256) -> (Verdict, Evidence) {
    let info = sample.map(|sample| &sample.info);
    judge_chunks(terms, seed, info, |index| sample?.chunks.get(&index))
}

/// By the store's own copy; `None` where there is none, or one that is damaged.
fn from_store(
    store: &BlobStore,
    root: &H256,
    terms: &DatasetTerms,
    seed: &H256,
) -> Result<Option<(Verdict, Evidence)>, BlobError> {
    let unusable = |error: BlobError| match error {
        BlobError::Missing { .. } | BlobError::Corrupt { .. } => Ok(None),
        error => Err(error),
    };
    let reader = match store.open(root) {
        Ok(reader) => reader,
        Err(error) => return unusable(error),
    };
    let info = *reader.info();
    let mut trouble = None;
    let judged = judge_chunks(terms, seed, Some(&info), |index| {
        reader
            .chunk(index)
            .map_err(|error| trouble = Some(error))
            .ok()
    });
    match trouble {
        Some(error) => unusable(error),
        None => Ok(Some(judged)),
    }
}
