//! Prices, fee and slash splits. All amounts in plancks; every split adds up exactly.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_arithmetic::{helpers_128bit::multiply_by_rational_with_rounding, Perbill, Rounding};

/// One DOT in plancks.
pub const DOT: u128 = 10_000_000_000;
/// A thousandth of a DOT in plancks.
pub const MILLI_DOT: u128 = 10_000_000;
/// Most that a slash pays to its reporter, as a share of what is left after the victim's refund.
pub const REPORTER_SHARE: Perbill = Perbill::from_percent(10);
/// Most that a slash pays to all auditors together, as a share of what is left after the refund.
pub const AUDITORS_SLASH_SHARE: Perbill = Perbill::from_percent(10);
/// Largest change of the price in one epoch: one part in this many.
pub const PRICE_STEP_DIVISOR: u128 = 10;

/// How a fee is shared out; the four must sum to exactly 100%.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub struct Shares {
    /// To those who computed (and, of an audited job, checked) the result.
    pub poi: Perbill,
    /// To the contribution pool.
    pub poc: Perbill,
    /// To the training fund.
    pub fund: Perbill,
    /// To the reserve, with every remainder.
    pub reserve: Perbill,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            poi: Perbill::from_percent(60),
            poc: Perbill::from_percent(15),
            fund: Perbill::from_percent(20),
            reserve: Perbill::from_percent(5),
        }
    }
}

impl Shares {
    /// Whether the shares sum to exactly 100%.
    pub fn is_whole(&self) -> bool {
        let sum = [self.poi, self.poc, self.fund, self.reserve]
            .iter()
            .fold(0u64, |sum, share| {
                sum.saturating_add(u64::from(share.deconstruct()))
            });
        sum == u64::from(Perbill::one().deconstruct())
    }
}

/// A fee shared out; `executor + auditors_each * auditors + poc + fund + reserve` is the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen)]
pub struct FeeSplit {
    /// To the executor.
    pub executor: u128,
    /// To each of the auditors that revealed with the majority; 0 for an unaudited job.
    pub auditors_each: u128,
    /// To the contribution pool.
    pub poc: u128,
    /// To the training fund.
    pub fund: u128,
    /// To the reserve: its share and every remainder.
    pub reserve: u128,
}

impl FeeSplit {
    /// What the split pays in total when there are `auditors` to pay.
    pub fn total(&self, auditors: u32) -> u128 {
        self.auditors_each
            .saturating_mul(u128::from(auditors))
            .saturating_add(self.executor)
            .saturating_add(self.poc)
            .saturating_add(self.fund)
            .saturating_add(self.reserve)
    }
}

/// Splits a fee. With no auditors to pay the executor gets the whole PoI share; else one half,
/// and the auditors the other in equal parts. Whatever does not divide goes to the reserve, so the
/// parts always sum to `price`; shares beyond 100% are cut in the order poi, fund, poc.
pub fn split_fee(price: u128, shares: &Shares, auditors: u32) -> FeeSplit {
    let poi = shares.poi.mul_floor(price);
    let left = price.saturating_sub(poi);
    let fund = shares.fund.mul_floor(price).min(left);
    let left = left.saturating_sub(fund);
    let poc = shares.poc.mul_floor(price).min(left);
    let left = left.saturating_sub(poc);
    // `checked_div` is `None` exactly for no auditors.
    let half = poi >> 1;
    let (executor, auditors_each) = match half.checked_div(u128::from(auditors)) {
        Some(each) => (half, each),
        None => (poi, 0),
    };
    let paid = auditors_each
        .saturating_mul(u128::from(auditors))
        .saturating_add(executor);
    let reserve = left.saturating_add(poi.saturating_sub(paid));
    FeeSplit {
        executor,
        auditors_each,
        poc,
        fund,
        reserve,
    }
}

/// Units of compute of a job, or `u64::MAX` beyond that.
pub fn compute_units(
    units_per_prompt_token: u32,
    units_per_output_token: u32,
    prompt_tokens: u32,
    output_tokens: u32,
) -> u64 {
    let prompt = u64::from(units_per_prompt_token).saturating_mul(u64::from(prompt_tokens));
    let output = u64::from(units_per_output_token).saturating_mul(u64::from(output_tokens));
    prompt.saturating_add(output)
}

