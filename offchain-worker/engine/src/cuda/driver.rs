//! One GPU behind the driver's interface: launches and recordings. Every failure is a text that says what the
//! driver was asked for.

use std::ffi::{c_void, CStr};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{result, sys, DriverError};

/// Result with a text for operators.
pub(super) type Result<T> = std::result::Result<T, String>;

/// A GPU with a stream of its own.
pub(super) struct Gpu {
    context: sys::CUcontext,
    device: sys::CUdevice,
    pub(super) stream: sys::CUstream,
    name: String,
}

// SAFETY: the driver's handles may be used from any thread; every use makes the context current first.
unsafe impl Send for Gpu {}
// SAFETY: as above; whoever launches answers for what the launches share.
unsafe impl Sync for Gpu {}

pub(super) fn failed(what: &str) -> impl FnOnce(DriverError) -> String + '_ {
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

/// The contexts of this process. Making one takes long, so none is ever given back.
static CONTEXTS: Mutex<Vec<(sys::CUdevice, Context)>> = Mutex::new(Vec::new());

#[derive(Clone, Copy)]
struct Context(sys::CUcontext);

// SAFETY: a handle of the driver, which may be used from any thread.
unsafe impl Send for Context {}

fn context(device: sys::CUdevice) -> Result<sys::CUcontext> {
    let mut contexts = CONTEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, Context(context))) = contexts.iter().find(|(made, _)| *made == device) {
        return Ok(*context);
    }
    // SAFETY: the device was found.
    let context =
        unsafe { result::primary_ctx::retain(device) }.map_err(failed("opening the GPU"))?;
    contexts.push((device, Context(context)));
    Ok(context)
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
        let context = context(device)?;
        // SAFETY: the context lives as long as the process.
        unsafe { result::ctx::set_current(context) }.map_err(failed("entering the GPU"))?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking)
            .map_err(failed("making a stream"))?;
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
        // SAFETY: the context lives as long as the process.
        unsafe { result::ctx::set_current(self.context) }.map_err(failed("entering the GPU"))
    }

    fn attribute(&self, attribute: sys::CUdevice_attribute) -> Result<u32> {
        // SAFETY: the device is that of this GPU.
        let value = unsafe { result::device::get_attribute(self.device, attribute) };
        Ok(value.map_err(failed("asking the GPU"))?.max(0) as u32)
    }

    /// Compute capability: 90 for 9.0.
    pub(super) fn capability(&self) -> Result<u32> {
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

    /// Starts a kernel. It may start while the one before it still runs if it `waits` for that one itself.
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
        waits: bool,
        arguments: &mut [*mut c_void],
    ) -> Result<()> {
        use sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION as OVERLAP;
        // SAFETY: that of the caller.
        let outcome = unsafe {
            if waits {
                let mut value = sys::CUlaunchAttributeValue { pad: [0; 64] };
                value.programmaticStreamSerializationAllowed = 1;
                let mut attribute = sys::CUlaunchAttribute {
                    id: OVERLAP,
                    pad: [0; 4],
                    value,
                };
                let config = sys::CUlaunchConfig {
                    gridDimX: grid.0,
                    gridDimY: grid.1,
                    gridDimZ: 1,
                    blockDimX: block,
                    blockDimY: 1,
                    blockDimZ: 1,
                    sharedMemBytes: shared,
                    hStream: self.stream,
                    attrs: &mut attribute,
                    numAttrs: 1,
                };
                let none = std::ptr::null_mut();
                sys::cuLaunchKernelEx(&config, function.0, arguments.as_mut_ptr(), none).result()
            } else {
                let (grid, block) = ((grid.0, grid.1, 1), (block, 1, 1));
                result::launch_kernel(function.0, grid, block, shared, self.stream, arguments)
            }
        };
        outcome.map_err(failed("starting a kernel"))
    }

    /// Records what `work` asks for instead of doing it.
    ///
    /// # Safety
    /// As [`Self::launch`] for everything in `work`, whenever the recording is played.
    pub(super) unsafe fn record(
        self: &Arc<Self>,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<Recording> {
        self.enter()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is this GPU's; the graph is destroyed once it is made into a recording.
        unsafe {
            result::stream::begin_capture(self.stream, mode).map_err(failed("recording"))?;
            let outcome = work();
            let graph = result::stream::end_capture(self.stream).map_err(failed("recording"));
            let graph = match (outcome, graph) {
                (Ok(()), graph) => graph?,
                (Err(reason), graph) => {
                    if let Ok(graph) = graph {
                        let _ = result::graph::destroy(graph);
                    }
                    return Err(reason);
                }
            };
            let flags = sys::CUgraphInstantiate_flags(0);
            let recording = result::graph::instantiate(graph, flags);
            let _ = result::graph::destroy(graph);
            Ok(Recording {
                gpu: self.clone(),
                graph: recording.map_err(failed("recording"))?,
            })
        }
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if self.enter().is_ok() {
            // SAFETY: nobody else has the stream, and nothing is used after this.
            let _ = unsafe { result::stream::destroy(self.stream) };
        }
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Launches and copies that are started together.
pub(super) struct Recording {
    gpu: Arc<Gpu>,
    graph: sys::CUgraphExec,
}

// SAFETY: a handle of the driver, which may be used from any thread.
unsafe impl Send for Recording {}

impl Recording {
    /// Starts them.
    ///
    /// # Safety
    /// That of [`Gpu::record`].
    pub(super) unsafe fn play(&self) -> Result<()> {
        self.gpu.enter()?;
        // SAFETY: that of the caller.
        unsafe { result::graph::launch(self.graph, self.gpu.stream) }
            .map_err(failed("starting the kernels"))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.gpu.enter().is_ok() {
            // SAFETY: nobody else has it.
            let _ = unsafe { result::graph::exec_destroy(self.graph) };
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a recording for {}", self.gpu.name)
    }
}

/// A kernel of a [`Code`](super::code::Code) that is loaded as long as its GPU.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function(pub(super) sys::CUfunction);

// SAFETY: a handle of the driver, which may be used from any thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}
