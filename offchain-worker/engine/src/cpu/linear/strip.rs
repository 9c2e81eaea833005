//! From rows of W and rows of x to tiles: which rows a tile takes, in which order, and what stays in
//! which cache. All of it is order of work only; the sums come from [`Isa`].

use std::cell::RefCell;
use std::ops::Range;

use super::rows::{f32_rows, F32Row, Row, Rows};
use super::Job;
use crate::cpu::LANES;

/// Rows of W that pass over all rows of x together; a multiple of every tile's.
const GROUP: usize = 24;
/// Rows of W that are converted together. They, and the rows of x of a tile, fit the first-level
/// cache.
const CONVERTED_GROUP: usize = 8;
/// Columns at a time when weights are converted.
const CONVERTED_COLS: usize = 768;
/// Bytes of x that a group passes over, at most: about half a first-level cache.
const DIRECT_BYTES_OF_X: usize = 24 << 10;
/// A tile asks for what comes so many bytes later, at least ...
const AHEAD: usize = 4 << 10;
/// ... but one of more than so many bytes ...
const FAR: usize = 64 << 10;
/// ... for what comes so many bytes later in its own rows.
const NEAR: usize = 1 << 10;

/// The accumulators of one lane sum, in memory.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub [f32; LANES]);

impl Lanes {
    pub(super) const ZERO: Self = Self([0.0; LANES]);
}

/// What a tile of M rows of W and N rows of x works on.
#[derive(Clone)]
pub(super) struct Operands<W, const M: usize, const N: usize> {
    pub w: [W; M],
    pub x: [*const f32; N],
    /// Starts at a multiple of 32; ends at one or at the end of the rows.
    pub cols: Range<usize>,
    pub stage: Stage,
    /// What lies so many bytes after the weights is used soon.
    pub ahead: usize,
}

/// Which part of the columns a tile is over.
#[derive(Clone, Copy)]
pub(super) struct Stage {
    /// Sums start at zero, not with what waits in memory.
    pub first: bool,
    /// Sums are folded, not left in memory.
    pub last: bool,
}

/// What a level provides.
pub(super) trait Isa {
    /// Most rows of x in a tile over converted weights ...
    const TILE_ROWS: usize;
    /// ... and in one that converts them in registers.
    const DIRECT_ROWS: usize;

    /// Adds the columns to lane sums and, in the last stage, writes that of `w[m]` and `x[n]` to
    /// `out[n][m]`. Between stages sums wait in `lanes`; without it all columns are one stage.
    ///
    /// # Safety
    /// The processor has the level; `w` and `x` have the columns.
    unsafe fn tile<W: Row, const M: usize, const N: usize>(
        operands: Operands<W, M, N>,
        lanes: Option<&mut [[Lanes; N]; M]>,
        out: &mut [[f32; M]; N],
    );

    /// Converts the columns of a row.
    ///
    /// # Safety
    /// The processor has the level; `w` has the columns and `out` room for them.
    unsafe fn widen<W: Row>(w: W, cols: Range<usize>, out: *mut f32);

    /// [`strip_of`] with the tile that suits the number of rows of x.
    ///
    /// # Safety
    /// That of [`strip_of`].
    unsafe fn strip<W: Row>(strip: Strip<'_, W>, lanes: &mut [Lanes]);
}

/// Some rows of W with at most a tile's rows of x, over some columns.
pub(super) struct Strip<'a, W> {
    job: &'a Job,
    weights: Rows<W>,
    outs: Range<usize>,
    pub rows: Range<usize>,
    cols: Range<usize>,
}

/// Computes a strip in tiles of M rows of W, all N rows of x. If it is not all columns, sums wait in
/// `lanes`, tile after tile, until the strip with the last columns.
///
/// # Safety
/// The processor has the level; the weights have the columns for `outs`; `outs` and `rows` are
/// within the job, and no other thread has them.
pub(super) unsafe fn strip_of<I: Isa, W: Row, const M: usize, const N: usize>(
    strip: Strip<'_, W>,
    lanes: &mut [Lanes],
) {
    let Strip {
        job,
        weights,
        outs,
        rows,
        cols,
    } = strip;
    let x: [*const f32; N] = std::array::from_fn(|n| job.x.row(rows.start + n).0);
    let tile = (weights.stride * M).max(1);
    let ahead = if tile > FAR {
        NEAR
    } else {
        AHEAD.div_ceil(tile) * tile
    };
    let stage = Stage {
        first: cols.start == 0,
        last: cols.end == job.k,
    };
    let mut tiles = lanes.as_chunks_mut().0.as_chunks_mut().0.iter_mut();
    let mut sums = [[0.0f32; M]; N];
    for o in outs.clone().step_by(M) {
        let here = M.min(outs.end - o);
        let operands = Operands {
            // A tile at the end repeats its last row; what it makes of that is not kept.
            w: std::array::from_fn(|m| weights.row(o + m.min(here - 1))),
            x,
            cols: cols.clone(),
            stage,
            ahead,
        };
        // SAFETY: that of the caller.
        unsafe {
            I::tile(operands, tiles.next(), &mut sums);
            if stage.last {
                for (row, sums) in rows.clone().zip(&sums) {
                    job.put(row, o, &sums[..here]);
                }
            }
        }
    }
}

