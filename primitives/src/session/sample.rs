//! What an audit of settled money looks at: plancks drawn uniformly, the leaves that they lie under, and what an operator shows of
//! them on chain.

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
use crate::{
    hash::{output_hash, prompt_hash},
    sampling::Sampling,
    trace::{decode_trace, trace_root, TRACE_LEAF_BYTES},
    Balance, CheckpointRoot, FinishReason, MAX_OPENING_BYTES,
};
use alloc::vec::Vec;
use core::ops::Range;
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
/// Longest prompt of a session, in tokens: with it an answer can be shown in one block.
pub const MAX_PROMPT_TOKENS: u32 = 1 << 17;
/// Draws of one planck before the bias of one part in 2^128 is accepted: each is used with a chance above one half.
const ATTEMPTS: u32 = 128;

/// How many plancks a case looks at: from [`MOST_PLANCKS`] at reputation 0 down to [`FEWEST_PLANCKS`] at 100%.
pub fn planck_count(reputation: Perbill) -> u32 {
    MOST_PLANCKS.saturating_sub(reputation.mul_floor(MOST_PLANCKS.saturating_sub(FEWEST_PLANCKS)))
}

/// Whether a case is opened over takings of `total`: for certain from `from` on, and else with the probability
/// `total / from`. So however money is cut into pieces, cases cost no more than it is worth, and each piece has as much to
/// fear as it has to gain.
pub fn is_audited(subseed: &H256, total: Balance, from: Balance) -> bool {
    total >= from || below(DUST, subseed, 0, from).is_none_or(|drawn| drawn < total)
}

const PLANCK: &[u8] = b"chasqui/session/planck/1";
const DUST: &[u8] = b"chasqui/session/dust/1";

/// A number in `0..total`, without bias: what lies in the incomplete last run of `total` is drawn again.
fn below(tag: &'static [u8], subseed: &H256, position: u32, total: Balance) -> Option<Balance> {
    // 2^128 modulo `total`: so many of the highest numbers are rejected.
    let rest = Balance::MAX.checked_rem(total)?.checked_add(1)?;
    let excess = rest.checked_rem(total)?;
    let limit = Balance::MAX.checked_sub(excess)?;
    let mut drawn = Balance::default();
    for attempt in 0..ATTEMPTS {
        let mut bytes = tag.to_vec();
        (subseed, position, attempt).encode_to(&mut bytes);
        let hash = blake2_256(&bytes);
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
        .filter_map(|position| below(PLANCK, subseed, position, total))
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

/// What an operator shows on chain of one answer when it is said to withhold: everything that it takes to judge it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ShownAnswer {
    pub leaf: OpenedLeaf,
    /// Salt of the prompt's hash.
    pub salt: [u8; 32],
    /// Prompt ids.
    pub prompt: BoundedVec<u32, ConstU32<MAX_PROMPT_TOKENS>>,
    /// The token trace, see [`crate::trace::encode_trace`]; it holds the output.
    pub trace: BoundedVec<u8, ConstU32<MAX_OPENING_BYTES>>,
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
    ) -> Option<Range<Balance>> {
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

impl ShownAnswer {
    /// The plancks of the case that this answer lies under; `None` when it is not under the settlement's root, or when
    /// prompt and trace are not those that client and operator signed for.
    ///
    /// What the leaf says is not judged here: the signature of a client and the price of an answer are for auditors, who
    /// then have everything in front of them.
    pub fn plancks<AccountId: Clone + Encode + PartialEq>(
        &self,
        genesis: &H256,
        place: &Place<AccountId>,
    ) -> Option<Range<Balance>> {
        let leaf = &self.leaf;
        // The lengths first, so that nobody has more hashed than there is.
        let trace_bytes = usize::try_from(leaf.output_tokens)
            .ok()?
            .checked_mul(TRACE_LEAF_BYTES)?;
        if usize::try_from(leaf.prompt_tokens).ok()? != self.prompt.len()
            || trace_bytes != self.trace.len()
            || leaf.prompt_hash != prompt_hash(genesis, &self.salt, &self.prompt)
        {
            return None;
        }
        let trace = decode_trace(&self.trace).ok()?;
        let output: Vec<u32> = trace.iter().map(|leaf| leaf.token).collect();
        if leaf.trace_root != trace_root(&trace)
            || leaf.output_hash != output_hash(genesis, &output)
        {
            return None;
        }
        leaf.plancks(genesis, place)
    }
}

/// I4: whether every planck of `drawn` lies in one of `ranges`.
pub fn covered(drawn: &[Balance], ranges: &[Range<Balance>]) -> bool {
    drawn
        .iter()
        .all(|planck| ranges.iter().any(|range| range.contains(planck)))
}
