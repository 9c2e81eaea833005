//! The gateway's upstream over sessions: requests of OpenAI clients, answered by operators of the chain.
//!
//! | module | what it does |
//! |---|---|
//! | [`pool`] | which session serves whom, and what to do on the chain: a state machine |
//! | [`facts`] | what it knows of the chain, and the interface to it |
//! | [`chain`] | that interface over a node, and the chain as the session client reads it |
//! | `keeper` | keeps the pool true to the chain, and does what it plans |
//! | `ask` | one request: session, failover, tokens, receipt |
//! | `recover` | requests in flight that nobody follows any more |
//! | [`blame`], [`operators`] | whose fault an error is, and who is avoided for how long |
//! | [`model`] | checkpoints as models |
//! | [`audit`] | replays a share of the answers, and reports what is false |
//! | `fraud` | proofs of fraud, as soon as there is one |
//! | [`follow`] | the chain on the live page |
//! | [`metrics`] | what Prometheus sees |

mod ask;
pub mod audit;
pub mod blame;
pub mod chain;
pub mod facts;
pub mod follow;
mod fraud;
mod keeper;
pub mod metrics;
pub mod model;
pub mod operators;
pub mod pool;
mod recover;

use anyhow::{Context, Result};
use ask::Task;
use async_trait::async_trait;
use audit::{Answered, Auditor, Court};
use blame::Blame;
use chasqui_gateway::{
    live::SessionState,
    upstream::{Cancel, Embedding, Event, Failure, FailureKind, Finished as Ended, Model, Request},
    LiveFeed, Upstream,
};
use chasqui_primitives::{
    session::{Seq, SessionId},
    CheckpointRoot,
};
use chasqui_session::{
    client::{ErrorKind, Finished},
    AccountId, Client, ClientConfig, ClientError, Terms,
};
use facts::Treasury;
use futures::{stream, stream::BoxStream, StreamExt};
use metrics::SessionMetrics;
use model::Described;
use operators::Operators;
use pool::{Millis, Pool, PoolConfig};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, Notify};

/// Tokens on their way to one client.
const EVENTS: usize = 64;

/// How the gateway's session client behaves: an operator that does not answer must not cost a client much time.
pub fn client_config() -> ClientConfig {
    ClientConfig {
        connect: Duration::from_secs(4),
        silence: Duration::from_secs(60),
        connections: 64,
        ..ClientConfig::default()
    }
}

/// What an upstream over sessions is made of.
pub struct Parts {
    /// Asks operators; its journal is nobody else's.
    pub client: Client,
    /// The account that pays.
    pub treasury: Arc<dyn Treasury>,
    /// What it may do.
    pub pool: PoolConfig,
    /// The checkpoints.
    pub described: Vec<Described>,
    /// What is remembered of operators.
    pub operators: Operators,
    /// Replays a share of the answers.
    pub auditor: Option<Auditor>,
    /// Where fraud is proven.
    pub court: Arc<dyn Court>,
    /// The live page.
    pub live: Option<Arc<LiveFeed>>,
}

