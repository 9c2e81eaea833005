//! Long random sequences of everything that anybody can do, good and bad, with every invariant
//! checked after each step.
//!
//! 1. `try_state` holds, and with it I1 and I7; the stand-ins agree: liabilities, open cases, locks, pots.
//! 2. No planck is made or lost.
//! 3. A call that fails changes nothing.
//! 4. An honest operator is paid for everything that it served, whatever client and others do, and
//!    is never slashed.
//! 5. An honest client pays no more on a channel than what it holds receipts for and what is in flight.
//! 6. A slice shrinks only with its operator's signature, by its conviction, or a close window after
//!    it was announced.
//! 7. Left alone, every session ends, and then nothing is on hold and nothing is pending.
//! 8. A request that lapsed is voided, and the channel goes on: 4 and 5 hold all the same.
//! 9. An honest operator can show whatever a case over its takings is about.

mod ops;
mod rare;

use super::*;
use chasqui_primitives::session::{
    books::{Answer, Asked as Facts, ClientBook, ExecutorBook, Void},
    rules::shrank_lawfully,
    Seq,
};
use frame_support::{weights::Weight, StorageNoopGuard};
use ops::{op, Op};
use proptest::{
    prelude::*,
    test_runner::{Config as ProptestConfig, RngAlgorithm, TestRng, TestRunner},
};
use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet};

/// Least settlement, and what takings get a case for.
const LEAST: Balance = 10;
const AUDITED: Balance = 90;

/// Blocks of unsettled work after which an honest operator settles: well within a window.
const SETTLE_WITHIN: u64 = 10;

/// What happened off chain on one channel.
struct Side {
    client: ClientBook,
    executor: ExecutorBook,
    asked: Vec<Asked>,
    /// Answers by place, to the request that was served.
    answered: BTreeMap<Seq, (Asked, Receipt<AccountId>)>,
    /// What was served, ever.
    earned: Balance,
    unsettled_since: u64,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            client: ClientBook::default(),
            executor: ExecutorBook::default(),
            asked: vec![],
            answered: BTreeMap::new(),
            earned: 0,
            unsettled_since: u64::MAX,
        }
    }
}

struct World {
    honest_client: bool,
    sides: BTreeMap<(SessionId, AccountId), Side>,
    /// Channels on which an honest operator was wronged by a verdict that the test made up: none may be.
    seen: BTreeSet<String>,
}

/// Odd operators are hostile.
fn is_honest(operator: &AccountId) -> bool {
    number_of(operator).is_multiple_of(2)
}

/// What an executor looks at.
fn facts(asked: &Asked) -> Facts {
    let request = &asked.request;
    Facts {
        seq: request.seq,
        hash: request.signing_hash(&genesis_hash()),
        max_price: request.max_price,
        cap: request.cap,
        valid_until: request.valid_until,
    }
}

/// Calls, and if that fails nothing may have changed.
fn attempt(call: Call<Test>, who: &AccountId) -> bool {
    let guard = StorageNoopGuard::default();
    match dispatch(call, who) {
        Ok(()) => {
            core::mem::forget(guard);
            true
        }
        Err(_) => {
            drop(guard);
            false
        }
    }
}

fn ids() -> Vec<SessionId> {
    let mut ids: Vec<_> = Sessions::<Test>::iter_keys().collect();
    ids.sort();
    ids
}

fn pick_session(pick: usize) -> Option<SessionId> {
    let ids = ids();
    (!ids.is_empty()).then(|| ids[pick % ids.len()])
}

/// A channel: mostly of the committee.
fn pick_channel(s: usize, c: usize) -> Option<(SessionId, AccountId)> {
    let id = pick_session(s)?;
    let mut operators = session(id).committee.to_vec();
    if operators.is_empty() || c == 3 {
        operators = Channels::<Test>::iter_key_prefix(id).collect();
        operators.sort();
    }
    (!operators.is_empty()).then(|| (id, operators[c % operators.len()].clone()))
}

impl World {
    fn side(&mut self, at: &(SessionId, AccountId)) -> &mut Side {
        self.sides.entry(at.clone()).or_default()
    }

