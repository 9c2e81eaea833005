//! Weights of `pallet_operators`, measured by `scripts/bench weights`.
//!
//! 2026-11-21, AMD EPYC, steps 20, repeats 10, tool version 64.0.0.

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
        // At least 95_131_000 picoseconds.
        Weight::from_parts(101_361_000, 7646)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    fn bond_extra() -> Weight {
        // At least 73_440_000 picoseconds.
        Weight::from_parts(77_745_000, 4318)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn set_hot_key() -> Weight {
        // At least 22_975_000 picoseconds.
        Weight::from_parts(25_207_000, 7646)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn set_endpoint() -> Weight {
        // At least 20_220_000 picoseconds.
        Weight::from_parts(22_664_000, 7646)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn serve() -> Weight {
        // At least 39_729_000 picoseconds.
        Weight::from_parts(43_435_000, 7646)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn unserve() -> Weight {
        // At least 40_360_000 picoseconds.
        Weight::from_parts(44_426_000, 7646)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn set_capacity() -> Weight {
        // At least 15_283_000 picoseconds.
        Weight::from_parts(17_045_000, 4318)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn set_roles() -> Weight {
        // At least 12_359_000 picoseconds.
        Weight::from_parts(13_530_000, 4318)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn approve_operator() -> Weight {
        // At least 8_102_000 picoseconds.
        Weight::from_parts(8_793_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn unbond() -> Weight {
        // At least 15_904_000 picoseconds.
        Weight::from_parts(17_766_000, 4318)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    /// `c` from 0 to 16.
    fn withdraw(c: u32) -> Weight {
        // At least 79_148_000 picoseconds.
        Weight::from_parts(87_670_858, 4318)
            .saturating_add(Weight::from_parts(17_701_255, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(7))
            .saturating_add(T::DbWeight::get().writes((4_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2527).saturating_mul(c.into()))
    }
    fn unjail() -> Weight {
        // At least 28_192_000 picoseconds.
        Weight::from_parts(30_806_000, 7646)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        // At least 6_510_000 picoseconds.
        Weight::from_parts(7_231_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn resign_hot_key() -> Weight {
        // At least 23_676_000 picoseconds.
        Weight::from_parts(26_139_000, 6100)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn begin_epoch() -> Weight {
        // At least 6_800_000 picoseconds.
        Weight::from_parts(7_561_000, 116248)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    /// `n` from 1 to 256.
    fn build_indices(n: u32) -> Weight {
        // At least 61_321_000 picoseconds.
        Weight::from_parts(63_355_000, 116248)
            .saturating_add(Weight::from_parts(17_605_511, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(6))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(n.into()))
    }
    /// `n` from 1 to 8.
    fn prune_indices(n: u32) -> Weight {
        // At least 11_938_000 picoseconds.
        Weight::from_parts(12_415_187, 1593)
            .saturating_add(Weight::from_parts(875_577, 0).saturating_mul(n.into()))
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
        // At least 95_131_000 picoseconds.
        Weight::from_parts(101_361_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn bond_extra() -> Weight {
        // At least 73_440_000 picoseconds.
        Weight::from_parts(77_745_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn set_hot_key() -> Weight {
        // At least 22_975_000 picoseconds.
        Weight::from_parts(25_207_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn set_endpoint() -> Weight {
        // At least 20_220_000 picoseconds.
        Weight::from_parts(22_664_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn serve() -> Weight {
        // At least 39_729_000 picoseconds.
        Weight::from_parts(43_435_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn unserve() -> Weight {
        // At least 40_360_000 picoseconds.
        Weight::from_parts(44_426_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn set_capacity() -> Weight {
        // At least 15_283_000 picoseconds.
        Weight::from_parts(17_045_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn set_roles() -> Weight {
        // At least 12_359_000 picoseconds.
        Weight::from_parts(13_530_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn approve_operator() -> Weight {
        // At least 8_102_000 picoseconds.
        Weight::from_parts(8_793_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn unbond() -> Weight {
        // At least 15_904_000 picoseconds.
        Weight::from_parts(17_766_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    /// `c` from 0 to 16.
    fn withdraw(c: u32) -> Weight {
        // At least 79_148_000 picoseconds.
        Weight::from_parts(87_670_858, 4318)
            .saturating_add(Weight::from_parts(17_701_255, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(7))
            .saturating_add(ParityDbWeight::get().writes((4_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2527).saturating_mul(c.into()))
    }
    fn unjail() -> Weight {
        // At least 28_192_000 picoseconds.
        Weight::from_parts(30_806_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        // At least 6_510_000 picoseconds.
        Weight::from_parts(7_231_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn resign_hot_key() -> Weight {
        // At least 23_676_000 picoseconds.
        Weight::from_parts(26_139_000, 6100)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn begin_epoch() -> Weight {
        // At least 6_800_000 picoseconds.
        Weight::from_parts(7_561_000, 116248)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    /// `n` from 1 to 256.
    fn build_indices(n: u32) -> Weight {
        // At least 61_321_000 picoseconds.
        Weight::from_parts(63_355_000, 116248)
            .saturating_add(Weight::from_parts(17_605_511, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(6))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(n.into()))
    }
    /// `n` from 1 to 8.
    fn prune_indices(n: u32) -> Weight {
        // At least 11_938_000 picoseconds.
        Weight::from_parts(12_415_187, 1593)
            .saturating_add(Weight::from_parts(875_577, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(1))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 43506).saturating_mul(n.into()))
    }
}
