//! Whatever happens in whatever order, the budget holds and nobody shares a session.

use crate::chain::{config, operator, Anybody, MemoryChain, ROOT};
use chasqui_primitives::{session::SessionId, Balance};
use chasqui_session::AccountId;
use chasqui_worker::sessions::gateway::{
    facts::{Deed, Outcome},
    pool::{DeedId, Lease, Pool, PoolConfig, Take, Ticket},
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What may happen next.
#[derive(Debug, Clone)]
enum Op {
    /// Blocks pass, and perhaps somebody looks.
    Pass { blocks: u8, looks: bool },
    /// The pool plans; its deeds begin.
    Plan,
    /// The oldest deed under way ends like this.
    End(How),
    /// A request comes, takes a session if it can, and else lines up.
    Take { price: Balance },
    /// A session is given back, after its request cost a share of its price.
    Release { percent: u8 },
    /// One that waits gives up.
    Leave,
    /// An operator settles.
    Settle { amount: Balance },
    /// A channel is lost.
    Lose { operator: u8 },
    /// A session ends outside.
    CloseOutside,
    /// What is closed returns its money.
    Bury,
    /// The gateway stops and another begins.
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// It is in a block at once, and said so.
    Done,
    /// It is refused.
    Refused,
    /// Nothing is heard; it takes effect so many blocks later.
    SilentLate(u8),
    /// Nothing is heard; it never takes effect.
    SilentNever,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1u8..4, any::<bool>()).prop_map(|(blocks, looks)| Op::Pass { blocks, looks }),
        4 => Just(Op::Plan),
        4 => prop_oneof![
            4 => Just(How::Done),
            1 => Just(How::Refused),
            2 => (1u8..60).prop_map(How::SilentLate),
            1 => Just(How::SilentNever),
        ].prop_map(Op::End),
        4 => (1u128..120).prop_map(|price| Op::Take { price }),
        3 => (0u8..=100).prop_map(|percent| Op::Release { percent }),
        1 => Just(Op::Leave),
        2 => (1u128..60).prop_map(|amount| Op::Settle { amount }),
        1 => (1u8..4).prop_map(|operator| Op::Lose { operator }),
        1 => Just(Op::CloseOutside),
        1 => Just(Op::Bury),
        1 => Just(Op::Restart),
    ]
}

struct Run {
    config: PoolConfig,
    chain: MemoryChain,
    pool: Pool,
    now: u64,
    deeds: Vec<(DeedId, Deed)>,
    held: Vec<(Lease, Balance)>,
    line: Vec<Ticket>,
    /// What the requests of each channel cost, by the client's own journal.
    journal: BTreeMap<(SessionId, AccountId), Balance>,
}

impl Run {
    fn new(config: PoolConfig, free: Balance) -> Self {
        Self {
            pool: Pool::new(config.clone(), [ROOT]),
            config,
            chain: MemoryChain::new(free),
            now: 0,
            deeds: Vec::new(),
            held: Vec::new(),
            line: Vec::new(),
            journal: BTreeMap::new(),
        }
    }

    fn look(&mut self) {
        let facts = self.chain.facts();
        self.pool.observe(&facts, self.now);
        for (session, operator) in self.pool.unread() {
            let key = (session, operator.clone());
            let spent = self.journal.get(&key).copied().unwrap_or(0);
            self.pool.spent(&session, &operator, spent);
        }
    }

