//! The kernels with AVX-512: an accumulator of 16 lanes is one register.

use std::arch::x86_64::*;
use std::ops::Range;

use super::rows::{Bf16Row, F16Row, F32Row, Int8Row};
use super::{strip, Isa, Job, Row};
use crate::cpu::LANES;

pub(super) enum Avx512 {}

/// Weights of a row from column `k` on, as f32.
pub(super) trait Load: Copy {
    /// # Safety
    /// AVX-512; the row has 16 columns from `k` on, a multiple of 16.
    unsafe fn load(self, k: usize) -> __m512;
    /// # Safety
    /// AVX-512; the row has those columns from `k` on, a multiple of 16, whose bit is set.
    unsafe fn load_some(self, k: usize, mask: __mmask16) -> __m512;
}

impl Load for F32Row {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(self, k: usize) -> __m512 {
        // SAFETY: in range by the contract of the trait, as in all below.
        unsafe { _mm512_loadu_ps(self.0.wrapping_add(k)) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load_some(self, k: usize, mask: __mmask16) -> __m512 {
        // SAFETY: lanes out of the mask are not read.
        unsafe { _mm512_maskz_loadu_ps(mask, self.0.wrapping_add(k)) }
    }
}

impl Load for F16Row {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(self, k: usize) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(self.0.wrapping_add(k).cast())) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn load_some(self, k: usize, mask: __mmask16) -> __m512 {
        // SAFETY: lanes out of the mask are not read.
        let bits = unsafe { _mm256_maskz_loadu_epi16(mask, self.0.wrapping_add(k).cast()) };
        _mm512_cvtph_ps(bits)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn bf16_to_f32(bits: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)))
}

impl Load for Bf16Row {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(self, k: usize) -> __m512 {
        // SAFETY: as above.
        unsafe { bf16_to_f32(_mm256_loadu_si256(self.0.wrapping_add(k).cast())) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn load_some(self, k: usize, mask: __mmask16) -> __m512 {
        // SAFETY: lanes out of the mask are not read.
        let bits = unsafe { _mm256_maskz_loadu_epi16(mask, self.0.wrapping_add(k).cast()) };
        bf16_to_f32(bits)
    }
}

impl Load for Int8Row {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load(self, k: usize) -> __m512 {
        // SAFETY: as above.
        unsafe {
            let quants = _mm512_cvtepi8_epi32(_mm_loadu_si128(self.quants(k).cast()));
            _mm512_mul_ps(_mm512_cvtepi32_ps(quants), _mm512_set1_ps(*self.scale(k)))
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load_some(self, k: usize, _: __mmask16) -> __m512 {
        // SAFETY: blocks are whole.
        unsafe { self.load(k) }
    }
}

/// Folds four accumulators as far as two lanes each: quarter q holds `[a[q] 0, a[q] 1, b[q] 0,
/// b[q] 1]` for the accumulators a and b. An addition takes its operands in either order, which
/// gives the same bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_quads(a: [__m512; 4], b: [__m512; 4]) -> __m512 {
    let (a, b) = (fold_quad(a), fold_quad(b));
    // Lanes 0, 1 of a quarter with 2, 3.
    let kept = _mm512_mask_blend_ps(0b1100_1100_1100_1100, a, b);
    let crossed = _mm512_castpd_ps(_mm512_shuffle_pd::<0b0101_0101>(
        _mm512_castps_pd(a),
        _mm512_castps_pd(b),
    ));
    _mm512_add_ps(kept, crossed)
}

/// Folds four accumulators as far as four lanes each, one a quarter.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_quad(a: [__m512; 4]) -> __m512 {
    let (low, high) = (fold_pair(a[0], a[1]), fold_pair(a[2], a[3]));
    let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(low, high);
    let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(low, high);
    _mm512_add_ps(even, odd)
}

/// Folds two accumulators as far as eight lanes each, one a half.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_pair(a: __m512, b: __m512) -> __m512 {
    let kept = _mm512_mask_blend_ps(0xff00, a, b);
    let crossed = _mm512_shuffle_f32x4::<0b01_00_11_10>(a, b);
    _mm512_add_ps(kept, crossed)
}

/// The fixed tree for 16 accumulators at once; lane i is the sum of `a[i]`.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_16(a: [__m512; 16]) -> __m512 {
    // Quarter q of the last step holds one lane of each quad, so quad t takes every fourth.
    let quad = |t: usize| [a[t], a[4 + t], a[8 + t], a[12 + t]];
    let low = fold_quads(quad(0), quad(1));
    let high = fold_quads(quad(2), quad(3));
    let even = _mm512_shuffle_ps::<0b10_00_10_00>(low, high);
    let odd = _mm512_shuffle_ps::<0b11_01_11_01>(low, high);
    _mm512_add_ps(even, odd)
}

