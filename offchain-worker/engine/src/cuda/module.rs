//! The compiled kernels and their arguments, laid out as `kernels/` declares them.

use std::ffi::c_void;
use std::sync::Arc;

use super::code::Code;
use super::driver::{Function, Gpu, Result};
use crate::cpu::matrix::Precision;

/// The parts of one source; NVRTC's messages name the part.
const SOURCE: &str = concat!(
    "#line 1 \"common.cu\"\n",
    include_str!("kernels/common.cu"),
    "#line 1 \"products.cu\"\n",
    include_str!("kernels/products.cu"),
    "#line 1 \"layer.cu\"\n",
    include_str!("kernels/layer.cu"),
);

/// Lanes of a group.
const LANES: u32 = 16;
/// Rows of W of a block of `few_*`, one a group.
const FEW_GROUPS: u32 = 8;
/// Columns of a chunk of `few_*`.
const CHUNK: u32 = 256;
/// Most rows that are held in shared memory, and most bytes of them.
const HELD_ROWS: u32 = 8;
const HELD: u32 = 48 << 10;
/// Threads of a block of `many_*`.
const MANY_THREADS: u32 = 256;
/// Rows of x, and rows of W, of a tile of `many_*`.
const TILE: u32 = 32;
/// Most rows of x that `few_*` and `gate_*` take.
pub(super) const FEW_ROWS: u32 = 32;
/// Threads where each does one element.
const THREADS: u32 = 256;
/// Most threads of a block of attention, hence most elements of a head.
pub(super) const HEAD_LIMIT: u32 = 512;
/// Elements of values that a block of attention brings in at once, where there are many.
const VALUES: u32 = 4_096;
/// Bytes of shared memory that a row being normed may wait in.
const NORM_STAGE: u32 = 32 << 10;

/// `Row` of a batch.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Row {
    /// Address of its sequence's keys and values.
    pub(super) cache: u64,
    pub(super) position: u32,
    pub(super) capacity: u32,
}

/// `Output` of a product.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Output {
    pub(super) weight: u64,
    pub(super) bias: u64,
    pub(super) y: u64,
    pub(super) outs: u32,
    pub(super) stride: u32,
    pub(super) add: u32,
    pub(super) unused: u32,
}

/// Up to three products of one x.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Linear {
    pub(super) outputs: [Output; 3],
    pub(super) x: u64,
    /// Weight of the norm that rows of x go through, where [`holds`] says so; 0 for none.
    pub(super) norm: u64,
    pub(super) count: u32,
    pub(super) rows: u32,
    pub(super) cols: u32,
    pub(super) epsilon: f32,
    /// Whether rows of x are held; the launch sees to it.
    pub(super) held: u32,
    pub(super) unused: u32,
}

/// Keys, values and queries of a batch on their way.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Place {
    pub(super) k: u64,
    pub(super) v: u64,
    pub(super) q: u64,
    pub(super) k_norm: u64,
    pub(super) q_norm: u64,
    pub(super) rows: u64,
    pub(super) active_rows: u64,
    pub(super) rope: u64,
    pub(super) active_rope: u64,
    pub(super) count: u32,
    pub(super) active: u32,
    pub(super) heads: u32,
    pub(super) kv_heads: u32,
    pub(super) width: u32,
    pub(super) layer: u32,
    pub(super) epsilon: f32,
    pub(super) scale: f32,
}

/// Attention of a batch.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Attention {
    pub(super) q: u64,
    pub(super) out: u64,
    pub(super) rows: u64,
    pub(super) scores: u64,
    pub(super) pitch: u32,
    pub(super) first_row: u32,
    pub(super) heads: u32,
    pub(super) kv_heads: u32,
    pub(super) width: u32,
    pub(super) layer: u32,
    pub(super) tile: u32,
    pub(super) unused: u32,
}

/// Kernels of one precision.
#[derive(Debug)]
struct OfPrecision {
    precision: Precision,
    few: [Function; 6],
    gate: [Function; 6],
    many: Function,
    look_up: Function,
}

/// Whether `few_*` and `gate_*` hold rows of x in shared memory, and can norm them.
pub(super) fn holds(rows: u32, cols: u32) -> bool {
    rows <= HELD_ROWS && u64::from(rows + 1) * u64::from(cols) * 4 <= u64::from(HELD)
}

