//! What both sides keep of a channel, so that whoever follows its book loses at most what is in flight.
//!
//! The client never signs a cap beyond what it has receipts for and the `max_price` of what it still waits for. The
//! executor never begins a request that its slice, as the finalised chain shows it, does not cover.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{rules::Channel, Seq, FIRST_SEQ};
use crate::Balance;
use alloc::collections::BTreeMap;
use parity_scale_codec::{Decode, Encode};
use sp_core::H256;

/// How many requests a client lets wait for their receipt on one channel, unless it says otherwise.
pub const IN_FLIGHT: u32 = 1;

/// Place and cap of a request that may be signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    pub seq: Seq,
    pub cap: Balance,
}

/// The client's side of one channel. It must outlive a crash: its encoding is for the client's own disk.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ClientBook {
    next: Seq,
    receipted: Balance,
    in_flight: BTreeMap<Seq, Balance>,
    most_in_flight: u32,
    highest_cap: Balance,
}

impl Default for ClientBook {
    fn default() -> Self {
        Self::new(IN_FLIGHT)
    }
}

impl ClientBook {
    /// A book that lets so many requests wait for their receipt.
    pub fn new(most_in_flight: u32) -> Self {
        Self {
            next: FIRST_SEQ,
            receipted: 0,
            in_flight: BTreeMap::new(),
            most_in_flight,
            highest_cap: 0,
        }
    }

    /// The book as it was written down: the next number, what all receipts cost, what waits for one with the most
    /// that it may cost, and the highest cap that was signed.
    pub fn restore(
        next: Seq,
        receipted: Balance,
        in_flight: impl IntoIterator<Item = (Seq, Balance)>,
        most_in_flight: u32,
        highest_cap: Balance,
    ) -> Self {
        Self {
            next: next.max(FIRST_SEQ),
            receipted,
            in_flight: in_flight.into_iter().collect(),
            most_in_flight,
            highest_cap,
        }
    }

    /// The highest cap that was signed.
    pub fn highest_cap(&self) -> Balance {
        self.highest_cap
    }

    /// The number of the next request.
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// What waits for a receipt, each with the most that it may cost, in order.
    pub fn waiting(&self) -> impl Iterator<Item = (Seq, Balance)> + '_ {
        self.in_flight
            .iter()
            .map(|(seq, max_price)| (*seq, *max_price))
    }

    /// What all receipts together cost.
    pub fn receipted(&self) -> Balance {
        self.receipted
    }

    /// The most that the operator can have been paid beyond what there are receipts for. It never exceeds what was in
    /// flight when the highest cap was signed: whoever is paid too much for one request is paid so much less for the
    /// next ones.
    pub fn at_risk(&self) -> Balance {
        self.highest_cap.saturating_sub(self.receipted)
    }

    /// What everything that waits for a receipt can cost at the most.
    pub fn in_flight(&self) -> Balance {
        self.in_flight
            .values()
            .fold(0, |sum, max_price| sum.saturating_add(*max_price))
    }

    /// The next request of at most `max_price`, if nothing speaks against it. It must be signed and sent, or sent again,
    /// and never be signed differently.
    pub fn next<B: PartialOrd + Copy>(
        &mut self,
        channel: &Channel<B>,
        max_price: Balance,
    ) -> Option<Slot> {
        if self.in_flight.len() >= self.most_in_flight as usize {
            return None;
        }
        let cap = self
            .receipted
            .checked_add(self.in_flight())?
            .checked_add(max_price)?;
        if !channel.may_serve(cap) {
            return None;
        }
        let seq = self.next;
        self.next = seq.checked_add(1)?;
        self.in_flight.insert(seq, max_price);
        self.highest_cap = self.highest_cap.max(cap);
        Some(Slot { seq, cap })
    }

    /// Takes a receipt that was checked. `false`: nothing waits for it, or it costs more than was allowed.
    pub fn receipt(&mut self, seq: Seq, price: Balance) -> bool {
        let Some(max_price) = self.in_flight.get(&seq) else {
            return false;
        };
        if price > *max_price {
            return false;
        }
        self.in_flight.remove(&seq);
        self.receipted = self.receipted.saturating_add(price);
        true
    }
}

/// What an executor does with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Compute it.
    Serve,
    /// It was answered before: send the same receipt again.
    Again,
    /// Another request of the same place was accepted before: both together stop the channel.
    Equivocation,
    /// Do not.
    Refuse(Reason),
}

/// Why an executor does not serve a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Not the next one.
    OutOfOrder,
    /// Its cap does not cover what was answered and itself.
    CapTooLow,
    /// The finalised slice does not cover its cap.
    SliceTooSmall,
    /// The one before is not answered yet.
    Busy,
    /// Too late to begin.
    Expired,
    /// The channel is stopped.
    Stopped,
    /// It may still be begun, so it is no time to void it.
    NotLapsed,
    /// It was answered.
    Answered,
}

/// What an executor does when it is asked to [void](super::Receipt::void) a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Void {
    /// Sign the void.
    Sign,
    /// It was voided before: send the same receipt again.
    Again,
    /// Another request of the same place was accepted before: both together stop the channel.
    Equivocation,
    /// Do not.
    Refuse(Reason),
}

/// What an executor needs to know of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    pub seq: Seq,
    pub hash: H256,
    pub max_price: Balance,
    pub cap: Balance,
    pub valid_until: u32,
}

