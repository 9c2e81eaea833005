//! Holders that lie, die, or never end.

mod exchange;

use std::{
    slice::from_ref,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use chasqui_primitives::blob::{blob_info, chunk_leaves, BlobInfo};
use chasqui_session::{
    blobs::{
        BlobEvent, BlobLimits, ChunksAsk, DescribeAsk, Library, OpenBlob, CHUNKS_PATH,
        DESCRIBE_PATH,
    },
    wire::{frame, Refusal, RefusalCode},
};
use chasqui_worker::blobs::exchange::{fetch, FetchConfig, FetchError};
use exchange::{bytes, empty, quick, raw, secure, serve, Holder};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parity_scale_codec::Encode;
use sp_core::H256;

const CHUNK: u32 = 32 << 10;

fn hasty() -> FetchConfig {
    FetchConfig {
        patience: Duration::from_millis(500),
        ..quick()
    }
}

/// Describes a blob rightly and gives other bytes for every chunk from `from` on.
struct Liar {
    data: Vec<u8>,
    from: u64,
    asked: Arc<AtomicUsize>,
}

struct False {
    info: BlobInfo,
    leaves: Vec<H256>,
    data: Vec<u8>,
    from: u64,
    asked: Arc<AtomicUsize>,
}

impl Library for Liar {
    fn open(&self, _: &H256) -> Result<Option<Box<dyn OpenBlob>>, String> {
        Ok(Some(Box::new(False {
            info: blob_info(&self.data, CHUNK),
            leaves: chunk_leaves(&self.data, CHUNK),
            data: self.data.clone(),
            from: self.from,
            asked: self.asked.clone(),
        })))
    }
}

impl OpenBlob for False {
    fn info(&self) -> BlobInfo {
        self.info
    }
    fn leaves(&self) -> &[H256] {
        &self.leaves
    }
    fn chunk(&mut self, index: u64) -> Result<Vec<u8>, String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let start = (index * u64::from(CHUNK)) as usize;
        let end = self.data.len().min(start + CHUNK as usize);
        let mut bytes = self.data[start..end].to_vec();
        if index >= self.from {
            bytes[0] ^= 1;
        }
        Ok(bytes)
    }
}

// GIVEN a holder that lies about some chunks, beside an honest one
// WHEN a blob is fetched
// THEN it is right, and the liar was asked for no chunk after its first lie
#[tokio::test(flavor = "multi_thread")]
async fn a_lie_is_found_and_asked_for_elsewhere() {
    let data = bytes(3 << 20);
    for from in [0, 5] {
        let asked = Arc::new(AtomicUsize::new(0));
        let liar = Liar {
            data: data.clone(),
            from,
            asked: asked.clone(),
        };
        let folder = tempfile::tempdir().unwrap();
        let (_executor, lying) = serve(folder.path(), Arc::new(liar), BlobLimits::default());
        let slow = BlobLimits {
            bytes_per_second: Some(4 << 20),
            ..BlobLimits::default()
        };
        let (honest, root) = Holder::of(&data, CHUNK, slow);
        let (_folder, store) = empty();
        let holders = [lying.endpoint.clone(), honest.endpoint()];
        fetch(&store, root, 3 << 20, &holders, &quick())
            .await
            .unwrap();
        assert_eq!(store.read_all(&root, 3 << 20).unwrap(), data);
        // One batch at the most, which the holder may have sent on.
        let asked = asked.load(Ordering::Relaxed);
        assert!((1..=from as usize + 8).contains(&asked), "{asked}");
    }
}

