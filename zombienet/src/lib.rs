//! A relay chain of two validators with two Chasqui collators, as `collators.toml` describes it.

mod chain;
mod programs;

pub use chain::{compressed, finalized_above, set_code, spec_version, storage_version, Patience};
pub use programs::{Demo, Programs};

use anyhow::{Context, Result};
use std::path::Path;
use zombienet_sdk::{LocalFileSystem, Network, NetworkConfig, NetworkConfigExt};

/// The collators' names.
pub const COLLATORS: [&str; 2] = ["alice", "bob"];

/// Starts the network; `chain_spec` is what the collators begin with.
pub async fn start(programs: &Programs, chain_spec: &Path) -> Result<Network<LocalFileSystem>> {
    std::env::set_var("CHASQUI_NODE", &programs.node);
    std::env::set_var("CHASQUI_CHAIN_SPEC", chain_spec);
    let toml = concat!(env!("CARGO_MANIFEST_DIR"), "/collators.toml");
    let config = NetworkConfig::load_from_toml(toml).with_context(|| format!("reading {toml}"))?;
    config
        .spawn_native()
        .await
        .context("starting relay chain and collators")
}
