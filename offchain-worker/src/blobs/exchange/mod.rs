//! Blobs from one worker to another.
//!
//! A worker hands out what it explicitly shares ([`Shares`]) on the listener of its endpoint, and nothing else.
//! [`fetch`] gets a blob from whoever has it: from several holders at once, each chunk checked against the root, so that
//! it does not matter whom they are. What has come stays beside the store until the blob is whole, and a fetch that was
//! stopped goes on from there. What no holder gives is asked of the worker's node ([`NodeBlobs`]). [`fetch_chunks`] gets a few chunks of one, for who wants to look at no more.

mod checkpoint;
mod error;
mod fetch;
mod library;
mod node;
mod sample;
mod shares;

pub use chasqui_session::blobs::{BlobLimits, PeersConfig};
pub use chasqui_session::Endpoint as Holder;
pub use checkpoint::{checkpoint_blobs, fetch_checkpoint};
pub use error::FetchError;
pub use fetch::{fetch, FetchConfig};
pub use library::SharedBlobs;
pub use node::NodeBlobs;
pub use sample::{fetch_chunks, Sample};
pub use shares::Shares;