// GIVEN nobody but a liar
// WHEN a blob is fetched
// THEN the error says who sent false bytes, soon, and there is no blob; an honest holder finishes what is there
#[tokio::test(flavor = "multi_thread")]
async fn a_liar_alone_gives_nothing() {
    let data = bytes(300_000);
    let liar = Liar {
        data: data.clone(),
        from: 3,
        asked: Arc::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    let (_executor, lying) = serve(folder.path(), Arc::new(liar), BlobLimits::default());
    let root = blob_info(&data, CHUNK).root();
    let (_folder, store) = empty();
    let began = Instant::now();
    let error = fetch(&store, root, 1 << 20, from_ref(&lying.endpoint), &quick())
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(said.contains("3 of 10 chunks came"), "{said}");
    assert!(said.contains("sends false bytes"), "{said}");
    assert!(said.contains(&lying.endpoint.url), "{said}");
    assert!(!error.is_own());
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(!store.contains(&root));
    let (honest, _) = Holder::of(&data, CHUNK, BlobLimits::default());
    fetch(&store, root, 1 << 20, &[honest.endpoint()], &quick())
        .await
        .unwrap();
    let sent = honest.executor.blob_bytes_sent();
    assert_eq!(sent, 300_000 - 3 * u64::from(CHUNK));
}

// GIVEN a holder that dies in the middle, beside another, and alone
// WHEN a blob is fetched
// THEN the other gives the rest; alone, the fetch ends with how much has come
#[tokio::test(flavor = "multi_thread")]
async fn a_dying_holder_is_replaced() {
    let data = bytes(2 << 20);
    for alone in [false, true] {
        let slow = BlobLimits {
            bytes_per_second: Some(2 << 20),
            ..BlobLimits::default()
        };
        let (mut dying, root) = Holder::of(&data, CHUNK, slow.clone());
        let (other, _) = Holder::of(&data, CHUNK, slow);
        let (_folder, store) = empty();
        let mut holders = vec![dying.endpoint()];
        if !alone {
            holders.push(other.endpoint());
        }
        let begun = {
            let store = store.clone();
            tokio::spawn(async move { fetch(&store, root, 2 << 20, &holders, &quick()).await })
        };
        tokio::task::block_in_place(|| {
            exchange::until("some has come", || {
                dying.executor.blob_bytes_sent() > 300_000
            });
        });
        dying.running.kill();
        let fetched = begun.await.unwrap();
        match alone {
            false => assert_eq!(fetched.unwrap().len, 2 << 20),
            true => {
                let error = fetched.unwrap_err();
                let FetchError::Unavailable {
                    chunks: Some((got, 64)),
                    ..
                } = error
                else {
                    panic!("{error}");
                };
                assert!((1..64).contains(&got), "{got}");
            }
        }
        assert_eq!(store.contains(&root), !alone);
    }
}

// GIVEN a blob that is larger than the fetcher wants
// WHEN it is fetched
// THEN nothing of it is read, and the error is that, whoever else is asked; one in the store is refused as well
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_beyond_the_limit_is_refused() {
    let (holder, root) = Holder::of(&bytes(100_001), CHUNK, BlobLimits::default());
    let (_folder, store) = empty();
    let error = fetch(&store, root, 100_000, &[holder.endpoint()], &quick())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            FetchError::TooLarge {
                len: 100_001,
                limit: 100_000,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(holder.executor.blob_bytes_sent(), 0);
    fetch(&store, root, 100_001, &[holder.endpoint()], &quick())
        .await
        .unwrap();
    let error = fetch(&store, root, 100_000, &[], &quick()).await;
    assert!(matches!(error, Err(FetchError::TooLarge { .. })));
}

fn described(info: BlobInfo) -> Bytes {
    frame(&BlobEvent::Described(info))
}

fn leaves(count: usize) -> Bytes {
    frame(&BlobEvent::Leaves(vec![H256::repeat_byte(7); count]))
}

// GIVEN holders whose descriptions are malformed, of another blob, too long, of too many leaves, cut off, of a blob that does
// not travel, or without an end
// WHEN a blob is fetched from each
// THEN each ends soon with an error that says what is wrong, and none with a blob
#[tokio::test(flavor = "multi_thread")]
async fn descriptions_that_are_none_are_refused() {
    let data = bytes(200_000);
    let info = blob_info(&data, CHUNK);
    let root = info.root();
    let right = frame(&BlobEvent::Leaves(chunk_leaves(&data, CHUNK)));
    let other = blob_info(&bytes(199_999), CHUNK);
    let mut version = described(info).to_vec();
    version[4] = 9;
    let refusal = Refusal::new(RefusalCode::NotServed, "root", "no");
    let cases: Vec<(&str, Vec<Bytes>)> = vec![
        ("ended too early", vec![]),
        ("ended too early", vec![Bytes::from_static(&[1, 2])]),
        ("false bytes", vec![Bytes::from_static(&[0xff; 64])]),
        ("false bytes", vec![Bytes::from(version)]),
        ("false bytes", vec![described(other), right.clone()]),
        ("false bytes", vec![right.clone()]),
        ("false bytes", vec![described(info), described(info)]),
        ("false bytes", vec![described(info), leaves(7)]),
        ("false bytes", vec![described(info), leaves(8)]),
        ("false bytes", vec![described(info), leaves(2_048)]),
        ("false bytes", vec![described(info), leaves(2_049)]),
        ("ended too early", vec![described(info), leaves(3)]),
        ("ended too early", vec![described(info)]),
        ("does not share", vec![frame(&BlobEvent::Refused(refusal))]),
        (
            "false bytes",
            vec![
                Bytes::from((u32::MAX).to_le_bytes().to_vec()),
                right.clone(),
            ],
        ),
        ("false bytes", vec![frame(&(&[3u8, 99][..], 0u8).encode())]),
    ];
    for (named, parts) in cases {
        let lying = raw(move |_| parts.clone(), false);
        let (_folder, store) = empty();
        let error = fetch(&store, root, 1 << 20, from_ref(&lying.endpoint), &hasty())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(named), "{named}: {error}");
        assert!(!store.contains(&root));
    }
    // Its root commits to a shape that does not travel.
    for shape in [
        BlobInfo {
            chunk: 2 << 20,
            ..info
        },
        BlobInfo {
            len: (1 << 20) + 1,
            chunk: 1,
            ..info
        },
    ] {
        let lying = raw(move |_| vec![described(shape)], false);
        let (_folder, store) = empty();
        let holders = [lying.endpoint.clone()];
        let error = fetch(&store, shape.root(), 8 << 20, &holders, &hasty())
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Shape { .. }), "{error}");
    }
}

