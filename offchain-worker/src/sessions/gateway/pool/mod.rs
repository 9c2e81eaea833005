//! Which sessions there are, which one serves whom, and what to do on the chain so that there are enough of them: a state
//! machine without clocks, disks or networks.
//!
//! A session serves one request at a time. The pool never lets all sessions together hold more than the budget: what a
//! deed may add counts from the moment it is planned until the finalised chain shows it, or until it cannot happen any
//! more.
//!
//! [`Pool::take`] gives a session to a request, `plan` says what to do on the chain, and `books` counts the money.

mod books;
mod plan;

pub use books::Short;

use super::facts::{Facts, Member, Outcome, SessionFacts};
use books::Pending;
use chasqui_primitives::{session::SessionId, Balance, CheckpointRoot, EpochIndex};
use chasqui_session::AccountId;
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds since some fixed moment.
pub type Millis = u64;
/// A request's place in the line.
pub type Ticket = u64;
/// The number of a deed.
pub type DeedId = u64;

/// What the pool may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Most sessions of a checkpoint.
    pub most_sessions: usize,
    /// Planck of each at its opening.
    pub deposit: Balance,
    /// The most that all sessions together may hold, in planck.
    pub budget: Balance,
    /// What a session has on hold for its bytes, in planck.
    pub storage: Balance,
    /// What must stay free on the account for fees, in planck.
    pub fees: Balance,
    /// A session that nobody needed for so long is surplus.
    pub linger: Millis,
}

/// A session and the operator to ask first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The session; nobody else's until it is released.
    pub session: SessionId,
    /// The operator.
    pub operator: AccountId,
}

/// What becomes of a request that wants a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// Here it is.
    Lease(Lease),
    /// One may come: try again.
    Wait,
    /// None will come.
    Never(Why),
}

/// Why no session comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It takes money that is not there.
    Money(Short),
    /// Every operator has been tried, or is known to be false.
    Nobody,
}

/// Whom a request does not want.
pub trait Choice {
    /// How gladly an operator is asked, 0 first; `None` for never.
    fn rank(&self, operator: &AccountId) -> Option<u32>;
    /// Whether this request has tried this channel.
    fn tried(&self, session: &SessionId, operator: &AccountId) -> bool;
}

/// One session.
#[derive(Debug, Clone)]
struct Slot {
    facts: SessionFacts,
    /// By operator: what was receipted, and what is in flight at its most.
    spent: BTreeMap<AccountId, Balance>,
    /// Channels with a request in flight that nobody follows.
    stuck: BTreeSet<AccountId>,
    /// Channels that cannot go on.
    lost: BTreeSet<AccountId>,
    busy: bool,
    used: Millis,
    /// Receipts that were taken here.
    receipts: u64,
    /// In the order seen.
    order: u64,
}

impl Slot {
    fn spent(&self, operator: &AccountId) -> Balance {
        self.spent.get(operator).copied().unwrap_or(0)
    }

    /// What a channel still covers.
    fn left(&self, member: &Member) -> Balance {
        member.promised.saturating_sub(self.spent(&member.operator))
    }

    /// Members whose channels can go on, now or once they are unstuck or grown.
    fn living(&self) -> impl Iterator<Item = &Member> {
        let alive = |member: &&Member| {
            let operator = &member.operator;
            !member.stopped && !self.lost.contains(operator) && self.spent.contains_key(operator)
        };
        self.facts.members.iter().filter(alive)
    }

    /// Whether something of its committee has still to be read.
    fn is_unread(&self) -> bool {
        let members = self.facts.members.iter();
        let mut unread = members.filter(|member| !self.spent.contains_key(&member.operator));
        unread.next().is_some()
    }

    /// Whether it may serve, now or soon.
    fn counts(&self) -> bool {
        let soon = self.facts.drawing || self.is_unread();
        self.facts.open && (soon || self.living().next().is_some())
    }

    /// The first member that `choice` would ask for `price`: rank, place, and who.
    fn candidate(&self, price: Balance, choice: &dyn Choice) -> Option<(u32, usize, &AccountId)> {
        if !self.facts.open {
            return None;
        }
        self.living()
            .enumerate()
            .filter(|(_, member)| {
                let operator = &member.operator;
                self.left(member) >= price
                    && !self.stuck.contains(operator)
                    && !choice.tried(&self.facts.id, operator)
            })
            .filter_map(|(place, member)| {
                let rank = choice.rank(&member.operator)?;
                Some((rank, place, &member.operator))
            })
            .min_by_key(|(rank, place, _)| (*rank, *place))
    }
}

