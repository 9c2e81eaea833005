//! The chain behind a pool: one look a block for all sessions, so that a request needs none of its own.

use super::{
    audit::Court,
    facts::{Deed, Facts, Member, Offer, Outcome, SessionFacts, Treasury},
};
use crate::{
    cli::funds,
    registry,
    sessions::{
        accuse,
        client::sessions_of,
        convert::channel_of,
        ours, theirs,
        view::{self, Finalised},
    },
    view::fetch,
};
use anyhow::{ensure, Context, Result};
use async_trait::async_trait;
use chasqui_chain::{api, Chain, ChainError as NodeError, Head, Signer, H256};
use chasqui_primitives::{audit::AuditThresholds, session::SessionId, CheckpointRoot};
use chasqui_session::{
    AccountId, ChainError, ChainView, Endpoint, SignedReceipt, SignedRequest, Standing, Terms,
};
use parity_scale_codec::{DecodeAll, Encode};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};
use subxt::rpcs::client::rpc_params;

type Call = api::runtime_types::chasqui_runtime::RuntimeCall;
type SessionsCall = api::runtime_types::pallet_sessions::pallet::Call;
type Stage = api::runtime_types::pallet_sessions::types::Stage<u32>;

/// Bytes of a view function's name.
const VIEW_ID_BYTES: usize = 32;
/// For how long an operator's endpoint is taken for what it was.
const ENDPOINT_AGE: Duration = Duration::from_secs(10);
/// Most endpoints that are remembered.
const MOST_ENDPOINTS: usize = 1_024;

/// What governs sessions on a chain, as far as their client needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionParams {
    /// Least deposit of a session, in planck.
    pub min_deposit: u128,
    /// On hold for a session's bytes, in planck.
    pub storage_deposit: u128,
    /// On hold for a report, in planck.
    pub report_deposit: u128,
}

/// Reads them.
///
/// # Errors
/// The chain cannot be read, or has no sessions.
pub async fn params(head: &Head) -> Result<SessionParams> {
    let params = fetch!(head, api::storage().sessions().parameters(), ());
    let params = params.context("this chain has no parameters of sessions")?;
    Ok(SessionParams {
        min_deposit: params.min_deposit,
        storage_deposit: params.storage_deposit,
        report_deposit: params.report_deposit,
    })
}

/// Whether the chain lets sessions be opened for a checkpoint now.
///
/// # Errors
/// The chain cannot be read.
pub async fn takes_payment(head: &Head, root: &CheckpointRoot) -> Result<bool> {
    const WHAT: &str = "asking whether a checkpoint takes payment";
    let call = api::view_functions().operators().takes_payment(*root);
    let functions = head.at.view_functions();
    let named = functions.encode_args(call).context(WHAT)?;
    // The runtime takes the arguments as a list of bytes and answers in one, which subxt's own call leaves out.
    let (name, arguments) = named.split_at_checked(VIEW_ID_BYTES).context(WHAT)?;
    let asked = [name, &arguments.to_vec().encode()].concat();
    let answer = functions.call_raw(Some(&asked)).await.context(WHAT)?;
    let (ok, answer) = answer.split_first().context(WHAT)?;
    ensure!(*ok == 0, "{WHAT}: this runtime has no such function");
    let answer = Vec::<u8>::decode_all(&mut &*answer).context(WHAT)?;
    bool::decode_all(&mut &*answer).context(WHAT)
}

/// Sessions as they were at the newest block that was looked at; whatever else is asked for is read from the node.
pub struct Mirror {
    node: Finalised,
    channels: RwLock<HashMap<(SessionId, AccountId), Standing>>,
    endpoints: Mutex<HashMap<AccountId, (Instant, Endpoint)>>,
}

impl Mirror {
    fn endpoints(&self) -> MutexGuard<'_, HashMap<AccountId, (Instant, Endpoint)>> {
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, channels: HashMap<(SessionId, AccountId), Standing>) {
        let mut shown = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *shown = channels;
    }
}

#[async_trait]
impl ChainView for Mirror {
    fn genesis(&self) -> H256 {
        self.node.genesis()
    }

    async fn standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Standing>, ChainError> {
        let shown = {
            let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
            channels.get(&(*session, operator.clone())).cloned()
        };
        match shown {
            Some(standing) => Ok(Some(standing)),
            None => self.node.standing(session, operator).await,
        }
    }