    fn ask(&mut self, at: (SessionId, AccountId), max: Balance, arrives: bool) {
        let rules = channel(at.0, &at.1).rules;
        if session(at.0).stage != Stage::Open {
            return;
        }
        let Some(slot) = self.side(&at).client.next(&rules, max) else {
            return;
        };
        let asked = request(at.0, &at.1, slot.seq, max, slot.cap);
        self.side(&at).asked.push(asked.clone());
        if arrives {
            self.deliver(&at, asked);
        }
    }

    fn deliver(&mut self, at: &(SessionId, AccountId), asked: Asked) {
        let rules = channel(at.0, &at.1).rules;
        let (facts, request) = (facts(&asked), &asked.request);
        let side = self.side(at);
        if side.executor.take(&facts, &rules, 0) != Answer::Serve {
            return;
        }
        let price = request.max_price - request.max_price / 3;
        assert!(side.executor.answered(request.seq, price));
        side.earned += price;
        side.unsettled_since = side.unsettled_since.min(System::block_number());
        let answer = receipt(&asked, price);
        side.answered.insert(request.seq, (asked, answer));
    }

    /// Settles all that an operator has answered.
    fn settle(&mut self, at: &(SessionId, AccountId)) -> Option<bool> {
        let side = self.side(at);
        let (first, last, _) = side.executor.unsettled()?;
        let (asked, answered) = (first..=last)
            .map(|seq| side.answered[&seq].clone())
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let entry = Run { asked, answered }.entry();
        let entries = vec![entry].try_into().unwrap();
        let done = attempt(Call::settle { entries }, &account(BOB));
        if done {
            side.executor.settled(last);
            side.unsettled_since = u64::MAX;
        }
        Some(done)
    }

