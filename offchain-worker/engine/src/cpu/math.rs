//! Vector functions of a decoder layer, each with one order of operations on every level.
//!
//! The bodies are plain Rust that the compiler turns into vector code for each level. Nothing is
//! reassociated and a fused multiply-add is written as one, so that the bits do not depend on it.

use super::simd::SimdLevel;
use super::LANES;

/// Defines a public function whose body is compiled once for each level.
macro_rules! per_level {
    ($($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? $body:block)*) => {$(
        $(#[$meta])*
        pub fn $name(level: SimdLevel, $($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn body($($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($arg: $type),*) $(-> $out)? {
                body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512($($arg: $type),*) $(-> $out)? {
                body($($arg),*)
            }
            level.assert_supported();
            match level {
                // SAFETY: the processor has the level's instructions, as just asserted.
                #[cfg(target_arch = "x86_64")]
                SimdLevel::Avx512 => unsafe { avx512($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                SimdLevel::Avx2 => unsafe { avx2($($arg),*) },
                _ => body($($arg),*),
            }
        }
    )*};
}

/// Folds the accumulators of a lane sum.
#[inline(always)]
pub(crate) fn fold(mut a: [f32; LANES]) -> f32 {
    for width in [8, 4, 2] {
        for l in 0..width {
            a[l] += a[l + width];
        }
    }
    a[0] + a[1]
}

/// Lane sum of `term(k)`, which takes the accumulator and returns it with element `k` added.
#[inline(always)]
fn lane_sum(len: usize, term: impl Fn(f32, usize) -> f32) -> f32 {
    let mut acc = [0.0f32; LANES];
    let whole = len - len % LANES;
    let mut k = 0;
    while k < whole {
        for (l, a) in acc.iter_mut().enumerate() {
            *a = term(*a, k + l);
        }
        k += LANES;
    }
    for (l, a) in acc.iter_mut().enumerate().take(len - whole) {
        *a = term(*a, whole + l);
    }
    fold(acc)
}

#[inline(always)]
fn sum_of_products(a: &[f32], b: &[f32]) -> f32 {
    let len = a.len();
    let b = &b[..len];
    lane_sum(len, |acc, k| a[k].mul_add(b[k], acc))
}

/// Greatest element, NaN left out; -inf of nothing.
#[inline(always)]
fn max_of(values: &[f32]) -> f32 {
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut chunks = values.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (l, &v) in lanes.iter_mut().zip(chunk) {
            *l = greater(*l, v);
        }
    }
    let rest = chunks.remainder().iter();
    lanes
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |m, &v| greater(m, v))
}

/// Least argument with a result that is not zero: ln of the least normal f32.
const EXP_LEAST: f32 = -87.336_54;
/// Greatest argument with a finite result.
const EXP_GREATEST: f32 = 88.722_83;
/// 1.5 * 2^23: adding it leaves the nearest integer in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 as the sum of two singles.
const LN2_HIGH: f32 = std::f32::consts::LN_2;
const LN2_LOW: f32 = -1.904_654_2e-9;
/// Minimax in relative error for `(exp(r) - 1 - r) / r²` on |r| <= ln 2 / 2, constant term first.
const EXP_COEFFICIENTS: [f32; 5] = [
    0.499_999_94,
    0.166_665_21,
    0.041_668_39,
    0.008_368_711,
    0.001_381_461,
];

/// e^x, see [`exp`].
#[inline(always)]
fn exp_one(x: f32) -> f32 {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    let [c0, c1, c2, c3, c4] = EXP_COEFFICIENTS;
    let p = c4
        .mul_add(r, c3)
        .mul_add(r, c2)
        .mul_add(r, c1)
        .mul_add(r, c0);
    let e = (r * r).mul_add(p, r) + 1.0;
    // 2^n as two factors: 2^128 is not an f32. For arguments out of range these are any bits.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    let e = e * power(half) * power(n.wrapping_sub(half));
    let e = if x > EXP_GREATEST { f32::INFINITY } else { e };
    let e = if x < EXP_LEAST { 0.0 } else { e };
    if x.is_nan() {
        f32::NAN
    } else {
        e
    }
}

/// x / (1 + e^-x).
#[inline(always)]
fn silu_one(x: f32) -> f32 {
    x / (1.0 + exp_one(-x))
}

per_level! {
    /// Lane sum of `a[k] * b[k]`.
    ///
    /// # Panics
    /// If `b` is shorter than `a`.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum_of_products(a, b)
    }

    /// `acc[i] = fma(factor, values[i], acc[i])`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_scaled(acc: &mut [f32], factor: f32, values: &[f32]) {
        assert_eq!(acc.len(), values.len(), "lengths of sum and values");
        for (a, v) in acc.iter_mut().zip(values) {
            *a = factor.mul_add(*v, *a);
        }
    }

    /// Root mean square norm (Zhang and Sennrich, 2019):
    /// `out[i] = x[i] / sqrt(mean(x²) + epsilon) * weight[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        assert_eq!(x.len(), weight.len(), "lengths of input and weight");
        assert_eq!(x.len(), out.len(), "lengths of input and output");
        let mean = sum_of_products(x, x) / x.len() as f32;
        let scale = 1.0 / (mean + epsilon).sqrt();
        for ((o, x), w) in out.iter_mut().zip(x).zip(weight) {
            *o = x * scale * w;
        }
    }

    /// Replaces every element by e^x: at most 2 ulp from the true value, 0 below ln of the least
    /// normal f32 (about -87.3), infinity above ln of the greatest (about 88.7), NaN of NaN.
    pub fn exp(values: &mut [f32]) {
        for v in values {
            *v = exp_one(*v);
        }
    }

    /// Replaces scores by `exp(score - max)` and returns their lane sum, by which whoever uses
    /// them divides once at the end. A NaN among the scores makes the sum NaN.
    pub fn softmax_numerators(scores: &mut [f32]) -> f32 {
        let max = max_of(scores);
        for s in scores.iter_mut() {
            *s = exp_one(*s - max);
        }
        let scores = &*scores;
        lane_sum(scores.len(), |acc, k| acc + scores[k])
    }

    /// Softmax in place: numerators divided by their lane sum.
    pub fn softmax(scores: &mut [f32]) {
        let max = max_of(scores);
        for s in scores.iter_mut() {
            *s = exp_one(*s - max);
        }
        let sum = {
            let scores = &*scores;
            lane_sum(scores.len(), |acc, k| acc + scores[k])
        };
        for s in scores {
            *s /= sum;
        }
    }

    /// SiLU in place, `x / (1 + e^-x)`.
    pub fn silu(values: &mut [f32]) {
        for v in values {
            *v = silu_one(*v);
        }
    }

    /// The gate of a Llama feed-forward layer: `gate[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn silu_gate(gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len(), "lengths of gate and values");
        for (g, u) in gate.iter_mut().zip(up) {
            *g = silu_one(*g) * u;
        }
    }

    /// Rotary embedding of one head in the half-split layout (Su et al., 2021, as in Llama):
    /// the pair `(head[i], head[i + n])` turns by the angle with `cos[i]`, `sin[i]`, where `n` is
    /// half the head.
    ///
    /// # Panics
    /// If `cos` or `sin` is not half as long as `head`.
    pub fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
        assert!(
            cos.len() * 2 == head.len() && sin.len() == cos.len(),
            "a head of {} with {} cosines and {} sines",
            head.len(),
            cos.len(),
            sin.len()
        );
        let (low, high) = head.split_at_mut(cos.len());
        for (((a, b), c), s) in low.iter_mut().zip(high).zip(cos).zip(sin) {
            let (x, y) = (*a, *b);
            *a = (-y).mul_add(*s, x * c);
            *b = x.mul_add(*s, y * c);
        }
    }
}
