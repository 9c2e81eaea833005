//! Weights of the jobs pallet.
//!
//! Estimated from the storage that each call touches and the bytes that it hashes; a run of the
//! benchmarks on reference hardware replaces them.

use core::marker::PhantomData;
use frame_support::{
    traits::Get,
    weights::{constants::RocksDbWeight, Weight},
};

/// Weight functions of the jobs pallet.
pub trait WeightInfo {
    /// `b`: encoded bytes of the prompt.
    fn submit(b: u32) -> Weight;
    fn cancel() -> Weight;
    fn acknowledge() -> Weight;
    fn refuse() -> Weight;
    /// `n`: output ids in the commitment.
    fn commit(n: u32) -> Weight;
    fn set_params() -> Weight;
    /// A block that serves no draw and no deadline.
    fn service_base() -> Weight;
    /// One draw that assigns a job to an executor.
    fn draw_executor() -> Weight;
    /// One draw that looks at `c` candidates of whom nobody is eligible: the job ends.
    fn no_executor(c: u32) -> Weight;
    /// One draw that opens an audit.
    fn draw_audit() -> Weight;
    /// One deadline that lapses.
    fn lapse_deadline() -> Weight;
    /// One job that settles without an audit.
    fn settle() -> Weight;
    /// One job whose case closes as valid, with `a` auditors to pay.
    fn close_valid(a: u32) -> Weight;
    /// One job whose case closes as hard: slash, forfeiture, `a` auditors to pay.
    fn close_hard(a: u32) -> Weight;
}

/// One estimate for any database: CPU time, proof size, reads and writes.
fn estimate<DbWeight: Get<frame_support::weights::RuntimeDbWeight>>(
    micros: u64,
    proof_size: u64,
    reads: u64,
    writes: u64,
) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), proof_size)
        .saturating_add(DbWeight::get().reads_writes(reads, writes))
}

macro_rules! estimates {
    ($db:ty) => {
        fn submit(b: u32) -> Weight {
            estimate::<$db>(70, 8_000, 12, 10)
                .saturating_add(Weight::from_parts(3_000, 0).saturating_mul(b.into()))
        }
        fn cancel() -> Weight {
            estimate::<$db>(60, 8_000, 9, 12)
        }
        fn acknowledge() -> Weight {
            // Hashes a prompt of up to 8 KiB.
            estimate::<$db>(60, 16_000, 6, 4)
        }
        fn refuse() -> Weight {
            estimate::<$db>(80, 20_000, 14, 14)
        }
        fn commit(n: u32) -> Weight {
            // Verifies a signature and hashes a prompt of up to 8 KiB.
            estimate::<$db>(180, 24_000, 12, 9)
                .saturating_add(Weight::from_parts(40_000, 0).saturating_mul(n.into()))
        }
        fn set_params() -> Weight {
            estimate::<$db>(15, 1_500, 0, 1)
        }
        fn service_base() -> Weight {
            estimate::<$db>(10, 4_000, 5, 2)
        }
        fn draw_executor() -> Weight {
            // The index is read whole.
            estimate::<$db>(200, 60_000, 14, 7)
        }
        fn no_executor(c: u32) -> Weight {
            estimate::<$db>(200, 64_000, 16, 16)
                .saturating_add(estimate::<$db>(20, 11_000, 4, 0).saturating_mul(c.into()))
        }
        fn draw_audit() -> Weight {
            // A panel is drawn out of the checkpoint's electorate.
            estimate::<$db>(500, 90_000, 40, 20)
        }
        fn lapse_deadline() -> Weight {
            estimate::<$db>(100, 24_000, 16, 16)
        }
        fn settle() -> Weight {
            estimate::<$db>(150, 40_000, 28, 28)
        }
        fn close_valid(a: u32) -> Weight {
            estimate::<$db>(200, 44_000, 32, 32)
                .saturating_add(estimate::<$db>(30, 10_000, 4, 3).saturating_mul(a.into()))
        }
        fn close_hard(a: u32) -> Weight {
            // Forfeits what is unclaimed of up to some ninety epochs.
            estimate::<$db>(2_000, 900_000, 380, 380)
                .saturating_add(estimate::<$db>(80, 9_000, 4, 2).saturating_mul(a.into()))
        }
    };
}

/// Weights with the database of a runtime.
pub struct SubstrateWeight<T>(PhantomData<T>);
impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {
    estimates!(T::DbWeight);
}

/// Weights for tests.
impl WeightInfo for () {
    estimates!(RocksDbWeight);
}
