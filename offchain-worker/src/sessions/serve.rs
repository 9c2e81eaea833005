//! An operator's side: the executor behind its endpoint, and what keeps its journal and the chain in step.

use super::{
    audit::Opener,
    cases::{own_reports, own_takings},
    convert::request_for_chain,
    ours,
    pace::{Due, Pace, Policy, Rules},
    view,
    view::Finalised,
    SessionKey,
};
use crate::{
    blobs::exchange::SharedBlobs,
    config::{default_tls_key_file, Config},
    duties::{on_device, Worker},
    fault::Fault,
    registry,
    view::{bounded, fetch},
};
use anyhow::{ensure, Context, Result};
use async_trait::async_trait;
use chasqui_chain::{api, ChainError, Head, Static};
use chasqui_engine::{
    batch::{Batcher, Limits},
    Engine,
};
use chasqui_primitives::{
    session::{Seq, SessionId},
    Balance, CheckpointRoot, NumericProfile,
};
use chasqui_session::{
    executor::Models,
    journal::{ExecutorJournal, ExecutorLimits},
    tls::TlsKey,
    Executor, ExecutorConfig, JournalError, Recent,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::net::TcpListener;

/// How often the chain is looked at for something to settle, to take down or to forget.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// For how long what the chain shows of a channel is taken as it was: less than a block.
const RECENT: Duration = Duration::from_secs(1);
/// Most settlements of one transaction; the chain takes 64.
const MOST_ENTRIES: usize = 32;
/// Channels that are read from the journal at once.
const PAGE: usize = 256;

type Entry = api::runtime_types::pallet_sessions::types::Entry<chasqui_chain::AccountId32>;

/// The worker's models, as an executor asks for them.
#[derive(Clone)]
struct Served {
    worker: Arc<Worker>,
    /// What a test fault answers with instead.
    other: Arc<Mutex<Option<Arc<Batcher>>>>,
}

impl Served {
    fn load(&self, root: &CheckpointRoot, profile: NumericProfile) -> Result<Option<Arc<Batcher>>> {
        if let Some(Fault::OtherModel(folder)) = &self.worker.fault {
            let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
            if other.is_none() {
                let engine = Arc::new(Engine::load(folder, "cpu")?);
                *other = Some(Arc::new(Batcher::new(engine, Limits::default())?));
            }
            return Ok(other.clone());
        }
        let models = &self.worker.models;
        match models.is_available(root) {
            true => models.batcher(root, profile).map(Some),
            false => Ok(None),
        }
    }
}

#[async_trait]
impl Models for Served {
    async fn batcher(
        &self,
        root: &CheckpointRoot,
        profile: NumericProfile,
    ) -> Result<Option<Arc<Batcher>>, String> {
        let (served, root) = (self.clone(), *root);
        on_device(move || served.load(&root, profile))
            .await
            .map_err(|error| format!("{error:#}"))
    }
}

/// Begins to listen, and to settle. Returns once the listener is there.
///
/// # Errors
/// The endpoint's key is not the registered one, the address is taken, or the journal is another operator's.
pub async fn start(worker: &Arc<Worker>, config: &Config) -> Result<()> {
    let Some(address) = config.listen else {
        return Ok(());
    };
    let file = config
        .tls_key_file
        .clone()
        .unwrap_or_else(|| default_tls_key_file(&worker.operator));
    let key = TlsKey::from_seed(&registry::tls_seed(&file)?);
    let operators = api::storage().operators().operators();
    let head = worker.chain.head().await?;
    let record = fetch!(head, operators, (worker.operator,));
    let record = record.context("the operator has left the registry")?;
    ensure!(
        record.endpoint.tls_key == key.public(),
        "`tls_key_file` {} is not the key that is registered for the endpoint of {}: name the file that \
         `operator register` made, or register this one with `operator set-endpoint`",
        file.display(),
        worker.operator
    );
    let journal = ExecutorJournal::open(
        &config.state_dir.join("executor.redb"),
        worker.chain.genesis(),
        ours(&worker.operator),
        ExecutorLimits::default(),
    )?;
    let chain = Finalised::new(worker.chain.clone()).not_before(journal.reached()?);
    let executor = Executor::new(
        ExecutorConfig::default(),
        Arc::new(Recent::new(Arc::new(chain), RECENT)),
        Arc::new(Served {
            worker: worker.clone(),
            other: Arc::default(),
        }),
        Arc::new(SessionKey(worker.signer.clone())),
        Arc::new(journal),
    )?;
    executor.open_to_auditors(Arc::new(Opener {
        worker: worker.clone(),
        journal: executor.journal().clone(),
    }));
    let library = SharedBlobs {
        store: worker.blobs.clone(),
        shares: worker.shares.clone(),
    };
    executor.share_blobs(Arc::new(library), config.blob_limits());
    worker.serves_sessions(executor.journal().clone());
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("`listen`: listening on {address}"))?;
    tracing::info!(%address, endpoint = %String::from_utf8_lossy(&record.endpoint.url.0), "serving sessions");
    let policy = Policy {
        planck: config.settle_planck()?,
        blocks: config.settle_blocks,
    };
    tokio::spawn(keep_books(
        worker.clone(),
        executor.journal().clone(),
        policy,
    ));
    tokio::spawn(async move {
        if let Err(error) = executor.serve(listener, &key, std::future::pending()).await {
            tracing::error!(%error, "sessions are not served any more");
        }
    });
    Ok(())
}

