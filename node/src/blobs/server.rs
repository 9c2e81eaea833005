//! Handing out blobs: bounded in requests, bytes and memory, whatever peers do.

use super::{
    bucket::Bucket,
    fault::Fault,
    message::{Request, Response, MAX_LEAVES},
    shelf::Shelf,
};
use chasqui_blobs::{BlobError, BlobReader};
use futures::{channel::oneshot, stream::FuturesUnordered, FutureExt, StreamExt};
use parity_scale_codec::Encode;
use sc_network::{
    config::{IncomingRequest, OutgoingResponse},
    PeerId, ReputationChange,
};
use sp_core::H256;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

const LOG_TARGET: &str = "blobs";
/// Most answers to one peer that are not sent yet.
pub const MAX_PER_PEER: usize = 4;
/// Most answers to all peers that are not sent yet: each is at most a chunk in memory.
const MAX_AT_ONCE: usize = 64;
/// A peer that takes longer for an answer gives its place to others.
const SEND_WITHIN: Duration = Duration::from_secs(60);
/// Peers of whom something is remembered although nothing is on its way to them.
const MAX_REMEMBERED: usize = 1_024;
/// How often the same question may follow itself.
const MAX_REPEATS: u32 = 16;
/// How often in a row a peer may ask for more than [`MAX_PER_PEER`] at once: its count may be ahead of this one's.
const MAX_HASTE: u32 = 16;
/// When such a peer may come again.
const HASTE: Duration = Duration::from_millis(20);

/// Costs of bad manners.
mod cost {
    use sc_network::ReputationChange as Change;
    pub const MALFORMED: Change = Change::new(-(1 << 24), "blobs: malformed request");
    pub const TOO_MANY: Change = Change::new(-(1 << 16), "blobs: too many requests at once");
    pub const REPEATED: Change = Change::new(-(1 << 20), "blobs: the same request again and again");
}

/// How much is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Bytes a second to one peer.
    pub per_peer: u64,
    /// Bytes a second to all.
    pub all: u64,
}

impl Rates {
    /// At least a chunk and what goes around it can always be given at once.
    fn bucket(rate: u64, now: Instant) -> Bucket {
        Bucket::new(rate, rate.max(4 << 20), now)
    }
}

struct Peer {
    on_the_way: usize,
    bucket: Bucket,
    /// Questions in a row that were too many at once.
    hasty: u32,
    last: Option<Request>,
    repeats: u32,
}

/// What is decided before the disk is touched.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Answer(Request),
    Now(Response, Option<ReputationChange>),
    Refuse(ReputationChange),
}

/// Bytes that an answer takes of the peer's share; small ones count too, or they would be free.
fn price(request: &Request) -> u64 {
    match request {
        Request::Describe { .. } => 1 << 10,
        Request::Leaves { .. } | Request::Chunk { .. } => 1 << 20,
    }
}

/// Who is given how much now.
struct Door {
    rates: Rates,
    all: Bucket,
    peers: HashMap<PeerId, Peer>,
}

impl Door {
    fn new(rates: Rates, now: Instant) -> Self {
        Self {
            rates,
            all: Rates::bucket(rates.all, now),
            peers: HashMap::new(),
        }
    }

    /// What to do with a request. One that is to be answered counts until [`Self::sent`].
    fn enter(&mut self, peer: PeerId, payload: &[u8], now: Instant) -> Verdict {
        let request = match Request::read(payload) {
            Ok(request) => request,
            Err(error) => {
                log::debug!(target: LOG_TARGET, "malformed request of {peer}: {error}");
                return Verdict::Refuse(cost::MALFORMED);
            }
        };
        if self.peers.len() >= MAX_REMEMBERED && !self.peers.contains_key(&peer) {
            self.peers
                .retain(|_, peer| peer.on_the_way > 0 || !peer.bucket.is_full(now));
        }
        let rate = self.rates.per_peer;
        let state = self.peers.entry(peer).or_insert_with(|| Peer {
            on_the_way: 0,
            bucket: Rates::bucket(rate, now),
            hasty: 0,
            last: None,
            repeats: 0,
        });
        let busy = |wait: Duration| Response::Busy {
            millis: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1),
        };
        if state.on_the_way >= MAX_PER_PEER {
            state.hasty = state.hasty.saturating_add(1);
            let change = (state.hasty > MAX_HASTE).then_some(cost::TOO_MANY);
            return Verdict::Now(busy(HASTE), change);
        }
        state.hasty = 0;
        if state.last == Some(request) {
            state.repeats = state.repeats.saturating_add(1);
            if state.repeats > MAX_REPEATS {
                return Verdict::Refuse(cost::REPEATED);
            }
        } else {
            state.last = Some(request);
            state.repeats = 0;
        }
        let bytes = price(&request);
        if let Err(wait) = state.bucket.take(bytes, now) {
            // Told to come again, so coming again is no bad manners.
            state.repeats = 0;
            return Verdict::Now(busy(wait), None);
        }
        if let Err(wait) = self.all.take(bytes, now) {
            state.repeats = 0;
            return Verdict::Now(busy(wait), None);
        }
        state.on_the_way = state.on_the_way.saturating_add(1);
        Verdict::Answer(request)
    }

    fn sent(&mut self, peer: &PeerId) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.on_the_way = state.on_the_way.saturating_sub(1);
        }
    }
}