    /// What honest operators do by themselves.
    fn honest_work(&mut self) {
        let due = System::block_number().saturating_sub(SETTLE_WITHIN);
        let late: Vec<_> = self
            .sides
            .iter()
            .filter(|(at, side)| side.unsettled_since <= due && is_honest(&at.1))
            // Dust waits for more, or for the end of its channel.
            .filter(|(at, side)| {
                let sum = side.executor.unsettled().map_or(0, |(_, _, sum)| sum);
                let ends = session(at.0).stage != Stage::Open
                    || channel(at.0, &at.1).rules.shrink.is_some();
                sum >= LEAST || ends
            })
            .map(|(at, _)| at.clone())
            .collect();
        for at in late {
            assert_eq!(self.settle(&at), Some(true), "honest work is paid");
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Open(deposit) => {
                let _ = attempt(
                    Call::open {
                        checkpoint: CHECKPOINT,
                        deposit,
                        key: Some(key().public().into()),
                    },
                    &alice(),
                );
            }
            Op::TopUp(s, amount) => {
                if let Some(session) = pick_session(s) {
                    attempt(Call::top_up { session, amount }, &alice());
                }
            }
            Op::Renew(s) => {
                if let Some(session) = pick_session(s) {
                    attempt(Call::renew { session }, &alice());
                }
            }
            Op::Grow(s, c, amount) => {
                if let Some((session, operator)) = pick_channel(s, c) {
                    let call = Call::grow {
                        session,
                        operator,
                        amount,
                    };
                    attempt(call, &alice());
                }
            }
            Op::Shrink(s, c, to) => {
                if let Some((session, operator)) = pick_channel(s, c) {
                    let call = Call::shrink {
                        session,
                        operator,
                        to,
                    };
                    attempt(call, &alice());
                }
            }
            Op::Consent(s, c, to) => {
                let Some(at) = pick_channel(s, c) else { return };
                if is_honest(&at.1) {
                    self.settle(&at);
                    let caps = self.side(&at).asked.iter().map(|asked| asked.request.cap);
                    if caps.max().unwrap_or(0) > to || self.side(&at).executor.unsettled().is_some()
                    {
                        return;
                    }
                }
                let version = channel(at.0, &at.1).rules.version;
                let consent = ShrinkConsent {
                    session: at.0,
                    operator: at.1.clone(),
                    to,
                    version,
                };
                let signature = sign_by(&at.1, consent.signing_hash(&genesis_hash()));
                let call = Call::shrink_now {
                    session: at.0,
                    operator: at.1,
                    to,
                    signature: Some(signature),
                };
                attempt(call, &alice());
            }
            Op::ApplyShrink(s, c) => {
                if let Some((session, operator)) = pick_channel(s, c) {
                    attempt(Call::apply_shrink { session, operator }, &account(BOB));
                }
            }
            Op::Ask(s, c, max, arrives) => {
                if let Some(at) = pick_channel(s, c) {
                    self.ask(at, max, arrives);
                }
            }
            Op::AskTwice(s, c, max) if !self.honest_client => {
                let Some(at) = pick_channel(s, c) else { return };
                if let Some(last) = self.side(&at).asked.last().cloned() {
                    let cap = last.request.cap + max;
                    let second = request(at.0, &at.1, last.request.seq, max, cap);
                    self.side(&at).asked.push(second.clone());
                    self.deliver(&at, second);
                }
            }
            Op::Receipt(s, c, back) => {
                let Some(at) = pick_channel(s, c) else { return };
                let side = self.side(&at);
                let last = side.asked.len().checked_sub(back + 1);
                let Some(asked) = last.map(|last| side.asked[last].clone()) else {
                    return;
                };
                // The request arrives at last, and so does its receipt.
                self.deliver(&at, asked.clone());
                let side = self.side(&at);
                if let Some((served, answer)) = side.answered.get(&asked.request.seq) {
                    if *served == asked {
                        let (seq, price) = (answer.seq, answer.price);
                        side.client.receipt(seq, price);
                    }
                }
            }
            Op::Void(s, c, arrives) => {
                if let Some(at) = pick_channel(s, c) {
                    self.void(at, arrives);
                }
            }
            Op::Show(pick) => self.show(pick),
            Op::Settle(s, c) => {
                if let Some(at) = pick_channel(s, c) {
                    self.settle(&at);
                }
            }
            Op::Claim(s, c, count, sum) => {
                let Some(at) = pick_channel(s, c).filter(|at| !is_honest(&at.1)) else {
                    return;
                };
                // Whatever the client signed last, for as much as that allows, or a planck more.
                let rules = channel(at.0, &at.1).rules;
                let newest = self.side(&at).asked.last().cloned();
                let Some(asked) = newest.filter(|asked| asked.request.seq > rules.last_seq) else {
                    return;
                };
                let most = asked.request.cap.saturating_sub(rules.settled);
                let last = asked.request.seq;
                let claim = Claim {
                    root: H256::zero(),
                    sum: sum.min(most.saturating_add(Balance::from(count == 0))),
                    first: rules.last_seq + 1,
                    last,
                };
                let entries = vec![entry(&asked, claim)].try_into().unwrap();
                if attempt(Call::settle { entries }, &account(BOB)) {
                    assert!(claim.sum <= most, "I3: beyond the cap");
                    self.side(&at).executor.settled(last);
                    self.seen.insert("a hostile claim was taken".into());
                }
            }
            Op::Forge(s, c, sum) => {
                let Some(at) = pick_channel(s, c) else { return };
                let first = channel(at.0, &at.1).rules.last_seq + 1;
                let asked = request(at.0, &at.1, first, sum, sum);
                let claim = Claim {
                    root: H256::zero(),
                    sum,
                    first,
                    last: first,
                };
                let mut forged = entry(&asked, claim);
                forged.signature = Some(asked.signature);
                let entries = vec![forged].try_into().unwrap();
                assert!(!attempt(Call::settle { entries }, &alice()));
            }
            Op::Equivocation(s, c) => {
                let Some(at) = pick_channel(s, c) else { return };
                let asked = self.side(&at).asked.clone();
                let twice = asked.iter().enumerate().find_map(|(n, a)| {
                    let other = asked[..n]
                        .iter()
                        .find(|b| b.request.seq == a.request.seq && b.request != a.request)?;
                    Some((a.clone(), other.clone()))
                });
                if let Some((first, second)) = twice {
                    assert!(!self.honest_client);
                    let call = Call::prove_equivocation { first, second };
                    if attempt(call, &account(BOB)) {
                        self.seen.insert("an equivocation was proven".into());
                    }
                }
            }
            Op::Fraud(s, c) => {
                let Some(at) = pick_channel(s, c).filter(|at| !is_honest(&at.1)) else {
                    return;
                };
                let answer = self.side(&at).answered.values().next_back();
                if let Some((_, answer)) = answer.cloned() {
                    let other = Receipt {
                        output_hash: H256::zero(),
                        ..answer.clone()
                    };
                    let call = Call::prove_fraud {
                        first: signed_receipt(answer),
                        second: signed_receipt(other),
                    };
                    if attempt(call, &account(BOB)) {
                        self.seen.insert("fraud was proven".into());
                    }
                }
            }
            Op::Report(s, c, hint) => {
                let Some(at) = pick_channel(s, c) else { return };
                let answer = self.side(&at).answered.values().next_back().cloned();
                let Some((asked, answer)) = answer else {
                    return;
                };
                let newest = NewestTakings::<Test>::get(&at.1, CHECKPOINT);
                let settlement = newest.map(|of| (of, hint as u32)).filter(|(of, index)| {
                    Settlements::<Test>::get(of, index).is_some_and(|record| {
                        record.session == at.0
                            && (record.claim.first..=record.claim.last).contains(&answer.seq)
                    })
                });
                let call = Call::report {
                    request: asked,
                    receipt: signed_receipt(answer),
                    settlement,
                };
                if attempt(call, &alice()) {
                    let pending = if settlement.is_some() {
                        "settled"
                    } else {
                        "unsettled"
                    };
                    self.seen.insert(format!("a report of a {pending} answer"));
                }
            }
            Op::Verdict(pick, decision) => {
                let mut open: Vec<_> = OpenCases::iter()
                    .map(|(case, (_, who, ..))| (case, who))
                    .collect();
                open.sort();
                if open.is_empty() {
                    return;
                }
                let (case, who) = &open[pick % open.len()];
                let decision = match decision {
                    // Honest work is found valid.
                    _ if is_honest(who) => Decision::Valid,
                    0 => Decision::Valid,
                    1 => HARD,
                    2 => Decision::Soft,
                    _ => Decision::Undecided,
                };
                self.seen.insert(format!("a case ended {decision:?}"));
                close_case(*case, decision);
            }
            Op::Close(s, by_client) => {
                let who = if by_client { alice() } else { account(BOB) };
                if let Some(session) = pick_session(s) {
                    attempt(Call::close { session }, &who);
                }
            }
            Op::Expire(s) => {
                if let Some(session) = pick_session(s) {
                    attempt(Call::expire { session }, &account(BOB));
                }
            }
            Op::Electorate(missing) => NoElectorate::put(missing),
            Op::Room(room) => ServiceWeight::set(service_weight(room)),
            Op::Blocks(count) => {
                for _ in 0..count {
                    next_block();
                    self.honest_work();
                }
                let unaudited = |record: &frame_system::EventRecord<RuntimeEvent, H256>| {
                    matches!(
                        record.event,
                        RuntimeEvent::Sessions(Event::TakingsUnaudited { .. })
                    )
                };
                if System::events().iter().any(unaudited) {
                    self.seen.insert("dust was paid unaudited".into());
                }
            }
            Op::AskTwice(..) => {}
        }
    }

