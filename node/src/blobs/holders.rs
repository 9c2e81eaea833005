//! Who says that it holds what: bounded in roots a peer and in all, forgotten after a while.

use super::{
    bucket::Bucket,
    message::{Announcement, MAX_ANNOUNCED},
};
use sc_network::PeerId;
use sp_core::H256;
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

/// How long an announcement is believed. Peers repeat theirs in a third of it.
pub const EXPIRY: Duration = Duration::from_secs(30 * 60);
/// Most roots of all peers together.
const MAX_TOTAL: usize = 64 * MAX_ANNOUNCED;
/// Announcements a peer may make at once; one more comes every [`ANNOUNCEMENT_EVERY`].
const MAX_AT_ONCE: u64 = 16;
/// How often a peer may announce, in the long run.
const ANNOUNCEMENT_EVERY: Duration = Duration::from_secs(1);

/// Why an announcement is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The peer announces too often.
    TooOften,
    /// Other peers fill the table. Not this one's fault.
    Crowded,
}

#[derive(Debug)]
struct Peer {
    roots: HashSet<H256>,
    until: Instant,
    pace: Bucket,
}

/// The table.
#[derive(Debug, Default)]
pub struct Holders {
    peers: HashMap<PeerId, Peer>,
    by_root: HashMap<H256, HashSet<PeerId>>,
    total: usize,
}

impl Holders {
    /// A peer that may announce from now on.
    pub fn connected(&mut self, peer: PeerId, now: Instant) {
        self.forget(&peer);
        let per_second = 1_000_000_000 / ANNOUNCEMENT_EVERY.as_nanos().max(1) as u64;
        self.peers.insert(
            peer,
            Peer {
                roots: HashSet::new(),
                until: now + EXPIRY,
                pace: Bucket::new(per_second, MAX_AT_ONCE, now),
            },
        );
    }

