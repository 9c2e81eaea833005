//! Weights of `pallet_jobs`, measured by `scripts/bench weights`.
//!
//! 2026-11-21, AMD EPYC, steps 20, repeats 10, tool version 64.0.0.

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
        // At least 199_658_000 picoseconds.
        Weight::from_parts(216_311_388, 6094)
            .saturating_add(Weight::from_parts(577, 0).saturating_mul(b.into()))
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(8))
    }
    fn cancel() -> Weight {
        // At least 155_331_000 picoseconds.
        Weight::from_parts(167_469_000, 4098)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(11))
    }
    fn acknowledge() -> Weight {
        // At least 119_969_000 picoseconds.
        Weight::from_parts(131_536_000, 11684)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn refuse() -> Weight {
        // At least 318_505_000 picoseconds.
        Weight::from_parts(350_453_000, 8799)
            .saturating_add(T::DbWeight::get().reads(16))
            .saturating_add(T::DbWeight::get().writes(17))
    }
    /// `n` from 1 to 2048.
    fn commit(n: u32) -> Weight {
        // At least 258_195_000 picoseconds.
        Weight::from_parts(329_979_840, 11946)
            .saturating_add(Weight::from_parts(19_010, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn set_params() -> Weight {
        // At least 6_570_000 picoseconds.
        Weight::from_parts(7_181_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        // At least 19_739_000 picoseconds.
        Weight::from_parts(21_472_000, 3493)
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn draw_executor() -> Weight {
        // At least 125_216_000 picoseconds.
        Weight::from_parts(150_063_000, 44496)
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    /// `c` from 1 to 48.
    fn no_executor(c: u32) -> Weight {
        // At least 377_322_000 picoseconds.
        Weight::from_parts(375_707_013, 44496)
            .saturating_add(Weight::from_parts(23_930_316, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(11))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
    fn draw_audit() -> Weight {
        // At least 357_403_000 picoseconds.
        Weight::from_parts(410_802_000, 44496)
            .saturating_add(T::DbWeight::get().reads(28))
            .saturating_add(T::DbWeight::get().writes(13))
    }
    fn lapse_deadline() -> Weight {
        // At least 291_564_000 picoseconds.
        Weight::from_parts(323_652_000, 8799)
            .saturating_add(T::DbWeight::get().reads(14))
            .saturating_add(T::DbWeight::get().writes(17))
    }
    fn settle() -> Weight {
        // At least 293_878_000 picoseconds.
        Weight::from_parts(321_690_000, 6196)
            .saturating_add(T::DbWeight::get().reads(20))
            .saturating_add(T::DbWeight::get().writes(23))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        // At least 354_017_000 picoseconds.
        Weight::from_parts(112_552_717, 6196)
            .saturating_add(Weight::from_parts(33_174_425, 0).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(21))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(23))
            .saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        // At least 2_763_407_000 picoseconds.
        Weight::from_parts(4_378_155_174, 221752)
            .saturating_add(Weight::from_parts(128_212_708, 0).saturating_mul(a.into()))
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
        // At least 199_658_000 picoseconds.
        Weight::from_parts(216_311_388, 6094)
            .saturating_add(Weight::from_parts(577, 0).saturating_mul(b.into()))
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(8))
    }
    fn cancel() -> Weight {
        // At least 155_331_000 picoseconds.
        Weight::from_parts(167_469_000, 4098)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(11))
    }
    fn acknowledge() -> Weight {
        // At least 119_969_000 picoseconds.
        Weight::from_parts(131_536_000, 11684)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn refuse() -> Weight {
        // At least 318_505_000 picoseconds.
        Weight::from_parts(350_453_000, 8799)
            .saturating_add(ParityDbWeight::get().reads(16))
            .saturating_add(ParityDbWeight::get().writes(17))
    }
    /// `n` from 1 to 2048.
    fn commit(n: u32) -> Weight {
        // At least 258_195_000 picoseconds.
        Weight::from_parts(329_979_840, 11946)
            .saturating_add(Weight::from_parts(19_010, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn set_params() -> Weight {
        // At least 6_570_000 picoseconds.
        Weight::from_parts(7_181_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        // At least 19_739_000 picoseconds.
        Weight::from_parts(21_472_000, 3493)
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn draw_executor() -> Weight {
        // At least 125_216_000 picoseconds.
        Weight::from_parts(150_063_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    /// `c` from 1 to 48.
    fn no_executor(c: u32) -> Weight {
        // At least 377_322_000 picoseconds.
        Weight::from_parts(375_707_013, 44496)
            .saturating_add(Weight::from_parts(23_930_316, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(11))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
    fn draw_audit() -> Weight {
        // At least 357_403_000 picoseconds.
        Weight::from_parts(410_802_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(28))
            .saturating_add(ParityDbWeight::get().writes(13))
    }
    fn lapse_deadline() -> Weight {
        // At least 291_564_000 picoseconds.
        Weight::from_parts(323_652_000, 8799)
            .saturating_add(ParityDbWeight::get().reads(14))
            .saturating_add(ParityDbWeight::get().writes(17))
    }
    fn settle() -> Weight {
        // At least 293_878_000 picoseconds.
        Weight::from_parts(321_690_000, 6196)
            .saturating_add(ParityDbWeight::get().reads(20))
            .saturating_add(ParityDbWeight::get().writes(23))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        // At least 354_017_000 picoseconds.
        Weight::from_parts(112_552_717, 6196)
            .saturating_add(Weight::from_parts(33_174_425, 0).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(21))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(23))
            .saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        // At least 2_763_407_000 picoseconds.
        Weight::from_parts(4_378_155_174, 221752)
            .saturating_add(Weight::from_parts(128_212_708, 0).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(358))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(359))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
}
