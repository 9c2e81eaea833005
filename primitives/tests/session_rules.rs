//! Channels, slices and both sides' books, under whatever either side does.
//!
//! A client and three operators act at random, each honest or hostile for a whole run. Messages are lost, repeated and
//! late; blocks pass. After every step the invariants I1 to I7 hold, no planck is made or lost, an honest client has
//! risked at most the `max_price` of what it waits for on each channel, and an honest operator that settles in time has
//! lost nothing.

use chasqui_primitives::session::{
    books::{Answer, Asked, ClientBook, ExecutorBook},
    rules::*,
    tree::{self, Claim, Leaf},
    FIRST_SEQ,
};
use proptest::prelude::*;
use sp_core::H256;
use std::collections::BTreeMap;

const OPERATORS: usize = 3;
/// Blocks between the announcement of a smaller slice and its effect.
const WINDOW: u32 = 6;
/// An honest operator settles when it has not for so long: well within the window.
const SETTLE_WITHIN: u32 = 4;

#[derive(Clone, Debug)]
enum Op {
    PayIn(u128),
    Grow(usize, u128),
    Announce(usize, u128),
    /// The client asks the operator to give up some of its slice.
    Consent(usize, u128),
    Retire(usize),
    Readmit(usize),
    /// The client signs the next request.
    Ask(usize, u128),
    /// A hostile client signs something else for a place that it used.
    AskTwice(usize, u128),
    /// A hostile client signs any cap.
    AskWith(usize, u128, u128),
    /// The newest request arrives, or an older one once more.
    Deliver(usize, usize),
    /// The receipt of it arrives, or an older one once more.
    Receipt(usize, usize),
    Settle(usize),
    /// A hostile operator claims what it likes.
    Claim(usize, u64, u128),
    /// Two requests for one place are shown to the chain.
    ShowEquivocation(usize),
    Convict(usize),
    /// The case over an operator's pending money closes; the bool says whether it is paid.
    Close(usize, bool),
    Blocks(u32),
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..OPERATORS;
    let any_amount = || prop_oneof![0..200u128, Just(u128::MAX)];
    prop_oneof![
        1 => any_amount().prop_map(Op::PayIn),
        3 => (who(), any_amount()).prop_map(|(who, amount)| Op::Grow(who, amount)),
        2 => (who(), any_amount()).prop_map(|(who, to)| Op::Announce(who, to)),
        1 => (who(), 0..200u128).prop_map(|(who, to)| Op::Consent(who, to)),
        1 => who().prop_map(Op::Retire),
        1 => who().prop_map(Op::Readmit),
        12 => (who(), 1..40u128).prop_map(|(who, max)| Op::Ask(who, max)),
        1 => (who(), 1..40u128).prop_map(|(who, max)| Op::AskTwice(who, max)),
        2 => (who(), 1..40u128, 0..200u128).prop_map(|(who, max, cap)| Op::AskWith(who, max, cap)),
        12 => (who(), prop_oneof![3 => Just(0usize), 1 => 1..4usize]).prop_map(|(who, back)| Op::Deliver(who, back)),
        9 => (who(), prop_oneof![3 => Just(0usize), 1 => 1..4usize]).prop_map(|(who, back)| Op::Receipt(who, back)),
        3 => who().prop_map(Op::Settle),
        2 => (who(), 0..4u64, any_amount()).prop_map(|(who, count, sum)| Op::Claim(who, count, sum)),
        1 => who().prop_map(Op::ShowEquivocation),
        1 => who().prop_map(Op::Convict),
        1 => (who(), any::<bool>()).prop_map(|(who, paid)| Op::Close(who, paid)),
        4 => (1..4u32).prop_map(Op::Blocks),
    ]
}

/// A request as both sides know it.
#[derive(Clone, Debug)]
struct Sent {
    asked: Asked,
    /// Once it is answered.
    price: Option<u128>,
}

#[derive(Default)]
struct Side {
    client: ClientBook,
    executor: ExecutorBook,
    /// Everything that the client ever signed for this channel, in the order signed.
    sent: Vec<Sent>,
    /// Whether the client signed only what its book allowed.
    kept_book: bool,
    /// When the operator last had nothing to settle.
    clear_since: u32,
    /// Settled money that no case has closed over, and what became of the rest.
    pending: u128,
    paid: u128,
    refunded: u128,
    /// What an honest operator computed for.
    earned: u128,
}