    async fn committee(&self, session: &SessionId) -> Result<Option<Vec<AccountId>>, ChainError> {
        self.node.committee(session).await
    }

    async fn endpoint(&self, operator: &AccountId) -> Result<Option<Endpoint>, ChainError> {
        let held = self.endpoints().get(operator).cloned();
        if let Some((_, endpoint)) = held.filter(|(at, _)| at.elapsed() < ENDPOINT_AGE) {
            return Ok(Some(endpoint));
        }
        let found = self.node.endpoint(operator).await?;
        let mut endpoints = self.endpoints();
        if endpoints.len() >= MOST_ENDPOINTS {
            endpoints.clear();
        }
        match &found {
            Some(endpoint) => {
                endpoints.insert(operator.clone(), (Instant::now(), endpoint.clone()));
            }
            None => {
                endpoints.remove(operator);
            }
        }
        Ok(found)
    }
}

/// The account of a gateway on a chain.
pub struct ChainTreasury {
    chain: Chain,
    signer: Signer,
    checkpoints: Vec<CheckpointRoot>,
    mirror: Arc<Mirror>,
    seen: Mutex<Option<u32>>,
}

impl ChainTreasury {
    /// The account of `signer`, with its sessions for these checkpoints.
    pub fn new(chain: Chain, signer: Signer, checkpoints: Vec<CheckpointRoot>) -> Self {
        Self {
            mirror: Arc::new(Mirror {
                node: Finalised::new(chain.clone()),
                channels: RwLock::default(),
                endpoints: Mutex::default(),
            }),
            chain,
            signer,
            checkpoints,
            seen: Mutex::default(),
        }
    }

    /// The chain as the session client is to read it.
    pub fn mirror(&self) -> Arc<Mirror> {
        self.mirror.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Option<u32>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was restored may lead to another chain.
    async fn check_genesis(&self) -> Result<()> {
        let params = rpc_params![vec![0u32]];
        let found: Vec<Option<H256>> = self.chain.request("chain_getBlockHash", params).await?;
        let (found, expected) = (found.first().copied().flatten(), self.chain.genesis());
        ensure!(
            found == Some(expected),
            "node {} is on another chain now: its genesis is {found:?}, not {expected:?}; start the gateway anew with the \
             right --node",
            self.chain.url()
        );
        Ok(())
    }

    async fn read(
        &self,
        head: &Head,
    ) -> Result<(Facts, HashMap<(SessionId, AccountId), Standing>)> {
        let account = self.signer.account();
        let mut terms: HashMap<CheckpointRoot, Option<Terms>> = HashMap::new();
        for root in &self.checkpoints {
            terms.insert(*root, view::terms(head, root).await?);
        }
        let mut channels = HashMap::new();
        let mut sessions = Vec::new();
        for id in sessions_of(head, &account).await? {
            let Some(session) = view::session(head, &id).await? else {
                continue;
            };
            // Sessions whose requests another key signs are somebody else's to use.
            if session.key != account || !self.checkpoints.contains(&session.checkpoint) {
                continue;
            }
            let committee: Vec<AccountId> = session.committee.0.iter().map(ours).collect();
            let open = session.stage == Stage::Open;
            let entry = head
                .at
                .storage()
                .entry(api::storage().sessions().channels())?;
            let mut items = entry.iter((id,)).await?;
            while let Some(item) = items.next().await {
                let item = item?;
                let (_, operator) = item.key()?.decode()?;
                let record = item.value().decode()?;
                let standing = Standing {
                    now: head.number,
                    key: ours(&session.key),
                    checkpoint: session.checkpoint,
                    open,
                    committee: committee.clone(),
                    channel: channel_of(&record.rules),
                    signer: ours(&record.signer),
                    terms: terms.get(&session.checkpoint).cloned().flatten(),
                };
                channels.insert((id, ours(&operator)), standing);
            }
            let member = |operator: &AccountId| {
                let standing = channels.get(&(id, operator.clone()))?;
                Some(Member {
                    operator: operator.clone(),
                    promised: standing.channel.promised(),
                    stopped: standing.channel.stopped.is_some(),
                })
            };
            let deposit = session.deposit.0;
            sessions.push(SessionFacts {
                id,
                checkpoint: session.checkpoint,
                open,
                paid_in: deposit.paid_in,
                settled: deposit.settled,
                unsliced: deposit.free(),
                storage: session.storage_deposit,
                drawn_in: session.drawn_in,
                drawing: session.draw.is_some(),
                members: committee.iter().filter_map(member).collect(),
            });
        }
        let offers = terms
            .into_iter()
            .map(|(checkpoint, terms)| Offer { checkpoint, terms });
        let facts = Facts {
            block: head.number,
            epoch: registry::epoch(head).await?,
            free: registry::balance(head, &account).await?.0,
            sessions,
            offers: offers.collect(),
        };
        Ok((facts, channels))
    }

    async fn submit(&self, deed: &Deed) -> Result<Option<SessionId>, NodeError> {
        let sessions = api::tx().sessions();
        match deed {
            Deed::Open {
                checkpoint,
                deposit,
            } => {
                let call = sessions.open(*checkpoint, *deposit, None);
                let included = self.chain.submit(&self.signer, &call).await?;
                let opened = included
                    .events
                    .find_first::<api::sessions::events::Opened>()
                    .transpose()
                    .map_err(NodeError::read)?;
                Ok(opened.map(|opened| opened.session))
            }
            Deed::TopUp { session, pay, grow } => {
                let mut calls = Vec::new();
                if *pay > 0 {
                    calls.push(Call::Sessions(SessionsCall::top_up {
                        session: *session,
                        amount: *pay,
                    }));
                }
                if let Some((operator, amount)) = grow {
                    calls.push(Call::Sessions(SessionsCall::grow {
                        session: *session,
                        operator: theirs(operator),
                        amount: *amount,
                    }));
                }
                let call = api::tx().utility().batch_all(calls);
                self.chain.submit(&self.signer, &call).await.map(|_| None)
            }
            Deed::Renew { session } => {
                let call = sessions.renew(*session);
                self.chain.submit(&self.signer, &call).await.map(|_| None)
            }
            Deed::Close { session } => {
                let call = sessions.close(*session);
                self.chain.submit(&self.signer, &call).await.map(|_| None)
            }
        }
    }
}

#[async_trait]
impl Treasury for ChainTreasury {
    async fn look(&self) -> Result<Option<Facts>> {
        let head = self.chain.head().await?;
        if self.seen().is_some_and(|seen| head.number <= seen) {
            return Ok(None);
        }
        self.check_genesis().await?;
        let (facts, channels) = self.read(&head).await?;
        self.mirror.show(channels);
        *self.seen() = Some(head.number);
        Ok(Some(facts))
    }

