//! A chain with a relay chain: its options, the commands that register it, and the node that follows or collates.

mod cli;
mod commands;
mod service;

pub use cli::RelayOptions;
pub use commands::{export_head, export_wasm, ExportGenesisHead, ExportGenesisWasm};

use crate::cli::Cli;
use cli::RelayChainCli;
use sc_cli::SubstrateCli;
use sc_service::{Configuration, TaskManager};

/// Starts a node of a chain that the relay chain `relay_chain` secures: it collates if it has the role, else it follows.
pub async fn start(
    cli: &Cli,
    relay_chain: String,
    config: Configuration,
) -> sc_cli::Result<TaskManager> {
    let options = cli.relay.collator_options();
    let relay = RelayChainCli::new(&config, relay_chain, &cli.relay_chain_args)?;
    let relay_config =
        SubstrateCli::create_configuration(&relay, &relay, config.tokio_handle.clone())?;
    log::info!(
        "relay chain: {}, by {}",
        relay_config.chain_spec.name(),
        match &options.relay_chain_mode {
            cumulus_client_cli::RelayChainMode::Embedded => "a node of it in this process".into(),
            cumulus_client_cli::RelayChainMode::ExternalRpc(urls) => urls
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        }
    );
    service::start(config, relay_config, options, &cli.run.blobs)
        .await
        .map_err(Into::into)
}
