//! Memory of a GPU, and of the host where a GPU reads and writes it.

use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

use cudarc::driver::{result, sys};

use super::driver::{failed, Gpu, Result};

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

    /// Makes it at least `bytes` long; what it held is lost then. Whether it moved.
    pub(super) fn fit(&mut self, bytes: usize) -> Result<bool> {
        if self.bytes >= bytes {
            return Ok(false);
        }
        // The old one first: both may not fit.
        let gpu = self.gpu.clone();
        *self = Self::new(&gpu, 0)?;
        *self = Self::new(&gpu, bytes)?;
        Ok(true)
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

    /// Copies the first `bytes` to a host buffer, once everything before is done; they are there after
    /// [`Gpu::wait`].
    ///
    /// # Safety
    /// Nobody uses the first `bytes` of `to` until then.
    pub(super) unsafe fn start_write(&self, to: &Pinned, bytes: usize) -> Result<()> {
        assert!(bytes <= self.bytes.min(to.bytes));
        // SAFETY: both are long enough; the rest is the caller's.
        unsafe {
            let to = std::slice::from_raw_parts_mut(to.pointer.cast::<u8>(), bytes);
            result::memcpy_dtoh_async(to, self.pointer, self.gpu.stream)
        }
        .map_err(failed("copying from the GPU"))
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
        write!(f, "{} bytes on {}", self.bytes, self.gpu.name())
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
