//! Credit: how much of an operator's work counts beside its weight, for subsidy and for votes.
//!
//! `rho` is the weighted median over all active operators of work per weight. Whoever does more per weight than most is
//! credited up to `kappa` times of it only. So a cartel that buys its own service raises its units, not its credit, and
//! where it is less than half of the weight it does not raise rho either.
//!
//! One median is taken over a window of epochs, where audits count as work. It leaves room on days when most have little
//! to do, and to those whose work is mostly audits: whoever fills that room by paying itself would be credited for it.
//! So an epoch's credit is bounded by a second one, over what was computed in that epoch alone, by the weight with which
//! operators are drawn to compute ([`Medians`]).
//!
//! Ratios are fixed point: units of compute per weight, times [`RATIO_ONE`].

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::{helpers_128bit::multiply_by_rational_with_rounding, Perbill, Rounding};
use sp_core::ConstU32;
use sp_runtime::BoundedVec;

/// Epochs over which work is summed.
pub const WINDOW_EPOCHS: u32 = 28;
/// One unit per weight, as a ratio.
pub const RATIO_ONE: u128 = 1 << 20;
/// The share of rho up to which work is credited.
pub const KAPPA: Perbill = Perbill::from_percent(70);

/// Buckets of an octave, as a power of two.
const SUB_BITS: u32 = 5;
/// Octaves of ratios that are told apart: up to 2^64, that is 2^44 units a weight.
const OCTAVES: u32 = 64;
/// Buckets of a [`Ratios`]. The first ones hold a value each, and so does 0.
pub const BUCKETS: u32 = (OCTAVES - SUB_BITS + 1) << SUB_BITS;

/// Work per weight, as a ratio; 0 without weight.
pub fn ratio(units: u128, weight: u64) -> u128 {
    multiply_by_rational_with_rounding(units, RATIO_ONE, u128::from(weight).max(1), Rounding::Down)
        .filter(|_| weight > 0)
        .unwrap_or(if weight > 0 { u128::MAX } else { 0 })
}

/// Weights by ratio: a histogram whose buckets are at most one part in 32 wide, so that a median over any number of
/// operators costs each of them one addition.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Ratios {
    /// Buckets that have weight, in order.
    buckets: BoundedVec<(u16, u64), ConstU32<BUCKETS>>,
}

impl Default for Ratios {
    fn default() -> Self {
        Self {
            buckets: BoundedVec::new(),
        }
    }
}

impl Ratios {
    /// Counts an operator.
    pub fn add(&mut self, ratio: u128, weight: u64) {
        if weight == 0 {
            return;
        }
        let bucket = bucket_of(ratio);
        match self.buckets.binary_search_by_key(&bucket, |(at, _)| *at) {
            Ok(position) => {
                if let Some((_, sum)) = self.buckets.get_mut(position) {
                    *sum = sum.saturating_add(weight);
                }
            }
            Err(position) => {
                // There are as many places as buckets.
                let _ = self.buckets.try_insert(position, (bucket, weight));
            }
        }
    }

    /// The weighted median: the lower edge of the bucket in which half of the weight is reached. 0 without weight.
    pub fn median(&self) -> u128 {
        let sum = |sum: u128, (_, weight): &(u16, u64)| sum.saturating_add(u128::from(*weight));
        let total = self.buckets.iter().fold(0, sum);
        let mut reached = 0u128;
        for (bucket, weight) in &self.buckets {
            reached = reached.saturating_add(u128::from(*weight));
            if reached >= total.saturating_sub(reached) {
                return edge_of(*bucket);
            }
        }
        0
    }
}

/// The bucket of a ratio: its highest bits.
fn bucket_of(ratio: u128) -> u16 {
    let ratio = u64::try_from(ratio).unwrap_or(u64::MAX);
    let bits = u64::BITS.saturating_sub(ratio.leading_zeros());
    let shift = bits.saturating_sub(SUB_BITS.saturating_add(1));
    // Below 2^(SUB_BITS + 1) the ratio itself; else it lies in 2^SUB_BITS .. 2^(SUB_BITS + 1).
    let top = ratio.checked_shr(shift).unwrap_or_default();
    let octave = u64::from(shift).saturating_mul(1 << SUB_BITS);
    u16::try_from(octave.saturating_add(top)).unwrap_or(u16::MAX)
}

/// The smallest ratio of a bucket.
fn edge_of(bucket: u16) -> u128 {
    let bucket = u128::from(bucket);
    let one = 1u128 << SUB_BITS;
    if bucket < one.saturating_mul(2) {
        return bucket;
    }
    // `bucket = shift * one + top` with `one <= top < 2 * one`.
    let shift = bucket
        .saturating_sub(one)
        .checked_div(one)
        .unwrap_or_default();
    let top = bucket.saturating_sub(shift.saturating_mul(one));
    let shift = u32::try_from(shift).unwrap_or(u32::MAX);
    top.checked_shl(shift).unwrap_or(u128::MAX)
}

/// Most units that are credited over the window: `kappa * weight * rho`.
pub fn allowance(weight: u64, rho: u128) -> u128 {
    let units =
        multiply_by_rational_with_rounding(rho, u128::from(weight), RATIO_ONE, Rounding::Down)
            .unwrap_or(u128::MAX);
    KAPPA.mul_floor(units)
}

/// What an epoch's work is measured by, as ratios.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Medians {
    /// Of all work of the window by weight.
    pub window: u128,
    /// Of the units that the epoch itself had, by the weight with which operators were drawn for them.
    pub epoch: u128,
}

impl Medians {
    /// Most units of one epoch that are credited to an operator of `weight` that is drawn with `drawn`
    /// ([`crate::draw::draw_weight`]).
    pub fn allowance_of_epoch(&self, weight: u64, drawn: u64) -> u128 {
        allowance(weight, self.window)
            .checked_div(u128::from(WINDOW_EPOCHS))
            .unwrap_or_default()
            .min(allowance(drawn, self.epoch))
    }

    /// The part of one epoch's units that is credited.
    pub fn credited_units(&self, units: u128, weight: u64, drawn: u64) -> u128 {
        units.min(self.allowance_of_epoch(weight, drawn))
    }
}

/// Fees in proportion to the credited part of the units that they were paid for.
pub fn credited_fees(fees: u128, units: u128, credited: u128) -> u128 {
    if units == 0 {
        return 0;
    }
    multiply_by_rational_with_rounding(fees, credited.min(units), units, Rounding::Down)
        .unwrap_or_default()
}

/// What a vote weighs: the weight, in proportion to the window's units where these are below the allowance. Where most
/// of the weight did nothing (rho is 0) whoever did something has all of its weight.
pub fn vote_weight(weight: u64, units: u128, rho: u128) -> u64 {
    if units == 0 {
        return 0;
    }
    let allowance = allowance(weight, rho);
    if units >= allowance {
        return weight;
    }
    multiply_by_rational_with_rounding(u128::from(weight), units, allowance, Rounding::Down)
        .and_then(|part| u64::try_from(part).ok())
        .unwrap_or(weight)
}
