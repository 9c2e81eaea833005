//! Weights of `pallet_training_fund`.
//!
//! Estimated from those of like calls of other pallets; `scripts/bench weights` measures them.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_training_fund` cost.
pub trait WeightInfo {
    fn create_grant(m: u32) -> Weight;
    fn prove() -> Weight;
    fn approve() -> Weight;
    fn decline() -> Weight;
    fn cancel_grant() -> Weight;
    fn pass_deadlines(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    /// `m` from 1 to 16.
    fn create_grant(m: u32) -> Weight {
        Weight::from_parts(30000000, 4000)
            .saturating_add(Weight::from_parts(6000000, 2700).saturating_mul(m.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(m.into())))
            .saturating_add(T::DbWeight::get().writes(3))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(m.into())))
    }
    fn prove() -> Weight {
        Weight::from_parts(30000000, 3800)
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().writes(1))
    }
    fn approve() -> Weight {
        Weight::from_parts(95000000, 6300)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn decline() -> Weight {
        Weight::from_parts(30000000, 3800)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    fn cancel_grant() -> Weight {
        Weight::from_parts(30000000, 3800)
            .saturating_add(T::DbWeight::get().reads(2))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    /// `n` from 0 to 64.
    fn pass_deadlines(n: u32) -> Weight {
        Weight::from_parts(8000000, 3800)
            .saturating_add(Weight::from_parts(25000000, 3800).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(1))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    /// `m` from 1 to 16.
    fn create_grant(m: u32) -> Weight {
        Weight::from_parts(30000000, 4000)
            .saturating_add(Weight::from_parts(6000000, 2700).saturating_mul(m.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(m.into())))
            .saturating_add(ParityDbWeight::get().writes(3))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(m.into())))
    }
    fn prove() -> Weight {
        Weight::from_parts(30000000, 3800)
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().writes(1))
    }
    fn approve() -> Weight {
        Weight::from_parts(95000000, 6300)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn decline() -> Weight {
        Weight::from_parts(30000000, 3800)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    fn cancel_grant() -> Weight {
        Weight::from_parts(30000000, 3800)
            .saturating_add(ParityDbWeight::get().reads(2))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    /// `n` from 0 to 64.
    fn pass_deadlines(n: u32) -> Weight {
        Weight::from_parts(8000000, 3800)
            .saturating_add(Weight::from_parts(25000000, 3800).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(1))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(n.into())))
    }
}
