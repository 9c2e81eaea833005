//! Weights of `pallet_sessions`, measured by `scripts/bench weights`.
//!
//! 2026-11-26, AMD EPYC, WASM runtime in release, 10 steps, 5 repeats, storage in memory.
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_sessions` cost.
pub trait WeightInfo {
    fn open() -> Weight;
    fn top_up() -> Weight;
    fn renew() -> Weight;
    fn grow() -> Weight;
    fn shrink() -> Weight;
    fn shrink_now() -> Weight;
    fn apply_shrink() -> Weight;
    fn settle(n: u32) -> Weight;
    fn prove_fraud() -> Weight;
    fn prove_equivocation() -> Weight;
    fn report() -> Weight;
    fn close(c: u32) -> Weight;
    fn set_params() -> Weight;
    fn service_base() -> Weight;
    fn finish(c: u32) -> Weight;
    fn announce_takings() -> Weight;
    fn draw_committee(c: u32) -> Weight;
    fn open_case() -> Weight;
    fn open_no_case() -> Weight;
    fn clear_settlement() -> Weight;
    fn check_opening() -> Weight;
    fn show(p: u32, t: u32) -> Weight;
    fn is_client() -> Weight;
    fn close_valid(a: u32) -> Weight;
    fn close_hard(a: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn open() -> Weight {
        // At least 222_982_000 picoseconds.
        Weight::from_parts(248_831_000, 6094)
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    fn top_up() -> Weight {
        // At least 106_819_000 picoseconds.
        Weight::from_parts(116_604_000, 3883)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn renew() -> Weight {
        // At least 48_122_000 picoseconds.
        Weight::from_parts(58_688_000, 3883)
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn grow() -> Weight {
        // At least 44_807_000 picoseconds.
        Weight::from_parts(51_998_000, 3883)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn shrink() -> Weight {
        // At least 51_707_000 picoseconds.
        Weight::from_parts(61_612_000, 3883)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn shrink_now() -> Weight {
        // At least 127_620_000 picoseconds.
        Weight::from_parts(149_243_000, 3883)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn apply_shrink() -> Weight {
        // At least 44_546_000 picoseconds.
        Weight::from_parts(49_414_000, 3883)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    /// `n` from 1 to 64.
    fn settle(n: u32) -> Weight {
        // At least 375_400_000 picoseconds.
        Weight::from_parts(798_138_640, 7646)
            .saturating_add(Weight::from_parts(218_343_490, 0).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(11))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(9))
            .saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2893).saturating_mul(n.into()))
    }
    fn prove_fraud() -> Weight {
        // At least 2_958_222_000 picoseconds.
        Weight::from_parts(3_145_702_000, 221752)
            .saturating_add(T::DbWeight::get().reads(356))
            .saturating_add(T::DbWeight::get().writes(349))
    }
    fn prove_equivocation() -> Weight {
        // At least 208_531_000 picoseconds.
        Weight::from_parts(231_095_000, 3883)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn report() -> Weight {
        // At least 341_799_000 picoseconds.
        Weight::from_parts(375_270_000, 4601)
            .saturating_add(T::DbWeight::get().reads(15))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    /// `c` from 1 to 16.
    fn close(c: u32) -> Weight {
        // At least 70_896_000 picoseconds.
        Weight::from_parts(64_087_256, 3883)
            .saturating_add(Weight::from_parts(10_276_812, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2776).saturating_mul(c.into()))
    }
    fn set_params() -> Weight {
        // At least 8_903_000 picoseconds.
        Weight::from_parts(9_535_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        // At least 19_419_000 picoseconds.
        Weight::from_parts(20_861_000, 3517)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    /// `c` from 1 to 16.
    fn finish(c: u32) -> Weight {
        // At least 285_416_000 picoseconds.
        Weight::from_parts(291_277_730, 8799)
            .saturating_add(Weight::from_parts(11_368_635, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(7))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2776).saturating_mul(c.into()))
    }
    fn announce_takings() -> Weight {
        // At least 31_497_000 picoseconds.
        Weight::from_parts(34_201_000, 3642)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    /// `c` from 4 to 48.
    fn draw_committee(c: u32) -> Weight {
        // At least 325_796_000 picoseconds.
        Weight::from_parts(548_859_655, 48182)
            .saturating_add(Weight::from_parts(1_489_565, 0).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(35))
            .saturating_add(T::DbWeight::get().writes(18))
            .saturating_add(Weight::from_parts(0, 61).saturating_mul(c.into()))
    }
    fn open_case() -> Weight {
        // At least 359_466_000 picoseconds.
        Weight::from_parts(377_462_000, 44496)
            .saturating_add(T::DbWeight::get().reads(23))
            .saturating_add(T::DbWeight::get().writes(12))
    }
    fn open_no_case() -> Weight {
        // At least 49_273_000 picoseconds.
        Weight::from_parts(56_704_000, 4318)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(6))
    }
    fn clear_settlement() -> Weight {
        // At least 148_762_000 picoseconds.
        Weight::from_parts(158_407_000, 8607)
            .saturating_add(T::DbWeight::get().reads(10))
            .saturating_add(T::DbWeight::get().writes(10))
    }
    fn check_opening() -> Weight {
        // At least 153_399_000 picoseconds.
        Weight::from_parts(163_834_000, 5787).saturating_add(T::DbWeight::get().reads(2))
    }
    /// `p` from 1 to 131072, `t` from 0 to 2048.
    fn show(p: u32, t: u32) -> Weight {
        // At least 4_338_481_000 picoseconds.
        Weight::from_parts(6_402_780_732, 5787)
            .saturating_add(Weight::from_parts(13_399, 0).saturating_mul(p.into()))
            .saturating_add(Weight::from_parts(1_466_697, 0).saturating_mul(t.into()))
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn is_client() -> Weight {
        // At least 39_910_000 picoseconds.
        Weight::from_parts(48_011_000, 2312).saturating_add(T::DbWeight::get().reads(2))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        // At least 217_074_000 picoseconds.
        Weight::from_parts(281_012_232, 6196)
            .saturating_add(Weight::from_parts(21_271_936, 0).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(17))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(17))
            .saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        // At least 2_935_668_000 picoseconds.
        Weight::from_parts(3_769_353_856, 221752)
            .saturating_add(Weight::from_parts(93_976_423, 0).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(358))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(353))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn open() -> Weight {
        // At least 222_982_000 picoseconds.
        Weight::from_parts(248_831_000, 6094)
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn top_up() -> Weight {
        // At least 106_819_000 picoseconds.
        Weight::from_parts(116_604_000, 3883)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn renew() -> Weight {
        // At least 48_122_000 picoseconds.
        Weight::from_parts(58_688_000, 3883)
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn grow() -> Weight {
        // At least 44_807_000 picoseconds.
        Weight::from_parts(51_998_000, 3883)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn shrink() -> Weight {
        // At least 51_707_000 picoseconds.
        Weight::from_parts(61_612_000, 3883)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn shrink_now() -> Weight {
        // At least 127_620_000 picoseconds.
        Weight::from_parts(149_243_000, 3883)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn apply_shrink() -> Weight {
        // At least 44_546_000 picoseconds.
        Weight::from_parts(49_414_000, 3883)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    /// `n` from 1 to 64.
    fn settle(n: u32) -> Weight {
        // At least 375_400_000 picoseconds.
        Weight::from_parts(798_138_640, 7646)
            .saturating_add(Weight::from_parts(218_343_490, 0).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(11))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(9))
            .saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(n.into())))
            .saturating_add(Weight::from_parts(0, 2893).saturating_mul(n.into()))
    }
    fn prove_fraud() -> Weight {
        // At least 2_958_222_000 picoseconds.
        Weight::from_parts(3_145_702_000, 221752)
            .saturating_add(ParityDbWeight::get().reads(356))
            .saturating_add(ParityDbWeight::get().writes(349))
    }
    fn prove_equivocation() -> Weight {
        // At least 208_531_000 picoseconds.
        Weight::from_parts(231_095_000, 3883)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn report() -> Weight {
        // At least 341_799_000 picoseconds.
        Weight::from_parts(375_270_000, 4601)
            .saturating_add(ParityDbWeight::get().reads(15))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    /// `c` from 1 to 16.
    fn close(c: u32) -> Weight {
        // At least 70_896_000 picoseconds.
        Weight::from_parts(64_087_256, 3883)
            .saturating_add(Weight::from_parts(10_276_812, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2776).saturating_mul(c.into()))
    }
    fn set_params() -> Weight {
        // At least 8_903_000 picoseconds.
        Weight::from_parts(9_535_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        // At least 19_419_000 picoseconds.
        Weight::from_parts(20_861_000, 3517)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    /// `c` from 1 to 16.
    fn finish(c: u32) -> Weight {
        // At least 285_416_000 picoseconds.
        Weight::from_parts(291_277_730, 8799)
            .saturating_add(Weight::from_parts(11_368_635, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(7))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(c.into())))
            .saturating_add(Weight::from_parts(0, 2776).saturating_mul(c.into()))
    }
    fn announce_takings() -> Weight {
        // At least 31_497_000 picoseconds.
        Weight::from_parts(34_201_000, 3642)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    /// `c` from 4 to 48.
    fn draw_committee(c: u32) -> Weight {
        // At least 325_796_000 picoseconds.
        Weight::from_parts(548_859_655, 48182)
            .saturating_add(Weight::from_parts(1_489_565, 0).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(35))
            .saturating_add(ParityDbWeight::get().writes(18))
            .saturating_add(Weight::from_parts(0, 61).saturating_mul(c.into()))
    }
    fn open_case() -> Weight {
        // At least 359_466_000 picoseconds.
        Weight::from_parts(377_462_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(23))
            .saturating_add(ParityDbWeight::get().writes(12))
    }
    fn open_no_case() -> Weight {
        // At least 49_273_000 picoseconds.
        Weight::from_parts(56_704_000, 4318)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(6))
    }
    fn clear_settlement() -> Weight {
        // At least 148_762_000 picoseconds.
        Weight::from_parts(158_407_000, 8607)
            .saturating_add(ParityDbWeight::get().reads(10))
            .saturating_add(ParityDbWeight::get().writes(10))
    }
    fn check_opening() -> Weight {
        // At least 153_399_000 picoseconds.
        Weight::from_parts(163_834_000, 5787).saturating_add(ParityDbWeight::get().reads(2))
    }
    /// `p` from 1 to 131072, `t` from 0 to 2048.
    fn show(p: u32, t: u32) -> Weight {
        // At least 4_338_481_000 picoseconds.
        Weight::from_parts(6_402_780_732, 5787)
            .saturating_add(Weight::from_parts(13_399, 0).saturating_mul(p.into()))
            .saturating_add(Weight::from_parts(1_466_697, 0).saturating_mul(t.into()))
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn is_client() -> Weight {
        // At least 39_910_000 picoseconds.
        Weight::from_parts(48_011_000, 2312).saturating_add(ParityDbWeight::get().reads(2))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        // At least 217_074_000 picoseconds.
        Weight::from_parts(281_012_232, 6196)
            .saturating_add(Weight::from_parts(21_271_936, 0).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(17))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(17))
            .saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        // At least 2_935_668_000 picoseconds.
        Weight::from_parts(3_769_353_856, 221752)
            .saturating_add(Weight::from_parts(93_976_423, 0).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(358))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(353))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(a.into())))
            .saturating_add(Weight::from_parts(0, 3328).saturating_mul(a.into()))
    }
}