struct World {
    now: u32,
    deposit: Deposit,
    channels: [Channel<u32>; OPERATORS],
    sides: [Side; OPERATORS],
    honest_client: bool,
    honest: [bool; OPERATORS],
}

impl World {
    fn new(honest_client: bool, honest: [bool; OPERATORS]) -> Self {
        let mut deposit = Deposit::default();
        deposit.pay_in(1_000).unwrap();
        let mut channels = [Channel::default(); OPERATORS];
        let (primary, backup) = slices(deposit.free(), OPERATORS as u32);
        for (channel, amount) in channels.iter_mut().zip([primary, backup, backup]) {
            channel.grow(&mut deposit, amount, 0).unwrap();
        }
        let side = || Side {
            kept_book: true,
            ..Default::default()
        };
        World {
            now: 0,
            deposit,
            channels,
            sides: [side(), side(), side()],
            honest_client,
            honest,
        }
    }

    fn sign(&mut self, who: usize, seq: u64, max_price: u128, cap: u128) {
        let number = self.sides[who].sent.len() as u64;
        let asked = Asked {
            seq,
            hash: H256::from_low_u64_be(number + 1),
            max_price,
            cap,
            valid_until: self.now + 3,
        };
        self.sides[who].sent.push(Sent { asked, price: None });
    }

    /// The request that lies `back` before the newest one.
    fn sent(&self, who: usize, back: usize) -> Option<usize> {
        self.sides[who].sent.len().checked_sub(back + 1)
    }

    fn deliver(&mut self, who: usize, back: usize) {
        let Some(index) = self.sent(who, back) else {
            return;
        };
        let asked = self.sides[who].sent[index].asked;
        let channel = self.channels[who];
        let side = &mut self.sides[who];
        if side.executor.take(&asked, &channel, self.now) != Answer::Serve {
            return;
        }
        // I2: whoever follows its book has a slice that covers the cap.
        assert!(channel.may_serve(asked.cap) && asked.cap <= channel.slice_at(self.now));
        let price = match self.honest[who] {
            true => asked.max_price / 2 + asked.max_price % 2,
            false => asked.max_price,
        };
        assert!(side.executor.answered(asked.seq, price));
        assert!(!side.executor.answered(asked.seq, price));
        side.sent[index].price = Some(price);
        side.earned += price;
    }

    fn receipt(&mut self, who: usize, back: usize) {
        let Some(index) = self.sent(who, back) else {
            return;
        };
        let sent = self.sides[who].sent[index].clone();
        if let Some(price) = sent.price {
            // A hostile operator asks for more than was allowed: nobody takes that.
            if self.sides[who].kept_book {
                let (seq, most) = (sent.asked.seq, sent.asked.max_price);
                assert!(!self.sides[who].client.receipt(seq, most + 1));
            }
            self.sides[who].client.receipt(sent.asked.seq, price);
        }
    }

    /// The largest cap that the client signed for a place, and the place's leaves that an operator can show.
    fn cap(&self, who: usize, seq: u64) -> Option<u128> {
        let caps = self.sides[who]
            .sent
            .iter()
            .filter(|sent| sent.asked.seq == seq);
        caps.map(|sent| sent.asked.cap).max()
    }

    fn submit(&mut self, who: usize, claim: &Claim) -> bool {
        // I4: without a request that the client signed there is nothing to submit.
        let Some(cap) = self.cap(who, claim.last) else {
            return false;
        };
        let (before, deposit) = (self.channels[who], self.deposit);
        let now = self.now;
        let mut channel = before;
        let done = channel.settle(&mut self.deposit, claim, (claim.last, cap), now);
        if done.is_err() {
            self.deposit = deposit;
            return false;
        }
        assert!(settled_in_order(&before, &channel, claim, cap, now));
        self.channels[who] = channel;
        self.sides[who].pending += claim.sum;
        self.sides[who].executor.settled(claim.last);
        true
    }

    /// Claims everything that was answered; whether there was something, and whether the chain took it.
    fn settle(&mut self, who: usize) -> Option<bool> {
        let (first, last, sum) = self.sides[who].executor.unsettled()?;
        let mut prices = BTreeMap::new();
        for sent in &self.sides[who].sent {
            if let Some(price) = sent.price {
                prices.insert(sent.asked.seq, (sent.asked.hash, price));
            }
        }
        let leaves: Vec<Leaf> = (first..=last)
            .map(|seq| Leaf {
                seq,
                request: prices[&seq].0,
                receipt: prices[&seq].0,
                price: prices[&seq].1,
            })
            .collect();
        let claim = tree::claim(&leaves).unwrap();
        assert_eq!(claim.sum, sum);
        // I4: every planck has one leaf with a signed request.
        for planck in [0, sum / 2, sum - 1] {
            let index = tree::covering(&leaves, planck).unwrap();
            let proof = tree::prove(&leaves, index).unwrap();
            assert!(tree::verify(&claim, &leaves[index as usize], &proof)
                .unwrap()
                .contains(&planck));
        }
        Some(self.submit(who, &claim))
    }

