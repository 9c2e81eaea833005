//! The kernels without vector intrinsics. On aarch64 and the like the compiler makes vector code
//! of them; on x86-64 they are for comparison, since each `mul_add` is a call there.

use half::{bf16, f16};

use super::rows::{Bf16Row, F16Row, F32Row, Int8Row};
use super::{strip, Isa, Job, Row};
use crate::cpu::math::fold;
use crate::cpu::LANES;

pub(super) enum Portable {}

/// Weights of a row from column `k` on, as f32.
pub(super) trait Load: Copy {
    /// # Safety
    /// The row has `n <= 16` columns from `k` on, a multiple of 16.
    unsafe fn load(self, k: usize, n: usize) -> [f32; LANES];
}

impl Load for F32Row {
    #[inline(always)]
    unsafe fn load(self, k: usize, n: usize) -> [f32; LANES] {
        // SAFETY: in range by the contract of the trait.
        std::array::from_fn(|l| {
            if l < n {
                unsafe { *self.0.wrapping_add(k + l) }
            } else {
                0.0
            }
        })
    }
}

impl Load for F16Row {
    #[inline(always)]
    unsafe fn load(self, k: usize, n: usize) -> [f32; LANES] {
        // SAFETY: in range by the contract of the trait.
        let bits = |l| unsafe { *self.0.wrapping_add(k + l) };
        std::array::from_fn(|l| {
            if l < n {
                f16::from_bits(bits(l)).to_f32()
            } else {
                0.0
            }
        })
    }
}

impl Load for Bf16Row {
    #[inline(always)]
    unsafe fn load(self, k: usize, n: usize) -> [f32; LANES] {
        // SAFETY: in range by the contract of the trait.
        let bits = |l| unsafe { *self.0.wrapping_add(k + l) };
        std::array::from_fn(|l| {
            if l < n {
                bf16::from_bits(bits(l)).to_f32()
            } else {
                0.0
            }
        })
    }
}

impl Load for Int8Row {
    #[inline(always)]
    unsafe fn load(self, k: usize, _: usize) -> [f32; LANES] {
        // SAFETY: in range by the contract of the trait; blocks are whole.
        unsafe {
            let scale = *self.scale(k);
            let quants = self.quants(k);
            std::array::from_fn(|l| f32::from(*quants.wrapping_add(l)) * scale)
        }
    }
}

impl Isa for Portable {
    const TILE_ROWS: usize = 2;

    unsafe fn tile<W: Row, const M: usize, const N: usize>(
        w: [W; M],
        x: [*const f32; N],
        k: usize,
        out: &mut [[f32; M]; N],
    ) {
        let mut acc = [[[0.0f32; LANES]; N]; M];
        let whole = k - k % LANES;
        // SAFETY: the rows have `k` columns by the contract of the trait.
        unsafe {
            for at in (0..whole).step_by(LANES) {
                let xs = x.map(|x| Load::load(F32Row(x), at, LANES));
                for (w, acc) in w.iter().zip(&mut acc) {
                    let w = Load::load(*w, at, LANES);
                    for (x, acc) in xs.iter().zip(acc) {
                        for l in 0..LANES {
                            acc[l] = w[l].mul_add(x[l], acc[l]);
                        }
                    }
                }
            }
            let rest = k - whole;
            for (w, acc) in w.iter().zip(&mut acc) {
                if rest == 0 {
                    break;
                }
                let w = Load::load(*w, whole, rest);
                for (x, acc) in x.iter().zip(acc) {
                    let x = Load::load(F32Row(*x), whole, rest);
                    for l in 0..rest {
                        acc[l] = w[l].mul_add(x[l], acc[l]);
                    }
                }
            }
        }
        for (n, out) in out.iter_mut().enumerate() {
            for (m, out) in out.iter_mut().enumerate() {
                *out = fold(acc[m][n]);
            }
        }
    }

    unsafe fn widen<W: Row>(w: W, k: usize, out: *mut f32) {
        for at in (0..k).step_by(LANES) {
            let n = LANES.min(k - at);
            // SAFETY: both have `k` columns by the contract of the trait.
            unsafe {
                let values = Load::load(w, at, n);
                std::ptr::copy_nonoverlapping(values.as_ptr(), out.wrapping_add(at), n);
            }
        }
    }

    unsafe fn strip<W: Row>(
        job: &Job,
        row: impl Fn(usize) -> W,
        outs: std::ops::Range<usize>,
        at: usize,
        n: usize,
    ) {
        // SAFETY: the same contract.
        unsafe {
            match n {
                1 => strip::<Self, W, 4, 1>(job, row, outs, at),
                2 => strip::<Self, W, 2, 2>(job, row, outs, at),
                _ => unreachable!("a tile of {n} rows"),
            }
        }
    }
}
