//! The kernels with AVX-512: an accumulator of 16 lanes is one register.

use std::arch::x86_64::*;

use super::rows::{Bf16Row, F16Row, F32Row, Int8Row, Row};
use super::strip::{strip_of, Isa, Lanes, Operands, Strip};
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

/// Sums of `M * N <= 32` accumulators, `acc[m][n]` into `out[n][m]`.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold_tile<const M: usize, const N: usize>(acc: [[__m512; N]; M], out: &mut [[f32; M]; N]) {
    let out = out.as_flattened_mut().as_mut_ptr();
    let at = |i: usize| {
        if i < M * N {
            acc[i % M][i / M]
        } else {
            _mm512_setzero_ps()
        }
    };
    macro_rules! part {
        ($fold:ident $from:literal: $($i:literal)*) => {
            if M * N > $from {
                let mask = mask_of((M * N - $from).min(16));
                // SAFETY: only as many lanes as there are sums left are written.
                unsafe {
                    _mm512_mask_storeu_ps(
                        out.wrapping_add($from),
                        mask,
                        $fold([$(at($from + $i)),*]),
                    );
                }
            }
        };
    }
    if M * N > 8 {
        part!(fold_16 0: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    } else {
        part!(fold_8 0: 0 1 2 3 4 5 6 7);
    }
    if M * N > 24 {
        part!(fold_16 16: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    } else {
        part!(fold_8 16: 0 1 2 3 4 5 6 7);
    }
}

/// The first `n <= 16` lanes.
#[inline(always)]
fn mask_of(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

/// See [`Isa::tile`]. One function, in which nothing takes the address of the accumulators and no
/// arithmetic in the loop can panic: the compiler then keeps them in registers.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[allow(clippy::needless_range_loop)] // arrays share each index
unsafe fn tile<W: Row, const M: usize, const N: usize>(
    operands: Operands<W, M, N>,
    lanes: Option<&mut [[Lanes; N]; M]>,
    out: &mut [[f32; M]; N],
) {
    let Operands {
        w,
        x,
        cols,
        stage,
        ahead,
    } = operands;
    let mut acc = [[_mm512_setzero_ps(); N]; M];
    if let (Some(lanes), false) = (&lanes, stage.first) {
        for m in 0..M {
            for n in 0..N {
                // SAFETY: 16 singles.
                acc[m][n] = unsafe { _mm512_load_ps(lanes[m][n].0.as_ptr()) };
            }
        }
    }
    let mut at = cols.start;
    let end = cols.end - (cols.end - cols.start) % LANES;
    while at < end {
        for m in 0..M {
            w[m].prefetch(at, ahead);
        }
        let line = at.wrapping_add(W::LINE).min(end);
        while at < line {
            // The shorter side waits in registers, the longer passes through one.
            if M < N {
                let mut ws = [_mm512_setzero_ps(); M];
                for m in 0..M {
                    // SAFETY: in range by the contract, as all below.
                    ws[m] = unsafe { Load::load(w[m], at) };
                }
                for n in 0..N {
                    let x = unsafe { Load::load(F32Row(x[n]), at) };
                    for m in 0..M {
                        acc[m][n] = _mm512_fmadd_ps(ws[m], x, acc[m][n]);
                    }
                }
            } else {
                let mut xs = [_mm512_setzero_ps(); N];
                for n in 0..N {
                    xs[n] = unsafe { Load::load(F32Row(x[n]), at) };
                }
                for m in 0..M {
                    let w = unsafe { Load::load(w[m], at) };
                    for n in 0..N {
                        acc[m][n] = _mm512_fmadd_ps(w, xs[n], acc[m][n]);
                    }
                }
            }
            at = at.wrapping_add(LANES);
        }
    }
    if end < cols.end {
        // Accumulators out of the mask stay as they are.
        let mask = mask_of(cols.end - end);
        for m in 0..M {
            let w = unsafe { Load::load_some(w[m], end, mask) };
            for n in 0..N {
                let x = unsafe { Load::load_some(F32Row(x[n]), end, mask) };
                acc[m][n] = _mm512_mask3_fmadd_ps(w, x, acc[m][n], mask);
            }
        }
    }
    match lanes {
        Some(lanes) if !stage.last => {
            for m in 0..M {
                for n in 0..N {
                    // SAFETY: 16 singles.
                    unsafe { _mm512_store_ps(lanes[m][n].0.as_mut_ptr(), acc[m][n]) };
                }
            }
        }
        _ => fold_tile(acc, out),
    }
}

impl Isa for Avx512 {
    const TILE_ROWS: usize = 8;

    unsafe fn tile<W: Row, const M: usize, const N: usize>(
        operands: Operands<W, M, N>,
        lanes: Option<&mut [[Lanes; N]; M]>,
        out: &mut [[f32; M]; N],
    ) {
        // SAFETY: the same contract; this type is only used where the processor has the level.
        unsafe { tile(operands, lanes, out) }
    }

    // 32 registers: M * N accumulators, N of x, one of W.
    unsafe fn strip<W: Row>(strip: Strip<'_, W>, lanes: &mut [Lanes]) {
        // SAFETY: the same contract.
        unsafe {
            match strip.rows {
                1 => strip_of::<Self, W, 8, 1>(strip, lanes),
                2 => strip_of::<Self, W, 8, 2>(strip, lanes),
                3 => strip_of::<Self, W, 6, 3>(strip, lanes),
                4 => strip_of::<Self, W, 4, 4>(strip, lanes),
                5 => strip_of::<Self, W, 4, 5>(strip, lanes),
                6 => strip_of::<Self, W, 4, 6>(strip, lanes),
                7 => strip_of::<Self, W, 3, 7>(strip, lanes),
                8 => strip_of::<Self, W, 3, 8>(strip, lanes),
                n => unreachable!("a tile of {n} rows of x"),
            }
        }
    }
}
