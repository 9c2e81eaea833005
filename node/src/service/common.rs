//! What every mode of the node shares: client, pool, import queue, network, RPC.

use crate::{
    blobs::{self, BlobOptions, Blobs},
    rpc,
};
use chasqui_runtime::{constants::time::SLOT_MILLIS, Hash, OpaqueBlock as Block, RuntimeApi};
use futures::FutureExt;
use sc_chain_spec::ChainType;
use sc_client_api::Backend as _;
use sc_consensus::{DefaultImportQueue, LongestChain};
use sc_consensus_aura::{CheckForEquivocation, ImportQueueParams};
use sc_executor::WasmExecutor;
use sc_network::config::{FullNetworkConfiguration, NetworkBackendType};
use sc_network::{
    service::traits::NetworkService, Litep2pNetworkBackend, NetworkBackend, NetworkWorker,
    NotificationMetrics,
};
use sc_network_sync::SyncingService;
use sc_network_transactions::TransactionsHandlerController;
use sc_service::{
    config::Configuration, BuildNetworkParams, Error, KeystoreContainer, PartialComponents,
    SpawnTasksParams, TFullBackend, TFullClient, TaskManager,
};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sc_utils::mpsc::TracingUnboundedSender;
use sp_blockchain::HeaderBackend;
use sp_consensus_aura::{sr25519::AuthorityPair, SlotDuration};
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// Functions of the host that the runtime may call.
pub type HostFunctions = (
    sp_io::SubstrateHostFunctions,
    cumulus_primitives_proof_size_hostfunction::storage_proof_size::HostFunctions,
);
/// Runs the runtime.
pub type Executor = WasmExecutor<HostFunctions>;
/// The client.
pub type Client = TFullClient<Block, RuntimeApi, Executor>;
/// Where blocks and state are kept.
pub type Backend = TFullBackend<Block>;
/// Where transactions wait.
pub type Pool = TransactionPoolHandle<Block, Client>;
/// How nodes talk unless told otherwise.
pub type Network = Litep2pNetworkBackend;
/// How nodes talk with `--network-backend libp2p`.
type Libp2p = NetworkWorker<Block, Hash>;
/// Which chain is the best.
pub type SelectChain = LongestChain<Backend, Block>;

/// The parts of a node that commands on the database need too.
pub type Partials = PartialComponents<
    Client,
    Backend,
    SelectChain,
    DefaultImportQueue<Block>,
    Pool,
    Option<Telemetry>,
>;

/// What a node is built from, before it is known how it imports blocks.
pub struct Parts {
    pub client: Arc<Client>,
    pub backend: Arc<Backend>,
    pub pool: Arc<Pool>,
    pub keystore: KeystoreContainer,
    pub telemetry: Option<Telemetry>,
    pub task_manager: TaskManager,
}

/// The ends of a network that was built.
pub struct Connections {
    pub network: Arc<dyn NetworkService>,
    pub sync_service: Arc<SyncingService<Block>>,
    pub system_rpc_tx: TracingUnboundedSender<sc_rpc::system::Request<Block>>,
    pub tx_handler_controller: TransactionsHandlerController<Hash>,
    /// What was added to it for blobs.
    pub blobs: Option<blobs::Prepared>,
}

/// A network that is about to be built.
pub struct Plan<N: NetworkBackend<Block, Hash>> {
    pub config: FullNetworkConfiguration<Block, Hash, N>,
    pub metrics: NotificationMetrics,
    pub blobs: Option<blobs::Prepared>,
}

/// A running node, before it makes or finalises blocks.
pub struct Node {
    pub client: Arc<Client>,
    pub pool: Arc<Pool>,
    pub select_chain: SelectChain,
    pub keystore: KeystorePtr,
    pub registry: Option<substrate_prometheus_endpoint::Registry>,
    pub telemetry: Option<Telemetry>,
    pub task_manager: TaskManager,
}

