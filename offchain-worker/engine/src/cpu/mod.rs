//! Inference on the CPU: kernels over weights in the precision in which they are stored.
//!
//! | module | what it holds |
//! |---|---|
//! | [`simd`] | which vector instructions are used |
//! | [`pool`] | the threads of one engine |
//! | [`matrix`] | weights in memory or mapped from a file |
//! | [`linear`] | `y = x Wᵀ` for any number of rows |
//! | [`math`] | dot product, norm, softmax, SiLU, rotary embedding |
//! | [`cache`] | keys and values of one sequence |
//! | [`decoder`] | the whole model over a ragged batch |
//!
//! Every sum has one fixed order, so that a result has the same bits whatever the instructions,
//! the threads and the rows that are computed together. A *lane sum* over `k = 0..K` keeps
//! [`LANES`] accumulators that start at +0, `a[k % 16] = fma(w[k], x[k], a[k % 16])` with `k`
//! ascending, and folds them as `a[l] += a[l+8]`, `a[l] += a[l+4]`, `a[l] += a[l+2]`,
//! `a[0] + a[1]`. A last group shorter than 16 leaves the other accumulators alone.

mod attention;
pub mod cache;
pub mod decoder;
pub mod linear;
pub mod math;
pub mod matrix;
pub mod pool;
pub(crate) mod rope;
mod scratch;
pub mod simd;
pub(crate) mod weights;

pub use cache::CpuSequence;
pub use decoder::{CpuDecoder, CpuOptions};
pub use linear::{linear, Output};
pub use matrix::{Matrix, Precision, Storage};
pub use pool::Pool;
pub use simd::SimdLevel;

/// Accumulators of a lane sum.
pub const LANES: usize = 16;
