//! Fetches from peers made by hand, each with its own way of being bad.

use super::*;
use crate::blobs::{
    fault::Kind,
    message::{Announcement, Request, Response, MAX_RESPONSE_BYTES},
};
use async_trait::async_trait;
use chasqui_blobs::BlobStore;
use chasqui_primitives::blob::{BlobInfo, CHUNK_BYTES};
use parity_scale_codec::Encode;
use sc_network::{PeerId, ReputationChange, RequestFailure};
use std::{collections::HashMap, time::Instant};
use tempfile::TempDir;

/// Small chunks make small tests: a blob's own chunk size counts, not the default one.
const CHUNK: u32 = 1_024;

/// How a peer answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Has nothing.
    Empty,
    /// One byte of each chunk is another.
    FalseChunk,
    /// Chunks of other places.
    WrongPlace,
    /// Leaf hashes that do not add up.
    FalseLeaves,
    /// One leaf hash at a time.
    SlowLeaves,
    /// Describes another blob.
    OtherBlob,
    /// No message at all.
    Malformed,
    /// More than fits.
    Oversized,
    /// An answer to another question.
    OtherMessage,
    /// Never ends.
    Silent,
    /// Dies after so many answers.
    Dies(usize),
    /// Wants to be asked again, and gives then.
    Busy,
}

struct World {
    source: BlobStore,
    manners: HashMap<PeerId, Manner>,
    asked: Mutex<HashMap<PeerId, usize>>,
    flying: Mutex<HashMap<PeerId, usize>>,
    most: Mutex<usize>,
    reports: Mutex<Vec<(PeerId, ReputationChange)>>,
}

impl World {
    fn answer(&self, peer: &PeerId, count: usize, request: Request) -> Option<Vec<u8>> {
        let manner = self.manners[peer];
        let honest = |request: Request| {
            let root = match request {
                Request::Describe { root }
                | Request::Leaves { root, .. }
                | Request::Chunk { root, .. } => root,
            };
            let Ok(reader) = self.source.open(&root) else {
                return Response::NotHeld;
            };
            match request {
                Request::Describe { .. } => Response::Described(*reader.info()),
                Request::Leaves { first, .. } => {
                    Response::Leaves(reader.leaves()[first as usize..].to_vec())
                }
                Request::Chunk { index, .. } => Response::Chunk(reader.chunk(index).unwrap()),
            }
        };
        let response = match (manner, request) {
            (Manner::Empty, _) => Response::NotHeld,
            (Manner::Malformed, _) => return Some(vec![0xff; 40]),
            (Manner::Oversized, _) => return Some(vec![0; MAX_RESPONSE_BYTES + 1]),
            (Manner::Dies(after), _) if count > after => return None,
            (Manner::Busy, _) if count % 2 == 1 => Response::Busy { millis: 1 },
            (Manner::OtherBlob, Request::Describe { .. }) => {
                Response::Described(chasqui_primitives::blob::blob_info(b"other", CHUNK))
            }
            (Manner::FalseLeaves, Request::Leaves { .. }) => match honest(request) {
                Response::Leaves(mut leaves) => {
                    leaves[0].0[0] ^= 1;
                    Response::Leaves(leaves)
                }
                other => other,
            },
            (Manner::SlowLeaves, Request::Leaves { .. }) => match honest(request) {
                Response::Leaves(leaves) => Response::Leaves(leaves[..1].to_vec()),
                other => other,
            },
            (Manner::FalseChunk, Request::Chunk { .. }) => match honest(request) {
                Response::Chunk(mut bytes) => {
                    bytes[0] ^= 1;
                    Response::Chunk(bytes)
                }
                other => other,
            },
            (Manner::WrongPlace, Request::Chunk { root, index }) => honest(Request::Chunk {
                root,
                index: u64::from(index == 0),
            }),
            (Manner::OtherMessage, Request::Chunk { root, .. }) => {
                honest(Request::Describe { root })
            }
            _ => honest(request),
        };
        Some(response.encode())
    }

    fn cost(&self, peer: &PeerId) -> i64 {
        let reports = self.reports.lock().unwrap();
        let of = reports.iter().filter(|(other, _)| other == peer);
        of.map(|(_, change)| i64::from(change.value)).sum()
    }

    fn asked(&self, peer: &PeerId) -> usize {
        self.asked.lock().unwrap().get(peer).copied().unwrap_or(0)
    }
}

