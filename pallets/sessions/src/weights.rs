//! Weights of `pallet_sessions`: estimates until `scripts/bench weights` has measured them.
//!
//! They were put together from the measured weights of `pallet_jobs` and `pallet_audits` for like work: a signature, a
//! transfer, a draw, a case, a slash with its forfeiture; reads and writes are counted.

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
        Weight::from_parts(220_000_000, 6200)
            .saturating_add(T::DbWeight::get().reads(13))
            .saturating_add(T::DbWeight::get().writes(9))
    }
    fn top_up() -> Weight {
        Weight::from_parts(110_000_000, 6200)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn renew() -> Weight {
        Weight::from_parts(70_000_000, 3800)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    fn grow() -> Weight {
        Weight::from_parts(75_000_000, 6500)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn shrink() -> Weight {
        Weight::from_parts(75_000_000, 6500)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn shrink_now() -> Weight {
        Weight::from_parts(150_000_000, 6500)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn apply_shrink() -> Weight {
        Weight::from_parts(75_000_000, 6500)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    /// `n` from 1 to 64.
    fn settle(n: u32) -> Weight {
        Weight::from_parts(60_000_000, 6200)
            .saturating_add(Weight::from_parts(480_000_000, 9500).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().reads((12_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(4))
            .saturating_add(T::DbWeight::get().writes((11_u64).saturating_mul(n.into())))
    }
    fn prove_fraud() -> Weight {
        Weight::from_parts(3_300_000_000, 221752)
            .saturating_add(T::DbWeight::get().reads(365))
            .saturating_add(T::DbWeight::get().writes(362))
    }
    fn prove_equivocation() -> Weight {
        Weight::from_parts(230_000_000, 6500)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn report() -> Weight {
        Weight::from_parts(420_000_000, 9500)
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().writes(10))
    }
    /// `c` from 0 to 16.
    fn close(c: u32) -> Weight {
        Weight::from_parts(110_000_000, 6200)
            .saturating_add(Weight::from_parts(40_000_000, 3200).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(4))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(c.into())))
    }
    fn set_params() -> Weight {
        Weight::from_parts(8_000_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        Weight::from_parts(30_000_000, 3600)
            .saturating_add(T::DbWeight::get().reads(10))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    /// `c` from 0 to 16.
    fn finish(c: u32) -> Weight {
        Weight::from_parts(260_000_000, 6500)
            .saturating_add(Weight::from_parts(45_000_000, 3200).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(10))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(c.into())))
    }
    fn announce_takings() -> Weight {
        Weight::from_parts(40_000_000, 3600)
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    /// `c` from 1 to 48.
    fn draw_committee(c: u32) -> Weight {
        Weight::from_parts(700_000_000, 96000)
            .saturating_add(Weight::from_parts(24_000_000, 3328).saturating_mul(c.into()))
            .saturating_add(T::DbWeight::get().reads(24))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(c.into())))
            .saturating_add(T::DbWeight::get().writes(26))
    }
    fn open_case() -> Weight {
        Weight::from_parts(420_000_000, 44496)
            .saturating_add(T::DbWeight::get().reads(28))
            .saturating_add(T::DbWeight::get().writes(14))
    }
    fn open_no_case() -> Weight {
        Weight::from_parts(500_000_000, 44496)
            .saturating_add(T::DbWeight::get().reads(32))
            .saturating_add(T::DbWeight::get().writes(18))
    }
    fn clear_settlement() -> Weight {
        Weight::from_parts(190_000_000, 10400)
            .saturating_add(T::DbWeight::get().reads(13))
            .saturating_add(T::DbWeight::get().writes(11))
    }
    fn check_opening() -> Weight {
        Weight::from_parts(270_000_000, 12400).saturating_add(T::DbWeight::get().reads(3))
    }
    /// `p` from 1 to 131072, `t` from 0 to 2048.
    fn show(p: u32, t: u32) -> Weight {
        Weight::from_parts(120_000_000, 2700)
            .saturating_add(Weight::from_parts(60_000, 0).saturating_mul(p.into()))
            .saturating_add(Weight::from_parts(5_000_000, 0).saturating_mul(t.into()))
            .saturating_add(T::DbWeight::get().reads(5))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn is_client() -> Weight {
        Weight::from_parts(25_000_000, 5200).saturating_add(T::DbWeight::get().reads(3))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        Weight::from_parts(420_000_000, 9500)
            .saturating_add(Weight::from_parts(34_000_000, 3328).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(26))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(28))
            .saturating_add(T::DbWeight::get().writes((3_u64).saturating_mul(a.into())))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        Weight::from_parts(4_500_000_000, 221752)
            .saturating_add(Weight::from_parts(129_000_000, 3328).saturating_mul(a.into()))
            .saturating_add(T::DbWeight::get().reads(366))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(T::DbWeight::get().writes(366))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(a.into())))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn open() -> Weight {
        Weight::from_parts(220_000_000, 6200)
            .saturating_add(ParityDbWeight::get().reads(13))
            .saturating_add(ParityDbWeight::get().writes(9))
    }
    fn top_up() -> Weight {
        Weight::from_parts(110_000_000, 6200)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn renew() -> Weight {
        Weight::from_parts(70_000_000, 3800)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    fn grow() -> Weight {
        Weight::from_parts(75_000_000, 6500)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn shrink() -> Weight {
        Weight::from_parts(75_000_000, 6500)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn shrink_now() -> Weight {
        Weight::from_parts(150_000_000, 6500)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn apply_shrink() -> Weight {
        Weight::from_parts(75_000_000, 6500)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    /// `n` from 1 to 64.
    fn settle(n: u32) -> Weight {
        Weight::from_parts(60_000_000, 6200)
            .saturating_add(Weight::from_parts(480_000_000, 9500).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().reads((12_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(4))
            .saturating_add(ParityDbWeight::get().writes((11_u64).saturating_mul(n.into())))
    }
    fn prove_fraud() -> Weight {
        Weight::from_parts(3_300_000_000, 221752)
            .saturating_add(ParityDbWeight::get().reads(365))
            .saturating_add(ParityDbWeight::get().writes(362))
    }
    fn prove_equivocation() -> Weight {
        Weight::from_parts(230_000_000, 6500)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn report() -> Weight {
        Weight::from_parts(420_000_000, 9500)
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().writes(10))
    }
    /// `c` from 0 to 16.
    fn close(c: u32) -> Weight {
        Weight::from_parts(110_000_000, 6200)
            .saturating_add(Weight::from_parts(40_000_000, 3200).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(4))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(c.into())))
    }
    fn set_params() -> Weight {
        Weight::from_parts(8_000_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn service_base() -> Weight {
        Weight::from_parts(30_000_000, 3600)
            .saturating_add(ParityDbWeight::get().reads(10))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    /// `c` from 0 to 16.
    fn finish(c: u32) -> Weight {
        Weight::from_parts(260_000_000, 6500)
            .saturating_add(Weight::from_parts(45_000_000, 3200).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(10))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(c.into())))
    }
    fn announce_takings() -> Weight {
        Weight::from_parts(40_000_000, 3600)
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    /// `c` from 1 to 48.
    fn draw_committee(c: u32) -> Weight {
        Weight::from_parts(700_000_000, 96000)
            .saturating_add(Weight::from_parts(24_000_000, 3328).saturating_mul(c.into()))
            .saturating_add(ParityDbWeight::get().reads(24))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(c.into())))
            .saturating_add(ParityDbWeight::get().writes(26))
    }
    fn open_case() -> Weight {
        Weight::from_parts(420_000_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(28))
            .saturating_add(ParityDbWeight::get().writes(14))
    }
    fn open_no_case() -> Weight {
        Weight::from_parts(500_000_000, 44496)
            .saturating_add(ParityDbWeight::get().reads(32))
            .saturating_add(ParityDbWeight::get().writes(18))
    }
    fn clear_settlement() -> Weight {
        Weight::from_parts(190_000_000, 10400)
            .saturating_add(ParityDbWeight::get().reads(13))
            .saturating_add(ParityDbWeight::get().writes(11))
    }
    fn check_opening() -> Weight {
        Weight::from_parts(270_000_000, 12400).saturating_add(ParityDbWeight::get().reads(3))
    }
    /// `p` from 1 to 131072, `t` from 0 to 2048.
    fn show(p: u32, t: u32) -> Weight {
        Weight::from_parts(120_000_000, 2700)
            .saturating_add(Weight::from_parts(60_000, 0).saturating_mul(p.into()))
            .saturating_add(Weight::from_parts(5_000_000, 0).saturating_mul(t.into()))
            .saturating_add(ParityDbWeight::get().reads(5))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn is_client() -> Weight {
        Weight::from_parts(25_000_000, 5200).saturating_add(ParityDbWeight::get().reads(3))
    }
    /// `a` from 1 to 128.
    fn close_valid(a: u32) -> Weight {
        Weight::from_parts(420_000_000, 9500)
            .saturating_add(Weight::from_parts(34_000_000, 3328).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(26))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(28))
            .saturating_add(ParityDbWeight::get().writes((3_u64).saturating_mul(a.into())))
    }
    /// `a` from 1 to 128.
    fn close_hard(a: u32) -> Weight {
        Weight::from_parts(4_500_000_000, 221752)
            .saturating_add(Weight::from_parts(129_000_000, 3328).saturating_mul(a.into()))
            .saturating_add(ParityDbWeight::get().reads(366))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(a.into())))
            .saturating_add(ParityDbWeight::get().writes(366))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(a.into())))
    }
}
