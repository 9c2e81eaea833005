//! Causal attention of a sequence's new rows over its cache.
//!
//! One [`Task`] is one key head with some of its query heads and some of the new rows. What a
//! query's result is does not depend on how the work is cut into tasks: scores are lane sums, the
//! softmax sums lane by lane over all positions, and values are added in ascending position.

// Every operation rests on what `attend` asks of its caller.
#![allow(unsafe_op_in_unsafe_fn)]
// Fixed counts of registers read best as counts.
#![allow(clippy::needless_range_loop)]

mod lanes;

use crate::cpu::math;
use crate::cpu::simd::SimdLevel;
use lanes::{Lanes, Portable};

/// Positions whose values are read by all rows before the next ones: they stay in the cache.
const TILE: usize = 256;

/// Scores that a task may hold, in elements (4 MiB), where that is more than one query's.
pub(crate) const SCORES: usize = 1 << 20;

/// Some new rows and query heads of one key head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    /// First query row, at its first head of this task; heads lie `head_dim` apart. Rotated and
    /// scaled.
    pub(crate) q: *const f32,
    /// Where the first row's result goes, laid out as `q`.
    pub(crate) out: *mut f32,
    /// Elements from one query row to the next, in `q` and `out`.
    pub(crate) stride: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Query rows.
    pub(crate) queries: usize,
    /// Positions that the first query row sees; each next row sees one more.
    pub(crate) first: usize,
    /// The key head's rows, `head_dim` apart.
    pub(crate) keys: *const f32,
    /// The value head's rows.
    pub(crate) values: *const f32,
    /// Width of a head.
    pub(crate) head_dim: usize,
}

// SAFETY: plain addresses; `attend`'s callers answer for them.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

impl Task {
    /// Products that it computes: how much work it is.
    pub(crate) fn products(&self) -> usize {
        2 * self.rows() * self.longest() * self.head_dim
    }

    fn rows(&self) -> usize {
        self.queries * self.heads
    }

    /// Where row `row` starts in `q` and `out`: the heads of a query are neighbours.
    #[inline(always)]
    fn offset(&self, row: usize) -> usize {
        row / self.heads * self.stride + row % self.heads * self.head_dim
    }

    /// Positions that row `row` sees.
    #[inline(always)]
    fn limit(&self, row: usize) -> usize {
        self.first + row / self.heads
    }

    /// Positions that the last row sees.
    fn longest(&self) -> usize {
        self.first + self.queries - 1
    }
}

/// Scores of a task's rows, and their sums.
struct Scores<'a> {
    rows: &'a mut [f32],
    stride: usize,
    sums: &'a mut [f32],
}

