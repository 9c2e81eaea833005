//! A chain in memory, an executor with the shipped model, a client, and what can go wrong between them.
#![allow(dead_code)]

pub mod liar;
pub mod proxy;
pub mod raw;

use async_trait::async_trait;
use chasqui_engine::{
    batch::{Batcher, Limits},
    Engine,
};
use chasqui_primitives::{
    sampling::Sampling,
    session::{
        rules::{Channel, Deposit},
        tree::Claim,
        SessionId,
    },
    Balance, CheckpointRoot, NumericProfile,
};
use chasqui_session::{
    client::Question,
    executor::Models,
    journal::{ClientJournal, ExecutorJournal, ExecutorLimits},
    tls::TlsKey,
    AccountId, ChainError, ChainView, Client, ClientConfig, Endpoint, Executor, ExecutorConfig,
    HashSigner, JournalError, SignedRequest, Standing, Terms,
};
use sp_core::{sr25519, Pair, H256};
use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{mpsc, Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime};

pub const GENESIS: H256 = H256::repeat_byte(0xc4);
pub const CHECKPOINT: CheckpointRoot = H256::repeat_byte(0x70);
pub const TLS_SEED: [u8; 32] = [11; 32];
/// Planck of a test's slice.
pub const SLICE: Balance = 10_000_000;

pub fn key(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None).unwrap()
}

pub fn account(name: &str) -> AccountId {
    HashSigner::account(&key(name))
}

pub fn terms() -> Terms {
    Terms {
        unit_price: 100,
        units_per_prompt_token: 1,
        units_per_output_token: 4,
        context_tokens: 512,
        vocabulary: 1_280,
        profile: NumericProfile::F32,
        end_tokens: vec![1],
    }
}

/// A session on the chain in memory.
#[derive(Clone)]
pub struct Session {
    pub deposit: Deposit,
    pub open: bool,
    pub committee: Vec<AccountId>,
    pub channels: HashMap<AccountId, Channel<u32>>,
}

#[derive(Default)]
pub struct State {
    pub now: u32,
    pub down: bool,
    pub sessions: HashMap<SessionId, Session>,
    pub endpoints: HashMap<AccountId, Endpoint>,
    pub terms: Option<Terms>,
    pub signers: HashMap<AccountId, AccountId>,
}

/// The finalised chain, driven by the rules of the primitives.
#[derive(Default)]
pub struct MemoryChain(pub Mutex<State>);

impl MemoryChain {
    pub fn new() -> Arc<Self> {
        let chain = Self::default();
        chain.with(|state| {
            state.now = 1_000;
            state.terms = Some(terms());
        });
        Arc::new(chain)
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// Opens a session of `Client` with these operators, each with such a slice.
    pub fn open(&self, number: u8, operators: &[&str], slice: Balance) -> SessionId {
        let id = H256::repeat_byte(number);
        self.with(|state| {
            let mut session = Session {
                deposit: Deposit::default(),
                open: true,
                committee: operators.iter().map(|name| account(name)).collect(),
                channels: HashMap::new(),
            };
            let whole = slice * operators.len() as Balance;
            session.deposit.pay_in(whole).unwrap();
            for name in operators {
                let mut channel = Channel::default();
                channel
                    .grow(&mut session.deposit, slice, state.now)
                    .unwrap();
                session.channels.insert(account(name), channel);
            }
            state.sessions.insert(id, session);
        });
        id
    }

    pub fn channel(&self, session: &SessionId, operator: &str) -> Channel<u32> {
        self.with(|state| state.sessions[session].channels[&account(operator)])
    }

    /// Changes a channel by the rules.
    pub fn change<T>(
        &self,
        session: &SessionId,
        operator: &str,
        change: impl FnOnce(&mut Channel<u32>, &mut Deposit, u32) -> T,
    ) -> T {
        self.with(|state| {
            let now = state.now;
            let session = state.sessions.get_mut(session).unwrap();
            let channel = session.channels.get_mut(&account(operator)).unwrap();
            change(channel, &mut session.deposit, now)
        })
    }

    /// Settles a claim as the chain would: the client's signature, then the rules.
    pub fn settle(&self, signed: &SignedRequest, claim: &Claim) -> Result<(), String> {
        let request = &signed.request;
        if !signed.verify(&GENESIS, &account("Client")) {
            return Err("signature".into());
        }
        if request.checkpoint != CHECKPOINT {
            return Err("another checkpoint than the session's".into());
        }
        self.with(|state| {
            let now = state.now;
            let session = state.sessions.get_mut(&request.session).unwrap();
            let channel = session.channels.get_mut(&request.operator).unwrap();
            channel
                .settle(&mut session.deposit, claim, (request.seq, request.cap), now)
                .map_err(|refusal| format!("{refusal:?}"))
        })
    }
}

#[async_trait]
impl ChainView for MemoryChain {
    fn genesis(&self) -> H256 {
        GENESIS
    }

