//! The states that a member keeps of a round, under one Merkle root.
//!
//! The leaves, one after the other in chunks of one leaf, are a blob whose tree is that very Merkle root. So whoever knows
//! a report can name the blob, and fetches it like any other.

use chasqui_primitives::blob::BlobInfo;
use chasqui_primitives::merkle;
use chasqui_primitives::training::{RoundReport, StateLeaf};
use parity_scale_codec::{Decode, Encode};
use sp_core::H256;

use super::blobs::{need, Blobs};
use crate::error::{Result, TrainingError};

/// Bytes of an encoded leaf.
pub const LEAF_BYTES: u32 = 4 * 32 + 2 * 8;

/// The leaves of one round, in order of their steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptStates(Vec<StateLeaf>);

impl KeptStates {
    /// Of leaves in order.
    pub fn new(leaves: Vec<StateLeaf>) -> Self {
        Self(leaves)
    }

    /// The leaves.
    pub fn leaves(&self) -> &[StateLeaf] {
        &self.0
    }

    /// What a report commits to.
    pub fn root(&self) -> H256 {
        merkle::root_of_leaves(&self.hashes())
    }

    /// The leaf at `index` with its proof.
    pub fn prove(&self, index: u32) -> Option<(StateLeaf, Vec<H256>)> {
        let leaf = self.0.get(index as usize)?;
        Some((*leaf, merkle::prove(&self.hashes(), u64::from(index))?))
    }

    fn hashes(&self) -> Vec<H256> {
        self.0.iter().map(StateLeaf::hash).collect()
    }

    /// Name of the blob that holds the leaves of `report`.
    pub fn blob_root(report: &RoundReport) -> H256 {
        BlobInfo {
            len: u64::from(report.leaves) * u64::from(LEAF_BYTES),
            chunk: LEAF_BYTES,
            tree: report.kept,
        }
        .root()
    }

    /// Stores the leaves and returns the blob's root.
    ///
    /// # Errors
    /// The store fails.
    pub fn store<B: Blobs + ?Sized>(&self, blobs: &B) -> Result<H256> {
        let bytes: Vec<u8> = self.0.iter().flat_map(Encode::encode).collect();
        blobs.put_chunked(&bytes, LEAF_BYTES)
    }

    /// The leaves that `report` commits to.
    ///
    /// # Errors
    /// [`TrainingError::MissingBlob`]; [`TrainingError::BadBlob`] when the bytes are not those leaves.
    pub fn load<B: Blobs + ?Sized>(report: &RoundReport, blobs: &B) -> Result<Self> {
        const WHAT: &str = "list of kept states";
        let root = Self::blob_root(report);
        let len = u64::from(report.leaves) * u64::from(LEAF_BYTES);
        let bytes = need(blobs, WHAT, &root, len)?;
        let bad = |reason: &str| TrainingError::BadBlob {
            what: WHAT,
            root,
            reason: reason.into(),
        };
        let leaves = bytes
            .chunks(LEAF_BYTES as usize)
            .map(|mut part| StateLeaf::decode(&mut part))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| bad("a leaf does not decode"))?;
        let kept = Self(leaves);
        match kept.0.len() == report.leaves as usize && kept.root() == report.kept {
            true => Ok(kept),
            false => Err(bad("its leaves are not those of the report")),
        }
    }
}
