//! A chain in memory for the pool's deeds, and what the tests ask of both.

use chasqui_primitives::{
    session::{rules::slices, SessionId},
    Balance, CheckpointRoot,
};
use chasqui_session::AccountId;
use chasqui_worker::sessions::gateway::{
    facts::{Deed, Facts, Member, Outcome, SessionFacts},
    pool::{Choice, DeedId, Pool, PoolConfig},
};
use std::collections::{BTreeMap, BTreeSet};

pub const ROOT: CheckpointRoot = CheckpointRoot::repeat_byte(7);
pub const STORAGE: Balance = 25;
pub const DEPOSIT: Balance = 100;

pub fn config() -> PoolConfig {
    PoolConfig {
        most_sessions: 4,
        deposit: DEPOSIT,
        budget: 600,
        storage: STORAGE,
        fees: 5,
        linger: 60_000,
    }
}

pub fn operator(number: u8) -> AccountId {
    AccountId::new([number; 32])
}

/// Nobody is avoided.
pub struct Anybody;

impl Choice for Anybody {
    fn rank(&self, _: &AccountId) -> Option<u32> {
        Some(0)
    }

    fn tried(&self, _: &SessionId, _: &AccountId) -> bool {
        false
    }
}

/// One that has been tried everywhere is left out.
pub struct Without(pub AccountId);

impl Choice for Without {
    fn rank(&self, operator: &AccountId) -> Option<u32> {
        (*operator != self.0).then_some(0)
    }

    fn tried(&self, _: &SessionId, _: &AccountId) -> bool {
        false
    }
}

#[derive(Debug, Clone)]
pub struct OnChain {
    pub facts: SessionFacts,
    /// Blocks until the committee is there.
    pub draw: u32,
}

/// A deed on its way.
#[derive(Debug, Clone)]
struct Sent {
    deed: Deed,
    /// It takes effect at this block.
    at: u32,
}

/// Slow, and sometimes silent.
#[derive(Debug, Clone)]
pub struct MemoryChain {
    pub block: u32,
    pub epoch: u32,
    pub free: Balance,
    pub sessions: BTreeMap<SessionId, OnChain>,
    sent: Vec<Sent>,
    next: u8,
    pub committee: Vec<u8>,
    /// Says no to everything.
    pub refuses: bool,
}

impl MemoryChain {
    pub fn new(free: Balance) -> Self {
        Self {
            block: 1,
            epoch: 1,
            free,
            sessions: BTreeMap::new(),
            sent: Vec::new(),
            next: 0,
            committee: vec![1, 2],
            refuses: false,
        }
    }

    /// What the account's sessions really hold.
    pub fn held(&self) -> Balance {
        self.sessions.values().map(|one| one.facts.held()).sum()
    }

    /// Takes a deed that will be in a block after `blocks`.
    pub fn send(&mut self, deed: Deed, blocks: u32) {
        let at = self.block + blocks;
        self.sent.push(Sent { deed, at });
    }

    /// Whether something is on its way.
    pub fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Does a deed at once; as the chain would, it refuses what cannot be.
    pub fn act(&mut self, deed: &Deed) -> Outcome {
        let refused = |reason: &str, unfunded| Outcome::Refused {
            reason: reason.into(),
            unfunded,
        };
        if self.refuses {
            return refused("no", false);
        }
        match deed {
            Deed::Open {
                checkpoint,
                deposit,
            } => {
                let cost = deposit + STORAGE;
                if self.free < cost {
                    return refused("funds", true);
                }
                self.free -= cost;
                self.next += 1;
                let id = SessionId::repeat_byte(self.next);
                let facts = SessionFacts {
                    id,
                    checkpoint: *checkpoint,
                    open: true,
                    paid_in: *deposit,
                    settled: 0,
                    unsliced: *deposit,
                    storage: STORAGE,
                    drawn_in: None,
                    drawing: true,
                    members: Vec::new(),
                };
                self.sessions.insert(id, OnChain { facts, draw: 2 });
                Outcome::Done(Some(id))
            }
            Deed::TopUp { session, pay, grow } => {
                if self.free < *pay {
                    return refused("funds", true);
                }
                let Some(one) = self.sessions.get_mut(session) else {
                    return refused("unknown", false);
                };
                let facts = &mut one.facts;
                if !facts.open {
                    return refused("closing", false);
                }
                if let Some((operator, amount)) = grow {
                    let member = facts.members.iter_mut().find(|m| m.operator == *operator);
                    let Some(member) = member.filter(|_| *amount <= facts.unsliced + pay) else {
                        return refused("not free", false);
                    };
                    member.promised += amount;
                    facts.unsliced = facts.unsliced + pay - amount;
                } else {
                    facts.unsliced += pay;
                }
                facts.paid_in += pay;
                self.free -= pay;
                Outcome::Done(None)
            }
            Deed::Renew { session } => {
                let epoch = self.epoch;
                let Some(one) = self.sessions.get_mut(session) else {
                    return refused("unknown", false);
                };
                if one.facts.drawing || one.facts.drawn_in.is_some_and(|drawn| drawn >= epoch) {
                    return refused("too early", false);
                }
                one.facts.drawing = true;
                one.draw = 2;
                Outcome::Done(None)
            }
            Deed::Close { session } => {
                let Some(one) = self.sessions.get_mut(session) else {
                    return refused("unknown", false);
                };
                one.facts.open = false;
                Outcome::Done(None)
            }
        }
    }

