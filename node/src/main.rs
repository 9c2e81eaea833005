//! The Chasqui node.

// The errors of `sc-service` and `sc-cli` are large, and are returned once in a node's life.
#![allow(clippy::result_large_err)]

mod blobs;
mod chain_spec;
mod cli;
mod command;
#[cfg(feature = "collator")]
mod relay;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
