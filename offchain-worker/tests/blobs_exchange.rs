//! Blobs travel from worker to worker: whole, resumed, and only what is shared.

mod exchange;

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use chasqui_session::{
    blobs::{BlobLimits, PeerError, Peers, PeersConfig},
    Endpoint,
};
use chasqui_worker::blobs::{
    exchange::{checkpoint_blobs, fetch, fetch_checkpoint, FetchConfig, FetchError, Shares},
    BlobError, BlobStore, Manifest,
};
use exchange::{bytes, empty, ending, quick, until, Holder};
use sp_core::H256;

const CHUNK: u32 = 64 << 10;

// GIVEN blobs of lengths around the borders of a chunk, and of chunks of one leaf's size, with one holder or three
// WHEN they are fetched
// THEN they are in the store under their roots, byte for byte, and nothing else is
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shared_arrives() {
    let chunk = CHUNK as usize;
    for (len, size) in [
        (0, CHUNK),
        (1, CHUNK),
        (chunk - 1, CHUNK),
        (chunk, CHUNK),
        (chunk + 1, CHUNK),
        (20 * chunk + 7, CHUNK),
        (144 * 5_000, 144),
        ((2 << 20) + 9, 1 << 20),
    ] {
        let data = bytes(len);
        let (first, root) = Holder::of(&data, size, BlobLimits::default());
        let more = [(); 2].map(|()| Holder::of(&data, size, BlobLimits::default()).0);
        let one = vec![first.endpoint()];
        let three = vec![first.endpoint(), more[0].endpoint(), more[1].endpoint()];
        for holders in [one, three] {
            let (folder, store) = empty();
            let info = fetch(&store, root, len as u64, &holders, &quick())
                .await
                .unwrap();
            assert_eq!((info.root(), info.len), (root, len as u64));
            assert_eq!(store.read_all(&root, len as u64).unwrap(), data);
            assert!(ending(&folder.path().join("partial"), "").is_empty());
            assert_eq!(ending(folder.path(), ".blob").len(), 1);
            // Once more costs nothing, and needs nobody.
            fetch(&store, root, len as u64, &[], &quick())
                .await
                .unwrap();
        }
    }
}

// GIVEN several holders
// WHEN a blob of many chunks is fetched
// THEN each of them gave a part of it, and no chunk came twice
#[tokio::test(flavor = "multi_thread")]
async fn holders_share_the_work() {
    let data = bytes(4 << 20);
    let slow = BlobLimits {
        bytes_per_second: Some(4 << 20),
        ..BlobLimits::default()
    };
    let holders: Vec<Holder> = (0..3)
        .map(|_| Holder::of(&data, CHUNK, slow.clone()).0)
        .collect();
    let endpoints: Vec<Endpoint> = holders.iter().map(Holder::endpoint).collect();
    let root = holders[0].shares.group("test").into_iter().next().unwrap();
    let (_folder, store) = empty();
    fetch(&store, root, 4 << 20, &endpoints, &quick())
        .await
        .unwrap();
    let sent: Vec<u64> = holders
        .iter()
        .map(|holder| holder.executor.blob_bytes_sent())
        .collect();
    assert!(sent.iter().all(|sent| *sent > 0), "{sent:?}");
    assert_eq!(sent.iter().sum::<u64>(), 4 << 20, "{sent:?}");
}

// GIVEN a blob that is in the holder's store and not shared, one that was and no longer is, and one that is not there
// WHEN they are asked for
// THEN nothing of them is given, the error names the holder, and a blob that two groups share stays when one goes
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shared_is_not_given() {
    let holder = Holder::start(BlobLimits::default());
    let data = bytes(100_000);
    let root = holder.store.put_bytes(&data, CHUNK).unwrap().root();
    let (_folder, store) = empty();
    let ask = || fetch(&store, root, 1 << 20, &[holder.endpoint()], &hasty()).await_now();
    let refused = |error: FetchError| {
        let said = error.to_string();
        assert!(matches!(error, FetchError::Unavailable { .. }), "{said}");
        assert!(said.contains(&holder.endpoint().url), "{said}");
        assert!(said.contains("does not share it"), "{said}");
    };
    refused(ask().unwrap_err());
    holder.shares.put("a", [root]).unwrap();
    holder
        .shares
        .put("b", [root, H256::repeat_byte(1)])
        .unwrap();
    holder.shares.drop_group("a").unwrap();
    assert_eq!(ask().unwrap().len, 100_000);
    store.remove(&root).unwrap();
    holder.shares.drop_group("b").unwrap();
    refused(ask().unwrap_err());
    // Shared, and not there: as if it were not shared.
    let absent = H256::repeat_byte(2);
    holder.shares.put("c", [absent]).unwrap();
    let asked = fetch(&store, absent, 1 << 20, &[holder.endpoint()], &hasty()).await;
    refused(asked.unwrap_err());
    assert_eq!(holder.executor.blob_bytes_sent(), 100_000);
}

