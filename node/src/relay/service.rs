//! A node that takes its chain's order and finality from a relay chain, and collates if it has the role.

use crate::{
    blobs::BlobOptions,
    service::common::{self, Backend, Client, Connections, Network, Pool},
};
use chasqui_runtime::{constants::time::RELAY_CHAIN_SLOT_MILLIS, Hash, OpaqueBlock as Block};
use cumulus_client_bootnodes::{start_bootnode_tasks, StartBootnodeTasksParams};
use cumulus_client_cli::CollatorOptions;
use cumulus_client_collator::service::CollatorService;
use cumulus_client_consensus_aura::{
    collators::slot_based::{self, SlotBasedBlockImport, SlotBasedBlockImportHandle},
    equivocation_import_queue::fully_verifying_import_queue,
};
use cumulus_client_consensus_common::ParachainBlockImport;
use cumulus_client_service::{
    build_network, build_relay_chain_interface, prepare_node_config, start_relay_chain_tasks,
    BuildNetworkParams, DARecoveryProfile, StartRelayChainTasksParams,
};
use cumulus_primitives_core::{
    relay_chain::{CollatorPair, ValidationCode},
    GetParachainInfo, ParaId,
};
use cumulus_relay_chain_interface::RelayChainInterface;
use parity_scale_codec::Encode;
use sc_consensus::ImportQueue;
use sc_network::{config::NetworkBackendType, NetworkBlock, PeerId};
use sc_service::{Configuration, Error, TaskManager};
use sc_telemetry::TelemetryHandle;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use sp_consensus_aura::sr25519::AuthorityPair;
use sp_keystore::KeystorePtr;
use sp_runtime::traits::AccountIdConversion;
use std::{sync::Arc, time::Duration};

/// Imports a block, and hands it to the collator with the proof that was recorded.
type Import =
    ParachainBlockImport<Block, SlotBasedBlockImport<Block, Arc<Client>, Client>, Backend>;

/// Length of a slot of the relay chain.
const RELAY_CHAIN_SLOT: Duration = Duration::from_millis(RELAY_CHAIN_SLOT_MILLIS as u64);
/// How long after the beginning of its slot a collator begins its block: the relay chain's own block, which it builds
/// on, needs that long to come.
const SLOT_OFFSET: Duration = Duration::from_secs(1);

/// Starts the node and the means by which it knows its relay chain.
pub async fn start(
    config: Configuration,
    relay_config: Configuration,
    options: CollatorOptions,
    blobs: &BlobOptions,
) -> Result<TaskManager, Error> {
    if matches!(config.network.network_backend, NetworkBackendType::Libp2p) {
        return Err(Error::Other(
            "beside a relay chain this node speaks litep2p only: leave out --network-backend"
                .into(),
        ));
    }
    let config = prepare_node_config(config);
    let is_collator = config.role.is_authority();
    let mut parts = common::new_parts(&config)?;
    let client = parts.client.clone();
    let telemetry = parts.telemetry.as_ref().map(|telemetry| telemetry.handle());

    let (import, import_handle) = SlotBasedBlockImport::new(client.clone(), client.clone());
    let import: Import = ParachainBlockImport::new(import, parts.backend.clone());
    let import_queue = fully_verifying_import_queue::<AuthorityPair, _, _, _, _>(
        client.clone(),
        import.clone(),
        |_, ()| async { Ok(sp_timestamp::InherentDataProvider::from_system_time()) },
        &parts.task_manager.spawn_essential_handle(),
        config.prometheus_registry(),
        telemetry.clone(),
    );
    let import_service = import_queue.service();

    let para_id = para_id(&client)?;
    let relay_fork_id = relay_config.chain_spec.fork_id().map(ToString::to_string);
    let (relay, collator_key, relay_network, bootnode_requests) = build_relay_chain_interface(
        relay_config,
        &config,
        None,
        &mut parts.task_manager,
        options.clone(),
        None,
    )
    .await
    .map_err(|error| Error::Application(Box::new(error)))?;

    let plan = common::plan_network::<Network>(&config, &client, blobs)?;
    let (network, system_rpc_tx, tx_handler_controller, sync_service, _) =
        build_network(BuildNetworkParams {
            parachain_config: &config,
            net_config: plan.config,
            client: client.clone(),
            transaction_pool: parts.pool.clone(),
            para_id,
            relay_chain_interface: relay.clone(),
            spawn_handle: parts.task_manager.spawn_handle(),
            spawn_essential_handle: parts.task_manager.spawn_essential_handle(),
            import_queue,
            metrics: plan.metrics,
            gap_sync_body_policy: None,
        })
        .await?;

    let bootnodes = Bootnodes {
        advertise_non_global_ips: config.network.allow_non_globals_in_dht,
        fork_id: config.chain_spec.fork_id().map(ToString::to_string),
        public_addresses: config.network.public_addresses.clone(),
    };
    let registry = config.prometheus_registry().cloned();
    let backend = parts.backend.clone();
    let mut node = common::run(
        config,
        parts,
        Connections {
            network: network.clone(),
            sync_service: sync_service.clone(),
            system_rpc_tx,
            tx_handler_controller,
            blobs: plan.blobs,
        },
    )?;

    let announce_block = {
        let sync_service = sync_service.clone();
        Arc::new(move |hash, data| sync_service.announce_block(hash, data))
    };
    let overseer = relay
        .overseer_handle()
        .map_err(|error| Error::Application(Box::new(error)))?;
    start_relay_chain_tasks(StartRelayChainTasksParams {
        client: client.clone(),
        announce_block: announce_block.clone(),
        para_id,
        relay_chain_interface: relay.clone(),
        task_manager: &mut node.task_manager,
        da_recovery_profile: match is_collator {
            true => DARecoveryProfile::Collator,
            false => DARecoveryProfile::FullNode,
        },
        import_queue: import_service,
        relay_chain_slot_duration: RELAY_CHAIN_SLOT,
        recovery_handle: Box::new(overseer),
        sync_service,
        prometheus_registry: registry.as_ref(),
    })?;
    let collator_peer_id = relay_network.local_peer_id();
    start_bootnode_tasks(StartBootnodeTasksParams {
        embedded_dht_bootnode: options.embedded_dht_bootnode,
        dht_bootnode_discovery: options.dht_bootnode_discovery,
        para_id,
        task_manager: &mut node.task_manager,
        relay_chain_interface: relay.clone(),
        relay_chain_fork_id: relay_fork_id,
        relay_chain_network: relay_network,
        request_receiver: bootnode_requests,
        parachain_network: network,
        advertise_non_global_ips: bootnodes.advertise_non_global_ips,
        parachain_genesis_hash: client.info().genesis_hash.encode(),
        parachain_fork_id: bootnodes.fork_id,
        parachain_public_addresses: bootnodes.public_addresses,
    });

    if is_collator {
        collate(
            &node.task_manager,
            Collator {
                client,
                backend,
                pool: node.pool.clone(),
                keystore: node.keystore.clone(),
                import,
                import_handle,
                relay,
                collator_key: collator_key.ok_or_else(|| {
                    Error::Other("the relay chain's node has no key for collations".into())
                })?,
                collator_peer_id,
                para_id,
                announce_block,
                registry,
                telemetry,
            },
        );
    }
    Ok(node.task_manager)
}

