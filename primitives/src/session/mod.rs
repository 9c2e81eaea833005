//! Sessions: one deposit on chain, many requests off chain (protocol S).
//!
//! A **channel** is a pair of session and operator. The client signs [`Request`]s to it with ascending sequence numbers,
//! the operator answers each with a [`Receipt`], and from time to time one [`Settlement`] claims the sum of a run of
//! receipts: a Merkle-sum root and the last signed request, whatever their number.
//!
//! | module | what it settles |
//! |---|---|
//! | this one | what is signed, and its offline checks |
//! | [`tree`] | the Merkle-sum tree behind a settlement, and proofs of its leaves |
//! | [`rules`] | the state of a channel and of a deposit's slices; the invariants I1 to I7 |
//! | [`books`] | what client and executor keep of a channel, so that an honest one loses at most what is in flight |
//! | [`sample`] | the plancks that an audit looks at, and the opening of the leaves under them |

use crate::{
    hash::{output_hash, tag, tagged_hash},
    money,
    sampling::Sampling,
    trace::trace_root,
    Balance, CheckpointRoot, FinishReason,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::H256;
use sp_runtime::{
    traits::{IdentifyAccount, Verify},
    MultiSignature,
};

pub mod books;
pub mod rules;
pub mod sample;
pub mod tree;

/// A session's name.
pub type SessionId = H256;
/// Place of a request in its channel.
pub type Seq = u64;
/// The account behind a [`MultiSignature`].
pub type Signer = <<MultiSignature as Verify>::Signer as IdentifyAccount>::AccountId;

/// The first request of a channel.
pub const FIRST_SEQ: Seq = 1;

/// The name of the `index`-th session of a chain, opened on top of block `parent`: nobody can name one beforehand, so
/// nothing that is signed for one session fits another, not even after the chain is rolled back.
pub fn session_id(genesis: &H256, parent: &H256, index: u64) -> SessionId {
    tagged_hash(tag::SESSION_ID, genesis, &(parent, index))
}

/// What a client asks of one operator, and the authority to be paid for it.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Request<AccountId> {
    pub session: SessionId,
    pub operator: AccountId,
    pub seq: Seq,
    pub checkpoint: CheckpointRoot,
    /// `H(salt ‖ prompt ids)`.
    pub prompt_hash: H256,
    pub prompt_tokens: u32,
    pub sampling: Sampling,
    /// Planck a unit of compute.
    pub unit_price: Balance,
    /// The most that this request may cost, in planck.
    pub max_price: Balance,
    /// The most that this channel may have been paid, ever, with this request: all receipted prices and the `max_price`
    /// of everything in flight.
    pub cap: Balance,
    /// The last block at which the operator may begin.
    pub valid_until: u32,
}

impl<AccountId: Encode> Request<AccountId> {
    /// The 32 bytes that the client's session key signs, and what a receipt names.
    pub fn signing_hash(&self, genesis: &H256) -> H256 {
        tagged_hash(tag::SESSION_REQUEST, genesis, self)
    }

    /// Whether `signature` over this request on the chain `genesis` is `key`'s.
    pub fn verify(&self, genesis: &H256, signature: &MultiSignature, key: &Signer) -> bool {
        signature.verify(self.signing_hash(genesis).as_bytes(), key)
    }

    /// What so many tokens of output cost, or `None` beyond a balance.
    pub fn price(
        &self,
        units_per_prompt_token: u32,
        units_per_output_token: u32,
        output_tokens: u32,
    ) -> Option<Balance> {
        money::job_price(
            self.unit_price,
            units_per_prompt_token,
            units_per_output_token,
            self.prompt_tokens,
            output_tokens,
        )
    }
}

/// A request with the client's signature.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SignedRequest<AccountId> {
    pub request: Request<AccountId>,
    pub signature: MultiSignature,
}

impl<AccountId: Encode> SignedRequest<AccountId> {
    /// What a leaf says of it: whoever settles commits to the very signature that it will have to show.
    pub fn hash(&self, genesis: &H256) -> H256 {
        tagged_hash(tag::SESSION_SIGNED_REQUEST, genesis, self)
    }

    pub fn verify(&self, genesis: &H256, key: &Signer) -> bool {
        self.request.verify(genesis, &self.signature, key)
    }
}

/// What an operator answers to a request; signed after its journal is safe on disk.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Receipt<AccountId> {
    pub session: SessionId,
    pub operator: AccountId,
    pub seq: Seq,
    /// [`Request::signing_hash`] of what is answered.
    pub request: H256,
    pub output_hash: H256,
    /// Root of the token trace, see [`crate::trace`].
    pub trace_root: H256,
    pub prompt_tokens: u32,
    pub output_tokens: u32,
    pub finish: FinishReason,
    /// In planck.
    pub price: Balance,
}

/// In what a receipt does not fit the request that it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Misfit {
    /// Another session, operator, sequence number or request.
    OtherRequest,
    PromptCount,
    /// More tokens than were asked for.
    TooLong,
    /// It ended at the limit, short of the limit.
    Finish,
    /// Not the price of these tokens, or more than `max_price`.
    Price,
}

