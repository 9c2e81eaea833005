//! Members of training runs: real trainers on real blob stores, and a chain in memory that follows the real rules.

mod challenges;
#[path = "../../training/tests/common/mod.rs"]
mod common;
mod late;
mod restarts;
mod rounds;
mod steps;
mod tidying;
mod world;
