//! Rows of weights as the kernels address them. Plain pointers: several threads read one matrix
//! at once, each row of a tile through a register of its own.

use super::portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::cpu::matrix::BLOCK;

/// A row that every level can load. Its memory outlives the region in which it is used.
#[cfg(target_arch = "x86_64")]
pub(super) trait Row: Copy + portable::Load + avx2::Load + avx512::Load {}
/// A row that every level can load. Its memory outlives the region in which it is used.
#[cfg(not(target_arch = "x86_64"))]
pub(super) trait Row: Copy + portable::Load {}

#[derive(Clone, Copy)]
pub(super) struct F32Row(pub *const f32);
#[derive(Clone, Copy)]
pub(super) struct F16Row(pub *const u16);
#[derive(Clone, Copy)]
pub(super) struct Bf16Row(pub *const u16);

/// A row of [`crate::cpu::matrix::Int8Rows`].
#[derive(Clone, Copy)]
pub(super) struct Int8Row {
    pub start: *const u8,
    /// Bytes from `start` to the integers.
    pub quants: usize,
}

impl Int8Row {
    /// Scale of column `k`, a multiple of 16.
    #[inline(always)]
    pub(super) fn scale(self, k: usize) -> *const f32 {
        self.start.wrapping_add(k / BLOCK * size_of::<f32>()).cast()
    }

    /// Integers from column `k` on.
    #[inline(always)]
    pub(super) fn quants(self, k: usize) -> *const i8 {
        self.start.wrapping_add(self.quants + k).cast()
    }
}

impl Row for F32Row {}
impl Row for F16Row {}
impl Row for Bf16Row {}
impl Row for Int8Row {}