    fn step(&mut self, op: &Op) {
        self.now += 500;
        match op {
            Op::Pass { blocks, looks } => {
                for _ in 0..*blocks {
                    self.chain.pass();
                }
                if *looks {
                    self.look();
                }
            }
            Op::Plan => {
                let planned = self.pool.plan(self.now);
                self.deeds.extend(planned);
            }
            Op::End(how) if !self.deeds.is_empty() => {
                let (id, deed) = self.deeds.remove(0);
                let outcome = match how {
                    How::Done => self.chain.act(&deed),
                    How::Refused => Outcome::Refused {
                        reason: "no".into(),
                        unfunded: false,
                    },
                    How::SilentLate(blocks) => {
                        self.chain.send(deed, u32::from(*blocks));
                        Outcome::Unsure("silence".into())
                    }
                    How::SilentNever => Outcome::Unsure("silence".into()),
                };
                self.pool.ended(id, &outcome);
            }
            Op::Take { price } => match self.pool.take(&ROOT, *price, &Anybody, self.now) {
                Take::Lease(lease) => {
                    let key = (lease.session, lease.operator.clone());
                    let spent = self.journal.get(&key).copied().unwrap_or(0);
                    let facts = &self.chain.sessions.get(&lease.session);
                    // A session that has gone meanwhile was seen before it did.
                    if let Some(one) = facts {
                        let member = one
                            .facts
                            .members
                            .iter()
                            .find(|m| m.operator == lease.operator);
                        if let Some(member) = member {
                            assert!(spent + price <= member.promised, "beyond the slice");
                        }
                    }
                    self.held.push((lease, *price));
                }
                Take::Wait => self.line.push(self.pool.line_up(&ROOT, *price, self.now)),
                Take::Never(_) => {}
            },
            Op::Release { percent } if !self.held.is_empty() => {
                let (lease, price) = self.held.remove(0);
                let cost = price * Balance::from(*percent) / 100;
                let key = (lease.session, lease.operator.clone());
                let spent = self.journal.entry(key).or_default();
                *spent += cost;
                self.pool.spent(&lease.session, &lease.operator, *spent);
                self.pool.release(&lease.session, self.now);
            }
            Op::Leave if !self.line.is_empty() => {
                let ticket = self.line.remove(0);
                self.pool.leave(&ROOT, ticket);
            }
            Op::Settle { amount } => {
                // Never more than what was answered.
                let answered = self
                    .journal
                    .iter()
                    .next()
                    .map(|((session, _), spent)| (*session, *spent));
                if let Some((session, spent)) = answered {
                    let settled = self
                        .chain
                        .sessions
                        .get(&session)
                        .map_or(spent, |one| one.facts.settled);
                    let amount = (*amount).min(spent.saturating_sub(settled));
                    self.chain.settle(&session, amount);
                }
            }
            Op::Lose { operator: number } => {
                if let Some(session) = self.chain.sessions.keys().next().copied() {
                    self.pool.lose(&session, &operator(*number));
                }
            }
            Op::CloseOutside => {
                if let Some(session) = self.chain.sessions.keys().next().copied() {
                    self.chain.act(&Deed::Close { session });
                }
            }
            Op::Bury => self.chain.bury(),
            Op::Restart => {
                self.deeds.clear();
                self.held.clear();
                self.line.clear();
                self.pool = Pool::new(self.config.clone(), [ROOT]);
                self.look();
            }
            _ => {}
        }
    }

    fn check(&self) {
        assert!(
            self.chain.held() <= self.config.budget,
            "{} held of {}",
            self.chain.held(),
            self.config.budget
        );
        let leased: BTreeSet<SessionId> =
            self.held.iter().map(|(lease, _)| lease.session).collect();
        assert_eq!(leased.len(), self.held.len(), "two requests in one session");
        let open = self
            .chain
            .sessions
            .values()
            .filter(|one| one.facts.open)
            .count();
        assert!(open <= self.config.most_sessions, "{open} sessions");
        let touched: Vec<&Deed> = self.deeds.iter().map(|(_, deed)| deed).collect();
        for (place, deed) in touched.iter().enumerate() {
            if let Deed::TopUp { session, .. } = deed {
                let again = touched[place + 1..]
                    .iter()
                    .any(|other| matches!(other, Deed::TopUp { session: of, .. } if of == session));
                assert!(!again, "two deeds on one session");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // GIVEN a gateway with a budget, on a chain that is slow, refuses, and does not always answer
    // WHEN requests come and go, sessions run low, end outside, and the gateway is killed
    // THEN all sessions never hold more than the budget, and no session serves two requests at once
    #[test]
    fn the_budget_holds_and_sessions_are_not_shared(
        ops in prop::collection::vec(op(), 1..150),
        budget in 125u128..700,
        free in 0u128..2_000,
    ) {
        let config = PoolConfig { budget, ..config() };
        let mut run = Run::new(config, free);
        run.look();
        for op in &ops {
            // What a killed gateway had sent is nobody's to count: it was within the budget when it was sent.
            let restarts = matches!(op, Op::Restart) && run.chain.has_sent();
            if restarts {
                continue;
            }
            run.step(op);
            run.check();
        }
    }

    // GIVEN a gateway with enough money, after whatever happened
    // WHEN everything works again and a request waits
    // THEN it gets a session
    #[test]
    fn whoever_waits_is_served_once_all_works(
        ops in prop::collection::vec(op(), 1..80),
        price in 1u128..60,
    ) {
        let config = PoolConfig { budget: 100_000, most_sessions: 64, ..config() };
        let mut run = Run::new(config, 1_000_000);
        for op in &ops {
            run.step(op);
        }
        while !run.held.is_empty() {
            run.step(&Op::Release { percent: 0 });
        }
        let ticket = run.pool.line_up(&ROOT, price, run.now);
        let mut served = false;
        for _ in 0..300 {
            run.step(&Op::Pass { blocks: 1, looks: true });
            run.step(&Op::Plan);
            while !run.deeds.is_empty() {
                run.step(&Op::End(How::Done));
            }
            if let Take::Lease(_) = run.pool.take(&ROOT, price, &Anybody, run.now) {
                served = true;
                break;
            }
        }
        run.pool.leave(&ROOT, ticket);
        prop_assert!(served);
    }
}
