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

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
mod rows;

use rows::{Bf16Row, F16Row, F32Row, Int8Row, Row};

/// Rows of x up to which weights are converted in registers.
const DIRECT_ROWS: usize = 8;
/// Rows of W that are converted together; a multiple of every tile's.
const PANEL_OUTS: usize = 8;
/// Rows of W that a thread claims at a time: with few rows of x, a multiple of every tile's ...
const DIRECT_UNIT: usize = 8;
/// ... but at least so many bytes of them ...
const DIRECT_BYTES: usize = 32 << 10;
/// ... and with many rows of x.
const PANEL_UNIT: usize = 64;
/// Bytes of x in a panel, about half a second-level cache.
const PANEL_BYTES: usize = 512 << 10;
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
    let jobs: Vec<(Job, &Weights)> = outputs
        .iter_mut()
        .map(|output| (Job::new(x, rows, output), &output.matrix.weights))
        .collect();
    if rows == 0 {
        return;
    }
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => run::<avx512::Avx512>(pool, &jobs),
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => run::<avx2::Avx2>(pool, &jobs),
        _ => run::<portable::Portable>(pool, &jobs),
    }
}

/// What a level provides.
trait Isa {
    /// Most rows of x in a tile.
    const TILE_ROWS: usize;

    /// `out[n][m]` is the lane sum of `w[m]` and `x[n]`.
    ///
    /// # Safety
    /// The processor has the level; `w` and `x` have `k` columns.
    unsafe fn tile<W: Row, const M: usize, const N: usize>(
        w: [W; M],
        x: [*const f32; N],
        k: usize,
        out: &mut [[f32; M]; N],
    );

    /// Converts `k` weights.
    ///
    /// # Safety
    /// The processor has the level; `w` and `out` have `k` columns.
    unsafe fn widen<W: Row>(w: W, k: usize, out: *mut f32);

    /// [`strip`] with the tile that suits `n <= TILE_ROWS` rows of x from `at` on.
    ///
    /// # Safety
    /// That of [`strip`].
    unsafe fn strip<W: Row>(
        job: &Job,
        row: impl Fn(usize) -> W,
        outs: Range<usize>,
        at: usize,
        n: usize,
    );
}

/// One output as the threads see it.
struct Job {
    x: *const f32,
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
    fn new(x: &[f32], rows: usize, output: &mut Output<'_>) -> Self {
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
        let bias = output.bias.map(|bias| {
            assert_eq!(bias.len(), outs, "a bias of {outs}");
            bias.as_ptr()
        });
        Self {
            x: x.as_ptr(),
            rows,
            k,
            outs,
            y: output.y.as_mut_ptr(),
            bias,
            add: output.add,
        }
    }

    fn direct(&self) -> bool {
        self.rows <= DIRECT_ROWS
    }

    /// Rows of x in a panel.
    fn panel_rows<I: Isa>(&self) -> usize {
        let rows = PANEL_BYTES / (self.k.max(1) * size_of::<f32>());
        let tiles = (rows / I::TILE_ROWS).max(2);
        tiles * I::TILE_ROWS
    }
}

/// Part `i` of `0..len` in `parts` whose lengths differ by at most one: start and length.
fn part(len: usize, parts: usize, i: usize) -> (usize, usize) {
    let (base, longer) = (len / parts, len % parts);
    (i * base + i.min(longer), base + usize::from(i < longer))
}

/// `0..len` in as few parts of at most `most` as possible.
fn even(len: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = len.div_ceil(most);
    (0..parts).map(move |i| part(len, parts, i))
}

/// How one output is cut into items that a thread can claim.
struct Cut {
    /// Rows of W in an item.
    unit: usize,
    /// Panels of x.
    panels: usize,
    /// Number of the first item, and of the one after the last.
    items: Range<usize>,
}

fn run<I: Isa>(pool: &Pool, jobs: &[(Job, &Weights)]) {
    let mut items = 0;
    let mut work = 0;
    let mut item_bytes = usize::MAX;
    let cuts: Vec<Cut> = jobs
        .iter()
        .map(|(job, weights)| {
            let (unit, panels) = if job.direct() {
                (DIRECT_UNIT, 1)
            } else {
                let panels = job.rows.div_ceil(job.panel_rows::<I>());
                // Enough items for all threads, also of a small matrix.
                let even = job.outs.div_ceil(pool.threads() * 4);
                let unit = even.next_multiple_of(PANEL_OUTS).min(PANEL_UNIT);
                (unit, panels)
            };
            work += job.outs * job.k * job.rows;
            let bytes = unit * job.k * weights.bits() / 8;
            item_bytes = item_bytes.min(bytes.max(1));
            let first = items;
            items += job.outs.div_ceil(unit) * panels;
            Cut {
                unit,
                panels,
                items: first..items,
            }
        })
        .collect();
    let grain = match jobs.first() {
        _ if work < INLINE_WORK => items,
        Some((job, _)) if job.direct() => DIRECT_BYTES.div_ceil(item_bytes),
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
            if job.direct() {
                let outs = local.start * cut.unit..(local.end * cut.unit).min(job.outs);
                // SAFETY: the level is supported, lengths were checked, and this thread alone
                // has claimed these rows of W.
                unsafe { direct::<I>(job, weights, outs) }
            } else {
                for item in local {
                    let start = item / cut.panels * cut.unit;
                    let outs = start..(start + cut.unit).min(job.outs);
                    let panel = item % cut.panels;
                    let (at, n) = part(job.rows, cut.panels, panel);
                    // SAFETY: as above, for these rows of W and x.
                    unsafe { panel_of::<I>(job, weights, outs, at, n) }
                }
            }
        }
    });
}

