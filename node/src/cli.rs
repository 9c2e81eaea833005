//! The command line.

use crate::{blobs::BlobOptions, service::Sealing};
use sc_cli::TransactionPoolType;

/// What the node is asked to do.
#[derive(Debug, clap::Parser)]
#[command(
    propagate_version = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Cli {
    /// A command other than running the node.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,

    /// How to run the node.
    #[command(flatten)]
    pub run: RunOptions,

    /// How to reach the relay chain.
    #[cfg(feature = "collator")]
    #[command(flatten)]
    pub relay: crate::relay::RelayOptions,

    /// Arguments of the relay chain's own node, behind `--`: those of every node of this kind, as `--chain FILE`.
    #[cfg(feature = "collator")]
    #[arg(raw = true, value_name = "RELAY CHAIN ARGUMENTS")]
    pub relay_chain_args: Vec<String>,
}

/// How to run the node.
#[derive(Debug, clap::Parser)]
pub struct RunOptions {
    #[command(flatten)]
    base: sc_cli::RunCmd,

    /// Make blocks: the same as `--validator`, in a parachain's words.
    #[arg(long, conflicts_with = "validator")]
    pub collator: bool,

    /// When to make a block without a relay chain: `interval:MS` (at least every 1000 ms; a tick
    /// that is missed is skipped), or `instant` (when a transaction comes in, blocks still at
    /// least 1000 ms apart).
    #[arg(long, value_name = "MODE", default_value_t)]
    pub sealing: Sealing,

    #[command(flatten)]
    pub blobs: BlobOptions,
}

impl RunOptions {
    /// The node's options with the parachain's own words translated.
    pub fn normalize(&self) -> sc_cli::RunCmd {
        let mut base = self.base.clone();
        with_parity_db(&mut base.import_params.database_params);
        base.validator |= self.collator;
        // The author of a local network is a throw-away: its network key may be one too.
        if base.shared_params.chain.as_deref() == Some("local") {
            base.network_params
                .node_key_params
                .unsafe_force_node_key_generation = true;
        }
        // The fork-aware pool may hold a transaction back until the next block; with instant
        // sealing there is no next block, and there are no forks to be aware of either.
        if self.sealing == Sealing::Instant {
            base.pool_config.pool_type = TransactionPoolType::SingleState;
        }
        base
    }
}

/// The node's database is ParityDb; RocksDB, which comes with the relay chain's client, only where it is asked for.
pub fn with_parity_db(params: &mut sc_cli::DatabaseParams) {
    params.database.get_or_insert(sc_cli::Database::ParityDb);
}

impl Subcommand {
    /// Puts the command on the node's own kind of database.
    pub fn use_parity_db(&mut self) {
        match self {
            Self::CheckBlock(cmd) => with_parity_db(&mut cmd.import_params.database_params),
            Self::ExportBlocks(cmd) => with_parity_db(&mut cmd.database_params),
            Self::ImportBlocks(cmd) => with_parity_db(&mut cmd.import_params.database_params),
            Self::ExportState(cmd) => with_parity_db(&mut cmd.database_params),
            Self::Revert(cmd) => with_parity_db(&mut cmd.database_params),
            Self::PurgeChain(cmd) => with_parity_db(&mut cmd.database_params),
            Self::ChainInfo(cmd) => with_parity_db(&mut cmd.database_params),
            _ => {}
        }
    }
}

/// Commands other than running the node.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Generate, inspect and insert keys.
    #[command(subcommand)]
    Key(sc_cli::KeySubcommand),

    /// Write a chain specification as JSON.
    ExportChainSpec(sc_cli::ExportChainSpecCmd),

    /// Check that blocks are sound.
    CheckBlock(sc_cli::CheckBlockCmd),

    /// Write blocks to a file.
    ExportBlocks(sc_cli::ExportBlocksCmd),

    /// Write the state at a block as a chain specification.
    ExportState(sc_cli::ExportStateCmd),

    /// Read blocks from a file.
    ImportBlocks(sc_cli::ImportBlocksCmd),

    /// Take back the newest blocks.
    Revert(sc_cli::RevertCmd),

    /// Delete the chain's data.
    PurgeChain(sc_cli::PurgeChainCmd),

    /// Show the newest and the last finalised block.
    ChainInfo(sc_cli::ChainInfoCmd),

    /// Write the header of the first block, as a relay chain wants it at registration.
    #[cfg(feature = "collator")]
    #[command(alias = "export-genesis-state")]
    ExportGenesisHead(crate::relay::ExportGenesisHead),

    /// Write the runtime of the first block, as a relay chain wants it at registration.
    #[cfg(feature = "collator")]
    ExportGenesisWasm(crate::relay::ExportGenesisWasm),
}
