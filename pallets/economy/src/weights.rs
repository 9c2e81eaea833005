//! Weights of `pallet_economy`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_economy` cost.
pub trait WeightInfo {
    fn vote_price() -> Weight;
    fn clear_price_vote() -> Weight;
    fn set_params() -> Weight;
    fn gather(n: u32) -> Weight;
    fn credit(n: u32) -> Weight;
    fn pay(n: u32) -> Weight;
    fn forget(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn vote_price() -> Weight {
        // At least 17_516_000 picoseconds.
        Weight::from_parts(18_878_000, 4318)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn clear_price_vote() -> Weight {
        // At least 23_435_000 picoseconds.
        Weight::from_parts(24_247_000, 4318)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        // At least 7_942_000 picoseconds.
        Weight::from_parts(8_412_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    /// `n` from 0 to 8.
    fn gather(n: u32) -> Weight {
        // At least 16_364_000 picoseconds.
        // The second median counts as the first one: it was not there when this was measured.
        Weight::from_parts(220_492_334, 41374)
            .saturating_add(Weight::from_parts(155_907_611, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((31_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(4))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 72166).saturating_mul(n.into()))
    }
    /// `n` from 0 to 8.
    fn credit(n: u32) -> Weight {
        // At least 3_966_000 picoseconds.
        Weight::from_parts(16_936_780, 3357)
            .saturating_add(Weight::from_parts(7_498_044, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(1))
            .saturating_add(Weight::from_parts(0, 2847).saturating_mul(n.into()))
    }
    /// `n` from 0 to 8.
    fn pay(n: u32) -> Weight {
        // At least 3_986_000 picoseconds.
        Weight::from_parts(66_059_500, 5783)
            .saturating_add(Weight::from_parts(96_052_300, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(6))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2847).saturating_mul(n.into()))
    }
    /// `n` from 0 to 32.
    fn forget(n: u32) -> Weight {
        // At least 14_511_000 picoseconds.
        Weight::from_parts(17_453_050, 1569)
            .saturating_add(Weight::from_parts(1_044_795, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2622).saturating_mul(n.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn vote_price() -> Weight {
        // At least 17_516_000 picoseconds.
        Weight::from_parts(18_878_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn clear_price_vote() -> Weight {
        // At least 23_435_000 picoseconds.
        Weight::from_parts(24_247_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        // At least 7_942_000 picoseconds.
        Weight::from_parts(8_412_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    /// `n` from 0 to 8.
    fn gather(n: u32) -> Weight {
        // At least 16_364_000 picoseconds.
        // The second median counts as the first one: it was not there when this was measured.
        Weight::from_parts(220_492_334, 41374)
            .saturating_add(Weight::from_parts(155_907_611, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((31_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(4))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 72166).saturating_mul(n.into()))
    }
    /// `n` from 0 to 8.
    fn credit(n: u32) -> Weight {
        // At least 3_966_000 picoseconds.
        Weight::from_parts(16_936_780, 3357)
            .saturating_add(Weight::from_parts(7_498_044, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(1))
            .saturating_add(Weight::from_parts(0, 2847).saturating_mul(n.into()))
    }
    /// `n` from 0 to 8.
    fn pay(n: u32) -> Weight {
        // At least 3_986_000 picoseconds.
        Weight::from_parts(66_059_500, 5783)
            .saturating_add(Weight::from_parts(96_052_300, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(6))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2847).saturating_mul(n.into()))
    }
    /// `n` from 0 to 32.
    fn forget(n: u32) -> Weight {
        // At least 14_511_000 picoseconds.
        Weight::from_parts(17_453_050, 1569)
            .saturating_add(Weight::from_parts(1_044_795, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2622).saturating_mul(n.into()))
    }
}
