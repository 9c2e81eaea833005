//! One GPU behind the driver's interface: memory, modules, launches. Every failure is a text that says
//! what the driver was asked for.

use std::ffi::{c_void, CStr, CString};
use std::fmt;
use std::sync::Arc;

use cudarc::driver::{result, sys, DriverError};
use cudarc::nvrtc;

/// Result with a text for operators.
pub(super) type Result<T> = std::result::Result<T, String>;

/// Architectures that NVRTC is asked for, newest first, where it does not know the GPU's own: the driver
/// translates the code of an older one.
const OLDER: [u32; 6] = [100, 90, 89, 86, 80, 75];

/// A GPU with a stream of its own. Dropping it waits for nothing and frees what it holds.
pub(super) struct Gpu {
    context: sys::CUcontext,
    device: sys::CUdevice,
    stream: sys::CUstream,
    name: String,
}

// SAFETY: the driver's handles may be used from any thread; every use makes the context current first.
unsafe impl Send for Gpu {}
// SAFETY: as above; whoever launches answers for what the launches share.
unsafe impl Sync for Gpu {}

fn failed(what: &str) -> impl FnOnce(DriverError) -> String + '_ {
    move |error| {
        let name = error.error_name().ok().map(CStr::to_string_lossy);
        let text = error.error_string().ok().map(CStr::to_string_lossy);
        match (name, text) {
            (Some(name), Some(text)) => format!("{what}: {name} ({text})"),
            _ => format!("{what}: CUDA error {}", error.0 as u32),
        }
    }
}

/// How many GPUs there are.
///
/// # Errors
/// There is no driver, or it does not answer.
pub(super) fn count() -> Result<usize> {
    // SAFETY: looks for the driver's library and loads it.
    if !unsafe { sys::is_culib_present() } {
        return Err("no NVIDIA GPU or driver found; check `nvidia-smi`, or use `cpu`".into());
    }
    let hint = |error| format!("{error}; check `nvidia-smi`, or use `cpu`");
    result::init()
        .map_err(failed("the NVIDIA driver does not start"))
        .map_err(hint)?;
    let found = result::device::get_count()
        .map_err(failed("counting GPUs"))
        .map_err(hint)?;
    Ok(found.max(0) as usize)
}

impl Gpu {
    /// The GPU number `ordinal`.
    ///
    /// # Errors
    /// There is no driver, no such GPU, or it does not answer.
    pub(super) fn open(ordinal: usize) -> Result<Self> {
        match count()? {
            0 => return Err("no NVIDIA GPU found; check `nvidia-smi`, or use `cpu`".into()),
            found if ordinal >= found => {
                let last = found - 1;
                return Err(format!(
                    "this machine has {found} GPU(s), `cuda:0` to `cuda:{last}`"
                ));
            }
            _ => {}
        }
        let device = result::device::get(ordinal as i32).map_err(failed("opening the GPU"))?;
        let name = result::device::get_name(device).unwrap_or_else(|_| "unknown GPU".into());
        // SAFETY: the device was just found. The context is released when this is dropped.
        let context = unsafe {
            let context = result::primary_ctx::retain(device).map_err(failed("opening the GPU"))?;
            if let Err(error) = result::ctx::set_current(context) {
                let _ = result::primary_ctx::release(device);
                return Err(failed("opening the GPU")(error));
            }
            context
        };
        let stream = match result::stream::create(result::stream::StreamKind::NonBlocking) {
            Ok(stream) => stream,
            Err(error) => {
                // SAFETY: retained above, not used after this.
                let _ = unsafe { result::primary_ctx::release(device) };
                return Err(failed("making a stream")(error));
            }
        };
        Ok(Self {
            context,
            device,
            stream,
            name,
        })
    }

    /// The model of the GPU.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the context that of this thread.
    pub(super) fn enter(&self) -> Result<()> {
        // SAFETY: the context lives as long as this.
        unsafe { result::ctx::set_current(self.context) }.map_err(failed("entering the GPU"))
    }

    fn attribute(&self, attribute: sys::CUdevice_attribute) -> Result<u32> {
        // SAFETY: the device is that of this GPU.
        let value = unsafe { result::device::get_attribute(self.device, attribute) };
        Ok(value.map_err(failed("asking the GPU"))?.max(0) as u32)
    }

    /// Compute capability: 90 for 9.0.
    fn capability(&self) -> Result<u32> {
        use sys::CUdevice_attribute::{
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
        };
        Ok(10 * self.attribute(MAJOR)? + self.attribute(MINOR)?)
    }

