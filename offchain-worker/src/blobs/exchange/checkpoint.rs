//! Checkpoints, blob by blob.

use std::collections::BTreeSet;

use chasqui_primitives::CheckpointRoot;
use sp_core::H256;

use super::{fetch, FetchConfig, FetchError, Holder};
use crate::blobs::{
    manifest::{Manifest, MAX_MANIFEST_BYTES},
    BlobError, BlobStore,
};

/// Gets whatever is missing of a checkpoint: its manifest, then its files.
///
/// # Errors
/// A blob cannot be fetched, is not as long as the manifest says, or the root names no manifest. What has come stays.
pub async fn fetch_checkpoint(
    store: &BlobStore,
    root: &CheckpointRoot,
    holders: &[Holder],
    config: &FetchConfig,
) -> Result<Manifest, FetchError> {
    fetch(store, *root, MAX_MANIFEST_BYTES, holders, config).await?;
    let own = |source: BlobError| FetchError::Store {
        root: *root,
        source,
    };
    let manifest = match Manifest::open(store, root) {
        Ok(manifest) => manifest,
        Err(BlobError::Manifest { reason, .. }) => {
            return Err(FetchError::Shape {
                root: *root,
                reason,
            })
        }
        Err(error) => return Err(own(error)),
    };
    for file in &manifest.files {
        let info = fetch(store, file.root, file.len, holders, config).await?;
        if info.len != file.len {
            return Err(FetchError::Shape {
                root: *root,
                reason: format!(
                    "`{}` is stated as {} bytes, its blob has {}",
                    file.name, file.len, info.len
                ),
            });
        }
    }
    Ok(manifest)
}

/// The blobs of a checkpoint that is in the store: what to share so that others can fetch it.
///
/// # Errors
/// Its manifest is missing or breaks a rule.
pub fn checkpoint_blobs(
    store: &BlobStore,
    root: &CheckpointRoot,
) -> Result<BTreeSet<H256>, BlobError> {
    let manifest = Manifest::open(store, root)?;
    let files = manifest.files.iter().map(|file| file.root);
    Ok(files.chain([*root]).collect())
}
