//! How the fetcher reaches peers: over the node's network, or, in tests, anybody made by hand.

use async_trait::async_trait;
use sc_network::{
    service::traits::NetworkService, IfDisconnected, PeerId, ProtocolName, ReputationChange,
    RequestFailure,
};
use std::sync::Arc;

/// What the fetcher needs of a network.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Sends a request and waits for the answer; ends by itself in a minute.
    async fn ask(&self, peer: PeerId, request: Vec<u8>) -> Result<Vec<u8>, RequestFailure>;
    /// A peer behaved well or badly.
    fn report(&self, peer: PeerId, change: ReputationChange);
}

/// The node's network.
pub struct OverNetwork {
    /// The network.
    pub network: Arc<dyn NetworkService>,
    /// Of requests and answers.
    pub protocol: ProtocolName,
}

#[async_trait]
impl Wire for OverNetwork {
    async fn ask(&self, peer: PeerId, request: Vec<u8>) -> Result<Vec<u8>, RequestFailure> {
        let (protocol, connect) = (self.protocol.clone(), IfDisconnected::ImmediateError);
        let asked = self.network.request(peer, protocol, request, None, connect);
        asked.await.map(|(bytes, _)| bytes)
    }

    fn report(&self, peer: PeerId, change: ReputationChange) {
        self.network.report_peer(peer, change);
    }
}
