//! What the subsidy pot adds to the pay of operators: a programme in twelve batches, each with a smaller share of what
//! operators get, and a least issuance a year. All amounts are in planck.
//!
//! Batch `n` (1 to 12) pays out 5% of the programme. While it lasts, a share `0.9 * 0.8^(n-1)` of every operator's total
//! comes from the pot, so clients' fees make up the rest: 1 in 10 of what operators get in the first batch, 12 in 13 in
//! the last. The first batch therefore ends after few fees, the last after many.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use sp_arithmetic::{helpers_128bit::multiply_by_rational_with_rounding, Rounding};

/// Batches in which a share of operators' totals is paid.
pub const BATCHES: u32 = 12;
/// A batch is one part in this many of the programme.
pub const BATCH_DIVISOR: u128 = 20;
/// Most that the subsidy of an epoch may be, as a multiple of the credited fees: a share of 75% of the total.
pub const MOST_PER_FEE: u128 = 3;
/// Days of a year, for the least issuance of a day.
pub const DAYS_OF_YEAR: u128 = 365;

/// A fraction, numerator and denominator.
pub type Ratio = (u128, u128);

/// A batch's share of operators' totals, `0.9 * 0.8^(n-1)`; `None` for a number that is none.
pub fn share(batch: u32) -> Option<Ratio> {
    if !(1..=BATCHES).contains(&batch) {
        return None;
    }
    let power = batch.checked_sub(1)?;
    let numerator = 4u128.checked_pow(power)?.checked_mul(9)?;
    let denominator = 5u128.checked_pow(power)?.checked_mul(10)?;
    Some((numerator, denominator))
}

/// What the pot pays in one batch.
pub fn batch_size(programme: u128) -> u128 {
    programme.checked_div(BATCH_DIVISOR).unwrap_or_default()
}

/// What operators get in a batch, subsidy and fees together, to the nearest planck: the batch by its share.
pub fn batch_total(programme: u128, batch: u32) -> Option<u128> {
    let (numerator, denominator) = share(batch)?;
    multiply_by_rational_with_rounding(
        batch_size(programme),
        denominator,
        numerator,
        Rounding::NearestPrefUp,
    )
}

/// What clients pay operators in a batch.
pub fn batch_fees(programme: u128, batch: u32) -> Option<u128> {
    batch_total(programme, batch)?.checked_sub(batch_size(programme))
}

/// The batch that is running when `paid` has been paid of the programme; `None` when the last one is over.
pub fn running_batch(programme: u128, paid: u128) -> Option<u32> {
    let over = paid.checked_div(batch_size(programme))?;
    let batch = u32::try_from(over).ok()?.checked_add(1)?;
    (batch <= BATCHES).then_some(batch)
}

/// What the running batches add to so much in fees: `fees * share / (1 - share)`, batch after batch.
pub fn scheduled(programme: u128, paid: u128, fees: u128) -> u128 {
    let size = batch_size(programme);
    let mut left = fees;
    let mut sum = 0u128;
    // Each turn ends a batch, or uses up the fees.
    for _ in 0..BATCHES {
        let now = paid.saturating_add(sum);
        let Some(batch) = running_batch(programme, now) else {
            break;
        };
        let Some((part, whole)) = share(batch) else {
            break;
        };
        let rest = whole.saturating_sub(part);
        let room = size.saturating_mul(u128::from(batch)).saturating_sub(now);
        let wanted = multiply_by_rational_with_rounding(left, part, rest, Rounding::Down)
            .unwrap_or(u128::MAX);
        if wanted < room {
            return sum.saturating_add(wanted);
        }
        // The batch ends with these fees; the rest of them meets the next one.
        let used =
            multiply_by_rational_with_rounding(room, rest, part, Rounding::Up).unwrap_or(u128::MAX);
        sum = sum.saturating_add(room);
        left = left.saturating_sub(used);
    }
    sum
}

/// The least issuance of a year, counted from 0: a twentieth of the programme, and half as much each year.
pub fn least_of_year(programme: u128, year: u32) -> u128 {
    batch_size(programme).checked_shr(year).unwrap_or_default()
}

/// The least issuance of `blocks` of a year's `blocks_of_year`.
pub fn least_of_epoch(programme: u128, year: u32, blocks: u32, blocks_of_year: u32) -> u128 {
    multiply_by_rational_with_rounding(
        least_of_year(programme, year),
        u128::from(blocks),
        u128::from(blocks_of_year.max(1)),
        Rounding::Down,
    )
    .unwrap_or_default()
}

/// What an epoch is to be paid by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch {
    /// The whole programme.
    pub programme: u128,
    /// Of it, what has been paid.
    pub paid: u128,
    /// What is in the pot.
    pub pot: u128,
    /// Most that an epoch may cost.
    pub budget: u128,
    /// The epoch's least issuance.
    pub least: u128,
    /// Credited PoI fees of the epoch.
    pub fees: u128,
}

impl Epoch {
    /// The subsidy of the epoch. Nothing where nobody paid for work, however much the least issuance would be: an
    /// epoch without fees could else be had for the cost of a few own jobs.
    pub fn subsidy(&self) -> u128 {
        scheduled(self.programme, self.paid, self.fees)
            .max(self.least)
            .min(self.fees.saturating_mul(MOST_PER_FEE))
            .min(self.budget)
            .min(self.pot)
            .min(self.programme.saturating_sub(self.paid))
    }
}