/// [`fold_16`] for eight accumulators, in the lower half of the result.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_8(a: [__m512; 8]) -> __m512 {
    let both = fold_quads([a[0], a[2], a[4], a[6]], [a[1], a[3], a[5], a[7]]);
    let even = _mm512_shuffle_ps::<0b10_00_10_00>(both, both);
    let odd = _mm512_shuffle_ps::<0b11_01_11_01>(both, both);
    let sums = _mm512_add_ps(even, odd); // quarter q: 2q, 2q + 1, 2q, 2q + 1
    let order = _mm512_setr_epi32(0, 1, 4, 5, 8, 9, 12, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm512_permutexvar_ps(order, sums)
}

/// Sums of `M * N` accumulators, `acc[m][n]` into `out[n][m]`.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_tile<const M: usize, const N: usize>(acc: &[[__m512; N]; M], out: &mut [[f32; M]; N]) {
    let out = out.as_flattened_mut();
    let at = |i: usize| {
        if i < M * N {
            acc[i % M][i / M]
        } else {
            _mm512_setzero_ps()
        }
    };
    let mut i = 0;
    while i < M * N {
        let left = M * N - i;
        let (sums, n) = if left > 8 {
            (fold_16(std::array::from_fn(|j| at(i + j))), left.min(16))
        } else {
            (fold_8(std::array::from_fn(|j| at(i + j))), left)
        };
        // SAFETY: only the first `n` lanes are written.
        unsafe {
            _mm512_mask_storeu_ps(out.as_mut_ptr().wrapping_add(i), mask_of(n), sums);
        }
        i += n;
    }
}

/// The first `n <= 16` lanes.
#[inline(always)]
fn mask_of(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[allow(clippy::needless_range_loop)] // three arrays share each index
unsafe fn tile<W: Load, const M: usize, const N: usize>(
    w: [W; M],
    x: [*const f32; N],
    k: usize,
    out: &mut [[f32; M]; N],
) {
    let mut acc = [[_mm512_setzero_ps(); N]; M];
    let whole = k - k % LANES;
    // SAFETY: rows and x have `k` columns by the contract of `Isa::tile`.
    unsafe {
        let mut at = 0;
        while at < whole {
            let xs: [__m512; N] = std::array::from_fn(|n| F32Row(x[n]).load(at));
            for m in 0..M {
                let w = w[m].load(at);
                for n in 0..N {
                    acc[m][n] = _mm512_fmadd_ps(w, xs[n], acc[m][n]);
                }
            }
            at += LANES;
        }
        if whole < k {
            let mask = mask_of(k - whole);
            let xs: [__m512; N] = std::array::from_fn(|n| F32Row(x[n]).load_some(whole, mask));
            for m in 0..M {
                let w = w[m].load_some(whole, mask);
                for n in 0..N {
                    acc[m][n] = _mm512_mask3_fmadd_ps(w, xs[n], acc[m][n], mask);
                }
            }
        }
    }
    fold_tile(&acc, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn widen<W: Load>(w: W, k: usize, out: *mut f32) {
    let whole = k - k % LANES;
    // SAFETY: both have `k` columns by the contract of `Isa::widen`.
    unsafe {
        let mut at = 0;
        while at < whole {
            _mm512_storeu_ps(out.wrapping_add(at), w.load(at));
            at += LANES;
        }
        if whole < k {
            let mask = mask_of(k - whole);
            _mm512_mask_storeu_ps(out.wrapping_add(whole), mask, w.load_some(whole, mask));
        }
    }
}

impl Isa for Avx512 {
    const TILE_ROWS: usize = 6;

    unsafe fn tile<W: Row, const M: usize, const N: usize>(
        w: [W; M],
        x: [*const f32; N],
        k: usize,
        out: &mut [[f32; M]; N],
    ) {
        // SAFETY: the same contract; this type is only used where the processor has AVX-512.
        unsafe { tile(w, x, k, out) }
    }

    unsafe fn widen<W: Row>(w: W, k: usize, out: *mut f32) {
        // SAFETY: as above.
        unsafe { widen(w, k, out) }
    }

    // 32 registers: M * N accumulators, N of x, one of W.
    unsafe fn strip<W: Row>(
        job: &Job,
        row: impl Fn(usize) -> W,
        outs: Range<usize>,
        at: usize,
        n: usize,
    ) {
        // SAFETY: the same contract.
        unsafe {
            match n {
                1 => strip::<Self, W, 8, 1>(job, row, outs, at),
                2 => strip::<Self, W, 8, 2>(job, row, outs, at),
                3 => strip::<Self, W, 8, 3>(job, row, outs, at),
                4 => strip::<Self, W, 4, 4>(job, row, outs, at),
                5 => strip::<Self, W, 4, 5>(job, row, outs, at),
                6 => strip::<Self, W, 4, 6>(job, row, outs, at),
                _ => unreachable!("a tile of {n} rows"),
            }
        }
    }
}
