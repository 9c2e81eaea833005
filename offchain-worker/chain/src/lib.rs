//! Typed access to the chain.
//!
//! [`api`] is generated from the runtime's committed metadata (`metadata.scale`; a test of the node compares the
//! file with what its runtime says). [`Chain`] adds what every user of it needs: a connection that survives restarts
//! of the node, heads to read at, and transactions that end in a plain yes or a plain no. [`Feed`] follows the finalised
//! chain block by block, from an anchor on; what it does about gaps and replaced blocks is decided in [`trail`].

pub mod api;
pub mod client;
pub mod feed;
pub mod signer;
pub mod trail;

pub use client::{At, Chain, ChainError, Head, Included};
pub use feed::{Feed, Item};
pub use signer::{KeyError, Signer};
pub use subxt::rpcs::client::{RpcParams, RpcSubscription};
pub use subxt::utils::{AccountId32, Static, H256};
pub use trail::{BlockId, Trail};