    fn apply(&mut self, op: Op) {
        let now = self.now;
        let until = now + WINDOW;
        let before = self.channels;
        let mut deposit = self.deposit;
        let mut signed = None;
        match op {
            Op::PayIn(amount) => {
                if deposit.pay_in(amount).is_ok() && deposit.paid_in < 1 << 60 {
                    self.deposit = deposit;
                }
            }
            Op::Grow(who, amount) => self.change(who, |c, d| c.grow(d, amount, now)),
            Op::Announce(who, to) => {
                self.change(who, |c, d| c.announce_shrink(d, to, now, until));
            }
            Op::Consent(who, to) => {
                // An honest operator settles first, and gives up only what no request may need.
                if self.honest[who] {
                    self.settle(who);
                    let open = self.sides[who].executor.unsettled().is_some();
                    let promised = self.sides[who].sent.iter().map(|sent| sent.asked.cap).max();
                    if open || promised.unwrap_or(0) > to {
                        return;
                    }
                }
                signed = Some(who);
                self.change(who, |c, d| c.shrink_now(d, to, now));
            }
            Op::Retire(who) => self.change(who, |c, d| c.retire(d, now, until)),
            Op::Readmit(who) => self.change(who, |c, d| c.readmit(d, now)),
            Op::Ask(who, max) => {
                let channel = self.channels[who];
                if let Some(slot) = self.sides[who].client.next(&channel, max) {
                    self.sign(who, slot.seq, max, slot.cap);
                }
            }
            Op::AskTwice(who, max) if !self.honest_client => {
                if let Some(last) = self.sides[who].sent.last().cloned() {
                    self.sides[who].kept_book = false;
                    self.sign(who, last.asked.seq, max, last.asked.cap.saturating_add(1));
                }
            }
            Op::AskWith(who, max, cap) if !self.honest_client => {
                self.sides[who].kept_book = false;
                let seq = self.sides[who]
                    .sent
                    .last()
                    .map_or(FIRST_SEQ, |last| last.asked.seq + 1);
                self.sign(who, seq, max, cap);
            }
            Op::AskTwice(..) | Op::AskWith(..) => {}
            Op::Deliver(who, back) => self.deliver(who, back),
            Op::Receipt(who, back) => self.receipt(who, back),
            Op::Settle(who) => {
                self.settle(who);
            }
            Op::Claim(who, count, sum) if !self.honest[who] => {
                let first = self.channels[who].last_seq + 1;
                let claim = Claim {
                    root: H256::zero(),
                    sum,
                    first,
                    last: (first + count).saturating_sub(1),
                };
                self.submit(who, &claim);
            }
            Op::ShowEquivocation(who) => {
                let sent = &self.sides[who].sent;
                let twice = sent.iter().enumerate().any(|(n, a)| {
                    sent[..n]
                        .iter()
                        .any(|b| b.asked.seq == a.asked.seq && b.asked.hash != a.asked.hash)
                });
                if twice {
                    self.change(who, |c, d| c.equivocate(d, now, until));
                }
            }
            Op::Convict(who) if !self.honest[who] => {
                signed = Some(who);
                self.change(who, |c, d| c.convict(d));
            }
            Op::Claim(..) | Op::Convict(_) => {}
            Op::Close(who, paid) => {
                // What honest work earned is found valid.
                let side = &mut self.sides[who];
                let amount = core::mem::take(&mut side.pending);
                match paid || self.honest[who] {
                    true => side.paid += amount,
                    false => side.refunded += amount,
                }
            }
            Op::Blocks(count) => (0..count).for_each(|_| self.next_block()),
        }
        for (who, (old, new)) in before.iter().zip(&self.channels).enumerate() {
            if signed != Some(who) {
                assert!(shrank_lawfully(old, new, self.now), "I1: {old:?} {new:?}");
            }
            assert!(leaves_a_window(old, new, until), "I6: {old:?} {new:?}");
        }
    }

