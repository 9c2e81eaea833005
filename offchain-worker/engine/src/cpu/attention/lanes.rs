//! Sixteen f32 lanes on every instruction set: what attention's loops are written in.
//!
//! Every implementation does the same operations on the same lanes, so results have the same bits
//! whichever runs. The methods are `unsafe` because the instructions must exist and the pointers
//! must be good for the lanes they name.

// Every operation rests on what the method as a whole asks of its caller.
#![allow(unsafe_op_in_unsafe_fn)]
// Fixed counts of registers read best as counts.
#![allow(clippy::needless_range_loop)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Sixteen lanes of f32.
pub(super) trait Lanes: Copy {
    /// Whether 16 accumulators and their operands fit the registers.
    const WIDE: bool;
    /// All lanes +0.0.
    unsafe fn zero() -> Self;
    /// All lanes `value`.
    unsafe fn splat(value: f32) -> Self;
    /// 16 elements.
    unsafe fn load(from: *const f32) -> Self;
    /// The first `count` (1 to 15) lanes; the others are 0.
    unsafe fn load_part(from: *const f32, count: usize) -> Self;
    /// Writes 16 elements.
    unsafe fn store(self, to: *mut f32);
    /// Writes the first `count` (1 to 15) lanes.
    unsafe fn store_part(self, to: *mut f32, count: usize);
    /// `a * b + self`, rounded once.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    /// As [`Self::fma`] in the first `count` (1 to 15) lanes; the others stay.
    unsafe fn fma_part(self, a: Self, b: Self, count: usize) -> Self;
    /// The lane sum's tree of four accumulators at once: lane `l` plus lane `l + 8`, then `l + 4`,
    /// `l + 2`, `l + 1`.
    unsafe fn sums(accumulators: [Self; 4]) -> [f32; 4];
}

/// Plain Rust; the compiler may use whatever the target has.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 16]);

impl Lanes for Portable {
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; 16])
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 16])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(from.cast::<[f32; 16]>().read_unaligned())
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let mut lanes = [0.0; 16];
        lanes[..count].copy_from_slice(std::slice::from_raw_parts(from, count));
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; 16]>().write_unaligned(self.0);
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        std::slice::from_raw_parts_mut(to, count).copy_from_slice(&self.0[..count]);
    }

    #[inline(always)]
    unsafe fn fma(mut self, a: Self, b: Self) -> Self {
        for lane in 0..16 {
            self.0[lane] = a.0[lane].mul_add(b.0[lane], self.0[lane]);
        }
        self
    }

    #[inline(always)]
    unsafe fn fma_part(mut self, a: Self, b: Self, count: usize) -> Self {
        for lane in 0..count {
            self.0[lane] = a.0[lane].mul_add(b.0[lane], self.0[lane]);
        }
        self
    }

    #[inline(always)]
    unsafe fn sums(accumulators: [Self; 4]) -> [f32; 4] {
        accumulators.map(|Self(mut lanes)| {
            for width in [8, 4, 2, 1] {
                for lane in 0..width {
                    lanes[lane] += lanes[lane + width];
                }
            }
            lanes[0]
        })
    }
}

/// One AVX-512 register.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn first_lanes(count: usize) -> __mmask16 {
    ((1u32 << count) - 1) as __mmask16
}

/// Eight lanes each of `x` and `y`: lane `l` plus lane `l + 8`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn pair512(x: __m512, y: __m512) -> __m512 {
    let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(x, y);
    let high = _mm512_shuffle_f32x4::<0b11_10_11_10>(x, y);
    _mm512_add_ps(low, high)
}

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx512 {
    const WIDE: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(_mm512_setzero_ps())
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(_mm512_set1_ps(value))
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(_mm512_loadu_ps(from))
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        Self(_mm512_maskz_loadu_ps(first_lanes(count), from))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm512_storeu_ps(to, self.0);
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        _mm512_mask_storeu_ps(to, first_lanes(count), self.0);
    }

    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        Self(_mm512_fmadd_ps(a.0, b.0, self.0))
    }

    #[inline(always)]
    unsafe fn fma_part(self, a: Self, b: Self, count: usize) -> Self {
        Self(_mm512_mask3_fmadd_ps(a.0, b.0, self.0, first_lanes(count)))
    }

    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        let (ab, cd) = (pair512(a.0, b.0), pair512(c.0, d.0));
        // Four lanes each of a, b, c, d.
        let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd);
        let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd);
        let four = _mm512_add_ps(even, odd);
        let two = _mm512_add_ps(four, _mm512_permute_ps::<0b11_10_11_10>(four));
        let one = _mm512_add_ps(two, _mm512_permute_ps::<0b01_01_01_01>(two));
        let order = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        let gathered = _mm512_castps512_ps128(_mm512_permutexvar_ps(order, one));
        let mut sums = [0.0; 4];
        _mm_storeu_ps(sums.as_mut_ptr(), gathered);
        sums
    }
}

/// Two AVX2 registers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256, __m256);

#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn masks(count: usize) -> (__m256i, __m256i) {
    let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let low = _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes);
    let high = _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32 - 8), lanes);
    (low, high)
}