/// Bytes of shared memory that `few_*` take for up to `rows` rows of x, or `gate_*`, with twice the weights; `held` of
/// them for rows that are held.
fn few_shared(precision: Precision, rows: u32, gate: bool, held: Option<u32>) -> u32 {
    let weights = match precision {
        Precision::F32 => 4 * CHUNK,
        Precision::F16 | Precision::Bf16 => 2 * CHUNK,
        // A scale for every 32.
        Precision::Int8 => CHUNK + CHUNK / 8,
    };
    let stages = match rows {
        ..=8 => 4,
        9..=16 => 3,
        _ => 2,
    };
    let own = if gate { 2 } else { 1 };
    let weights = stages * FEW_GROUPS * own * weights;
    weights + held.unwrap_or(stages * rows * 4 * CHUNK)
}

/// All kernels that a model needs, on its GPU. A launch takes addresses on the GPU and answers for them
/// no further than its caller, the decoder.
pub(super) struct Kernels {
    gpu: Arc<Gpu>,
    of_precision: Vec<OfPrecision>,
    norm: Function,
    gather: Function,
    silu_gate: Function,
    place: Function,
    /// For blocks of up to [`HEAD_LIMIT`] and [`THREADS`] threads.
    attention: [Function; 2],
    shared: u32,
    multiprocessors: u32,
    /// Kernels wait for the ones before them themselves.
    overlap: bool,
    // Last: the functions are its.
    _code: Code,
}

impl Kernels {
    /// Compiles the kernels for matrices of `precisions`.
    pub(super) fn new(gpu: &Arc<Gpu>, precisions: &[Precision]) -> Result<Self> {
        let macros: Vec<String> = precisions
            .iter()
            .map(|precision| {
                let class = match precision {
                    Precision::F32 => "F32",
                    Precision::F16 => "F16",
                    Precision::Bf16 => "Bf16",
                    Precision::Int8 => "Int8",
                };
                format!("KERNELS({class},{precision})")
            })
            .collect();
        let options = [
            format!("--define-macro=PRECISIONS={}", macros.join(" ")),
            // Single roundings and subnormal numbers as on the CPU.
            "--fmad=false".into(),
            "--ftz=false".into(),
            "--prec-div=true".into(),
            "--prec-sqrt=true".into(),
            "--std=c++17".into(),
        ];
        let code = Code::compile(gpu, SOURCE, &options)?;
        let shared = gpu.shared_memory()?;
        let of_precision = precisions
            .iter()
            .map(|&precision| {
                let all = |kind: &str| -> Result<[Function; 6]> {
                    let few = |rows| {
                        let name = format!("{kind}_{rows}_{precision}");
                        let gate = kind == "gate";
                        let held = few_shared(precision, rows, gate, Some(HELD));
                        let staged = few_shared(precision, rows, gate, None);
                        code.function(&name, held.max(staged))
                    };
                    Ok([few(1)?, few(2)?, few(4)?, few(8)?, few(16)?, few(32)?])
                };
                Ok(OfPrecision {
                    precision,
                    few: all("few")?,
                    gate: all("gate")?,
                    many: code.function(&format!("many_{precision}"), 0)?,
                    look_up: code.function(&format!("look_up_{precision}"), 0)?,
                })
            })
            .collect::<Result<_>>()?;
        // A little of it is the kernel's own.
        let shared = shared.saturating_sub(1 << 10);
        Ok(Self {
            of_precision,
            norm: code.function("rms_norm", 0)?,
            gather: code.function("gather", 0)?,
            silu_gate: code.function("silu_gate", 0)?,
            place: code.function("place", 0)?,
            attention: [
                code.function("attention_512", shared)?,
                code.function("attention_256", shared)?,
            ],
            shared,
            multiprocessors: gpu.multiprocessors()?,
            // The kernels contain it from here on.
            overlap: code.target() >= 90,
            gpu: gpu.clone(),
            _code: code,
        })
    }

    fn of(&self, precision: Precision) -> Result<&OfPrecision> {
        let found = self
            .of_precision
            .iter()
            .find(|of| of.precision == precision);
        found.ok_or_else(|| format!("no kernels for {precision}"))
    }

    /// # Safety
    /// That of [`Gpu::launch`].
    unsafe fn launch<T>(
        &self,
        function: Function,
        grid: (u32, u32),
        block: u32,
        shared: u32,
        argument: &T,
    ) -> Result<()> {
        let mut arguments = [std::ptr::from_ref(argument).cast_mut().cast::<c_void>()];
        // SAFETY: that of the caller; the driver copies arguments before it returns.
        unsafe { self.start(function, grid, block, shared, &mut arguments) }
    }