    fn change(
        &mut self,
        who: usize,
        change: impl FnOnce(&mut Channel<u32>, &mut Deposit) -> Result<(), Refusal>,
    ) {
        let (mut channel, mut deposit) = (self.channels[who], self.deposit);
        if change(&mut channel, &mut deposit).is_ok() {
            (self.channels[who], self.deposit) = (channel, deposit);
        }
    }

    fn next_block(&mut self) {
        self.now += 1;
        for who in 0..OPERATORS {
            if self.sides[who].executor.unsettled().is_none() {
                self.sides[who].clear_since = self.now;
            } else if self.honest[who] && self.now >= self.sides[who].clear_since + SETTLE_WITHIN {
                assert_eq!(self.settle(who), Some(true), "honest work is paid");
                self.sides[who].clear_since = self.now;
            }
        }
    }

    fn check(&self) {
        assert!(
            slices_within_deposit(&self.deposit, self.channels.iter()),
            "I1"
        );
        let mut everywhere = self.deposit.left();
        for who in 0..OPERATORS {
            let (channel, side) = (&self.channels[who], &self.sides[who]);
            assert!(
                settled_is_accounted(channel.settled, side.pending, side.paid, side.refunded),
                "I7"
            );
            everywhere += side.pending + side.paid + side.refunded;
            if side.kept_book {
                // Whatever the operator does, it gets no more than what the client holds receipts for, and the
                // price of one request.
                let most = side.client.receipted() + side.client.at_risk();
                assert!(
                    channel.settled <= most,
                    "an honest client loses what is in flight"
                );
                assert!(side.client.at_risk() <= 40, "one request at a time");
            }
            if self.honest[who] {
                // Whatever the client does, what was computed is settled or can be.
                let open = side.executor.unsettled().map_or(0, |(_, _, sum)| sum);
                assert_eq!(side.earned, channel.settled + open);
                assert!(
                    channel.settled + open <= channel.slice_at(self.now),
                    "honest work is covered"
                );
            }
        }
        assert_eq!(
            everywhere, self.deposit.paid_in,
            "no planck is made or lost"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..Default::default() })]

    #[test]
    fn nobody_honest_loses_more_than_is_in_flight(
        client in any::<bool>(),
        honest in any::<[bool; OPERATORS]>(),
        ops in prop::collection::vec(op(), 1..160),
    ) {
        let mut world = World::new(client, honest);
        world.check();
        for op in ops {
            world.apply(op);
            world.check();
        }
    }

    #[test]
    fn a_deposit_is_shared_out_without_a_rest_that_is_owed(free in any::<u128>(), members in 0..9u32) {
        let (primary, backup) = slices(free, members);
        let backups = u128::from(members.saturating_sub(1));
        let given = backup.checked_mul(backups).and_then(|sum| sum.checked_add(primary)).unwrap();
        prop_assert!(given <= free);
        match members {
            0 => prop_assert_eq!(given, 0),
            1 => prop_assert_eq!(given, free),
            _ => prop_assert!(primary == free / 2 && free / 2 + primary - given < backups),
        }
    }

    #[test]
    fn a_session_spends_a_fifth_or_forfeits_it(paid_in in 0..1u128 << 100, settled in any::<u128>()) {
        let settled = settled.min(paid_in);
        let deposit = Deposit { paid_in, settled, sliced: settled };
        let spent = settled + deposit.forfeit();
        prop_assert!(spent <= paid_in && spent >= paid_in / 5);
        prop_assert!(settled < paid_in / 5 || deposit.forfeit() == 0);
    }
}

fn funded(amount: u128) -> (Deposit, Channel<u32>) {
    let mut deposit = Deposit::default();
    deposit.pay_in(amount).unwrap();
    let mut channel = Channel::default();
    channel.grow(&mut deposit, amount, 0).unwrap();
    (deposit, channel)
}

fn claim(first: u64, last: u64, sum: u128) -> Claim {
    Claim {
        root: H256::zero(),
        sum,
        first,
        last,
    }
}

