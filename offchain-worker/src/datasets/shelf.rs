//! Which registered datasets lie in a blob folder.

use std::collections::BTreeSet;

use sp_core::H256;

use crate::{blobs::BlobStore, training::setup};

/// Remembers which blobs are datasets, so that each of these is looked into once.
///
/// Anybody may register any root: that of somebody's prompt, say. So a blob is taken for a dataset by what it is, never by
/// what the chain says of its root, or registering a root would make workers hand out what they keep to themselves.
#[derive(Debug, Default)]
pub struct Shelf {
    known: BTreeSet<H256>,
}

impl Shelf {
    /// Those of `roots` that are datasets in `store`.
    pub fn datasets(&mut self, store: &BlobStore, roots: &[H256]) -> &BTreeSet<H256> {
        let is_one = |root: &H256| {
            store.contains(root)
                && (self.known.contains(root) || setup::open_dataset(store, root).is_ok())
        };
        self.known = roots.iter().copied().filter(is_one).collect();
        &self.known
    }
}