/// Four lanes each of `x` and `y`: lane `l` plus lane `l + 8`, then plus `l + 4`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn pair256(x: Avx2, y: Avx2) -> __m256 {
    let (x, y) = (_mm256_add_ps(x.0, x.1), _mm256_add_ps(y.0, y.1));
    let low = _mm256_permute2f128_ps::<0x20>(x, y);
    let high = _mm256_permute2f128_ps::<0x31>(x, y);
    _mm256_add_ps(low, high)
}

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx2 {
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self(_mm256_setzero_ps(), _mm256_setzero_ps())
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self(_mm256_set1_ps(value), _mm256_set1_ps(value))
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8)))
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        let (low, high) = masks(count);
        // `wrapping_add`: with 8 lanes or fewer the second half touches nothing and may lie
        // behind the end.
        Self(
            _mm256_maskload_ps(from, low),
            _mm256_maskload_ps(from.wrapping_add(8), high),
        )
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        _mm256_storeu_ps(to, self.0);
        _mm256_storeu_ps(to.add(8), self.1);
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        let (low, high) = masks(count);
        _mm256_maskstore_ps(to, low, self.0);
        _mm256_maskstore_ps(to.wrapping_add(8), high, self.1);
    }

    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        Self(
            _mm256_fmadd_ps(a.0, b.0, self.0),
            _mm256_fmadd_ps(a.1, b.1, self.1),
        )
    }

    #[inline(always)]
    unsafe fn fma_part(self, a: Self, b: Self, count: usize) -> Self {
        let (low, high) = masks(count);
        let all = self.fma(a, b);
        Self(
            _mm256_blendv_ps(self.0, all.0, _mm256_castsi256_ps(low)),
            _mm256_blendv_ps(self.1, all.1, _mm256_castsi256_ps(high)),
        )
    }

    #[inline(always)]
    unsafe fn sums([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        let (ab, cd) = (pair256(a, b), pair256(c, d));
        // [a0 a1 c0 c1 | b0 b1 d0 d1] and [a2 a3 c2 c3 | b2 b3 d2 d3].
        let low = _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd);
        let high = _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd);
        let two = _mm256_add_ps(low, high);
        let one = _mm256_add_ps(two, _mm256_permute_ps::<0b11_11_01_01>(two));
        let mut lanes = [0.0; 8];
        _mm256_storeu_ps(lanes.as_mut_ptr(), one);
        [lanes[0], lanes[4], lanes[2], lanes[6]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::SimdLevel;

    fn values(seed: u32) -> [f32; 16] {
        std::array::from_fn(|lane| {
            let bits = (seed * 16 + lane as u32).wrapping_mul(2_654_435_761);
            (bits >> 8) as f32 / 1e6 - 8.0
        })
    }

    /// Every operation on one instruction set, as bits.
    #[inline(always)]
    unsafe fn everything<L: Lanes>() -> Vec<u32> {
        let inputs: [[f32; 16]; 4] = std::array::from_fn(|seed| values(seed as u32));
        let lanes = inputs.map(|values| L::load(values.as_ptr()));
        let mut out = Vec::new();
        let mut keep = |lanes: L| {
            let mut values = [0.0; 16];
            lanes.store(values.as_mut_ptr());
            out.extend(values.map(f32::to_bits));
        };
        keep(L::zero());
        keep(L::splat(3.5));
        keep(lanes[0].fma(lanes[1], lanes[2]));
        for count in 1..16 {
            keep(L::load_part(inputs[3].as_ptr(), count));
            keep(lanes[0].fma_part(lanes[1], lanes[2], count));
            let mut values = [1.0; 16];
            lanes[0].store_part(values.as_mut_ptr(), count);
            keep(L::load(values.as_ptr()));
        }
        out.extend(L::sums(lanes).map(f32::to_bits));
        out
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn avx512() -> Vec<u32> {
        everything::<Avx512>()
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2() -> Vec<u32> {
        everything::<Avx2>()
    }

    // GIVEN the same values
    // WHEN every operation is done by every instruction set that this machine has
    // THEN all bits are equal, and the sums follow the fixed tree
    #[test]
    fn instruction_sets_agree() {
        // SAFETY: plain Rust; the pointers name whole arrays.
        let portable = unsafe { everything::<Portable>() };
        let v = values(3);
        let eight: [f32; 8] = std::array::from_fn(|l| v[l] + v[l + 8]);
        let four: [f32; 4] = std::array::from_fn(|l| eight[l] + eight[l + 4]);
        let sum = (four[0] + four[2]) + (four[1] + four[3]);
        assert_eq!(portable.last(), Some(&sum.to_bits()));
        #[cfg(target_arch = "x86_64")]
        {
            if SimdLevel::Avx512.is_supported() {
                // SAFETY: just asked for.
                assert_eq!(unsafe { avx512() }, portable);
            }
            if SimdLevel::Avx2.is_supported() {
                // SAFETY: just asked for.
                assert_eq!(unsafe { avx2() }, portable);
            }
        }
    }
}
