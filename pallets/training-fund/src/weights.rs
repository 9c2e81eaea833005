//! Weights of `pallet_training_fund`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_training_fund` cost.
pub trait WeightInfo {
    fn create_grant(m: u32) -> Weight;
    fn prove() -> Weight;
    fn approve() -> Weight;
    fn decline() -> Weight;
    fn cancel_grant() -> Weight;
    fn pass_deadlines(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    /// `m` from 1 to 16.
    fn create_grant(m: u32) -> Weight {
        // At least 27_190_000 picoseconds.
        Weight::from_parts(28_381_824, 3991)
            .saturating_add(Weight::from_parts(3_884_098, 0).saturating_mul(m.into()))
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn prove() -> Weight {
        // At least 21_672_000 picoseconds.
        Weight::from_parts(22_564_000, 4938)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn approve() -> Weight {
        // At least 86_219_000 picoseconds.
        Weight::from_parts(89_243_000, 6196)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn decline() -> Weight {
        // At least 22_273_000 picoseconds.
        Weight::from_parts(23_435_000, 4938)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn cancel_grant() -> Weight {
        // At least 19_959_000 picoseconds.
        Weight::from_parts(21_172_000, 4938)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    /// `n` from 0 to 64.
    fn pass_deadlines(n: u32) -> Weight {
        // At least 5_999_000 picoseconds.
        Weight::from_parts(28_432_584, 3991)
            .saturating_add(Weight::from_parts(13_656_186, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 3956).saturating_mul(n.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    /// `m` from 1 to 16.
    fn create_grant(m: u32) -> Weight {
        // At least 27_190_000 picoseconds.
        Weight::from_parts(28_381_824, 3991)
            .saturating_add(Weight::from_parts(3_884_098, 0).saturating_mul(m.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn prove() -> Weight {
        // At least 21_672_000 picoseconds.
        Weight::from_parts(22_564_000, 4938)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn approve() -> Weight {
        // At least 86_219_000 picoseconds.
        Weight::from_parts(89_243_000, 6196)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn decline() -> Weight {
        // At least 22_273_000 picoseconds.
        Weight::from_parts(23_435_000, 4938)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn cancel_grant() -> Weight {
        // At least 19_959_000 picoseconds.
        Weight::from_parts(21_172_000, 4938)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    /// `n` from 0 to 64.
    fn pass_deadlines(n: u32) -> Weight {
        // At least 5_999_000 picoseconds.
        Weight::from_parts(28_432_584, 3991)
            .saturating_add(Weight::from_parts(13_656_186, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 3956).saturating_mul(n.into()))
    }
}