/// Settles, takes down what was settled, proves equivocations, forgets what nobody can ask for. Never ends.
async fn keep_books(worker: Arc<Worker>, journal: Arc<ExecutorJournal>, policy: Policy) {
    let mut clerk = Clerk {
        worker,
        journal,
        policy,
        pace: Pace::default(),
        waiting_since: HashMap::new(),
        cleared_to: HashMap::new(),
        seen: 0,
    };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Err(error) = clerk.look().await {
            tracing::warn!(
                error = format!("{error:#}"),
                "settling sessions; trying again"
            );
        }
    }
}

struct Clerk {
    worker: Arc<Worker>,
    journal: Arc<ExecutorJournal>,
    policy: Policy,
    pace: Pace,
    /// The block at which a channel was first seen with something to settle.
    waiting_since: HashMap<SessionId, u32>,
    /// Up to where a channel's journal was cleared.
    cleared_to: HashMap<SessionId, Seq>,
    seen: u32,
}

impl Clerk {
    /// Runs what blocks on the disk.
    async fn disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ExecutorJournal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T> {
        let journal = self.journal.clone();
        Ok(tokio::task::spawn_blocking(move || work(&journal)).await??)
    }

    async fn look(&mut self) -> Result<()> {
        let head = self.worker.chain.head().await?;
        if head.number <= self.seen {
            return Ok(());
        }
        // A node that begins anew shows sessions as if they had never been: nothing may be forgotten, or settled, by that.
        let number = head.number;
        let reached = self.disk(move |journal| journal.reach(number)).await?;
        ensure!(
            reached <= number,
            "the node is at block {number}, and this operator's journal has seen block {reached}: it has fallen behind. If \
             its chain was begun anew, move the journal away"
        );
        let kept = self.protected(&head).await?;
        let params = fetch!(head, api::storage().sessions().parameters(), ());
        let params = params.context("the chain has no parameters of sessions")?;
        let rules = Rules {
            least: params.min_settlement,
            most: params.max_settlements,
            epoch: registry::epoch(&head).await?,
        };
        let (mut from, mut entries) = (SessionId::zero(), Vec::new());
        loop {
            let page = self
                .disk(move |journal| journal.sessions(&from, PAGE))
                .await?;
            for session in &page {
                let first = kept.get(session).copied();
                if let Some(claim) = self.channel(&head, session, first, &rules).await? {
                    entries.push(claim);
                }
            }
            let Some(last) = page.last().filter(|_| page.len() == PAGE) else {
                break;
            };
            from = next_id(last);
        }
        // One client's channel must not keep the others' from being settled.
        let mut outcome = Ok(());
        for part in entries.chunks(MOST_ENTRIES) {
            if let Err(error) = self.settle(part, number).await {
                outcome = Err(error);
            }
        }
        outcome?;
        self.seen = number;
        Ok(())
    }

    /// The first request of each session that takings or reports of this operator still speak of: they may have to be
    /// opened.
    async fn protected(&self, head: &Head) -> Result<HashMap<SessionId, Seq>> {
        let mut first: HashMap<SessionId, Seq> = HashMap::new();
        let mut protect = |session, begins: Seq| {
            let held = first.entry(session).or_insert(begins);
            *held = begins.min(*held);
        };
        let storage = head.at.storage();
        for takings in own_takings(head, &self.worker.operator).await? {
            let mut settlements = storage
                .entry(api::storage().sessions().settlements())?
                .iter((takings,))
                .await?;
            while let Some(item) = settlements.next().await {
                let settlement = item?.value().decode()?;
                protect(settlement.session, settlement.claim.0.first);
            }
        }
        for report in own_reports(head, &self.worker.operator).await? {
            let reports = api::storage().sessions().reports();
            if let Some(report) = fetch!(head, reports, (report,)) {
                let answer = report.receipt.receipt;
                protect(answer.session, answer.seq);
            }
        }
        Ok(first)
    }