/// Length of a slot.
pub const SLOT_DURATION: SlotDuration = SlotDuration::from_millis(SLOT_MILLIS);

/// Opens the database and builds what stands on it.
pub fn new_parts(config: &Configuration) -> Result<Parts, Error> {
    let telemetry = config
        .telemetry_endpoints
        .clone()
        .filter(|endpoints| !endpoints.is_empty())
        .map(|endpoints| -> Result<_, sc_telemetry::Error> {
            let worker = TelemetryWorker::new(16)?;
            let telemetry = worker.handle().new_telemetry(endpoints);
            Ok((worker, telemetry))
        })
        .transpose()?;

    let executor = sc_service::new_wasm_executor::<HostFunctions>(&config.executor);
    // Imported blocks record their proof, because reclaimed weight is part of their state.
    let (client, backend, keystore, task_manager) =
        sc_service::new_full_parts_record_import::<Block, RuntimeApi, _>(
            config,
            telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
            executor,
            true,
            Default::default(),
        )?;
    let client = Arc::new(client);

    let telemetry = telemetry.map(|(worker, telemetry)| {
        task_manager
            .spawn_handle()
            .spawn("telemetry", None, worker.run());
        telemetry
    });

    let pool = Arc::from(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

    Ok(Parts {
        client,
        backend,
        pool,
        keystore,
        telemetry,
        task_manager,
    })
}

/// Builds the parts of a node that commands on the database need too.
pub fn new_partial(config: &Configuration) -> Result<Partials, Error> {
    let Parts {
        client,
        backend,
        pool,
        keystore,
        telemetry,
        task_manager,
    } = new_parts(config)?;
    let import_queue = import_queue(config, &client, &task_manager, telemetry.as_ref())?;
    Ok(PartialComponents {
        select_chain: LongestChain::new(backend.clone()),
        client,
        backend,
        task_manager,
        keystore_container: keystore,
        import_queue,
        transaction_pool: pool,
        other: telemetry,
    })
}

/// Imports blocks that their author sealed, whatever a relay chain says of them.
fn import_queue(
    config: &Configuration,
    client: &Arc<Client>,
    task_manager: &TaskManager,
    telemetry: Option<&Telemetry>,
) -> Result<DefaultImportQueue<Block>, Error> {
    let import_queue = sc_consensus_aura::import_queue::<AuthorityPair, _, _, _, _, _>(
        ImportQueueParams {
            block_import: client.clone(),
            justification_import: None,
            client: client.clone(),
            create_inherent_data_providers: |_, ()| async {
                let timestamp = sp_timestamp::InherentDataProvider::from_system_time();
                let slot =
                    sp_consensus_aura::inherents::InherentDataProvider::from_timestamp_and_slot_duration(
                        *timestamp,
                        SLOT_DURATION,
                    );
                Ok((slot, timestamp))
            },
            spawner: &task_manager.spawn_essential_handle(),
            registry: config.prometheus_registry(),
            // An author makes several blocks in a slot: that is no equivocation here.
            check_for_equivocation: CheckForEquivocation::No,
            telemetry: telemetry.map(|telemetry| telemetry.handle()),
            compatibility_mode: Default::default(),
        },
    )?;

    Ok(import_queue)
}

/// Starts everything but making and finalising blocks, for a chain without a relay chain.
pub fn start_node(mut config: Configuration, blobs: &BlobOptions) -> Result<Node, Error> {
    if matches!(config.chain_spec.chain_type(), ChainType::Development) {
        // A development chain is one node's; others on this machine have the same genesis.
        config.network.default_peers_set.in_peers = 0;
        config.network.default_peers_set.out_peers = 0;
    }
    let parts = new_parts(&config)?;
    let import_queue = import_queue(
        &config,
        &parts.client,
        &parts.task_manager,
        parts.telemetry.as_ref(),
    )?;
    let connections = match config.network.network_backend {
        NetworkBackendType::Litep2p => connect::<Network>(&config, &parts, import_queue, blobs)?,
        NetworkBackendType::Libp2p => connect::<Libp2p>(&config, &parts, import_queue, blobs)?,
    };
    run(config, parts, connections)
}

/// Builds the network of a chain without a relay chain.
fn connect<N: NetworkBackend<Block, Hash>>(
    config: &Configuration,
    parts: &Parts,
    import_queue: DefaultImportQueue<Block>,
    blobs: &BlobOptions,
) -> Result<Connections, Error> {
    let plan = plan_network::<N>(config, &parts.client, blobs)?;
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _) =
        sc_service::build_network(BuildNetworkParams {
            config,
            net_config: plan.config,
            client: parts.client.clone(),
            transaction_pool: parts.pool.clone(),
            spawn_handle: parts.task_manager.spawn_handle(),
            spawn_essential_handle: parts.task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: None,
            block_relay: None,
            metrics: plan.metrics,
            gap_sync_body_policy: None,
        })?;
    Ok(Connections {
        network,
        sync_service,
        system_rpc_tx,
        tx_handler_controller,
        blobs: plan.blobs,
    })
}