// GIVEN holders whose answers never end, in descriptions or in chunks, with frames or with a byte at a time
// WHEN a blob is fetched from each
// THEN the fetch ends
#[tokio::test(flavor = "multi_thread")]
async fn answers_without_an_end_are_cut_off() {
    let data = bytes(200_000);
    let info = blob_info(&data, CHUNK);
    let root = info.root();
    let right = frame(&BlobEvent::Leaves(chunk_leaves(&data, CHUNK)));
    let first = frame(&BlobEvent::Chunk {
        index: 0,
        bytes: data[..CHUNK as usize].to_vec(),
    });
    let drip = Bytes::from_static(&[0]);
    let mut length = 9_000u32.to_le_bytes().to_vec();
    length.push(1);
    let endless: Vec<(Vec<Bytes>, Vec<Bytes>)> = vec![
        (vec![described(info)], vec![]),
        (vec![described(info), leaves(1)], vec![]),
        (vec![Bytes::from(length.clone()), drip.clone()], vec![]),
        (vec![described(info), right.clone()], vec![first.clone()]),
        (
            vec![described(info), right.clone()],
            vec![first, Bytes::from(length), drip],
        ),
        (
            vec![described(info), right],
            vec![frame(&BlobEvent::Chunk {
                index: 0,
                bytes: vec![0; 1 << 20],
            })],
        ),
    ];
    for (description, chunks) in endless {
        let answer = move |path: &str| match path {
            DESCRIBE_PATH => description.clone(),
            _ => chunks.clone(),
        };
        let lying = raw(answer, true);
        let (_folder, store) = empty();
        let began = Instant::now();
        let fetched = fetch(&store, root, 1 << 20, from_ref(&lying.endpoint), &hasty()).await;
        assert!(matches!(fetched, Err(FetchError::Unavailable { .. })));
        assert!(began.elapsed() < Duration::from_secs(10));
        assert!(!store.contains(&root));
    }
}