/// Answers what comes through `queue` until it is closed.
pub async fn run(
    queue: async_channel::Receiver<IncomingRequest>,
    shelf: Arc<Shelf>,
    rates: Rates,
    fault: Arc<Fault>,
) {
    let mut door = Door::new(rates, Instant::now());
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(peer) = answers.next() => door.sent(&peer),
            request = queue.recv(), if answers.len() < MAX_AT_ONCE => {
                // What is sent counts no more, however quick its peer is to come again.
                while let Some(Some(peer)) = answers.next().now_or_never() {
                    door.sent(&peer);
                }
                let Ok(IncomingRequest { peer, payload, pending_response }) = request else {
                    return;
                };
                match door.enter(peer, &payload, Instant::now()) {
                    Verdict::Answer(request) => {
                        answers.push(answer(peer, request, pending_response, shelf.clone(), fault.clone()));
                    }
                    Verdict::Now(response, change) => {
                        let _ = pending_response.send(OutgoingResponse {
                            result: Ok(response.encode()),
                            reputation_changes: change.into_iter().collect(),
                            sent_feedback: None,
                        });
                    }
                    Verdict::Refuse(change) => {
                        let _ = pending_response.send(OutgoingResponse {
                            result: Err(()),
                            reputation_changes: vec![change],
                            sent_feedback: None,
                        });
                    }
                }
            }
        }
    }
}

async fn answer(
    peer: PeerId,
    request: Request,
    to: oneshot::Sender<OutgoingResponse>,
    shelf: Arc<Shelf>,
    fault: Arc<Fault>,
) -> PeerId {
    if fault.stalls() {
        tokio::time::sleep(SEND_WITHIN).await;
        return peer;
    }
    let read = tokio::task::spawn_blocking(move || look_up(&shelf, &request, &fault).encode());
    let Ok(bytes) = read.await else {
        return peer;
    };
    let (sent, when_sent) = oneshot::channel();
    let handed = to.send(OutgoingResponse {
        result: Ok(bytes),
        reputation_changes: Vec::new(),
        sent_feedback: Some(sent),
    });
    if handed.is_ok() {
        // The bytes are in memory until then.
        let _ = tokio::time::timeout(SEND_WITHIN, when_sent).await;
    }
    peer
}

fn look_up(shelf: &Shelf, request: &Request, fault: &Fault) -> Response {
    let root = match request {
        Request::Describe { root } | Request::Leaves { root, .. } | Request::Chunk { root, .. } => {
            root
        }
    };
    let reader = match shelf.read(root) {
        Ok(Some(reader)) => reader,
        Ok(None) => return Response::NotHeld,
        Err(error) => {
            log::warn!(target: LOG_TARGET, "blob {root:?} cannot be read: {error}");
            return Response::NotHeld;
        }
    };
    match read(&reader, request) {
        Ok(Some(Response::Chunk(mut bytes))) => {
            fault.hand_out(&mut bytes);
            Response::Chunk(bytes)
        }
        Ok(Some(response)) => response,
        // Beyond the blob's end.
        Ok(None) => Response::NotHeld,
        Err(error) => {
            withdraw_damaged(shelf, root, &error);
            Response::NotHeld
        }
    }
}

fn read(reader: &BlobReader, request: &Request) -> Result<Option<Response>, BlobError> {
    match request {
        Request::Describe { .. } => Ok(Some(Response::Described(*reader.info()))),
        Request::Leaves { first, .. } => {
            let rest = usize::try_from(*first)
                .ok()
                .and_then(|first| reader.leaves().get(first..));
            let page = rest.and_then(|rest| rest.get(..rest.len().min(MAX_LEAVES)));
            Ok(page
                .filter(|page| !page.is_empty())
                .map(|page| Response::Leaves(page.to_vec())))
        }
        Request::Chunk { index, .. } => match reader.info().chunk_len(*index) {
            Some(_) => reader
                .chunk(*index)
                .map(|bytes| Some(Response::Chunk(bytes))),
            None => Ok(None),
        },
    }
}

