//! Rolling windows of outcomes and the exact one-sided binomial test on them.
//!
//! A missed duty or a soft audit finding is no offence by itself: it can happen to an honest
//! operator. It counts only when the last outcomes together are too unlikely for the honest rate.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use alloc::{vec, vec::Vec};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::Perbill;

/// Number of outcomes that a window remembers.
pub const WINDOW_LEN: u8 = 100;
/// Default significance of the tests, in parts per billion (1e-6).
pub const DEFAULT_ALPHA_PPB: u32 = 1_000;
/// What [`binomial_upper_tail`] returns for probability 1.
pub const TAIL_ONE: u128 = 1_000_000_000_000_000_000;
/// Most trials that [`binomial_upper_tail`] computes.
pub const MAX_TRIALS: u32 = 1_000;

/// Internal scale of probabilities. Times a `Perbill`'s parts it stays below 2^128.
const SCALE: u128 = 1_000_000_000_000_000_000_000_000_000;
const PARTS: u128 = 1_000_000_000;

/// The last [`WINDOW_LEN`] outcomes, newest in the lowest bit; a set bit is a bad one.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Window {
    /// Outcomes.
    pub bits: u128,
    /// How many of the bits stand for an outcome.
    pub len: u8,
}

impl Window {
    fn mask(len: u8) -> u128 {
        1u128
            .checked_shl(u32::from(len.min(WINDOW_LEN)))
            .unwrap_or(0)
            .saturating_sub(1)
    }

    /// Records an outcome; the oldest falls out of a full window.
    pub fn push(&mut self, bad: bool) {
        self.len = self.len.saturating_add(1).min(WINDOW_LEN);
        self.bits = ((self.bits << 1) | u128::from(bad)) & Self::mask(self.len);
    }

    /// Number of bad outcomes in the window.
    pub fn bad(&self) -> u32 {
        (self.bits & Self::mask(self.len)).count_ones()
    }

    /// Number of outcomes in the window.
    pub fn len(&self) -> u32 {
        u32::from(self.len.min(WINDOW_LEN))
    }

    /// Whether the window holds no outcome.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets everything: what a penalty was paid for is not counted again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// `P(X >= k)` for `X ~ Binomial(n, p)`, scaled by [`TAIL_ONE`].
///
/// Every rounding goes up, in the operator's favour: the result is never below the exact value
/// and, for `n * k <= 10^9`, at most one unit (1e-18) above the exact value's ceiling. More than
/// [`MAX_TRIALS`] trials return 1, which no test finds significant. Takes `n * k` steps.
pub fn binomial_upper_tail(n: u32, k: u32, p: Perbill) -> u128 {
    if k == 0 || n > MAX_TRIALS {
        return TAIL_ONE;
    }
    if k > n {
        return 0;
    }
    let parts = u128::from(p.deconstruct());
    // below[j]: the probability of exactly j successes so far, for j < k; the tail collects the
    // rest. Each trial moves a share p of every state one up; moving a rounded-up share conserves
    // the total and can only raise the tail.
    let mut below: Vec<u128> = vec![0; k as usize];
    if let Some(none) = below.first_mut() {
        *none = SCALE;
    }
    let mut tail = 0u128;
    for _ in 0..n {
        let mut carried = 0u128;
        for state in below.iter_mut() {
            let up = state.saturating_mul(parts).div_ceil(PARTS);
            *state = state.saturating_sub(up).saturating_add(carried);
            carried = up;
        }
        tail = tail.saturating_add(carried);
    }
    tail.div_ceil(PARTS).min(TAIL_ONE)
}

/// Whether as many bad outcomes as the window's, or more, are less likely than `alpha_ppb` parts
/// per billion when each is bad with probability `p`.
pub fn is_significant(window: &Window, p: Perbill, alpha_ppb: u32) -> bool {
    let bad = window.bad();
    // A window without a bad outcome accuses nobody; it is also by far the most frequent.
    bad > 0
        && binomial_upper_tail(window.len(), bad, p) < u128::from(alpha_ppb).saturating_mul(PARTS)
}
