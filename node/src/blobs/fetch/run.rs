//! One fetch.

use super::{
    on_disk,
    peers::{Crowd, Place},
    FetchError, Fetcher, Progress, State, Wanted,
};
use crate::blobs::{
    fault::Fault,
    message::{Request, Response, MAX_LEAVES},
    shelf::Room,
};
use chasqui_blobs::{travels, BlobError, Description, Partial};
use chasqui_primitives::blob::BlobInfo;
use futures::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use parity_scale_codec::Encode;
use sc_network::{PeerId, ReputationChange};
use sp_core::H256;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often is looked whether peers came or are rested.
const LOOK: Duration = Duration::from_millis(100);
/// Most peers that are asked at once what the blob is.
const MAX_DESCRIBERS: usize = 4;

/// What peers' answers cost or bring them.
mod change {
    use sc_network::ReputationChange as Change;
    /// Three of these, and the peer is not spoken to for a while.
    pub const FALSE: Change = Change::new(-(1 << 29), "blobs: bytes that are not of the blob");
    pub const LACKS: Change = Change::new(-(1 << 20), "blobs: lacks what it announced");
    pub const GAVE: Change = Change::new(1 << 8, "blobs: gave a blob");
}

/// What became of a question.
enum Answer<T> {
    Good(T),
    NotHeld,
    Busy(u32),
    /// The network's trouble, or the peer's.
    Failed(String),
    /// The peer lies, or its disk does.
    False(&'static str),
    /// This node's disk.
    Own(FetchError),
}

type Asked<T> = BoxFuture<'static, (PeerId, Place, u64, Answer<T>)>;

pub(super) struct Run<'a> {
    fetcher: &'a Fetcher,
    wanted: Wanted,
    pin: &'a AtomicBool,
    progress: &'a watch::Sender<Progress>,
    crowd: Crowd,
    /// When something came last.
    moved: Instant,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        fetcher: &'a Fetcher,
        wanted: Wanted,
        pin: &'a AtomicBool,
        progress: &'a watch::Sender<Progress>,
    ) -> Self {
        Self {
            crowd: Crowd::new(fetcher.load.clone()),
            fetcher,
            wanted,
            pin,
            progress,
            moved: Instant::now(),
        }
    }

    fn root(&self) -> H256 {
        self.wanted.root
    }

    /// Gets the blob.
    pub(super) async fn fetch(mut self) -> Result<(), FetchError> {
        if let Some(info) = self.here().await? {
            return self.arrived(info.len).await;
        }
        self.progress
            .send_modify(|progress| progress.state = State::Searching);
        let partial = self.partial().await?;
        if let Some(info) = self.here().await? {
            partial.discard();
            return self.arrived(info.len).await;
        }
        let known = {
            let partial = partial.clone();
            on_disk(self.root(), move || Ok(partial.description())).await?
        };
        let description = Arc::new(match known {
            Some(description) => description,
            None => match self.describe().await {
                Ok(description) => description,
                Err(error) => {
                    partial.discard();
                    return Err(error);
                }
            },
        });
        self.fits(&description.info)?;
        let len = description.info.len;
        let (room, missing) = {
            let (shelf, partial) = (self.fetcher.shelf.clone(), partial.clone());
            let description = description.clone();
            on_disk(self.root(), move || {
                let room = shelf.reserve(len)?;
                partial.describe(&description)?;
                Ok((room, partial.missing(&description)?))
            })
            .await?
        };
        self.collect(&partial, &description, missing).await?;
        self.publish(partial, description, room).await
    }

    fn fits(&self, info: &BlobInfo) -> Result<(), FetchError> {
        match info.len <= self.wanted.max_bytes {
            true => Ok(()),
            false => Err(FetchError::TooLarge {
                root: self.root(),
                len: info.len,
                limit: self.wanted.max_bytes,
            }),
        }
    }

    /// What the blob is, if it lies in the folder whole. One that is damaged does not count.
    async fn here(&self) -> Result<Option<BlobInfo>, FetchError> {
        let (shelf, root) = (self.fetcher.shelf.clone(), self.root());
        let info = on_disk(root, move || {
            let store = shelf.store();
            let found = match shelf.entry(&root) {
                Some(_) => store.open(&root).map(|reader| *reader.info()),
                // Somebody else's, or one that turned out to be damaged.
                None if store.contains(&root) => store.verify(&root),
                None => return Ok(None),
            };
            match found {
                Ok(info) => Ok(Some(info)),
                Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
        .await?;
        if let Some(info) = &info {
            self.fits(info)?;
        }
        Ok(info)
    }

    /// It is here.
    async fn arrived(&self, len: u64) -> Result<(), FetchError> {
        if self.pin.load(Ordering::Relaxed) {
            let (shelf, root) = (self.fetcher.shelf.clone(), self.root());
            on_disk(root, move || shelf.pin(&root)).await?;
        }
        self.progress.send_modify(|progress| {
            progress.bytes = len;
            progress.total = Some(len);
        });
        Ok(())
    }

    /// What has come before. Another process may be at it, for as long as one is patient.
    async fn partial(&self) -> Result<Arc<Partial>, FetchError> {
        let root = self.root();
        loop {
            let shelf = self.fetcher.shelf.clone();
            let opened = on_disk(root, move || Ok(Partial::open(shelf.store(), &root)?));
            if let Some(partial) = opened.await? {
                return Ok(Arc::new(partial));
            }
            if self.moved.elapsed() >= self.wanted.patience {
                return Err(self.unavailable(None, "another process is fetching it"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn unavailable(&self, chunks: Option<(u64, u64)>, why: &str) -> FetchError {
        let mut tried = self.crowd.tried();
        if !why.is_empty() {
            tried.push(why.into());
        }
        FetchError::Unavailable {
            root: self.root(),
            chunks,
            waited: self.moved.elapsed(),
            tried,
        }
    }

    /// Whom to ask: those who announced it or gave some of it; where there are none, everybody who is connected.
    fn candidates(&self) -> Vec<PeerId> {
        let holders = self.fetcher.holders.lock();
        let holders = holders.unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut known: HashSet<PeerId> = holders
            .of(&self.root(), Instant::now())
            .into_iter()
            .collect();
        known.extend(self.crowd.givers());
        match known.is_empty() {
            true => holders.peers(),
            false => known.into_iter().collect(),
        }
    }

    /// What to make of an answer that brings nothing.
    fn note<T>(&mut self, peer: PeerId, answer: Answer<T>) -> Result<Option<T>, FetchError> {
        let now = Instant::now();
        match answer {
            Answer::Good(got) => {
                self.moved = now;
                self.crowd.gave(peer);
                return Ok(Some(got));
            }
            Answer::NotHeld => {
                let holders = self.fetcher.holders.lock();
                let mut holders = holders.unwrap_or_else(std::sync::PoisonError::into_inner);
                let announced = holders.lacks(&peer, &self.wanted.root);
                drop(holders);
                if announced {
                    self.fetcher.wire.report(peer, change::LACKS);
                }
                let rest = now + self.fetcher.settings.rest;
                self.crowd.rests(peer, rest, "does not hold it");
            }
            Answer::Busy(millis) => {
                self.crowd.rests(peer, now + rest(millis), "is busy");
            }
            Answer::Failed(error) => self.crowd.failed(peer, now, error),
            Answer::False(what) => {
                if self.crowd.lied(peer, what) {
                    log::info!(target: super::LOG_TARGET, "{peer} {what} of {:?}", self.root());
                    self.report(peer, change::FALSE);
                }
            }
            Answer::Own(error) => return Err(error),
        }
        Ok(None)
    }

    fn report(&self, peer: PeerId, change: ReputationChange) {
        self.fetcher.wire.report(peer, change);
    }

    /// Asks until somebody says what the blob is.
    async fn describe(&mut self) -> Result<Description, FetchError> {
        let mut asked: FuturesUnordered<Asked<Described>> = FuturesUnordered::new();
        let mut busy: Vec<PeerId> = Vec::new();
        loop {
            while asked.len() < MAX_DESCRIBERS {
                let chosen = self.crowd.choose(&self.candidates(), &busy, Instant::now());
                let Some((peer, place)) = chosen else { break };
                busy.push(peer);
                let (wire, root) = (self.fetcher.wire.clone(), self.root());
                let max_bytes = self.wanted.max_bytes;
                asked.push(Box::pin(async move {
                    let answer = description_of(&*wire, peer, root, max_bytes).await;
                    (peer, place, 0, answer)
                }));
            }
            let left = self.wanted.patience.saturating_sub(self.moved.elapsed());
            tokio::select! {
                Some((peer, place, _, answer)) = asked.next() => {
                    drop(place);
                    busy.retain(|other| *other != peer);
                    match self.note(peer, answer)? {
                        Some(Described::Is(description)) => return Ok(description),
                        Some(Described::TooLarge(info)) => {
                            self.fits(&info)?;
                        }
                        Some(Described::Shape(info)) => {
                            return Err(FetchError::Shape {
                                root: self.root(),
                                chunks: info.chunks(),
                                chunk: info.chunk,
                            });
                        }
                        None => {}
                    }
                }
                () = tokio::time::sleep(LOOK.min(left)) => {
                    if left.is_zero() {
                        return Err(self.unavailable(None, ""));
                    }
                }
            }
        }
    }

    /// Gets the chunks `missing`.
    async fn collect(
        &mut self,
        partial: &Arc<Partial>,
        description: &Arc<Description>,
        missing: Vec<u64>,
    ) -> Result<(), FetchError> {
        let info = description.info;
        let bytes = |index: &u64| u64::from(info.chunk_len(*index).unwrap_or(0));
        let lacking: u64 = missing.iter().map(bytes).sum();
        self.progress.send_modify(|progress| {
            progress.state = State::Fetching;
            progress.bytes = info.len.saturating_sub(lacking);
            progress.total = Some(info.len);
        });
        let mut open: HashSet<u64> = missing.iter().copied().collect();
        let mut todo: VecDeque<u64> = missing.into();
        // Chunks on their way: since when, and from whom.
        let mut flying: HashMap<u64, (Instant, Vec<PeerId>)> = HashMap::new();
        let mut asked: FuturesUnordered<Asked<()>> = FuturesUnordered::new();
        let mut givers: HashSet<PeerId> = HashSet::new();
        while !open.is_empty() {
            while asked.len() < self.fetcher.settings.parallel {
                let late = todo.is_empty().then(|| self.late(&flying)).flatten();
                let Some(index) = todo.front().copied().or(late) else {
                    break;
                };
                let from = flying.get(&index).map(|(_, from)| from.as_slice());
                let (now, candidates) = (Instant::now(), self.candidates());
                let chosen = self
                    .crowd
                    .choose(&candidates, from.unwrap_or_default(), now);
                let Some((peer, place)) = chosen else { break };
                if late.is_none() {
                    todo.pop_front();
                }
                let flight = flying.entry(index).or_insert((now, Vec::new()));
                flight.0 = now;
                flight.1.push(peer);
                asked.push(self.ask(peer, place, index, partial, description));
            }
            let left = self.wanted.patience.saturating_sub(self.moved.elapsed());
            tokio::select! {
                Some((peer, place, index, answer)) = asked.next() => {
                    drop(place);
                    let more = flying.get_mut(&index).is_some_and(|(_, from)| {
                        from.retain(|other| *other != peer);
                        !from.is_empty()
                    });
                    if !more {
                        flying.remove(&index);
                    }
                    if self.note(peer, answer)?.is_some() {
                        if open.remove(&index) {
                            givers.insert(peer);
                            self.progress.send_modify(|progress| {
                                progress.bytes = progress.bytes.saturating_add(bytes(&index));
                                progress.peers = givers.len();
                            });
                        }
                    } else if !more && open.contains(&index) {
                        todo.push_front(index);
                    }
                }
                () = tokio::time::sleep(LOOK.min(left)) => {
                    if left.is_zero() {
                        let all = info.chunks();
                        let got = all.saturating_sub(open.len() as u64);
                        return Err(self.unavailable(Some((got, all)), ""));
                    }
                }
            }
        }
        for peer in givers {
            self.report(peer, change::GAVE);
        }
        Ok(())
    }

    /// The chunk that has been on its way for the longest time, if that is too long.
    fn late(&self, flying: &HashMap<u64, (Instant, Vec<PeerId>)>) -> Option<u64> {
        let (index, (since, _)) = flying.iter().min_by_key(|(_, (since, _))| *since)?;
        (since.elapsed() >= self.fetcher.settings.hedge).then_some(*index)
    }

    /// Asks for a chunk, checks it and keeps it.
    fn ask(
        &self,
        peer: PeerId,
        place: Place,
        index: u64,
        partial: &Arc<Partial>,
        description: &Arc<Description>,
    ) -> Asked<()> {
        let (wire, root) = (self.fetcher.wire.clone(), self.root());
        let (partial, description) = (partial.clone(), description.clone());
        let fault = self.fetcher.fault.clone();
        Box::pin(async move {
            let request = Request::Chunk { root, index };
            let answer = match put(&*wire, peer, request).await {
                Answer::Good(Response::Chunk(bytes)) => {
                    let kept = on_disk(root, move || {
                        if !description.is_chunk(index, &bytes) {
                            return Ok(false);
                        }
                        write(&partial, &description, index, &bytes, &fault)?;
                        Ok(true)
                    });
                    match kept.await {
                        Ok(true) => Answer::Good(()),
                        Ok(false) => Answer::False("sent a false chunk"),
                        Err(error) => Answer::Own(error),
                    }
                }
                Answer::Good(_) => Answer::False("sent another message than a chunk"),
                other => other.without(),
            };
            (peer, place, index, answer)
        })
    }

    async fn publish(
        self,
        partial: Arc<Partial>,
        description: Arc<Description>,
        room: Room,
    ) -> Result<(), FetchError> {
        let (shelf, root, len) = (
            self.fetcher.shelf.clone(),
            self.root(),
            description.info.len,
        );
        let pin = self.pin.load(Ordering::Relaxed);
        on_disk(root, move || {
            shelf.take_in(&root, len, pin, room, || partial.publish(&description))
        })
        .await?;
        // Somebody who wants it pinned may have joined in between.
        match !pin && self.pin.load(Ordering::Relaxed) {
            true => self.arrived(len).await,
            false => Ok(()),
        }
    }
}

fn write(
    partial: &Partial,
    description: &Description,
    index: u64,
    bytes: &[u8],
    fault: &Fault,
) -> Result<(), BlobError> {
    fault
        .write()
        .map_err(BlobError::io("write", Path::new("a chunk")))?;
    partial.keep(description, index, bytes)
}

impl<T> Answer<T> {
    /// An answer that brings nothing, as one to another question.
    fn without<U>(self) -> Answer<U> {
        match self {
            Answer::Good(_) => Answer::False("sent another message than was asked for"),
            Answer::NotHeld => Answer::NotHeld,
            Answer::Busy(millis) => Answer::Busy(millis),
            Answer::Failed(error) => Answer::Failed(error),
            Answer::False(what) => Answer::False(what),
            Answer::Own(error) => Answer::Own(error),
        }
    }
}

/// How long a peer that said so is left alone.
fn rest(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis).clamp(10, 5_000))
}

/// Puts one question.
async fn put(wire: &dyn super::Wire, peer: PeerId, request: Request) -> Answer<Response> {
    let bytes = match wire.ask(peer, request.encode()).await {
        Ok(bytes) => bytes,
        Err(error) => return Answer::Failed(error.to_string()),
    };
    match Response::read(&bytes) {
        Ok(Response::NotHeld) => Answer::NotHeld,
        Ok(Response::Busy { millis }) => Answer::Busy(millis),
        Ok(response) => Answer::Good(response),
        Err(error) => {
            log::debug!(target: super::LOG_TARGET, "malformed answer of {peer}: {error}");
            Answer::False("sent a malformed answer")
        }
    }
}

/// What somebody says of a blob, proven by its root.
enum Described {
    Is(Description),
    TooLarge(BlobInfo),
    Shape(BlobInfo),
}

/// Asks one peer what the blob is: its shape, then its leaf hashes, page by page.
async fn description_of(
    wire: &dyn super::Wire,
    peer: PeerId,
    root: H256,
    max_bytes: u64,
) -> Answer<Described> {
    let info = match put(wire, peer, Request::Describe { root }).await {
        Answer::Good(Response::Described(info)) => info,
        other => return other.without(),
    };
    if info.root() != root || !info.is_well_formed() {
        return Answer::False("described another blob");
    }
    if info.len > max_bytes {
        return Answer::Good(Described::TooLarge(info));
    }
    if !travels(&info) {
        return Answer::Good(Described::Shape(info));
    }
    let mut leaves: Vec<H256> = Vec::new();
    while (leaves.len() as u64) < info.chunks() {
        let first = leaves.len() as u64;
        match put(wire, peer, Request::Leaves { root, first }).await {
            // Pages are full but for the last one: nobody is strung along.
            Answer::Good(Response::Leaves(more))
                if more.len() as u64 == (MAX_LEAVES as u64).min(info.chunks() - first) =>
            {
                leaves.extend(more)
            }
            // Beginning anew would never end where the pages together are more than a peer gives at once.
            Answer::Busy(millis) => tokio::time::sleep(rest(millis)).await,
            other => return other.without(),
        }
    }
    let description = Description { info, leaves };
    match description.is_of(&root) {
        true => Answer::Good(Described::Is(description)),
        false => Answer::False("sent leaf hashes that do not add up to the root"),
    }
}
