//! Operators with their machines: honest ones, and liars of several kinds.

use super::{
    chance::Chance,
    scenario::{Condition, HELD_UP, SPEEDS, TRAINING},
    Who,
};
use core::ops::Range;

/// What an operator is like.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Honest,
    /// Leaves out the last tenth of its steps.
    SkipsTenth,
    /// Leaves out the last half of its steps.
    SkipsHalf,
    /// Makes its pseudo-gradient up.
    Invents,
    /// Leaves out half, and serves nothing where the segments that are picked would show it.
    Hides,
    /// Commits, and does not reveal in every other round.
    Withholds,
    /// Reveals, and serves nobody.
    Hoards,
    /// Says that the round ends in another model, the same as others of its kind, and now and then challenges the right
    /// one.
    Misleads,
}

impl Kind {
    pub const LIARS: [Self; 7] = [
        Self::SkipsTenth,
        Self::SkipsHalf,
        Self::Invents,
        Self::Hides,
        Self::Withholds,
        Self::Hoards,
        Self::Misleads,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::SkipsTenth => "leaves out a tenth of its steps",
            Self::SkipsHalf => "leaves out half of its steps",
            Self::Invents => "invents its pseudo-gradient",
            Self::Hides => "leaves out half, serves nothing where that would show",
            Self::Withholds => "does not reveal every other round",
            Self::Hoards => "reveals, serves nobody",
            Self::Misleads => "votes for another model, now and then challenges the right one",
        }
    }

    /// Steps of a round of so many that it does not take.
    pub fn skips(self, steps: u32) -> Range<u32> {
        let from = match self {
            Self::SkipsTenth => steps - steps / 10,
            Self::SkipsHalf | Self::Hides => steps / 2,
            Self::Invents => 0,
            _ => steps,
        };
        from..steps
    }
}

/// What a machine is at: the round, and how much of its training is left, in blocks.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    pub round: u32,
    all: f64,
    left: f64,
    /// Since when it has gone on without a stop.
    since: Option<u32>,
}

impl Training {
    pub fn begin(round: u32, blocks: f64, now: u32) -> Self {
        Self {
            round,
            all: blocks,
            left: blocks,
            since: Some(now),
        }
    }

    /// The block in which it is done, if nothing stops it.
    pub fn ends(&self, now: u32) -> u32 {
        self.since.unwrap_or(now) + self.left as u32 + 1
    }

    /// The process dies: it goes on from the last kept state.
    pub fn stop(&mut self, now: u32, segments: u32) {
        if let Some(since) = self.since.take() {
            let segment = self.all / f64::from(segments);
            let left = (self.left - f64::from(now.saturating_sub(since))).max(0.0);
            self.left = self.all.min((left / segment).ceil() * segment);
        }
    }

    pub fn go_on(&mut self, now: u32) {
        self.since.get_or_insert(now);
    }
}

/// An operator.
#[derive(Clone, Debug)]
pub struct Person {
    pub kind: Kind,
    /// Blocks that its machine trains for in a round.
    pub pace: f64,
    /// How long its fetching takes, the median's being 1.
    pub network: f64,
    /// Its process runs.
    pub up: bool,
    /// Nobody reaches it, nor it the chain.
    pub cut: bool,
    /// It has left for good.
    pub gone: bool,
    /// When it has the base, once it has begun to fetch it.
    pub has_base: Option<u32>,
    pub training: Option<Training>,
    /// Names what it has planned: older plans are void.
    pub plan: u32,
    /// The last round in which nobody reached it for a time.
    pub out: Option<u32>,
    /// Rounds that it was a member of.
    pub rounds: u32,
    pub thrown_out: Option<u32>,
}

impl Person {
    pub fn new(seed: u64, who: Who, kind: Kind, condition: &Condition) -> Self {
        let mut chance = Chance::of(&[seed, 1, u64::from(who)]);
        let spread = if condition.ideal { 0.0 } else { SPEEDS };
        Self {
            kind,
            pace: TRAINING * chance.lognormal(spread),
            network: chance.lognormal(2.0 * spread),
            up: true,
            cut: false,
            gone: false,
            has_base: None,
            training: None,
            plan: 0,
            out: None,
            rounds: 0,
            thrown_out: None,
        }
    }

    pub fn is_honest(&self) -> bool {
        self.kind == Kind::Honest
    }

    /// Whether it and the network see each other.
    pub fn is_reachable(&self) -> bool {
        self.up && !self.cut && !self.gone
    }

    /// Whether its machine could train.
    pub fn is_there(&self) -> bool {
        self.up && !self.gone
    }

    /// Blocks that it trains for in this round: its pace, less what it leaves out, and what holds it up.
    pub fn blocks(
        &self,
        seed: u64,
        who: Who,
        round: u32,
        steps: u32,
        condition: &Condition,
    ) -> f64 {
        let mut chance = Chance::of(&[seed, 2, u64::from(who), u64::from(round)]);
        let skipped = f64::from(self.kind.skips(steps).len() as u32) / f64::from(steps);
        let held_up = !condition.ideal && chance.happens(HELD_UP);
        let factor = if held_up { chance.pareto() } else { 1.0 };
        (self.pace * (1.0 - skipped) * factor).max(1.0)
    }
}
