//! A chain view that remembers for a moment what it read.
//!
//! An executor looks at the channel of every request. What a node takes to answer would be most of the time to the first
//! token, and of what the node can do.

use crate::{
    chain::{ChainError, ChainView, Endpoint, Standing},
    AccountId,
};
use async_trait::async_trait;
use chasqui_primitives::session::SessionId;
use sp_core::H256;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Most channels that are remembered.
const MOST: usize = 4_096;

type Key = (SessionId, AccountId);

/// Answers [`ChainView::recent_standing`] by what it read up to `age` ago.
pub struct Recent {
    chain: Arc<dyn ChainView>,
    age: Duration,
    seen: Mutex<HashMap<Key, (Instant, Standing)>>,
}

impl Recent {
    /// Over `chain`.
    pub fn new(chain: Arc<dyn ChainView>, age: Duration) -> Self {
        Self {
            chain,
            age,
            seen: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Key, (Instant, Standing)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, key: Key, standing: Option<&Standing>) {
        let mut seen = self.seen();
        let Some(standing) = standing else {
            seen.remove(&key);
            return;
        };
        let known = seen.contains_key(&key);
        if !known && seen.len() >= MOST {
            seen.retain(|_, (at, _)| at.elapsed() < self.age);
        }
        if !known && seen.len() >= MOST {
            return;
        }
        // Of two that were read at once the newer counts.
        match seen.get(&key) {
            Some((_, before)) if before.now > standing.now => {}
            _ => {
                seen.insert(key, (Instant::now(), standing.clone()));
            }
        }
    }
}

#[async_trait]
impl ChainView for Recent {
    fn genesis(&self) -> H256 {
        self.chain.genesis()
    }

    async fn standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Standing>, ChainError> {
        let found = self.chain.standing(session, operator).await?;
        self.keep((*session, operator.clone()), found.as_ref());
        Ok(found)
    }

    async fn recent_standing(
        &self,
        session: &SessionId,
        operator: &AccountId,
    ) -> Result<Option<Standing>, ChainError> {
        let held = self.seen().get(&(*session, operator.clone())).cloned();
        match held {
            Some((at, standing)) if at.elapsed() < self.age => Ok(Some(standing)),
            // What is not there is not remembered: it may be there with the next block.
            _ => self.standing(session, operator).await,
        }
    }

    async fn committee(&self, session: &SessionId) -> Result<Option<Vec<AccountId>>, ChainError> {
        self.chain.committee(session).await
    }

    async fn endpoint(&self, operator: &AccountId) -> Result<Option<Endpoint>, ChainError> {
        self.chain.endpoint(operator).await
    }
}