/// Requests of one checkpoint that wait for a session, with what each can cost.
#[derive(Debug, Clone, Default)]
struct Line {
    waiting: BTreeMap<Ticket, Balance>,
    /// The most sessions that were needed at once lately, and when.
    peak: (usize, Millis),
}

/// All sessions of a gateway.
#[derive(Debug)]
pub struct Pool {
    config: PoolConfig,
    lines: BTreeMap<CheckpointRoot, Line>,
    sessions: BTreeMap<SessionId, Slot>,
    pending: BTreeMap<DeedId, Pending>,
    /// Operators that were proven false.
    shunned: BTreeSet<AccountId>,
    block: u32,
    epoch: EpochIndex,
    free: Balance,
    next: u64,
    /// What the chain refused lately, by session, `None` for openings: how often in a row, and until which block it is not
    /// tried again.
    refused: BTreeMap<Option<SessionId>, (u32, u32)>,
}

impl Pool {
    /// A pool for these checkpoints, without sessions.
    pub fn new(config: PoolConfig, checkpoints: impl IntoIterator<Item = CheckpointRoot>) -> Self {
        let lines = checkpoints.into_iter().map(|root| (root, Line::default()));
        Self {
            config,
            lines: lines.collect(),
            sessions: BTreeMap::new(),
            pending: BTreeMap::new(),
            shunned: BTreeSet::new(),
            block: 0,
            epoch: 0,
            free: 0,
            next: 0,
            refused: BTreeMap::new(),
        }
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    /// Takes what the finalised chain says. Returns the sessions that were closing and are gone: nothing can come of them
    /// any more.
    pub fn observe(&mut self, facts: &Facts, now: Millis) -> Vec<SessionId> {
        if facts.block < self.block {
            return Vec::new();
        }
        (self.block, self.epoch, self.free) = (facts.block, facts.epoch, facts.free);
        let lines = &self.lines;
        let ours: Vec<&SessionFacts> = facts
            .sessions
            .iter()
            .filter(|session| lines.contains_key(&session.checkpoint))
            .collect();
        let there: BTreeSet<SessionId> = ours.iter().map(|session| session.id).collect();
        let mut gone = Vec::new();
        self.sessions.retain(|id, slot| {
            let stays = there.contains(id) || slot.busy;
            if !stays && !slot.facts.open {
                gone.push(*id);
            }
            stays
        });
        let mut fresh = Vec::new();
        for session in ours {
            let order = self.number();
            match self.sessions.get_mut(&session.id) {
                Some(slot) => slot.facts = session.clone(),
                None => {
                    fresh.push(session.id);
                    let slot = Slot {
                        facts: session.clone(),
                        spent: BTreeMap::new(),
                        stuck: BTreeSet::new(),
                        lost: BTreeSet::new(),
                        busy: false,
                        used: now,
                        receipts: 0,
                        order,
                    };
                    self.sessions.insert(session.id, slot);
                }
            }
        }
        self.refused
            .retain(|id, _| id.is_none_or(|id| there.contains(&id)));
        for slot in self.sessions.values_mut() {
            slot.lost.extend(self.shunned.iter().cloned());
        }
        // One that has vanished from the chain while it serves can do nothing more.
        for (id, slot) in &mut self.sessions {
            slot.facts.open &= there.contains(id);
        }
        self.account_for(&fresh);
        gone
    }

    /// Channels of committees of which it is not known yet what was spent on them: until [`Self::spent`] says so, they
    /// serve nothing.
    pub fn unread(&self) -> Vec<(SessionId, AccountId)> {
        let unread = self.sessions.values().flat_map(|slot| {
            let members = slot.facts.members.iter().map(|member| &member.operator);
            let unread = members.filter(|operator| !slot.spent.contains_key(*operator));
            unread.map(|operator| (slot.facts.id, operator.clone()))
        });
        unread.collect()
    }

    /// What a channel's requests cost, and can cost at the most, as its journal has it.
    pub fn spent(&mut self, session: &SessionId, operator: &AccountId, planck: Balance) {
        if let Some(slot) = self.sessions.get_mut(session) {
            slot.spent.insert(operator.clone(), planck);
        }
    }

    /// A channel has a request in flight that nobody follows: it serves nothing until that is resolved.
    pub fn stick(&mut self, session: &SessionId, operator: &AccountId) {
        if let Some(slot) = self.sessions.get_mut(session) {
            slot.stuck.insert(operator.clone());
        }
    }

    /// Nothing is in flight on a channel any more.
    pub fn unstick(&mut self, session: &SessionId, operator: &AccountId) {
        if let Some(slot) = self.sessions.get_mut(session) {
            slot.stuck.remove(operator);
        }
    }

    /// A channel can never go on.
    pub fn lose(&mut self, session: &SessionId, operator: &AccountId) {
        if let Some(slot) = self.sessions.get_mut(session) {
            slot.lost.insert(operator.clone());
        }
    }

    /// An operator was proven false: nothing more goes to it.
    pub fn shun(&mut self, operator: &AccountId) {
        self.shunned.insert(operator.clone());
        for slot in self.sessions.values_mut() {
            slot.lost.insert(operator.clone());
        }
    }

    /// A place in the line of a checkpoint, for a request that costs at most `price`.
    pub fn line_up(&mut self, checkpoint: &CheckpointRoot, price: Balance, now: Millis) -> Ticket {
        let ticket = self.number();
        if let Some(line) = self.lines.get_mut(checkpoint) {
            line.waiting.insert(ticket, price);
        }
        self.note_demand(checkpoint, now);
        ticket
    }

    /// Gives the place up.
    pub fn leave(&mut self, checkpoint: &CheckpointRoot, ticket: Ticket) {
        if let Some(line) = self.lines.get_mut(checkpoint) {
            line.waiting.remove(&ticket);
        }
    }

    /// Gives a free session to a request that costs at most `price`. The best operator first; of several sessions the
    /// oldest, so that what is surplus stays idle.
    pub fn take(
        &mut self,
        checkpoint: &CheckpointRoot,
        price: Balance,
        choice: &dyn Choice,
        now: Millis,
    ) -> Take {
        let best = self
            .sessions
            .values()
            .filter(|slot| slot.facts.checkpoint == *checkpoint && !slot.busy)
            .filter_map(|slot| {
                let (rank, place, operator) = slot.candidate(price, choice)?;
                Some(((rank, place, slot.order), slot.facts.id, operator.clone()))
            })
            .min_by(|(one, ..), (other, ..)| one.cmp(other));
        if let Some((_, session, operator)) = best {
            if let Some(slot) = self.sessions.get_mut(&session) {
                slot.busy = true;
                slot.used = now;
            }
            self.note_demand(checkpoint, now);
            return Take::Lease(Lease { session, operator });
        }
        match self.may_come(checkpoint, price, choice) {
            Ok(()) => Take::Wait,
            Err(why) => Take::Never(why),
        }
    }

    /// The next operator of a session that the caller holds.
    pub fn next_member(
        &self,
        session: &SessionId,
        price: Balance,
        choice: &dyn Choice,
    ) -> Option<AccountId> {
        let slot = self.sessions.get(session)?;
        let (_, _, operator) = slot.candidate(price, choice)?;
        Some(operator.clone())
    }

    /// Gives a session back.
    pub fn release(&mut self, session: &SessionId, now: Millis) {
        let Some(slot) = self.sessions.get_mut(session) else {
            return;
        };
        slot.busy = false;
        slot.used = now;
        let checkpoint = slot.facts.checkpoint;
        self.note_demand(&checkpoint, now);
    }

    /// Whether a session with an operator for this request may come by waiting.
    fn may_come(
        &self,
        checkpoint: &CheckpointRoot,
        price: Balance,
        choice: &dyn Choice,
    ) -> Result<(), Why> {
        let of_it = || {
            let all = self.sessions.values();
            all.filter(|slot| slot.facts.checkpoint == *checkpoint)
        };
        let wanted = |slot: &Slot, member: &Member| {
            choice.rank(&member.operator).is_some()
                && !choice.tried(&slot.facts.id, &member.operator)
        };
        let busy = |slot: &Slot| slot.busy && slot.candidate(price, choice).is_some();
        let unsticks = |slot: &Slot| {
            let stuck = |member: &&Member| slot.stuck.contains(&member.operator);
            let could = |member: &Member| slot.left(member) >= price && wanted(slot, member);
            slot.facts.open && slot.living().filter(stuck).any(could)
        };
        let drawn = |slot: &Slot| slot.facts.open && (slot.facts.drawing || slot.is_unread());
        if of_it().any(|slot| busy(slot) || drawn(slot) || unsticks(slot)) {
            return Ok(());
        }
        if self
            .pending
            .values()
            .any(|one| self.is_for(one, checkpoint))
        {
            return Ok(());
        }
        let mut why = Why::Nobody;
        // A slice can grow.
        for slot in of_it().filter(|slot| slot.facts.open) {
            for member in slot.living().filter(|member| wanted(slot, member)) {
                let lacks = price.saturating_sub(slot.left(member));
                match self.afford(lacks.saturating_sub(slot.facts.unsliced)) {
                    Ok(()) => return Ok(()),
                    Err(short) => why = Why::Money(short),
                }
            }
        }
        // Another session can be opened; not for a request that has asked a whole committee in vain.
        let in_vain = |slot: &Slot| {
            let mut living = slot.living().peekable();
            slot.facts.open && living.peek().is_some() && !living.any(|member| wanted(slot, member))
        };
        let in_vain = of_it().any(in_vain);
        if !in_vain && self.open_count(checkpoint) < self.config.most_sessions {
            match self.afford(self.cost_of_opening()) {
                Ok(()) => return Ok(()),
                Err(short) => why = Why::Money(short),
            }
        }
        // A committee can be drawn anew, in this epoch or the next.
        let renews = |slot: &Slot| slot.facts.open && slot.living().next().is_none();
        if why == Why::Nobody && of_it().any(renews) {
            return Ok(());
        }
        Err(why)
    }

    fn note_demand(&mut self, checkpoint: &CheckpointRoot, now: Millis) {
        let busy = self.busy(checkpoint);
        let linger = self.config.linger;
        let Some(line) = self.lines.get_mut(checkpoint) else {
            return;
        };
        let demand = busy.saturating_add(line.waiting.len());
        let (peak, at) = line.peak;
        if demand >= peak || at.saturating_add(linger) <= now {
            line.peak = (demand, now);
        }
    }

    /// Sessions of a checkpoint that serve somebody.
    pub fn busy(&self, checkpoint: &CheckpointRoot) -> usize {
        let serves = |slot: &&Slot| slot.busy && slot.facts.checkpoint == *checkpoint;
        self.sessions.values().filter(serves).count()
    }

    /// Requests of a checkpoint that wait for a session.
    pub fn waiting(&self, checkpoint: &CheckpointRoot) -> usize {
        self.lines.get(checkpoint).map_or(0, |l| l.waiting.len())
    }

    /// Sessions of a checkpoint that could serve a request of nearly nothing at once.
    pub fn ready(&self, checkpoint: &CheckpointRoot) -> usize {
        let ready = |slot: &&Slot| {
            let serves = |m: &Member| slot.left(m) > 0 && !slot.stuck.contains(&m.operator);
            slot.facts.checkpoint == *checkpoint
                && slot.facts.open
                && !slot.busy
                && slot.living().any(serves)
        };
        self.sessions.values().filter(ready).count()
    }

    /// Sessions of a checkpoint that are not closing.
    fn open_count(&self, checkpoint: &CheckpointRoot) -> usize {
        let open = |slot: &&Slot| slot.facts.open && slot.facts.checkpoint == *checkpoint;
        self.sessions.values().filter(open).count()
    }

    /// The newest finalised block that was looked at.
    pub fn block(&self) -> u32 {
        self.block
    }

    /// The sessions that are open.
    pub fn open_sessions(&self) -> Vec<SessionFacts> {
        let open = self.sessions.values().filter(|slot| slot.facts.open);
        open.map(|slot| slot.facts.clone()).collect()
    }

    /// A receipt came on a session.
    pub fn receipt(&mut self, session: &SessionId) {
        if let Some(slot) = self.sessions.get_mut(session) {
            slot.receipts = slot.receipts.saturating_add(1);
        }
    }

    /// A session as it stands here: the chain's facts, what its requests cost, and how many receipts came.
    pub fn state(&self, session: &SessionId) -> Option<(SessionFacts, Balance, u64)> {
        let slot = self.sessions.get(session)?;
        let spent = slot
            .spent
            .values()
            .fold(0, |sum: Balance, one| sum.saturating_add(*one));
        Some((slot.facts.clone(), spent, slot.receipts))
    }

    /// A deed that was planned has ended.
    pub fn ended(&mut self, deed: DeedId, outcome: &Outcome) {
        self.settle_deed(deed, outcome);
    }
}
