//! Weights of `pallet_voting`.
//!
//! Estimated from those of like calls of other pallets; `scripts/bench weights` measures them.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_voting` cost.
pub trait WeightInfo {
    fn vote(d: u32) -> Weight;
    fn remove_vote(d: u32) -> Weight;
    fn delegate(d: u32) -> Weight;
    fn undelegate(d: u32) -> Weight;
    fn clean_up(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    /// `d` from 0 to 32.
    fn vote(d: u32) -> Weight {
        Weight::from_parts(70000000, 90000)
            .saturating_add(Weight::from_parts(15000000, 9000).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(12))
            .saturating_add(T::DbWeight::get().reads((4_u64).saturating_mul(d.into())))
            .saturating_add(T::DbWeight::get().writes(8))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
    }
    /// `d` from 0 to 32.
    fn remove_vote(d: u32) -> Weight {
        Weight::from_parts(60000000, 90000)
            .saturating_add(Weight::from_parts(8000000, 3000).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().reads((1_u64).saturating_mul(d.into())))
            .saturating_add(T::DbWeight::get().writes(6))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(d.into())))
    }
    /// `d` from 0 to 32.
    fn delegate(d: u32) -> Weight {
        Weight::from_parts(60000000, 12000)
            .saturating_add(Weight::from_parts(200000, 0).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(8))
            .saturating_add(T::DbWeight::get().writes(3))
    }
    /// `d` from 0 to 32.
    fn undelegate(d: u32) -> Weight {
        Weight::from_parts(35000000, 8000)
            .saturating_add(Weight::from_parts(200000, 0).saturating_mul(d.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(2))
    }
    /// `n` from 1 to 256.
    fn clean_up(n: u32) -> Weight {
        Weight::from_parts(30000000, 6000)
            .saturating_add(Weight::from_parts(12000000, 5000).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes((2_u64).saturating_mul(n.into())))
    }
}

impl WeightInfo for () {
    /// `d` from 0 to 32.
    fn vote(d: u32) -> Weight {
        Weight::from_parts(70000000, 90000)
            .saturating_add(Weight::from_parts(15000000, 9000).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(12))
            .saturating_add(ParityDbWeight::get().reads((4_u64).saturating_mul(d.into())))
            .saturating_add(ParityDbWeight::get().writes(8))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(d.into())))
    }
    /// `d` from 0 to 32.
    fn remove_vote(d: u32) -> Weight {
        Weight::from_parts(60000000, 90000)
            .saturating_add(Weight::from_parts(8000000, 3000).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().reads((1_u64).saturating_mul(d.into())))
            .saturating_add(ParityDbWeight::get().writes(6))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(d.into())))
    }
    /// `d` from 0 to 32.
    fn delegate(d: u32) -> Weight {
        Weight::from_parts(60000000, 12000)
            .saturating_add(Weight::from_parts(200000, 0).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(8))
            .saturating_add(ParityDbWeight::get().writes(3))
    }
    /// `d` from 0 to 32.
    fn undelegate(d: u32) -> Weight {
        Weight::from_parts(35000000, 8000)
            .saturating_add(Weight::from_parts(200000, 0).saturating_mul(d.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(2))
    }
    /// `n` from 1 to 256.
    fn clean_up(n: u32) -> Weight {
        Weight::from_parts(30000000, 6000)
            .saturating_add(Weight::from_parts(12000000, 5000).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().reads((2_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes((2_u64).saturating_mul(n.into())))
    }
}
