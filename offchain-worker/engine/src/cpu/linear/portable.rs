//! The kernels without vector intrinsics. On aarch64 and the like the compiler makes vector code
//! of them; on x86-64 they are for comparison, since each `mul_add` is a call there.

use half::{bf16, f16};

use super::rows::{Bf16Row, F16Row, F32Row, Int8Row, Row};
use super::strip::{strip_of, Isa, Lanes, Operands, Strip};
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

/// # Safety
/// That of [`Isa::tile`].
#[inline(always)]
unsafe fn accumulate<W: Row, const M: usize, const N: usize>(
    operands: &Operands<W, M, N>,
    lanes: &mut [[Lanes; N]; M],
) {
    let Operands { w, x, cols, .. } = operands;
    let whole = cols.end - cols.len() % LANES;
    let mut at = cols.start;
    while at < whole {
        // SAFETY: in range by the contract, as in all below.
        let xs = x.map(|x| unsafe { Load::load(F32Row(x), at, LANES) });
        for (w, lanes) in w.iter().zip(&mut *lanes) {
            let w = unsafe { Load::load(*w, at, LANES) };
            for (x, lanes) in xs.iter().zip(lanes) {
                for l in 0..LANES {
                    lanes.0[l] = w[l].mul_add(x[l], lanes.0[l]);
                }
            }
        }
        at += LANES;
    }
    let rest = cols.end - whole;
    if rest == 0 {
        return;
    }
    for (w, lanes) in w.iter().zip(lanes) {
        let w = unsafe { Load::load(*w, whole, rest) };
        for (x, lanes) in x.iter().zip(lanes) {
            let x = unsafe { Load::load(F32Row(*x), whole, rest) };
            for l in 0..rest {
                lanes.0[l] = w[l].mul_add(x[l], lanes.0[l]);
            }
        }
    }
}

impl Isa for Portable {
    const TILE_ROWS: usize = 2;

    unsafe fn tile<W: Row, const M: usize, const N: usize>(
        operands: Operands<W, M, N>,
        lanes: Option<&mut [[Lanes; N]; M]>,
        out: &mut [[f32; M]; N],
    ) {
        let mut acc = match &lanes {
            Some(lanes) if !operands.stage.first => **lanes,
            _ => [[Lanes::ZERO; N]; M],
        };
        // SAFETY: the same contract.
        unsafe { accumulate(&operands, &mut acc) };
        match lanes {
            Some(lanes) if !operands.stage.last => *lanes = acc,
            _ => {
                for (m, acc) in acc.iter().enumerate() {
                    for (n, lanes) in acc.iter().enumerate() {
                        out[n][m] = fold(lanes.0);
                    }
                }
            }
        }
    }

    unsafe fn strip<W: Row>(strip: Strip<'_, W>, lanes: &mut [Lanes]) {
        // SAFETY: the same contract.
        unsafe {
            match strip.rows {
                1 => strip_of::<Self, W, 4, 1>(strip, lanes),
                2 => strip_of::<Self, W, 2, 2>(strip, lanes),
                n => unreachable!("a tile of {n} rows of x"),
            }
        }
    }
}