    /// Brings one channel's journal up to the chain; what to settle now, if anything.
    async fn channel(
        &mut self,
        head: &Head,
        id: &SessionId,
        protected: Option<Seq>,
        rules: &Rules,
    ) -> Result<Option<Claimed>> {
        let operator = ours(&self.worker.operator);
        let id = *id;
        let Some(standing) = view::standing(head, &id, &operator).await? else {
            // The session is over. What its last settlement claimed may still be asked for.
            if protected.is_none() {
                self.disk(move |journal| journal.forget(&id)).await?;
                self.waiting_since.remove(&id);
                self.cleared_to.remove(&id);
                self.pace.forget(&id);
            }
            return Ok(None);
        };
        let settled = standing.channel.last_seq;
        let clear = protected.map_or(settled, |first| settled.min(first.saturating_sub(1)));
        let cleared = self.cleared_to.get(&id).copied().unwrap_or_default();
        let (evidence, claim) = self
            .disk(move |journal| {
                let held = journal.channel(&id)?;
                if held.is_some_and(|held| held.settled_to < settled) {
                    journal.settled(&id, settled)?;
                }
                if clear > cleared {
                    journal.finalised(&id, clear)?;
                }
                Ok((journal.evidence(&id)?, journal.claim(&id)?))
            })
            .await?;
        self.cleared_to.insert(id, clear.max(cleared));
        if let Some(proof) = evidence.filter(|_| standing.channel.stopped.is_none()) {
            let call = api::tx().sessions().prove_equivocation(
                request_for_chain(&proof.first),
                request_for_chain(&proof.second),
            );
            match self.worker.submit(&call).await {
                Ok(()) => tracing::info!(session = ?id, "the client's equivocation is proven"),
                Err(error) => tracing::warn!(%error, session = ?id, "proving an equivocation"),
            }
        }
        let Some((request, claim)) = claim else {
            self.waiting_since.remove(&id);
            return Ok(None);
        };
        let since = *self.waiting_since.entry(id).or_insert(head.number);
        let ending = !standing.open || standing.channel.shrink.is_some();
        let key = (id, self.worker.operator);
        let record = fetch!(head, api::storage().sessions().channels(), key);
        let due = Due {
            first: claim.first,
            sum: claim.sum,
            waited: head.number.saturating_sub(since),
            ending,
            settled: record.map_or((0, 0), |record| (record.settled_in, record.settlements)),
        };
        let now = head.number;
        if !self.pace.is_due(&id, &due, &self.policy, rules, now) {
            return Ok(None);
        }
        let entry = Entry {
            request: request_for_chain(&request),
            claim: Static(claim),
            // The hot key signs the transaction, which is as good.
            signature: None,
        };
        Ok(Some(Claimed {
            session: id,
            ending,
            entry,
        }))
    }

    async fn settle(&mut self, claims: &[Claimed], now: u32) -> Result<()> {
        let planck: Balance = claims.iter().map(|of| of.entry.claim.0.sum).sum();
        let list: Vec<Entry> = claims.iter().map(|of| of.entry.clone()).collect();
        let call = api::tx()
            .sessions()
            .settle(bounded("the settlements", &list, 64)?);
        let outcome = self.worker.submit(&call).await;
        // It was in a block, and cost its fee. Which claims were taken the finalised chain will show.
        if matches!(&outcome, Ok(()) | Err(ChainError::Dispatch { .. })) {
            for of in claims {
                let first = of.entry.claim.0.first;
                self.pace.tried(of.session, first, of.ending, now);
            }
        }
        outcome.context("settling")?;
        for of in claims {
            self.waiting_since.remove(&of.session);
        }
        tracing::info!(channels = claims.len(), planck, "settled");
        Ok(())
    }
}

/// A claim to be sent.
struct Claimed {
    session: SessionId,
    /// Its channel is about to end.
    ending: bool,
    entry: Entry,
}

/// The id behind `id`; past the last one, the last one again.
fn next_id(id: &SessionId) -> SessionId {
    let mut bytes = id.0;
    for byte in bytes.iter_mut().rev() {
        let (next, wrapped) = byte.overflowing_add(1);
        *byte = next;
        if !wrapped {
            return SessionId::from(bytes);
        }
    }
    *id
}
