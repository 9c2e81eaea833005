//! Merkle-**sum** trees: the root binds what is claimed, and a proof tells which plancks lie under its leaf.
//!
//! A leaf is one answered request with its price; leaves have contiguous ascending sequence numbers. An inner node
//! hashes both children with their sums, the root hashes the top with first and last number and the whole sum. Tree
//! shape, number of leaves and number of siblings follow [`crate::merkle`]: an odd node at the end of a level is
//! promoted unchanged.
//!
//! Whoever lies about an inner sum cannot open the plancks under it: a proof recomputes every sum on its way from the
//! prices up, without wrapping, and must arrive at the sum that was claimed.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::Seq;
use crate::{merkle, Balance};
use alloc::vec::Vec;
use parity_scale_codec::{Compact, Decode, DecodeWithMemTracking, Encode, Error, Input};
use parity_scale_codec::{MaxEncodedLen, Output};
use scale_info::TypeInfo;
use sp_core::{ConstU32, H256};
use sp_crypto_hashing::blake2_256;
use sp_runtime::BoundedVec;

/// Domain tag in front of a leaf.
pub const LEAF_TAG: &[u8] = b"chasqui/session/leaf/1";
/// Domain tag in front of two children.
pub const NODE_TAG: &[u8] = b"chasqui/session/node/1";
/// Domain tag in front of a root.
pub const ROOT_TAG: &[u8] = b"chasqui/session/root/1";
/// Most leaves of one settlement: 64 opened leaves with their proofs must fit into one opening on chain.
pub const MAX_LEAVES: u64 = 1 << 15;
/// Siblings of the longest proof.
pub const MAX_PROOF: u32 = 15;

/// One answered request.
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
pub struct Leaf {
    pub seq: Seq,
    /// [`SignedRequest::hash`](super::SignedRequest::hash).
    pub request: H256,
    /// [`Receipt::signing_hash`](super::Receipt::signing_hash).
    pub receipt: H256,
    /// In planck.
    pub price: Balance,
}

/// A subtree as its siblings see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, TypeInfo)]
pub struct Node {
    pub hash: H256,
    /// Sum of the prices under it, in planck.
    // Read by the derived type info alone: whoever decodes by metadata must know what is written below.
    #[codec(compact)]
    pub sum: Balance,
}

// The sum compact: a proof has up to `MAX_PROOF` nodes, and an opening up to 64 proofs.
impl Encode for Node {
    fn encode_to<O: Output + ?Sized>(&self, to: &mut O) {
        self.hash.encode_to(to);
        Compact(self.sum).encode_to(to);
    }
}

impl Decode for Node {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let hash = H256::decode(input)?;
        let sum = Compact::<Balance>::decode(input)?.0;
        Ok(Self { hash, sum })
    }
}

impl DecodeWithMemTracking for Node {}

impl MaxEncodedLen for Node {
    fn max_encoded_len() -> usize {
        // The longest compact number of 128 bits has a byte for its length.
        H256::max_encoded_len()
            .saturating_add(Balance::max_encoded_len())
            .saturating_add(1)
    }
}

/// The siblings of a leaf, from the bottom up.
pub type Proof = BoundedVec<Node, ConstU32<MAX_PROOF>>;

/// What a root stands for.
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
pub struct Claim {
    pub root: H256,
    /// Sum of all prices, in planck.
    pub sum: Balance,
    pub first: Seq,
    pub last: Seq,
}

impl Claim {
    /// How many leaves it has; `None` for none, or more than there may be.
    pub fn leaves(&self) -> Option<u64> {
        self.last
            .checked_sub(self.first)?
            .checked_add(1)
            .filter(|count| *count <= MAX_LEAVES)
    }
}

/// Why leaves make no tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TreeError {
    /// There are none.
    Empty,
    /// More than [`MAX_LEAVES`].
    TooMany,
    /// A number was left out, or came twice.
    Gap,
    /// The prices exceed a balance.
    Overflow,
}

/// The node of a leaf.
pub fn leaf_node(leaf: &Leaf) -> Node {
    Node {
        hash: H256(blake2_256(&(LEAF_TAG, leaf).encode())),
        sum: leaf.price,
    }
}

/// The node above two others; `None` where the sum exceeds a balance.
pub fn parent(left: &Node, right: &Node) -> Option<Node> {
    let sum = left.sum.checked_add(right.sum)?;
    let payload = (NODE_TAG, left.hash, left.sum, right.hash, right.sum);
    Some(Node {
        hash: H256(blake2_256(&payload.encode())),
        sum,
    })
}

/// The root over a top node.
fn root_of(top: &Node, first: Seq, last: Seq) -> H256 {
    H256(blake2_256(
        &(ROOT_TAG, first, last, top.sum, top.hash).encode(),
    ))
}

