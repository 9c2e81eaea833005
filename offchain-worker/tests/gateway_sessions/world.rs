//! A gateway's upstream over sessions on the chain in memory, and how the tests ask it.

use crate::common::{account, key, MemoryChain, Session, World, CHECKPOINT};
use async_trait::async_trait;
use chasqui_audit::default_thresholds;
use chasqui_engine::{batch::Limits, LoadOptions, Sampling};
use chasqui_gateway::{
    upstream::{Cancel, Event, Failure, Finished, Model, Request},
    LocalUpstream, ModelFolder, Upstream,
};
use chasqui_primitives::{audit::AuditThresholds, session::SessionId, Balance, CheckpointRoot};
use chasqui_session::{
    journal::ClientJournal, Client, ClientConfig, HashSigner, SignedReceipt, SignedRequest,
};
use chasqui_worker::sessions::gateway::{
    audit::{Auditor, Court},
    facts::{Deed, Facts, Member, Offer, Outcome, SessionFacts, Treasury},
    model::Described,
    operators::Operators,
    pool::PoolConfig,
    Parts, SessionUpstream,
};
use futures::StreamExt;
use sp_core::H256;
use std::{
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

/// Planck of a session in these tests: some hundreds of tokens.
pub const DEPOSIT: Balance = 4_000_000;
pub const STORAGE: Balance = 1_000;

pub fn pool() -> PoolConfig {
    PoolConfig {
        most_sessions: 4,
        deposit: DEPOSIT,
        budget: 10 * DEPOSIT,
        storage: STORAGE,
        fees: 10,
        linger: 600_000,
    }
}

/// The account behind the gateway on the chain in memory.
pub struct MemoryTreasury {
    pub chain: Arc<MemoryChain>,
    pub free: Mutex<Balance>,
    /// Who is drawn, primary first.
    pub committee: Vec<&'static str>,
    pub deeds: Mutex<Vec<Deed>>,
    next: Mutex<u8>,
}

fn facts_of(id: &SessionId, session: &Session) -> SessionFacts {
    let member = |operator| {
        let channel = session.channels.get(operator)?;
        Some(Member {
            operator: operator.clone(),
            promised: channel.promised(),
            stopped: channel.stopped.is_some(),
        })
    };
    SessionFacts {
        id: *id,
        checkpoint: CHECKPOINT,
        open: session.open,
        paid_in: session.deposit.paid_in,
        settled: session.deposit.settled,
        unsliced: session.deposit.free(),
        storage: STORAGE,
        drawn_in: Some(1),
        drawing: false,
        members: session.committee.iter().filter_map(member).collect(),
    }
}

#[async_trait]
impl Treasury for MemoryTreasury {
    async fn look(&self) -> anyhow::Result<Option<Facts>> {
        let free = *self.free.lock().unwrap();
        Ok(Some(self.chain.with(|state| {
            Facts {
                block: state.now,
                epoch: 1,
                free,
                sessions: state
                    .sessions
                    .iter()
                    .map(|(id, session)| facts_of(id, session))
                    .collect(),
                offers: vec![Offer {
                    checkpoint: CHECKPOINT,
                    terms: state.terms.clone(),
                }],
            }
        })))
    }

    async fn act(&self, deed: &Deed) -> Outcome {
        self.deeds.lock().unwrap().push(deed.clone());
        let mut free = self.free.lock().unwrap();
        match deed {
            Deed::Open { deposit, .. } => {
                if *free < deposit + STORAGE {
                    return Outcome::Refused {
                        reason: "Funds are unavailable".into(),
                        unfunded: true,
                    };
                }
                *free -= deposit + STORAGE;
                let mut next = self.next.lock().unwrap();
                *next += 1;
                let each = deposit / self.committee.len() as Balance;
                Outcome::Done(Some(self.chain.open(100 + *next, &self.committee, each)))
            }
            Deed::TopUp { session, pay, grow } => {
                *free = free.saturating_sub(*pay);
                self.chain.with(|state| {
                    let now = state.now;
                    let session = state.sessions.get_mut(session).unwrap();
                    session.deposit.pay_in(*pay).unwrap();
                    if let Some((operator, amount)) = grow {
                        let channel = session.channels.get_mut(operator).unwrap();
                        channel.grow(&mut session.deposit, *amount, now).unwrap();
                    }
                });
                Outcome::Done(None)
            }
            Deed::Renew { .. } => Outcome::Done(None),
            Deed::Close { session } => {
                self.chain.with(|state| {
                    if let Some(session) = state.sessions.get_mut(session) {
                        session.open = false;
                    }
                });
                Outcome::Done(None)
            }
        }
    }
}

/// The shipped model's text side.
pub fn model() -> Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    let load = || {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/chasqui-tales");
        let folder = ModelFolder {
            id: "tales".into(),
            path,
        };
        let options = LoadOptions::on("cpu");
        let local = LocalUpstream::load(&[folder], &options, Limits::default()).unwrap();
        let models = local.models();
        Model {
            max_output: Some(2_048),
            ..Model::clone(&models[0])
        }
    };
    MODEL.get_or_init(load).clone()
}

/// A chain that notes what is brought before it.
#[derive(Default)]
pub struct Notes {
    pub reports: Mutex<Vec<(SignedRequest, SignedReceipt)>>,
    pub frauds: Mutex<Vec<(SignedReceipt, SignedReceipt)>>,
}

