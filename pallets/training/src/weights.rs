//! Weights of `pallet_training`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

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
        // At least 109_283_000 picoseconds.
        Weight::from_parts(112_688_000, 4206)
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn join() -> Weight {
        // At least 170_715_000 picoseconds.
        Weight::from_parts(179_167_000, 4318)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    fn heartbeat() -> Weight {
        // At least 57_435_000 picoseconds.
        Weight::from_parts(60_300_000, 4318)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn leave() -> Weight {
        // At least 170_073_000 picoseconds.
        Weight::from_parts(177_455_000, 6320)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn commit() -> Weight {
        // At least 188_491_000 picoseconds.
        Weight::from_parts(194_139_000, 5539)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    fn reveal() -> Weight {
        // At least 176_674_000 picoseconds.
        Weight::from_parts(182_272_000, 6084)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn attest() -> Weight {
        // At least 141_601_000 picoseconds.
        Weight::from_parts(146_779_000, 4318)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn agree() -> Weight {
        // At least 168_731_000 picoseconds.
        Weight::from_parts(174_109_000, 4318)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn challenge() -> Weight {
        // At least 141_801_000 picoseconds.
        Weight::from_parts(148_882_000, 4318)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn cancel_run() -> Weight {
        // At least 35_813_000 picoseconds.
        Weight::from_parts(39_189_000, 4031)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn register_checkpoint() -> Weight {
        // At least 94_501_000 picoseconds.
        Weight::from_parts(99_368_000, 6650)
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    /// `e` from 0 to 63.
    fn attest_evaluation(e: u32) -> Weight {
        // At least 129_162_000 picoseconds.
        Weight::from_parts(144_872_525, 9915)
            .saturating_add(Weight::from_parts(322_185, 0).saturating_mul(e.into()))
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(Weight::from_parts(0, 100).saturating_mul(e.into()))
    }
    /// `e` from 0 to 63.
    fn withdraw_evaluation(e: u32) -> Weight {
        // At least 83_375_000 picoseconds.
        Weight::from_parts(88_601_562, 9915)
            .saturating_add(Weight::from_parts(316_634, 0).saturating_mul(e.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(Weight::from_parts(0, 100).saturating_mul(e.into()))
    }
    fn set_params() -> Weight {
        // At least 7_522_000 picoseconds.
        Weight::from_parts(8_132_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn serve_base() -> Weight {
        // At least 4_797_000 picoseconds.
        Weight::from_parts(5_017_000, 1550).saturating_add(T::DbWeight::get().reads(1))
    }
    fn look() -> Weight {
        // At least 33_470_000 picoseconds.
        Weight::from_parts(35_182_000, 4031).saturating_add(T::DbWeight::get().reads(6))
    }
    fn seed() -> Weight {
        // At least 39_318_000 picoseconds.
        Weight::from_parts(41_091_000, 4031).saturating_add(T::DbWeight::get().reads(5))
    }
    fn step() -> Weight {
        // At least 121_431_000 picoseconds.
        Weight::from_parts(125_226_000, 6320)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(10))
    }
    fn count_attestations() -> Weight {
        // At least 49_915_000 picoseconds.
        Weight::from_parts(52_608_000, 4515)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn hurry_stragglers() -> Weight {
        // At least 57_275_000 picoseconds.
        Weight::from_parts(60_951_000, 5539)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn open_case() -> Weight {
        // At least 305_917_000 picoseconds.
        Weight::from_parts(314_159_000, 44496)
            .saturating_add(T::DbWeight::get().reads(22))
            .saturating_add(T::DbWeight::get().writes(10))
    }
    fn free() -> Weight {
        // At least 104_776_000 picoseconds.
        Weight::from_parts(109_433_000, 4318)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn duty() -> Weight {
        // At least 157_364_000 picoseconds.
        Weight::from_parts(172_056_000, 6196)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn slash() -> Weight {
        // At least 230_203_000 picoseconds.
        Weight::from_parts(247_579_000, 8799)
            .saturating_add(T::DbWeight::get().reads(10))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn pay() -> Weight {
        // At least 172_677_000 picoseconds.
        Weight::from_parts(179_748_000, 7646)
            .saturating_add(T::DbWeight::get().reads(18))
            .saturating_add(T::DbWeight::get().writes(10))
    }
    fn end() -> Weight {
        // At least 66_810_000 picoseconds.
        Weight::from_parts(69_673_000, 4206)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    /// `a` from 1 to 128.
    fn close(a: u32) -> Weight {
        // At least 389_471_000 picoseconds.
        Weight::from_parts(859_799_170, 6320)
            .saturating_add(Weight::from_parts(78_897_198, 0).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(16))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    fn is_tied() -> Weight {
        // At least 26_119_000 picoseconds.
        Weight::from_parts(27_391_000, 4318).saturating_add(T::DbWeight::get().reads(2))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn create_run() -> Weight {
        // At least 109_283_000 picoseconds.
        Weight::from_parts(112_688_000, 4206)
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn join() -> Weight {
        // At least 170_715_000 picoseconds.
        Weight::from_parts(179_167_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn heartbeat() -> Weight {
        // At least 57_435_000 picoseconds.
        Weight::from_parts(60_300_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn leave() -> Weight {
        // At least 170_073_000 picoseconds.
        Weight::from_parts(177_455_000, 6320)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn commit() -> Weight {
        // At least 188_491_000 picoseconds.
        Weight::from_parts(194_139_000, 5539)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    fn reveal() -> Weight {
        // At least 176_674_000 picoseconds.
        Weight::from_parts(182_272_000, 6084)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn attest() -> Weight {
        // At least 141_601_000 picoseconds.
        Weight::from_parts(146_779_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn agree() -> Weight {
        // At least 168_731_000 picoseconds.
        Weight::from_parts(174_109_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn challenge() -> Weight {
        // At least 141_801_000 picoseconds.
        Weight::from_parts(148_882_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn cancel_run() -> Weight {
        // At least 35_813_000 picoseconds.
        Weight::from_parts(39_189_000, 4031)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn register_checkpoint() -> Weight {
        // At least 94_501_000 picoseconds.
        Weight::from_parts(99_368_000, 6650)
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    /// `e` from 0 to 63.
    fn attest_evaluation(e: u32) -> Weight {
        // At least 129_162_000 picoseconds.
        Weight::from_parts(144_872_525, 9915)
            .saturating_add(Weight::from_parts(322_185, 0).saturating_mul(e.into()))
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(Weight::from_parts(0, 100).saturating_mul(e.into()))
    }
    /// `e` from 0 to 63.
    fn withdraw_evaluation(e: u32) -> Weight {
        // At least 83_375_000 picoseconds.
        Weight::from_parts(88_601_562, 9915)
            .saturating_add(Weight::from_parts(316_634, 0).saturating_mul(e.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(Weight::from_parts(0, 100).saturating_mul(e.into()))
    }
    fn set_params() -> Weight {
        // At least 7_522_000 picoseconds.
        Weight::from_parts(8_132_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn serve_base() -> Weight {
        // At least 4_797_000 picoseconds.
        Weight::from_parts(5_017_000, 1550).saturating_add(ParityDbWeight::get().reads(1))
    }
    fn look() -> Weight {
        // At least 33_470_000 picoseconds.
        Weight::from_parts(35_182_000, 4031).saturating_add(ParityDbWeight::get().reads(6))
    }
    fn seed() -> Weight {
        // At least 39_318_000 picoseconds.
        Weight::from_parts(41_091_000, 4031).saturating_add(ParityDbWeight::get().reads(5))
    }
    fn step() -> Weight {
        // At least 121_431_000 picoseconds.
        Weight::from_parts(125_226_000, 6320)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(10))
    }
    fn count_attestations() -> Weight {
        // At least 49_915_000 picoseconds.
        Weight::from_parts(52_608_000, 4515)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn hurry_stragglers() -> Weight {
        // At least 57_275_000 picoseconds.
        Weight::from_parts(60_951_000, 5539)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn open_case() -> Weight {
        // At least 305_917_000 picoseconds.
        Weight::from_parts(314_159_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(22))
            .saturating_add(ParityDbWeight::get().writes(10))
    }
    fn free() -> Weight {
        // At least 104_776_000 picoseconds.
        Weight::from_parts(109_433_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn duty() -> Weight {
        // At least 157_364_000 picoseconds.
        Weight::from_parts(172_056_000, 6196)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn slash() -> Weight {
        // At least 230_203_000 picoseconds.
        Weight::from_parts(247_579_000, 8799)
            .saturating_add(ParityDbWeight::get().reads(10))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn pay() -> Weight {
        // At least 172_677_000 picoseconds.
        Weight::from_parts(179_748_000, 7646)
            .saturating_add(ParityDbWeight::get().reads(18))
            .saturating_add(ParityDbWeight::get().writes(10))
    }
    fn end() -> Weight {
        // At least 66_810_000 picoseconds.
        Weight::from_parts(69_673_000, 4206)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    /// `a` from 1 to 128.
    fn close(a: u32) -> Weight {
        // At least 389_471_000 picoseconds.
        Weight::from_parts(859_799_170, 6320)
            .saturating_add(Weight::from_parts(78_897_198, 0).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(16))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    fn is_tied() -> Weight {
        // At least 26_119_000 picoseconds.
        Weight::from_parts(27_391_000, 4318).saturating_add(ParityDbWeight::get().reads(2))
    }
}
