//! Weights of `pallet_checkpoints`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_checkpoints` cost.
pub trait WeightInfo {
    fn propose() -> Weight;
    fn describe_trained() -> Weight;
    fn calibrate() -> Weight;
    fn restart_calibration() -> Weight;
    fn remove_proposal() -> Weight;
    fn accept() -> Weight;
    fn retire() -> Weight;
    fn set_params() -> Weight;
    fn agenda() -> Weight;
    fn step() -> Weight;
    fn draw(c: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn propose() -> Weight {
        // At least 125_608_000 picoseconds.
        Weight::from_parts(134_010_000, 9480)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn describe_trained() -> Weight {
        // At least 62_103_000 picoseconds.
        Weight::from_parts(64_877_000, 9480)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn calibrate() -> Weight {
        // At least 68_883_000 picoseconds.
        Weight::from_parts(75_783_000, 4751)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn restart_calibration() -> Weight {
        // At least 40_310_000 picoseconds.
        Weight::from_parts(42_013_000, 4751)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn remove_proposal() -> Weight {
        // At least 139_298_000 picoseconds.
        Weight::from_parts(148_972_000, 4751)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(21))
    }
    fn accept() -> Weight {
        // At least 17_857_000 picoseconds.
        Weight::from_parts(19_419_000, 3820)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn retire() -> Weight {
        // At least 70_996_000 picoseconds.
        Weight::from_parts(72_989_000, 3820)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn set_params() -> Weight {
        // At least 7_572_000 picoseconds.
        Weight::from_parts(7_981_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 4_867_000 picoseconds.
        Weight::from_parts(5_157_000, 3990).saturating_add(T::DbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 1_520_908_000 picoseconds.
        Weight::from_parts(1_597_713_000, 54238)
            .saturating_add(T::DbWeight::get().reads(57))
            .saturating_add(T::DbWeight::get().writes(68))
    }
    /// `c` from 1 to 48.
    fn draw(c: u32) -> Weight {
        // At least 229_733_000 picoseconds.
        Weight::from_parts(301_229_264, 44496)
            .saturating_add(Weight::from_parts(21_540_421, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn propose() -> Weight {
        // At least 125_608_000 picoseconds.
        Weight::from_parts(134_010_000, 9480)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn describe_trained() -> Weight {
        // At least 62_103_000 picoseconds.
        Weight::from_parts(64_877_000, 9480)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn calibrate() -> Weight {
        // At least 68_883_000 picoseconds.
        Weight::from_parts(75_783_000, 4751)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn restart_calibration() -> Weight {
        // At least 40_310_000 picoseconds.
        Weight::from_parts(42_013_000, 4751)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn remove_proposal() -> Weight {
        // At least 139_298_000 picoseconds.
        Weight::from_parts(148_972_000, 4751)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(21))
    }
    fn accept() -> Weight {
        // At least 17_857_000 picoseconds.
        Weight::from_parts(19_419_000, 3820)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn retire() -> Weight {
        // At least 70_996_000 picoseconds.
        Weight::from_parts(72_989_000, 3820)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn set_params() -> Weight {
        // At least 7_572_000 picoseconds.
        Weight::from_parts(7_981_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 4_867_000 picoseconds.
        Weight::from_parts(5_157_000, 3990).saturating_add(ParityDbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 1_520_908_000 picoseconds.
        Weight::from_parts(1_597_713_000, 54238)
            .saturating_add(ParityDbWeight::get().reads(57))
            .saturating_add(ParityDbWeight::get().writes(68))
    }
    /// `c` from 1 to 48.
    fn draw(c: u32) -> Weight {
        // At least 229_733_000 picoseconds.
        Weight::from_parts(301_229_264, 44496)
            .saturating_add(Weight::from_parts(21_540_421, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}
