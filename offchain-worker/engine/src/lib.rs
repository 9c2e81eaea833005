//! Language-model engine: loads Llama-family checkpoints in the Hugging Face layout and runs them
//! with burn on a device chosen at run time.
//!
//! Inference is split so that anybody can check it: [`sampling`] turns logits into a token as a
//! pure function of (logits, parameters, seed, position), and [`fingerprint`] condenses hidden
//! states into integers that an auditor recomputes.

#![warn(missing_docs)]

pub mod cache;
pub mod config;
pub mod error;
mod init;
pub mod model;
pub mod philox;

pub use cache::KvCache;
pub use config::{Architecture, LlamaConfig, RopeScaling, WeightDtype};
pub use error::{EngineError, Result};
pub use model::Llama;
