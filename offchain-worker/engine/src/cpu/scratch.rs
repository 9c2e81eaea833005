//! Buffers of a forward pass, kept between passes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cpu::attention::Task;
use crate::cpu::cache::LayerRows;

/// Sets of buffers that are kept while nobody uses them.
const KEPT: usize = 4;

/// A part of one pass: rows of one sequence that are computed together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Index of the pass.
    pub(crate) part: usize,
    /// Index of its first id in the pass.
    pub(crate) start: usize,
    /// Tokens that the sequence holds before them.
    pub(crate) past: usize,
    /// Row of its first id in the batch.
    pub(crate) first_row: usize,
    /// Its ids.
    pub(crate) rows: usize,
    /// Row of its first wanted state among the batch's wanted states.
    pub(crate) first_wanted: usize,
    /// Its wanted states: those of its last ids.
    pub(crate) wanted: usize,
}

impl Span {
    /// First row and number of rows: of all ids, or of the wanted ones only.
    pub(crate) fn active(&self, wanted_only: bool) -> (usize, usize) {
        match wanted_only {
            true => (self.first_wanted, self.wanted),
            false => (self.first_row, self.rows),
        }
    }

    /// Position of the first active row.
    pub(crate) fn position(&self, wanted_only: bool) -> usize {
        self.past + self.rows - self.active(wanted_only).1
    }
}

/// Rows of a batch that go together, and where each stands in its sequence.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Span of each row.
    pub(crate) spans: Vec<u32>,
    /// Position of each row in its sequence.
    pub(crate) positions: Vec<u32>,
}

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.positions.clear();
    }

    pub(crate) fn extend(&mut self, span: usize, first: usize, count: usize) {
        self.spans.extend(std::iter::repeat_n(span as u32, count));
        self.positions.extend(first as u32..(first + count) as u32);
    }
}

/// Every buffer of one forward pass. Each grows to what the largest batch needs.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) spans: Vec<Span>,
    pub(crate) all: Rows,
    pub(crate) wanted: Rows,
    /// Residual stream, `[rows, hidden]`.
    pub(crate) x: Vec<f32>,
    /// Normed residual stream, `[rows, hidden]`.
    pub(crate) normed: Vec<f32>,
    /// `[rows, heads * head_dim]`.
    pub(crate) q: Vec<f32>,
    /// `[rows, kv_heads * head_dim]`.
    pub(crate) k: Vec<f32>,
    /// As `k`.
    pub(crate) v: Vec<f32>,
    /// Attention's result, as `q`.
    pub(crate) mixed: Vec<f32>,
    /// `[rows, intermediate]`.
    pub(crate) gate: Vec<f32>,
    /// As `gate`.
    pub(crate) up: Vec<f32>,
    /// Rows of the layer at hand, one a span.
    pub(crate) layers: Vec<LayerRows>,
    pub(crate) tasks: Vec<Task>,
    /// Attention scores, one buffer a thread at work.
    pub(crate) scores: Stack<Vec<f32>>,
}

/// The first `len` elements, more of which are made if need be. What they hold is left over.
pub(crate) fn fit(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        // Nothing to carry over: a new block spares the copy.
        *buffer = vec![0.0; len];
    }
    &mut buffer[..len]
}

/// Things lent to whoever needs one and taken back.
#[derive(Debug, Default)]
pub(crate) struct Stack<T>(Mutex<Vec<T>>);

impl<T: Default> Stack<T> {
    fn held(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that was given back, or a new one.
    pub(crate) fn take(&self) -> T {
        self.held().pop().unwrap_or_default()
    }

    /// Takes one back.
    pub(crate) fn give(&self, item: T) {
        self.held().push(item);
    }
}

impl Stack<Box<Scratch>> {
    /// Takes one back, unless enough wait already.
    pub(crate) fn give_some(&self, item: Box<Scratch>) {
        let mut held = self.held();
        if held.len() < KEPT {
            held.push(item);
        }
    }
}

/// A slice of which the tasks of one parallel region write parts that do not overlap.
#[derive(Clone, Copy)]
pub(crate) struct Shared {
    first: *mut f32,
    len: usize,
}

// SAFETY: `part`'s callers answer for disjoint parts.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(crate) fn new(values: &mut [f32]) -> Self {
        Self {
            first: values.as_mut_ptr(),
            len: values.len(),
        }
    }

    /// Elements `start..start + len`.
    ///
    /// # Safety
    /// The slice that it was made of is still mutably borrowed, and no other part that is in use
    /// overlaps.
    pub(crate) unsafe fn part<'a>(self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start <= self.len && len <= self.len - start);
        // SAFETY: inside the slice, as just checked; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(start), len) }
    }

    pub(crate) fn pointer(self) -> *mut f32 {
        self.first
    }
}
