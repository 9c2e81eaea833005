//! Running a node: what every mode shares in [`common`], then one file a mode.

mod author;
pub mod common;
mod follower;
mod inherents;
mod seal;
mod sealing;

pub use common::{new_partial, Client, Pool};
pub use sealing::Sealing;

use crate::blobs::BlobOptions;
use sc_service::{config::Configuration, Error, TaskManager};

/// Starts the node: it makes blocks without a relay chain if it has the role, else it follows.
pub fn start(
    config: Configuration,
    sealing: Sealing,
    blobs: &BlobOptions,
) -> Result<TaskManager, Error> {
    let is_author = config.role.is_authority();
    let node = common::start_node(config, blobs)?;
    if is_author {
        author::spawn(&node, sealing)?;
    } else {
        follower::spawn(&node);
    }
    Ok(node.task_manager)
}
