//! Typed access to the chain.
//!
//! [`api`] is generated from the runtime's committed metadata (`metadata.scale`; a test in the runtime compares the
//! file with what the runtime says). [`Chain`] adds what every user of it needs: a connection that survives restarts
//! of the node, heads to read at, and transactions that end in a plain yes or a plain no.

pub mod api;
pub mod client;
pub mod signer;

pub use client::{At, Chain, ChainError, Head, Included};
pub use signer::{KeyError, Signer};
pub use subxt::utils::{AccountId32, Static, H256};