/// A request on its way, also when nobody waits for it any more.
struct Flight<'a>(&'a World, PeerId);

impl<'a> Flight<'a> {
    fn begin(world: &'a World, peer: PeerId) -> Self {
        let mut flying = world.flying.lock().unwrap();
        let now = flying.entry(peer).or_default();
        *now += 1;
        let mut most = world.most.lock().unwrap();
        *most = (*most).max(*now);
        Self(world, peer)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        *self.0.flying.lock().unwrap().get_mut(&self.1).unwrap() -= 1;
    }
}

#[async_trait]
impl Wire for World {
    async fn ask(&self, peer: PeerId, request: Vec<u8>) -> Result<Vec<u8>, RequestFailure> {
        let request = Request::read(&request).expect("an honest request");
        let count = {
            let mut asked = self.asked.lock().unwrap();
            let count = asked.entry(peer).or_default();
            *count += 1;
            *count
        };
        let _flight = Flight::begin(self, peer);
        if self.manners[&peer] == Manner::Silent {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.answer(&peer, count, request)
            .ok_or(RequestFailure::NotConnected)
    }

    fn report(&self, peer: PeerId, change: ReputationChange) {
        self.reports.lock().unwrap().push((peer, change));
    }
}

struct Test {
    world: Arc<World>,
    shelf: Arc<Shelf>,
    fetcher: Arc<Fetcher>,
    peers: Vec<PeerId>,
    _folders: [TempDir; 2],
}

/// A node with peers of these manners, all of which announce `announced`.
fn meet(manners: &[Manner], announced: &[H256], quota: u64, fault: Option<Kind>) -> Test {
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let source = BlobStore::open_dir(folders[0].path()).unwrap();
    let shelf = Shelf::open(folders[1].path(), quota).unwrap();
    let peers: Vec<PeerId> = manners.iter().map(|_| PeerId::random()).collect();
    let mut holders = Holders::default();
    for peer in &peers {
        holders.connected(*peer, Instant::now());
        holders
            .announced(*peer, Announcement(announced.to_vec()), Instant::now())
            .unwrap();
    }
    let world = Arc::new(World {
        source,
        manners: peers.iter().copied().zip(manners.iter().copied()).collect(),
        asked: Mutex::default(),
        flying: Mutex::default(),
        most: Mutex::default(),
        reports: Mutex::default(),
    });
    let settings = Settings {
        hedge: Duration::from_millis(100),
        rest: Duration::from_millis(200),
        ..Settings::default()
    };
    let fetcher = Fetcher::new(
        shelf.clone(),
        world.clone(),
        Arc::new(Mutex::new(holders)),
        settings,
        Arc::new(Fault::new(fault)),
    );
    Test {
        world,
        shelf,
        fetcher,
        peers,
        _folders: folders,
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// A blob of 40 chunks and a bit.
fn blob() -> (Vec<u8>, H256) {
    let bytes = bytes(40 * CHUNK as usize + 7);
    let root = chasqui_primitives::blob::blob_root(&bytes, CHUNK);
    (bytes, root)
}

impl Test {
    fn stock(&self, bytes: &[u8]) -> BlobInfo {
        self.world.source.put_bytes(bytes, CHUNK).unwrap()
    }

    async fn fetch(&self, root: H256, patience: Duration) -> Progress {
        let wanted = Wanted {
            root,
            max_bytes: 1 << 20,
            pin: false,
            patience,
        };
        let (mut progress, work) = self.fetcher.fetch(wanted).unwrap();
        if let Some(work) = work {
            tokio::spawn(work);
        }
        let over = progress.wait_for(Progress::is_over);
        let over = tokio::time::timeout(Duration::from_secs(30), over).await;
        drop(over.expect("it ends").expect("it ends well"));
        let over = progress.borrow().clone();
        over
    }
}

const PATIENT: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_comes_whole_from_several_peers() {
    // GIVEN three honest peers
    let (bytes, root) = blob();
    let test = meet(&[Manner::Honest; 3], &[root], 1 << 20, None);
    test.stock(&bytes);
    // WHEN it is fetched
    let over = test.fetch(root, PATIENT).await;
    // THEN it is here, whole, and each of them gave some of it
    assert_eq!((over.state, over.bytes), (State::Done, bytes.len() as u64));
    assert_eq!(test.shelf.store().read_all(&root, 1 << 20).unwrap(), bytes);
    assert_eq!(over.peers, 3);
    // AND nobody was asked for more than four things at once
    assert!(*test.world.most.lock().unwrap() <= 4);
    assert!(!test.shelf.entry(&root).unwrap().pinned);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_peers_cost_reputation_and_do_no_harm() {
    for bad in [
        Manner::FalseChunk,
        Manner::WrongPlace,
        Manner::FalseLeaves,
        Manner::SlowLeaves,
        Manner::OtherBlob,
        Manner::Malformed,
        Manner::Oversized,
        Manner::OtherMessage,
    ] {
        // GIVEN a bad peer alone
        let (bytes, root) = blob();
        let alone = meet(&[bad], &[root], 1 << 20, None);
        alone.stock(&bytes);
        // WHEN the blob is fetched from it
        let over = alone.fetch(root, SHORT).await;
        // THEN that fails, nothing false is under the blob's name, and the peer loses reputation, once
        assert_eq!(over.state, State::Failed);
        assert!(alone.shelf.entry(&root).is_none() && !alone.shelf.store().contains(&root));
        assert_eq!(alone.world.cost(&alone.peers[0]), -(1 << 29));

        // GIVEN the same beside an honest one THEN the blob comes
        let both = meet(&[bad, Manner::Honest], &[root], 1 << 20, None);
        both.stock(&bytes);
        let over = both.fetch(root, PATIENT).await;
        assert_eq!(over.state, State::Done, "{:?}", over.error);
        assert_eq!(both.shelf.store().read_all(&root, 1 << 20).unwrap(), bytes);
        assert!(both.world.cost(&both.peers[1]) >= 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_peer_and_a_dying_one_hold_nothing_up() {
    let (bytes, root) = blob();
    let manners = [Manner::Silent, Manner::Dies(5), Manner::Honest];
    let test = meet(&manners, &[root], 1 << 20, None);
    test.stock(&bytes);
    let over = test.fetch(root, PATIENT).await;
    assert_eq!(over.state, State::Done, "{:?}", over.error);
    assert_eq!(test.shelf.store().read_all(&root, 1 << 20).unwrap(), bytes);
    // AND trouble of the network is no lie
    assert!(test.peers.iter().all(|peer| test.world.cost(peer) >= 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_peer_is_asked_again() {
    let (bytes, root) = blob();
    let test = meet(&[Manner::Busy], &[root], 1 << 20, None);
    test.stock(&bytes);
    assert_eq!(test.fetch(root, PATIENT).await.state, State::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_announces_what_it_lacks_loses_reputation() {
    // GIVEN two peers that announce a blob, and one of them has it
    let (bytes, root) = blob();
    let test = meet(&[Manner::Empty, Manner::Honest], &[root], 1 << 20, None);
    test.stock(&bytes);
    // WHEN it is fetched
    assert_eq!(test.fetch(root, PATIENT).await.state, State::Done);
    // THEN whoever was asked and lacked it lost some, and is no longer named
    if test.world.asked(&test.peers[0]) > 0 {
        assert_eq!(test.world.cost(&test.peers[0]), -(1 << 20));
        let holders = test.fetcher.holders.lock().unwrap();
        assert_eq!(holders.of(&root, Instant::now()), [test.peers[1]]);
    }
    // AND alone it is asked, costs it, and the fetch says that nobody has it
    let test = meet(&[Manner::Empty], &[root], 1 << 20, None);
    let over = test.fetch(root, SHORT).await;
    assert!(over.error.unwrap().contains("no peer has it"));
    assert_eq!(test.world.cost(&test.peers[0]), -(1 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_nobody_has_ends_in_a_clear_error_and_leaves_nothing() {
    // GIVEN peers without it, and none at all
    for manners in [&[Manner::Empty; 3][..], &[]] {
        let test = meet(manners, &[], 1 << 20, None);
        let root = H256::repeat_byte(5);
        // WHEN it is fetched
        let over = test.fetch(root, SHORT).await;
        // THEN the error names the blob and says why
        let error = over.error.unwrap();
        assert!(
            error.contains("0x0505") && error.contains("no peer has it"),
            "{error}"
        );
        // AND whoever announced nothing loses nothing
        assert!(test.peers.iter().all(|peer| test.world.cost(peer) == 0));
        let partial = test.shelf.store().dir().join("partial");
        assert_eq!(std::fs::read_dir(partial).unwrap().count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_where_it_stopped() {
    // GIVEN a peer that dies midway
    let (bytes, root) = blob();
    let test = meet(&[Manner::Dies(20), Manner::Empty], &[root], 1 << 20, None);
    test.stock(&bytes);
    let over = test.fetch(root, SHORT).await;
    let error = over.error.unwrap();
    assert!(error.contains("of 41 chunks are here"), "{error}");
    assert!(!test.shelf.store().contains(&root));
    // WHEN it comes back
    let world = World {
        source: test.world.source.clone(),
        manners: HashMap::from([(test.peers[0], Manner::Honest)]),
        asked: Mutex::default(),
        flying: Mutex::default(),
        most: Mutex::default(),
        reports: Mutex::default(),
    };
    let world = Arc::new(world);
    let mut holders = Holders::default();
    holders.connected(test.peers[0], Instant::now());
    let again = Fetcher::new(
        test.shelf.clone(),
        world.clone(),
        Arc::new(Mutex::new(holders)),
        Settings::default(),
        Arc::default(),
    );
    let wanted = Wanted {
        root,
        max_bytes: 1 << 20,
        pin: true,
        patience: PATIENT,
    };
    let (progress, work) = again.fetch(wanted).unwrap();
    work.unwrap().await;
    // THEN only the rest is asked for
    assert_eq!(progress.borrow().state, State::Done);
    assert!(world.asked(&test.peers[0]) < 41);
    assert_eq!(test.shelf.store().read_all(&root, 1 << 20).unwrap(), bytes);
    assert!(test.shelf.entry(&root).unwrap().pinned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_spent_quota_are_named_and_lose_nothing() {
    // GIVEN a disk that is full after ten chunks
    let (bytes, root) = blob();
    let fault = Some(Kind::DiskFullAfter(10));
    let test = meet(&[Manner::Honest], &[root], 1 << 20, fault);
    test.stock(&bytes);
    // WHEN a blob is fetched
    let error = test.fetch(root, PATIENT).await.error.unwrap();
    // THEN the error says so, nothing half-written is visible, and the room is free again
    assert!(error.contains("No space left"), "{error}");
    assert!(!test.shelf.store().contains(&root) && test.shelf.usage().0 == 0);

    // GIVEN a quota that is too small
    let test = meet(&[Manner::Honest], &[root], 10_000, None);
    test.stock(&bytes);
    let error = test.fetch(root, PATIENT).await.error.unwrap();
    assert!(error.contains("--blob-quota"), "{error}");
    // AND a bound of the caller
    let test = meet(&[Manner::Honest], &[root], 1 << 30, None);
    let info = test.stock(&vec![3; 2 << 20]);
    let error = test.fetch(info.root(), PATIENT).await.error.unwrap();
    assert!(error.contains("more than the 1048576 allowed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_want_the_same_share_one_fetch() {
    let (bytes, root) = blob();
    let test = meet(&[Manner::Honest], &[root], 1 << 20, None);
    test.stock(&bytes);
    let wanted = |pin| Wanted {
        root,
        max_bytes: 1 << 20,
        pin,
        patience: PATIENT,
    };
    let (first, work) = test.fetcher.fetch(wanted(false)).unwrap();
    let (second, none) = test.fetcher.fetch(wanted(true)).unwrap();
    assert!(none.is_none());
    work.unwrap().await;
    assert_eq!(first.borrow().state, State::Done);
    assert_eq!(second.borrow().state, State::Done);
    // AND either's wish to pin it counts; each chunk came once
    assert!(test.shelf.entry(&root).unwrap().pinned);
    assert_eq!(test.world.asked(&test.peers[0]), 2 + 41);
    assert!(test.fetcher.under_way().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_everybody_left_stops() {
    let (_, root) = blob();
    let test = meet(&[Manner::Silent], &[root], 1 << 20, None);
    let wanted = Wanted {
        root,
        max_bytes: 1 << 20,
        pin: false,
        patience: Duration::from_secs(3_600),
    };
    let (progress, work) = test.fetcher.fetch(wanted).unwrap();
    let work = tokio::spawn(work.unwrap());
    assert_eq!(test.fetcher.under_way().len(), 1);
    drop(progress);
    tokio::time::timeout(Duration::from_secs(10), work)
        .await
        .expect("it stops")
        .unwrap();
    assert!(test.fetcher.under_way().is_empty());
}

#[test]
fn chunks_of_the_default_size_are_what_an_answer_holds() {
    assert!((CHUNK_BYTES as usize) + 64 < MAX_RESPONSE_BYTES);
}
