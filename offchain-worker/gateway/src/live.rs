//! What the live page shows: the gateway's own numbers, and the chain's where somebody follows it.
//!
//! Everything is bounded: a viewer that comes late gets the newest of each kind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chasqui_primitives::Balance;
use futures::stream::{self, BoxStream};
use futures::StreamExt;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::keys::format_dot;

/// Most operators, and most sessions, that are shown.
pub const MAX_SHOWN: usize = 200;
/// Most audits, slashes and payouts of each that are kept.
pub const MAX_HISTORY: usize = 50;
/// Updates that a slow viewer may lag behind before it has to start anew.
const BACKLOG: usize = 256;
/// Seconds of history of tokens a second.
const METER_SECONDS: usize = 60;

/// The head of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Number of the newest finalised block.
    pub block: u64,
    /// The running epoch.
    pub epoch: u64,
    /// Blocks of the epoch that are over.
    pub epoch_block: u64,
    /// Blocks of an epoch.
    pub epoch_blocks: u64,
}

/// An operator and its standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorStanding {
    /// Address.
    pub operator: String,
    /// `compute`, `validate` or both.
    pub roles: String,
    /// In thousandths of full reputation.
    pub reputation_permille: u32,
    /// Bond in planck, as text: JSON's numbers are too small.
    pub bond: String,
    /// `active`, `jailed`, `leaving`.
    pub status: String,
}

/// A session with an executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionState {
    /// The session's id.
    pub session: String,
    /// The model's name.
    pub model: String,
    /// The executor that serves it now.
    pub operator: String,
    /// Planck deposited, as text.
    pub deposit: String,
    /// Planck spent, as text.
    pub spent: String,
    /// Requests so far.
    pub requests: u64,
    /// Whether it is still open; a closed one leaves the list.
    pub open: bool,
}

impl SessionState {
    /// One that is over.
    pub fn gone(session: String) -> Self {
        Self {
            session,
            model: String::new(),
            operator: String::new(),
            deposit: "0".into(),
            spent: "0".into(),
            requests: 0,
            open: false,
        }
    }
}

/// Something that happened to an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Happening {
    /// Block of the event.
    pub block: u64,
    /// The operator.
    pub operator: String,
    /// In a word: `valid`, `false result`, `epoch 12`.
    pub what: String,
    /// Planck, as text, where money moved.
    pub amount: Option<String>,
}

/// A change on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum ChainUpdate {
    /// A new block.
    Head(Head),
    /// An operator's standing, new or changed.
    Operator(OperatorStanding),
    /// An operator that left.
    OperatorGone(String),
    /// A session, new or changed.
    Session(SessionState),
    /// An audit that closed.
    Audit(Happening),
    /// A slash.
    Slash(Happening),
    /// A payout.
    Payout(Happening),
}

/// The chain as far as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChainSnapshot {
    /// The newest block.
    pub head: Head,
    /// By address.
    pub operators: Vec<OperatorStanding>,
    /// Open ones, by id.
    pub sessions: Vec<SessionState>,
    /// Newest first.
    pub audits: Vec<Happening>,
    /// Newest first.
    pub slashes: Vec<Happening>,
    /// Newest first.
    pub payouts: Vec<Happening>,
}

/// A source of what happens on the chain.
pub trait Live: Send + Sync {
    /// The state now, and every change after it. The stream ends when the viewer must start anew.
    fn watch(&self) -> (ChainSnapshot, BoxStream<'static, ChainUpdate>);
}

#[derive(Default)]
struct Chain {
    head: Head,
    operators: BTreeMap<String, OperatorStanding>,
    sessions: BTreeMap<String, SessionState>,
    audits: VecDeque<Happening>,
    slashes: VecDeque<Happening>,
    payouts: VecDeque<Happening>,
}

/// A [`Live`] source that whoever follows the chain writes into.
pub struct LiveFeed {
    chain: Mutex<Chain>,
    updates: broadcast::Sender<ChainUpdate>,
}

impl Default for LiveFeed {
    fn default() -> Self {
        Self {
            chain: Mutex::default(),
            updates: broadcast::Sender::new(BACKLOG),
        }
    }
}

impl LiveFeed {
    /// Takes a change and shows it to every viewer. What exceeds [`MAX_SHOWN`] is left out.
    pub fn publish(&self, update: ChainUpdate) {
        let mut chain = self.chain();
        match &update {
            ChainUpdate::Head(head) => chain.head = head.clone(),
            ChainUpdate::Operator(one) => {
                put(&mut chain.operators, one.operator.clone(), one.clone())
            }
            ChainUpdate::OperatorGone(operator) => {
                chain.operators.remove(operator);
            }
            ChainUpdate::Session(one) if one.open => {
                put(&mut chain.sessions, one.session.clone(), one.clone())
            }
            ChainUpdate::Session(one) => {
                chain.sessions.remove(&one.session);
            }
            ChainUpdate::Audit(one) => remember(&mut chain.audits, one),
            ChainUpdate::Slash(one) => remember(&mut chain.slashes, one),
            ChainUpdate::Payout(one) => remember(&mut chain.payouts, one),
        }
        // Under the lock, so that no viewer misses it between snapshot and subscription. An error
        // means that nobody watches.
        let _ = self.updates.send(update);
    }

    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put<T>(map: &mut BTreeMap<String, T>, key: String, value: T) {
    if map.len() < MAX_SHOWN || map.contains_key(&key) {
        map.insert(key, value);
    }
}

fn remember(list: &mut VecDeque<Happening>, one: &Happening) {
    list.push_front(one.clone());
    list.truncate(MAX_HISTORY);
}

impl Live for LiveFeed {
    fn watch(&self) -> (ChainSnapshot, BoxStream<'static, ChainUpdate>) {
        let chain = self.chain();
        let updates = self.updates.subscribe();
        let snapshot = ChainSnapshot {
            head: chain.head.clone(),
            operators: chain.operators.values().cloned().collect(),
            sessions: chain.sessions.values().cloned().collect(),
            audits: chain.audits.iter().cloned().collect(),
            slashes: chain.slashes.iter().cloned().collect(),
            payouts: chain.payouts.iter().cloned().collect(),
        };
        let updates = stream::unfold(updates, |mut updates| async move {
            // An error is a lag or the end: either way the viewer starts anew.
            updates.recv().await.ok().map(|update| (update, updates))
        });
        (snapshot, updates.boxed())
    }
}

/// One model's numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ModelStats {
    /// Generations that ended.
    pub generations: u64,
    /// Prompt tokens of them.
    pub prompt_tokens: u64,
    /// Output tokens of them.
    pub output_tokens: u64,
}

/// The gateway's own numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GatewaySnapshot {
    /// Seconds since it started.
    pub uptime: u64,
    /// Answered requests.
    pub requests: u64,
    /// Of them, with a status of 400 or more.
    pub errors: u64,
    /// Generations under way.
    pub in_flight: i64,
    /// Requests that wait for their turn.
    pub queued: usize,
    /// Output tokens in each of the last seconds, oldest first, the running one left out.
    pub tokens_per_second: Vec<u64>,
    /// DOT charged since the start.
    pub spend: String,
    /// By name, those served now with or without traffic.
    pub models: BTreeMap<String, ModelStats>,
}

