//! `y = x Wᵀ` for any number of rows of x, over weights in their stored precision.
//!
//! With few rows (decoding) the time is that of reading the weights, so a row of W is converted in
//! registers and read once. With many (prefill) it is that of the multiplications: a tile of rows
//! of W times rows of x stays in registers, rows of x in the second-level cache, and weights
//! are converted once for all rows of such a panel. Either way each (row of W, row of x) has one
//! lane sum of its own, so that tiles, panels and threads do not show in the bits.

use std::cell::RefCell;
use std::ops::Range;

use super::matrix::{Matrix, Weights};
use super::pool::Pool;
use super::simd::SimdLevel;
use super::LANES;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
mod rows;
mod strip;

use rows::{bf16_rows, f16_rows, f32_rows, int8_rows, F32Row, Row, Rows};
use strip::{converted, direct, part, Isa, Lanes};

/// Rows of x up to which weights are converted in registers.
const DIRECT_ROWS: usize = 8;
/// Rows of W in an item with few rows of x, a multiple of every tile's.
const DIRECT_UNIT: usize = 24;
/// Bytes of weights that a thread claims at a time, at least.
const DIRECT_BYTES: usize = 32 << 10;
/// Rows of W in an item with many rows of x, at most.
const PANEL_UNIT: usize = 64;
/// Bytes of x in a panel, about half a second-level cache.
const PANEL_BYTES: usize = 512 << 10;
/// Elements of x that a thread copies at a time, at least.
const COPY_ITEM: usize = 16 << 10;
/// Multiply-adds below which a region is not worth another thread.
const INLINE_WORK: usize = 16 << 10;

/// One matrix and where its product goes.
pub struct Output<'a> {
    /// Weights `[out, in]`.
    pub matrix: &'a Matrix,
    /// Added once to every row's sum; `out` values.
    pub bias: Option<&'a [f32]>,
    /// `[rows, out]`.
    pub y: &'a mut [f32],
    /// `y += x Wᵀ + bias` instead of `y = …`.
    pub add: bool,
}