    async fn act(&self, deed: &Deed) -> Outcome {
        let error = match self.submit(deed).await {
            Ok(session) => return Outcome::Done(session),
            Err(error) => error,
        };
        let reason = error.to_string();
        let refused = match &error {
            NodeError::Dispatch { .. } => true,
            // What a pool has taken may get into a block after the connection to it is lost.
            NodeError::Rejected { .. } => funds::may_concern(&anyhow::Error::msg(reason.clone())),
            _ => false,
        };
        if !refused {
            return Outcome::Unsure(reason);
        }
        let account = self.signer.account();
        let error = anyhow::Error::msg(reason.clone());
        let named = match funds::may_concern(&error) {
            false => error,
            true => match funds::free(&self.chain, &account).await {
                Ok(free) => funds::named(error, &account, free),
                Err(_) => error,
            },
        };
        let words = format!("{named:#}");
        Outcome::Refused {
            unfunded: words != reason,
            reason: words,
        }
    }
}

#[async_trait]
impl Court for ChainTreasury {
    async fn thresholds(&self, checkpoint: &CheckpointRoot) -> Result<AuditThresholds> {
        let head = self.chain.head().await?;
        let registry = api::storage().checkpoints().registry();
        let record = fetch!(head, registry, (*checkpoint,));
        let thresholds = record.and_then(|record| record.thresholds);
        Ok(thresholds.context("the checkpoint has no thresholds")?.0)
    }

    async fn report(&self, request: &SignedRequest, receipt: &SignedReceipt) -> Result<()> {
        // It may have been settled by now: then the chain wants to know where.
        accuse::report(&self.chain, &self.signer, request, receipt).await?;
        Ok(())
    }

    async fn prove_fraud(&self, first: &SignedReceipt, second: &SignedReceipt) -> Result<()> {
        accuse::prove_fraud(&self.chain, &self.signer, first, second).await?;
        Ok(())
    }
}
