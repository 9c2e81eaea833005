//! Weights of `pallet_rewards`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_rewards` cost.
pub trait WeightInfo {
    fn set_shares() -> Weight;
    fn claim() -> Weight;
    fn begin_block() -> Weight;
    fn close_epoch() -> Weight;
    fn sweep(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn set_shares() -> Weight {
        // At least 11_296_000 picoseconds.
        Weight::from_parts(12_128_000, 1501)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn claim() -> Weight {
        // At least 132_808_000 picoseconds.
        Weight::from_parts(138_186_000, 6196)
            .saturating_add(T::DbWeight::get().reads(14))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    fn begin_block() -> Weight {
        // At least 6_600_000 picoseconds.
        Weight::from_parts(7_161_000, 1493).saturating_add(T::DbWeight::get().reads(3))
    }
    fn close_epoch() -> Weight {
        // At least 157_495_000 picoseconds.
        Weight::from_parts(160_620_000, 8799)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    /// `n` from 1 to 64.
    fn sweep(n: u32) -> Weight {
        // At least 41_382_000 picoseconds.
        Weight::from_parts(103_233_240, 3565)
            .saturating_add(Weight::from_parts(16_942_465, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2575).saturating_mul(n.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn set_shares() -> Weight {
        // At least 11_296_000 picoseconds.
        Weight::from_parts(12_128_000, 1501)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn claim() -> Weight {
        // At least 132_808_000 picoseconds.
        Weight::from_parts(138_186_000, 6196)
            .saturating_add(ParityDbWeight::get().reads(14))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    fn begin_block() -> Weight {
        // At least 6_600_000 picoseconds.
        Weight::from_parts(7_161_000, 1493).saturating_add(ParityDbWeight::get().reads(3))
    }
    fn close_epoch() -> Weight {
        // At least 157_495_000 picoseconds.
        Weight::from_parts(160_620_000, 8799)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    /// `n` from 1 to 64.
    fn sweep(n: u32) -> Weight {
        // At least 41_382_000 picoseconds.
        Weight::from_parts(103_233_240, 3565)
            .saturating_add(Weight::from_parts(16_942_465, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2575).saturating_mul(n.into()))
    }
}