// GIVEN an operator that hands out a checkpoint
// WHEN another one fetches it: from nothing, and with some files there already
// THEN manifest and files are there, and only what was missing came; a root that names no manifest is refused
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_fetched_file_by_file() {
    let model =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("engine/tests/golden/llama-mha-tied");
    let holder = Holder::start(BlobLimits::default());
    let (manifest, root) = Manifest::import(&holder.store, &model).unwrap();
    let blobs = checkpoint_blobs(&holder.store, &root).unwrap();
    assert_eq!(blobs.len(), 1 + manifest.files.len());
    holder.shares.put("checkpoint", blobs).unwrap();
    let holders = [holder.endpoint()];
    for there in [0, 2] {
        let (_folder, store) = empty();
        for file in &manifest.files[..there] {
            let bytes = holder.store.read_all(&file.root, file.len).unwrap();
            store.put_bytes(&bytes, 1 << 20).unwrap();
        }
        let before = holder.executor.blob_bytes_sent();
        let fetched = fetch_checkpoint(&store, &root, &holders, &quick()).await;
        assert_eq!(fetched.unwrap(), manifest);
        for file in &manifest.files {
            store.verify(&file.root).unwrap();
        }
        let came = holder.executor.blob_bytes_sent() - before;
        let missing: u64 = manifest.files[there..].iter().map(|file| file.len).sum();
        let encoded = holder.store.open(&root).unwrap().info().len;
        assert_eq!(came, missing + encoded);
    }
    let (_folder, store) = empty();
    let junk = holder.store.put_bytes(b"no manifest", 1 << 20).unwrap();
    holder.shares.add("checkpoint", [junk.root()]).unwrap();
    let refused = fetch_checkpoint(&store, &junk.root(), &holders, &quick()).await;
    assert!(matches!(refused, Err(FetchError::Shape { .. })));
}

/// As [`quick`], and gives up soon.
fn hasty() -> FetchConfig {
    FetchConfig {
        patience: Duration::from_millis(300),
        ..quick()
    }
}

/// So that a closure can fetch.
trait Now: std::future::Future + Sized {
    fn await_now(self) -> Self::Output {
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(self))
    }
}

impl<F: std::future::Future> Now for F {}

// GIVEN groups of shared roots
// WHEN the worker is started anew
// THEN the same roots are shared; names that are no names and files that are no lists are refused, and nothing is lost
#[test]
fn shares_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let root = H256::repeat_byte;
    let shares = Shares::open(folder.path()).unwrap();
    shares.put("run-1-round-2", [root(1), root(2)]).unwrap();
    shares.put("model", [root(2)]).unwrap();
    shares.add("model", [root(3)]).unwrap();
    shares.put("gone", [root(4)]).unwrap();
    shares.put("gone", []).unwrap();
    for bad in ["", "a/b", "..", "a b", &"x".repeat(97)] {
        assert!(shares.put(bad, [root(5)]).is_err(), "{bad}");
    }
    let again = Shares::open(folder.path()).unwrap();
    assert_eq!(again.names(), ["model", "run-1-round-2"]);
    for shared in 1..=3 {
        assert!(again.contains(&root(shared)));
    }
    for not in 4..=5 {
        assert!(!again.contains(&root(not)));
    }
    again.drop_group("run-1-round-2").unwrap();
    assert!(!again.contains(&root(1)) && again.contains(&root(2)));
    std::fs::write(folder.path().join("torn.roots"), "0x12").unwrap();
    let error = Shares::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("torn.roots"), "{error}");
}