    /// # Safety
    /// That of [`Gpu::launch`].
    unsafe fn start(
        &self,
        function: Function,
        grid: (u32, u32),
        block: u32,
        shared: u32,
        arguments: &mut [*mut c_void],
    ) -> Result<()> {
        // SAFETY: that of the caller; every kernel waits where `overlap` says so.
        unsafe {
            self.gpu
                .launch(function, grid, block, shared, self.overlap, arguments)
        }
    }

    /// `y = silu(x Gᵀ) * x Uᵀ` for the first two matrices of a job of 1 to [`FEW_ROWS`] rows; y is the first's.
    ///
    /// # Safety
    /// As [`Self::linear`].
    pub(super) unsafe fn gate(&self, precision: Precision, job: &Linear) -> Result<()> {
        let blocks = job.outputs[0].outs.div_ceil(FEW_GROUPS);
        // SAFETY: that of the caller.
        unsafe { self.few(precision, job, true, blocks) }
    }

    /// Starts `few_*` or `gate_*`.
    ///
    /// # Safety
    /// As [`Self::linear`].
    unsafe fn few(
        &self,
        precision: Precision,
        job: &Linear,
        gate: bool,
        blocks: u32,
    ) -> Result<()> {
        let of = self.of(precision)?;
        let rows = job.rows.next_power_of_two();
        let functions = if gate { &of.gate } else { &of.few };
        let held = holds(job.rows, job.cols);
        let bytes = held.then_some((job.rows + 1) * job.cols * 4);
        let job = Linear {
            held: u32::from(held),
            ..*job
        };
        let function = functions[rows.trailing_zeros() as usize];
        let shared = few_shared(precision, rows, gate, bytes);
        // SAFETY: that of the caller.
        unsafe { self.launch(function, (blocks, 1), FEW_GROUPS * LANES, shared, &job) }
    }

    /// `y = x Wᵀ` for matrices of one precision.
    ///
    /// # Safety
    /// All addresses are good for the shapes that `job` names, as in all below, until the work is done.
    pub(super) unsafe fn linear(&self, precision: Precision, job: &Linear) -> Result<()> {
        if job.rows == 0 {
            return Ok(());
        }
        let of = self.of(precision)?;
        let outputs = &job.outputs[..job.count as usize];
        // SAFETY: that of the caller.
        unsafe {
            if job.rows <= FEW_ROWS {
                let blocks = outputs
                    .iter()
                    .map(|output| output.outs.div_ceil(FEW_GROUPS));
                self.few(precision, job, false, blocks.sum())
            } else {
                let tiles = outputs.iter().map(|output| output.outs.div_ceil(TILE));
                let grid = (tiles.sum(), job.rows.div_ceil(TILE));
                self.launch(of.many, grid, MANY_THREADS, 0, job)
            }
        }
    }

    /// Rows of an embedding.
    ///
    /// # Safety
    /// As [`Self::linear`].
    pub(super) unsafe fn look_up(
        &self,
        precision: Precision,
        table: &Output,
        ids: u64,
        rows: u32,
        cols: u32,
        x: u64,
    ) -> Result<()> {
        let function = self.of(precision)?.look_up;
        let mut arguments = [
            std::ptr::from_ref(table).cast_mut().cast(),
            std::ptr::from_ref(&ids).cast_mut().cast(),
            std::ptr::from_ref(&cols).cast_mut().cast(),
            std::ptr::from_ref(&x).cast_mut().cast(),
        ];
        // SAFETY: that of the caller.
        unsafe { self.start(function, (rows, 1), THREADS, 0, &mut arguments) }
    }

