//! Weights of `pallet_checkpoints`, measured by `scripts/bench weights`.
//!
//! 2026-11-21, AMD EPYC, steps 20, repeats 10, tool version 64.0.0.

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
        // Estimated: as measured, and three reads more.
        Weight::from_parts(105_000_000, 9000)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn describe_trained() -> Weight {
        // Estimated from `propose`.
        Weight::from_parts(75_000_000, 9000)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn calibrate() -> Weight {
        // At least 55_373_000 picoseconds.
        Weight::from_parts(63_054_000, 4751)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn restart_calibration() -> Weight {
        // At least 34_521_000 picoseconds.
        Weight::from_parts(37_746_000, 4751)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn remove_proposal() -> Weight {
        // At least 122_863_000 picoseconds.
        Weight::from_parts(135_262_000, 4751)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(21))
    }
    fn accept() -> Weight {
        // At least 14_862_000 picoseconds.
        Weight::from_parts(16_214_000, 3803)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn retire() -> Weight {
        // At least 62_263_000 picoseconds.
        Weight::from_parts(67_391_000, 3803)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn set_params() -> Weight {
        // At least 6_449_000 picoseconds.
        Weight::from_parts(7_091_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 4_076_000 picoseconds.
        Weight::from_parts(4_687_000, 3990).saturating_add(T::DbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 1_377_343_000 picoseconds.
        Weight::from_parts(1_508_357_000, 54238)
            .saturating_add(T::DbWeight::get().reads(57))
            .saturating_add(T::DbWeight::get().writes(68))
    }
    /// `c` from 1 to 48.
    fn draw(c: u32) -> Weight {
        // At least 201_871_000 picoseconds.
        Weight::from_parts(188_220_727, 44496)
            .saturating_add(Weight::from_parts(18_775_917, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn propose() -> Weight {
        // Estimated: as measured, and three reads more.
        Weight::from_parts(105_000_000, 9000)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn describe_trained() -> Weight {
        // Estimated from `propose`.
        Weight::from_parts(75_000_000, 9000)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn calibrate() -> Weight {
        // At least 55_373_000 picoseconds.
        Weight::from_parts(63_054_000, 4751)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn restart_calibration() -> Weight {
        // At least 34_521_000 picoseconds.
        Weight::from_parts(37_746_000, 4751)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn remove_proposal() -> Weight {
        // At least 122_863_000 picoseconds.
        Weight::from_parts(135_262_000, 4751)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(21))
    }
    fn accept() -> Weight {
        // At least 14_862_000 picoseconds.
        Weight::from_parts(16_214_000, 3803)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn retire() -> Weight {
        // At least 62_263_000 picoseconds.
        Weight::from_parts(67_391_000, 3803)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn set_params() -> Weight {
        // At least 6_449_000 picoseconds.
        Weight::from_parts(7_091_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 4_076_000 picoseconds.
        Weight::from_parts(4_687_000, 3990).saturating_add(ParityDbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 1_377_343_000 picoseconds.
        Weight::from_parts(1_508_357_000, 54238)
            .saturating_add(ParityDbWeight::get().reads(57))
            .saturating_add(ParityDbWeight::get().writes(68))
    }
    /// `c` from 1 to 48.
    fn draw(c: u32) -> Weight {
        // At least 201_871_000 picoseconds.
        Weight::from_parts(188_220_727, 44496)
            .saturating_add(Weight::from_parts(18_775_917, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}
