//! Weights of the pallet.
//!
//! Estimated by hand from the storage that each function touches, to be overwritten by a run of
//! the benchmarks.

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, Weight},
};

/// What the pallet's functions weigh.
pub trait WeightInfo {
    fn commit() -> Weight;
    fn reveal() -> Weight;
    /// `b`: bytes of the opening.
    fn post_opening(b: u32) -> Weight;
    fn set_params() -> Weight;
    /// Reading a block's agenda.
    fn agenda() -> Weight;
    /// One case of the agenda with all of its seats.
    fn step() -> Weight;
    /// `v`: ballots that the step opens, renews or counts.
    fn step_ballots(v: u32) -> Weight;
}

/// Weights under the runtime's own database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    fn commit() -> Weight {
        Weight::from_parts(40_000_000, 12_000).saturating_add(T::DbWeight::get().reads_writes(6, 4))
    }
    fn reveal() -> Weight {
        Weight::from_parts(60_000_000, 14_000).saturating_add(T::DbWeight::get().reads_writes(8, 6))
    }
    fn post_opening(b: u32) -> Weight {
        Weight::from_parts(50_000_000, 80_000)
            .saturating_add(Weight::from_parts(4_000, 0).saturating_mul(b.into()))
            .saturating_add(T::DbWeight::get().reads_writes(8, 5))
    }
    fn set_params() -> Weight {
        Weight::from_parts(10_000_000, 0).saturating_add(T::DbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        Weight::from_parts(5_000_000, 2_000).saturating_add(T::DbWeight::get().reads_writes(1, 1))
    }
    fn step() -> Weight {
        Weight::from_parts(200_000_000, 40_000)
            .saturating_add(T::DbWeight::get().reads_writes(40, 40))
    }
    fn step_ballots(v: u32) -> Weight {
        Weight::from_parts(100_000_000, 20_000)
            .saturating_add(Weight::from_parts(40_000_000, 4_000).saturating_mul(v.into()))
            .saturating_add(
                T::DbWeight::get()
                    .reads_writes(4, 4)
                    .saturating_mul(v.into()),
            )
    }
}

/// For tests.
impl WeightInfo for () {
    fn commit() -> Weight {
        Weight::from_parts(40_000_000, 12_000)
            .saturating_add(ParityDbWeight::get().reads_writes(6, 4))
    }
    fn reveal() -> Weight {
        Weight::from_parts(60_000_000, 14_000)
            .saturating_add(ParityDbWeight::get().reads_writes(8, 6))
    }
    fn post_opening(b: u32) -> Weight {
        Weight::from_parts(50_000_000, 80_000)
            .saturating_add(Weight::from_parts(4_000, 0).saturating_mul(b.into()))
            .saturating_add(ParityDbWeight::get().reads_writes(8, 5))
    }
    fn set_params() -> Weight {
        Weight::from_parts(10_000_000, 0).saturating_add(ParityDbWeight::get().writes(1))
    }
    fn agenda() -> Weight {
        Weight::from_parts(5_000_000, 2_000)
            .saturating_add(ParityDbWeight::get().reads_writes(1, 1))
    }
    fn step() -> Weight {
        Weight::from_parts(200_000_000, 40_000)
            .saturating_add(ParityDbWeight::get().reads_writes(40, 40))
    }
    fn step_ballots(v: u32) -> Weight {
        Weight::from_parts(100_000_000, 20_000)
            .saturating_add(Weight::from_parts(40_000_000, 4_000).saturating_mul(v.into()))
            .saturating_add(
                ParityDbWeight::get()
                    .reads_writes(4, 4)
                    .saturating_mul(v.into()),
            )
    }
}
