//! The kernels with AVX2, FMA and F16C: an accumulator of 16 lanes is two registers.

use std::arch::x86_64::*;

use super::rows::{Bf16Row, F16Row, F32Row, Int8Row, Row};
use super::strip::{strip_of, Isa, Lanes, Operands, Strip};
use crate::cpu::LANES;

pub(super) enum Avx2 {}

/// Lanes of one register.
const HALF: usize = LANES / 2;

/// Weights of a row from column `k` on, as f32.
pub(super) trait Load: Copy {
    /// # Safety
    /// AVX2, FMA and F16C; the row has 8 columns from `k` on, a multiple of 8.
    unsafe fn load(self, k: usize) -> __m256;
    /// The columns `k..k + n`, zero in the other lanes.
    /// # Safety
    /// AVX2, FMA and F16C; the row has `0 < n < 8` columns from `k` on, a multiple of 8.
    unsafe fn load_some(self, k: usize, n: usize) -> __m256;
}

/// All bits in the first `n` lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn mask_of(n: usize) -> __m256i {
    let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lane)
}

/// The first `n < 8` words from `from` on, then zeros.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn some_words(from: *const u16, n: usize) -> __m128i {
    let mut words = [0u16; HALF];
    // SAFETY: the caller has `n` words there.
    unsafe {
        std::ptr::copy_nonoverlapping(from, words.as_mut_ptr(), n);
        _mm_loadu_si128(words.as_ptr().cast())
    }
}

impl Load for F32Row {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load(self, k: usize) -> __m256 {
        // SAFETY: in range by the contract of the trait, as in all below.
        unsafe { _mm256_loadu_ps(self.0.wrapping_add(k)) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load_some(self, k: usize, n: usize) -> __m256 {
        // SAFETY: lanes out of the mask are not read.
        unsafe { _mm256_maskload_ps(self.0.wrapping_add(k), mask_of(n)) }
    }
}

impl Load for F16Row {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load(self, k: usize) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(self.0.wrapping_add(k).cast())) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load_some(self, k: usize, n: usize) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_cvtph_ps(some_words(self.0.wrapping_add(k), n)) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn bf16_to_f32(bits: __m128i) -> __m256 {
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits)))
}

