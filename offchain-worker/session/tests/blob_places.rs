//! A holder of blobs and those who ask: places, paces, and who loses them.

mod common;

use bytes::Bytes;
use chasqui_primitives::blob::{blob_info, chunk_leaves, BlobInfo};
use chasqui_session::{
    blobs::{BlobLimits, ChunksAsk, Library, OpenBlob, Peers, PeersConfig, CHUNKS_PATH},
    tls::{client_config, TlsKey},
    wire::frame,
    Endpoint,
};
use common::{until, World, TLS_SEED};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use sp_core::H256;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

const CHUNK: u32 = 1 << 20;

/// Shares one blob.
struct One(Vec<u8>);

struct Open {
    info: BlobInfo,
    leaves: Vec<H256>,
    data: Vec<u8>,
}

impl Library for One {
    fn open(&self, root: &H256) -> Result<Option<Box<dyn OpenBlob>>, String> {
        let open = Open {
            info: blob_info(&self.0, CHUNK),
            leaves: chunk_leaves(&self.0, CHUNK),
            data: self.0.clone(),
        };
        Ok((open.info.root() == *root).then(|| Box::new(open) as _))
    }
}

impl OpenBlob for Open {
    fn info(&self) -> BlobInfo {
        self.info
    }
    fn leaves(&self) -> &[H256] {
        &self.leaves
    }
    fn chunk(&mut self, index: u64) -> Result<Vec<u8>, String> {
        let chunk = self.data.chunks(CHUNK as usize).nth(index as usize);
        chunk.map(<[u8]>::to_vec).ok_or("no such chunk".into())
    }
}

/// Asks for two chunks from another address of this machine, and reads nothing: the status, and whether the connection has
/// ended.
async fn slow(from: u8, holder: SocketAddr, root: H256) -> (u16, Held) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, from], 0).into()).unwrap();
    let socket = socket.connect(holder).await.unwrap();
    let config = client_config(TlsKey::from_seed(&TLS_SEED).public()).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let secured = TlsConnector::from(Arc::new(config)).connect(name, socket);
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(65_535)
        .handshake::<_, Full<Bytes>>(TokioIo::new(secured.await.unwrap()))
        .await
        .unwrap();
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    let ask = ChunksAsk {
        root,
        first: 0,
        count: 2,
    };
    let request = http::Request::post(format!("https://{holder}{CHUNKS_PATH}"));
    let request = request.body(Full::new(frame(&ask))).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    (answer.status().as_u16(), (sender, answer, connection))
}

type Held = (
    http2::SendRequest<Full<Bytes>>,
    http::Response<hyper::body::Incoming>,
    tokio::task::JoinHandle<()>,
);

// GIVEN slow readers on several addresses that take all places
// WHEN another address asks for a blob
// THEN it is served at once in the place of the oldest of them, who lose their connections; none of the slow addresses gets
// more than its share
#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_keep_nobody_out() {
    let world = World::new();
    let running = world.start("Bob");
    let data = vec![7; 2 * CHUNK as usize];
    let root = blob_info(&data, CHUNK).root();
    let limits = BlobLimits {
        streams: 4,
        streams_per_peer: 2,
        stall: Duration::from_secs(60),
        ..BlobLimits::default()
    };
    running.executor.share_blobs(Arc::new(One(data)), limits);
    let mut held = Vec::new();
    for (from, expected) in [(2, 200), (2, 200), (3, 200), (3, 200), (2, 503)] {
        let (status, slow) = slow(from, running.address, root).await;
        assert_eq!(status, expected);
        held.push(slow);
    }
    let peers = Peers::new(&PeersConfig::default());
    let holder = Endpoint {
        url: format!("https://{}", running.address),
        tls_key: TlsKey::from_seed(&TLS_SEED).public(),
    };
    let began = Instant::now();
    let description = peers.describe(&holder, &root, 8 << 20).await.unwrap();
    let mut chunks = peers
        .chunks(&holder, &root, &description, 0..2)
        .await
        .unwrap();
    let mut came = 0;
    while let Some((_, bytes)) = chunks.next().await.unwrap() {
        came += bytes.len();
    }
    assert_eq!(came, 2 * CHUNK as usize);
    assert!(began.elapsed() < Duration::from_secs(5));
    until("one has lost its connection", || {
        held.iter()
            .any(|(_, _, connection)| connection.is_finished())
    })
    .await;
    // The others go on: not all were needed.
    let gone = held
        .iter()
        .filter(|(_, _, connection)| connection.is_finished());
    assert!(gone.count() <= 2);
}
