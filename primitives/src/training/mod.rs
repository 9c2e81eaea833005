//! Training runs: DiLoCo rounds without a coordinator, audited by replay (protocol T).
//!
//! A **run** is one funded experiment. In each **round** its members take inner steps alone, exchange pseudo-gradients and
//! take one outer step together; who takes part, on what data, and what is replayed of it follows from the chain.
//!
//! | module | what it settles |
//! |---|---|
//! | [`recipe`] | a run's terms: what is trained, from where, how, on what, for how much; the run's root |
//! | [`report`] | what members commit to, reveal and agree on |
//! | [`shards`] | ranks, data, kept steps, audited segments, as functions of seeds |
//! | [`machine`] | the state machine; its [`phase`]s, its head ([`run`]), what follows for others ([`effect`]) |
//! | [`calls`], [`answers`] | what members may do; what became of what followed |
//! | [`service`], [`settle`] | what happens by itself: in rounds, and to a round that was agreed on |
//! | [`members`], [`round`], [`clock`] | membership, contributions and their pay, deadlines |
//! | [`store`], [`check`] | where the machine keeps its records, and whether they fit together |

pub mod answers;
pub mod calls;
pub mod check;
pub mod clock;
pub mod effect;
pub mod machine;
pub mod members;
pub mod phase;
pub mod recipe;
pub mod report;
pub mod round;
pub mod run;
pub mod service;
pub mod settle;
pub mod shards;
pub mod store;

pub use machine::{Draw, Drawn, Effect, Failure, Machine, Phase, Refusal, Run};
pub use members::{Exit, List, Member};
pub use phase::Owed;
pub use recipe::{
    whole_sequences, AdapterTargets, AuditTerms, Codec, InnerOptimizer, Outer, Recipe, RunTerms,
    Schedule, Start, TermsError, Timing, Trains, PPM,
};
pub use report::{replay_class, ModelState, ReplayClass, RoundReport, StateLeaf};
pub use round::{Contribution, Judged, Ranks, Round};
pub use shards::{audit_seed, kept_steps, picked_segments, rank_of, round_seed, slot_of, Shard};
pub use store::{MemoryStore, Store};

pub use crate::RunId;

/// Most members of a run.
pub const MAX_MEMBERS: u32 = 512;
/// Most rounds of a run, void ones included.
pub const MAX_ROUNDS: u32 = 100_000;
/// Most inner steps of a round.
pub const MAX_INNER_STEPS: u32 = 100_000;
