//! Telling peers what is handed out here, and hearing what they hand out.

use super::{
    fault::Fault,
    holders::{Holders, Refused, EXPIRY},
    message::{Announcement, MAX_ANNOUNCED},
    shelf::Shelf,
};
use futures::StreamExt;
use parity_scale_codec::Encode;
use sc_network::{
    multiaddr,
    service::traits::{NetworkService, NotificationEvent, NotificationService, ValidationResult},
    Multiaddr, PeerId, ProtocolName,
};
use sc_network_sync::{SyncEvent, SyncEventStream};
use sp_core::H256;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

const LOG_TARGET: &str = "blobs";
/// Changes are told together after so long.
const GATHER: Duration = Duration::from_secs(2);
/// How often everything is told again, and old things are forgotten.
const REPEAT: Duration = Duration::from_secs(EXPIRY.as_secs() / 3);
/// How often is looked whether the folder's other user removed something.
const LOOK: Duration = Duration::from_secs(30);

/// Costs of bad manners.
mod cost {
    use sc_network::ReputationChange as Change;
    pub const MALFORMED: Change = Change::new(-(1 << 26), "blobs: malformed announcement");
    pub const TOO_OFTEN: Change = Change::new(-(1 << 20), "blobs: announces too often");
}

/// Both directions.
pub struct Gossip {
    pub protocol: ProtocolName,
    pub service: Box<dyn NotificationService>,
    pub network: Arc<dyn NetworkService>,
    pub sync: Arc<dyn SyncEventStream>,
    pub shelf: Arc<Shelf>,
    pub holders: Arc<Mutex<Holders>>,
    pub fault: Arc<Fault>,
}

impl Gossip {
    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Talks until the network stops.
    pub async fn run(mut self) {
        let mut sync = self.sync.event_stream("blob-holders");
        let mut changes = self.shelf.changes();
        let mut repeat = tokio::time::interval(REPEAT);
        let mut look = tokio::time::interval(LOOK);
        let mut telling: Option<tokio::time::Instant> = None;
        let mut heard: HashSet<H256> = HashSet::new();
        loop {
            let at = telling.unwrap_or_else(tokio::time::Instant::now);
            tokio::select! {
                event = sync.next() => match event {
                    Some(event) => self.synced(event),
                    None => return,
                },
                event = self.service.next_event() => match event {
                    Some(event) => self.notified(event, &mut heard),
                    None => return,
                },
                Ok(()) = changes.changed() => {
                    telling.get_or_insert(tokio::time::Instant::now() + GATHER);
                }
                () = tokio::time::sleep_until(at), if telling.is_some() => {
                    telling = None;
                    self.tell_all(&heard);
                }
                _ = repeat.tick() => {
                    self.holders().expire(Instant::now());
                    self.tell_all(&heard);
                }
                _ = look.tick() => {
                    let shelf = self.shelf.clone();
                    tokio::task::spawn_blocking(move || {
                        if let Err(error) = shelf.look() {
                            log::warn!(target: LOG_TARGET, "looking through the folder: {error}");
                        }
                    });
                }
            }
        }
    }

    fn announcement(&self, heard: &HashSet<H256>) -> Vec<u8> {
        let mut roots: Vec<H256> = self
            .shelf
            .entries()
            .into_iter()
            .map(|(root, _)| root)
            .collect();
        if self.fault.boasts() {
            roots = heard.iter().copied().collect();
        }
        roots.truncate(MAX_ANNOUNCED);
        Announcement(roots).encode()
    }

    fn tell_all(&mut self, heard: &HashSet<H256>) {
        let announcement = self.announcement(heard);
        let peers = self.holders().peers();
        for peer in peers {
            self.service
                .send_sync_notification(&peer, announcement.clone());
        }
    }

    /// Whoever syncs with this node may announce to it: that bounds how many there are.
    fn synced(&mut self, event: SyncEvent) {
        let result = match event {
            SyncEvent::PeerConnected { peer_id, .. } => {
                let address = Multiaddr::empty().with(multiaddr::Protocol::P2p(peer_id.into()));
                self.network
                    .add_peers_to_reserved_set(self.protocol.clone(), HashSet::from([address]))
            }
            SyncEvent::PeerDisconnected(peer) => self
                .network
                .remove_peers_from_reserved_set(self.protocol.clone(), vec![peer]),
        };
        if let Err(error) = result {
            log::debug!(target: LOG_TARGET, "the set of peers does not change: {error}");
        }
    }

    fn notified(&mut self, event: NotificationEvent, heard: &mut HashSet<H256>) {
        let now = Instant::now();
        match event {
            NotificationEvent::ValidateInboundSubstream {
                peer,
                handshake,
                result_tx,
            } => {
                let known = self.network.peer_role(peer, handshake).is_some();
                let _ = result_tx.send(match known {
                    true => ValidationResult::Accept,
                    false => ValidationResult::Reject,
                });
            }
            NotificationEvent::NotificationStreamOpened { peer, .. } => {
                self.holders().connected(peer, now);
                let announcement = self.announcement(heard);
                self.service.send_sync_notification(&peer, announcement);
            }
            NotificationEvent::NotificationStreamClosed { peer } => self.holders().forget(&peer),
            NotificationEvent::NotificationReceived { peer, notification } => {
                self.heard(peer, &notification, now);
                if self.fault.boasts() {
                    if let Ok(Announcement(roots)) = Announcement::read(&notification) {
                        heard.extend(roots);
                        self.tell_all(heard);
                    }
                }
            }
        }
    }

    fn heard(&self, peer: PeerId, notification: &[u8], now: Instant) {
        let announcement = match Announcement::read(notification) {
            Ok(announcement) => announcement,
            Err(error) => {
                log::debug!(target: LOG_TARGET, "malformed announcement of {peer}: {error}");
                self.network.report_peer(peer, cost::MALFORMED);
                return;
            }
        };
        let outcome = self.holders().announced(peer, announcement, now);
        match outcome {
            Err(Refused::TooOften) => self.network.report_peer(peer, cost::TOO_OFTEN),
            Err(Refused::Crowded) => {
                log::debug!(target: LOG_TARGET, "no room for all that {peer} announces")
            }
            Ok(()) => {}
        }
    }
}
