//! Blobs over the chain's own network: nodes hand out, announce, find and fetch what is too large for the chain.
//!
//! [`shelf`] is the folder and what of it is handed out; [`message`] what nodes say to each other; [`server`] answers
//! requests, [`gossip`] tells and hears who holds what ([`holders`]), [`fetch`] gets blobs, [`rpc`] is the door for workers.
//! Nothing that a peer says is believed: a blob's root proves each of its bytes.

mod bucket;
mod fault;
mod fetch;
mod gossip;
mod holders;
mod message;
pub mod options;
mod rpc;
mod server;
mod shelf;

pub use options::BlobOptions;

use chasqui_runtime::{Hash, OpaqueBlock as Block};
use fault::Fault;
use fetch::{Fetcher, OverNetwork, Settings};
use futures::FutureExt;
use gossip::Gossip;
use holders::Holders;
use jsonrpsee::RpcModule;
use message::{MAX_ANNOUNCEMENT_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use rpc::BlobsRpcServer;
use sc_network::{
    config::{FullNetworkConfiguration, IncomingRequest, NonReservedPeerMode, SetConfig},
    service::traits::{NetworkService, NotificationService},
    NetworkBackend, NotificationMetrics, ProtocolName,
};
use sc_network_sync::SyncingService;
use sc_rpc::SubscriptionTaskExecutor;
use sc_service::{Configuration, Error, TaskManager};
use shelf::Shelf;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// A request ends without an answer after so long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Most requests that wait for the server.
const QUEUE: usize = 64;

/// What was added to the network before it is built.
pub struct Prepared {
    shelf: Arc<Shelf>,
    fault: Arc<Fault>,
    rates: server::Rates,
    requests: ProtocolName,
    queue: async_channel::Receiver<IncomingRequest>,
    announcements: ProtocolName,
    notifications: Box<dyn NotificationService>,
}

/// Opens the folder and adds both protocols to a network; `None` where blobs are switched off.
pub fn prepare<N: NetworkBackend<Block, Hash>>(
    config: &Configuration,
    options: &BlobOptions,
    genesis: Hash,
    network: &mut FullNetworkConfiguration<Block, Hash, N>,
    metrics: NotificationMetrics,
) -> Result<Option<Prepared>, Error> {
    if options.no_blobs {
        return Ok(None);
    }
    let dir = options.dir(config);
    let shelf = Shelf::open(&dir, options.blob_quota.0)
        .map_err(|error| Error::Other(format!("blobs: {error}")))?;
    let name = |what: &str| -> ProtocolName {
        let genesis = hex::encode(genesis);
        match config.chain_spec.fork_id() {
            Some(fork) => format!("/{genesis}/{fork}/{what}"),
            None => format!("/{genesis}/{what}"),
        }
        .into()
    };
    let (requests, announcements) = (name("blobs/1"), name("blob-holders/1"));
    let (to_server, queue) = async_channel::bounded(QUEUE);
    network.add_request_response_protocol(N::request_response_config(
        requests.clone(),
        Vec::new(),
        MAX_REQUEST_BYTES as u64,
        MAX_RESPONSE_BYTES as u64,
        REQUEST_TIMEOUT,
        Some(to_server),
    ));
    let (holders, notifications) = N::notification_config(
        announcements.clone(),
        Vec::new(),
        MAX_ANNOUNCEMENT_BYTES as u64,
        None,
        SetConfig {
            in_peers: 0,
            out_peers: 0,
            reserved_nodes: Vec::new(),
            non_reserved_mode: NonReservedPeerMode::Deny,
        },
        metrics,
        network.peer_store_handle(),
    );
    network.add_notification_protocol(holders);
    Ok(Some(Prepared {
        shelf,
        fault: Arc::new(Fault::new(options.blob_fault)),
        rates: server::Rates {
            per_peer: options.blob_peer_rate.0,
            all: options.blob_rate.0,
        },
        requests,
        queue,
        announcements,
        notifications,
    }))
}

/// What the RPC server needs of blobs.
#[derive(Clone)]
pub struct Blobs {
    shelf: Arc<Shelf>,
    fetcher: Arc<Fetcher>,
    holders: Arc<Mutex<Holders>>,
}

impl Blobs {
    /// Starts serving, announcing and fetching.
    pub fn start(
        prepared: Prepared,
        network: Arc<dyn NetworkService>,
        sync: Arc<SyncingService<Block>>,
        task_manager: &TaskManager,
    ) -> Self {
        let holders = Arc::new(Mutex::new(Holders::default()));
        let wire = OverNetwork {
            network: network.clone(),
            protocol: prepared.requests,
        };
        let fetcher = Fetcher::new(
            prepared.shelf.clone(),
            Arc::new(wire),
            holders.clone(),
            Settings::default(),
            prepared.fault.clone(),
        );
        let spawner = task_manager.spawn_handle();
        spawner.spawn(
            "blob-server",
            "blobs",
            server::run(
                prepared.queue,
                prepared.shelf.clone(),
                prepared.rates,
                prepared.fault.clone(),
            ),
        );
        let gossip = Gossip {
            protocol: prepared.announcements,
            service: prepared.notifications,
            network,
            sync,
            shelf: prepared.shelf.clone(),
            holders: holders.clone(),
            fault: prepared.fault,
        };
        spawner.spawn("blob-holders", "blobs", gossip.run().boxed());
        let (used, quota) = prepared.shelf.usage();
        log::info!(
            "blobs: {} ({used} of {quota} bytes)",
            prepared.shelf.store().dir().display()
        );
        Self {
            shelf: prepared.shelf,
            fetcher,
            holders,
        }
    }

    /// The methods `blobs_*`.
    pub fn rpc(&self, executor: SubscriptionTaskExecutor) -> RpcModule<rpc::Blobs> {
        rpc::Blobs {
            shelf: self.shelf.clone(),
            fetcher: self.fetcher.clone(),
            holders: self.holders.clone(),
            executor,
        }
        .into_rpc()
    }
}
