//! Devices by name.

use burn::tensor::Device;

use crate::error::{EngineError, Result};

/// Burn's device called `name`: `cpu` or `burn` here; `cuda` and `cuda:N` need a build that
/// contains CUDA. (An engine on `cpu` does not use burn; on `burn` it does.)
///
/// # Errors
/// An unknown name, or a device that this build or machine does not have.
pub fn open(name: &str) -> Result<Device> {
    let fail = |reason: &str| EngineError::Device {
        name: name.into(),
        reason: reason.into(),
    };
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, Some(index)),
        None => (name, None),
    };
    match (kind, index) {
        ("cpu" | "burn", None) => Ok(Device::flex()),
        ("cpu" | "burn", Some(_)) => Err(fail("the CPU has no index; use `cpu`")),
        ("cuda", Some(index)) if index.parse::<u16>().is_err() => Err(fail(
            "the index after `cuda:` is not a number; use for example `cuda:0`",
        )),
        ("cuda", _) => Err(fail("this build contains no CUDA support; use `cpu`")),
        _ => Err(fail("unknown; known: cpu, auto, burn, cuda:N")),
    }
}