#[test]
fn a_claim_outside_the_rules_is_refused() {
    // GIVEN a channel of 100
    let (mut deposit, mut channel) = funded(100);
    let mut settle = |claim: Claim, seq, cap| {
        let before = (deposit, channel);
        let done = channel.settle(&mut deposit, &claim, (seq, cap), 0);
        assert_eq!(done.is_err(), before == (deposit, channel));
        done
    };
    // WHEN claims break one rule each THEN each is refused for that
    assert_eq!(settle(claim(2, 3, 5), 3, 100), Err(Refusal::NotNext));
    assert_eq!(settle(claim(1, 3, 5), 2, 100), Err(Refusal::OtherRequest));
    assert_eq!(settle(claim(1, 0, 5), 0, 100), Err(Refusal::LeafCount));
    assert_eq!(settle(claim(1, 1, 0), 1, 100), Err(Refusal::NothingClaimed));
    assert_eq!(settle(claim(1, 1, 101), 1, 200), Err(Refusal::BeyondSlice));
    assert_eq!(settle(claim(1, 1, 50), 1, 49), Err(Refusal::BeyondCap));
    assert_eq!(
        settle(claim(1, 1, u128::MAX), 1, u128::MAX),
        Err(Refusal::BeyondSlice)
    );
    // AND what keeps them is paid, once
    assert_eq!(settle(claim(1, 2, 60), 2, 60), Ok(()));
    assert_eq!(settle(claim(1, 2, 30), 2, 100), Err(Refusal::NotNext));
    assert_eq!(settle(claim(3, 3, 30), 3, 89), Err(Refusal::BeyondCap));
    assert_eq!(settle(claim(3, 3, 40), 3, 100), Ok(()));
}

#[test]
fn a_shrunk_slice_pays_until_its_window_ends() {
    // GIVEN a slice of 100 that is announced to become 20 from block 5 on
    let (mut deposit, mut channel) = funded(100);
    channel.announce_shrink(&mut deposit, 20, 0, 5).unwrap();
    // WHEN a request comes THEN only 20 are promised
    assert!(channel.may_serve(20) && !channel.may_serve(21));
    // AND until the window ends, what was served before is paid
    let mut early = (deposit, channel);
    assert_eq!(
        early.1.settle(&mut early.0, &claim(1, 1, 90), (1, 90), 4),
        Ok(())
    );
    let freed = early.1.apply_shrink(&mut early.0, 5);
    assert_eq!((freed, early.1.slice), (Ok(10), 90));
    // AND then no more
    assert_eq!(
        channel.settle(&mut deposit, &claim(1, 1, 90), (1, 90), 5),
        Err(Refusal::BeyondSlice)
    );
    assert_eq!((channel.slice, deposit.free()), (20, 80));
}

#[test]
fn a_stopped_channel_is_neither_grown_nor_drawn_again() {
    for convicted in [false, true] {
        // GIVEN a channel that is stopped, with 30 settled
        let (mut deposit, mut channel) = funded(100);
        channel
            .settle(&mut deposit, &claim(1, 1, 30), (1, 30), 0)
            .unwrap();
        match convicted {
            true => channel.convict(&mut deposit).unwrap(),
            false => channel.equivocate(&mut deposit, 0, 5).unwrap(),
        }
        // WHEN the client would use it again THEN it cannot
        assert_eq!(channel.grow(&mut deposit, 0, 0), Err(Refusal::Stopped));
        assert_eq!(channel.readmit(&mut deposit, 0), Err(Refusal::Stopped));
        assert_eq!(
            channel.announce_shrink(&mut deposit, 0, 0, 9),
            Err(Refusal::Stopped)
        );
        assert!(!channel.may_serve(0));
        // AND an equivocating client still pays what was served
        let paid = channel.settle(&mut deposit, &claim(2, 2, 70), (2, 100), 4);
        assert_eq!(paid.is_ok(), !convicted);
        assert_eq!(deposit.free(), if convicted { 70 } else { 0 });
    }
}

#[test]
fn a_growth_calls_for_what_is_free() {
    let (mut deposit, mut channel) = funded(100);
    deposit.pay_in(10).unwrap();
    assert_eq!(channel.grow(&mut deposit, 11, 0), Err(Refusal::NotFree));
    assert_eq!(
        channel.grow(&mut deposit, u128::MAX, 0),
        Err(Refusal::Overflow)
    );
    channel.announce_shrink(&mut deposit, 50, 0, 5).unwrap();
    assert_eq!(channel.grow(&mut deposit, 10, 0), Err(Refusal::Shrinking));
    // A shrink to what it is calls the announcement off.
    channel.announce_shrink(&mut deposit, 100, 1, 9).unwrap();
    assert_eq!(channel.grow(&mut deposit, 10, 1), Ok(()));
    assert_eq!(deposit.free(), 0);
}