    fn check(&self) {
        for (at, side) in &self.sides {
            // A channel of a session that has ended was checked when it ended.
            let Some(record) = Channels::<Test>::get(at.0, &at.1) else {
                continue;
            };
            let rules = record.rules;
            if is_honest(&at.1) {
                let open = side.executor.unsettled().map_or(0, |(_, _, sum)| sum);
                assert_eq!(
                    side.earned,
                    rules.settled + open,
                    "all that was served is paid or open"
                );
                let slice = rules.slice_at(System::block_number());
                assert!(rules.settled + open <= slice, "honest work is covered");
            }
            if self.honest_client {
                let most = side.client.receipted() + side.client.at_risk();
                assert!(
                    rules.settled <= most,
                    "an honest client loses what is in flight"
                );
                assert!(side.client.at_risk() <= 200, "one request at a time");
            }
        }
        for slash in Slashes::get() {
            assert!(!is_honest(&slash.operator), "nobody honest is slashed");
        }
    }
}

fn slices() -> BTreeMap<(SessionId, AccountId), ChannelOf<Test>> {
    let channels = Channels::<Test>::iter();
    channels
        .map(|(id, who, channel)| ((id, who), channel))
        .collect()
}

fn service_weight(room: bool) -> Weight {
    match room {
        true => Weight::from_parts(1 << 40, 1 << 30),
        false => Weight::zero(),
    }
}

