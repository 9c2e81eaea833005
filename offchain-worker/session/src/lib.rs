//! Sessions between a client and an executor: one deposit on chain, many requests off chain.
//!
//! What is signed and what is allowed follows from [`chasqui_primitives::session`]; `docs/protocol.md` describes what
//! goes over the wire. This crate knows no node: whoever uses it says what the finalised chain shows ([`ChainView`]).
//!
//! | module | what it holds |
//! |---|---|
//! | [`audit`] | opening answers to those who judge them |
//! | [`blobs`] | handing out blobs, and asking for them |
//! | [`chain`] | what both sides read of the finalised chain |
//! | [`tls`] | HTTP/2 over TLS 1.3, the certificate pinned to the endpoint's registered key |
//! | [`wire`] | the frames, with their versions and bounds |
//! | [`journal`] | what both sides write down before it counts, so that a crash costs nothing |
//! | [`executor`] | the service that checks, computes, streams and signs |
//! | [`client`] | asks, follows the answer, checks the receipt, resumes |
//!
//! An honest side never loses more than the `max_price` of the one request in flight on a channel.

pub mod audit;
pub mod blobs;
pub mod chain;
pub mod client;
pub mod executor;
pub mod journal;
mod limits;
mod recent;
pub mod tls;
pub mod wire;

use sp_runtime::{AccountId32, MultiSignature};

pub use chain::{ChainError, ChainView, Endpoint, Standing, Terms};
pub use client::{Client, ClientConfig, ClientError, Retry};
pub use executor::{Executor, ExecutorConfig};
pub use journal::JournalError;
pub use limits::{MAX_OUTPUT_TOKENS, MAX_PROMPT_TOKENS};
pub use recent::Recent;

/// Whose key is whose: accounts are public keys.
pub type AccountId = AccountId32;
/// A request of this protocol.
pub type Request = chasqui_primitives::session::Request<AccountId>;
/// A request with the client's signature.
pub type SignedRequest = chasqui_primitives::session::SignedRequest<AccountId>;
/// A receipt of this protocol.
pub type Receipt = chasqui_primitives::session::Receipt<AccountId>;
/// A receipt with the operator's signature.
pub type SignedReceipt = chasqui_primitives::session::SignedReceipt<AccountId>;

/// A key that signs 32-byte hashes: the client's session key, or the operator's hot key.
pub trait HashSigner: Send + Sync {
    /// The account that the signature is checked against.
    fn account(&self) -> AccountId;
    /// Signs `hash`.
    fn sign(&self, hash: &[u8; 32]) -> MultiSignature;
}

impl<P> HashSigner for P
where
    P: sp_core::Pair + Send + Sync,
    P::Public: Into<sp_runtime::MultiSigner>,
    P::Signature: Into<MultiSignature>,
{
    fn account(&self) -> AccountId {
        use sp_runtime::traits::IdentifyAccount;
        let signer: sp_runtime::MultiSigner = self.public().into();
        signer.into_account()
    }

    fn sign(&self, hash: &[u8; 32]) -> MultiSignature {
        sp_core::Pair::sign(self, hash).into()
    }
}
