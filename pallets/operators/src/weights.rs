//! Weights of `pallet_operators`: estimates by hand until a benchmark run replaces this file.

#![allow(unused_parens, unused_imports, missing_docs)]

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the calls and hooks of `pallet_operators` cost.
pub trait WeightInfo {
    fn register() -> Weight;
    fn bond_extra() -> Weight;
    fn set_hot_key() -> Weight;
    fn set_endpoint() -> Weight;
    fn serve() -> Weight;
    fn unserve() -> Weight;
    fn set_capacity() -> Weight;
    fn set_roles() -> Weight;
    fn approve_operator() -> Weight;
    fn unbond() -> Weight;
    fn withdraw(c: u32) -> Weight;
    fn unjail() -> Weight;
    fn set_params() -> Weight;
    fn resign_hot_key() -> Weight;
    fn begin_epoch() -> Weight;
    fn build_indices(n: u32) -> Weight;
    fn prune_indices(n: u32) -> Weight;
}

/// Weights with the runtime's database costs.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn register() -> Weight {
        Weight::from_parts(90_000_000, 8000).saturating_add(T::DbWeight::get().reads_writes(9, 7))
    }

    fn bond_extra() -> Weight {
        Weight::from_parts(60_000_000, 6000).saturating_add(T::DbWeight::get().reads_writes(4, 2))
    }

    fn set_hot_key() -> Weight {
        Weight::from_parts(45_000_000, 8000).saturating_add(T::DbWeight::get().reads_writes(4, 3))
    }

    fn set_endpoint() -> Weight {
        Weight::from_parts(30_000_000, 6000).saturating_add(T::DbWeight::get().reads_writes(3, 1))
    }

    fn serve() -> Weight {
        Weight::from_parts(45_000_000, 14000).saturating_add(T::DbWeight::get().reads_writes(5, 3))
    }

    fn unserve() -> Weight {
        Weight::from_parts(50_000_000, 12000).saturating_add(T::DbWeight::get().reads_writes(4, 5))
    }

    fn set_capacity() -> Weight {
        Weight::from_parts(30_000_000, 5000).saturating_add(T::DbWeight::get().reads_writes(3, 1))
    }

    fn set_roles() -> Weight {
        Weight::from_parts(30_000_000, 5000).saturating_add(T::DbWeight::get().reads_writes(3, 1))
    }

    fn approve_operator() -> Weight {
        Weight::from_parts(20_000_000, 3600).saturating_add(T::DbWeight::get().reads_writes(1, 1))
    }

    fn unbond() -> Weight {
        Weight::from_parts(35_000_000, 5000).saturating_add(T::DbWeight::get().reads_writes(4, 1))
    }

    fn withdraw(c: u32) -> Weight {
        Weight::from_parts(90_000_000, 9000)
            .saturating_add(T::DbWeight::get().reads_writes(6, 6))
            .saturating_add(Weight::from_parts(15_000_000, 3600).saturating_mul(c.into()))
            .saturating_add(
                T::DbWeight::get()
                    .reads_writes(1, 4)
                    .saturating_mul(c.into()),
            )
    }

    fn unjail() -> Weight {
        Weight::from_parts(35_000_000, 7000).saturating_add(T::DbWeight::get().reads_writes(6, 1))
    }

    fn set_params() -> Weight {
        Weight::from_parts(20_000_000, 1500).saturating_add(T::DbWeight::get().reads_writes(1, 1))
    }

    fn resign_hot_key() -> Weight {
        Weight::from_parts(45_000_000, 8000).saturating_add(T::DbWeight::get().reads_writes(4, 3))
    }

    fn begin_epoch() -> Weight {
        Weight::from_parts(15_000_000, 2000).saturating_add(T::DbWeight::get().reads_writes(2, 2))
    }

    fn build_indices(n: u32) -> Weight {
        Weight::from_parts(40_000_000, 20000)
            .saturating_add(T::DbWeight::get().reads_writes(5, 6))
            .saturating_add(Weight::from_parts(20_000_000, 8000).saturating_mul(n.into()))
            .saturating_add(
                T::DbWeight::get()
                    .reads_writes(4, 1)
                    .saturating_mul(n.into()),
            )
    }

    fn prune_indices(n: u32) -> Weight {
        Weight::from_parts(15_000_000, 6000)
            .saturating_add(T::DbWeight::get().reads_writes(3, 1))
            .saturating_add(Weight::from_parts(5_000_000, 4000).saturating_mul(n.into()))
            .saturating_add(
                T::DbWeight::get()
                    .reads_writes(1, 1)
                    .saturating_mul(n.into()),
            )
    }
}