/// Price of a job at `unit_price` per unit of compute, or `None` when it exceeds a balance.
pub fn job_price(
    unit_price: u128,
    units_per_prompt_token: u32,
    units_per_output_token: u32,
    prompt_tokens: u32,
    output_tokens: u32,
) -> Option<u128> {
    let prompt = u128::from(units_per_prompt_token).checked_mul(u128::from(prompt_tokens))?;
    let output = u128::from(units_per_output_token).checked_mul(u128::from(output_tokens))?;
    prompt.checked_add(output)?.checked_mul(unit_price)
}

/// A slash shared out; `victim + auditors_each * auditors + reporter + reserve` is the amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo, MaxEncodedLen)]
pub struct SlashSplit {
    /// Refund to the victim.
    pub victim: u128,
    /// To each auditor.
    pub auditors_each: u128,
    /// To the reporter.
    pub reporter: u128,
    /// To the reserve: all the rest.
    pub reserve: u128,
}

impl SlashSplit {
    /// What the split pays in total when there are `auditors` to pay.
    pub fn total(&self, auditors: u32) -> u128 {
        self.auditors_each
            .saturating_mul(u128::from(auditors))
            .saturating_add(self.victim)
            .saturating_add(self.reporter)
            .saturating_add(self.reserve)
    }
}

/// Splits a slash: the victim's loss first, then of what is left up to 10% to the reporter and up
/// to 10% to the auditors in equal parts, the rest to the reserve.
///
/// The part of an absent reporter or of absent auditors goes to the reserve, so neither gains when
/// the other is missing.
pub fn split_slash(
    amount: u128,
    victim_loss: u128,
    auditors: u32,
    has_reporter: bool,
) -> SlashSplit {
    let victim = amount.min(victim_loss);
    let left = amount.saturating_sub(victim);
    let reporter = if has_reporter {
        REPORTER_SHARE.mul_floor(left)
    } else {
        0
    };
    let auditors_each = AUDITORS_SLASH_SHARE
        .mul_floor(left)
        .checked_div(u128::from(auditors))
        .unwrap_or(0);
    let reserve = left
        .saturating_sub(reporter)
        .saturating_sub(auditors_each.saturating_mul(u128::from(auditors)));
    SlashSplit {
        victim,
        auditors_each,
        reporter,
        reserve,
    }
}

/// `pool * points / total_points`, rounded down; 0 when nobody has points. Points beyond the total
/// count as the total, so a share never exceeds the pool.
pub fn pool_share(pool: u128, points: u128, total_points: u128) -> u128 {
    if total_points == 0 {
        return 0;
    }
    multiply_by_rational_with_rounding(pool, points.min(total_points), total_points, Rounding::Down)
        .unwrap_or(0)
}

/// The price after an epoch in which `proposed` was voted: within ±10% of `old`, then within the
/// bounds `lo..=hi`, which win over the step. A step is at least one planck, so that a price of a
/// few plancks can still move.
pub fn clamp_price(old: u128, proposed: u128, lo: u128, hi: u128) -> u128 {
    let step = old.checked_div(PRICE_STEP_DIVISOR).unwrap_or(0).max(1);
    proposed
        .max(old.saturating_sub(step))
        .min(old.saturating_add(step))
        .max(lo)
        .min(hi)
}

/// The lower weighted median: the smallest value at which at least half of the weight is reached.
/// `None` when no value has weight. Sorts `votes` by value.
pub fn weighted_median(votes: &mut [(u128, u64)]) -> Option<u128> {
    votes.sort_unstable();
    let total = votes.iter().fold(0u128, |sum, (_, weight)| {
        sum.saturating_add(u128::from(*weight))
    });
    let mut reached = 0u128;
    for (value, weight) in votes.iter().filter(|(_, weight)| *weight > 0) {
        reached = reached.saturating_add(u128::from(*weight));
        if reached >= total.saturating_sub(reached) {
            return Some(*value);
        }
    }
    None
}
