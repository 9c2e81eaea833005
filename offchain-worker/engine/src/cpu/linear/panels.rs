//! Rows of x in the order in which the tiles read them.

use std::cell::RefCell;
use std::ops::Range;

use super::rows::{f32_rows, F32Row, Rows};
use super::strip::{part, Lanes};
use crate::cpu::pool::Pool;
use crate::cpu::LANES;

/// Most rows of a panel. Eight is a tile's height with AVX-512; more would make blocks of columns
/// shorter and move sums to and from memory more often.
pub(super) const PANEL_ROWS: usize = 8;
/// Bytes of a block of x, which stays in the first-level cache while rows of W pass over it.
const BLOCK_BYTES: usize = 28 << 10;
/// Columns that a block has at least.
const BLOCK_COLS: usize = 256;
/// Rows from which on blocks pay: with fewer, the second-level cache is quick enough.
const BLOCK_ROWS: usize = 5;
/// Elements that a thread copies at a time, at least.
const COPY_ITEM: usize = 16 << 10;

/// Panel after panel; in a panel block of columns after block; in a block row after row. With one
/// block, or one row, that is x as it came.
#[derive(Clone, Copy)]
pub(super) struct Panels {
    start: *const f32,
    pub rows: usize,
    /// Columns.
    pub k: usize,
    /// How many there are.
    pub count: usize,
    /// Columns of a block; the last one may have fewer.
    block: usize,
    /// Columns of a row with padding.
    stride: usize,
}

// SAFETY: only read while threads share it.
unsafe impl Sync for Panels {}

impl Panels {
    /// How `rows > 0` rows of x are cut.
    fn new(x: &[f32], rows: usize) -> Self {
        let k = x.len() / rows;
        let count = rows.div_ceil(PANEL_ROWS);
        let height = rows.div_ceil(count);
        let fit = (BLOCK_BYTES / (height * size_of::<f32>())).max(BLOCK_COLS);
        let block = if height < BLOCK_ROWS || k <= fit {
            k
        } else {
            // About equal, and whole blocks of int8.
            k.div_ceil(k.div_ceil(fit)).next_multiple_of(64)
        };
        Self {
            start: x.as_ptr(),
            rows,
            k,
            count,
            block,
            stride: k,
        }
    }

    /// The rows of a panel.
    pub(super) fn panel(&self, index: usize) -> Range<usize> {
        part(self.rows, self.count, index)
    }

    pub(super) fn is_one_block(&self) -> bool {
        self.block >= self.k
    }

    /// Columns of every block.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (k, block) = (self.k, self.block.max(1));
        // No columns are one block too: the sums are zeros.
        (0..k.max(1))
            .step_by(block)
            .map(move |start| start..(start + block).min(k))
    }

    /// A block of a panel: rows count from the panel's first, columns from the matrix's.
    pub(super) fn block(&self, panel: &Range<usize>, cols: &Range<usize>) -> Rows<F32Row> {
        let before = panel.start * self.stride + panel.len() * cols.start;
        let stride = if cols.end == self.k {
            self.stride - cols.start
        } else {
            cols.len()
        };
        let start = self.start.wrapping_add(before).wrapping_sub(cols.start);
        f32_rows(start, stride)
    }

    /// Copies the rows `claimed` of x to their places.
    ///
    /// # Safety
    /// `start` has room for `rows * stride` elements, and nobody else reads or writes these rows.
    unsafe fn fill(&self, x: &[f32], claimed: Range<usize>) {
        for panel in (0..self.count).map(|i| self.panel(i)) {
            let rows = claimed.start.max(panel.start)..claimed.end.min(panel.end);
            for cols in self.blocks() {
                let block = self.block(&panel, &cols);
                for row in rows.clone() {
                    let from = &x[row * self.k..][cols.clone()];
                    let to = block.row(row - panel.start).0.wrapping_add(cols.start);
                    // SAFETY: that of the caller.
                    unsafe {
                        std::ptr::copy_nonoverlapping(from.as_ptr(), to.cast_mut(), from.len());
                    }
                }
            }
        }
    }
}

thread_local! {
    /// Memory of copies, kept from one call to the next.
    static COPY: RefCell<Vec<Lanes>> = const { RefCell::new(Vec::new()) };
}

/// Calls `body` with `rows > 0` rows of x in panels. They are copied if there is more than one
/// block, because columns of rows that lie far apart share few lines of a cache, and if rows do
/// not start at lines, because a load of 16 lanes that lies on two lines costs two.
pub(super) fn packed(pool: &Pool, x: &[f32], rows: usize, body: impl FnOnce(Panels)) {
    let mut panels = Panels::new(x, rows);
    let k = panels.k;
    let lines = x.as_ptr().cast::<Lanes>().is_aligned() && k.is_multiple_of(LANES);
    if rows == 1 || lines && panels.is_one_block() {
        return body(panels);
    }
    panels.stride = k.next_multiple_of(LANES);
    // Taken out while in use, since a region may come back here on this thread.
    let mut copy = COPY.take();
    let lines = rows * panels.stride / LANES;
    if copy.len() < lines {
        copy.resize(lines, Lanes::ZERO);
    }
    panels.start = copy.as_mut_ptr().cast();
    pool.for_each(rows, COPY_ITEM.div_ceil(k.max(1)), |claimed| {
        // SAFETY: there is room, and this thread alone has claimed these rows.
        unsafe { panels.fill(x, claimed) }
    });
    body(panels);
    COPY.set(copy);
}