/// `y[r][o] = Σ_i x[r][i] W[o][i] (+ bias[o])` for `rows` rows of x, row-major `[rows, in]`;
/// several matrices that share x in one parallel region. Every sum is a lane sum (see
/// [`crate::cpu`]), so that its bits depend on neither `level`, `pool`, `rows` nor the other outputs.
///
/// # Panics
/// If the lengths of x, y and bias do not fit the matrices, or the processor lacks `level`.
pub fn linear(pool: &Pool, level: SimdLevel, x: &[f32], rows: usize, outputs: &mut [Output<'_>]) {
    level.assert_supported();
    for output in outputs.iter() {
        let (outs, k) = (output.matrix.rows(), output.matrix.cols());
        assert_eq!(
            Some(x.len()),
            rows.checked_mul(k),
            "x of {rows} rows of {k}"
        );
        assert_eq!(
            Some(output.y.len()),
            rows.checked_mul(outs),
            "y of {rows} rows of {outs}"
        );
        let bias = output.bias.map_or(outs, <[f32]>::len);
        assert_eq!(bias, outs, "a bias of {outs}");
    }
    if rows == 0 || outputs.is_empty() {
        return;
    }
    let cols = x.len() / rows;
    aligned(pool, x, rows, cols, |x| {
        let jobs: Vec<(Job, &Weights)> = outputs
            .iter_mut()
            .map(|output| (Job::new(x, rows, output), &output.matrix.weights))
            .collect();
        match level {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => run::<avx512::Avx512>(pool, &jobs),
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => run::<avx2::Avx2>(pool, &jobs),
            _ => run::<portable::Portable>(pool, &jobs),
        }
    });
}

thread_local! {
    /// Rows of x in lines of the cache.
    static ALIGNED: RefCell<Vec<Lanes>> = const { RefCell::new(Vec::new()) };
}

/// Calls `body` with x, or with a copy whose rows start at lines of the cache: a load of 16 lanes
/// that lies on two lines costs two.
fn aligned(pool: &Pool, x: &[f32], rows: usize, cols: usize, body: impl FnOnce(Rows<F32Row>)) {
    let whole = x.as_ptr().cast::<Lanes>().is_aligned() && cols.is_multiple_of(LANES);
    if whole || rows == 1 {
        return body(f32_rows(x.as_ptr(), cols));
    }
    let lines = cols.div_ceil(LANES);
    // Taken out while in use: the body may come back here on this thread.
    let mut copy = ALIGNED.take();
    if copy.len() < rows * lines {
        copy.resize(rows * lines, Lanes::ZERO);
    }
    let to = Target(copy.as_mut_ptr().cast());
    pool.for_each(rows, COPY_ITEM.div_ceil(cols.max(1)), |claimed| {
        for row in claimed {
            let from = &x[row * cols..][..cols];
            // SAFETY: there is room for the row, and this thread alone has claimed it.
            unsafe {
                let to = to.get().add(row * lines * LANES);
                std::ptr::copy_nonoverlapping(from.as_ptr(), to, cols);
            }
        }
    });
    body(f32_rows(to.get(), lines * LANES));
    ALIGNED.set(copy);
}

/// Where several threads write, each to elements of its own.
#[derive(Clone, Copy)]
struct Target(*mut f32);

// SAFETY: whoever writes through it sees to that.
unsafe impl Sync for Target {}

impl Target {
    fn get(&self) -> *mut f32 {
        self.0
    }
}

/// One output as the threads see it.
struct Job {
    x: Rows<F32Row>,
    rows: usize,
    /// Columns of x and W.
    k: usize,
    /// Rows of W, columns of y.
    outs: usize,
    y: *mut f32,
    bias: Option<*const f32>,
    add: bool,
}

// SAFETY: x, W and bias are only read, and every element of y is written by the one thread that
// has claimed its row of W and row of x.
unsafe impl Sync for Job {}

impl Job {
    fn new(x: Rows<F32Row>, rows: usize, output: &mut Output<'_>) -> Self {
        Self {
            x,
            rows,
            k: output.matrix.cols(),
            outs: output.matrix.rows(),
            y: output.y.as_mut_ptr(),
            bias: output.bias.map(<[f32]>::as_ptr),
            add: output.add,
        }
    }

    /// Writes the sums of the outputs from `out` on for a row of x.
    ///
    /// # Safety
    /// They are within y, and no other thread has them.
    #[inline]
    unsafe fn put(&self, row: usize, out: usize, sums: &[f32]) {
        let y = self.y.wrapping_add(row * self.outs + out);
        for (i, &sum) in sums.iter().enumerate() {
            // SAFETY: that of the caller; a bias is as long as a row of y.
            unsafe {
                let sum = match self.bias {
                    Some(bias) => sum + *bias.wrapping_add(out + i),
                    None => sum,
                };
                let y = y.wrapping_add(i);
                *y = if self.add { *y + sum } else { sum };
            }
        }
    }

    fn is_direct(&self) -> bool {
        self.rows <= DIRECT_ROWS
    }

    /// Panels of x that each fit the cache.
    fn panels(&self) -> usize {
        let rows = PANEL_BYTES / (self.k.max(1) * size_of::<f32>());
        self.rows.div_ceil(rows.max(24))
    }
}

/// How one output is cut into items that a thread can claim.
struct Cut {
    /// Rows of W in an item.
    unit: usize,
    /// Panels of x.
    panels: usize,
    /// Numbers of its items among those of all outputs.
    items: Range<usize>,
}

fn run<I: Isa>(pool: &Pool, jobs: &[(Job, &Weights)]) {
    let mut items = 0;
    let mut work = 0;
    let mut item_bytes = usize::MAX;
    let cuts: Vec<Cut> = jobs
        .iter()
        .map(|(job, weights)| {
            let (unit, panels) = if job.is_direct() {
                (DIRECT_UNIT, 1)
            } else {
                // Enough items for all threads, also of a small matrix.
                let even = job.outs.div_ceil(pool.threads() * 4);
                (even.next_multiple_of(8).clamp(8, PANEL_UNIT), job.panels())
            };
            work += job.outs * job.k * job.rows;
            let bytes = unit * job.k * weights.bits() / 8;
            item_bytes = item_bytes.min(bytes.max(1));
            let start = items;
            items += job.outs.div_ceil(unit) * panels;
            Cut {
                unit,
                panels,
                items: start..items,
            }
        })
        .collect();
    let grain = match jobs.first() {
        _ if work < INLINE_WORK => items,
        Some((job, _)) if job.is_direct() => DIRECT_BYTES.div_ceil(item_bytes),
        _ => 1,
    };
    pool.for_each(items, grain, |claimed| {
        for ((job, weights), cut) in jobs.iter().zip(&cuts) {
            let from = claimed.start.max(cut.items.start);
            let to = claimed.end.min(cut.items.end);
            if from >= to {
                continue;
            }
            let local = from - cut.items.start..to - cut.items.start;
            let outs_of =
                |units: Range<usize>| units.start * cut.unit..(units.end * cut.unit).min(job.outs);
            // SAFETY: the level is supported, lengths were checked, and this thread alone has
            // claimed these rows of W (and, in panels, of x).
            unsafe {
                if job.is_direct() {
                    some_outs::<I>(job, weights, outs_of(local), None);
                    continue;
                }
                for item in local {
                    let unit = item / cut.panels;
                    let panel = part(job.rows, cut.panels, item % cut.panels);
                    some_outs::<I>(job, weights, outs_of(unit..unit + 1), Some(panel));
                }
            }
        }
    });
}

/// `outs` rows of W with all rows of x or a panel of them.
///
/// # Safety
/// The processor has the level; the lengths fit; no other thread has these elements of y.
unsafe fn some_outs<I: Isa>(
    job: &Job,
    weights: &Weights,
    outs: Range<usize>,
    panel: Option<Range<usize>>,
) {
    /// # Safety
    /// The same.
    unsafe fn of<I: Isa, W: Row>(
        job: &Job,
        weights: Rows<W>,
        outs: Range<usize>,
        panel: Option<Range<usize>>,
    ) {
        // SAFETY: that of the caller.
        unsafe {
            match panel {
                Some(panel) => converted::<I, W>(job, weights, outs, panel),
                None => direct::<I, W>(job, weights, outs),
            }
        }
    }
    // SAFETY: that of the caller.
    unsafe {
        match weights {
            Weights::F32(values) => of::<I, _>(job, f32_rows(values.as_ptr(), job.k), outs, panel),
            Weights::F16(bits) => of::<I, _>(job, f16_rows(bits, job.k), outs, panel),
            Weights::Bf16(bits) => of::<I, _>(job, bf16_rows(bits, job.k), outs, panel),
            Weights::Int8(int8) => of::<I, _>(job, int8_rows(int8), outs, panel),
        }
    }
}