impl WeightInfo for () {
    fn register() -> Weight {
        Weight::from_parts(90_000_000, 8000)
            .saturating_add(ParityDbWeight::get().reads_writes(9, 7))
    }

    fn bond_extra() -> Weight {
        Weight::from_parts(60_000_000, 6000)
            .saturating_add(ParityDbWeight::get().reads_writes(4, 2))
    }

    fn set_hot_key() -> Weight {
        Weight::from_parts(45_000_000, 8000)
            .saturating_add(ParityDbWeight::get().reads_writes(4, 3))
    }

    fn set_endpoint() -> Weight {
        Weight::from_parts(30_000_000, 6000)
            .saturating_add(ParityDbWeight::get().reads_writes(3, 1))
    }

    fn serve() -> Weight {
        Weight::from_parts(45_000_000, 14000)
            .saturating_add(ParityDbWeight::get().reads_writes(5, 3))
    }

    fn unserve() -> Weight {
        Weight::from_parts(50_000_000, 12000)
            .saturating_add(ParityDbWeight::get().reads_writes(4, 5))
    }

    fn set_capacity() -> Weight {
        Weight::from_parts(30_000_000, 5000)
            .saturating_add(ParityDbWeight::get().reads_writes(3, 1))
    }

    fn set_roles() -> Weight {
        Weight::from_parts(30_000_000, 5000)
            .saturating_add(ParityDbWeight::get().reads_writes(3, 1))
    }

    fn approve_operator() -> Weight {
        Weight::from_parts(20_000_000, 3600)
            .saturating_add(ParityDbWeight::get().reads_writes(1, 1))
    }

    fn unbond() -> Weight {
        Weight::from_parts(35_000_000, 5000)
            .saturating_add(ParityDbWeight::get().reads_writes(4, 1))
    }

    fn withdraw(c: u32) -> Weight {
        Weight::from_parts(90_000_000, 9000)
            .saturating_add(ParityDbWeight::get().reads_writes(6, 6))
            .saturating_add(Weight::from_parts(15_000_000, 3600).saturating_mul(c.into()))
            .saturating_add(
                ParityDbWeight::get()
                    .reads_writes(1, 4)
                    .saturating_mul(c.into()),
            )
    }

    fn unjail() -> Weight {
        Weight::from_parts(35_000_000, 7000)
            .saturating_add(ParityDbWeight::get().reads_writes(6, 1))
    }

    fn set_params() -> Weight {
        Weight::from_parts(20_000_000, 1500)
            .saturating_add(ParityDbWeight::get().reads_writes(1, 1))
    }

    fn resign_hot_key() -> Weight {
        Weight::from_parts(45_000_000, 8000)
            .saturating_add(ParityDbWeight::get().reads_writes(4, 3))
    }

    fn begin_epoch() -> Weight {
        Weight::from_parts(15_000_000, 2000)
            .saturating_add(ParityDbWeight::get().reads_writes(2, 2))
    }

    fn build_indices(n: u32) -> Weight {
        Weight::from_parts(40_000_000, 20000)
            .saturating_add(ParityDbWeight::get().reads_writes(5, 6))
            .saturating_add(Weight::from_parts(20_000_000, 8000).saturating_mul(n.into()))
            .saturating_add(
                ParityDbWeight::get()
                    .reads_writes(4, 1)
                    .saturating_mul(n.into()),
            )
    }

    fn prune_indices(n: u32) -> Weight {
        Weight::from_parts(15_000_000, 6000)
            .saturating_add(ParityDbWeight::get().reads_writes(3, 1))
            .saturating_add(Weight::from_parts(5_000_000, 4000).saturating_mul(n.into()))
            .saturating_add(
                ParityDbWeight::get()
                    .reads_writes(1, 1)
                    .saturating_mul(n.into()),
            )
    }
}
