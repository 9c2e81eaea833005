//! Weights of `pallet_rewards`: estimates by hand until a benchmark run replaces this file.

#![allow(unused_parens, unused_imports, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the calls and hooks of `pallet_rewards` cost.
pub trait WeightInfo {
    fn set_shares() -> Weight;
    fn claim() -> Weight;
    fn begin_block() -> Weight;
    fn close_epoch() -> Weight;
    fn sweep(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn set_shares() -> Weight {
        Weight::from_parts(20_000_000, 1500).saturating_add(T::DbWeight::get().reads_writes(2, 1))
    }

    fn claim() -> Weight {
        Weight::from_parts(110_000_000, 16000)
            .saturating_add(T::DbWeight::get().reads_writes(12, 8))
    }

    fn begin_block() -> Weight {
        Weight::from_parts(8_000_000, 2000).saturating_add(T::DbWeight::get().reads_writes(2, 0))
    }

    fn close_epoch() -> Weight {
        Weight::from_parts(120_000_000, 14000).saturating_add(T::DbWeight::get().reads_writes(9, 8))
    }

    fn sweep(n: u32) -> Weight {
        Weight::from_parts(20_000_000, 4000)
            .saturating_add(T::DbWeight::get().reads_writes(3, 3))
            .saturating_add(Weight::from_parts(30_000_000, 6000).saturating_mul(n.into()))
            .saturating_add(
                T::DbWeight::get()
                    .reads_writes(3, 4)
                    .saturating_mul(n.into()),
            )
    }
}

impl WeightInfo for () {
    fn set_shares() -> Weight {
        Weight::from_parts(20_000_000, 1500)
            .saturating_add(ParityDbWeight::get().reads_writes(2, 1))
    }

    fn claim() -> Weight {
        Weight::from_parts(110_000_000, 16000)
            .saturating_add(ParityDbWeight::get().reads_writes(12, 8))
    }

    fn begin_block() -> Weight {
        Weight::from_parts(8_000_000, 2000).saturating_add(ParityDbWeight::get().reads_writes(2, 0))
    }

    fn close_epoch() -> Weight {
        Weight::from_parts(120_000_000, 14000)
            .saturating_add(ParityDbWeight::get().reads_writes(9, 8))
    }

    fn sweep(n: u32) -> Weight {
        Weight::from_parts(20_000_000, 4000)
            .saturating_add(ParityDbWeight::get().reads_writes(3, 3))
            .saturating_add(Weight::from_parts(30_000_000, 6000).saturating_mul(n.into()))
            .saturating_add(
                ParityDbWeight::get()
                    .reads_writes(3, 4)
                    .saturating_mul(n.into()),
            )
    }
}
