//! Weights of `pallet_training`.
//!
//! Estimated by hand from those of like calls of other pallets, reads and writes counted; `scripts/bench weights` measures
//! them.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_training` cost.
pub trait WeightInfo {
    fn create_run() -> Weight;
    fn join() -> Weight;
    fn heartbeat() -> Weight;
    fn leave() -> Weight;
    fn commit() -> Weight;
    fn reveal() -> Weight;
    fn attest() -> Weight;
    fn agree() -> Weight;
    fn challenge() -> Weight;
    fn cancel_run() -> Weight;
    fn register_checkpoint() -> Weight;
    fn attest_evaluation(e: u32) -> Weight;
    fn withdraw_evaluation(e: u32) -> Weight;
    fn set_params() -> Weight;
    fn serve_base() -> Weight;
    fn look() -> Weight;
    fn seed() -> Weight;
    fn step() -> Weight;
    fn count_attestations() -> Weight;
    fn hurry_stragglers() -> Weight;
    fn open_case() -> Weight;
    fn free() -> Weight;
    fn duty() -> Weight;
    fn slash() -> Weight;
    fn pay() -> Weight;
    fn end() -> Weight;
    fn close(a: u32) -> Weight;
    fn is_tied() -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn create_run() -> Weight {
        Weight::from_parts(160_000_000, 12000)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn join() -> Weight {
        Weight::from_parts(130_000_000, 12000)
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    fn heartbeat() -> Weight {
        Weight::from_parts(50_000_000, 7000)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn leave() -> Weight {
        Weight::from_parts(110_000_000, 12000)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    fn commit() -> Weight {
        Weight::from_parts(130_000_000, 16000)
            .saturating_add(T::DbWeight::get().reads(13))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    fn reveal() -> Weight {
        Weight::from_parts(120_000_000, 16000)
            .saturating_add(T::DbWeight::get().reads(10))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    fn attest() -> Weight {
        Weight::from_parts(100_000_000, 14000)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn agree() -> Weight {
        Weight::from_parts(110_000_000, 15000)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn challenge() -> Weight {
        Weight::from_parts(110_000_000, 12000)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn cancel_run() -> Weight {
        Weight::from_parts(40_000_000, 5000)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn register_checkpoint() -> Weight {
        Weight::from_parts(180_000_000, 16000)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    /// `e` from 0 to 63.
    fn attest_evaluation(e: u32) -> Weight {
        Weight::from_parts(80_000_000, 6000)
            .saturating_add(Weight::from_parts(1_000_000, 130).saturating_mul(e.into()))
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    /// `e` from 0 to 63.
    fn withdraw_evaluation(e: u32) -> Weight {
        Weight::from_parts(60_000_000, 6000)
            .saturating_add(Weight::from_parts(1_000_000, 130).saturating_mul(e.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn set_params() -> Weight {
        Weight::from_parts(10_000_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn serve_base() -> Weight {
        Weight::from_parts(5_000_000, 1600).saturating_add(T::DbWeight::get().reads(1))
    }
    /// A run that has nothing to do.
    fn look() -> Weight {
        Weight::from_parts(20_000_000, 5000)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn seed() -> Weight {
        Weight::from_parts(25_000_000, 5000)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    /// The step that touches most records, without what follows from it for others.
    fn step() -> Weight {
        Weight::from_parts(45_000_000, 9000)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    fn count_attestations() -> Weight {
        Weight::from_parts(40_000_000, 9000)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn hurry_stragglers() -> Weight {
        Weight::from_parts(120_000_000, 9000)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    /// One that opens, whoever was passed over beside that.
    fn open_case() -> Weight {
        Weight::from_parts(260_000_000, 40000)
            .saturating_add(T::DbWeight::get().reads(24))
            .saturating_add(T::DbWeight::get().writes(20))
    }
    fn free() -> Weight {
        Weight::from_parts(60_000_000, 9000)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    /// One that costs a penalty.
    fn duty() -> Weight {
        Weight::from_parts(280_000_000, 22000)
            .saturating_add(T::DbWeight::get().reads(10))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn slash() -> Weight {
        Weight::from_parts(320_000_000, 26000)
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(11))
    }
    fn pay() -> Weight {
        Weight::from_parts(190_000_000, 18000)
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn end() -> Weight {
        Weight::from_parts(110_000_000, 12000)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    /// The dearest end of a case with `a` in the majority, from 1 to 128: a member is slashed, and its record goes.
    fn close(a: u32) -> Weight {
        Weight::from_parts(420_000_000, 32000)
            .saturating_add(Weight::from_parts(75_000_000, 2700).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(22))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(18))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(a.into())))
    }
    fn is_tied() -> Weight {
        Weight::from_parts(15_000_000, 8000).saturating_add(T::DbWeight::get().reads(3))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn create_run() -> Weight {
        Weight::from_parts(160_000_000, 12000)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn join() -> Weight {
        Weight::from_parts(130_000_000, 12000)
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    fn heartbeat() -> Weight {
        Weight::from_parts(50_000_000, 7000)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn leave() -> Weight {
        Weight::from_parts(110_000_000, 12000)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    fn commit() -> Weight {
        Weight::from_parts(130_000_000, 16000)
            .saturating_add(ParityDbWeight::get().reads(13))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn reveal() -> Weight {
        Weight::from_parts(120_000_000, 16000)
            .saturating_add(ParityDbWeight::get().reads(10))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    fn attest() -> Weight {
        Weight::from_parts(100_000_000, 14000)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn agree() -> Weight {
        Weight::from_parts(110_000_000, 15000)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn challenge() -> Weight {
        Weight::from_parts(110_000_000, 12000)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn cancel_run() -> Weight {
        Weight::from_parts(40_000_000, 5000)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn register_checkpoint() -> Weight {
        Weight::from_parts(180_000_000, 16000)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    /// `e` from 0 to 63.
    fn attest_evaluation(e: u32) -> Weight {
        Weight::from_parts(80_000_000, 6000)
            .saturating_add(Weight::from_parts(1_000_000, 130).saturating_mul(e.into()))
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    /// `e` from 0 to 63.
    fn withdraw_evaluation(e: u32) -> Weight {
        Weight::from_parts(60_000_000, 6000)
            .saturating_add(Weight::from_parts(1_000_000, 130).saturating_mul(e.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn set_params() -> Weight {
        Weight::from_parts(10_000_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn serve_base() -> Weight {
        Weight::from_parts(5_000_000, 1600).saturating_add(ParityDbWeight::get().reads(1))
    }
    /// A run that has nothing to do.
    fn look() -> Weight {
        Weight::from_parts(20_000_000, 5000)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn seed() -> Weight {
        Weight::from_parts(25_000_000, 5000)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    /// The step that touches most records, without what follows from it for others.
    fn step() -> Weight {
        Weight::from_parts(45_000_000, 9000)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    fn count_attestations() -> Weight {
        Weight::from_parts(40_000_000, 9000)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn hurry_stragglers() -> Weight {
        Weight::from_parts(120_000_000, 9000)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    /// One that opens, whoever was passed over beside that.
    fn open_case() -> Weight {
        Weight::from_parts(260_000_000, 40000)
            .saturating_add(ParityDbWeight::get().reads(24))
            .saturating_add(ParityDbWeight::get().writes(20))
    }
    fn free() -> Weight {
        Weight::from_parts(60_000_000, 9000)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    /// One that costs a penalty.
    fn duty() -> Weight {
        Weight::from_parts(280_000_000, 22000)
            .saturating_add(ParityDbWeight::get().reads(10))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn slash() -> Weight {
        Weight::from_parts(320_000_000, 26000)
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(11))
    }
    fn pay() -> Weight {
        Weight::from_parts(190_000_000, 18000)
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn end() -> Weight {
        Weight::from_parts(110_000_000, 12000)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    /// The dearest end of a case with `a` in the majority, from 1 to 128: a member is slashed, and its record goes.
    fn close(a: u32) -> Weight {
        Weight::from_parts(420_000_000, 32000)
            .saturating_add(Weight::from_parts(75_000_000, 2700).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(22))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(18))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(a.into())))
    }
    fn is_tied() -> Weight {
        Weight::from_parts(15_000_000, 8000).saturating_add(ParityDbWeight::get().reads(3))
    }
}
