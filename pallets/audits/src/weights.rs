//! Weights of `pallet_audits`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_audits` cost.
pub trait WeightInfo {
    fn commit() -> Weight;
    fn reveal() -> Weight;
    fn post_opening(b: u32) -> Weight;
    fn set_params() -> Weight;
    fn agenda() -> Weight;
    fn step() -> Weight;
    fn dismiss() -> Weight;
    fn open_ballots(v: u32) -> Weight;
    fn step_ballots(v: u32) -> Weight;
    fn punish_ballots(v: u32) -> Weight;
    fn forfeit_lien(v: u32) -> Weight;
    fn draw_seats(c: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn commit() -> Weight {
        // At least 59_178_000 picoseconds.
        Weight::from_parts(62_293_000, 6992)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn reveal() -> Weight {
        // At least 72_057_000 picoseconds.
        Weight::from_parts(76_794_000, 6992)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    /// `b` from 1 to 65536.
    fn post_opening(b: u32) -> Weight {
        // At least 85_457_000 picoseconds.
        Weight::from_parts(210_736_827, 69021)
            .saturating_add(Weight::from_parts(76_597, 0).saturating_mul(b.into()))
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn set_params() -> Weight {
        // At least 7_781_000 picoseconds.
        Weight::from_parts(8_222_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 5_027_000 picoseconds.
        Weight::from_parts(5_388_000, 3991).saturating_add(T::DbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 404_343_000 picoseconds.
        Weight::from_parts(419_356_000, 69021)
            .saturating_add(T::DbWeight::get().reads(50))
            .saturating_add(T::DbWeight::get().writes(53))
    }
    fn dismiss() -> Weight {
        // At least 801_796_000 picoseconds.
        Weight::from_parts(866_733_000, 69021)
            .saturating_add(T::DbWeight::get().reads(36))
            .saturating_add(T::DbWeight::get().writes(37))
    }
    /// `v` from 2 to 512.
    fn open_ballots(v: u32) -> Weight {
        // At least 145_167_000 picoseconds.
        Weight::from_parts(400_303_784, 44496)
            .saturating_add(Weight::from_parts(14_424_768, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(9))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 2652).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn step_ballots(v: u32) -> Weight {
        // At least 272_015_000 picoseconds.
        Weight::from_parts(4_842_972_216, 69021)
            .saturating_add(Weight::from_parts(65_680_607, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(13))
            .saturating_add(T::DbWeight::get().writes((7_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3309).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn punish_ballots(v: u32) -> Weight {
        // At least 525_974_000 picoseconds.
        Weight::from_parts(5_156_620_480, 69021)
            .saturating_add(Weight::from_parts(110_551_744, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(19))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(20))
            .saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3309).saturating_mul(v.into()))
    }
    /// `v` from 1 to 512.
    fn forfeit_lien(v: u32) -> Weight {
        // At least 103_094_000 picoseconds.
        Weight::from_parts(1_110_287_048, 6196)
            .saturating_add(Weight::from_parts(84_204_472, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(v.into()))
    }
    /// `c` from 1 to 48.
    fn draw_seats(c: u32) -> Weight {
        // At least 210_684_000 picoseconds.
        Weight::from_parts(219_659_416, 44496)
            .saturating_add(Weight::from_parts(29_398_987, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn commit() -> Weight {
        // At least 59_178_000 picoseconds.
        Weight::from_parts(62_293_000, 6992)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn reveal() -> Weight {
        // At least 72_057_000 picoseconds.
        Weight::from_parts(76_794_000, 6992)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    /// `b` from 1 to 65536.
    fn post_opening(b: u32) -> Weight {
        // At least 85_457_000 picoseconds.
        Weight::from_parts(210_736_827, 69021)
            .saturating_add(Weight::from_parts(76_597, 0).saturating_mul(b.into()))
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn set_params() -> Weight {
        // At least 7_781_000 picoseconds.
        Weight::from_parts(8_222_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 5_027_000 picoseconds.
        Weight::from_parts(5_388_000, 3991).saturating_add(ParityDbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 404_343_000 picoseconds.
        Weight::from_parts(419_356_000, 69021)
            .saturating_add(ParityDbWeight::get().reads(50))
            .saturating_add(ParityDbWeight::get().writes(53))
    }
    fn dismiss() -> Weight {
        // At least 801_796_000 picoseconds.
        Weight::from_parts(866_733_000, 69021)
            .saturating_add(ParityDbWeight::get().reads(36))
            .saturating_add(ParityDbWeight::get().writes(37))
    }
    /// `v` from 2 to 512.
    fn open_ballots(v: u32) -> Weight {
        // At least 145_167_000 picoseconds.
        Weight::from_parts(400_303_784, 44496)
            .saturating_add(Weight::from_parts(14_424_768, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(9))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 2652).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn step_ballots(v: u32) -> Weight {
        // At least 272_015_000 picoseconds.
        Weight::from_parts(4_842_972_216, 69021)
            .saturating_add(Weight::from_parts(65_680_607, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().reads((6_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(13))
            .saturating_add(ParityDbWeight::get().writes((7_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3309).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn punish_ballots(v: u32) -> Weight {
        // At least 525_974_000 picoseconds.
        Weight::from_parts(5_156_620_480, 69021)
            .saturating_add(Weight::from_parts(110_551_744, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(19))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(20))
            .saturating_add(ParityDbWeight::get().writes((5_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3309).saturating_mul(v.into()))
    }
    /// `v` from 1 to 512.
    fn forfeit_lien(v: u32) -> Weight {
        // At least 103_094_000 picoseconds.
        Weight::from_parts(1_110_287_048, 6196)
            .saturating_add(Weight::from_parts(84_204_472, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(v.into()))
    }
    /// `c` from 1 to 48.
    fn draw_seats(c: u32) -> Weight {
        // At least 210_684_000 picoseconds.
        Weight::from_parts(219_659_416, 44496)
            .saturating_add(Weight::from_parts(29_398_987, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}