    async fn standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Standing>, ChainError> {
        self.with(|state| {
            if state.down {
                return Err(ChainError("the node is down".into()));
            }
            let Some(held) = state.sessions.get(session) else {
                return Ok(None);
            };
            let Some(channel) = held.channels.get(operator) else {
                return Ok(None);
            };
            Ok(Some(Standing {
                now: state.now,
                key: account("Client"),
                checkpoint: CHECKPOINT,
                open: held.open,
                committee: held.committee.clone(),
                channel: *channel,
                signer: state.signers.get(operator).unwrap_or(operator).clone(),
                terms: state.terms.clone(),
            }))
        })
    }

    async fn committee(&self, session: &SessionId) -> Result<Option<Vec<AccountId>>, ChainError> {
        self.with(|state| {
            let held = state.sessions.get(session);
            Ok(held.map(|held| held.committee.clone()))
        })
    }

    async fn endpoint(&self, operator: &AccountId) -> Result<Option<Endpoint>, ChainError> {
        self.with(|state| Ok(state.endpoints.get(operator).cloned()))
    }
}

/// The shipped model, loaded once for all tests of a file.
pub fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    let load = || {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The worker's own tests use this file too.
        let models = ["../models", "models"].map(|models| folder.join(models));
        let models = models.iter().find(|models| models.is_dir()).unwrap();
        let folder = models.join("chasqui-tales");
        Arc::new(Engine::load(&folder, "cpu").unwrap())
    };
    ENGINE.get_or_init(load).clone()
}

pub struct OneModel(pub Arc<Batcher>);

#[async_trait]
impl Models for OneModel {
    async fn batcher(
        &self,
        root: &CheckpointRoot,
        _profile: NumericProfile,
    ) -> Result<Option<Arc<Batcher>>, String> {
        Ok((*root == CHECKPOINT).then(|| self.0.clone()))
    }
}

/// An executor in a runtime of its own, so that it can be killed.
pub struct Running {
    runtime: Option<Runtime>,
    pub executor: Executor,
    pub batcher: Arc<Batcher>,
    pub address: SocketAddr,
}

impl Running {
    /// Keeps the model's thread busy until the result is dropped: no request makes a token meanwhile.
    pub fn hold(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel::<()>();
        let (started, first) = mpsc::channel();
        let request = chasqui_engine::GenerateRequest {
            prompt_ids: vec![0],
            sampling: sampling(0, 1),
            fingerprint_seed: [0; 32],
        };
        let on_token = move |_| {
            started.send(()).unwrap();
            let _ = held.recv();
            std::ops::ControlFlow::Continue(())
        };
        self.batcher.submit(request, on_token, |_| {}).unwrap();
        first.recv().unwrap();
        release
    }

