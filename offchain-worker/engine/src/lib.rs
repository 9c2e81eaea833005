//! Language-model engine: loads Llama-family checkpoints in the Hugging Face layout and runs them
//! on a device chosen at run time: the CPU or an NVIDIA GPU with kernels of its own, or burn.
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`], [`weights`] | a model folder's network |
//! | [`assets`]: [`tokenizer`], [`chat`], [`generation_config`] | what else it holds |
//! | [`model`], [`cache`] | the model as burn modules: training, reference |
//! | [`cpu`] | the model on the CPU: our own kernels over weights in their stored precision |
//! | [`cuda`] | the same on an NVIDIA GPU, to the last bit |
//! | [`decoder`] | the one interface over all |
//! | [`generate`], [`load`] | [`Engine`]: load, generate, score, replay |
//! | [`batch`] | [`Batcher`](batch::Batcher): many requests at once, sharing each pass |
//! | [`sampling`] | logits to token, and how far a claimed token is from honest |
//! | [`logprobs`] | how likely a token was |
//! | [`fingerprint`] | hidden states condensed into integers that an auditor recomputes |
//! | [`philox`] | the counter-based generator behind noise and initialisation |
//!
//! Everything between logits and token is a pure function of (logits, parameters, seed, position),
//! so that anybody with the model can check an output in one pass.

#![warn(missing_docs)]

pub mod assets;
pub mod batch;
pub mod cache;
pub mod chat;
pub mod config;
pub mod cpu;
pub mod cuda;
pub mod decoder;
pub mod device;
mod embed;
pub mod error;
mod files;
pub mod fingerprint;
pub mod generate;
pub mod generation_config;
mod init;
pub mod load;
pub mod logprobs;
pub mod model;
mod noise;
pub mod philox;
mod progress;
pub mod sampling;
pub mod tokenizer;
pub mod weights;

pub use assets::Assets;
pub use cache::KvCache;
pub use chat::{ChatTemplate, Message};
pub use config::{Architecture, LlamaConfig, RopeScaling, WeightDtype};
pub use cpu::{CpuDecoder, CpuOptions};
pub use cuda::CudaDecoder;
pub use decoder::{BurnDecoder, Decoder, Pass, Sequence};
pub use error::{EngineError, Result};
pub use fingerprint::Fingerprint;
pub use generate::{
    Engine, FinishReason, GenerateRequest, Generation, Replayed, ReplayedToken, Scores, Timings,
    TokenEvent,
};
pub use generation_config::GenerationDefaults;
pub use load::LoadOptions;
pub use logprobs::{LogProbs, MAX_TOP_LOGPROBS};
pub use model::Llama;
pub use sampling::Sampling;
pub use tokenizer::{Detokenizer, Tokenizer};
