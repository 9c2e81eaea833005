//! An OpenAI-compatible HTTP gateway: completions, chat, embeddings, keys with budgets, metrics and
//! a live page, over models on this machine or operators on the chain.
//!
//! | module | what it does |
//! |---|---|
//! | [`upstream`] | the interface to whatever computes |
//! | [`local`] | models on this machine |
//! | [`keys`], [`admission`], [`limits`] | who may ask, for how much, and how much at once; spending survives restarts |
//! | [`generation`], [`text`] | from tokens to text: failover, stop strings, accounts |
//! | [`api`] | the endpoints |
//! | [`live`], [`metrics`] | what people and Prometheus see |
//! | [`server`] | connections, and an orderly end |

#![warn(missing_docs)]

pub mod admission;
pub mod api;
pub mod error;
pub mod gateway;
pub mod generation;
pub mod keys;
pub mod limits;
pub mod live;
pub mod local;
pub mod metrics;
pub mod server;
mod spending;
mod stall;
pub mod text;
pub mod upstream;

pub use error::ApiError;
pub use gateway::{Gateway, Options, SetupError};
pub use keys::Keyring;
pub use limits::Limits;
pub use live::{Live, LiveFeed};
pub use local::{LocalUpstream, ModelFolder};
pub use server::serve;
pub use upstream::Upstream;
