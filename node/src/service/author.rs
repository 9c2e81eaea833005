//! Making blocks without a relay chain.

use super::{
    common::Node,
    inherents::RelayChainless,
    seal::AuraSeal,
    sealing::{self, Sealing},
};
use chasqui_runtime::{randomness, Runtime};
use sc_client_api::StorageProvider;
use sc_service::Error;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use sp_core::storage::StorageKey;

/// Spawns the task that makes, seals and finalises blocks.
pub fn spawn(node: &Node, sealing: Sealing) -> Result<(), Error> {
    use cumulus_primitives_core::GetParachainInfo;

    let best = node.client.info().best_hash;
    let insecure = StorageKey(randomness::Insecure::<Runtime>::hashed_key().to_vec());
    if node
        .client
        .storage(best, &insecure)?
        .is_some_and(|value| value.0 == [1])
    {
        log::warn!(
            "draws on this chain are insecure: without a relay chain this node makes up the \
             randomness and knows every draw in advance"
        );
    }
    let para_id = node
        .client
        .runtime_api()
        .parachain_id(best)
        .map_err(|error| Error::Application(Box::new(error)))?;

    let proposer = sc_basic_authorship::ProposerFactory::new(
        node.task_manager.spawn_handle(),
        node.client.clone(),
        node.pool.clone(),
        node.registry.as_ref(),
        node.telemetry.as_ref().map(|telemetry| telemetry.handle()),
    );
    let task = sealing::run(sealing::Author {
        sealing,
        client: node.client.clone(),
        pool: node.pool.clone(),
        select_chain: node.select_chain.clone(),
        proposer,
        seal: AuraSeal::new(node.client.clone(), node.keystore.clone()),
        inherents: RelayChainless::new(node.client.clone(), para_id),
    });
    node.task_manager
        .spawn_essential_handle()
        .spawn_blocking("author", "block-authoring", task);
    log::info!("making blocks: {sealing}");
    Ok(())
}