#[async_trait]
impl Court for Notes {
    async fn thresholds(&self, _: &CheckpointRoot) -> anyhow::Result<AuditThresholds> {
        Ok(default_thresholds())
    }

    async fn report(&self, request: &SignedRequest, receipt: &SignedReceipt) -> anyhow::Result<()> {
        let report = (request.clone(), receipt.clone());
        self.reports.lock().unwrap().push(report);
        Ok(())
    }

    async fn prove_fraud(&self, one: &SignedReceipt, other: &SignedReceipt) -> anyhow::Result<()> {
        let proof = (one.clone(), other.clone());
        self.frauds.lock().unwrap().push(proof);
        Ok(())
    }
}

pub struct Gateway {
    pub upstream: SessionUpstream,
    pub treasury: Arc<MemoryTreasury>,
    pub client: Client,
}

pub struct Setup {
    pub committee: Vec<&'static str>,
    pub free: Balance,
    pub pool: PoolConfig,
    pub auditor: Option<Auditor>,
    pub court: Arc<Notes>,
    pub first_session: u8,
}

impl Setup {
    pub fn new(committee: &[&'static str]) -> Self {
        Self {
            committee: committee.to_vec(),
            free: 100 * DEPOSIT,
            pool: pool(),
            auditor: None,
            court: Arc::default(),
            first_session: 0,
        }
    }

    /// Starts a gateway in `world`. Its journal is the world's client's.
    pub async fn start(self, world: &World) -> Gateway {
        let treasury = Arc::new(MemoryTreasury {
            chain: world.chain.clone(),
            free: Mutex::new(self.free),
            committee: self.committee,
            deeds: Mutex::default(),
            next: Mutex::new(self.first_session),
        });
        let journal: Arc<ClientJournal> = world.client_journal();
        let config = ClientConfig {
            connect: Duration::from_secs(2),
            silence: Duration::from_secs(5),
            ..world.client.clone()
        };
        let signer = Arc::new(key("Client"));
        let client = Client::new(config, world.chain.clone(), signer, journal).unwrap();
        let upstream = SessionUpstream::start(Parts {
            client: client.clone(),
            treasury: treasury.clone(),
            pool: self.pool,
            described: vec![Described::of(CHECKPOINT, model())],
            operators: Operators::default(),
            auditor: self.auditor,
            court: self.court,
            live: None,
        })
        .await
        .unwrap();
        Gateway {
            upstream,
            treasury,
            client,
        }
    }
}

/// What came of a request.
#[derive(Debug)]
pub struct Heard {
    pub tokens: Vec<u32>,
    pub end: Result<Finished, Failure>,
}

impl Heard {
    pub fn finished(self) -> Finished {
        match self.end {
            Ok(finished) => finished,
            Err(failure) => panic!("{failure:?} after {} tokens", self.tokens.len()),
        }
    }

    pub fn failure(self) -> Failure {
        match self.end {
            Err(failure) => failure,
            Ok(finished) => panic!("it went well: {finished:?}"),
        }
    }
}

pub fn request(seed: u64, max_tokens: u32) -> Request {
    Request {
        model: "tales".into(),
        prompt_ids: Arc::from([0u32, 40, 41]),
        sampling: Sampling {
            temperature_milli: 700,
            seed,
            ignore_eos: true,
            ..Sampling::greedy(max_tokens)
        },
        top_logprobs: None,
    }
}

impl Gateway {
    pub async fn warm(self) -> Self {
        self.upstream.warm(Duration::from_secs(10)).await.unwrap();
        self
    }

    /// Asks and listens to the end.
    pub async fn ask(&self, seed: u64, max_tokens: u32) -> Heard {
        self.listen(request(seed, max_tokens), Cancel::default(), usize::MAX)
            .await
    }

    /// Cancels after `most` tokens.
    pub async fn listen(&self, request: Request, cancel: Cancel, most: usize) -> Heard {
        let mut events = self.upstream.generate(request, cancel.clone());
        let mut tokens = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Event::Token { id, .. } => {
                    tokens.push(id);
                    if tokens.len() == most {
                        cancel.cancel();
                    }
                }
                Event::Finished(finished) => {
                    return Heard {
                        tokens,
                        end: Ok(finished),
                    }
                }
                Event::Failed(failure) => {
                    return Heard {
                        tokens,
                        end: Err(failure),
                    }
                }
            }
        }
        panic!(
            "the stream ended without a word after {} tokens",
            tokens.len()
        );
    }

    /// What all channels cost by the journal, receipts alone and with what is in flight.
    pub fn spent(&self, operators: &[&str]) -> (Balance, Balance) {
        let sessions: Vec<H256> = self
            .treasury
            .chain
            .with(|state| state.sessions.keys().copied().collect());
        let mut sum = (0, 0);
        for session in sessions {
            for operator in operators {
                let journal = self.client.journal();
                let (receipted, flying) = journal.spent(&session, &account(operator)).unwrap();
                sum = (sum.0 + receipted, sum.1 + flying);
            }
        }
        sum
    }

    pub fn sessions(&self) -> usize {
        self.treasury.chain.with(|state| state.sessions.len())
    }
}

/// What tokens cost on the chain in memory.
pub fn price(prompt: usize, output: usize) -> Balance {
    100 * (prompt as Balance + 4 * output as Balance)
}

pub fn name(operator: &str) -> String {
    HashSigner::account(&key(operator)).to_string()
}
