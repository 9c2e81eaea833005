//! Following a chain whose only author finalises what it makes.

use super::common::{Client, Node};
use futures::StreamExt;
use sc_client_api::{BlockchainEvents, Finalizer};
use sp_api::ProvideRuntimeApi;
use sp_consensus_aura::{sr25519::AuthorityId, AuraApi};
use std::sync::Arc;

const LOG_TARGET: &str = "follower";

/// Spawns the task that finalises imported blocks.
pub fn spawn(node: &Node) {
    let task = finalize_best_blocks(node.client.clone());
    node.task_manager
        .spawn_essential_handle()
        .spawn("finalize-best", "follower", task);
}

/// Finalises every new best block while the chain has a single authority. The import queue has
/// checked its seal; with nobody else to make a block, no other chain can overtake it.
async fn finalize_best_blocks(client: Arc<Client>) {
    // The other stream leaves out blocks that come in bulk while the node catches up.
    let mut imported = client.every_import_notification_stream();
    while let Some(block) = imported.next().await {
        if !block.is_new_best {
            continue;
        }
        let authorities: Vec<AuthorityId> = match client.runtime_api().authorities(block.hash) {
            Ok(authorities) => authorities,
            Err(error) => {
                log::warn!(target: LOG_TARGET, "no authorities at {}: {error}", block.hash);
                continue;
            }
        };
        if authorities.len() != 1 {
            log::warn!(
                target: LOG_TARGET,
                "{} authorities at {}: nobody here can tell which block is final",
                authorities.len(),
                block.hash
            );
            continue;
        }
        if let Err(error) = client.finalize_block(block.hash, None, true) {
            log::warn!(target: LOG_TARGET, "could not finalise {}: {error}", block.hash);
        }
    }
}