    /// Another block: what was sent takes effect, committees are drawn, closed sessions go after a while.
    pub fn pass(&mut self) {
        self.block += 1;
        if self.block.is_multiple_of(10) {
            self.epoch += 1;
        }
        let (due, later): (Vec<Sent>, Vec<Sent>) =
            self.sent.drain(..).partition(|sent| sent.at <= self.block);
        self.sent = later;
        for sent in due {
            self.act(&sent.deed);
        }
        let (epoch, committee) = (self.epoch, self.committee.clone());
        for one in self.sessions.values_mut().filter(|one| one.facts.drawing) {
            one.draw = one.draw.saturating_sub(1);
            if one.draw > 0 {
                continue;
            }
            let facts = &mut one.facts;
            facts.drawing = false;
            facts.drawn_in = Some(epoch);
            let (primary, backup) = slices(facts.unsliced, committee.len() as u32);
            facts.members = committee
                .iter()
                .enumerate()
                .map(|(place, number)| Member {
                    operator: operator(*number),
                    promised: if place == 0 { primary } else { backup },
                    stopped: false,
                })
                .collect();
            let given: Balance = facts.members.iter().map(|member| member.promised).sum();
            facts.unsliced -= given;
        }
    }

    /// A closed session is gone, and its money back.
    pub fn bury(&mut self) {
        let closed: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, one)| !one.facts.open)
            .map(|(id, _)| *id)
            .collect();
        for id in closed {
            if let Some(one) = self.sessions.remove(&id) {
                self.free += one.facts.held();
            }
        }
    }

    /// An operator settles what it was paid.
    pub fn settle(&mut self, session: &SessionId, amount: Balance) {
        if let Some(one) = self.sessions.get_mut(session) {
            let left = one.facts.paid_in - one.facts.settled;
            one.facts.settled += amount.min(left);
        }
    }

    pub fn facts(&self) -> Facts {
        Facts {
            block: self.block,
            epoch: self.epoch,
            free: self.free,
            sessions: self
                .sessions
                .values()
                .map(|one| one.facts.clone())
                .collect(),
            offers: Vec::new(),
        }
    }
}

/// A pool and its chain, honest and quick: deeds are in the next block.
pub struct World {
    pub chain: MemoryChain,
    pub pool: Pool,
    pub now: u64,
    pub done: Vec<Deed>,
}

impl World {
    pub fn new(config: PoolConfig, free: Balance) -> Self {
        Self {
            chain: MemoryChain::new(free),
            pool: Pool::new(config, [ROOT]),
            now: 0,
            done: Vec::new(),
        }
    }

    /// Passes blocks, a second each, doing what the pool plans.
    pub fn pass(&mut self, blocks: u32) {
        for _ in 0..blocks {
            self.now += 1_000;
            let facts = self.chain.facts();
            self.pool.observe(&facts, self.now);
            for (session, operator) in self.pool.unread() {
                self.pool.spent(&session, &operator, 0);
            }
            let deeds: Vec<(DeedId, Deed)> = self.pool.plan(self.now);
            for (id, deed) in deeds {
                let outcome = self.chain.act(&deed);
                self.pool.ended(id, &outcome);
                self.done.push(deed);
            }
            self.chain.pass();
        }
    }

    /// The names of what was done since the last call.
    pub fn deeds(&mut self) -> Vec<&'static str> {
        self.done.drain(..).map(|deed| deed.name()).collect()
    }

    pub fn sessions(&self) -> BTreeSet<SessionId> {
        self.chain.sessions.keys().copied().collect()
    }
}