/// All rows of x with `outs` rows of W, converted in registers.
unsafe fn direct<I: Isa>(job: &Job, weights: &Weights, outs: Range<usize>) {
    // SAFETY: that of the caller; offsets are within the matrix because its length was checked.
    unsafe {
        match weights {
            Weights::F32(values) => {
                let start = values.as_ptr();
                all_rows::<I, _>(job, |o| F32Row(start.wrapping_add(o * job.k)), outs);
            }
            Weights::F16(bits) => {
                let start = bits.as_ptr();
                all_rows::<I, _>(job, |o| F16Row(start.wrapping_add(o * job.k)), outs);
            }
            Weights::Bf16(bits) => {
                let start = bits.as_ptr();
                all_rows::<I, _>(job, |o| Bf16Row(start.wrapping_add(o * job.k)), outs);
            }
            Weights::Int8(int8) => all_rows::<I, _>(job, int8_row(int8), outs),
        }
    }
}

fn int8_row(int8: &super::matrix::Int8Rows) -> impl Fn(usize) -> Int8Row {
    let (start, stride, quants) = (int8.as_ptr(), int8.stride, int8.quants);
    move |o| Int8Row {
        start: start.wrapping_add(o * stride),
        quants,
    }
}

unsafe fn all_rows<I: Isa, W: Row>(job: &Job, row: impl Fn(usize) -> W, outs: Range<usize>) {
    for (at, n) in even(job.rows, I::TILE_ROWS) {
        // SAFETY: that of the caller.
        unsafe { I::strip(job, &row, outs.clone(), at, n) }
    }
}

thread_local! {
    /// Weights of one group of rows, converted.
    static CONVERTED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Rows `at..at + n` of x with `outs` rows of W, converted in memory.
unsafe fn panel_of<I: Isa>(job: &Job, weights: &Weights, outs: Range<usize>, at: usize, n: usize) {
    // SAFETY: that of the caller, as in `direct`.
    unsafe {
        match weights {
            Weights::F32(values) => {
                let start = values.as_ptr();
                let row = |o: usize| F32Row(start.wrapping_add(o * job.k));
                for group in groups(outs) {
                    for (tile, n) in even(n, I::TILE_ROWS) {
                        I::strip(job, row, group.clone(), at + tile, n);
                    }
                }
            }
            Weights::F16(bits) => {
                let start = bits.as_ptr();
                converted::<I, _>(job, |o| F16Row(start.wrapping_add(o * job.k)), outs, at, n);
            }
            Weights::Bf16(bits) => {
                let start = bits.as_ptr();
                converted::<I, _>(job, |o| Bf16Row(start.wrapping_add(o * job.k)), outs, at, n);
            }
            Weights::Int8(int8) => converted::<I, _>(job, int8_row(int8), outs, at, n),
        }
    }
}

fn groups(outs: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = outs.end;
    outs.step_by(PANEL_OUTS)
        .map(move |o| o..(o + PANEL_OUTS).min(end))
}

unsafe fn converted<I: Isa, W: Row>(
    job: &Job,
    row: impl Fn(usize) -> W,
    outs: Range<usize>,
    at: usize,
    n: usize,
) {
    CONVERTED.with_borrow_mut(|scratch| {
        scratch.resize(PANEL_OUTS * job.k, 0.0);
        let start = scratch.as_mut_ptr();
        for group in groups(outs) {
            // SAFETY: that of the caller; the scratch has room for the group.
            unsafe {
                for (i, o) in group.clone().enumerate() {
                    I::widen(row(o), job.k, start.wrapping_add(i * job.k));
                }
                let first = group.start;
                let row = |o: usize| F32Row(start.wrapping_add((o - first) * job.k));
                for (tile, n) in even(n, I::TILE_ROWS) {
                    I::strip(job, row, group.clone(), at + tile, n);
                }
            }
        }
    });
}

/// Rows `at..at + N` of x with `outs` rows of W in tiles of M rows.
///
/// # Safety
/// The processor has the level; `row` gives rows of `job.k` columns for `outs`; `outs` and
/// `at..at + N` are within y, and no other thread writes there.
unsafe fn strip<I: Isa, W: Row, const M: usize, const N: usize>(
    job: &Job,
    row: impl Fn(usize) -> W,
    outs: Range<usize>,
    at: usize,
) {
    let x: [*const f32; N] = std::array::from_fn(|n| job.x.wrapping_add((at + n) * job.k));
    let mut sums = [[0.0f32; M]; N];
    for o in outs.clone().step_by(M) {
        let here = M.min(outs.end - o);
        // A tile at the end repeats its last row; what it makes of that is not kept.
        let w: [W; M] = std::array::from_fn(|m| row(o + m.min(here - 1)));
        // SAFETY: that of the caller.
        unsafe {
            I::tile(w, x, job.k, &mut sums);
            for (n, sums) in sums.iter().enumerate() {
                let y = job.y.wrapping_add((at + n) * job.outs + o);
                for (m, &sum) in sums[..here].iter().enumerate() {
                    let sum = match job.bias {
                        Some(bias) => sum + *bias.wrapping_add(o + m),
                        None => sum,
                    };
                    let y = y.wrapping_add(m);
                    *y = if job.add { *y + sum } else { sum };
                }
            }
        }
    }
}