/// The executor's side of one channel. Requests are served one after the other. It must outlive a crash: its encoding is
/// for the executor's own disk, and safe there before a receipt leaves.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct ExecutorBook {
    /// Accepted requests that are not settled, each with its cap, and its price once it is answered.
    accepted: BTreeMap<Seq, (H256, Balance, Option<Balance>)>,
    last: Seq,
    /// What all answers ever cost.
    receipted: Balance,
    stopped: bool,
}

impl ExecutorBook {
    /// The book as it was written down: the last accepted number, what all answers ever cost, whether the channel is
    /// stopped, and those accepted requests that may come up again: number, hash, cap, and the price once there is an
    /// answer.
    pub fn restore(
        last: Seq,
        receipted: Balance,
        stopped: bool,
        accepted: impl IntoIterator<Item = (Seq, H256, Balance, Option<Balance>)>,
    ) -> Self {
        Self {
            accepted: accepted
                .into_iter()
                .map(|(seq, hash, cap, price)| (seq, (hash, cap, price)))
                .collect(),
            last,
            receipted,
            stopped,
        }
    }

    /// The last accepted number; 0 for none.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// Whether the client equivocated.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// What all answers together cost.
    pub fn receipted(&self) -> Balance {
        self.receipted
    }

    /// Whether to serve a request, by the channel as the finalised chain shows it at block `now`.
    pub fn take<B: PartialOrd + Copy>(
        &mut self,
        asked: &Asked,
        channel: &Channel<B>,
        now: u32,
    ) -> Answer {
        if let Some((hash, _, price)) = self.accepted.get(&asked.seq) {
            return match (*hash == asked.hash, price) {
                (false, _) => {
                    self.stopped = true;
                    Answer::Equivocation
                }
                (true, Some(_)) => Answer::Again,
                (true, None) => Answer::Refuse(Reason::Busy),
            };
        }
        let reason = if self.stopped || channel.stopped.is_some() {
            Reason::Stopped
        } else if self.accepted.values().any(|(_, _, price)| price.is_none()) {
            Reason::Busy
        } else if self.last.checked_add(1) != Some(asked.seq) {
            Reason::OutOfOrder
        } else if asked.valid_until < now {
            Reason::Expired
        } else if self
            .receipted
            .checked_add(asked.max_price)
            .is_none_or(|need| asked.cap < need)
        {
            Reason::CapTooLow
        } else if !channel.may_serve(asked.cap) {
            Reason::SliceTooSmall
        } else {
            self.last = asked.seq;
            self.accepted
                .insert(asked.seq, (asked.hash, asked.cap, None));
            return Answer::Serve;
        };
        Answer::Refuse(reason)
    }

    /// Whether to void a request of which block `valid_until` has passed: one that nobody began, or one that was begun and
    /// cannot be answered any more. Else a request that lapsed would block its channel, because its number cannot be
    /// signed again.
    ///
    /// A void costs nothing, so the slice does not matter. Its cap does: it may be the last request of a settlement,
    /// which then has to cover everything before it.
    pub fn void<B>(&mut self, asked: &Asked, channel: &Channel<B>, now: u32) -> Void {
        let held = self.accepted.get(&asked.seq);
        if let Some((hash, _, price)) = held {
            match (*hash == asked.hash, price) {
                (false, _) => {
                    self.stopped = true;
                    return Void::Equivocation;
                }
                (true, Some(0)) => return Void::Again,
                (true, Some(_)) => return Void::Refuse(Reason::Answered),
                (true, None) => {}
            }
        }
        let known = held.is_some();
        let others_wait = self
            .accepted
            .iter()
            .any(|(seq, (_, _, price))| *seq != asked.seq && price.is_none());
        let reason = if asked.valid_until >= now {
            Reason::NotLapsed
        } else if known {
            // What was accepted stands, whatever has become of the channel.
            self.answered(asked.seq, 0);
            return Void::Sign;
        } else if self.stopped || channel.stopped.is_some() {
            Reason::Stopped
        } else if others_wait {
            Reason::Busy
        } else if self.last.checked_add(1) != Some(asked.seq) {
            Reason::OutOfOrder
        } else if asked.cap < self.receipted {
            Reason::CapTooLow
        } else {
            self.last = asked.seq;
            self.accepted
                .insert(asked.seq, (asked.hash, asked.cap, Some(0)));
            return Void::Sign;
        };
        Void::Refuse(reason)
    }

    /// Notes the price of an answer, before its receipt is signed. `false`: nothing of that number waits for one.
    pub fn answered(&mut self, seq: Seq, price: Balance) -> bool {
        match self.accepted.get_mut(&seq) {
            Some((_, _, slot @ None)) => {
                *slot = Some(price);
                self.receipted = self.receipted.saturating_add(price);
                true
            }
            _ => false,
        }
    }

    /// The answers that are not settled: numbers from first to last, and what they cost together.
    pub fn unsettled(&self) -> Option<(Seq, Seq, Balance)> {
        let mut answered = self
            .accepted
            .iter()
            .filter_map(|(seq, (_, _, price))| price.map(|price| (*seq, price)));
        let (first, price) = answered.next()?;
        let (last, sum) = answered.fold((first, price), |(_, sum), (seq, price)| {
            (seq, sum.saturating_add(price))
        });
        Some((first, last, sum))
    }

    /// Forgets what the chain has settled, up to `last`.
    pub fn settled(&mut self, last: Seq) {
        self.accepted.retain(|seq, _| *seq > last);
    }
}