impl<AccountId: Encode + Clone> Receipt<AccountId> {
    /// The **void** of `request`: the operator's word that it is never answered. Nothing was delivered, nothing is paid,
    /// and the channel goes on behind it. Beside any other receipt for the same request it proves fraud (I5), so whoever
    /// signed it can claim nothing for that place.
    pub fn void(genesis: &H256, request: &Request<AccountId>) -> Self {
        Self {
            session: request.session,
            operator: request.operator.clone(),
            seq: request.seq,
            request: request.signing_hash(genesis),
            output_hash: output_hash(genesis, &[]),
            trace_root: trace_root(&[]),
            prompt_tokens: request.prompt_tokens,
            output_tokens: 0,
            finish: FinishReason::Cancelled,
            price: 0,
        }
    }
}

impl<AccountId: Encode + PartialEq> Receipt<AccountId> {
    /// Whether it is a void: of nothing, for nothing.
    pub fn is_void(&self) -> bool {
        self.price == 0 && self.output_tokens == 0 && self.finish == FinishReason::Cancelled
    }

    /// The 32 bytes that the operator's hot key signs, and what a leaf says of this receipt.
    pub fn signing_hash(&self, genesis: &H256) -> H256 {
        tagged_hash(tag::SESSION_RECEIPT, genesis, self)
    }

    /// Whether `signature` over this receipt on the chain `genesis` is `signer`'s.
    pub fn verify(&self, genesis: &H256, signature: &MultiSignature, signer: &Signer) -> bool {
        signature.verify(self.signing_hash(genesis).as_bytes(), signer)
    }

    /// Whether this can be the answer to `request`, as far as both tell without the output.
    pub fn answers(
        &self,
        genesis: &H256,
        request: &Request<AccountId>,
        units_per_prompt_token: u32,
        units_per_output_token: u32,
    ) -> Result<(), Misfit> {
        let named = self.session == request.session
            && self.operator == request.operator
            && self.seq == request.seq
            && self.request == request.signing_hash(genesis);
        if !named {
            return Err(Misfit::OtherRequest);
        }
        if self.prompt_tokens != request.prompt_tokens {
            return Err(Misfit::PromptCount);
        }
        if self.output_tokens > request.sampling.max_tokens {
            return Err(Misfit::TooLong);
        }
        let full = self.output_tokens == request.sampling.max_tokens;
        if self.finish == FinishReason::Length && !full {
            return Err(Misfit::Finish);
        }
        // A void gives away what the prompt would have cost.
        if self.is_void() {
            return Ok(());
        }
        let price = request.price(
            units_per_prompt_token,
            units_per_output_token,
            self.output_tokens,
        );
        if price != Some(self.price) || self.price > request.max_price {
            return Err(Misfit::Price);
        }
        Ok(())
    }
}

/// A receipt with the operator's signature.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SignedReceipt<AccountId> {
    pub receipt: Receipt<AccountId>,
    pub signature: MultiSignature,
}

impl<AccountId: Encode + PartialEq> SignedReceipt<AccountId> {
    pub fn verify(&self, genesis: &H256, signer: &Signer) -> bool {
        self.receipt.verify(genesis, &self.signature, signer)
    }
}

/// What an operator claims for a run of receipts. It is the operator's word on everything under the root, so it is
/// signed by it, unless it submits the claim itself: else a client could settle a root that nobody can open.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Settlement<AccountId> {
    pub session: SessionId,
    pub operator: AccountId,
    pub claim: tree::Claim,
}

impl<AccountId: Encode> Settlement<AccountId> {
    /// The 32 bytes that the operator signs.
    pub fn signing_hash(&self, genesis: &H256) -> H256 {
        tagged_hash(tag::SESSION_SETTLEMENT, genesis, self)
    }

    pub fn verify(&self, genesis: &H256, signature: &MultiSignature, signer: &Signer) -> bool {
        signature.verify(self.signing_hash(genesis).as_bytes(), signer)
    }
}

/// An operator's consent that its slice shrinks at once.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct ShrinkConsent<AccountId> {
    pub session: SessionId,
    pub operator: AccountId,
    /// The slice that it consents to, in planck.
    pub to: Balance,
    /// [`rules::Channel::version`]: a consent fits one state of a slice, so it cannot be used again after a growth.
    pub version: u32,
}

impl<AccountId: Encode> ShrinkConsent<AccountId> {
    /// The 32 bytes that the operator's hot key signs.
    pub fn signing_hash(&self, genesis: &H256) -> H256 {
        tagged_hash(tag::SESSION_SHRINK, genesis, self)
    }

    pub fn verify(&self, genesis: &H256, signature: &MultiSignature, signer: &Signer) -> bool {
        signature.verify(self.signing_hash(genesis).as_bytes(), signer)
    }
}

/// Whether two receipts prove fraud by themselves (I5): different answers to one request. Both must be signed by the
/// operator.
pub fn receipts_conflict<AccountId: PartialEq>(
    a: &Receipt<AccountId>,
    b: &Receipt<AccountId>,
) -> bool {
    a != b
        && a.session == b.session
        && a.operator == b.operator
        && a.seq == b.seq
        && a.request == b.request
}

/// Whether two requests are the client's equivocation (I5): one place in a channel, two requests. Both must be signed by
/// the client.
pub fn requests_conflict<AccountId: PartialEq>(
    a: &Request<AccountId>,
    b: &Request<AccountId>,
) -> bool {
    a != b && a.session == b.session && a.operator == b.operator && a.seq == b.seq
}
