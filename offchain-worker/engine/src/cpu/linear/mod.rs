//! `y = x Wᵀ` for any number of rows of x, over weights in their stored precision.
//!
//! A tile, some rows of W times up to eight rows of x, has its sums in registers, where weights are
//! converted too; x waits in the first-level cache, and rows of W pass over it, asked for ahead.
//! With few rows of x (decoding) the time is that of reading the weights, once. With many (prefill)
//! it is that of the multiplications: x is cut into panels of eight rows, and rows of W pass over
//! one panel after the other while they are in a cache. Either way each (row of W, row of x) has
//! one lane sum of its own, so that tiles, panels and threads do not show in the bits.

use std::ops::Range;

use super::matrix::{Matrix, Weights};
use super::pool::Pool;
use super::simd::SimdLevel;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod panels;
mod portable;
mod rows;
mod strip;

use panels::{packed, Panels};
use rows::{bf16_rows, f16_rows, f32_rows, int8_rows};
use strip::{outs_with_panel, Isa, GROUP, UNIT};

/// Bytes of weights that a thread claims with the only panel, at least.
const CLAIM_BYTES: usize = 32 << 10;
/// Bytes of the rows of W in one item, about half a second-level cache.
const CACHED_BYTES: usize = 512 << 10;
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
    packed(pool, x, rows, |x| {
        let jobs: Vec<(Job, &Weights)> = outputs
            .iter_mut()
            .map(|output| (Job::new(x, output), &output.matrix.weights))
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

/// One output as the threads see it.
struct Job {
    x: Panels,
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
    fn new(x: Panels, output: &mut Output<'_>) -> Self {
        Self {
            x,
            outs: output.matrix.rows(),
            y: output.y.as_mut_ptr(),
            bias: output.bias.map(<[f32]>::as_ptr),
            add: output.add,
        }
    }

    /// Writes the sums of the first `outs <= M` outputs from `out` on for the rows of x from `row`
    /// on.
    ///
    /// # Safety
    /// They are within y, and no other thread has them.
    #[inline(always)]
    unsafe fn put<const M: usize, const N: usize>(
        &self,
        row: usize,
        out: usize,
        outs: usize,
        sums: &mut [[f32; M]; N],
    ) {
        let y = self.y.wrapping_add(row * self.outs + out);
        // A whole tile of numbers at a time where that is possible.
        if let Some(bias) = self.bias {
            for (m, bias) in (0..outs).map(|m| (m, bias.wrapping_add(out + m))) {
                // SAFETY: a bias is as long as a row of y.
                let bias = unsafe { *bias };
                sums.iter_mut().for_each(|sums| sums[m] += bias);
            }
        }
        for (n, sums) in sums.iter().enumerate() {
            let y = y.wrapping_add(n * self.outs);
            // SAFETY: that of the caller.
            unsafe {
                if outs < M {
                    for (m, sum) in sums[..outs].iter().enumerate() {
                        let y = y.wrapping_add(m);
                        *y = if self.add { *y + sum } else { *sum };
                    }
                } else if self.add {
                    let y = y.cast::<[f32; M]>();
                    let before = *y;
                    *y = std::array::from_fn(|m| before[m] + sums[m]);
                } else {
                    *y.cast::<[f32; M]>() = *sums;
                }
            }
        }
    }
}

/// How one output is cut into items that a thread can claim: some rows of W with one panel of x.
struct Cut {
    /// Rows of W in an item.
    outs: usize,
    /// Numbers of its items among those of all outputs. All panels of the same rows of W follow
    /// each other.
    items: Range<usize>,
}

fn run<I: Isa>(pool: &Pool, jobs: &[(Job, &Weights)]) {
    let (mut items, mut work, mut item_bytes) = (0, 0, usize::MAX);
    let mut cuts = Vec::with_capacity(jobs.len());
    for (job, weights) in jobs {
        let outs = if job.x.count == 1 {
            UNIT
        } else {
            // Enough items for all threads, also of a small matrix, and no more rows than stay in
            // the second-level cache from one panel to the next.
            let share = job.outs.div_ceil(pool.threads() * 4).next_multiple_of(UNIT);
            let fit = CACHED_BYTES / (job.x.k * weights.bits() / 8).max(1);
            share.min(fit / UNIT * UNIT).clamp(UNIT, GROUP)
        };
        work += job.outs * job.x.k * job.x.rows;
        item_bytes = item_bytes.min(outs * job.x.k * weights.bits() / 8).max(1);
        let first = items;
        items += job.outs.div_ceil(outs) * job.x.count;
        let items = first..items;
        cuts.push(Cut { outs, items });
    }
    let panels = jobs.first().map_or(1, |(job, _)| job.x.count);
    let (grain, most) = match panels {
        _ if work < INLINE_WORK => (items, items),
        1 => (CLAIM_BYTES.div_ceil(item_bytes), items),
        // The same rows of W for all panels, so that they stay in this thread's cache.
        _ => (1, panels),
    };
    pool.for_each_up_to(items, grain, most, |claimed| {
        for ((job, weights), cut) in jobs.iter().zip(&cuts) {
            let from = claimed.start.max(cut.items.start);
            let to = claimed.end.min(cut.items.end);
            if from >= to {
                continue;
            }
            let local = from - cut.items.start..to - cut.items.start;
            let outs =
                |items: Range<usize>| items.start * cut.outs..(items.end * cut.outs).min(job.outs);
            // SAFETY: the level is supported, lengths were checked, and this thread alone has
            // claimed these rows of W with these of x.
            unsafe {
                if job.x.count == 1 {
                    some_outs::<I>(job, weights, outs(local), job.x.panel(0));
                    continue;
                }
                for item in local {
                    let (index, panel) = (item / job.x.count, item % job.x.count);
                    some_outs::<I>(job, weights, outs(index..index + 1), job.x.panel(panel));
                }
            }
        }
    });
}

/// `outs` rows of W with the rows `panel` of x.
///
/// # Safety
/// The processor has the level; the lengths fit; no other thread has these elements of y.
unsafe fn some_outs<I: Isa>(job: &Job, weights: &Weights, outs: Range<usize>, panel: Range<usize>) {
    let k = job.x.k;
    // SAFETY: that of the caller.
    unsafe {
        match weights {
            Weights::F32(values) => {
                outs_with_panel::<I, _>(job, f32_rows(values.as_ptr(), k), outs, panel);
            }
            Weights::F16(bits) => outs_with_panel::<I, _>(job, f16_rows(bits, k), outs, panel),
            Weights::Bf16(bits) => outs_with_panel::<I, _>(job, bf16_rows(bits, k), outs, panel),
            Weights::Int8(int8) => outs_with_panel::<I, _>(job, int8_rows(int8), outs, panel),
        }
    }
}