    /// Takes what a peer announces in place of what it announced before. One that is not connected is not heard.
    pub fn announced(
        &mut self,
        peer: PeerId,
        announcement: Announcement,
        now: Instant,
    ) -> Result<(), Refused> {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return Ok(());
        };
        entry.pace.take(1, now).map_err(|_| Refused::TooOften)?;
        let before = std::mem::take(&mut entry.roots);
        entry.until = now + EXPIRY;
        self.total = self.total.saturating_sub(before.len());
        for root in before {
            self.unlink(&root, &peer);
        }
        let room = MAX_TOTAL.saturating_sub(self.total);
        let crowded = announcement.0.len() > room;
        let roots: HashSet<H256> = announcement.0.into_iter().take(room).collect();
        self.total = self.total.saturating_add(roots.len());
        for root in &roots {
            self.by_root.entry(*root).or_default().insert(peer);
        }
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.roots = roots;
        }
        match crowded {
            true => Err(Refused::Crowded),
            false => Ok(()),
        }
    }

    fn unlink(&mut self, root: &H256, peer: &PeerId) {
        if let Some(peers) = self.by_root.get_mut(root) {
            peers.remove(peer);
            if peers.is_empty() {
                self.by_root.remove(root);
            }
        }
    }

    /// A peer went away.
    pub fn forget(&mut self, peer: &PeerId) {
        let Some(entry) = self.peers.remove(peer) else {
            return;
        };
        self.total = self.total.saturating_sub(entry.roots.len());
        for root in entry.roots {
            self.unlink(&root, peer);
        }
    }

    /// A peer does not have the blob. Returns whether it had announced it.
    pub fn lacks(&mut self, peer: &PeerId, root: &H256) -> bool {
        let had = self
            .peers
            .get_mut(peer)
            .is_some_and(|entry| entry.roots.remove(root));
        if had {
            self.total = self.total.saturating_sub(1);
            self.unlink(root, peer);
        }
        had
    }

    /// Who announced the blob, not too long ago.
    pub fn of(&self, root: &H256, now: Instant) -> Vec<PeerId> {
        let fresh = |peer: &&PeerId| self.peers.get(*peer).is_some_and(|entry| entry.until > now);
        self.by_root
            .get(root)
            .into_iter()
            .flatten()
            .filter(fresh)
            .copied()
            .collect()
    }

    /// All peers that may announce.
    pub fn peers(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    /// Forgets what is too old to be believed.
    pub fn expire(&mut self, now: Instant) {
        let old: Vec<(PeerId, Vec<H256>)> = self
            .peers
            .iter_mut()
            .filter(|(_, entry)| entry.until <= now && !entry.roots.is_empty())
            .map(|(peer, entry)| (*peer, entry.roots.drain().collect()))
            .collect();
        for (peer, roots) in old {
            self.total = self.total.saturating_sub(roots.len());
            for root in roots {
                self.unlink(&root, &peer);
            }
        }
    }

    /// Blobs that somebody announced, and announcements of them in all.
    pub fn counts(&self) -> (usize, usize) {
        (self.by_root.len(), self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn root(n: u64) -> H256 {
        H256::from_low_u64_be(n)
    }

    fn says(roots: impl IntoIterator<Item = u64>) -> Announcement {
        Announcement(roots.into_iter().map(root).collect())
    }

    fn check(holders: &Holders) {
        let by_peer: usize = holders.peers.values().map(|peer| peer.roots.len()).sum();
        let by_root: usize = holders.by_root.values().map(HashSet::len).sum();
        assert_eq!((by_peer, by_root), (holders.total, holders.total));
        assert!(holders.total <= MAX_TOTAL);
        assert!(holders.by_root.values().all(|peers| !peers.is_empty()));
    }

    #[test]
    fn the_newest_announcement_holds_until_it_is_old() {
        // GIVEN a peer that announced two blobs
        let (mut holders, peer, now) = (Holders::default(), PeerId::random(), Instant::now());
        holders.connected(peer, now);
        holders.announced(peer, says([1, 2]), now).unwrap();
        assert_eq!(holders.of(&root(1), now), [peer]);
        // WHEN it announces others
        holders.announced(peer, says([2, 3]), now).unwrap();
        // THEN these count
        assert!(holders.of(&root(1), now).is_empty());
        assert_eq!(holders.of(&root(3), now), [peer]);
        // AND none after a while
        let late = now + EXPIRY;
        assert!(holders.of(&root(3), late).is_empty());
        holders.expire(late);
        assert_eq!(holders.counts(), (0, 0));
        check(&holders);
    }

    #[test]
    fn who_announces_too_often_is_named_and_who_is_gone_is_not_heard() {
        let (mut holders, peer, now) = (Holders::default(), PeerId::random(), Instant::now());
        // GIVEN a peer that never connected
        holders.announced(peer, says([1]), now).unwrap();
        assert_eq!(holders.counts(), (0, 0));
        // WHEN one announces again and again
        holders.connected(peer, now);
        for _ in 0..MAX_AT_ONCE {
            holders.announced(peer, says([1]), now).unwrap();
        }
        // THEN it is refused, and heard again a second later
        assert_eq!(
            holders.announced(peer, says([2]), now),
            Err(Refused::TooOften)
        );
        assert_eq!(holders.of(&root(1), now), [peer]);
        let later = now + ANNOUNCEMENT_EVERY;
        holders.announced(peer, says([2]), later).unwrap();
        // AND what it lacks is forgotten once
        assert!(holders.lacks(&peer, &root(2)) && !holders.lacks(&peer, &root(2)));
        check(&holders);
    }

    #[test]
    fn a_full_table_turns_new_roots_away_and_loses_none() {
        // GIVEN as many peers as fill it
        let (mut holders, now) = (Holders::default(), Instant::now());
        let most = MAX_ANNOUNCED as u64;
        for n in 0..64u64 {
            let peer = PeerId::random();
            holders.connected(peer, now);
            holders
                .announced(peer, says(n * most..(n + 1) * most), now)
                .unwrap();
        }
        // WHEN one more comes
        let peer = PeerId::random();
        holders.connected(peer, now);
        // THEN its roots find no room, and the others' stay
        assert_eq!(
            holders.announced(peer, says([u64::MAX]), now),
            Err(Refused::Crowded)
        );
        assert_eq!(holders.of(&root(0), now).len(), 1);
        check(&holders);
    }

    proptest! {
        #[test]
        fn both_sides_of_the_table_agree(
            steps in proptest::collection::vec((0u8..5, 0usize..4, proptest::collection::btree_set(0u64..12, 0..8), 0u64..1_200), 1..80)
        ) {
            let peers: Vec<PeerId> = (0..4).map(|_| PeerId::random()).collect();
            let (mut holders, mut now) = (Holders::default(), Instant::now());
            for (what, who, roots, seconds) in steps {
                now += Duration::from_secs(seconds);
                let peer = peers[who];
                match what {
                    0 => holders.connected(peer, now),
                    1 => holders.forget(&peer),
                    2 => holders.expire(now),
                    3 => { let _ = holders.lacks(&peer, &root(roots.first().copied().unwrap_or(0))); }
                    _ => { let _ = holders.announced(peer, says(roots), now); }
                }
                check(&holders);
            }
        }
    }
}