fn withdraw_damaged(shelf: &Shelf, root: &H256, error: &BlobError) {
    log::warn!(target: LOG_TARGET, "blob {root:?} is handed out no more: {error}");
    if let Err(error) = shelf.withdraw(root) {
        log::warn!(target: LOG_TARGET, "blob {root:?} cannot be withdrawn: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates {
        per_peer: 8 << 20,
        all: 64 << 20,
    };

    fn chunk(index: u64) -> Request {
        Request::Chunk {
            root: H256::repeat_byte(1),
            index,
        }
    }

    fn door(now: Instant) -> Door {
        Door::new(RATES, now)
    }

    #[test]
    fn malformed_and_oversized_requests_cost_reputation() {
        let now = Instant::now();
        let (mut door, peer) = (door(now), PeerId::random());
        for payload in [vec![], vec![9], vec![0; 5_000], {
            let mut long = chunk(1).encode();
            long.push(1);
            long
        }] {
            assert_eq!(
                door.enter(peer, &payload, now),
                Verdict::Refuse(cost::MALFORMED)
            );
        }
        // AND nothing is remembered of who sends only such
        assert!(door.peers.is_empty());
    }

    #[test]
    fn a_peer_has_at_most_four_answers_on_the_way() {
        // GIVEN a peer with four
        let now = Instant::now();
        let (mut door, peer, other) = (door(now), PeerId::random(), PeerId::random());
        for index in 0..4 {
            let verdict = door.enter(peer, &chunk(index).encode(), now);
            assert_eq!(verdict, Verdict::Answer(chunk(index)));
        }
        // WHEN it asks for more THEN it has to wait, and others need not
        for _ in 0..MAX_HASTE {
            let verdict = door.enter(peer, &chunk(5).encode(), now);
            assert!(matches!(verdict, Verdict::Now(Response::Busy { .. }, None)));
        }
        // AND if it goes on so, that costs it
        let verdict = door.enter(peer, &chunk(5).encode(), now);
        assert!(
            matches!(verdict, Verdict::Now(Response::Busy { .. }, Some(change)) if change == cost::TOO_MANY)
        );
        assert!(matches!(
            door.enter(other, &chunk(5).encode(), now),
            Verdict::Answer(_)
        ));
        // AND when one has gone there is place again
        door.sent(&peer);
        assert!(matches!(
            door.enter(peer, &chunk(5).encode(), now),
            Verdict::Answer(_)
        ));
    }

    #[test]
    fn the_same_request_again_and_again_is_refused_at_a_cost() {
        let mut now = Instant::now();
        let (mut door, peer) = (door(now), PeerId::random());
        for _ in 0..=MAX_REPEATS {
            now += Duration::from_secs(1);
            assert_eq!(
                door.enter(peer, &chunk(1).encode(), now),
                Verdict::Answer(chunk(1))
            );
            door.sent(&peer);
        }
        now += Duration::from_secs(1);
        assert_eq!(
            door.enter(peer, &chunk(1).encode(), now),
            Verdict::Refuse(cost::REPEATED)
        );
        // WHEN it asks for another, all is well
        assert_eq!(
            door.enter(peer, &chunk(2).encode(), now),
            Verdict::Answer(chunk(2))
        );
    }

    #[test]
    fn who_takes_more_than_its_share_is_told_when_to_come_again() {
        // GIVEN a peer that has taken what gathers
        let now = Instant::now();
        let (mut door, peer) = (door(now), PeerId::random());
        for index in 0..8 {
            assert!(matches!(
                door.enter(peer, &chunk(index).encode(), now),
                Verdict::Answer(_)
            ));
            door.sent(&peer);
        }
        // WHEN it asks for more
        let Verdict::Now(Response::Busy { millis }, None) =
            door.enter(peer, &chunk(8).encode(), now)
        else {
            panic!("it is given more than its share");
        };
        // THEN it comes again after that time, without a cost
        let later = now + Duration::from_millis(u64::from(millis) + 1);
        assert!(matches!(
            door.enter(peer, &chunk(8).encode(), later),
            Verdict::Answer(_)
        ));
    }

    #[test]
    fn what_is_remembered_of_peers_is_bounded() {
        let now = Instant::now();
        let mut door = door(now);
        for n in 0..3 * MAX_REMEMBERED as u64 {
            let (peer, at) = (PeerId::random(), now + Duration::from_millis(n * 200));
            let describe = Request::Describe { root: H256::zero() };
            if let Verdict::Answer(_) = door.enter(peer, &describe.encode(), at) {
                door.sent(&peer);
            }
        }
        assert!(door.peers.len() <= MAX_REMEMBERED);
    }
}
