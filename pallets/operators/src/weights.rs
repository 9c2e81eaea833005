//! Weights of `pallet_operators`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_operators` cost.
pub trait WeightInfo {
    fn register() -> Weight;
    fn bond_extra() -> Weight;
    fn set_hot_key() -> Weight;
    fn set_endpoint() -> Weight;
    fn serve() -> Weight;
    fn unserve() -> Weight;
    fn set_capacity() -> Weight;
    fn set_roles() -> Weight;
    fn approve_operator() -> Weight;
    fn unbond() -> Weight;
    fn withdraw(c: u32) -> Weight;
    fn unjail() -> Weight;
    fn set_params() -> Weight;
    fn resign_hot_key() -> Weight;
    fn begin_epoch() -> Weight;
    fn build_indices(n: u32) -> Weight;
    fn prune_indices(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn register() -> Weight {
        // At least 105_026_000 picoseconds.
        Weight::from_parts(117_826_000, 7646)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    fn bond_extra() -> Weight {
        // At least 82_022_000 picoseconds.
        Weight::from_parts(89_313_000, 4318)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn set_hot_key() -> Weight {
        // At least 27_942_000 picoseconds.
        Weight::from_parts(29_153_000, 7646)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn set_endpoint() -> Weight {
        // At least 25_158_000 picoseconds.
        Weight::from_parts(26_400_000, 7646)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn serve() -> Weight {
        // At least 48_422_000 picoseconds.
        Weight::from_parts(50_576_000, 7646)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn unserve() -> Weight {
        // At least 48_112_000 picoseconds.
        Weight::from_parts(50_866_000, 7646)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn set_capacity() -> Weight {
        // At least 19_709_000 picoseconds.
        Weight::from_parts(20_291_000, 4318)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn set_roles() -> Weight {
        // At least 15_893_000 picoseconds.
        Weight::from_parts(16_815_000, 4318)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn approve_operator() -> Weight {
        // At least 9_935_000 picoseconds.
        Weight::from_parts(10_466_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn unbond() -> Weight {
        // At least 20_440_000 picoseconds.
        Weight::from_parts(21_412_000, 4318)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    /// `c` from 0 to 16.
    fn withdraw(c: u32) -> Weight {
        // At least 89_353_000 picoseconds.
        Weight::from_parts(138_525_859, 4318)
            .saturating_add(Weight::from_parts(17_826_163, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(8))
            .saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2555).saturating_mul(c.into()))
    }
    fn unjail() -> Weight {
        // At least 32_689_000 picoseconds.
        Weight::from_parts(34_521_000, 7646)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        // At least 8_253_000 picoseconds.
        Weight::from_parts(8_803_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn resign_hot_key() -> Weight {
        // At least 28_463_000 picoseconds.
        Weight::from_parts(29_875_000, 6100)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn begin_epoch() -> Weight {
        // At least 8_342_000 picoseconds.
        Weight::from_parts(8_783_000, 116248)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    /// `n` from 1 to 256.
    fn build_indices(n: u32) -> Weight {
        // At least 73_599_000 picoseconds.
        Weight::from_parts(764_795_264, 116248)
            .saturating_add(Weight::from_parts(18_919_331, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(6))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(n.into()))
    }
    /// `n` from 1 to 8.
    fn prune_indices(n: u32) -> Weight {
        // At least 14_853_000 picoseconds.
        Weight::from_parts(17_413_880, 1593)
            .saturating_add(Weight::from_parts(945_765, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(1))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 43506).saturating_mul(n.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn register() -> Weight {
        // At least 105_026_000 picoseconds.
        Weight::from_parts(117_826_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn bond_extra() -> Weight {
        // At least 82_022_000 picoseconds.
        Weight::from_parts(89_313_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn set_hot_key() -> Weight {
        // At least 27_942_000 picoseconds.
        Weight::from_parts(29_153_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn set_endpoint() -> Weight {
        // At least 25_158_000 picoseconds.
        Weight::from_parts(26_400_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn serve() -> Weight {
        // At least 48_422_000 picoseconds.
        Weight::from_parts(50_576_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn unserve() -> Weight {
        // At least 48_112_000 picoseconds.
        Weight::from_parts(50_866_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn set_capacity() -> Weight {
        // At least 19_709_000 picoseconds.
        Weight::from_parts(20_291_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn set_roles() -> Weight {
        // At least 15_893_000 picoseconds.
        Weight::from_parts(16_815_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn approve_operator() -> Weight {
        // At least 9_935_000 picoseconds.
        Weight::from_parts(10_466_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn unbond() -> Weight {
        // At least 20_440_000 picoseconds.
        Weight::from_parts(21_412_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    /// `c` from 0 to 16.
    fn withdraw(c: u32) -> Weight {
        // At least 89_353_000 picoseconds.
        Weight::from_parts(138_525_859, 4318)
            .saturating_add(Weight::from_parts(17_826_163, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(8))
            .saturating_add(ParityDbWeight::get().writes((4_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2555).saturating_mul(c.into()))
    }
    fn unjail() -> Weight {
        // At least 32_689_000 picoseconds.
        Weight::from_parts(34_521_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        // At least 8_253_000 picoseconds.
        Weight::from_parts(8_803_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn resign_hot_key() -> Weight {
        // At least 28_463_000 picoseconds.
        Weight::from_parts(29_875_000, 6100)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn begin_epoch() -> Weight {
        // At least 8_342_000 picoseconds.
        Weight::from_parts(8_783_000, 116248)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    /// `n` from 1 to 256.
    fn build_indices(n: u32) -> Weight {
        // At least 73_599_000 picoseconds.
        Weight::from_parts(764_795_264, 116248)
            .saturating_add(Weight::from_parts(18_919_331, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(6))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(n.into()))
    }
    /// `n` from 1 to 8.
    fn prune_indices(n: u32) -> Weight {
        // At least 14_853_000 picoseconds.
        Weight::from_parts(17_413_880, 1593)
            .saturating_add(Weight::from_parts(945_765, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(1))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 43506).saturating_mul(n.into()))
    }
}
