//! The finalised chain, as sessions read it.

use super::{convert::channel_of, ours, theirs};
use crate::view::fetch;
use anyhow::Context;
use async_trait::async_trait;
use chasqui_chain::{
    api::{
        self,
        runtime_types::{
            pallet_checkpoints::types::Status, pallet_sessions::types::Stage as SessionStage,
        },
    },
    Chain, Head, H256,
};
use chasqui_primitives::{session::SessionId, CheckpointRoot};
use chasqui_session::{AccountId, ChainError, ChainView, Endpoint, Standing, Terms};
use std::sync::{
    atomic::{AtomicU32, Ordering},
    Arc,
};

/// Reads through a node. Clones share what was seen last.
#[derive(Clone)]
pub struct Finalised {
    chain: Chain,
    /// Number of the newest block that was read.
    seen: Arc<AtomicU32>,
}

impl Finalised {
    /// The chain behind `chain`.
    pub fn new(chain: Chain) -> Self {
        Self {
            chain,
            seen: Arc::default(),
        }
    }

    /// The same, from `block` on: a node that shows an older one is behind, and what it shows is not believed.
    #[must_use]
    pub fn not_before(self, block: u32) -> Self {
        self.seen.fetch_max(block, Ordering::AcqRel);
        self
    }

    /// The newest finalised block; never an older one than was read before, even from a node that has just restarted.
    async fn head(&self) -> anyhow::Result<Head> {
        let head = self.chain.head().await?;
        let seen = self.seen.fetch_max(head.number, Ordering::AcqRel);
        anyhow::ensure!(
            head.number >= seen,
            "the node is at block {}, {seen} was seen before: it has fallen behind",
            head.number
        );
        Ok(head)
    }
}

/// A session as the chain stores it.
type Stored = api::runtime_types::pallet_sessions::types::Session<chasqui_chain::AccountId32, u32>;

/// A live session.
///
/// # Errors
/// The chain cannot be read.
pub async fn session(head: &Head, id: &SessionId) -> anyhow::Result<Option<Stored>> {
    Ok(fetch!(head, api::storage().sessions().sessions(), (*id,)))
}

/// Terms of a checkpoint while it takes payment.
///
/// # Errors
/// The chain cannot be read.
pub async fn terms(head: &Head, root: &CheckpointRoot) -> anyhow::Result<Option<Terms>> {
    let record = fetch!(head, api::storage().checkpoints().registry(), (*root,));
    let Some(record) = record.filter(|record| record.thresholds.is_some()) else {
        return Ok(None);
    };
    if record.status != Status::Accepted {
        return Ok(None);
    }
    Ok(Some(Terms {
        unit_price: fetch!(head, api::storage().economy().price(), ()).unwrap_or_default(),
        units_per_prompt_token: record.info.units_per_prompt_token,
        units_per_output_token: record.info.units_per_output_token,
        context_tokens: record.info.context_tokens,
        vocabulary: record.info.vocabulary,
        profile: record.info.profile.0,
        end_tokens: record.info.end_tokens.0,
    }))
}

/// A channel and everything around it at `head`.
///
/// # Errors
/// The chain cannot be read.
pub async fn standing(
    head: &Head,
    id: &SessionId,
    operator: &AccountId,
) -> anyhow::Result<Option<Standing>> {
    let Some(session) = session(head, id).await? else {
        return Ok(None);
    };
    let key = (*id, theirs(operator));
    let Some(channel) = fetch!(head, api::storage().sessions().channels(), key) else {
        return Ok(None);
    };
    Ok(Some(Standing {
        now: head.number,
        key: ours(&session.key),
        checkpoint: session.checkpoint,
        open: session.stage == SessionStage::Open,
        committee: session.committee.0.iter().map(ours).collect(),
        channel: channel_of(&channel.rules),
        signer: ours(&channel.signer),
        terms: terms(head, &session.checkpoint).await?,
    }))
}

fn failed(error: anyhow::Error) -> ChainError {
    ChainError(format!("{error:#}"))
}

#[async_trait]
impl ChainView for Finalised {
    fn genesis(&self) -> H256 {
        self.chain.genesis()
    }

    async fn standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Standing>, ChainError> {
        let read = async { standing(&self.head().await?, session, operator).await };
        read.await.map_err(failed)
    }

    async fn committee(&self, id: &SessionId) -> Result<Option<Vec<AccountId>>, ChainError> {
        let read = async {
            let found = session(&self.head().await?, id).await?;
            anyhow::Ok(found.map(|session| session.committee.0.iter().map(ours).collect()))
        };
        read.await.map_err(failed)
    }

    async fn endpoint(&self, operator: &AccountId) -> Result<Option<Endpoint>, ChainError> {
        let read = async {
            let head = self.head().await?;
            let operators = api::storage().operators().operators();
            let Some(record) = fetch!(head, operators, (theirs(operator),)) else {
                return Ok(None);
            };
            let url = String::from_utf8(record.endpoint.url.0)
                .context("the operator's endpoint is no text")?;
            anyhow::Ok(Some(Endpoint {
                url,
                tls_key: record.endpoint.tls_key,
            }))
        };
        read.await.map_err(failed)
    }
}
