//! From rows of W and rows of x to tiles: which rows a tile takes, in which order, and what stays in
//! which cache. All of it is order of work only; the sums come from [`Isa`].

use std::cell::RefCell;
use std::ops::Range;

use super::rows::{F32Row, Row, Rows};
use super::Job;
use crate::cpu::LANES;

/// Rows of W that every tile's divide.
pub(super) const UNIT: usize = 24;
/// Rows of W that pass over a block of x before the next block. The more, the more often x is found
/// in the first-level cache; their sums wait in the second.
pub(super) const GROUP: usize = 4 * UNIT;
/// A tile asks for the next tile's weights, but at least so many bytes ahead ...
const AHEAD: usize = 4 << 10;
/// ... unless rows are so long that these would drive x out of the cache: then ...
const LONG_ROW: usize = 16 << 10;
/// ... for the weights so many bytes ahead in its own rows.
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
    /// Weights that lie so many bytes after these are used soon.
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
    /// Most rows of x in a tile.
    const TILE_ROWS: usize;

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

    /// [`strip_of`] with the tile that suits the number of rows of x.
    ///
    /// # Safety
    /// That of [`strip_of`].
    unsafe fn strip<W: Row>(strip: Strip<'_, W>, lanes: &mut [Lanes]);
}

/// Some rows of W with the rows of x of one tile, over some columns.
pub(super) struct Strip<'a, W> {
    job: &'a Job,
    weights: Rows<W>,
    outs: Range<usize>,
    x: Rows<F32Row>,
    /// The row of y that belongs to the first of x.
    first_row: usize,
    /// Rows of x.
    pub rows: usize,
    cols: Range<usize>,
}

/// Computes a strip in tiles of M rows of W, all N rows of x. If it is not all columns, sums wait in
/// `lanes`, tile after tile, until the strip with the last columns.
///
/// # Safety
/// The processor has the level; weights and x have the columns; the outputs and rows are within the
/// job, and no other thread has them.
pub(super) unsafe fn strip_of<I: Isa, W: Row, const M: usize, const N: usize>(
    strip: Strip<'_, W>,
    lanes: &mut [Lanes],
) {
    let Strip {
        job,
        weights,
        outs,
        cols,
        ..
    } = strip;
    let x: [*const f32; N] = std::array::from_fn(|n| strip.x.row(n).0);
    let ahead = if weights.stride >= LONG_ROW {
        NEAR
    } else {
        let tile = (weights.stride * M).max(1);
        AHEAD.div_ceil(tile) * tile
    };
    let stage = Stage {
        first: cols.start == 0,
        last: cols.end == job.x.k,
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
                job.put(strip.first_row, o, here, &mut sums);
            }
        }
    }
}

thread_local! {
    /// Sums that wait for the next block of columns.
    static WAITING: RefCell<Vec<Lanes>> = const { RefCell::new(Vec::new()) };
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

/// `outs` rows of W with the rows `panel` of x.
///
/// # Safety
/// The processor has the level; `weights` has all columns for `outs`, and no other thread has
/// these elements of y.
pub(super) unsafe fn outs_with_panel<I: Isa, W: Row>(
    job: &Job,
    weights: Rows<W>,
    outs: Range<usize>,
    panel: Range<usize>,
) {
    let one_block = job.x.is_one_block();
    let (group, waiting) = match one_block {
        // Nothing is used twice.
        true if panel.len() <= I::TILE_ROWS => (outs.len(), 0),
        true => (GROUP, 0),
        false => (GROUP, GROUP * panel.len()),
    };
    WAITING.with_borrow_mut(|lanes| {
        if lanes.len() < waiting {
            lanes.resize(waiting, Lanes::ZERO);
        }
        for outs in pieces(outs, group) {
            for cols in job.x.blocks() {
                let x = job.x.block(&panel, &cols);
                let mut lanes = &mut lanes[..waiting];
                for rows in even(panel.len(), I::TILE_ROWS) {
                    let strip = Strip {
                        job,
                        weights,
                        outs: outs.clone(),
                        x: x.from(rows.start),
                        first_row: panel.start + rows.start,
                        rows: rows.len(),
                        cols: cols.clone(),
                    };
                    let own = if one_block { 0 } else { GROUP * rows.len() };
                    let (own, others) = lanes.split_at_mut(own);
                    lanes = others;
                    // SAFETY: that of the caller.
                    unsafe { I::strip(strip, own) };
                }
            }
        }
    });
}
