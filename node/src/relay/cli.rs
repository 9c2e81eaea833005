//! Options of a node whose chain has a relay chain, and those of the relay chain's own node.

use crate::cli::{with_parity_db, Cli};
use clap::Parser;
use cumulus_client_cli::{CollatorOptions, RelayChainMode};
use sc_cli::{
    CliConfiguration, DefaultConfigurationValues, ImportParams, KeystoreParams, NetworkParams,
    RpcEndpoint, SharedParams, SubstrateCli,
};
use sc_service::{
    config::{PrometheusConfig, RpcBatchRequestConfig},
    BasePath, ChainSpec, Configuration, Role,
};
use std::path::PathBuf;
use url::Url;

/// How the node reaches its relay chain.
#[derive(Debug, clap::Args)]
pub struct RelayOptions {
    /// Ask nodes of the relay chain at these addresses (`ws://` or `wss://`, the first that answers) instead of running
    /// one in this process. Lighter; a collator then relies on what they say.
    #[arg(long, value_name = "URL", num_args = 1.., alias = "relay-chain-rpc-url", value_parser = websocket)]
    relay_chain_rpc_urls: Vec<Url>,

    /// Do not offer this node as a first contact to others of its chain on the relay chain's network.
    #[arg(long)]
    no_dht_bootnode: bool,

    /// Do not look for first contacts of this chain on the relay chain's network.
    #[arg(long)]
    no_dht_bootnode_discovery: bool,
}

impl RelayOptions {
    /// The same as the SDK names them.
    pub fn collator_options(&self) -> CollatorOptions {
        CollatorOptions {
            relay_chain_mode: match self.relay_chain_rpc_urls.as_slice() {
                [] => RelayChainMode::Embedded,
                urls => RelayChainMode::ExternalRpc(urls.to_vec()),
            },
            embedded_dht_bootnode: !self.no_dht_bootnode,
            dht_bootnode_discovery: !self.no_dht_bootnode_discovery,
        }
    }
}

fn websocket(argument: &str) -> Result<Url, String> {
    let url = Url::parse(argument).map_err(|error| error.to_string())?;
    match url.scheme() {
        "ws" | "wss" => Ok(url),
        scheme => Err(format!(
            "a relay chain is asked over ws:// or wss://, not {scheme}://"
        )),
    }
}

/// The command line of the relay chain's node: what stands behind `--`.
#[derive(Debug)]
pub struct RelayChainCli {
    base: sc_cli::RunCmd,
    chain: String,
    folder: PathBuf,
}

impl RelayChainCli {
    /// Reads `arguments`; the chain is `chain` and the data lie below those of the parachain unless they say otherwise.
    pub fn new(
        config: &Configuration,
        chain: String,
        arguments: &[String],
    ) -> sc_cli::Result<Self> {
        let name = std::iter::once("relay chain");
        let mut base =
            sc_cli::RunCmd::try_parse_from(name.chain(arguments.iter().map(String::as_str)))
                .map_err(|error| {
                    sc_cli::Error::Input(format!(
                        "arguments of the relay chain, behind `--`: {error}"
                    ))
                })?;
        with_parity_db(&mut base.import_params.database_params);
        Ok(Self {
            base,
            chain,
            folder: config.base_path.path().join("relay-chain"),
        })
    }
}

impl SubstrateCli for RelayChainCli {
    fn impl_name() -> String {
        Cli::impl_name()
    }

    fn impl_version() -> String {
        Cli::impl_version()
    }

    fn description() -> String {
        Cli::description()
    }

    fn author() -> String {
        Cli::author()
    }

    fn support_url() -> String {
        Cli::support_url()
    }

    fn copyright_start_year() -> i32 {
        Cli::copyright_start_year()
    }

    fn load_spec(&self, id: &str) -> Result<Box<dyn ChainSpec>, String> {
        polkadot_cli::Cli::from_iter([Self::executable_name()])
            .load_spec(id)
            .map_err(|error| {
                format!(
                    "the relay chain '{id}' is neither known to this node nor a file with its specification \
                     (give one behind `--`: -- --chain FILE): {error}"
                )
            })
    }
}

impl DefaultConfigurationValues for RelayChainCli {
    fn p2p_listen_port() -> u16 {
        30_334
    }

    fn rpc_listen_port() -> u16 {
        9_945
    }

    fn prometheus_listen_port() -> u16 {
        9_616
    }
}

impl CliConfiguration<Self> for RelayChainCli {
    fn shared_params(&self) -> &SharedParams {
        self.base.shared_params()
    }

    fn import_params(&self) -> Option<&ImportParams> {
        self.base.import_params()
    }

    fn network_params(&self) -> Option<&NetworkParams> {
        self.base.network_params()
    }

    fn keystore_params(&self) -> Option<&KeystoreParams> {
        self.base.keystore_params()
    }

    fn base_path(&self) -> sc_cli::Result<Option<BasePath>> {
        let own = self.shared_params().base_path()?;
        Ok(own.or_else(|| Some(self.folder.clone().into())))
    }

    fn chain_id(&self, is_dev: bool) -> sc_cli::Result<String> {
        let own = self.base.chain_id(is_dev)?;
        Ok(if own.is_empty() {
            self.chain.clone()
        } else {
            own
        })
    }

    fn role(&self, is_dev: bool) -> sc_cli::Result<Role> {
        self.base.role(is_dev)
    }

    fn rpc_addr(&self, default_port: u16) -> sc_cli::Result<Option<Vec<RpcEndpoint>>> {
        self.base.rpc_addr(default_port)
    }

    fn rpc_methods(&self) -> sc_cli::Result<sc_service::config::RpcMethods> {
        self.base.rpc_methods()
    }

    fn rpc_cors(&self, is_dev: bool) -> sc_cli::Result<Option<Vec<String>>> {
        self.base.rpc_cors(is_dev)
    }

    fn rpc_max_connections(&self) -> sc_cli::Result<u32> {
        self.base.rpc_max_connections()
    }

    fn rpc_batch_config(&self) -> sc_cli::Result<RpcBatchRequestConfig> {
        self.base.rpc_batch_config()
    }

    fn prometheus_config(
        &self,
        default_port: u16,
        chain_spec: &Box<dyn ChainSpec>,
    ) -> sc_cli::Result<Option<PrometheusConfig>> {
        self.base.prometheus_config(default_port, chain_spec)
    }

    fn transaction_pool(&self, is_dev: bool) -> sc_cli::Result<sc_service::TransactionPoolOptions> {
        self.base.transaction_pool(is_dev)
    }

    fn node_name(&self) -> sc_cli::Result<String> {
        self.base.node_name()
    }

    fn telemetry_endpoints(
        &self,
        chain_spec: &Box<dyn ChainSpec>,
    ) -> sc_cli::Result<Option<sc_service::config::TelemetryEndpoints>> {
        self.base.telemetry_endpoints(chain_spec)
    }
}
