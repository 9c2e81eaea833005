//! Weights of `pallet_jobs`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_jobs` cost.
pub trait WeightInfo {
    fn submit(b: u32) -> Weight;
    fn cancel() -> Weight;
    fn acknowledge() -> Weight;
    fn refuse() -> Weight;
    fn commit(n: u32) -> Weight;
    fn set_params() -> Weight;
    fn service_base() -> Weight;
    fn draw_executor() -> Weight;
    fn no_executor(c: u32) -> Weight;
    fn draw_audit() -> Weight;
    fn lapse_deadline() -> Weight;
    fn settle() -> Weight;
    fn close_valid(a: u32) -> Weight;
    fn close_hard(a: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    /// `b` from 1 to 8192.
    fn submit(b: u32) -> Weight {
        // At least 218_426_000 picoseconds.
        Weight::from_parts(265_325_000, 6094)
            .saturating_add(T::DbWeight::get().reads(13))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    fn cancel() -> Weight {
        // At least 171_136_000 picoseconds.
        Weight::from_parts(186_669_000, 4098)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(11))
    }
    fn acknowledge() -> Weight {
        // At least 141_441_000 picoseconds.
        Weight::from_parts(153_409_000, 11684)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn refuse() -> Weight {
        // At least 344_314_000 picoseconds.
        Weight::from_parts(370_974_000, 8799)
            .saturating_add(T::DbWeight::get().reads(16))
            .saturating_add(T::DbWeight::get().writes(17))
    }
    /// `n` from 1 to 2048.
    fn commit(n: u32) -> Weight {
        // At least 302_862_000 picoseconds.
        Weight::from_parts(342_942_415, 12030)
            .saturating_add(Weight::from_parts(25_287, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn set_params() -> Weight {
        // At least 7_802_000 picoseconds.
        Weight::from_parts(8_232_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        // At least 21_863_000 picoseconds.
        Weight::from_parts(22_764_000, 3493)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn draw_executor() -> Weight {
        // At least 144_716_000 picoseconds.
        Weight::from_parts(160_990_000, 44496)
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    /// `c` from 1 to 48.
    fn no_executor(c: u32) -> Weight {
        // At least 385_304_000 picoseconds.
        Weight::from_parts(460_334_065, 44496)
            .saturating_add(Weight::from_parts(25_629_085, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(11))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
    fn draw_audit() -> Weight {
        // At least 426_757_000 picoseconds.
        Weight::from_parts(450_291_000, 44496)
            .saturating_add(T::DbWeight::get().reads(28))
            .saturating_add(T::DbWeight::get().writes(13))
    }
    fn lapse_deadline() -> Weight {
        // At least 309_492_000 picoseconds.
        Weight::from_parts(327_328_000, 8799)
            .saturating_add(T::DbWeight::get().reads(14))
            .saturating_add(T::DbWeight::get().writes(17))
    }
    fn settle() -> Weight {
        // At least 304_844_000 picoseconds.
        Weight::from_parts(321_680_000, 6196)
            .saturating_add(T::DbWeight::get().reads(20))
            .saturating_add(T::DbWeight::get().writes(23))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        // At least 336_793_000 picoseconds.
        Weight::from_parts(429_436_341, 6196)
            .saturating_add(Weight::from_parts(21_643_643, 0).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(21))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(23))
            .saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        // At least 2_913_446_000 picoseconds.
        Weight::from_parts(3_450_682_194, 221752)
            .saturating_add(Weight::from_parts(99_828_594, 0).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(358))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(359))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    /// `b` from 1 to 8192.
    fn submit(b: u32) -> Weight {
        // At least 218_426_000 picoseconds.
        Weight::from_parts(265_325_000, 6094)
            .saturating_add(ParityDbWeight::get().reads(13))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    fn cancel() -> Weight {
        // At least 171_136_000 picoseconds.
        Weight::from_parts(186_669_000, 4098)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(11))
    }
    fn acknowledge() -> Weight {
        // At least 141_441_000 picoseconds.
        Weight::from_parts(153_409_000, 11684)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn refuse() -> Weight {
        // At least 344_314_000 picoseconds.
        Weight::from_parts(370_974_000, 8799)
            .saturating_add(ParityDbWeight::get().reads(16))
            .saturating_add(ParityDbWeight::get().writes(17))
    }
    /// `n` from 1 to 2048.
    fn commit(n: u32) -> Weight {
        // At least 302_862_000 picoseconds.
        Weight::from_parts(342_942_415, 12030)
            .saturating_add(Weight::from_parts(25_287, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn set_params() -> Weight {
        // At least 7_802_000 picoseconds.
        Weight::from_parts(8_232_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        // At least 21_863_000 picoseconds.
        Weight::from_parts(22_764_000, 3493)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn draw_executor() -> Weight {
        // At least 144_716_000 picoseconds.
        Weight::from_parts(160_990_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    /// `c` from 1 to 48.
    fn no_executor(c: u32) -> Weight {
        // At least 385_304_000 picoseconds.
        Weight::from_parts(460_334_065, 44496)
            .saturating_add(Weight::from_parts(25_629_085, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(11))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
    fn draw_audit() -> Weight {
        // At least 426_757_000 picoseconds.
        Weight::from_parts(450_291_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(28))
            .saturating_add(ParityDbWeight::get().writes(13))
    }
    fn lapse_deadline() -> Weight {
        // At least 309_492_000 picoseconds.
        Weight::from_parts(327_328_000, 8799)
            .saturating_add(ParityDbWeight::get().reads(14))
            .saturating_add(ParityDbWeight::get().writes(17))
    }
    fn settle() -> Weight {
        // At least 304_844_000 picoseconds.
        Weight::from_parts(321_680_000, 6196)
            .saturating_add(ParityDbWeight::get().reads(20))
            .saturating_add(ParityDbWeight::get().writes(23))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        // At least 336_793_000 picoseconds.
        Weight::from_parts(429_436_341, 6196)
            .saturating_add(Weight::from_parts(21_643_643, 0).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(21))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(23))
            .saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        // At least 2_913_446_000 picoseconds.
        Weight::from_parts(3_450_682_194, 221752)
            .saturating_add(Weight::from_parts(99_828_594, 0).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(358))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(359))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
}
