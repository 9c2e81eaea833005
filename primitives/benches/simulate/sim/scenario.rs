//! What is simulated: the terms of the run, what its members are like, and what the network does to them.

use chasqui_primitives::training::{
    AuditTerms, Codec, InnerOptimizer, Outer, Recipe, RunTerms, Schedule, Start, Timing, Trains,
    MAX_MEMBERS,
};
use sp_core::H256;

/// Blocks that the median machine trains for in a round.
pub const TRAINING: f64 = 200.0;
/// Deviation of the logarithm of machines' speeds.
pub const SPEEDS: f64 = 0.25;
/// Share of member-rounds that something holds up, by a Pareto factor.
pub const HELD_UP: f64 = 0.03;
/// Blocks between an announcement and its seed: eight relay blocks and four that seeds are made of.
pub const DRAW: u32 = 12;
/// Share of auditors' seats that stay silent.
pub const SILENT: f64 = 0.005;
/// Planck of a DOT.
pub const DOT: u128 = 10_000_000_000;

/// What happens to members.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    pub name: &'static str,
    /// Equal machines that nothing ever holds up, and auditors likewise.
    pub ideal: bool,
    /// Share of members that stop in a round's time: half of them crash and come back, a quarter vanish, a quarter leave.
    pub churn: f64,
    /// Whether some are cut off from chain and others from time to time.
    pub partitions: bool,
    /// Share of those who come that are liars.
    pub liars: f64,
    /// Whether these all mislead, and are there from the beginning on only.
    pub mislead: bool,
}

const fn condition(name: &'static str, churn: f64, partitions: bool, liars: f64) -> Condition {
    Condition {
        name,
        ideal: false,
        churn,
        partitions,
        liars,
        mislead: false,
    }
}

/// What every other condition is compared with.
pub const IDEAL: Condition = Condition {
    ideal: true,
    ..condition("ideal", 0.0, false, 0.0)
};

pub const CONDITIONS: [Condition; 7] = [
    condition("no churn", 0.0, false, 0.0),
    condition("5% churn", 0.05, false, 0.0),
    condition("20% churn", 0.2, false, 0.0),
    condition("partitions", 0.0, true, 0.0),
    condition("10% liars", 0.0, false, 0.1),
    condition("all together", 0.2, true, 0.1),
    Condition {
        mislead: true,
        ..condition("a majority misleads", 0.0, false, 0.55)
    },
];

/// How long a round waits for stragglers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// As the terms say: median and spread of those who have committed.
    Adaptive,
    /// Always so many blocks, unless all have committed.
    Fixed(u32),
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Members that it begins with, and that there are on average.
    pub members: u32,
    pub condition: Condition,
    /// Rounds, void ones included.
    pub rounds: u32,
    pub timing: Timing,
    /// The least members of a round, in percent of `members`.
    pub least_percent: u32,
    /// A round's time, in blocks: churn and partitions are counted by it.
    pub round_blocks: u32,
    pub seed: u64,
    /// How long the vote of a disputed case takes. Some voter is always silent, so the window for commitments passes.
    pub vote_blocks: u32,
    /// Whether a vote convicts whoever most of it cannot get the states of, instead of deciding nothing.
    pub withheld_convicts: bool,
    /// Whether everything is checked after every event, and not once a block.
    pub strict: bool,
}

impl Scenario {
    pub fn new(members: u32, condition: Condition, rounds: u32, seed: u64) -> Self {
        Self {
            members,
            condition,
            rounds,
            timing: timing(),
            least_percent: 50,
            round_blocks: 400,
            vote_blocks: 105,
            withheld_convicts: false,
            seed,
            strict: false,
        }
    }

    pub fn with_deadline(mut self, deadline: Deadline) -> Self {
        if let Deadline::Fixed(blocks) = deadline {
            self.timing.train_blocks = blocks;
            // Stragglers are always given what is left.
            self.timing.grace_blocks = blocks;
        }
        self
    }

    /// Validators: one for two members, and eight at least.
    pub fn validators(&self) -> u32 {
        self.members.div_ceil(2).max(8)
    }

    pub fn terms(&self) -> RunTerms {
        let least = (self.members * self.least_percent).div_ceil(100);
        RunTerms {
            start: Start::Fresh {
                config: H256::repeat_byte(1),
                seed: 2,
            },
            dataset: H256::repeat_byte(3),
            sequences: 1 << 20,
            recipe: recipe(),
            rounds: self.rounds,
            round_pay: 10 * DOT,
            min_members: least.max(2),
            max_members: (self.members + self.members / 4 + 2).min(MAX_MEMBERS),
            timing: self.timing,
            audit: AuditTerms {
                segments: 1,
                soft_ppm: 1_000,
                hard_ppm: 10_000,
                evidence_tau: 8,
            },
        }
    }
}

/// Those of docs/examples/run.toml.
pub fn timing() -> Timing {
    Timing {
        forming_blocks: 100,
        warmup_blocks: 300,
        train_blocks: 600,
        grace_blocks: 30,
        spread_percent: 400,
        exchange_blocks: 20,
        attest_blocks: 50,
        audit_blocks: 300,
        agree_blocks: 30,
        challenge_blocks: 100,
        idle_blocks: 14_400,
        max_missed: 2,
        max_void: 3,
    }
}

fn recipe() -> Recipe {
    Recipe {
        inner_steps: 100,
        batch: 8,
        micro_batch: 4,
        sequence: 256,
        optimizer: InnerOptimizer::default(),
        schedule: Schedule {
            peak_nano: 1_000_000,
            warmup_steps: 100,
            total_steps: 10_000,
            floor_ppm: 100_000,
        },
        clip_milli: 1_000,
        outer: Outer::default(),
        codec: Codec::Int8 { block: 256 },
        norm_clip_ppm: 3_000_000,
        // What keeps three seats' replay of one segment below a tenth of the training.
        segments: 36,
        trains: Trains::Full,
    }
}
