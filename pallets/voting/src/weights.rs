//! Weights of `pallet_voting`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_voting` cost.
pub trait WeightInfo {
    fn vote(d: u32) -> Weight;
    fn remove_vote(d: u32) -> Weight;
    fn delegate(d: u32) -> Weight;
    fn undelegate(d: u32) -> Weight;
    fn clean_up(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    /// `d` from 0 to 32.
    fn vote(d: u32) -> Weight {
        // At least 58_036_000 picoseconds.
        Weight::from_parts(83_158_416, 4836)
            .saturating_add(Weight::from_parts(24_618_237, 0).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(d.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
            .saturating_add(Weight::from_parts(0, 2607).saturating_mul(d.into()))
    }
    /// `d` from 0 to 32.
    fn remove_vote(d: u32) -> Weight {
        // At least 47_220_000 picoseconds.
        Weight::from_parts(60_341_441, 4836)
            .saturating_add(Weight::from_parts(8_597_979, 0).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(d.into())))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
            .saturating_add(Weight::from_parts(0, 2590).saturating_mul(d.into()))
    }
    /// `d` from 0 to 31.
    fn delegate(d: u32) -> Weight {
        // At least 95_843_000 picoseconds.
        Weight::from_parts(112_432_087, 8682)
            .saturating_add(Weight::from_parts(648_301, 0).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(Weight::from_parts(0, 88).saturating_mul(d.into()))
    }
    /// `d` from 1 to 32.
    fn undelegate(d: u32) -> Weight {
        // At least 34_862_000 picoseconds.
        Weight::from_parts(50_034_320, 4836)
            .saturating_add(Weight::from_parts(466_080, 0).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 66).saturating_mul(d.into()))
    }
    /// `n` from 1 to 256.
    fn clean_up(n: u32) -> Weight {
        // At least 43_385_000 picoseconds.
        Weight::from_parts(491_833_256, 3847)
            .saturating_add(Weight::from_parts(16_145_124, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(n.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    /// `d` from 0 to 32.
    fn vote(d: u32) -> Weight {
        // At least 58_036_000 picoseconds.
        Weight::from_parts(83_158_416, 4836)
            .saturating_add(Weight::from_parts(24_618_237, 0).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((3_u64).saturating_mul(d.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(d.into())))
            .saturating_add(Weight::from_parts(0, 2607).saturating_mul(d.into()))
    }
    /// `d` from 0 to 32.
    fn remove_vote(d: u32) -> Weight {
        // At least 47_220_000 picoseconds.
        Weight::from_parts(60_341_441, 4836)
            .saturating_add(Weight::from_parts(8_597_979, 0).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(d.into())))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(d.into())))
            .saturating_add(Weight::from_parts(0, 2590).saturating_mul(d.into()))
    }
    /// `d` from 0 to 31.
    fn delegate(d: u32) -> Weight {
        // At least 95_843_000 picoseconds.
        Weight::from_parts(112_432_087, 8682)
            .saturating_add(Weight::from_parts(648_301, 0).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(Weight::from_parts(0, 88).saturating_mul(d.into()))
    }
    /// `d` from 1 to 32.
    fn undelegate(d: u32) -> Weight {
        // At least 34_862_000 picoseconds.
        Weight::from_parts(50_034_320, 4836)
            .saturating_add(Weight::from_parts(466_080, 0).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 66).saturating_mul(d.into()))
    }
    /// `n` from 1 to 256.
    fn clean_up(n: u32) -> Weight {
        // At least 43_385_000 picoseconds.
        Weight::from_parts(491_833_256, 3847)
            .saturating_add(Weight::from_parts(16_145_124, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(n.into()))
    }
}
