//! What came of a run.

use super::people::Kind;
use chasqui_primitives::training::Failure;

/// What became of a liar that took part.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fate {
    pub kind: Kind,
    /// Rounds that it was a member of.
    pub rounds: u32,
    /// After how many of them it was put out, or dropped for what it did not do.
    pub thrown_out: Option<u32>,
    /// Rounds with false work that it was paid for.
    pub false_paid: u32,
    pub slashed: bool,
}

/// What came of a run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    pub finals: u32,
    pub voids: u32,
    /// Rolled back.
    pub undone: u32,
    pub failed: Option<Failure>,
    /// Blocks of each round, to the beginning of the next.
    pub lengths: Vec<u32>,
    /// Rounds of honest members that were paid.
    pub paid: u32,
    /// What honest members' machines could have trained in that time, in rounds.
    pub possible: f64,
    /// Rounds of honest members whose machines were there.
    pub available: f64,
    /// Rounds that liars were paid for, and of these such with false work.
    pub liars_paid: u32,
    pub false_paid: u32,
    /// Rounds of which honest members revealed their work.
    pub revealed: u32,
    /// Of these, how many were not paid through others' doing, and because the member was away or attested too late.
    pub lost_by_others: u32,
    pub lost_by_itself: u32,
    /// Honest members that were dropped because they were late or away twice in a row.
    pub honest_dropped: u32,
    pub honest_slashed: u32,
    pub fates: Vec<Fate>,
    /// Planck: what the run paid, what went from bonds and deposits to the reserve, and the fund's rest.
    pub paid_planck: u128,
    pub reserve_planck: u128,
    pub rest_planck: u128,
}

impl Outcome {
    /// Paid inner steps of those that honest machines could have taken.
    pub fn goodput(&self) -> f64 {
        f64::from(self.paid) / self.possible.max(1.0)
    }

    /// Paid member-rounds of those for which a machine was there.
    pub fn accepted(&self) -> f64 {
        f64::from(self.paid) / self.available.max(1.0)
    }

    /// A share of the revealed member-rounds.
    pub fn of_revealed(&self, rounds: u32) -> f64 {
        f64::from(rounds) / f64::from(self.revealed.max(1))
    }

    /// Of paid member-rounds, those with false work.
    pub fn falsely_paid(&self) -> f64 {
        f64::from(self.false_paid) / f64::from((self.paid + self.liars_paid).max(1))
    }

    /// Median length of a round, in blocks.
    pub fn round_blocks(&self) -> u32 {
        let mut lengths = self.lengths.clone();
        lengths.sort_unstable();
        lengths.get(lengths.len() / 2).copied().unwrap_or(0)
    }
}