// GIVEN a holder that allows few answers at a time
// WHEN 200 blobs are fetched at once, the same one by several
// THEN all arrive
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_are_served() {
    let limits = BlobLimits {
        streams: 8,
        streams_per_peer: 6,
        ..BlobLimits::default()
    };
    let holder = Holder::start(limits);
    let roots: Vec<H256> = (0..50usize)
        .map(|at| {
            let root = holder.store.put_bytes(&bytes(1_000 + at), 256).unwrap();
            root.root()
        })
        .collect();
    holder.shares.put("all", roots.iter().copied()).unwrap();
    let (_folder, store) = empty();
    let config = FetchConfig {
        patience: Duration::from_secs(60),
        ..quick()
    };
    let asked = (0..200usize).map(|at| {
        let (store, config, root) = (store.clone(), config.clone(), roots[at % 50]);
        let holders = [holder.endpoint()];
        tokio::spawn(async move { fetch(&store, root, 4_096, &holders, &config).await })
    });
    for fetched in futures::future::join_all(asked).await {
        fetched.unwrap().unwrap();
    }
    for (at, root) in roots.iter().enumerate() {
        assert_eq!(store.read_all(root, 4_096).unwrap(), bytes(1_000 + at));
    }
}

// GIVEN a reader that asks for chunks and takes nothing
// WHEN the time for that has passed
// THEN it loses its connection, its place is free, and others were served meanwhile
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_loses_its_connection() {
    use chasqui_session::blobs::{ChunksAsk, CHUNKS_PATH};
    use chasqui_session::wire::frame;
    use http_body_util::Full;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let limits = BlobLimits {
        streams_per_peer: 2,
        stall: Duration::from_millis(600),
        ..BlobLimits::default()
    };
    let (holder, root) = Holder::of(&bytes(8 << 20), 1 << 20, limits);
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(65_535)
        .handshake::<_, Full<bytes::Bytes>>(TokioIo::new(
            exchange::secure(holder.running.address).await,
        ))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let ask = ChunksAsk {
        root,
        first: 0,
        count: 8,
    };
    let request = http::Request::post(format!("https://{}{CHUNKS_PATH}", holder.running.address))
        .body(Full::new(frame(&ask)))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let (_folder, store) = empty();
    fetch(&store, root, 8 << 20, &[holder.endpoint()], &quick())
        .await
        .unwrap();
    let began = Instant::now();
    let _ = tokio::time::timeout(Duration::from_secs(10), connection)
        .await
        .expect("the connection ends");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(holder.executor.counts().turned_away >= 1);
    drop(answer);
}

// GIVEN a fetch that is dropped halfway
// WHEN it is begun again
// THEN what had come does not come again, also where the file was damaged in between, and until then no blob is there
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_fetch_goes_on() {
    let data = bytes(2 << 20);
    let slow = BlobLimits {
        bytes_per_second: Some(1 << 20),
        ..BlobLimits::default()
    };
    let (slow, root) = Holder::of(&data, CHUNK, slow);
    let (quickly, _) = Holder::of(&data, CHUNK, BlobLimits::default());
    let (folder, store) = empty();
    let begun = {
        let (store, holders) = (store.clone(), [slow.endpoint()]);
        tokio::spawn(async move { fetch(&store, root, 2 << 20, &holders, &quick()).await })
    };
    until("half has come", || {
        slow.executor.blob_bytes_sent() > 1 << 20
    });
    begun.abort();
    let _ = begun.await;
    assert!(!store.contains(&root));
    let parts = ending(&folder.path().join("partial"), ".part");
    assert_eq!(parts.len(), 1);
    // A chunk of what came is damaged.
    use std::os::unix::fs::FileExt;
    let part = std::fs::OpenOptions::new().write(true).open(&parts[0]);
    part.unwrap().write_all_at(b"damage", 70_000).unwrap();
    fetch(&store, root, 2 << 20, &[quickly.endpoint()], &quick())
        .await
        .unwrap();
    assert_eq!(store.read_all(&root, 2 << 20).unwrap(), data);
    let sent = quickly.executor.blob_bytes_sent();
    assert!(sent < 5 * (2 << 20) / 8, "{sent} came again");
    assert!(sent > u64::from(CHUNK));
}

const URL: &str = "CHASQUI_TEST_HOLDER";

