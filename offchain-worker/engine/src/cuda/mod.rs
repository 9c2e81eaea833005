//! Inference on an NVIDIA GPU: the CPU's kernels, operation for operation, in CUDA C++.
//!
//! | module | what it holds |
//! |---|---|
//! | [`driver`], [`memory`], [`code`] | one GPU: launches, memory, compiled code; every failure an error |
//! | `kernels/` | the kernels, compiled by NVRTC for the GPU at hand when a model is loaded |
//! | [`module`] | the compiled kernels and their arguments |
//! | [`weights`] | parameters in the GPU's memory, in the precision in which they are stored |
//! | [`sequence`] | keys and values of one sequence |
//! | [`decoder`], [`pass`], [`recordings`] | the whole model over a ragged batch |
//!
//! Sums have the order of [`crate::cpu`] and every operation rounds as it does there, so that a result
//! has the bits of the CPU's, whatever the GPU: an audit on the one of an output of the other is exact.
//! Matrix units are not used, since they neither compute in single precision nor in a known order.
//!
//! Nothing of CUDA is needed to build this. At run time the driver and NVRTC are loaded if a GPU is
//! asked for.

mod code;
pub mod decoder;
mod driver;
mod memory;
mod module;
mod pass;
mod recordings;
pub mod sequence;
mod weights;

/// How many GPUs the driver finds; 0 without a driver.
pub fn gpus() -> usize {
    // A library that calls itself the driver but lacks a function makes the bindings panic.
    std::panic::catch_unwind(driver::count)
        .unwrap_or(Ok(0))
        .unwrap_or(0)
}

pub use decoder::CudaDecoder;
pub use sequence::CudaSequence;
