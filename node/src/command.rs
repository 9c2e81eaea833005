//! What each command does.

#[cfg(feature = "collator")]
use crate::relay;
use crate::{
    chain_spec,
    cli::{Cli, Subcommand},
    service,
};
use sc_cli::{ChainSpec, SubstrateCli};
use sc_service::PartialComponents;

impl SubstrateCli for Cli {
    fn impl_name() -> String {
        "Chasqui Node".into()
    }

    fn impl_version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    fn description() -> String {
        env!("CARGO_PKG_DESCRIPTION").into()
    }

    fn author() -> String {
        "The Chasqui developers".into()
    }

    fn support_url() -> String {
        concat!(env!("CARGO_PKG_REPOSITORY"), "/issues").into()
    }

    fn copyright_start_year() -> i32 {
        2026
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn ChainSpec>, String> {
        Ok(match id {
            "dev" => Box::new(chain_spec::development()?),
            "" | "local" => Box::new(chain_spec::local()?),
            "collators" => Box::new(chain_spec::collators()?),
            path => Box::new(chain_spec::ChainSpec::from_json_file(path.into())?),
        })
    }
}

/// Parses the command line and obeys it.
pub fn run() -> sc_cli::Result<()> {
    let mut cli = Cli::from_args();
    if let Some(command) = &mut cli.subcommand {
        command.use_parity_db();
    }
    match &cli.subcommand {
        Some(Subcommand::Key(cmd)) => cmd.run(&cli),
        Some(Subcommand::ExportChainSpec(cmd)) => {
            cmd.run(cli.load_spec(&cmd.chain).map_err(sc_cli::Error::Input)?)
        }
        Some(Subcommand::CheckBlock(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Subcommand::ExportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, config.database), task_manager))
        }),
        Some(Subcommand::ExportState(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, config.chain_spec), task_manager))
        }),
        Some(Subcommand::ImportBlocks(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                import_queue,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, import_queue), task_manager))
        }),
        Some(Subcommand::Revert(cmd)) => cli.create_runner(cmd)?.async_run(|config| {
            let PartialComponents {
                client,
                task_manager,
                backend,
                ..
            } = service::new_partial(&config)?;
            Ok((cmd.run(client, backend, None), task_manager))
        }),
        Some(Subcommand::PurgeChain(cmd)) => cli
            .create_runner(cmd)?
            .sync_run(|config| cmd.run(config.database)),
        Some(Subcommand::ChainInfo(cmd)) => cli
            .create_runner(cmd)?
            .sync_run(|config| cmd.run::<chasqui_runtime::OpaqueBlock>(&config)),
        #[cfg(feature = "collator")]
        Some(Subcommand::ExportGenesisHead(cmd)) => relay::export_head(&cli, cmd),
        #[cfg(feature = "collator")]
        Some(Subcommand::ExportGenesisWasm(cmd)) => relay::export_wasm(&cli, cmd),
        None => {
            let (sealing, blobs) = (cli.run.sealing, cli.run.blobs.clone());
            cli.create_runner(&cli.run.normalize())?
                .run_node_until_exit(|config| async move {
                    match chain_spec::relay_chain(&*config.chain_spec) {
                        None => service::start(config, sealing, &blobs)
                            .map_err(sc_cli::Error::Service),
                        #[cfg(feature = "collator")]
                        Some(relay_chain) => relay::start(&cli, relay_chain, config).await,
                        #[cfg(not(feature = "collator"))]
                        Some(relay_chain) => Err(sc_cli::Error::Input(format!(
                            "the chain '{}' belongs to the relay chain '{relay_chain}', which this node was built \
                             without: build it with `--features collator`",
                            config.chain_spec.id()
                        ))),
                    }
                })
        }
    }
}
