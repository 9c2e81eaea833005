//! The price of a unit of compute: the weighted median of what operators vote, a tenth an epoch at the most.
//!
//! Because a price moves no further than a tenth, a vote beyond that does no more than one at the edge. So one
//! histogram over that range, fixed when the counting begins, gives the median of any number of votes: each costs one
//! addition, whatever their number. It is exact to a bucket, one part in 1,280 of the price.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::money::{clamp_price, PRICE_STEP_DIVISOR};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::{helpers_128bit::multiply_by_rational_with_rounding, Rounding};
use sp_core::ConstU32;
use sp_runtime::BoundedVec;

/// Buckets below the running price, and as many above it; between them is the price itself.
pub const BUCKETS_A_SIDE: u32 = 128;
/// All buckets.
pub const BUCKETS: u32 = 2 * BUCKETS_A_SIDE + 1;

/// Votes on a price, by weight.
#[derive(
    Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Votes {
    /// The running price.
    price: u128,
    /// Weight of each bucket.
    weights: BoundedVec<u64, ConstU32<BUCKETS>>,
}

impl Votes {
    /// No votes yet on a running price.
    pub fn new(price: u128) -> Self {
        let mut weights = BoundedVec::new();
        for _ in 0..BUCKETS {
            // It holds as many.
            let _ = weights.try_push(0);
        }
        Self { price, weights }
    }

    /// The running price that the votes are about.
    pub fn price(&self) -> u128 {
        self.price
    }

    fn step(&self) -> u128 {
        self.price
            .checked_div(PRICE_STEP_DIVISOR)
            .unwrap_or_default()
            .max(1)
    }

    /// Counts a vote; whoever never voted is for the running price.
    pub fn add(&mut self, vote: Option<u128>, weight: u64) {
        let vote = vote.unwrap_or(self.price);
        let middle = BUCKETS_A_SIDE as usize;
        let far = |distance: u128| {
            // Away from the price: what moves it at all is in the first bucket, so that no vote counts as none.
            let buckets = multiply_by_rational_with_rounding(
                distance.min(self.step()),
                u128::from(BUCKETS_A_SIDE),
                self.step(),
                Rounding::Up,
            );
            buckets
                .and_then(|at| usize::try_from(at).ok())
                .unwrap_or(middle)
                .min(middle)
        };
        let bucket = if vote < self.price {
            middle.saturating_sub(far(self.price.saturating_sub(vote)))
        } else {
            middle.saturating_add(far(vote.saturating_sub(self.price)))
        };
        if let Some(sum) = self.weights.get_mut(bucket) {
            *sum = sum.saturating_add(weight);
        }
    }

    /// The price that was voted, within `lo..=hi`; the running one where nobody has weight.
    pub fn outcome(&self, lo: u128, hi: u128) -> u128 {
        let total = self
            .weights
            .iter()
            .fold(0u128, |sum, weight| sum.saturating_add(u128::from(*weight)));
        let mut reached = 0u128;
        let median = self.weights.iter().position(|weight| {
            reached = reached.saturating_add(u128::from(*weight));
            *weight > 0 && reached >= total.saturating_sub(reached)
        });
        let voted = median.map_or(self.price, |bucket| self.value(bucket));
        clamp_price(self.price, voted, lo, hi)
    }

    /// The price that stands for a bucket: its end that is farther from the running price.
    fn value(&self, bucket: usize) -> u128 {
        let middle = BUCKETS_A_SIDE as usize;
        let distance = |buckets: usize| {
            multiply_by_rational_with_rounding(
                self.step(),
                buckets as u128,
                u128::from(BUCKETS_A_SIDE),
                Rounding::Down,
            )
            .unwrap_or_default()
        };
        match bucket.checked_sub(middle) {
            Some(above) => self.price.saturating_add(distance(above)),
            None => self
                .price
                .saturating_sub(distance(middle.saturating_sub(bucket))),
        }
    }
}
