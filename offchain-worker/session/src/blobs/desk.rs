//! The holder's side: bounded in streams, bytes and time, whatever the peer does.
//!
//! Who must serve (a member whose round is audited) must not be kept from it by others who ask. So where all places are
//! taken, an address with fewer answers than another takes the place of that one's oldest: slow readers on many addresses
//! lose theirs to whoever comes and reads.

use super::{
    BlobEvent, ChunksAsk, DescribeAsk, Library, OpenBlob, MAX_ASK_CHUNKS, MAX_FRAME_LEAVES,
};
use crate::wire::{frame, Refusal, RefusalCode};
use bytes::Bytes;
use sp_core::H256;
use std::{
    collections::HashMap,
    net::IpAddr,
    ops::Range,
    sync::{
        atomic::{AtomicBool, AtomicU64, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Bytes that are handed to the connection at a time.
const PIECE_BYTES: usize = 64 * 1_024;

/// What a holder gives at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobLimits {
    /// Most answers at once; each holds one chunk and the blob's leaf hashes in memory.
    pub streams: usize,
    /// Most of them to one address.
    pub streams_per_peer: usize,
    /// Most bytes a second to one address; `None` for as many as it takes.
    pub bytes_per_second: Option<u64>,
    /// A reader that takes less than 64 KiB within this loses its connection.
    pub stall: Duration,
}

impl Default for BlobLimits {
    /// 64 answers, 16 to one address, no bound on bytes a second, 20 seconds for 64 KiB.
    fn default() -> Self {
        Self {
            streams: 64,
            streams_per_peer: 16,
            bytes_per_second: None,
            stall: Duration::from_secs(20),
        }
    }
}

/// Who is given how much now.
#[derive(Debug, Default)]
struct Peer {
    /// Its answers, the oldest first, each with whether it lost its place.
    streams: Vec<(u64, Arc<AtomicBool>)>,
    /// When its share of the next bytes is due.
    free_at: Option<Instant>,
}

/// Hands out what a library shares.
pub(crate) struct Desk {
    library: Arc<dyn Library>,
    pub(crate) limits: BlobLimits,
    peers: Mutex<HashMap<IpAddr, Peer>>,
    next: AtomicU64,
    /// Answers in memory, those included that lost their place and are not gone yet.
    held: Arc<Semaphore>,
    /// Bytes of chunks that were handed out.
    pub(crate) sent: AtomicU64,
}

fn refused(code: RefusalCode, field: &str, reason: impl ToString) -> Refusal {
    Refusal::new(code, field, reason)
}

impl Desk {
    pub(crate) fn new(library: Arc<dyn Library>, limits: BlobLimits) -> Self {
        let most = limits.streams.saturating_mul(2).min(Semaphore::MAX_PERMITS);
        Self {
            library,
            limits,
            peers: Mutex::default(),
            next: AtomicU64::new(0),
            held: Arc::new(Semaphore::new(most)),
            sent: AtomicU64::new(0),
        }
    }

    /// No user code runs under the lock.
    fn peers(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(self: &Arc<Self>, address: IpAddr) -> Result<Turn, Refusal> {
        let busy = || {
            let reason = "too many blobs are asked for at once; try again in a second";
            refused(RefusalCode::Overloaded, "path", reason)
        };
        let held = self.held.clone().try_acquire_owned();
        let held = held.map_err(|_| busy())?;
        let mut peers = self.peers();
        let now = Instant::now();
        peers.retain(|_, peer| !peer.streams.is_empty() || peer.free_at.is_some_and(|at| at > now));
        let all: usize = peers.values().map(|peer| peer.streams.len()).sum();
        let own = peers.get(&address).map_or(0, |peer| peer.streams.len());
        if own >= self.limits.streams_per_peer {
            return Err(busy());
        }
        if all >= self.limits.streams {
            let most = peers.values_mut().max_by_key(|peer| peer.streams.len());
            let most = most.filter(|peer| peer.streams.len() > own);
            let (_, lost) = most.ok_or_else(busy)?.streams.remove(0);
            lost.store(true, Ordering::Relaxed);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let lost = Arc::new(AtomicBool::new(false));
        let peer = peers.entry(address).or_default();
        peer.streams.push((id, lost.clone()));
        drop(peers);
        Ok(Turn {
            desk: self.clone(),
            address,
            id,
            lost,
            _held: held,
        })
    }

    async fn open(&self, root: H256) -> Result<Box<dyn OpenBlob>, Refusal> {
        let library = self.library.clone();
        let outcome = tokio::task::spawn_blocking(move || library.open(&root)).await;
        let error = match outcome {
            Ok(Ok(Some(blob))) if super::travels(&blob.info()) => return Ok(blob),
            Ok(Ok(_)) => {
                let reason = "no blob of this root is shared here";
                return Err(refused(RefusalCode::NotServed, "root", reason));
            }
            Ok(Err(error)) => error,
            Err(error) => error.to_string(),
        };
        tracing::warn!(?root, error, "a shared blob cannot be read");
        // Paths of this machine are nobody else's business.
        let reason = "cannot be read now; another holder may be asked";
        Err(refused(RefusalCode::Internal, "root", reason))
    }

    pub(crate) async fn describe(
        self: &Arc<Self>,
        peer: IpAddr,
        ask: DescribeAsk,
    ) -> Result<Pieces, Refusal> {
        let turn = self.turn(peer)?;
        let blob = self.open(ask.root).await?;
        Ok(Pieces {
            current: frame(&BlobEvent::Described(blob.info())),
            rest: Rest::Leaves { blob, next: 0 },
            turn,
        })
    }

    pub(crate) async fn chunks(
        self: &Arc<Self>,
        peer: IpAddr,
        ask: ChunksAsk,
    ) -> Result<Pieces, Refusal> {
        if ask.count == 0 || ask.count > MAX_ASK_CHUNKS {
            let reason = format!("is {}; 1 to {MAX_ASK_CHUNKS}", ask.count);
            return Err(refused(RefusalCode::Malformed, "count", reason));
        }
        let turn = self.turn(peer)?;
        let blob = self.open(ask.root).await?;
        let end = ask.first.saturating_add(u64::from(ask.count));
        if end > blob.info().chunks() {
            let reason = format!("the blob has {} chunks", blob.info().chunks());
            return Err(refused(RefusalCode::Malformed, "first", reason));
        }
        Ok(Pieces {
            current: Bytes::new(),
            rest: Rest::Chunks {
                blob: Some(blob),
                range: ask.first..end,
            },
            turn,
        })
    }
}

/// One of a peer's answers, as long as it is not at its end.
struct Turn {
    desk: Arc<Desk>,
    address: IpAddr,
    id: u64,
    lost: Arc<AtomicBool>,
    _held: OwnedSemaphorePermit,
}

impl Turn {
    /// Waits until so many bytes are within the peer's share.
    async fn pace(&self, bytes: usize) {
        let Some(rate) = self.desk.limits.bytes_per_second else {
            return;
        };
        let cost = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let now = Instant::now();
        let at = {
            let mut peers = self.desk.peers();
            let peer = peers.entry(self.address).or_default();
            let at = peer.free_at.map_or(now, |at| at.max(now));
            peer.free_at = Some(at + cost);
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(peer) = self.desk.peers().get_mut(&self.address) {
            peer.streams.retain(|(id, _)| *id != self.id);
        }
    }
}

/// What is still to be sent.
enum Rest {
    Leaves {
        blob: Box<dyn OpenBlob>,
        next: usize,
    },
    Chunks {
        blob: Option<Box<dyn OpenBlob>>,
        range: Range<u64>,
    },
    Nothing,
}

/// An answer, piece by piece: a frame is made when the one before has gone.
pub(crate) struct Pieces {
    current: Bytes,
    rest: Rest,
    turn: Turn,
}

impl Pieces {
    /// Whether it has lost its place.
    pub(crate) fn lost(&self) -> Arc<AtomicBool> {
        self.turn.lost.clone()
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if self.turn.lost.load(Ordering::Relaxed) {
            return None;
        }
        if self.current.is_empty() {
            self.current = self.frame().await?;
        }
        let piece = self.current.split_to(PIECE_BYTES.min(self.current.len()));
        self.turn.pace(piece.len()).await;
        Some(piece)
    }

    async fn frame(&mut self) -> Option<Bytes> {
        let (blob, range) = match &mut self.rest {
            Rest::Nothing => return None,
            Rest::Leaves { blob, next } => {
                let leaves = blob.leaves().get(*next..)?;
                let part = leaves.get(..MAX_FRAME_LEAVES.min(leaves.len()))?;
                if part.is_empty() {
                    return None;
                }
                *next += part.len();
                return Some(frame(&BlobEvent::Leaves(part.to_vec())));
            }
            Rest::Chunks { blob, range } => (blob, range),
        };
        let index = range.next()?;
        let mut held = blob.take()?;
        let read = tokio::task::spawn_blocking(move || {
            let bytes = held.chunk(index);
            (held, bytes)
        });
        let error = match read.await {
            Ok((held, Ok(bytes))) => {
                *blob = Some(held);
                let sent = &self.turn.desk.sent;
                sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                return Some(frame(&BlobEvent::Chunk { index, bytes }));
            }
            Ok((_, Err(error))) => error,
            Err(error) => error.to_string(),
        };
        tracing::warn!(index, error, "a chunk of a shared blob cannot be read");
        self.rest = Rest::Nothing;
        let reason = "cannot be read now; another holder may be asked";
        let refusal = refused(RefusalCode::Internal, "root", reason);
        Some(frame(&BlobEvent::Refused(refusal)))
    }
}