    /// Norms `rows` rows of `cols`.
    ///
    /// # Safety
    /// As [`Self::linear`].
    pub(super) unsafe fn norm(
        &self,
        x: u64,
        weight: u64,
        epsilon: f32,
        rows: u32,
        cols: u32,
        y: u64,
    ) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        let bytes = cols * 4;
        let staged = u32::from(bytes <= NORM_STAGE);
        let mut arguments = [
            std::ptr::from_ref(&x).cast_mut().cast(),
            std::ptr::from_ref(&weight).cast_mut().cast(),
            std::ptr::from_ref(&epsilon).cast_mut().cast(),
            std::ptr::from_ref(&cols).cast_mut().cast(),
            std::ptr::from_ref(&staged).cast_mut().cast(),
            std::ptr::from_ref(&y).cast_mut().cast(),
        ];
        // SAFETY: that of the caller.
        unsafe {
            self.start(
                self.norm,
                (rows, 1),
                THREADS,
                staged * bytes,
                &mut arguments,
            )
        }
    }

    /// `to[r] = from[index[r]]`.
    ///
    /// # Safety
    /// As [`Self::linear`].
    pub(super) unsafe fn gather(
        &self,
        from: u64,
        index: u64,
        rows: u32,
        cols: u32,
        to: u64,
    ) -> Result<()> {
        let mut arguments = [
            std::ptr::from_ref(&from).cast_mut().cast(),
            std::ptr::from_ref(&index).cast_mut().cast(),
            std::ptr::from_ref(&cols).cast_mut().cast(),
            std::ptr::from_ref(&to).cast_mut().cast(),
        ];
        // SAFETY: that of the caller.
        unsafe { self.start(self.gather, (rows, 1), THREADS, 0, &mut arguments) }
    }

    /// `gate = silu(gate) * up` for `len` elements.
    ///
    /// # Safety
    /// As [`Self::linear`].
    pub(super) unsafe fn silu_gate(&self, gate: u64, up: u64, len: u32) -> Result<()> {
        let mut arguments = [
            std::ptr::from_ref(&gate).cast_mut().cast(),
            std::ptr::from_ref(&up).cast_mut().cast(),
            std::ptr::from_ref(&len).cast_mut().cast(),
        ];
        let blocks = len.div_ceil(THREADS);
        // SAFETY: that of the caller.
        unsafe { self.start(self.silu_gate, (blocks, 1), THREADS, 0, &mut arguments) }
    }

    /// Puts keys and values into the sequences and makes queries ready.
    ///
    /// # Safety
    /// As [`Self::linear`].
    pub(super) unsafe fn place(&self, job: &Place) -> Result<()> {
        let groups = job.count * job.kv_heads + job.active * job.heads;
        let blocks = (groups * LANES).div_ceil(THREADS);
        // SAFETY: that of the caller.
        unsafe { self.launch(self.place, (blocks, 1), THREADS, 0, job) }
    }

    /// How attention of `rows` rows that see up to `longest` positions is launched.
    fn cut(&self, job: &Attention, rows: u32, longest: u32) -> Cut {
        // Few blocks get more threads and more values at once, so that they wait less often.
        let few = rows * job.heads < 2 * self.multiprocessors;
        let values = if few { 4 * VALUES } else { VALUES };
        let tile = (values / job.width).clamp(1, longest.max(1));
        let fixed = job.width.next_multiple_of(4) + 2 * (tile * job.width).next_multiple_of(4);
        let wanted = (u64::from(longest) + u64::from(fixed)) * 4;
        let fits = wanted <= u64::from(self.shared);
        let threads = if few { HEAD_LIMIT } else { THREADS };
        Cut {
            tile,
            threads: threads.max(job.width.next_multiple_of(32)),
            shared: if fits { wanted as u32 } else { 4 * fixed },
            fits,
        }
    }

    /// Whether [`Self::attention`] does without memory for scores.
    pub(super) fn attention_fits(&self, job: &Attention, rows: u32, longest: u32) -> bool {
        self.cut(job, rows, longest).fits
    }

    /// Attention of `rows` rows that see up to `longest` positions. `scores` gives memory of so many bytes
    /// where shared memory does not do.
    ///
    /// # Safety
    /// As [`Self::linear`].
    pub(super) unsafe fn attention(
        &self,
        mut job: Attention,
        rows: u32,
        longest: u32,
        scores: impl FnOnce(usize) -> Result<u64>,
    ) -> Result<()> {
        /// Bytes of scores outside shared memory.
        const SCORES: u64 = 256 << 20;
        let cut = self.cut(&job, rows, longest);
        (job.tile, job.pitch) = (cut.tile, longest);
        let mut at_once = rows;
        if !cut.fits {
            let row = u64::from(job.heads) * u64::from(longest) * 4;
            at_once = (SCORES / row).clamp(1, u64::from(rows)) as u32;
            job.scores = scores((row * u64::from(at_once)) as usize)?;
        }
        for first in (0..rows).step_by(at_once as usize) {
            job.first_row = first;
            let grid = (at_once.min(rows - first), job.heads);
            // SAFETY: that of the caller; launches of one stream follow each other.
            unsafe {
                let function = self.attention[usize::from(cut.threads <= THREADS)];
                self.launch(function, grid, cut.threads, cut.shared, &job)?;
            }
        }
        Ok(())
    }
}

/// See [`Kernels::cut`].
struct Cut {
    /// Positions whose values are brought in at once.
    tile: u32,
    threads: u32,
    /// Bytes.
    shared: u32,
    /// Scores are in shared memory.
    fits: bool,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernels")
            .field("gpu", &self.gpu)
            .field("of_precision", &self.of_precision)
            .finish_non_exhaustive()
    }
}
