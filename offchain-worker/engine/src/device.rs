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
        ("cuda", index) => match index.unwrap_or("0").parse::<u16>() {
            Ok(index) => cuda(usize::from(index)).map_err(|reason| fail(&reason)),
            Err(_) => Err(fail(
                "the index after `cuda:` is not a number; use for example `cuda:0`",
            )),
        },
        _ => Err(fail("unknown; known: cpu, auto, burn, cuda:N")),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> std::result::Result<Device, String> {
    Err("this build contains no CUDA support; build with `--features cuda`, or use `cpu`".into())
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
            "this machine has {found} GPUs, `cuda:0` to `cuda:{}`",
            found - 1
        )),
    }
}
