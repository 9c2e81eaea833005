//! What a relay chain wants to know of a parachain when it is registered.

use crate::{cli::Cli, service};
pub use cumulus_client_cli::{
    ExportGenesisHeadCommand as ExportGenesisHead, ExportGenesisWasmCommand as ExportGenesisWasm,
};
use sc_cli::SubstrateCli;

/// Writes the header of the first block.
pub fn export_head(cli: &Cli, command: &ExportGenesisHead) -> sc_cli::Result<()> {
    cli.create_runner(command)?.sync_run(|config| {
        let parts = service::new_partial(&config)?;
        command.run(parts.client)
    })
}

/// Writes the runtime that the first block runs.
pub fn export_wasm(cli: &Cli, command: &ExportGenesisWasm) -> sc_cli::Result<()> {
    let spec = cli
        .load_spec(&command.shared_params.chain.clone().unwrap_or_default())
        .map_err(sc_cli::Error::Input)?;
    command.run(&*spec)
}
