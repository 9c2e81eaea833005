//! The real chain behind a member's seat, and the real others.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use async_trait::async_trait;
use chasqui_chain::{api, AccountId32, Chain, Head, Signer, Static};
use chasqui_primitives::{
    training::{rank_of, Contribution, List, Member, Phase, Round, Run, RunTerms},
    RunId,
};
use parity_scale_codec::{Decode, DecodeAll};
use sp_core::H256;

use super::{
    blobs::{Holders, Sources},
    facts::{Facts, RoundFacts},
    ledger::{Call, Ledger},
};
use crate::{
    blobs::{
        exchange::{fetch, FetchConfig, Holder, NodeBlobs},
        BlobStore,
    },
    datasets, registry,
};

/// Most operators who are asked for one blob.
const MOST_HOLDERS: usize = 16;
/// How long nothing may come before a blob is given up for now.
const PATIENCE: Duration = Duration::from_secs(20);
const OTHER_RUNTIME: &str = "this node's runtime is not the one this program was built for";

/// The bytes of a storage value, `None` where there is none.
macro_rules! bytes {
    ($head:expr, $address:expr, $key:expr) => {
        $head
            .at
            .storage()
            .entry($address)
            .context(OTHER_RUNTIME)?
            .try_fetch($key)
            .await
            .context("reading the chain")?
            .map(|value| value.into_bytes())
    };
}

fn decoded<T: Decode>(bytes: &[u8]) -> Result<T> {
    T::decode_all(&mut &bytes[..]).context("decoding what the chain stores of a run")
}

/// A run's head.
///
/// # Errors
/// The node does not answer.
pub async fn run(head: &Head, run: RunId) -> Result<Option<Run<AccountId32>>> {
    let record = bytes!(head, api::storage().training().runs(), (run,));
    // What the chain adds to it comes behind.
    record
        .map(|bytes| Run::decode(&mut &bytes[..]).context("decoding a run"))
        .transpose()
}

/// What a run was agreed on.
///
/// # Errors
/// The node does not answer.
pub async fn terms(head: &Head, run: RunId) -> Result<Option<RunTerms>> {
    let bytes = bytes!(head, api::storage().training().terms(), (run,));
    bytes.map(|bytes| decoded(&bytes)).transpose()
}

/// What a run says of one operator.
///
/// # Errors
/// The node does not answer.
pub async fn member(head: &Head, run: RunId, who: &AccountId32) -> Result<Option<Member>> {
    let bytes = bytes!(head, api::storage().training().members(), (run, *who));
    bytes.map(|bytes| decoded(&bytes)).transpose()
}

/// The members of a run.
///
/// # Errors
/// The node does not answer.
pub async fn members(head: &Head, run: RunId) -> Result<Vec<(AccountId32, Member)>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().training().members())
        .context(OTHER_RUNTIME)?;
    let mut items = entry.iter((run,)).await?;
    let mut members = Vec::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let (_, who) = item.key()?.decode()?;
        members.push((who, decoded(item.value().bytes())?));
    }
    Ok(members)
}

/// Rounds of a run that are not done with.
///
/// # Errors
/// The node does not answer.
pub async fn rounds(head: &Head, run: RunId) -> Result<BTreeMap<u32, Round>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().training().rounds())
        .context(OTHER_RUNTIME)?;
    let mut items = entry.iter((run,)).await?;
    let mut rounds = BTreeMap::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let (_, number) = item.key()?.decode()?;
        rounds.insert(number, decoded(item.value().bytes())?);
    }
    Ok(rounds)
}

/// What members did in a round, by rank.
///
/// # Errors
/// The node does not answer.
pub async fn contributions(
    head: &Head,
    run: RunId,
    round: u32,
) -> Result<BTreeMap<u32, Contribution<AccountId32>>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().training().contributions())
        .context(OTHER_RUNTIME)?;
    let mut items = entry.iter((run, round)).await?;
    let mut contributions = BTreeMap::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let (_, _, rank) = item.key()?.decode()?;
        contributions.insert(rank, decoded(item.value().bytes())?);
    }
    Ok(contributions)
}

/// The chain, for one operator.
pub struct OnChain {
    chain: Chain,
    signer: Signer,
    operator: AccountId32,
    /// They never change.
    terms: Mutex<HashMap<RunId, RunTerms>>,
}

impl OnChain {
    /// Reads for `operator`, and signs with its hot key.
    pub fn new(chain: Chain, signer: Signer, operator: AccountId32) -> Self {
        Self {
            chain,
            signer,
            operator,
            terms: Mutex::default(),
        }
    }

    async fn terms(&self, head: &Head, run: RunId) -> Result<Option<RunTerms>> {
        let known = {
            let terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
            terms.get(&run).copied()
        };
        if known.is_some() {
            return Ok(known);
        }
        let found = terms(head, run).await?;
        if let Some(found) = found {
            let mut terms = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
            terms.insert(run, found);
        }
        Ok(found)
    }