impl Load for Bf16Row {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load(self, k: usize) -> __m256 {
        // SAFETY: as above.
        unsafe { bf16_to_f32(_mm_loadu_si128(self.0.wrapping_add(k).cast())) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load_some(self, k: usize, n: usize) -> __m256 {
        // SAFETY: as above.
        unsafe { bf16_to_f32(some_words(self.0.wrapping_add(k), n)) }
    }
}

impl Load for Int8Row {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load(self, k: usize) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let quants = _mm256_cvtepi8_epi32(_mm_loadl_epi64(self.quants(k).cast()));
            _mm256_mul_ps(_mm256_cvtepi32_ps(quants), _mm256_set1_ps(*self.scale(k)))
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn load_some(self, k: usize, _: usize) -> __m256 {
        // SAFETY: blocks are whole.
        unsafe { self.load(k) }
    }
}

/// Folds an accumulator as far as four lanes: 0..8 with 8..16, then 0..4 with 4..8.
#[inline]
#[target_feature(enable = "avx2")]
fn fold_to_4(a: [__m256; 2]) -> __m128 {
    let eight = _mm256_add_ps(a[0], a[1]);
    _mm_add_ps(
        _mm256_castps256_ps128(eight),
        _mm256_extractf128_ps::<1>(eight),
    )
}

/// The rest of the tree for four accumulators at once: lanes 0, 1 with 2, 3, then 0 with 1.
#[inline]
#[target_feature(enable = "avx2")]
fn fold_4(a: [__m128; 4]) -> __m128 {
    let two = |a, b| _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
    let (low, high) = (two(a[0], a[1]), two(a[2], a[3]));
    let even = _mm_shuffle_ps::<0b10_00_10_00>(low, high);
    let odd = _mm_shuffle_ps::<0b11_01_11_01>(low, high);
    _mm_add_ps(even, odd)
}

/// Sums of `M * N` accumulators, `acc[m][n]` into `out[n][m]`.
#[inline]
#[target_feature(enable = "avx2")]
fn fold_tile<const M: usize, const N: usize>(acc: [[[__m256; 2]; N]; M], out: &mut [[f32; M]; N]) {
    let out = out.as_flattened_mut();
    for i in (0..M * N).step_by(4) {
        let sums = fold_4(std::array::from_fn(|j| {
            // Beyond the end one more time the last one, which is not kept.
            let j = (i + j).min(M * N - 1);
            fold_to_4(acc[j % M][j / M])
        }));
        let mut four = [0.0; 4];
        // SAFETY: room for four.
        unsafe { _mm_storeu_ps(four.as_mut_ptr(), sums) };
        let n = (M * N - i).min(4);
        out[i..i + n].copy_from_slice(&four[..n]);
    }
}

/// See [`Isa::tile`]. One function, in which nothing takes the address of the accumulators and no
/// arithmetic in the loop can panic: the compiler then keeps them in registers.
#[target_feature(enable = "avx2,fma,f16c")]
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
    let mut acc = [[[_mm256_setzero_ps(); 2]; N]; M];
    if let (Some(lanes), false) = (&lanes, stage.first) {
        for m in 0..M {
            for n in 0..N {
                let from = lanes[m][n].0.as_ptr();
                // SAFETY: 16 singles.
                acc[m][n][0] = unsafe { _mm256_load_ps(from) };
                acc[m][n][1] = unsafe { _mm256_load_ps(from.wrapping_add(HALF)) };
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
            for half in 0..2 {
                let at = at.wrapping_add(half * HALF);
                let mut xs = [_mm256_setzero_ps(); N];
                for n in 0..N {
                    // SAFETY: in range by the contract, as all below.
                    xs[n] = unsafe { Load::load(F32Row(x[n]), at) };
                }
                for m in 0..M {
                    let w = unsafe { Load::load(w[m], at) };
                    for n in 0..N {
                        acc[m][n][half] = _mm256_fmadd_ps(w, xs[n], acc[m][n][half]);
                    }
                }
            }
            at = at.wrapping_add(LANES);
        }
    }
    for half in 0..2 {
        let at = end + half * HALF;
        if at >= cols.end {
            break;
        }
        // Accumulators out of the mask stay as they are.
        let left = (cols.end - at).min(HALF);
        let mask = _mm256_castsi256_ps(mask_of(left));
        for m in 0..M {
            let w = unsafe { load_up_to(w[m], at, left) };
            for n in 0..N {
                let x = unsafe { load_up_to(F32Row(x[n]), at, left) };
                let sum = _mm256_fmadd_ps(w, x, acc[m][n][half]);
                acc[m][n][half] = _mm256_blendv_ps(acc[m][n][half], sum, mask);
            }
        }
    }
    match lanes {
        Some(lanes) if !stage.last => {
            for m in 0..M {
                for n in 0..N {
                    let to = lanes[m][n].0.as_mut_ptr();
                    // SAFETY: 16 singles.
                    unsafe { _mm256_store_ps(to, acc[m][n][0]) };
                    unsafe { _mm256_store_ps(to.wrapping_add(HALF), acc[m][n][1]) };
                }
            }
        }
        _ => fold_tile(acc, out),
    }
}

/// The first `n <= 8` columns from `at` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load_up_to<W: Load>(row: W, at: usize, n: usize) -> __m256 {
    // SAFETY: the same contract.
    unsafe {
        if n < HALF {
            row.load_some(at, n)
        } else {
            row.load(at)
        }
    }
}

impl Isa for Avx2 {
    const TILE_ROWS: usize = 3;

    unsafe fn tile<W: Row, const M: usize, const N: usize>(
        operands: Operands<W, M, N>,
        lanes: Option<&mut [[Lanes; N]; M]>,
        out: &mut [[f32; M]; N],
    ) {
        // SAFETY: the same contract; this type is only used where the processor has the level.
        unsafe { tile(operands, lanes, out) }
    }

    // 16 registers: 2 * M * N accumulators, N of x, one of W.
    unsafe fn strip<W: Row>(strip: Strip<'_, W>, lanes: &mut [Lanes]) {
        // SAFETY: the same contract.
        unsafe {
            match strip.rows {
                1 => strip_of::<Self, W, 4, 1>(strip, lanes),
                2 => strip_of::<Self, W, 2, 2>(strip, lanes),
                3 => strip_of::<Self, W, 2, 3>(strip, lanes),
                n => unreachable!("a tile of {n} rows of x"),
            }
        }
    }
}
