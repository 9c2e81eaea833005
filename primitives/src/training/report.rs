//! What members say of a round: kept states, report, commitment, the model they agree on.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{
    hash::{tag, tagged_hash},
    merkle, CheckpointRoot, RunId,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Whose bits agree: members and validators of one class compare replays exactly, others by distance.
pub type ReplayClass = H256;

/// The class that a description names: backend with its version, architecture, SIMD level, the cache geometry that the
/// backend's blocking goes by.
pub fn replay_class(description: &str) -> ReplayClass {
    H256(blake2_256(&(tag::REPLAY_CLASS, description).encode()))
}

/// A member's training state at one step: each part is a blob, named by its root.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct StateLeaf {
    /// Inner steps that the member's moments have seen.
    pub step: u64,
    pub params: H256,
    pub first: H256,
    pub second: H256,
    pub residual: H256,
    /// The run's data cursor: sequences consumed before this step.
    pub next_sequence: u64,
}

impl StateLeaf {
    /// The leaf of the tree under [`RoundReport::kept`].
    pub fn hash(&self) -> H256 {
        merkle::leaf_hash(&self.encode())
    }
}

/// What a member commits to, and later reveals.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct RoundReport {
    /// Blob root of the encoded pseudo-gradient.
    pub gradient: H256,
    /// Merkle root over the kept states' leaves, in order of their steps.
    pub kept: H256,
    /// How many leaves: segments and one.
    pub leaves: u32,
    /// Tokens predicted.
    pub tokens: u64,
    /// Units of compute claimed; one a token, never more than the shard's.
    pub units: u64,
    /// Mean loss, millionths of a nat a token.
    pub loss_micro: u64,
    /// Norm of the pseudo-gradient, thousandths.
    pub norm_milli: u64,
}

impl RoundReport {
    /// `H(author, run, round, report, salt)`: binds the author and a salt, so that nobody can copy it.
    pub fn commitment<AccountId: Encode>(
        &self,
        genesis: &H256,
        author: &AccountId,
        run: RunId,
        round: u32,
        salt: &[u8; 32],
    ) -> H256 {
        tagged_hash(
            tag::ROUND_COMMITMENT,
            genesis,
            &(author, run, round, self, salt),
        )
    }
}

/// The model that a round's members agree on.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct ModelState {
    /// Hash of the weights and the outer momentum in the layout's order.
    pub hash: H256,
    /// Blob root of the weights.
    pub params: H256,
    /// Blob root of the outer momentum.
    pub momentum: H256,
    /// Root of the checkpoint that these weights make (for an adapter: the adapter's), or zero where none is made of this
    /// round. It is agreed and can be challenged like the rest, so anybody may register it.
    pub checkpoint: CheckpointRoot,
}

impl ModelState {
    /// What votes are counted by.
    pub fn key(&self, run: RunId, round: u32) -> H256 {
        H256(blake2_256(&(tag::MODEL_STATE, run, round, self).encode()))
    }
}