/// What all parts of the upstream share.
pub struct Shared {
    client: Client,
    treasury: Arc<dyn Treasury>,
    pool: Mutex<Pool>,
    operators: Mutex<Operators>,
    models: RwLock<Vec<Arc<Model>>>,
    described: Vec<Described>,
    terms: RwLock<HashMap<CheckpointRoot, Option<Terms>>>,
    metrics: SessionMetrics,
    auditor: Option<Auditor>,
    court: Arc<dyn Court>,
    live: Option<Arc<LiveFeed>>,
    /// A session may be free.
    changed: Notify,
    /// The keeper has something to look at.
    kick: Notify,
    stop: Cancel,
    started: Instant,
    /// Why the last deed was refused.
    last: Mutex<Option<String>>,
    /// Channels whose operator was accused of fraud.
    accused: Mutex<HashSet<(SessionId, AccountId)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        locked(&self.pool)
    }

    fn operators(&self) -> MutexGuard<'_, Operators> {
        locked(&self.operators)
    }

    fn accused(&self) -> MutexGuard<'_, HashSet<(SessionId, AccountId)>> {
        locked(&self.accused)
    }

    fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What the chain said last, for somebody who waits in vain.
    fn refusal(&self) -> String {
        match &*locked(&self.last) {
            Some(reason) => format!(" The chain said: {reason}."),
            None => String::new(),
        }
    }

    /// A receipt was checked.
    fn receipted(&self, finished: &Finished) {
        let receipt = &finished.receipt.receipt;
        self.metrics.receipts.with_label_values(&["checked"]).inc();
        self.metrics.receipted.add(keeper::dot(receipt.price));
        self.pool().receipt(&receipt.session);
        self.show_session(&receipt.session);
    }

    /// Takes an error down where it belongs.
    fn blamed(
        self: &Arc<Self>,
        session: &SessionId,
        operator: &AccountId,
        blame: &Blame,
        error: &ClientError,
    ) {
        let counter = self.metrics.failures.with_label_values(&[blame.name()]);
        counter.inc();
        let now = Instant::now();
        match blame {
            Blame::Operator | Blame::Doubtful => self.operators().failed(operator, now),
            Blame::Busy => self.operators().busy(operator, now),
            Blame::False => self.found_false(session, operator, error),
            _ => {}
        }
    }

    /// An operator broke the protocol: it is never asked again.
    fn found_false(
        self: &Arc<Self>,
        session: &SessionId,
        operator: &AccountId,
        error: &ClientError,
    ) {
        let wrong = matches!(&*error.kind, ErrorKind::False(_) | ErrorKind::Fraud);
        if wrong {
            self.metrics.receipts.with_label_values(&["false"]).inc();
        }
        tracing::error!(%operator, %error, "an operator is false; it is not asked again");
        self.shun(operator);
        self.accuse(*session, operator.clone());
    }

    fn shun(&self, operator: &AccountId) {
        self.operators().is_false(operator);
        self.pool().shun(operator);
    }

    /// An answer's account out of the journal.
    async fn kept(&self, session: &SessionId, operator: &AccountId, seq: Seq) -> Option<Ended> {
        let journal = self.client.journal().clone();
        let (of, by) = (*session, operator.clone());
        let found = tokio::task::spawn_blocking(move || journal.find(&of, &by, seq)).await;
        let (_, done) = found.ok()?.ok()??;
        let done = done?;
        Some(ask::account(&Finished {
            receipt: done.receipt,
            output: done.output,
            cut_short: false,
        }))
    }

    /// Has a share of the answers replayed.
    fn may_audit(self: &Arc<Self>, session: &SessionId, operator: &AccountId, finished: &Finished) {
        let Some(auditor) = &self.auditor else {
            return;
        };
        let receipt = &finished.receipt.receipt;
        if finished.output.is_empty() || !auditor.draws() {
            return;
        }
        let answered = Answered {
            session: *session,
            operator: operator.clone(),
            seq: receipt.seq,
        };
        if !auditor.take(answered) {
            self.metrics.audits.with_label_values(&["dropped"]).inc();
        }
    }

    /// Shows a session on the live page.
    fn show_session(&self, id: &SessionId) {
        let Some((facts, spent, requests)) = self.pool().state(id) else {
            return;
        };
        let of = |described: &&Described| described.checkpoint == facts.checkpoint;
        let model = self.described.iter().find(of);
        let operator = facts.members.first();
        self.publish(SessionState {
            session: format!("{id:?}"),
            model: model.map_or_else(String::new, |model| model.id().to_string()),
            operator: operator.map_or_else(String::new, |member| member.operator.to_string()),
            deposit: facts.paid_in.to_string(),
            spent: spent.max(facts.settled).to_string(),
            requests,
            open: facts.open,
        });
    }
}

/// Models of the chain's checkpoints, computed by operators in sessions.
#[derive(Clone)]
pub struct SessionUpstream {
    shared: Arc<Shared>,
}

