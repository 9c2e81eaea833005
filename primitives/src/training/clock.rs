//! How long a round waits for stragglers.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::recipe::Timing;
use alloc::vec::Vec;

/// The least whole number that is two thirds of `of`.
pub fn two_thirds(of: u32) -> u32 {
    of.saturating_mul(2).div_ceil(3)
}

/// The lower median; 0 of nothing.
pub fn median(values: &[u32]) -> u32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len().saturating_sub(1) >> 1;
    sorted.get(middle).copied().unwrap_or(0)
}

/// The median absolute deviation from the median.
pub fn spread(values: &[u32]) -> u32 {
    let centre = median(values);
    let away: Vec<u32> = values.iter().map(|value| value.abs_diff(centre)).collect();
    median(&away)
}

/// The block from which commitments are no longer taken, set once a quorum has committed: the median of the `times` so
/// far (blocks since `started`) and a multiple of their spread beyond it, but never sooner than the grace from `now`, nor
/// later than `until`.
pub fn straggler_deadline(
    times: &[u32],
    started: u32,
    now: u32,
    until: u32,
    timing: &Timing,
) -> u32 {
    let beyond = u64::from(spread(times)).saturating_mul(u64::from(timing.spread_percent)) / 100;
    let beyond = u32::try_from(beyond).unwrap_or(u32::MAX);
    started
        .saturating_add(median(times))
        .saturating_add(beyond)
        .max(now.saturating_add(timing.grace_blocks))
        .min(until)
}
