//! How a poll is counted, and which delegations count in it. Weights are those of [`crate::credit::vote_weight`].

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::{PerThing, Perbill, Rounding};

/// What a poll is measured by, fixed when it is submitted, so that nothing earned or bought later counts in it.
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
pub struct Electorate {
    /// The epoch whose census counts.
    pub epoch: u32,
    /// Sum of the weights of all operators in it, whether they worked or not.
    pub weight: u64,
    /// Sum of their bonds, in planck.
    pub bond: u128,
}

/// Votes cast in a poll.
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
pub struct Count {
    pub ayes: u64,
    pub nays: u64,
    /// Bond of those who voted aye, in planck.
    pub aye_bond: u128,
}

impl Count {
    pub fn add(&mut self, aye: bool, weight: u64, bond: u128) {
        if aye {
            self.ayes = self.ayes.saturating_add(weight);
            self.aye_bond = self.aye_bond.saturating_add(bond);
        } else {
            self.nays = self.nays.saturating_add(weight);
        }
    }

    pub fn remove(&mut self, aye: bool, weight: u64, bond: u128) {
        if aye {
            self.ayes = self.ayes.saturating_sub(weight);
            self.aye_bond = self.aye_bond.saturating_sub(bond);
        } else {
            self.nays = self.nays.saturating_sub(weight);
        }
    }

    /// The part of all weight that is for it. Nothing where there is no weight: an empty electorate approves nothing.
    pub fn support(&self, electorate: &Electorate) -> Perbill {
        part(self.ayes, electorate.weight)
    }

    /// The part of the votes cast that is for it; nothing where none is cast, or nobody could.
    pub fn approval(&self, electorate: &Electorate) -> Perbill {
        if electorate.weight == 0 {
            return Perbill::zero();
        }
        part(self.ayes, self.ayes.saturating_add(self.nays))
    }

    /// Whether more than half of all bond is for it.
    pub fn has_bond(&self, electorate: &Electorate) -> bool {
        self.aye_bond > electorate.bond.saturating_sub(self.aye_bond)
    }
}

/// `a / b`, rounded down, at most 1; 0 of 0.
fn part(a: u64, b: u64) -> Perbill {
    if b == 0 {
        return Perbill::zero();
    }
    Perbill::from_rational_with_rounding(a.min(b), b, Rounding::Down).unwrap_or_default()
}

/// How long somebody's vote was another's, in blocks.
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
pub struct Span {
    pub since: u32,
    /// The first block in which it is not any more; `None`: it still is.
    pub until: Option<u32>,
}

impl Span {
    /// Whether it counts in a poll that was submitted in block `submitted`: it held when that block began, and was not
    /// ended before its end. So of the spans of one delegator, of which none begins before the last has ended, one counts.
    pub fn covers(&self, submitted: u32) -> bool {
        self.since < submitted && self.until.is_none_or(|until| until >= submitted)
    }
}