    /// Most bytes of shared memory that a block may ask for.
    pub(super) fn shared_memory(&self) -> Result<u32> {
        self.attribute(
            sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
        )
    }

    /// How many blocks run at once, at least: the GPU's multiprocessors.
    pub(super) fn multiprocessors(&self) -> Result<u32> {
        self.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
    }

    /// Waits until everything that was asked for is done.
    pub(super) fn wait(&self) -> Result<()> {
        // SAFETY: the stream lives as long as this.
        unsafe { result::stream::synchronize(self.stream) }.map_err(failed("computing"))
    }

    /// Starts a kernel.
    ///
    /// # Safety
    /// `arguments` point to what the kernel's parameters are; what these point to lives until the kernel
    /// has ended, and no other work uses what it writes.
    pub(super) unsafe fn launch(
        &self,
        function: Function,
        grid: (u32, u32),
        block: u32,
        shared: u32,
        arguments: &mut [*mut c_void],
    ) -> Result<()> {
        // SAFETY: that of the caller.
        unsafe {
            result::launch_kernel(
                function.0,
                (grid.0, grid.1, 1),
                (block, 1, 1),
                shared,
                self.stream,
                arguments,
            )
        }
        .map_err(failed("starting a kernel"))
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if self.enter().is_ok() {
            // SAFETY: nobody else has the stream, and nothing is used after this.
            unsafe {
                let _ = result::stream::destroy(self.stream);
                let _ = result::primary_ctx::release(self.device);
            }
        }
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A kernel of a [`Code`] that is loaded as long as its GPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function(sys::CUfunction);

// SAFETY: a handle of the driver, which may be used from any thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// Kernels that were compiled for a GPU.
pub(super) struct Code {
    gpu: Arc<Gpu>,
    module: sys::CUmodule,
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
        let own = format!("sm_{capability}");
        let older = OLDER.into_iter().filter(|older| *older <= capability);
        let mut last = String::new();
        for target in std::iter::once(own).chain(older.map(|older| format!("compute_{older}"))) {
            match image(source, &target, options) {
                Ok(image) => return Self::load(gpu, &image),
                Err((true, reason)) => last = reason,
                Err((false, reason)) => return Err(reason),
            }
        }
        Err(format!(
            "{last}; this CUDA compiler knows no code for {} (compute capability {}.{}): install a newer one",
            gpu.name,
            capability / 10,
            capability % 10
        ))
    }

    fn load(gpu: &Arc<Gpu>, image: &[u8]) -> Result<Self> {
        gpu.enter()?;
        // SAFETY: the image is what the compiler gave, with a zero behind it.
        let module = unsafe { result::module::load_data(image.as_ptr().cast()) }.map_err(
            failed("loading the kernels (is the driver older than the compiler?)"),
        )?;
        Ok(Self {
            gpu: gpu.clone(),
            module,
        })
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

/// Memory of a GPU.
pub(super) struct Buffer {
    gpu: Arc<Gpu>,
    pointer: sys::CUdeviceptr,
    bytes: usize,
}

impl Buffer {
    /// `bytes` bytes that hold anything. No byte is no memory.
    pub(super) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<Self> {
        gpu.enter()?;
        let pointer = match bytes {
            0 => 0,
            // SAFETY: freed when this is dropped.
            _ => unsafe { result::malloc_sync(bytes) }
                .map_err(failed(&format!("taking {bytes} bytes of the GPU's memory")))?,
        };
        Ok(Self {
            gpu: gpu.clone(),
            pointer,
            bytes,
        })
    }

    /// A copy of `values`.
    pub(super) fn of<T: Plain>(gpu: &Arc<Gpu>, values: &[T]) -> Result<Self> {
        let buffer = Self::new(gpu, size_of_val(values))?;
        if !values.is_empty() {
            // SAFETY: as long as `values`; the call returns when they are copied.
            unsafe { result::memcpy_htod_sync(buffer.pointer, values) }
                .map_err(failed("copying to the GPU"))?;
        }
        Ok(buffer)
    }

    /// Its address on the GPU.
    pub(super) fn address(&self) -> u64 {
        self.pointer
    }

    /// Makes it at least `bytes` long; what it held is lost then.
    pub(super) fn fit(&mut self, bytes: usize) -> Result<u64> {
        if self.bytes < bytes {
            // The old one first: both may not fit.
            let gpu = self.gpu.clone();
            *self = Self::new(&gpu, 0)?;
            *self = Self::new(&gpu, bytes)?;
        }
        Ok(self.pointer)
    }

    /// Copies from a host buffer, once everything before is done; the host buffer stays as it is until
    /// [`Gpu::wait`].
    ///
    /// # Safety
    /// Nobody writes to the first `bytes` of `from` until then.
    pub(super) unsafe fn read_from(&self, from: &Pinned, bytes: usize) -> Result<()> {
        assert!(bytes <= self.bytes.min(from.bytes));
        // SAFETY: both are long enough; the rest is the caller's.
        unsafe {
            let from = std::slice::from_raw_parts(from.pointer.cast::<u8>(), bytes);
            result::memcpy_htod_async(self.pointer, from, self.gpu.stream)
        }
        .map_err(failed("copying to the GPU"))
    }

    /// Copies the first elements to `to` by way of `pinned`, once everything before is done.
    pub(super) fn write_to(&self, to: &mut [f32], pinned: &mut Pinned) -> Result<()> {
        assert!(size_of_val(to) <= self.bytes);
        let most = pinned.bytes / size_of::<f32>();
        for (index, to) in to.chunks_mut(most).enumerate() {
            let offset = (index * most * size_of::<f32>()) as u64;
            // SAFETY: both are long enough, and nobody else has `pinned`; the copy is done after `wait`.
            unsafe {
                let from = std::slice::from_raw_parts_mut(pinned.pointer.cast::<f32>(), to.len());
                result::memcpy_dtoh_async(from, self.pointer + offset, self.gpu.stream)
                    .map_err(failed("copying from the GPU"))?;
                self.gpu.wait()?;
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    /// Copies `rows` pieces of `width` bytes, `from_pitch` and `to_pitch` bytes apart.
    pub(super) fn copy_rows(
        &self,
        from_pitch: usize,
        to: &Self,
        to_pitch: usize,
        width: usize,
        rows: usize,
    ) -> Result<()> {
        let last = rows.saturating_sub(1);
        assert!(last * from_pitch + width <= self.bytes && last * to_pitch + width <= to.bytes);
        if rows == 0 || width == 0 {
            return Ok(());
        }
        self.gpu.enter()?;
        let copy = sys::CUDA_MEMCPY2D {
            srcXInBytes: 0,
            srcY: 0,
            srcMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
            srcHost: std::ptr::null(),
            srcDevice: self.pointer,
            srcArray: std::ptr::null_mut(),
            srcPitch: from_pitch,
            dstXInBytes: 0,
            dstY: 0,
            dstMemoryType: sys::CUmemorytype::CU_MEMORYTYPE_DEVICE,
            dstHost: std::ptr::null_mut(),
            dstDevice: to.pointer,
            dstArray: std::ptr::null_mut(),
            dstPitch: to_pitch,
            WidthInBytes: width,
            Height: rows,
        };
        // SAFETY: both are long enough, as just checked.
        unsafe { sys::cuMemcpy2DAsync_v2(&copy, self.gpu.stream).result() }
            .map_err(failed("copying on the GPU"))?;
        self.gpu.wait()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.pointer != 0 && self.gpu.enter().is_ok() {
            // SAFETY: nobody has the address any more; the driver waits for work that does.
            let _ = unsafe { result::free_sync(self.pointer) };
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes on {}", self.bytes, self.gpu.name)
    }
}

/// Memory of the host that a GPU reads and writes by itself.
pub(super) struct Pinned {
    gpu: Arc<Gpu>,
    pointer: *mut c_void,
    bytes: usize,
}

// SAFETY: memory that only this addresses.
unsafe impl Send for Pinned {}

impl Pinned {
    /// `bytes` zeros; a multiple of 16.
    pub(super) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<Self> {
        gpu.enter()?;
        let bytes = bytes.next_multiple_of(16).max(16);
        // SAFETY: freed when this is dropped; zeroed before anybody reads.
        let pointer = unsafe {
            let pointer = result::malloc_host(bytes, 0)
                .map_err(failed(&format!("taking {bytes} bytes of pinned memory")))?;
            pointer.cast::<u8>().write_bytes(0, bytes);
            pointer
        };
        Ok(Self {
            gpu: gpu.clone(),
            pointer,
            bytes,
        })
    }

    /// Its bytes. No copy to or from it may be under way.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: its own memory, written when it was made.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.cast(), self.bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.gpu.enter().is_ok() {
            // SAFETY: nobody has the address any more.
            let _ = unsafe { result::free_host(self.pointer) };
        }
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes pinned", self.bytes)
    }
}

/// What can be copied byte by byte.
pub(super) trait Plain: Copy {}
impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for f32 {}
