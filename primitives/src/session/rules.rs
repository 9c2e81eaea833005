//! The rules of a deposit, its slices and channels: pure, and run by the pallet, the worker and the tests alike.
//!
//! `B` is a block number. Nothing here reads a clock: whoever calls says what time it is.
//!
//! | invariant | kept by | checked by |
//! |---|---|---|
//! | I1 slices within the deposit; they shrink lawfully | [`Channel::grow`], [`Channel::apply_shrink`] | [`slices_within_deposit`], [`shrank_lawfully`] |
//! | I2 served only what the slice covers | the executor's book | [`Channel::may_serve`] |
//! | I3 settled in order, within slice and cap | [`Channel::settle`] | [`settled_in_order`] |
//! | I4 every planck has one leaf with a signed request | the settlement's root | [`tree::verify`](super::tree::verify), [`covered`](super::sample::covered) |
//! | I5 two answers are fraud, two requests equivocation | [`Channel::convict`], [`Channel::equivocate`] | [`receipts_conflict`](super::receipts_conflict), [`requests_conflict`](super::requests_conflict) |
//! | I6 a close window before anything falls away | [`Channel::retire`], [`Channel::announce_shrink`] | [`leaves_a_window`] |
//! | I7 settled money is pending until its case closes | the pallet's takings | [`settled_is_accounted`] |

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{tree::Claim, Seq, FIRST_SEQ};
use crate::Balance;
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::Perbill;

/// The share of a deposit that a session has to spend, or forfeit what is short of it. Else a client could open a
/// session, look at the committee that was drawn, close it and draw again until it likes what it sees.
pub const LEAST_SPENT: Perbill = Perbill::from_percent(20);

/// A session's deposit, in planck.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Deposit {
    /// Everything that was ever put in.
    pub paid_in: Balance,
    /// What left it for operators.
    pub settled: Balance,
    /// Sum of all slices, settled parts included.
    pub sliced: Balance,
}

/// Why a slice will be smaller.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Shrink<B> {
    /// The slice from block `until` on, or what is settled by then if that is more.
    pub to: Balance,
    pub until: B,
}

/// Why nothing more is served on a channel.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum Stop {
    /// The client signed two requests for one place. What was served stays settleable for a close window.
    #[codec(index = 0)]
    Equivocated,
    /// The operator was proven false. It is paid nothing more.
    #[codec(index = 1)]
    Convicted,
}

/// What the chain knows of one channel.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Debug,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Channel<B> {
    /// The most that this channel may ever be paid, in planck.
    pub slice: Balance,
    /// What it was paid, in planck.
    pub settled: Balance,
    /// The last request that is settled; 0 for none.
    pub last_seq: Seq,
    /// Counts changes of the slice other than by settling.
    pub version: u32,
    pub shrink: Option<Shrink<B>>,
    pub stopped: Option<Stop>,
}

impl<B> Default for Channel<B> {
    fn default() -> Self {
        Self {
            slice: 0,
            settled: 0,
            last_seq: 0,
            version: 0,
            shrink: None,
            stopped: None,
        }
    }
}

/// Why the rules do not allow something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A sum exceeds a balance.
    Overflow,
    /// More than what is free of the deposit.
    NotFree,
    /// The channel is stopped.
    Stopped,
    /// The slice is about to shrink.
    Shrinking,
    /// A slice cannot be larger than it is by shrinking.
    NotSmaller,
    /// No leaves, or more than there may be.
    LeafCount,
    /// It does not begin after the last settled request.
    NotNext,
    /// The last signed request is not the claim's last.
    OtherRequest,
    /// It claims nothing.
    NothingClaimed,
    /// More than the slice.
    BeyondSlice,
    /// More than the last signed request allows.
    BeyondCap,
}

impl Deposit {
    /// What no slice holds.
    pub fn free(&self) -> Balance {
        self.paid_in.saturating_sub(self.sliced)
    }

    /// What is still on hold.
    pub fn left(&self) -> Balance {
        self.paid_in.saturating_sub(self.settled)
    }

    pub fn pay_in(&mut self, amount: Balance) -> Result<(), Refusal> {
        self.paid_in = self.paid_in.checked_add(amount).ok_or(Refusal::Overflow)?;
        Ok(())
    }

    /// What a session that ends now forfeits, of what is left: it must have spent [`LEAST_SPENT`] of its deposit.
    pub fn forfeit(&self) -> Balance {
        LEAST_SPENT
            .mul_floor(self.paid_in)
            .saturating_sub(self.settled)
            .min(self.left())
    }
}