/// The process that the tests below kill, or let run out of disk.
#[test]
#[ignore = "a part of other tests"]
fn child() {
    let env = |name: &str| std::env::var(name).unwrap();
    if std::env::var_os(URL).is_none() {
        return;
    }
    let key: [u8; 32] = hex::decode(env("CHASQUI_TEST_KEY"))
        .unwrap()
        .try_into()
        .unwrap();
    let holders = [Endpoint {
        url: env(URL),
        tls_key: key,
    }];
    let root: [u8; 32] = hex::decode(env("CHASQUI_TEST_ROOT"))
        .unwrap()
        .try_into()
        .unwrap();
    let store = BlobStore::open_dir(env("CHASQUI_TEST_STORE")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fetched = runtime.block_on(fetch(&store, root.into(), 8 << 20, &holders, &quick()));
    if let Err(error) = fetched {
        println!("failed: {error}; own: {}", error.is_own());
    }
}

fn command(shell: &str, holder: &Holder, root: H256, store: &BlobStore) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    let line = format!(
        "{shell} exec '{}' --exact child --ignored --nocapture",
        program.display()
    );
    command
        .args(["-c", &line])
        .env(URL, holder.endpoint().url)
        .env("CHASQUI_TEST_KEY", hex::encode(holder.endpoint().tls_key))
        .env("CHASQUI_TEST_ROOT", hex::encode(root))
        .env("CHASQUI_TEST_STORE", store.dir());
    command
}

// GIVEN a process that fetches a blob
// WHEN it is killed, several times
// THEN the blob is never half there, what came is kept, and in the end it is whole
#[test]
fn a_killed_fetch_goes_on() {
    let data = bytes(6 << 20);
    let slow = BlobLimits {
        bytes_per_second: Some(8 << 20),
        ..BlobLimits::default()
    };
    let (holder, root) = Holder::of(&data, CHUNK, slow);
    let (_folder, store) = empty();
    let mut before = 0;
    for _ in 0..3 {
        let mut child = command("", &holder, root, &store)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("a megabyte has come", || {
            holder.executor.blob_bytes_sent() > before + (1 << 20)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        before = holder.executor.blob_bytes_sent();
        let found = BlobStore::open_dir(store.dir()).unwrap().verify(&root);
        assert!(matches!(found, Err(BlobError::Missing { .. })), "{found:?}");
    }
    let output = command("", &holder, root, &store).output().unwrap();
    assert!(output.status.success());
    assert_eq!(store.read_all(&root, 8 << 20).unwrap(), data);
    let sent = holder.executor.blob_bytes_sent();
    assert!(sent < (6 << 20) + 3 * (1 << 20), "{sent} of {}", data.len());
}

// GIVEN a disk that is full before the blob is whole
// WHEN it is fetched
// THEN the error is this machine's own and says so, what had come is kept, and with room the fetch goes on from there
#[test]
fn a_full_disk_loses_nothing() {
    let data = bytes(4 << 20);
    let (holder, root) = Holder::of(&data, CHUNK, BlobLimits::default());
    let (_folder, store) = empty();
    // Units of 512 bytes in a POSIX shell, of 1,024 in others: two or four megabytes, less a little.
    let output = command("trap '' XFSZ; ulimit -f 4000;", &holder, root, &store)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("what has come is kept; own: true"), "{said}");
    assert!(!store.contains(&root));
    let before = holder.executor.blob_bytes_sent();
    assert!(before > 1 << 20);
    let output = command("", &holder, root, &store).output().unwrap();
    assert!(output.status.success());
    assert_eq!(store.read_all(&root, 8 << 20).unwrap(), data);
    let again = holder.executor.blob_bytes_sent() - before;
    assert!(again < 3 << 20, "{again} bytes came again");
}

// GIVEN a holder that may give one address so many bytes a second
// WHEN somebody asks on several connections
// THEN all together do not get more
#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_its_share_of_bytes() {
    let limits = BlobLimits {
        bytes_per_second: Some(1 << 20),
        ..BlobLimits::default()
    };
    let (holder, root) = Holder::of(&bytes(1 << 20), CHUNK, limits);
    let began = Instant::now();
    let read = || async {
        let peers = Peers::new(&PeersConfig::default());
        let endpoint = holder.endpoint();
        let description = peers.describe(&endpoint, &root, 1 << 20).await?;
        let mut chunks = peers.chunks(&endpoint, &root, &description, 0..8).await?;
        while chunks.next().await?.is_some() {}
        Ok::<_, PeerError>(())
    };
    let (first, second, third) = futures::join!(read(), read(), read());
    first.and(second).and(third).unwrap();
    // 1.5 MiB at 1 MiB a second.
    assert!(began.elapsed() > Duration::from_millis(1_200));
}
