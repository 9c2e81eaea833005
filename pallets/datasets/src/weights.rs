//! Weights of `pallet_datasets`.
//!
//! Estimated from those of like calls of other pallets; `scripts/bench weights` measures them.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the functions of `pallet_datasets` cost.
pub trait WeightInfo {
    fn submit() -> Weight;
    fn withdraw() -> Weight;
    fn delist() -> Weight;
    fn set_params() -> Weight;
    fn move_on(n: u32) -> Weight;
    fn open_case() -> Weight;
    fn decide() -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn submit() -> Weight {
        Weight::from_parts(75000000, 6300)
            .saturating_add(T::DbWeight::get().reads(9))
            .saturating_add(T::DbWeight::get().writes(7))
    }
    fn withdraw() -> Weight {
        Weight::from_parts(65000000, 6300)
            .saturating_add(T::DbWeight::get().reads(4))
            .saturating_add(T::DbWeight::get().writes(5))
    }
    fn delist() -> Weight {
        Weight::from_parts(60000000, 6300)
            .saturating_add(T::DbWeight::get().reads(3))
            .saturating_add(T::DbWeight::get().writes(4))
    }
    fn set_params() -> Weight {
        Weight::from_parts(10000000, 1500).saturating_add(T::DbWeight::get().writes(1))
    }
    /// `n` from 0 to 128.
    fn move_on(n: u32) -> Weight {
        Weight::from_parts(8000000, 4000)
            .saturating_add(Weight::from_parts(3000000, 2600).saturating_mul(n.into()))
            .saturating_add(T::DbWeight::get().reads(1))
            .saturating_add(T::DbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(T::DbWeight::get().writes(1))
            .saturating_add(T::DbWeight::get().writes((1_u64).saturating_mul(n.into())))
    }
    /// One whose case opens, whoever was passed over beside that.
    fn open_case() -> Weight {
        Weight::from_parts(260000000, 40000)
            .saturating_add(T::DbWeight::get().reads(24))
            .saturating_add(T::DbWeight::get().writes(20))
    }
    /// The dearest decision: rejected.
    fn decide() -> Weight {
        Weight::from_parts(140000000, 8800)
            .saturating_add(T::DbWeight::get().reads(7))
            .saturating_add(T::DbWeight::get().writes(7))
    }
}

/// Weights for tests.
impl WeightInfo for () {
    fn submit() -> Weight {
        Weight::from_parts(75000000, 6300)
            .saturating_add(ParityDbWeight::get().reads(9))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
    fn withdraw() -> Weight {
        Weight::from_parts(65000000, 6300)
            .saturating_add(ParityDbWeight::get().reads(4))
            .saturating_add(ParityDbWeight::get().writes(5))
    }
    fn delist() -> Weight {
        Weight::from_parts(60000000, 6300)
            .saturating_add(ParityDbWeight::get().reads(3))
            .saturating_add(ParityDbWeight::get().writes(4))
    }
    fn set_params() -> Weight {
        Weight::from_parts(10000000, 1500).saturating_add(ParityDbWeight::get().writes(1))
    }
    /// `n` from 0 to 128.
    fn move_on(n: u32) -> Weight {
        Weight::from_parts(8000000, 4000)
            .saturating_add(Weight::from_parts(3000000, 2600).saturating_mul(n.into()))
            .saturating_add(ParityDbWeight::get().reads(1))
            .saturating_add(ParityDbWeight::get().reads((3_u64).saturating_mul(n.into())))
            .saturating_add(ParityDbWeight::get().writes(1))
            .saturating_add(ParityDbWeight::get().writes((1_u64).saturating_mul(n.into())))
    }
    /// One whose case opens, whoever was passed over beside that.
    fn open_case() -> Weight {
        Weight::from_parts(260000000, 40000)
            .saturating_add(ParityDbWeight::get().reads(24))
            .saturating_add(ParityDbWeight::get().writes(20))
    }
    /// The dearest decision: rejected.
    fn decide() -> Weight {
        Weight::from_parts(140000000, 8800)
            .saturating_add(ParityDbWeight::get().reads(7))
            .saturating_add(ParityDbWeight::get().writes(7))
    }
}
