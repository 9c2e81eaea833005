//! Rows of weights as the kernels address them. Plain pointers: several threads read one matrix
//! at once, each row of a tile through a register of its own.

use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::cpu::matrix::{Int8Rows, BLOCK};

/// A row that every level can load. Its memory outlives the region in which it is used.
#[cfg(target_arch = "x86_64")]
pub(super) trait Row: Start + portable::Load + avx2::Load + avx512::Load {}
/// A row that every level can load. Its memory outlives the region in which it is used.
#[cfg(not(target_arch = "x86_64"))]
pub(super) trait Row: Start + portable::Load {}

/// Where a row lies.
pub(super) trait Start: Copy {
    /// Columns in 64 bytes of weights.
    const LINE: usize;

    /// The row so many bytes further on.
    fn offset(self, bytes: usize) -> Self;

    /// Asks for what the row `ahead` bytes further on holds for the [`Self::LINE`] columns from
    /// `k` on.
    fn prefetch(self, k: usize, ahead: usize);
}

/// Asks for the cache line of an address, which need not be one of this process.
#[inline(always)]
fn fetch(address: *const i8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint; every x86-64 processor has it, and it faults on no address.
    unsafe {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        _mm_prefetch::<_MM_HINT_T0>(address);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

macro_rules! row {
    ($name:ident: $element:ty) => {
        impl Start for $name {
            const LINE: usize = 64 / size_of::<$element>();

            #[inline(always)]
            fn offset(self, bytes: usize) -> Self {
                Self(self.0.wrapping_byte_add(bytes))
            }

            #[inline(always)]
            fn prefetch(self, k: usize, ahead: usize) {
                fetch(self.0.wrapping_add(k).wrapping_byte_add(ahead).cast());
            }
        }

        impl Row for $name {}
    };
}

#[derive(Clone, Copy)]
pub(super) struct F32Row(pub *const f32);
#[derive(Clone, Copy)]
pub(super) struct F16Row(pub *const u16);
#[derive(Clone, Copy)]
pub(super) struct Bf16Row(pub *const u16);
/// Integers of a row of [`crate::cpu::matrix::Int8Rows`], whose scales lie before them.
#[derive(Clone, Copy)]
pub(super) struct Int8Row(pub *const i8);

row!(F32Row: f32);
row!(F16Row: u16);
row!(Bf16Row: u16);

impl Start for Int8Row {
    const LINE: usize = 64;

    #[inline(always)]
    fn offset(self, bytes: usize) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    #[inline(always)]
    fn prefetch(self, k: usize, ahead: usize) {
        /// Columns whose scales are one cache line.
        const SCALES: usize = 64 / size_of::<f32>() * BLOCK;
        fetch(self.quants(k).wrapping_add(ahead));
        if k.is_multiple_of(SCALES) {
            fetch(self.scale(k).wrapping_byte_add(ahead).cast());
        }
    }
}

impl Row for Int8Row {}

impl Int8Row {
    /// Scale of column `k`, a multiple of 16.
    #[inline(always)]
    pub(super) fn scale(self, k: usize) -> *const f32 {
        let back = (k / BLOCK).wrapping_add(1).wrapping_mul(size_of::<f32>());
        self.0.wrapping_sub(back).cast()
    }

    /// Integers from column `k` on.
    #[inline(always)]
    pub(super) fn quants(self, k: usize) -> *const i8 {
        self.0.wrapping_add(k)
    }
}

/// Rows at one distance from each other.
#[derive(Clone, Copy)]
pub(super) struct Rows<W> {
    pub first: W,
    /// In bytes.
    pub stride: usize,
}

impl<W: Row> Rows<W> {
    #[inline(always)]
    pub(super) fn row(self, index: usize) -> W {
        self.first.offset(index * self.stride)
    }

    /// The rows from `index` on.
    pub(super) fn from(self, index: usize) -> Self {
        Self {
            first: self.row(index),
            ..self
        }
    }
}

/// Rows of `stride` singles from `start` on.
pub(super) fn f32_rows(start: *const f32, stride: usize) -> Rows<F32Row> {
    Rows {
        first: F32Row(start),
        stride: stride * size_of::<f32>(),
    }
}

pub(super) fn f16_rows(bits: &[u16], cols: usize) -> Rows<F16Row> {
    Rows {
        first: F16Row(bits.as_ptr()),
        stride: cols * size_of::<u16>(),
    }
}

pub(super) fn bf16_rows(bits: &[u16], cols: usize) -> Rows<Bf16Row> {
    Rows {
        first: Bf16Row(bits.as_ptr()),
        stride: cols * size_of::<u16>(),
    }
}

pub(super) fn int8_rows(int8: &Int8Rows) -> Rows<Int8Row> {
    Rows {
        first: Int8Row(int8.integers()),
        stride: int8.stride(),
    }
}
