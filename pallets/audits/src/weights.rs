//! Weights of the pallet.
//!
//! Estimated by hand from the storage that each function touches, to be overwritten by a run of
//! the benchmarks.

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::ParityDbWeight, RuntimeDbWeight, Weight},
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
    /// One case of the agenda that closes with all of its seats.
    fn step() -> Weight;
    /// One case all of whose seats are taken away, with a penalty for each.
    fn dismiss() -> Weight;
    /// `v`: ballots that are opened.
    fn open_ballots(v: u32) -> Weight;
    /// `v`: ballots that are counted, all of the majority.
    fn step_ballots(v: u32) -> Weight;
    /// `v`: ballots that are counted, all but one with a penalty.
    fn punish_ballots(v: u32) -> Weight;
    /// A flag's lien that goes to `v` voters.
    fn forfeit_lien(v: u32) -> Weight;
    /// The draw of a panel that looks at `c` validators.
    fn draw_seats(c: u32) -> Weight;
}

/// `micros` microseconds, `proof` bytes, `reads` and `writes`.
fn estimate(db: RuntimeDbWeight, micros: u64, proof: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), proof)
        .saturating_add(db.reads_writes(reads, writes))
}

macro_rules! estimates {
    ($db:expr) => {
        fn commit() -> Weight {
            estimate($db, 40, 12_000, 6, 4)
        }
        fn reveal() -> Weight {
            estimate($db, 60, 14_000, 8, 6)
        }
        fn post_opening(b: u32) -> Weight {
            estimate($db, 50, 80_000, 8, 5)
                .saturating_add(Weight::from_parts(4_000, 0).saturating_mul(b.into()))
        }
        fn set_params() -> Weight {
            estimate($db, 10, 0, 0, 1)
        }
        fn agenda() -> Weight {
            estimate($db, 5, 2_000, 1, 1)
        }
        fn step() -> Weight {
            estimate($db, 250, 60_000, 50, 56)
        }
        fn dismiss() -> Weight {
            estimate($db, 800, 60_000, 40, 46)
        }
        fn open_ballots(v: u32) -> Weight {
            estimate($db, 200, 90_000, 10, 6)
                .saturating_add(estimate($db, 20, 3_000, 2, 2).saturating_mul(v.into()))
        }
        fn step_ballots(v: u32) -> Weight {
            estimate($db, 100, 20_000, 4, 4)
                .saturating_add(estimate($db, 60, 14_000, 7, 8).saturating_mul(v.into()))
        }
        fn punish_ballots(v: u32) -> Weight {
            estimate($db, 100, 20_000, 6, 6)
                .saturating_add(estimate($db, 120, 12_000, 5, 6).saturating_mul(v.into()))
        }
        fn forfeit_lien(v: u32) -> Weight {
            estimate($db, 60, 12_000, 6, 4)
                .saturating_add(estimate($db, 60, 6_000, 3, 1).saturating_mul(v.into()))
        }
        fn draw_seats(c: u32) -> Weight {
            estimate($db, 100, 50_000, 6, 1)
                .saturating_add(estimate($db, 60, 8_000, 3, 0).saturating_mul(c.into()))
        }
    };
}

/// Weights under the runtime's own database weights.
pub struct SubstrateWeight<T>(PhantomData<T>);

impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    estimates!(T::DbWeight::get());
}

/// For tests.
impl WeightInfo for () {
    estimates!(ParityDbWeight::get());
}
