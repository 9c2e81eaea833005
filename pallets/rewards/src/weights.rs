//! Weights of `pallet_rewards`, measured by `scripts/bench weights`.
//!
//! 2026-11-21, AMD EPYC, steps 20, repeats 10, tool version 64.0.0.

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
        // At least 9_444_000 picoseconds.
        Weight::from_parts(10_555_000, 1501)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn claim() -> Weight {
        // At least 124_966_000 picoseconds.
        Weight::from_parts(141_892_000, 6196)
            .saturating_add(T::DbWeight::get().reads(14))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    fn begin_block() -> Weight {
        // At least 5_478_000 picoseconds.
        Weight::from_parts(6_290_000, 1493).saturating_add(T::DbWeight::get().reads(3))
    }
    fn close_epoch() -> Weight {
        // At least 153_239_000 picoseconds.
        Weight::from_parts(163_884_000, 8799)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    /// `n` from 1 to 64.
    fn sweep(n: u32) -> Weight {
        // At least 33_711_000 picoseconds.
        Weight::from_parts(35_102_000, 3565)
            .saturating_add(Weight::from_parts(18_268_479, 0).saturating_mul(n.into()))
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
        // At least 9_444_000 picoseconds.
        Weight::from_parts(10_555_000, 1501)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn claim() -> Weight {
        // At least 124_966_000 picoseconds.
        Weight::from_parts(141_892_000, 6196)
            .saturating_add(ParityDbWeight::get().reads(14))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    fn begin_block() -> Weight {
        // At least 5_478_000 picoseconds.
        Weight::from_parts(6_290_000, 1493).saturating_add(ParityDbWeight::get().reads(3))
    }
    fn close_epoch() -> Weight {
        // At least 153_239_000 picoseconds.
        Weight::from_parts(163_884_000, 8799)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    /// `n` from 1 to 64.
    fn sweep(n: u32) -> Weight {
        // At least 33_711_000 picoseconds.
        Weight::from_parts(35_102_000, 3565)
            .saturating_add(Weight::from_parts(18_268_479, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2575).saturating_mul(n.into()))
    }
}