    /// A round with what the operator needs to know of it.
    async fn round(
        &self,
        head: &Head,
        run: RunId,
        number: u32,
        record: Round,
        only: Option<u32>,
    ) -> Result<RoundFacts> {
        let contributions = match only {
            Some(rank) => {
                let key = (run, number, rank);
                let own = bytes!(head, api::storage().training().contributions(), key);
                match own {
                    Some(own) => BTreeMap::from([(rank, decoded(&own)?)]),
                    None => BTreeMap::new(),
                }
            }
            None => contributions(head, run, number).await?,
        };
        Ok(RoundFacts {
            number,
            record,
            contributions,
        })
    }
}

#[async_trait]
impl Ledger for OnChain {
    async fn facts(&self, id: RunId) -> Result<Option<Facts>> {
        let head = self.chain.head().await?;
        let Some(state) = run(&head, id).await? else {
            return Ok(None);
        };
        let Some(terms) = self.terms(&head, id).await? else {
            return Ok(None);
        };
        let genesis = self.chain.genesis();
        let live = rounds(&head, id).await?;
        let everybody = members(&head, id).await?;
        let own = everybody.iter().find(|(who, _)| *who == self.operator);
        let member = own.map(|(_, member)| *member);
        let round = match live.get(&state.round).filter(|_| state.phase.in_round()) {
            Some(record) => {
                let rank = member.filter(|member| member.list == List::Active);
                let rank =
                    rank.and_then(|member| rank_of(&record.seed?, member.slot, record.members));
                // While others still train, what they did does not matter.
                let only = rank.filter(|_| matches!(state.phase, Phase::Train { .. }));
                Some(self.round(&head, id, state.round, *record, only).await?)
            }
            None => None,
        };
        let pending = state.pending.and_then(|pending| {
            let record = *live.get(&pending.round)?;
            Some(RoundFacts {
                number: pending.round,
                record,
                // Only what was agreed on matters, which the record says.
                contributions: BTreeMap::new(),
            })
        });
        Ok(Some(Facts {
            block: head.number,
            genesis,
            id,
            root: terms.root(&genesis, id),
            terms,
            run: state,
            who: self.operator,
            member,
            members: everybody.into_iter().map(|(who, _)| who).collect(),
            round,
            pending,
            live,
        }))
    }

    async fn tell(&self, run: RunId, call: Call) -> Result<u32> {
        let tx = api::tx().training();
        let (chain, signer) = (&self.chain, &self.signer);
        match call {
            Call::Heartbeat => chain.submit(signer, &tx.heartbeat(run)).await?,
            Call::Commit { round, commitment } => {
                chain
                    .submit(signer, &tx.commit(run, round, commitment))
                    .await?
            }
            Call::Reveal {
                round,
                report,
                salt,
            } => {
                let call = tx.reveal(run, round, Static(report), salt);
                chain.submit(signer, &call).await?
            }
            Call::Attest { round, ranks } => {
                let call = tx.attest(run, round, Static(ranks));
                chain.submit(signer, &call).await?
            }
            Call::Agree { round, model } => {
                chain
                    .submit(signer, &tx.agree(run, round, Static(model)))
                    .await?
            }
            Call::Challenge { round, model } => {
                let call = tx.challenge(run, round, Static(model));
                chain.submit(signer, &call).await?
            }
        };
        Ok(chain.best_number().await?)
    }

    async fn next(&self, last: u32) -> Result<u32> {
        Ok(self.chain.next_head(last).await?.number)
    }
}

/// Other operators' listeners.
pub struct Peers {
    /// Names them.
    pub chain: Chain,
    /// Is not asked.
    pub operator: AccountId32,
    /// Where blobs come to.
    pub store: BlobStore,
    /// Is asked for what they do not give.
    pub node: Option<NodeBlobs>,
}

impl Peers {
    async fn endpoints(&self, wanted: &Holders) -> Result<Vec<Holder>> {
        let head = self.chain.head().await?;
        let mut found: Vec<Holder> = Vec::new();
        for operator in wanted.operators.iter().take(MOST_HOLDERS) {
            // One whose endpoint cannot be read cannot be asked.
            if let Ok(Some(holder)) = registry::endpoint(&head, operator).await {
                found.push(holder);
            }
        }
        for root in &wanted.serving {
            let most = MOST_HOLDERS.saturating_sub(found.len());
            for holder in registry::holders(&head, root, &self.operator, most).await? {
                if !found.contains(&holder) {
                    found.push(holder);
                }
            }
        }
        if let Some(root) = &wanted.dataset {
            let most = MOST_HOLDERS.saturating_sub(found.len());
            let own = Some(&self.operator);
            for holder in datasets::holders_of(&head, root, own, most).await? {
                if !found.contains(&holder) {
                    found.push(holder);
                }
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl Sources for Peers {
    async fn fetch(&self, root: H256, max_bytes: u64, holders: &Holders) -> Result<()> {
        if self.store.contains(&root) {
            return Ok(());
        }
        let holders = self.endpoints(holders).await?;
        let config = FetchConfig {
            patience: PATIENCE,
            node: self.node.clone(),
            ..FetchConfig::default()
        };
        fetch(&self.store, root, max_bytes, &holders, &config).await?;
        Ok(())
    }
}
