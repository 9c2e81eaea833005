//! Weights of `pallet_economy`.
//!
//! Estimated from those of like calls of other pallets; `scripts/bench weights` measures them.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_economy` cost.
pub trait WeightInfo {
    fn vote_price() -> Weight;
    fn clear_price_vote() -> Weight;
    fn set_params() -> Weight;
    fn gather(n: u32) -> Weight;
    fn credit(n: u32) -> Weight;
    fn pay(n: u32) -> Weight;
    fn forget(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn vote_price() -> Weight {
        Weight::from_parts(20000000, 4600)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn clear_price_vote() -> Weight {
        Weight::from_parts(22000000, 4600)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        Weight::from_parts(12000000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    /// `n` from 0 to 8.
    fn gather(n: u32) -> Weight {
        Weight::from_parts(80000000, 26000)
            .saturating_add(Weight::from_parts(180000000, 80000).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().reads((32_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(5))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
    }
    /// `n` from 0 to 8.
    fn credit(n: u32) -> Weight {
        Weight::from_parts(30000000, 6000)
            .saturating_add(Weight::from_parts(6000000, 2700).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    /// `n` from 0 to 8.
    fn pay(n: u32) -> Weight {
        Weight::from_parts(30000000, 9000)
            .saturating_add(Weight::from_parts(90000000, 9000).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(6))
            .saturating_add(T::DbWeight::get().reads((6_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(6))
            .saturating_add(T::DbWeight::get().writes((5_u64).saturating_mul(n.into())))
    }
    /// `n` from 0 to 32.
    fn forget(n: u32) -> Weight {
        Weight::from_parts(8000000, 4000)
            .saturating_add(Weight::from_parts(1500000, 2700).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(2))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
    }
}

impl WeightInfo for () {
    fn vote_price() -> Weight {
        Weight::from_parts(20000000, 4600)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn clear_price_vote() -> Weight {
        Weight::from_parts(22000000, 4600)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn set_params() -> Weight {
        Weight::from_parts(12000000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    /// `n` from 0 to 8.
    fn gather(n: u32) -> Weight {
        Weight::from_parts(80000000, 26000)
            .saturating_add(Weight::from_parts(180000000, 80000).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().reads((32_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(5))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
    }
    /// `n` from 0 to 8.
    fn credit(n: u32) -> Weight {
        Weight::from_parts(30000000, 6000)
            .saturating_add(Weight::from_parts(6000000, 2700).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    /// `n` from 0 to 8.
    fn pay(n: u32) -> Weight {
        Weight::from_parts(30000000, 9000)
            .saturating_add(Weight::from_parts(90000000, 9000).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(6))
            .saturating_add(ParityDbWeight::get().reads((6_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(6))
            .saturating_add(ParityDbWeight::get().writes((5_u64).saturating_mul(n.into())))
    }
    /// `n` from 0 to 32.
    fn forget(n: u32) -> Weight {
        Weight::from_parts(8000000, 4000)
            .saturating_add(Weight::from_parts(1500000, 2700).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(2))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
    }
}