struct Numbers {
    requests: u64,
    errors: u64,
    spend: Balance,
    models: BTreeMap<String, ModelStats>,
    meter: [(u64, u64); METER_SECONDS + 1],
}

/// Counts for the page.
pub struct Stats {
    start: Instant,
    numbers: Mutex<Numbers>,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            numbers: Mutex::new(Numbers {
                requests: 0,
                errors: 0,
                spend: 0,
                models: BTreeMap::new(),
                meter: [(u64::MAX, 0); METER_SECONDS + 1],
            }),
        }
    }
}

impl Stats {
    /// Seconds since 1970 when it started: for viewers that tell restarts apart.
    pub fn started(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_secs());
        now.saturating_sub(self.start.elapsed().as_secs())
    }

    /// A request was answered.
    pub fn answered(&self, error: bool) {
        let mut numbers = self.numbers();
        numbers.requests += 1;
        numbers.errors += u64::from(error);
    }

    /// An output token came.
    pub fn token(&self) {
        let second = self.start.elapsed().as_secs();
        let mut numbers = self.numbers();
        let slot = &mut numbers.meter[second as usize % (METER_SECONDS + 1)];
        if slot.0 != second {
            *slot = (second, 0);
        }
        slot.1 += 1;
    }

    /// A generation ended.
    pub fn generated(&self, model: &str, prompt_tokens: u32, output_tokens: u32, price: Balance) {
        let mut numbers = self.numbers();
        numbers.spend = numbers.spend.saturating_add(price);
        let stats = numbers.models.entry(model.to_string()).or_default();
        stats.generations += 1;
        stats.prompt_tokens += u64::from(prompt_tokens);
        stats.output_tokens += u64::from(output_tokens);
    }

    /// All of it, for models of these names.
    pub fn snapshot(&self, models: &[String], in_flight: i64, queued: usize) -> GatewaySnapshot {
        let uptime = self.start.elapsed().as_secs();
        let numbers = self.numbers();
        let tokens_per_second = (uptime.saturating_sub(METER_SECONDS as u64)..uptime)
            .map(
                |second| match numbers.meter[second as usize % (METER_SECONDS + 1)] {
                    (slot, count) if slot == second => count,
                    _ => 0,
                },
            )
            .collect();
        let of = |id: &String| numbers.models.get(id).cloned().unwrap_or_default();
        GatewaySnapshot {
            uptime,
            requests: numbers.requests,
            errors: numbers.errors,
            in_flight,
            queued,
            tokens_per_second,
            spend: format_dot(numbers.spend),
            models: models.iter().map(|id| (id.clone(), of(id))).collect(),
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(block: u64) -> Happening {
        Happening {
            block,
            operator: "op".into(),
            what: "valid".into(),
            amount: None,
        }
    }

    // GIVEN a feed with more history than is kept
    // WHEN a viewer comes, and more happens
    // THEN it sees the newest first, bounded, and then every change
    #[tokio::test]
    async fn a_late_viewer_sees_the_newest() {
        let feed = LiveFeed::default();
        for block in 0..100 {
            feed.publish(ChainUpdate::Audit(happening(block)));
        }
        let (snapshot, mut updates) = feed.watch();
        assert_eq!(snapshot.audits.len(), MAX_HISTORY);
        assert_eq!(snapshot.audits[0].block, 99);
        feed.publish(ChainUpdate::Slash(happening(100)));
        let update = updates.next().await;
        assert_eq!(update, Some(ChainUpdate::Slash(happening(100))));
    }

    // GIVEN a viewer that does not read
    // WHEN more happens than is held for it
    // THEN its stream ends, so that it starts anew instead of missing something
    #[tokio::test]
    async fn a_viewer_that_lags_starts_anew() {
        let feed = LiveFeed::default();
        let (_, mut updates) = feed.watch();
        for block in 0..(BACKLOG as u64 + 1) {
            feed.publish(ChainUpdate::Audit(happening(block)));
        }
        assert_eq!(updates.next().await, None);
    }
}
