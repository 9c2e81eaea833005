//! The Chasqui worker: computes and audits inference for the chain.
//!
//! | module | what it does |
//! |---|---|
//! | [`blobs`] | content-addressed storage: models, traces, long prompts and outputs |
//! | [`models`] | from a checkpoint root to a loaded engine |
//! | [`sampling`] | sampling as people write it, to the integers that are signed |
//! | [`cli`] | the commands |
//! | [`config`] | the one TOML file of `run` |
//! | [`duties`] | what an operator owes the chain, and doing it |
//! | [`view`], [`registry`] | what stands on chain, as plain values; registering and looking up |
//! | [`client`], [`receipt`] | a client's side: submit, follow, keep the signed receipt |
//! | [`sessions`] | sessions on a real chain, for client and operator |
//! | [`datasets`] | what runs train on: submitting, judging, who has it |
//! | [`training`] | training runs, for members and validators |
//! | [`evaluation`] | what checkpoints lose on held-out text, and what they were made from |

pub mod blobs;
pub mod cli;
pub mod client;
pub mod config;
pub mod datasets;
pub mod duties;
pub mod evaluation;
pub mod fault;
pub mod governance;
pub mod metrics;
pub mod models;
pub mod prompt;
pub mod receipt;
pub mod registry;
pub mod sampling;
pub mod sessions;
pub mod training;
pub mod view;