/// Computes one task; `buffer` is kept by the caller between tasks.
///
/// # Safety
/// The processor has `level`'s instructions. `task` has at least one row and sees at least one
/// position; its pointers are good for all the rows it names, and nobody else uses `out`'s.
pub(crate) unsafe fn attend(level: SimdLevel, task: &Task, buffer: &mut Vec<f32>) {
    let (rows, stride) = (task.rows(), task.longest().next_multiple_of(16));
    let len = rows * (stride + 1);
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let (scores, sums) = buffer[..len].split_at_mut(rows * stride);
    let mut scores = Scores {
        rows: scores,
        stride,
        sums,
    };
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => attend_avx512(level, task, &mut scores),
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => attend_avx2(level, task, &mut scores),
        _ => attend_with::<Portable>(level, task, &mut scores),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn attend_avx512(level: SimdLevel, task: &Task, scores: &mut Scores<'_>) {
    attend_with::<lanes::Avx512>(level, task, scores);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn attend_avx2(level: SimdLevel, task: &Task, scores: &mut Scores<'_>) {
    attend_with::<lanes::Avx2>(level, task, scores);
}

#[inline(always)]
unsafe fn attend_with<L: Lanes>(level: SimdLevel, task: &Task, scores: &mut Scores<'_>) {
    score::<L>(task, scores);
    for row in 0..task.rows() {
        let seen = &mut scores.rows[row * scores.stride..][..task.limit(row)];
        scores.sums[row] = math::softmax_numerators(level, seen);
    }
    mix::<L>(task, scores);
    for row in 0..task.rows() {
        let out = std::slice::from_raw_parts_mut(task.out.add(task.offset(row)), task.head_dim);
        let sum = scores.sums[row];
        for value in out {
            *value /= sum;
        }
    }
}

/// `q·k` of every row and every position up to the longest row's limit.
#[inline(always)]
unsafe fn score<L: Lanes>(task: &Task, scores: &mut Scores<'_>) {
    let (width, end, rows) = (task.head_dim, task.longest(), task.rows());
    let mut position = 0;
    while position < end {
        // Behind the end the last row is read again and its scores dropped.
        let count = (end - position).min(4);
        let mut keys = [task.keys; 4];
        for (index, key) in keys.iter_mut().enumerate() {
            *key = task.keys.add((position + index.min(count - 1)) * width);
        }
        let mut row = 0;
        while row < rows {
            let out = scores.rows[row * scores.stride + position..].as_mut_ptr();
            if L::WIDE && row + 4 <= rows {
                let mut queries = [task.q; 4];
                for (index, query) in queries.iter_mut().enumerate() {
                    *query = task.q.add(task.offset(row + index));
                }
                score_tile::<L, 4>(queries, keys, width, out, scores.stride, count);
                row += 4;
            } else {
                let query = task.q.add(task.offset(row));
                score_tile::<L, 1>([query], keys, width, out, scores.stride, count);
                row += 1;
            }
        }
        position += 4;
    }
}

/// Lane sums of `R` queries with 4 keys; the first `count` of each are written.
#[inline(always)]
unsafe fn score_tile<L: Lanes, const R: usize>(
    queries: [*const f32; R],
    keys: [*const f32; 4],
    width: usize,
    out: *mut f32,
    stride: usize,
    count: usize,
) {
    let mut sums = [[L::zero(); 4]; R];
    let whole = width / 16 * 16;
    let mut at = 0;
    while at < whole {
        let k = [
            L::load(keys[0].add(at)),
            L::load(keys[1].add(at)),
            L::load(keys[2].add(at)),
            L::load(keys[3].add(at)),
        ];
        for r in 0..R {
            let q = L::load(queries[r].add(at));
            for c in 0..4 {
                sums[r][c] = sums[r][c].fma(k[c], q);
            }
        }
        at += 16;
    }
    let rest = width - whole;
    if rest > 0 {
        for r in 0..R {
            let q = L::load_part(queries[r].add(whole), rest);
            for c in 0..4 {
                let k = L::load_part(keys[c].add(whole), rest);
                sums[r][c] = sums[r][c].fma_part(k, q, rest);
            }
        }
    }
    for r in 0..R {
        let four = L::sums(sums[r]);
        std::ptr::copy_nonoverlapping(four.as_ptr(), out.add(r * stride), count);
    }
}

/// The values of every row's positions, weighted, added up in ascending position.
#[inline(always)]
unsafe fn mix<L: Lanes>(task: &Task, scores: &Scores<'_>) {
    let rows = task.rows();
    for row in 0..rows {
        std::ptr::write_bytes(task.out.add(task.offset(row)), 0, task.head_dim);
    }
    let mut from = 0;
    while from < task.longest() {
        let to = (from + TILE).min(task.longest());
        let mut row = 0;
        while row < rows {
            if L::WIDE && row + 4 <= rows {
                mix_rows::<L, 4, 4>(task, scores, row, from, to);
                row += 4;
            } else if row + 2 <= rows {
                mix_rows::<L, 2, 2>(task, scores, row, from, to);
                row += 2;
            } else {
                mix_rows::<L, 1, 4>(task, scores, row, from, to);
                row += 1;
            }
        }
        from = to;
    }
}

/// Positions `from..to` of `R` rows from `row` on, as far as each of them sees.
#[inline(always)]
unsafe fn mix_rows<L: Lanes, const R: usize, const D: usize>(
    task: &Task,
    scores: &Scores<'_>,
    row: usize,
    from: usize,
    to: usize,
) {
    // Later rows see at least as much as the first: what all see, then each row's rest.
    let common = task.limit(row).clamp(from, to);
    mix_span::<L, R, D>(task, scores, row, from, common);
    for row in row + 1..row + R {
        let end = task.limit(row).min(to);
        if end > common {
            mix_span::<L, 1, 4>(task, scores, row, common, end);
        }
    }
}

/// Positions `from..to` of `R` rows from `row` on, all of which see them.
#[inline(always)]
unsafe fn mix_span<L: Lanes, const R: usize, const D: usize>(
    task: &Task,
    scores: &Scores<'_>,
    row: usize,
    from: usize,
    to: usize,
) {
    if from >= to {
        return;
    }
    let mut weights = [scores.rows.as_ptr(); R];
    let mut out = [task.out; R];
    for r in 0..R {
        weights[r] = scores.rows[(row + r) * scores.stride..].as_ptr();
        out[r] = task.out.add(task.offset(row + r));
    }
    let (width, whole) = (task.head_dim, task.head_dim / 16 * 16);
    let mut at = 0;
    while at + 16 * D <= whole {
        mix_tile::<L, R, D>(task, weights, out, at, from, to);
        at += 16 * D;
    }
    while at < whole {
        mix_tile::<L, R, 1>(task, weights, out, at, from, to);
        at += 16;
    }
    let rest = width - whole;
    if rest > 0 {
        for r in 0..R {
            let mut sum = L::load_part(out[r].add(whole), rest);
            for t in from..to {
                let v = L::load_part(task.values.add(t * width + whole), rest);
                sum = sum.fma(L::splat(*weights[r].add(t)), v);
            }
            sum.store_part(out[r].add(whole), rest);
        }
    }
}

/// `16 * D` columns from `at` on.
#[inline(always)]
unsafe fn mix_tile<L: Lanes, const R: usize, const D: usize>(
    task: &Task,
    weights: [*const f32; R],
    out: [*mut f32; R],
    at: usize,
    from: usize,
    to: usize,
) {
    let mut sums = [[L::zero(); D]; R];
    for r in 0..R {
        for d in 0..D {
            sums[r][d] = L::load(out[r].add(at + 16 * d));
        }
    }
    for t in from..to {
        let values = task.values.add(t * task.head_dim + at);
        let mut v = [L::zero(); D];
        for d in 0..D {
            v[d] = L::load(values.add(16 * d));
        }
        for r in 0..R {
            let p = L::splat(*weights[r].add(t));
            for d in 0..D {
                sums[r][d] = sums[r][d].fma(p, v[d]);
            }
        }
    }
    for r in 0..R {
        for d in 0..D {
            sums[r][d].store(out[r].add(at + 16 * d));
        }
    }
}

#[cfg(test)]
mod tests;
