//! CUDA C++ compiled at run time for the GPU at hand.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{result, sys};
use cudarc::nvrtc;

use super::driver::{failed, Function, Gpu, Result};

/// Architectures that NVRTC is asked for, newest first, where it does not know the GPU's own: the driver
/// translates the code of an older one.
const OLDER: [u32; 6] = [100, 90, 89, 86, 80, 75];

/// Kernels that were compiled for a GPU.
pub(super) struct Code {
    gpu: Arc<Gpu>,
    module: sys::CUmodule,
    /// Compute capability that it was compiled for.
    target: u32,
}

/// What was compiled in this process, by GPU and options: loading another model does not compile again.
static COMPILED: Mutex<Vec<Compiled>> = Mutex::new(Vec::new());

struct Compiled {
    capability: u32,
    options: Vec<String>,
    target: u32,
    image: Arc<[u8]>,
}

// SAFETY: a handle of the driver, which may be used from any thread.
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

impl Code {
    /// Compiles CUDA C++.
    ///
    /// # Errors
    /// NVRTC is not installed or refuses the source; its log is in the text.
    pub(super) fn compile(gpu: &Arc<Gpu>, source: &str, options: &[String]) -> Result<Self> {
        // SAFETY: looks for the compiler's library and loads it.
        if !unsafe { nvrtc::sys::is_culib_present() } {
            return Err(
                "CUDA's run-time compiler is missing (libnvrtc.so); install it with the CUDA toolkit or \
                 the package `cuda-nvrtc`, and name its folder in LD_LIBRARY_PATH if need be"
                    .into(),
            );
        }
        let capability = gpu.capability()?;
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = compiled
            .iter()
            .find(|known| known.capability == capability && known.options == options);
        if let Some(known) = known {
            return Self::load(gpu, known.target, &known.image);
        }
        let older = OLDER.into_iter().filter(|older| *older <= capability);
        let older = older.map(|older| (older, format!("compute_{older}")));
        let own = (capability, format!("sm_{capability}"));
        let mut last = String::new();
        for (target, name) in std::iter::once(own).chain(older) {
            match image(source, &name, options) {
                Ok(image) => {
                    let code = Self::load(gpu, target, &image)?;
                    compiled.push(Compiled {
                        capability,
                        options: options.to_vec(),
                        target,
                        image: image.into(),
                    });
                    return Ok(code);
                }
                Err((true, reason)) => last = reason,
                Err((false, reason)) => return Err(reason),
            }
        }
        Err(format!(
            "{last}; this CUDA compiler knows no code for {} (compute capability {}.{}): install a newer one",
            gpu.name(),
            capability / 10,
            capability % 10
        ))
    }

    fn load(gpu: &Arc<Gpu>, target: u32, image: &[u8]) -> Result<Self> {
        gpu.enter()?;
        // SAFETY: the image is what the compiler gave, with a zero behind it.
        let module = unsafe { result::module::load_data(image.as_ptr().cast()) }.map_err(
            failed("loading the kernels (is the driver older than the compiler?)"),
        )?;
        Ok(Self {
            gpu: gpu.clone(),
            module,
            target,
        })
    }

    /// Compute capability that it was compiled for.
    pub(super) fn target(&self) -> u32 {
        self.target
    }

    /// The kernel `name`, allowed `shared` bytes of shared memory.
    pub(super) fn function(&self, name: &str, shared: u32) -> Result<Function> {
        let what = format!("the kernel {name}");
        let c_name = CString::new(name).map_err(|error| error.to_string())?;
        // SAFETY: the module is loaded, and stays so as long as whoever holds the function holds this.
        unsafe {
            let function =
                result::module::get_function(self.module, c_name).map_err(failed(&what))?;
            if shared > 0 {
                let most =
                    sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
                result::function::set_function_attribute(function, most, shared as i32)
                    .map_err(failed(&what))?;
            }
            Ok(Function(function))
        }
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if self.gpu.enter().is_ok() {
            // SAFETY: whoever holds a function holds this too.
            let _ = unsafe { result::module::unload(self.module) };
        }
    }
}

/// What NVRTC makes of the source for `target`, a zero behind it; or why not, and whether another target
/// is worth trying.
fn image(
    source: &str,
    target: &str,
    options: &[String],
) -> std::result::Result<Vec<u8>, (bool, String)> {
    let broken = |what: &str, error: nvrtc::result::NvrtcError| (false, format!("{what}: {error}"));
    let source = CString::new(source).map_err(|error| (false, error.to_string()))?;
    let program = nvrtc::result::create_program(&source, Some(c"kernels.cu"))
        .map_err(|error| broken("starting CUDA's compiler", error))?;
    let mut all = vec![format!("--gpu-architecture={target}")];
    all.extend_from_slice(options);
    // SAFETY: the program is destroyed last.
    unsafe {
        let outcome = match nvrtc::result::compile_program(program, &all) {
            Ok(()) => code_of(program, target.starts_with("sm_"))
                .map_err(|error| broken("taking the kernels from CUDA's compiler", error)),
            Err(error) => {
                let log = nvrtc::result::get_program_log(program).unwrap_or_default();
                let log: Vec<u8> = log.into_iter().map(|c| c as u8).collect();
                let log = String::from_utf8_lossy(&log);
                let log = log.trim_end_matches('\0').trim();
                let other = error.0 == nvrtc::sys::nvrtcResult::NVRTC_ERROR_INVALID_OPTION;
                Err((
                    other,
                    format!("compiling the kernels for {target}: {error}: {log}"),
                ))
            }
        };
        let _ = nvrtc::result::destroy_program(program);
        outcome
    }
}

/// Machine code, or PTX for the driver to translate.
///
/// # Safety
/// `program` was compiled and not destroyed.
unsafe fn code_of(
    program: nvrtc::sys::nvrtcProgram,
    machine: bool,
) -> std::result::Result<Vec<u8>, nvrtc::result::NvrtcError> {
    // SAFETY: that of the caller; the buffer has the size that was asked for.
    unsafe {
        if !machine {
            let ptx = nvrtc::result::get_ptx(program)?;
            return Ok(ptx.into_iter().map(|c| c as u8).collect());
        }
        let mut size = 0;
        nvrtc::sys::nvrtcGetCUBINSize(program, &mut size).result()?;
        let mut code = vec![0u8; size + 1];
        nvrtc::sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast()).result()?;
        Ok(code)
    }
}
