//! What an audit of settled money looks at: plancks drawn uniformly, and the leaves that they lie under.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    tree::{self, Claim, Leaf, Proof},
    Receipt, Request, SessionId, SignedRequest,
};
use crate::{sampling::Sampling, Balance, CheckpointRoot, FinishReason};
use alloc::vec::Vec;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::Perbill;
use sp_core::{ConstU32, H256};
use sp_crypto_hashing::blake2_256;
use sp_runtime::{BoundedVec, MultiSignature};

/// Plancks drawn from somebody of full reputation.
pub const FEWEST_PLANCKS: u32 = 16;
/// Plancks drawn from somebody of none.
pub const MOST_PLANCKS: u32 = 64;
/// Draws of one planck before the bias of one part in 2^128 is accepted: each is used with a chance above one half.
const ATTEMPTS: u32 = 128;

/// How many plancks a case looks at: from [`MOST_PLANCKS`] at reputation 0 down to [`FEWEST_PLANCKS`] at 100%.
pub fn planck_count(reputation: Perbill) -> u32 {
    MOST_PLANCKS.saturating_sub(reputation.mul_floor(MOST_PLANCKS.saturating_sub(FEWEST_PLANCKS)))
}

/// A number in `0..total`, without bias: what lies in the incomplete last run of `total` is drawn again.
fn below(subseed: &H256, position: u32, total: Balance) -> Option<Balance> {
    // 2^128 modulo `total`: so many of the highest numbers are rejected.
    let rest = Balance::MAX.checked_rem(total)?.checked_add(1)?;
    let excess = rest.checked_rem(total)?;
    let limit = Balance::MAX.checked_sub(excess)?;
    let mut drawn = Balance::default();
    for attempt in 0..ATTEMPTS {
        let hash = blake2_256(&(b"chasqui/session/planck/1", subseed, position, attempt).encode());
        let (words, _) = hash.as_chunks::<16>();
        drawn = words
            .first()
            .map_or(0, |bytes| Balance::from_le_bytes(*bytes));
        if drawn <= limit {
            break;
        }
    }
    drawn.checked_rem(total)
}

/// Draws `count` plancks out of `0..total`, uniformly and independently; in ascending order. None of nothing.
pub fn draw_plancks(subseed: &H256, total: Balance, count: u32) -> Vec<Balance> {
    let mut plancks: Vec<Balance> = (0..count)
        .filter_map(|position| below(subseed, position, total))
        .collect();
    plancks.sort_unstable();
    plancks
}

/// What an operator shows of one leaf: all that client and operator signed, but for what the settlement's place says
/// anyhow.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct OpenedLeaf {
    /// Which settlement of the case it belongs to.
    pub settlement: u32,
    pub seq: u64,
    pub prompt_hash: H256,
    pub prompt_tokens: u32,
    pub sampling: Sampling,
    pub unit_price: Balance,
    pub max_price: Balance,
    pub cap: Balance,
    pub valid_until: u32,
    /// The client's.
    pub signature: MultiSignature,
    pub output_hash: H256,
    pub trace_root: H256,
    pub output_tokens: u32,
    pub finish: FinishReason,
    pub price: Balance,
    pub proof: Proof,
}

/// What an operator posts when it is said to withhold: leaves that together lie under every drawn planck.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Opening {
    pub leaves: BoundedVec<OpenedLeaf, ConstU32<MOST_PLANCKS>>,
}

/// The place that a settlement has among all that a case is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place<AccountId> {
    pub session: SessionId,
    pub operator: AccountId,
    pub checkpoint: CheckpointRoot,
    pub claim: Claim,
    /// The plancks of earlier settlements.
    pub before: Balance,
}

impl OpenedLeaf {
    /// Takes apart what was signed and where it lies; the other way of [`OpenedLeaf::request`] and
    /// [`OpenedLeaf::receipt`].
    pub fn new<AccountId>(
        settlement: u32,
        signed: &SignedRequest<AccountId>,
        receipt: &Receipt<AccountId>,
        proof: Proof,
    ) -> Self {
        let request = &signed.request;
        Self {
            settlement,
            seq: request.seq,
            prompt_hash: request.prompt_hash,
            prompt_tokens: request.prompt_tokens,
            sampling: request.sampling.clone(),
            unit_price: request.unit_price,
            max_price: request.max_price,
            cap: request.cap,
            valid_until: request.valid_until,
            signature: signed.signature.clone(),
            output_hash: receipt.output_hash,
            trace_root: receipt.trace_root,
            output_tokens: receipt.output_tokens,
            finish: receipt.finish,
            price: receipt.price,
            proof,
        }
    }

    /// The request of the client.
    pub fn request<AccountId: Clone>(&self, place: &Place<AccountId>) -> SignedRequest<AccountId> {
        SignedRequest {
            request: Request {
                session: place.session,
                operator: place.operator.clone(),
                seq: self.seq,
                checkpoint: place.checkpoint,
                prompt_hash: self.prompt_hash,
                prompt_tokens: self.prompt_tokens,
                sampling: self.sampling.clone(),
                unit_price: self.unit_price,
                max_price: self.max_price,
                cap: self.cap,
                valid_until: self.valid_until,
            },
            signature: self.signature.clone(),
        }
    }

    /// The answer to it.
    pub fn receipt<AccountId: Clone + Encode>(
        &self,
        genesis: &H256,
        place: &Place<AccountId>,
    ) -> Receipt<AccountId> {
        Receipt {
            session: place.session,
            operator: place.operator.clone(),
            seq: self.seq,
            request: self.request(place).request.signing_hash(genesis),
            output_hash: self.output_hash,
            trace_root: self.trace_root,
            prompt_tokens: self.prompt_tokens,
            output_tokens: self.output_tokens,
            finish: self.finish,
            price: self.price,
        }
    }

    /// The plancks of the case that lie under this leaf; `None` when it is not under the settlement's root.
    pub fn plancks<AccountId: Clone + Encode + PartialEq>(
        &self,
        genesis: &H256,
        place: &Place<AccountId>,
    ) -> Option<core::ops::Range<Balance>> {
        let leaf = Leaf {
            seq: self.seq,
            request: self.request(place).hash(genesis),
            receipt: self.receipt(genesis, place).signing_hash(genesis),
            price: self.price,
        };
        let range = tree::verify(&place.claim, &leaf, &self.proof)?;
        let start = range.start.checked_add(place.before)?;
        let end = range.end.checked_add(place.before)?;
        Some(start..end)
    }
}

impl Opening {
    /// Whether every planck of `drawn` lies under a leaf of this opening. `place` tells where a settlement lies.
    ///
    /// What the leaves say is not judged here: the signature of a client and the price of an answer are for auditors,
    /// who then have everything in front of them.
    pub fn covers<AccountId: Clone + Encode + PartialEq>(
        &self,
        genesis: &H256,
        drawn: &[Balance],
        place: impl Fn(u32) -> Option<Place<AccountId>>,
    ) -> bool {
        let mut ranges = Vec::with_capacity(self.leaves.len());
        for leaf in &self.leaves {
            let range = place(leaf.settlement).and_then(|place| leaf.plancks(genesis, &place));
            match range {
                Some(range) => ranges.push(range),
                None => return false,
            }
        }
        drawn
            .iter()
            .all(|planck| ranges.iter().any(|range| range.contains(planck)))
    }
}