impl<B: PartialOrd + Copy> Channel<B> {
    /// The slice at `now`: an announced shrink binds from its block on, applied or not.
    pub fn slice_at(&self, now: B) -> Balance {
        match self.shrink {
            Some(Shrink { to, until }) if until <= now => to.max(self.settled).min(self.slice),
            _ => self.slice,
        }
    }

    /// The most that an operator may rely on for **new** requests (I2): what no announced shrink takes away.
    pub fn promised(&self) -> Balance {
        if self.stopped.is_some() {
            return self.settled;
        }
        let to = self.shrink.map_or(self.slice, |shrink| shrink.to);
        to.max(self.settled).min(self.slice)
    }

    /// I2: an operator serves a request only when its finalised slice is at least the request's cap.
    pub fn may_serve(&self, cap: Balance) -> bool {
        self.stopped.is_none() && cap <= self.promised()
    }

    fn resize(&mut self, deposit: &mut Deposit, slice: Balance) -> Result<(), Refusal> {
        let others = deposit
            .sliced
            .checked_sub(self.slice)
            .ok_or(Refusal::Overflow)?;
        let sliced = others.checked_add(slice).ok_or(Refusal::Overflow)?;
        if sliced > deposit.paid_in && slice > self.slice {
            return Err(Refusal::NotFree);
        }
        deposit.sliced = sliced;
        self.slice = slice;
        self.shrink = None;
        self.version = self.version.saturating_add(1);
        Ok(())
    }

    /// Takes an announced shrink into effect whose block has come. Returns what became free.
    pub fn apply_shrink(&mut self, deposit: &mut Deposit, now: B) -> Result<Balance, Refusal> {
        if self.shrink.is_none_or(|shrink| shrink.until > now) {
            return Ok(0);
        }
        let before = self.slice;
        self.resize(deposit, self.slice_at(now))?;
        Ok(before.saturating_sub(self.slice))
    }

    /// Gives the channel `amount` more, at once, out of what is free.
    pub fn grow(&mut self, deposit: &mut Deposit, amount: Balance, now: B) -> Result<(), Refusal> {
        self.apply_shrink(deposit, now)?;
        if self.stopped.is_some() {
            return Err(Refusal::Stopped);
        }
        if self.shrink.is_some() {
            return Err(Refusal::Shrinking);
        }
        let slice = self.slice.checked_add(amount).ok_or(Refusal::Overflow)?;
        self.resize(deposit, slice)
    }

    /// Says that the slice will be `to` from block `until` on: a close window from now. Another announcement takes the
    /// place of this one, with a window of its own; `to` as large as the slice calls it off.
    pub fn announce_shrink(
        &mut self,
        deposit: &mut Deposit,
        to: Balance,
        now: B,
        until: B,
    ) -> Result<(), Refusal> {
        self.apply_shrink(deposit, now)?;
        if self.stopped.is_some() {
            return Err(Refusal::Stopped);
        }
        if to > self.slice {
            return Err(Refusal::NotSmaller);
        }
        self.shrink = (to < self.slice).then_some(Shrink { to, until });
        self.version = self.version.saturating_add(1);
        Ok(())
    }

    /// Shrinks the slice at once, to what is settled at the least. Needs the operator's signature.
    pub fn shrink_now(
        &mut self,
        deposit: &mut Deposit,
        to: Balance,
        now: B,
    ) -> Result<(), Refusal> {
        self.apply_shrink(deposit, now)?;
        if to > self.slice {
            return Err(Refusal::NotSmaller);
        }
        self.resize(deposit, to.max(self.settled))
    }

    /// Nothing more is served on this channel, but what was stays settleable until `until`. An earlier end stands.
    pub fn retire(&mut self, deposit: &mut Deposit, now: B, until: B) -> Result<(), Refusal> {
        self.apply_shrink(deposit, now)?;
        let stands = self
            .shrink
            .is_some_and(|shrink| shrink.to <= self.settled && shrink.until <= until);
        if !stands {
            self.shrink = Some(Shrink {
                to: self.settled,
                until,
            });
            self.version = self.version.saturating_add(1);
        }
        Ok(())
    }

    /// The operator is drawn again: a slice that was to fall away stays.
    pub fn readmit(&mut self, deposit: &mut Deposit, now: B) -> Result<(), Refusal> {
        self.apply_shrink(deposit, now)?;
        if self.stopped.is_some() {
            return Err(Refusal::Stopped);
        }
        self.shrink = None;
        self.version = self.version.saturating_add(1);
        Ok(())
    }