// GIVEN questions that are malformed, too long, about chunks that are not there, or to another path
// WHEN they are posted
// THEN each is refused with the field that is wrong, and the holder goes on
#[tokio::test(flavor = "multi_thread")]
async fn questions_that_are_none_are_refused() {
    let (holder, root) = Holder::of(&bytes(200_000), CHUNK, BlobLimits::default());
    let chunks = |first, count| frame(&ChunksAsk { root, first, count });
    let cases = [
        (DESCRIBE_PATH, Bytes::new(), "body"),
        (DESCRIBE_PATH, Bytes::from_static(&[9; 3]), "body"),
        (DESCRIBE_PATH, Bytes::from(vec![0; 4_000]), "body"),
        (DESCRIBE_PATH, chunks(0, 1), "describe"),
        (CHUNKS_PATH, frame(&DescribeAsk { root }), "chunks"),
        (CHUNKS_PATH, chunks(0, 0), "count"),
        (CHUNKS_PATH, chunks(0, 4_097), "count"),
        (CHUNKS_PATH, chunks(0, 8), "first"),
        (CHUNKS_PATH, chunks(7, 1), "first"),
        (CHUNKS_PATH, chunks(u64::MAX, 1), "first"),
        (
            "/chasqui/blob/2/describe",
            frame(&DescribeAsk { root }),
            "path",
        ),
    ];
    for (path, body, field) in cases {
        let (mut sender, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
            TokioExecutor::new(),
            TokioIo::new(secure(holder.running.address).await),
        )
        .await
        .unwrap();
        tokio::spawn(connection);
        let url = format!("https://{}{path}", holder.running.address);
        let request = http::Request::post(url).body(Full::new(body)).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        let event = BlobEvent::read(&answer[5..]).unwrap();
        let BlobEvent::Refused(refusal) = event else {
            panic!("{path}: {event:?}");
        };
        assert_eq!(refusal.field, field, "{path}: {refusal}");
    }
    let (_folder, store) = empty();
    fetch(&store, root, 1 << 20, &[holder.endpoint()], &quick())
        .await
        .unwrap();
}

// GIVEN a holder of another key than the chain names, one that is not there, and an address that is none
// WHEN a blob is fetched
// THEN nothing is taken from them, the error names each, and another holder is enough
#[tokio::test(flavor = "multi_thread")]
async fn holders_must_be_who_the_chain_names() {
    let data = bytes(50_000);
    let (holder, root) = Holder::of(&data, CHUNK, BlobLimits::default());
    let (mut gone, _) = Holder::of(&data, CHUNK, BlobLimits::default());
    gone.running.kill();
    let mut impostor = holder.endpoint();
    impostor.tls_key = [3; 32];
    let mut nonsense = holder.endpoint();
    nonsense.url = "http://here/path".into();
    let mut holders = vec![impostor, gone.endpoint(), nonsense];
    let (_folder, store) = empty();
    let error = fetch(&store, root, 1 << 20, &holders, &hasty())
        .await
        .unwrap_err();
    let said = error.to_string();
    for named in ["certificate", &gone.endpoint().url, "url"] {
        assert!(said.contains(named), "{named}: {said}");
    }
    holders.push(holder.endpoint());
    fetch(&store, root, 1 << 20, &holders, &quick())
        .await
        .unwrap();
    assert_eq!(store.read_all(&root, 1 << 20).unwrap(), data);
}
