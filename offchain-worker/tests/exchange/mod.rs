//! Holders of blobs, honest or not, without a chain and without models.
#![allow(dead_code)]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use chasqui_engine::batch::Batcher;
use chasqui_primitives::{session::SessionId, CheckpointRoot, NumericProfile};
use chasqui_session::{
    blobs::{BlobLimits, Library},
    executor::Models,
    journal::{ExecutorJournal, ExecutorLimits},
    tls::{client_config, server_config, TlsKey},
    AccountId, ChainError, ChainView, Endpoint, Executor, ExecutorConfig, Standing,
};
use chasqui_worker::blobs::{
    exchange::{FetchConfig, PeersConfig, SharedBlobs, Shares},
    BlobStore,
};
use http_body_util::{combinators::UnsyncBoxBody, BodyExt, StreamBody};
use hyper::{body::Frame, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sp_core::{sr25519, Pair, H256};
use std::convert::Infallible;
use tempfile::TempDir;
use tokio::{net::TcpListener, net::TcpStream, runtime::Runtime};
use tokio_rustls::{client::TlsStream, TlsAcceptor, TlsConnector};

const SEED: [u8; 32] = [21; 32];

struct NoChain;

#[async_trait]
impl ChainView for NoChain {
    fn genesis(&self) -> H256 {
        H256::zero()
    }
    async fn standing(&self, _: &SessionId, _: &AccountId) -> Result<Option<Standing>, ChainError> {
        Ok(None)
    }
    async fn committee(&self, _: &SessionId) -> Result<Option<Vec<AccountId>>, ChainError> {
        Ok(None)
    }
    async fn endpoint(&self, _: &AccountId) -> Result<Option<Endpoint>, ChainError> {
        Ok(None)
    }
}

struct NoModels;

#[async_trait]
impl Models for NoModels {
    async fn batcher(
        &self,
        _: &CheckpointRoot,
        _: NumericProfile,
    ) -> Result<Option<Arc<Batcher>>, String> {
        Ok(None)
    }
}

/// A runtime with a listener in it, which a test can kill.
pub struct Running {
    runtime: Option<Runtime>,
    pub endpoint: Endpoint,
    pub address: SocketAddr,
}

impl Running {
    fn new<F: std::future::Future<Output = ()> + Send + 'static>(
        serve: impl FnOnce(std::net::TcpListener) -> F,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(serve(listener));
        Self {
            runtime: Some(runtime),
            endpoint: Endpoint {
                url: format!("https://{address}"),
                tls_key: TlsKey::from_seed(&SEED).public(),
            },
            address,
        }
    }

    /// Ends it at once, in the middle of whatever it sends.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A worker's listener over a store.
pub struct Holder {
    pub folder: TempDir,
    pub store: BlobStore,
    pub shares: Arc<Shares>,
    pub executor: Executor,
    pub running: Running,
}

impl Holder {
    pub fn start(limits: BlobLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = BlobStore::open_dir(folder.path().join("blobs")).unwrap();
        let shares = Arc::new(Shares::open(folder.path().join("shares")).unwrap());
        let library = SharedBlobs {
            store: store.clone(),
            shares: shares.clone(),
        };
        let (executor, running) = serve(folder.path(), Arc::new(library), limits);
        Self {
            folder,
            store,
            shares,
            executor,
            running,
        }
    }

    /// One that shares `bytes`, in chunks of `chunk`.
    pub fn of(bytes: &[u8], chunk: u32, limits: BlobLimits) -> (Self, H256) {
        let holder = Self::start(limits);
        let root = holder.store.put_bytes(bytes, chunk).unwrap().root();
        holder.shares.add("test", [root]).unwrap();
        (holder, root)
    }

    pub fn endpoint(&self) -> Endpoint {
        self.running.endpoint.clone()
    }
}

/// Serves what any library shares.
pub fn serve(folder: &Path, library: Arc<dyn Library>, limits: BlobLimits) -> (Executor, Running) {
    let key = sr25519::Pair::from_string("//Bob", None).unwrap();
    let operator = AccountId::from(key.public().0);
    let journal = ExecutorJournal::open(
        &folder.join("journal"),
        H256::zero(),
        operator,
        ExecutorLimits::default(),
    )
    .unwrap();
    let executor = Executor::new(
        ExecutorConfig::default(),
        Arc::new(NoChain),
        Arc::new(NoModels),
        Arc::new(key),
        Arc::new(journal),
    )
    .unwrap();
    executor.share_blobs(library, limits);
    let serving = executor.clone();
    let running = Running::new(|listener| async move {
        let listener = TcpListener::from_std(listener).unwrap();
        let key = TlsKey::from_seed(&SEED);
        let never = std::future::pending();
        serving.serve(listener, &key, never).await.unwrap();
    });
    (executor, running)
}

/// A server that answers whatever it is asked with the parts that `answer` gives for the path, one after the other; with
/// `forever` the last one comes again and again.
pub fn raw(
    answer: impl Fn(&str) -> Vec<Bytes> + Clone + Send + Sync + 'static,
    forever: bool,
) -> Running {
    Running::new(|listener| async move {
        let listener = TcpListener::from_std(listener).unwrap();
        let config = server_config(&TlsKey::from_seed(&SEED)).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let secured = acceptor.accept(socket).await.unwrap();
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let parts = answer(request.uri().path());
                    async move { Ok::<_, Infallible>(http::Response::new(body(parts, forever))) }
                });
                let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(secured), service)
                    .await;
            });
        }
    })
}

fn body(parts: Vec<Bytes>, forever: bool) -> UnsyncBoxBody<Bytes, Infallible> {
    let parts = futures::stream::unfold((parts, 0usize), move |(parts, at)| async move {
        let last = parts.len().checked_sub(1)?;
        let part = match forever {
            true => parts[at.min(last)].clone(),
            false => parts.get(at)?.clone(),
        };
        if at > last {
            // So that a test that fails does not fill the memory.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Some((Ok(Frame::data(part)), (parts, at + 1)))
    });
    StreamBody::new(Box::pin(parts)).boxed_unsync()
}

/// A connection to a holder, by hand.
pub async fn secure(address: SocketAddr) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(address).await.unwrap();
    let config = client_config(TlsKey::from_seed(&SEED).public()).unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .unwrap()
}

/// Where blobs are fetched to.
pub fn empty() -> (TempDir, BlobStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open_dir(folder.path()).unwrap();
    (folder, store)
}

pub fn quick() -> FetchConfig {
    FetchConfig {
        peers: PeersConfig {
            connect: Duration::from_secs(2),
            frame: Duration::from_secs(2),
            ..PeersConfig::default()
        },
        patience: Duration::from_secs(3),
        pause: Duration::from_millis(20),
        batch_bytes: 256 << 10,
        ..FetchConfig::default()
    }
}

pub fn bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Names in a folder that end so.
pub fn ending(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect()
}
