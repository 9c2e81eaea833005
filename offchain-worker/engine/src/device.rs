//! Burn's devices by name.

use burn::tensor::Device;

use crate::error::{EngineError, Result};

/// Burn's device called `name`: `cpu` or `burn` here; `cuda`, `cuda:N` and `burn-cuda:N`, for training on a GPU, need
/// a build with the feature `cuda`. (An engine on `cpu` or `cuda:N` does not use burn.)
///
/// # Errors
/// An unknown name, or a device that this build or machine does not have.
pub fn open(name: &str) -> Result<Device> {
    let fail = |reason: &str| refused(name, reason);
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, Some(index)),
        None => (name, None),
    };
    match (kind, index) {
        ("cpu" | "burn", None) => Ok(Device::flex()),
        ("cpu" | "burn", Some(_)) => Err(fail("the CPU has no index; use `cpu`")),
        ("cuda" | "burn-cuda", _) => cuda(ordinal(name)?).map_err(|reason| fail(&reason)),
        _ => Err(fail("unknown; known: cpu, auto, cuda:N, burn, burn-cuda:N")),
    }
}

/// N of a name that ends with `:N`; 0 where it has no such end.
///
/// # Errors
/// What stands there is no number.
pub(crate) fn ordinal(name: &str) -> Result<usize> {
    let index = name.split_once(':').map_or("0", |(_, index)| index);
    match index.parse::<u16>() {
        Ok(index) => Ok(usize::from(index)),
        Err(_) => Err(refused(
            name,
            "the index behind the colon is not a number; use for example `cuda:0`",
        )),
    }
}

fn refused(name: &str, reason: &str) -> EngineError {
    EngineError::Device {
        name: name.into(),
        reason: reason.into(),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> std::result::Result<Device, String> {
    Err(
        "this build contains no burn for CUDA, which training on a GPU needs; build with `--features cuda`, or use \
         `cpu`"
            .into(),
    )
}

/// The GPU `index`. Burn panics on a thread of its own when a device is opened that is not there, so what is there is
/// asked first; the driver library may itself be missing, which is found out behind a barrier.
#[cfg(feature = "cuda")]
fn cuda(index: usize) -> std::result::Result<Device, String> {
    use burn::tensor::DeviceType;
    let found =
        std::panic::catch_unwind(|| Device::enumerate(DeviceType::Cuda).len()).map_err(|_| {
            "the CUDA driver does not answer; check `nvidia-smi`, or use `cpu`".to_string()
        })?;
    match (index < found, found) {
        (true, _) => Ok(Device::cuda(index)),
        (false, 0) => Err("no NVIDIA GPU or driver found; check `nvidia-smi`, or use `cpu`".into()),
        (false, found) => Err(format!(
            "this machine has {found} GPUs, `burn-cuda:0` to `burn-cuda:{}`",
            found - 1
        )),
    }
}
