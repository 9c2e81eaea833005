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
    fn propose() -> Weight;
    fn calibrate() -> Weight;
    fn restart_calibration() -> Weight;
    fn remove_proposal() -> Weight;
    fn accept() -> Weight;
    fn set_price() -> Weight;
    fn retire() -> Weight;
    fn set_params() -> Weight;
    /// Reading a block's agenda.
    fn agenda() -> Weight;
    /// One calibration of the agenda: a round that ends, or begins.
    fn step() -> Weight;
    /// A draw that looks at `c` validators.
    fn draw(c: u32) -> Weight;
}

/// `micros` microseconds, `proof` bytes, `reads` and `writes`.
fn estimate(db: RuntimeDbWeight, micros: u64, proof: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), proof)
        .saturating_add(db.reads_writes(reads, writes))
}

macro_rules! estimates {
    ($db:expr) => {
        fn propose() -> Weight {
            estimate($db, 60, 12_000, 8, 6)
        }
        fn calibrate() -> Weight {
            estimate($db, 60, 14_000, 8, 6)
        }
        fn restart_calibration() -> Weight {
            estimate($db, 40, 10_000, 5, 4)
        }
        fn remove_proposal() -> Weight {
            estimate($db, 80, 14_000, 6, 22)
        }
        fn accept() -> Weight {
            estimate($db, 20, 4_000, 1, 1)
        }
        fn set_price() -> Weight {
            estimate($db, 20, 4_000, 1, 1)
        }
        fn retire() -> Weight {
            estimate($db, 50, 8_000, 4, 4)
        }
        fn set_params() -> Weight {
            estimate($db, 10, 0, 0, 1)
        }
        fn agenda() -> Weight {
            estimate($db, 5, 2_000, 1, 1)
        }
        fn step() -> Weight {
            estimate($db, 600, 80_000, 70, 90)
        }
        fn draw(c: u32) -> Weight {
            estimate($db, 100, 60_000, 10, 4)
                .saturating_add(estimate($db, 15, 8_000, 3, 0).saturating_mul(c.into()))
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