/// The network that a node is about to build, with the protocols of blobs.
pub fn plan_network<N: NetworkBackend<Block, Hash>>(
    config: &Configuration,
    client: &Client,
    blobs: &BlobOptions,
) -> Result<Plan<N>, Error> {
    let registry = config.prometheus_registry().cloned();
    let metrics = N::register_notification_metrics(registry.as_ref());
    let mut network = FullNetworkConfiguration::new(&config.network, registry);
    let genesis = client.info().genesis_hash;
    let blobs = blobs::prepare(config, blobs, genesis, &mut network, metrics.clone())?;
    Ok(Plan {
        config: network,
        metrics,
        blobs,
    })
}

/// Starts what every node runs once its network stands: offchain workers, RPC, metrics.
pub fn run(config: Configuration, parts: Parts, connections: Connections) -> Result<Node, Error> {
    let Parts {
        client,
        backend,
        pool,
        keystore,
        mut telemetry,
        mut task_manager,
    } = parts;
    let registry = config.prometheus_registry().cloned();

    if config.offchain_worker.enabled {
        let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
            runtime_api_provider: client.clone(),
            is_validator: config.role.is_authority(),
            keystore: Some(keystore.keystore()),
            offchain_db: backend.offchain_storage(),
            transaction_pool: Some(OffchainTransactionPoolFactory::new(pool.clone())),
            network_provider: Arc::new(connections.network.clone()),
            enable_http_requests: false,
            custom_extensions: |_| Vec::new(),
        })?;
        task_manager.spawn_handle().spawn(
            "offchain-workers-runner",
            "offchain-worker",
            workers
                .run(client.clone(), task_manager.spawn_handle())
                .boxed(),
        );
    }

    let blobs = connections.blobs.map(|prepared| {
        let (network, sync) = (
            connections.network.clone(),
            connections.sync_service.clone(),
        );
        Blobs::start(prepared, network, sync, &task_manager)
    });
    let rpc_builder = {
        let (client, pool) = (client.clone(), pool.clone());
        Box::new(move |executor| rpc::build(client.clone(), pool.clone(), blobs.clone(), executor))
    };
    let keystore = keystore.keystore();
    let select_chain = LongestChain::new(backend.clone());
    sc_service::spawn_tasks(SpawnTasksParams {
        config,
        client: client.clone(),
        backend,
        task_manager: &mut task_manager,
        keystore: keystore.clone(),
        transaction_pool: pool.clone(),
        rpc_builder,
        network: connections.network,
        system_rpc_tx: connections.system_rpc_tx,
        tx_handler_controller: connections.tx_handler_controller,
        sync_service: connections.sync_service,
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    Ok(Node {
        client,
        pool,
        select_chain,
        keystore,
        registry,
        telemetry,
        task_manager,
    })
}