    /// The client signed two requests for one place: the channel retires.
    pub fn equivocate(&mut self, deposit: &mut Deposit, now: B, until: B) -> Result<(), Refusal> {
        self.retire(deposit, now, until)?;
        self.stopped.get_or_insert(Stop::Equivocated);
        Ok(())
    }

    /// The operator was proven false: what is not settled goes back to the deposit at once.
    pub fn convict(&mut self, deposit: &mut Deposit) -> Result<(), Refusal> {
        self.stopped = Some(Stop::Convicted);
        self.resize(deposit, self.settled)
    }

    /// Pays a claim (I3): it begins after what is settled and stays within the slice and the cap of its last request.
    pub fn settle(
        &mut self,
        deposit: &mut Deposit,
        claim: &Claim,
        (request_seq, cap): (Seq, Balance),
        now: B,
    ) -> Result<(), Refusal> {
        self.apply_shrink(deposit, now)?;
        claim.leaves().ok_or(Refusal::LeafCount)?;
        if claim.sum == 0 {
            return Err(Refusal::NothingClaimed);
        }
        if self.last_seq.checked_add(FIRST_SEQ) != Some(claim.first) {
            return Err(Refusal::NotNext);
        }
        if claim.last != request_seq {
            return Err(Refusal::OtherRequest);
        }
        let settled = self
            .settled
            .checked_add(claim.sum)
            .ok_or(Refusal::Overflow)?;
        if settled > self.slice {
            return Err(Refusal::BeyondSlice);
        }
        if settled > cap {
            return Err(Refusal::BeyondCap);
        }
        deposit.settled = deposit
            .settled
            .checked_add(claim.sum)
            .ok_or(Refusal::Overflow)?;
        self.settled = settled;
        self.last_seq = claim.last;
        Ok(())
    }
}

/// How a fresh committee of `members` shares what is free: half to the primary, the rest in equal parts to the backups,
/// and everything to a primary without backups. What does not divide stays free. Returns the parts of the primary and
/// of each backup.
pub fn slices(free: Balance, members: u32) -> (Balance, Balance) {
    let Some(backups) = members.checked_sub(1) else {
        return (0, 0);
    };
    let half = free >> 1;
    match half.checked_div(Balance::from(backups)) {
        Some(each) => (half, each),
        None => (free, 0),
    }
}

/// I1: the slices add up to at most the deposit, and no channel was paid more than its slice.
pub fn slices_within_deposit<'a, B: 'a>(
    deposit: &Deposit,
    channels: impl Iterator<Item = &'a Channel<B>>,
) -> bool {
    let sums = channels.into_iter().try_fold(
        (Balance::default(), Balance::default()),
        |(sliced, settled), channel| {
            (channel.settled <= channel.slice).then_some(())?;
            Some((
                sliced.checked_add(channel.slice)?,
                settled.checked_add(channel.settled)?,
            ))
        },
    );
    sums == Some((deposit.sliced, deposit.settled)) && deposit.sliced <= deposit.paid_in
}

/// I1: a slice shrinks only with the operator's signature, or a close window after the announcement. For a step in
/// which the operator signed nothing and was not convicted.
pub fn shrank_lawfully<B: PartialOrd + Copy>(
    before: &Channel<B>,
    after: &Channel<B>,
    now: B,
) -> bool {
    after.slice >= before.slice_at(now)
}

/// I3: a settlement begins where the last one ended, and stays within slice and cap.
pub fn settled_in_order<B: PartialOrd + Copy>(
    before: &Channel<B>,
    after: &Channel<B>,
    claim: &Claim,
    cap: Balance,
    now: B,
) -> bool {
    before.last_seq.checked_add(1) == Some(claim.first)
        && after.last_seq == claim.last
        && before.settled.checked_add(claim.sum) == Some(after.settled)
        && after.settled <= before.slice_at(now).min(cap)
}

/// I6: whatever was promised stays settleable for a whole close window after an announcement.
pub fn leaves_a_window<B: PartialOrd + Copy>(
    before: &Channel<B>,
    after: &Channel<B>,
    window_end: B,
) -> bool {
    match (before.shrink, after.shrink) {
        (_, None) => true,
        // A window that runs already need not begin again for what it took away already.
        (Some(old), Some(new)) if new.until >= old.until && new.to >= old.to => true,
        (_, Some(new)) => new.until >= window_end,
    }
}

/// I7: settled money is pending until its case closes, and then paid or given back.
pub fn settled_is_accounted(
    settled: Balance,
    pending: Balance,
    paid: Balance,
    refunded: Balance,
) -> bool {
    pending
        .checked_add(paid)
        .and_then(|sum| sum.checked_add(refunded))
        == Some(settled)
}
