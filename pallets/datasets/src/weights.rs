//! Weights of `pallet_datasets`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_datasets` cost.
pub trait WeightInfo {
    fn submit() -> Weight;
    fn withdraw() -> Weight;
    fn delist() -> Weight;
    fn set_params() -> Weight;
    fn move_on(n: u32) -> Weight;
    fn open_case() -> Weight;
    fn decide() -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn submit() -> Weight {
        // At least 118_717_000 picoseconds.
        Weight::from_parts(122_643_000, 4318)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    fn withdraw() -> Weight {
        // At least 91_096_000 picoseconds.
        Weight::from_parts(93_630_000, 4206)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn delist() -> Weight {
        // At least 78_887_000 picoseconds.
        Weight::from_parts(80_831_000, 4206)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn set_params() -> Weight {
        // At least 8_522_000 picoseconds.
        Weight::from_parts(9_033_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    /// `n` from 0 to 128.
    fn move_on(n: u32) -> Weight {
        // At least 5_278_000 picoseconds.
        Weight::from_parts(24_537_990, 3663)
            .saturating_add(Weight::from_parts(1_601_405, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(1))
            .saturating_add(Weight::from_parts(0, 20).saturating_mul(n.into()))
    }
    fn open_case() -> Weight {
        // At least 356_662_000 picoseconds.
        Weight::from_parts(372_415_000, 44496)
            .saturating_add(T::DbWeight::get().reads(23))
            .saturating_add(T::DbWeight::get().writes(15))
    }
    fn decide() -> Weight {
        // At least 140_129_000 picoseconds.
        Weight::from_parts(146_229_000, 6196)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(6))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn submit() -> Weight {
        // At least 118_717_000 picoseconds.
        Weight::from_parts(122_643_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    fn withdraw() -> Weight {
        // At least 91_096_000 picoseconds.
        Weight::from_parts(93_630_000, 4206)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn delist() -> Weight {
        // At least 78_887_000 picoseconds.
        Weight::from_parts(80_831_000, 4206)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn set_params() -> Weight {
        // At least 8_522_000 picoseconds.
        Weight::from_parts(9_033_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    /// `n` from 0 to 128.
    fn move_on(n: u32) -> Weight {
        // At least 5_278_000 picoseconds.
        Weight::from_parts(24_537_990, 3663)
            .saturating_add(Weight::from_parts(1_601_405, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(1))
            .saturating_add(Weight::from_parts(0, 20).saturating_mul(n.into()))
    }
    fn open_case() -> Weight {
        // At least 356_662_000 picoseconds.
        Weight::from_parts(372_415_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(23))
            .saturating_add(ParityDbWeight::get().writes(15))
    }
    fn decide() -> Weight {
        // At least 140_129_000 picoseconds.
        Weight::from_parts(146_229_000, 6196)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
}
