//! Training runs of many members on machines that are slow, fail, are cut off, or lie: the machine of
//! `chasqui_primitives::training` itself, with everything around it that a chain and its operators do. No tensors.
//!
//! One seed makes one run, to the last block. What must always hold of the machine is asserted as it goes on ([`guard`]).

// Benchmark and test use a part of it each.
#![allow(dead_code)]

mod audits;
pub mod chain;
pub mod chance;
pub mod guard;
mod news;
pub mod outcome;
pub mod people;
pub mod scenario;
pub mod world;

pub use outcome::Outcome;
pub use people::Kind;
pub use scenario::{Condition, Scenario, CONDITIONS, IDEAL};
pub use world::simulate;

/// An operator, by the order in which it came.
pub type Who = u32;