impl SessionUpstream {
    /// Looks at the chain, finds sessions that are there, and begins to keep them.
    ///
    /// # Errors
    /// The chain cannot be read.
    pub async fn start(parts: Parts) -> Result<Self> {
        let roots: Vec<CheckpointRoot> = parts.described.iter().map(|one| one.checkpoint).collect();
        let mut pool = Pool::new(parts.pool, roots);
        for operator in parts.operators.false_ones() {
            pool.shun(operator);
        }
        let shared = Arc::new(Shared {
            client: parts.client,
            treasury: parts.treasury,
            pool: Mutex::new(pool),
            operators: Mutex::new(parts.operators),
            models: RwLock::default(),
            described: parts.described,
            terms: RwLock::default(),
            metrics: SessionMetrics::new()?,
            auditor: parts.auditor,
            court: parts.court,
            live: parts.live,
            changed: Notify::new(),
            kick: Notify::new(),
            stop: Cancel::default(),
            started: Instant::now(),
            last: Mutex::default(),
            accused: Mutex::default(),
        });
        shared.look().await.context("looking at the chain")?;
        tokio::spawn(shared.clone().keep());
        if shared.auditor.is_some() {
            tokio::spawn(audit::run(shared.clone()));
        }
        Ok(Self { shared })
    }

    /// Its counters.
    pub fn metrics(&self) -> &SessionMetrics {
        &self.shared.metrics
    }

    /// Waits until every checkpoint has a session that can serve, or cannot get one, or `longest` is over. Returns the
    /// chain's last word where some have none.
    pub async fn warm(&self, longest: Duration) -> Result<(), String> {
        let shared = &self.shared;
        let started = Instant::now();
        loop {
            let cold: Vec<&str> = {
                let pool = shared.pool();
                let cold = |one: &&Described| pool.ready(&one.checkpoint) == 0;
                let cold = shared.described.iter().filter(cold);
                cold.map(Described::id).collect()
            };
            if cold.is_empty() {
                return Ok(());
            }
            let refused = locked(&shared.last).clone();
            if refused.is_some() || started.elapsed() >= longest {
                let reason = refused.unwrap_or_else(|| {
                    format!("no committee within {} seconds", longest.as_secs())
                });
                return Err(format!("{}: {reason}", cold.join(", ")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether any session is open.
    pub fn has_sessions(&self) -> bool {
        !self.shared.pool().open_sessions().is_empty()
    }

    /// Ends all sessions: what was served can still be settled, then the rest of their deposits returns.
    pub async fn close_all(&self) {
        self.shared.close_all().await;
    }

    /// Keeps nothing any more. What is in flight is found in the journal by whoever comes next.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }
}

#[async_trait]
impl Upstream for SessionUpstream {
    fn models(&self) -> Vec<Arc<Model>> {
        let models = self.shared.models.read();
        models.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn generate(&self, request: Request, cancel: Cancel) -> BoxStream<'static, Event> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let model = self.models().into_iter().find(|m| m.id == request.model);
        let of = |one: &&Described| one.id() == request.model;
        let described = self.shared.described.iter().find(of);
        let (Some(model), Some(described)) = (model, described) else {
            let reason = format!("'{}' is not served now.", request.model);
            let failure = Failure::new(FailureKind::Unavailable, reason);
            return stream::once(async { Event::Failed(failure) }).boxed();
        };
        let task = Task {
            shared: self.shared.clone(),
            checkpoint: described.checkpoint,
            price: model.price,
            request,
            cancel,
            events,
        };
        tokio::spawn(task.run());
        stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|event| (event, receiver))
        })
        .boxed()
    }

    async fn embed(&self, model: &str, _ids: Vec<u32>) -> Result<Embedding, Failure> {
        let reason = format!("'{model}' makes no embeddings: sessions have none.");
        Err(Failure::new(FailureKind::Invalid, reason))
    }
}
