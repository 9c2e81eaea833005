//! What every mode of the node shares: client, pool, import queue, network, RPC.

use crate::rpc;
use chasqui_runtime::{constants::time::SLOT_MILLIS, OpaqueBlock as Block, RuntimeApi};
use futures::FutureExt;
use sc_chain_spec::ChainType;
use sc_client_api::Backend as _;
use sc_consensus::{DefaultImportQueue, LongestChain};
use sc_consensus_aura::{CheckForEquivocation, ImportQueueParams};
use sc_executor::WasmExecutor;
use sc_network::config::{FullNetworkConfiguration, NetworkBackendType};
use sc_network::{Litep2pNetworkBackend, NetworkBackend};
use sc_service::{
    config::Configuration, BuildNetworkParams, Error, PartialComponents, SpawnTasksParams,
    TFullBackend, TFullClient, TaskManager,
};
use sc_telemetry::{Telemetry, TelemetryWorker};
use sc_transaction_pool::TransactionPoolHandle;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
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

/// Builds the parts of a node that commands on the database need too.
pub fn new_partial(config: &Configuration) -> Result<Partials, Error> {
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
    let (client, backend, keystore_container, task_manager) =
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

    let transaction_pool = Arc::from(
        sc_transaction_pool::Builder::new(
            task_manager.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build(),
    );

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
            telemetry: telemetry.as_ref().map(|telemetry| telemetry.handle()),
            compatibility_mode: Default::default(),
        },
    )?;

    Ok(PartialComponents {
        select_chain: LongestChain::new(backend.clone()),
        client,
        backend,
        task_manager,
        keystore_container,
        import_queue,
        transaction_pool,
        other: telemetry,
    })
}

/// Starts everything but making and finalising blocks.
pub fn start_node(mut config: Configuration) -> Result<Node, Error> {
    if matches!(config.network.network_backend, NetworkBackendType::Libp2p) {
        return Err(Error::Other(
            "this node speaks litep2p only: leave out --network-backend".into(),
        ));
    }
    if matches!(config.chain_spec.chain_type(), ChainType::Development) {
        // A development chain is one node's; others on this machine have the same genesis.
        config.network.default_peers_set.in_peers = 0;
        config.network.default_peers_set.out_peers = 0;
    }
    let PartialComponents {
        client,
        backend,
        mut task_manager,
        import_queue,
        keystore_container,
        select_chain,
        transaction_pool,
        other: mut telemetry,
    } = new_partial(&config)?;

    type Network = Litep2pNetworkBackend;
    let registry = config.prometheus_registry().cloned();
    let net_config =
        FullNetworkConfiguration::<_, _, Network>::new(&config.network, registry.clone());
    let metrics =
        <Network as NetworkBackend<Block, chasqui_runtime::Hash>>::register_notification_metrics(
            registry.as_ref(),
        );

    let (network, system_rpc_tx, tx_handler_controller, sync_service, _) =
        sc_service::build_network(BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: transaction_pool.clone(),
            spawn_handle: task_manager.spawn_handle(),
            spawn_essential_handle: task_manager.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: None,
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    if config.offchain_worker.enabled {
        let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
            runtime_api_provider: client.clone(),
            is_validator: config.role.is_authority(),
            keystore: Some(keystore_container.keystore()),
            offchain_db: backend.offchain_storage(),
            transaction_pool: Some(OffchainTransactionPoolFactory::new(
                transaction_pool.clone(),
            )),
            network_provider: Arc::new(network.clone()),
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

    let rpc_builder = {
        let (client, pool) = (client.clone(), transaction_pool.clone());
        Box::new(move |executor| rpc::build(client.clone(), pool.clone(), executor))
    };
    let keystore = keystore_container.keystore();
    sc_service::spawn_tasks(SpawnTasksParams {
        config,
        client: client.clone(),
        backend: backend.clone(),
        task_manager: &mut task_manager,
        keystore: keystore.clone(),
        transaction_pool: transaction_pool.clone(),
        rpc_builder,
        network,
        system_rpc_tx,
        tx_handler_controller,
        sync_service,
        telemetry: telemetry.as_mut(),
        tracing_execute_block: None,
    })?;

    Ok(Node {
        client,
        pool: transaction_pool,
        select_chain,
        keystore,
        registry,
        telemetry,
        task_manager,
    })
}