    /// Ends it at once, wherever it is: nothing is flushed, nobody is told.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Everything that a test needs, in one folder.
pub struct World {
    pub chain: Arc<MemoryChain>,
    pub folder: TempDir,
    pub executor: ExecutorConfig,
    pub client: ClientConfig,
    pub limits: ExecutorLimits,
}

impl World {
    pub fn new() -> Self {
        Self {
            chain: MemoryChain::new(),
            folder: TempDir::new().unwrap(),
            executor: ExecutorConfig::default(),
            client: ClientConfig {
                silence: Duration::from_secs(20),
                connect: Duration::from_secs(5),
                ..ClientConfig::default()
            },
            limits: ExecutorLimits::default(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The journal of an executor whose process may just have been killed.
    pub fn executor_journal(&self, operator: &str) -> Arc<ExecutorJournal> {
        let path = self.path(&format!("executor-{operator}"));
        Arc::new(patiently(|| {
            ExecutorJournal::open(&path, GENESIS, account(operator), self.limits)
        }))
    }

    /// Starts `operator`'s executor and registers where it is reached.
    pub fn start(&self, operator: &str) -> Running {
        self.start_on(operator, self.chain.clone())
    }

    /// The same, with such a look at the chain.
    pub fn start_on(&self, operator: &str, chain: Arc<dyn ChainView>) -> Running {
        let journal = self.executor_journal(operator);
        let batcher = Arc::new(Batcher::new(engine(), Limits::default()).unwrap());
        let executor = Executor::new(
            self.executor.clone(),
            chain,
            Arc::new(OneModel(batcher.clone())),
            Arc::new(key(operator)),
            journal,
        )
        .unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = executor.clone();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let key = TlsKey::from_seed(&TLS_SEED);
            serving
                .serve(listener, &key, std::future::pending())
                .await
                .unwrap();
        });
        self.register(operator, address);
        Running {
            runtime: Some(runtime),
            executor,
            batcher,
            address,
        }
    }

    /// Tells the chain where an operator is reached.
    pub fn register(&self, operator: &str, address: SocketAddr) {
        let endpoint = Endpoint {
            url: format!("https://{address}"),
            tls_key: TlsKey::from_seed(&TLS_SEED).public(),
        };
        self.chain
            .with(|state| state.endpoints.insert(account(operator), endpoint));
    }

    pub fn client_journal(&self) -> Arc<ClientJournal> {
        let path = self.path("client");
        Arc::new(patiently(|| {
            ClientJournal::open(&path, GENESIS, account("Client"), 1_024)
        }))
    }

    pub fn connect(&self) -> Client {
        Client::new(
            self.client.clone(),
            self.chain.clone(),
            Arc::new(key("Client")),
            self.client_journal(),
        )
        .unwrap()
    }
}

/// A process that was killed gives its file back a moment later.
fn patiently<T>(open: impl Fn() -> Result<T, JournalError>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match open() {
            Err(JournalError::InUse(_)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            outcome => return outcome.unwrap(),
        }
    }
}

pub fn sampling(seed: u64, max_tokens: u32) -> Sampling {
    Sampling {
        temperature_milli: 700,
        seed,
        ignore_eos: true,
        ..Sampling::greedy(max_tokens)
    }
}

pub fn question(prompt: &[u32], seed: u64, max_tokens: u32) -> Question {
    Question {
        prompt: prompt.to_vec(),
        sampling: sampling(seed, max_tokens),
        top_logprobs: None,
        unit_price: None,
    }
}

/// What an honest executor says to this.
pub fn expected(prompt: &[u32], seed: u64, max_tokens: u32) -> Vec<u32> {
    let request = chasqui_engine::GenerateRequest {
        prompt_ids: prompt.to_vec(),
        sampling: sampling(seed, max_tokens),
        fingerprint_seed: [0; 32],
    };
    let go = |_| std::ops::ControlFlow::Continue(());
    engine().generate(&request, go).unwrap().output_ids
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