/// Memory of a thread, kept from one region to the next.
#[derive(Default)]
struct Scratch {
    lanes: Vec<Lanes>,
    converted: Vec<Lanes>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch { lanes: Vec::new(), converted: Vec::new() })
    };
}

/// The first `n`, in a buffer that grows.
fn first(buffer: &mut Vec<Lanes>, n: usize) -> &mut [Lanes] {
    if buffer.len() < n {
        buffer.resize(n, Lanes::ZERO);
    }
    &mut buffer[..n]
}

/// Part `i` of `0..len` in `parts` whose lengths differ by at most one.
pub(super) fn part(len: usize, parts: usize, i: usize) -> Range<usize> {
    let (base, longer) = (len / parts, len % parts);
    let start = i * base + i.min(longer);
    start..start + base + usize::from(i < longer)
}

/// `0..len` in as few parts of at most `most` as possible.
fn even(len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = len.div_ceil(most.max(1));
    (0..parts).map(move |i| part(len, parts, i))
}

/// `range` in pieces of `n`, the last one shorter.
fn pieces(range: Range<usize>, n: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(n.max(1))
        .map(move |start| start..(start + n).min(end))
}

/// Columns of about `most` at a time, none if there are none.
fn blocks(k: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let n = k
        .div_ceil(k.div_ceil(most.max(1)).max(1))
        .next_multiple_of(64);
    // No columns are one block too: the sums are zeros.
    let empty = (k == 0).then_some(0..0);
    empty.into_iter().chain(pieces(0..k, n))
}

/// `outs` rows of W with all rows of x; weights are converted in registers.
///
/// # Safety
/// The processor has the level; `weights` has `job.k` columns for `outs`, and no other thread has
/// these outputs.
pub(super) unsafe fn direct<I: Isa, W: Row>(job: &Job, weights: Rows<W>, outs: Range<usize>) {
    let row_bytes = job.rows * size_of::<f32>();
    let cols = if job.rows >= 4 && job.k * row_bytes > DIRECT_BYTES_OF_X {
        (DIRECT_BYTES_OF_X / row_bytes).max(256)
    } else {
        job.k
    };
    let group = if cols == job.k && job.rows <= I::DIRECT_ROWS {
        outs.len()
    } else {
        GROUP
    };
    SCRATCH.with_borrow_mut(|scratch| {
        let waiting = if cols == job.k { 0 } else { GROUP * job.rows };
        let lanes = first(&mut scratch.lanes, waiting);
        for outs in pieces(outs, group) {
            for cols in blocks(job.k, cols) {
                let mut used = 0;
                for rows in even(job.rows, I::DIRECT_ROWS) {
                    let from = used.min(lanes.len()); // none if all columns are one stage
                    used += GROUP * rows.len();
                    let (outs, cols) = (outs.clone(), cols.clone());
                    // SAFETY: that of the caller.
                    unsafe {
                        let strip = Strip {
                            job,
                            weights,
                            outs,
                            rows,
                            cols,
                        };
                        I::strip(strip, &mut lanes[from..]);
                    }
                }
            }
        }
    });
}

/// `outs` rows of W with the rows `panel` of x; weights are converted in memory, a few rows and
/// columns at a time.
///
/// # Safety
/// The processor has the level; `weights` has `job.k` columns for `outs`, and no other thread has
/// the outputs `outs` of the rows `panel`.
pub(super) unsafe fn converted<I: Isa, W: Row>(
    job: &Job,
    weights: Rows<W>,
    outs: Range<usize>,
    panel: Range<usize>,
) {
    SCRATCH.with_borrow_mut(|scratch| {
        let lanes = first(&mut scratch.lanes, CONVERTED_GROUP * panel.len());
        for outs in pieces(outs, CONVERTED_GROUP) {
            for cols in blocks(job.k, CONVERTED_COLS) {
                let stride = cols.len().next_multiple_of(LANES);
                let room = first(&mut scratch.converted, CONVERTED_GROUP * stride / LANES);
                let start = room.as_mut_ptr().cast::<f32>();
                for (i, o) in outs.clone().enumerate() {
                    let to = start.wrapping_add(i * stride);
                    // SAFETY: that of the caller; there is room for the group.
                    unsafe { I::widen(weights.row(o), cols.clone(), to) };
                }
                // Rows and columns count from the matrix's first.
                let origin = start.wrapping_sub(outs.start * stride + cols.start);
                let weights: Rows<F32Row> = f32_rows(origin, stride);
                let mut used = 0;
                for rows in even(panel.len(), I::TILE_ROWS) {
                    let from = used;
                    used += CONVERTED_GROUP * rows.len();
                    let rows = panel.start + rows.start..panel.start + rows.end;
                    let (outs, cols) = (outs.clone(), cols.clone());
                    // SAFETY: that of the caller, and the rows just converted.
                    unsafe {
                        let strip = Strip {
                            job,
                            weights,
                            outs,
                            rows,
                            cols,
                        };
                        I::strip(strip, &mut lanes[from..]);
                    }
                }
            }
        }
    });
}
