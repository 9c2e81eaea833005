//! Which peer is asked next.

use sc_network::PeerId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Longest pause before a peer that failed is asked again.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Requests to each peer, all fetches together.
pub struct Load {
    per_peer: usize,
    counts: Mutex<HashMap<PeerId, usize>>,
}

/// A request that counts until it is dropped.
pub struct Place {
    load: Arc<Load>,
    peer: PeerId,
}

impl Load {
    /// At most so many to one peer.
    pub fn new(per_peer: usize) -> Self {
        Self {
            per_peer,
            counts: Mutex::default(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<PeerId, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, peer: &PeerId) -> usize {
        self.counts().get(peer).copied().unwrap_or(0)
    }

    fn place(self: &Arc<Self>, peer: PeerId) -> Option<Place> {
        let mut counts = self.counts();
        let count = counts.entry(peer).or_default();
        if *count >= self.per_peer {
            return None;
        }
        *count += 1;
        Some(Place {
            load: self.clone(),
            peer,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.load.counts();
        if let Some(count) = counts.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}

#[derive(Default)]
struct Known {
    not_before: Option<Instant>,
    failures: u32,
    /// It sent what is not of the blob: it is asked nothing more of it.
    banned: bool,
    gave: bool,
    last: Option<String>,
}

/// What one fetch knows of its peers.
pub struct Crowd {
    load: Arc<Load>,
    known: HashMap<PeerId, Known>,
}

impl Crowd {
    /// Knows nobody.
    pub fn new(load: Arc<Load>) -> Self {
        Self {
            load,
            known: HashMap::new(),
        }
    }

    /// The least busy of `from` that may be asked now, and is not one of `except`.
    pub fn choose(
        &self,
        from: &[PeerId],
        except: &[PeerId],
        now: Instant,
    ) -> Option<(PeerId, Place)> {
        let free = |peer: &&PeerId| {
            !except.contains(peer)
                && self.known.get(*peer).is_none_or(|known| {
                    !known.banned && known.not_before.is_none_or(|at| at <= now)
                })
        };
        let mut peers: Vec<&PeerId> = from.iter().filter(free).collect();
        peers.sort_by_key(|peer| self.load.of(peer));
        peers
            .into_iter()
            .find_map(|peer| Some((*peer, self.load.place(*peer)?)))
    }

    fn note(&mut self, peer: PeerId, what: impl ToString) -> &mut Known {
        let known = self.known.entry(peer).or_default();
        known.last = Some(what.to_string());
        known
    }

    /// It gave something.
    pub fn gave(&mut self, peer: PeerId) {
        let known = self.known.entry(peer).or_default();
        known.gave = true;
        known.failures = 0;
    }

    /// It is left alone for a while.
    pub fn rests(&mut self, peer: PeerId, until: Instant, what: &str) {
        self.note(peer, what).not_before = Some(until);
    }

    /// It failed: it is left alone longer each time.
    pub fn failed(&mut self, peer: PeerId, now: Instant, what: impl ToString) {
        let known = self.note(peer, what);
        let pause = Duration::from_millis(200).saturating_mul(1 << known.failures.min(8));
        known.failures = known.failures.saturating_add(1);
        known.not_before = Some(now + pause.min(MAX_PAUSE));
    }

    /// It lied. Returns whether that is new.
    pub fn lied(&mut self, peer: PeerId, what: &str) -> bool {
        let known = self.note(peer, what);
        !std::mem::replace(&mut known.banned, true)
    }

    /// Those who gave something and did not lie.
    pub fn givers(&self) -> Vec<PeerId> {
        let gave = self
            .known
            .iter()
            .filter(|(_, known)| known.gave && !known.banned);
        gave.map(|(peer, _)| *peer).collect()
    }

    /// A line about each that was asked and gave no more.
    pub fn tried(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .known
            .iter()
            .filter_map(|(peer, known)| Some(format!("{peer} {}", known.last.as_ref()?)))
            .collect();
        lines.sort_unstable();
        lines.truncate(16);
        lines
    }
}