/// Everything that is anywhere.
fn issuance() -> Balance {
    Balances::total_issuance()
}

fn run(honest_client: bool, ops: Vec<Op>) -> BTreeSet<String> {
    let mut world = World {
        honest_client,
        sides: BTreeMap::new(),
        seen: BTreeSet::new(),
    };
    new_test_ext().execute_with(|| {
        let issued = issuance();
        // Else honest operators might have to wait longer than a window.
        Parameters::<Test>::mutate(|params| {
            params.max_settlements = 100;
            params.min_settlement = LEAST;
            params.audit_from = AUDITED;
        });
        for op in ops {
            let before = slices();
            let consents = matches!(op, Op::Consent(..));
            world.apply(op);
            for (at, old) in before {
                let Some(new) = Channels::<Test>::get(at.0, &at.1) else {
                    continue;
                };
                let convicted = new.rules.stopped == Some(Stop::Convicted);
                if !consents && !convicted {
                    assert!(shrank_lawfully(
                        &old.rules,
                        &new.rules,
                        System::block_number()
                    ));
                }
            }
            check_invariants();
            world.check();
            assert_eq!(issuance(), issued, "no planck is made or lost");
        }
        // Left alone, everything ends.
        NoElectorate::put(false);
        ServiceWeight::set(service_weight(true));
        for id in ids() {
            let _ = dispatch(Call::close { session: id }, &alice());
        }
        for _ in 0..30 {
            for _ in 0..10 {
                next_block();
                world.honest_work();
            }
            for (case, _) in OpenCases::iter().collect::<Vec<_>>() {
                close_case(case, Decision::Valid);
            }
            check_invariants();
            world.check();
        }
        assert_eq!(Sessions::<Test>::iter().count(), 0);
        assert_eq!(AllTakings::<Test>::iter().count(), 0);
        assert_eq!(Reports::<Test>::iter().count(), 0);
        assert_eq!(Draws::<Test>::iter().count(), 0);
        assert_eq!(in_pot(), 0);
        for reason in [HoldReason::Session, HoldReason::Storage, HoldReason::Report] {
            assert_eq!(held(reason), 0);
        }
        assert_eq!(issuance(), issued);
        for (at, side) in &world.sides {
            if is_honest(&at.1) {
                // Voids cost nothing, so those behind the last answer are never settled.
                let open = side.executor.unsettled().map_or(0, |(_, _, sum)| sum);
                assert_eq!(open, 0, "honest work was settled");
            }
        }
    });
    world.seen
}

#[test]
fn every_sequence_keeps_the_invariants() {
    let seen = RefCell::new(BTreeSet::new());
    // The same sequences every time, so that what they reach can be demanded.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = ProptestConfig {
        cases: 72,
        failure_persistence: None,
        ..Default::default()
    };
    let sequences = (any::<bool>(), prop::collection::vec(op(), 60..240));
    TestRunner::new_with_rng(config, rng)
        .run(&sequences, |(honest_client, ops)| {
            seen.borrow_mut().extend(run(honest_client, ops));
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    for reached in [
        "a case ended Valid",
        "a case ended Hard(Margin)",
        "a case ended Soft",
        "a case ended Undecided",
        "a hostile claim was taken",
        "an equivocation was proven",
        "fraud was proven",
        "a request was voided",
        "answers were shown",
        "dust was paid unaudited",
        "a report of a settled answer",
        "a report of a unsettled answer",
    ] {
        assert!(
            seen.contains(reached),
            "never seen: {reached}; seen: {seen:?}"
        );
    }
}