fn claim_of(top: &Node, first: Seq, last: Seq) -> Claim {
    Claim {
        root: root_of(top, first, last),
        sum: top.sum,
        first,
        last,
    }
}

/// Makes a claim out of leaves that come one by one; keeps one node a level, whatever their number.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    /// Whole subtrees from left to right, each with the level of its top: ever smaller ones.
    peaks: Vec<(u32, Node)>,
    range: Option<(Seq, Seq)>,
    sum: Balance,
}

impl Builder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sum of the prices so far.
    pub fn sum(&self) -> Balance {
        self.sum
    }

    /// First and last number so far.
    pub fn range(&self) -> Option<(Seq, Seq)> {
        self.range
    }

    /// Adds the next leaf. After an error everything is as before.
    pub fn push(&mut self, leaf: &Leaf) -> Result<(), TreeError> {
        let range = match self.range {
            None => (leaf.seq, leaf.seq),
            Some((first, last)) => {
                if last.checked_add(1) != Some(leaf.seq) {
                    return Err(TreeError::Gap);
                }
                (first, leaf.seq)
            }
        };
        if range.1.saturating_sub(range.0) >= MAX_LEAVES {
            return Err(TreeError::TooMany);
        }
        // No node's sum exceeds the whole one.
        let sum = self
            .sum
            .checked_add(leaf.price)
            .ok_or(TreeError::Overflow)?;
        let (mut level, mut node) = (0u32, leaf_node(leaf));
        while let Some((_, left)) = self.peaks.pop_if(|(other, _)| *other == level) {
            node = parent(&left, &node).ok_or(TreeError::Overflow)?;
            level = level.saturating_add(1);
        }
        self.peaks.push((level, node));
        self.range = Some(range);
        self.sum = sum;
        Ok(())
    }

    /// The claim over all leaves so far; more may be added after it.
    pub fn claim(&self) -> Result<Claim, TreeError> {
        let (first, last) = self.range.ok_or(TreeError::Empty)?;
        let mut peaks = self.peaks.iter().rev().map(|(_, node)| *node);
        let smallest = peaks.next().ok_or(TreeError::Empty)?;
        let top = peaks
            .try_fold(smallest, |right, left| parent(&left, &right))
            .ok_or(TreeError::Overflow)?;
        Ok(claim_of(&top, first, last))
    }
}

/// The claim over `leaves`.
pub fn claim(leaves: &[Leaf]) -> Result<Claim, TreeError> {
    let mut builder = Builder::new();
    for leaf in leaves {
        builder.push(leaf)?;
    }
    builder.claim()
}

/// The proof of the leaf at `index` of `leaves`; `None` when there is none, or their prices exceed a balance.
pub fn prove(leaves: &[Leaf], index: u64) -> Option<Proof> {
    let mut position = usize::try_from(index).ok().filter(|i| *i < leaves.len())?;
    let mut level: Vec<Node> = leaves.iter().map(leaf_node).collect();
    let mut proof = Proof::new();
    while level.len() > 1 {
        if let Some(sibling) = level.get(position ^ 1) {
            proof.try_push(*sibling).ok()?;
        }
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => parent(left, right),
                [single] => Some(*single),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()?;
        position >>= 1;
    }
    Some(proof)
}

/// Index of the leaf that `planck` lies under, of `leaves` that begin at planck 0.
pub fn covering(leaves: &[Leaf], planck: Balance) -> Option<u64> {
    let mut end: Balance = 0;
    for (index, leaf) in leaves.iter().enumerate() {
        end = end.checked_add(leaf.price)?;
        if planck < end {
            return u64::try_from(index).ok();
        }
    }
    None
}

/// The plancks under `leaf`, as `start..end` within the claim; `None` when the leaf is not under the root.
///
/// The proof must hold exactly the siblings that the leaf's place calls for, and the sums must add up to what the claim
/// says.
pub fn verify(claim: &Claim, leaf: &Leaf, proof: &[Node]) -> Option<core::ops::Range<Balance>> {
    let count = claim.leaves()?;
    let index = leaf.seq.checked_sub(claim.first)?;
    if merkle::proof_len(index, count) != u32::try_from(proof.len()).ok() {
        return None;
    }
    let mut last = count.checked_sub(1)?;
    let mut siblings = proof.iter();
    let (mut position, mut node, mut start) = (index, leaf_node(leaf), Balance::default());
    while last > 0 {
        let right = position & 1 == 1;
        // The last node of a level with an even index has no sibling: it was promoted.
        if right || position < last {
            let sibling = siblings.next()?;
            if right {
                start = start.checked_add(sibling.sum)?;
                node = parent(sibling, &node)?;
            } else {
                node = parent(&node, sibling)?;
            }
        }
        position >>= 1;
        last >>= 1;
    }
    let whole = node.sum == claim.sum && root_of(&node, claim.first, claim.last) == claim.root;
    let end = start.checked_add(leaf.price)?;
    whole.then_some(start..end)
}