/// What a first contact of the chain tells of itself.
struct Bootnodes {
    advertise_non_global_ips: bool,
    fork_id: Option<String>,
    public_addresses: Vec<sc_network::Multiaddr>,
}

/// What it takes to collate.
struct Collator {
    client: Arc<Client>,
    backend: Arc<Backend>,
    pool: Arc<Pool>,
    keystore: KeystorePtr,
    import: Import,
    import_handle: SlotBasedBlockImportHandle<Block>,
    relay: Arc<dyn RelayChainInterface>,
    collator_key: CollatorPair,
    collator_peer_id: PeerId,
    para_id: ParaId,
    announce_block: Arc<dyn Fn(Hash, Option<Vec<u8>>) + Send + Sync>,
    registry: Option<substrate_prometheus_endpoint::Registry>,
    telemetry: Option<TelemetryHandle>,
}

/// Spawns the tasks that build blocks by slot and submit them to the relay chain.
fn collate(task_manager: &TaskManager, collator: Collator) {
    let client = collator.client.clone();
    let proposer = sc_basic_authorship::ProposerFactory::new(
        task_manager.spawn_handle(),
        client.clone(),
        collator.pool,
        collator.registry.as_ref(),
        collator.telemetry,
    );
    slot_based::run::<Block, AuthorityPair, _, _, _, _, _, _, _, _, _>(slot_based::Params {
        create_inherent_data_providers: |_, ()| async { Ok(()) },
        block_import: collator.import,
        para_client: client.clone(),
        para_backend: collator.backend,
        relay_client: collator.relay,
        code_hash_provider: move |block| {
            let code = client.code_at(block).ok()?;
            Some(ValidationCode::from(code).hash())
        },
        keystore: collator.keystore,
        collator_key: collator.collator_key,
        collator_peer_id: collator.collator_peer_id,
        para_id: collator.para_id,
        proposer,
        collator_service: CollatorService::new(
            collator.client.clone(),
            collator.announce_block,
            collator.client,
        ),
        reinitialize: false,
        slot_offset: SLOT_OFFSET,
        block_import_handle: collator.import_handle,
        spawner: task_manager.spawn_essential_handle(),
        relay_chain_slot_duration: RELAY_CHAIN_SLOT,
        export_pov: None,
        max_pov_percentage: None,
    });
}

/// The chain's number among the relay chain's, as its runtime says.
fn para_id(client: &Arc<Client>) -> Result<ParaId, Error> {
    let para_id = client
        .runtime_api()
        .parachain_id(client.info().best_hash)
        .map_err(|error| Error::Application(Box::new(error)))?;
    let account: chasqui_runtime::AccountId = para_id.into_account_truncating();
    log::info!("parachain {para_id}, whose account on the relay chain and Asset Hub is {account}");
    Ok(para_id)
}
