//! Weights of `pallet_audits`, measured by `scripts/bench weights`.
//!
//! 2026-11-21, AMD EPYC, steps 20, repeats 10, tool version 64.0.0.

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
        // At least 50_826_000 picoseconds.
        Weight::from_parts(59_539_000, 6992)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn reveal() -> Weight {
        // At least 63_405_000 picoseconds.
        Weight::from_parts(79_960_000, 6992)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    /// `b` from 1 to 65536.
    fn post_opening(b: u32) -> Weight {
        // At least 74_802_000 picoseconds.
        Weight::from_parts(98_046_000, 69021)
            .saturating_add(Weight::from_parts(300_331, 0).saturating_mul(b.into()))
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn set_params() -> Weight {
        // At least 6_700_000 picoseconds.
        Weight::from_parts(7_531_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 4_286_000 picoseconds.
        Weight::from_parts(4_898_000, 3991).saturating_add(T::DbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 382_550_000 picoseconds.
        Weight::from_parts(456_260_000, 69021)
            .saturating_add(T::DbWeight::get().reads(50))
            .saturating_add(T::DbWeight::get().writes(53))
    }
    fn dismiss() -> Weight {
        // At least 805_370_000 picoseconds.
        Weight::from_parts(873_742_000, 69021)
            .saturating_add(T::DbWeight::get().reads(36))
            .saturating_add(T::DbWeight::get().writes(37))
    }
    /// `v` from 2 to 512.
    fn open_ballots(v: u32) -> Weight {
        // At least 132_558_000 picoseconds.
        Weight::from_parts(136_444_000, 44496)
            .saturating_add(Weight::from_parts(20_821_624, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(4))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 2652).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn step_ballots(v: u32) -> Weight {
        // At least 259_797_000 picoseconds.
        Weight::from_parts(263_813_000, 69021)
            .saturating_add(Weight::from_parts(171_968_131, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(T::DbWeight::get().writes((7_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3317).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn punish_ballots(v: u32) -> Weight {
        // At least 343_361_000 picoseconds.
        Weight::from_parts(21_119_708_194, 69021)
            .saturating_add(Weight::from_parts(178_468_067, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(14))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(10))
            .saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3317).saturating_mul(v.into()))
    }
    /// `v` from 1 to 512.
    fn forfeit_lien(v: u32) -> Weight {
        // At least 101_141_000 picoseconds.
        Weight::from_parts(22_326_054_840, 5937)
            .saturating_add(Weight::from_parts(166_482_932, 0).saturating_mul(v.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(v.into())))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(v.into()))
    }
    /// `c` from 1 to 48.
    fn draw_seats(c: u32) -> Weight {
        // At least 209_272_000 picoseconds.
        Weight::from_parts(239_867_000, 44496)
            .saturating_add(Weight::from_parts(58_866_096, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn commit() -> Weight {
        // At least 50_826_000 picoseconds.
        Weight::from_parts(59_539_000, 6992)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn reveal() -> Weight {
        // At least 63_405_000 picoseconds.
        Weight::from_parts(79_960_000, 6992)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    /// `b` from 1 to 65536.
    fn post_opening(b: u32) -> Weight {
        // At least 74_802_000 picoseconds.
        Weight::from_parts(98_046_000, 69021)
            .saturating_add(Weight::from_parts(300_331, 0).saturating_mul(b.into()))
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn set_params() -> Weight {
        // At least 6_700_000 picoseconds.
        Weight::from_parts(7_531_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        // At least 4_286_000 picoseconds.
        Weight::from_parts(4_898_000, 3991).saturating_add(ParityDbWeight::get().reads(1))
    }
    fn step() -> Weight {
        // At least 382_550_000 picoseconds.
        Weight::from_parts(456_260_000, 69021)
            .saturating_add(ParityDbWeight::get().reads(50))
            .saturating_add(ParityDbWeight::get().writes(53))
    }
    fn dismiss() -> Weight {
        // At least 805_370_000 picoseconds.
        Weight::from_parts(873_742_000, 69021)
            .saturating_add(ParityDbWeight::get().reads(36))
            .saturating_add(ParityDbWeight::get().writes(37))
    }
    /// `v` from 2 to 512.
    fn open_ballots(v: u32) -> Weight {
        // At least 132_558_000 picoseconds.
        Weight::from_parts(136_444_000, 44496)
            .saturating_add(Weight::from_parts(20_821_624, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(4))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 2652).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn step_ballots(v: u32) -> Weight {
        // At least 259_797_000 picoseconds.
        Weight::from_parts(263_813_000, 69021)
            .saturating_add(Weight::from_parts(171_968_131, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().reads((6_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(ParityDbWeight::get().writes((7_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3317).saturating_mul(v.into()))
    }
    /// `v` from 2 to 512.
    fn punish_ballots(v: u32) -> Weight {
        // At least 343_361_000 picoseconds.
        Weight::from_parts(21_119_708_194, 69021)
            .saturating_add(Weight::from_parts(178_468_067, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(14))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(10))
            .saturating_add(ParityDbWeight::get().writes((5_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3317).saturating_mul(v.into()))
    }
    /// `v` from 1 to 512.
    fn forfeit_lien(v: u32) -> Weight {
        // At least 101_141_000 picoseconds.
        Weight::from_parts(22_326_054_840, 5937)
            .saturating_add(Weight::from_parts(166_482_932, 0).saturating_mul(v.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(v.into())))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(v.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(v.into()))
    }
    /// `c` from 1 to 48.
    fn draw_seats(c: u32) -> Weight {
        // At least 209_272_000 picoseconds.
        Weight::from_parts(239_867_000, 44496)
            .saturating_add(Weight::from_parts(58_866_096, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(c.into()))
    }
}
