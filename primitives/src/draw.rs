//! Weighted draws from on-chain randomness, and the probabilities that govern them.
//!
//! A *cumulative index* is a slice of `(who, cumulative weight)` with strictly increasing
//! cumulative weights: entry `i` owns the half-open range from the previous entry's value (0 for
//! the first) to its own.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use alloc::{collections::BTreeMap, vec::Vec};
use parity_scale_codec::Encode;
use sp_arithmetic::{traits::Saturating, PerThing, Perbill};
use sp_core::{H256, U256};
use sp_crypto_hashing::blake2_256;

/// How often a draw that hits someone who is not eligible is repeated before it scans forward.
pub const MAX_REDRAWS: u32 = 64;

/// Most entries that one draw asks whether they are eligible. A client can make jobs that hardly
/// anybody is eligible for, at no more than a transaction's fee: the work of a draw must not grow
/// with the number of operators.
pub const MAX_CANDIDATES: u32 = 48;

/// The seed of one draw: `blake2_256(tag, genesis, seed, subject, round)`, SCALE-encoded, the byte
/// strings with their lengths, so that no two draws share a preimage.
pub fn draw_subseed(tag: &[u8], genesis: &H256, seed: &H256, subject: &[u8], round: u32) -> H256 {
    H256(blake2_256(&(tag, genesis, seed, subject, round).encode()))
}

/// A number in `0..total`, or `None` for a `total` of 0.
///
/// 256 hashed bits are reduced modulo `total`: no value is likelier than another by more than
/// one part in 2^192, so there is no rejection loop.
pub fn uniform_below(subseed: &H256, counter: u32, total: u64) -> Option<u64> {
    reduce(
        &blake2_256(&(b"chasqui/draw/uniform/1", subseed, counter).encode()),
        total,
    )
}

/// `hash`, read as a big-endian number, modulo `total`.
fn reduce(hash: &[u8; 32], total: u64) -> Option<u64> {
    let (limbs, _) = hash.as_chunks::<8>();
    let rest = limbs.iter().try_fold(0u128, |rest, limb| {
        // `rest` is below `total`, hence below 2^64: the shift loses nothing.
        ((rest << 64) | u128::from(u64::from_be_bytes(*limb))).checked_rem(u128::from(total))
    })?;
    u64::try_from(rest).ok()
}

/// The total weight of a cumulative index.
pub fn total_weight<A>(index: &[(A, u64)]) -> u64 {
    index.last().map_or(0, |(_, cumulative)| *cumulative)
}

/// The weight of the entry at `position`: its cumulative weight less its predecessor's.
pub fn weight_at<A>(index: &[(A, u64)], position: usize) -> u64 {
    let own = index.get(position).map_or(0, |(_, cumulative)| *cumulative);
    let before = position
        .checked_sub(1)
        .and_then(|previous| index.get(previous))
        .map_or(0, |(_, cumulative)| *cumulative);
    own.saturating_sub(before)
}

/// Builds a cumulative index; entries of weight 0 are left out, and so is what would overflow.
pub fn cumulative_index<A>(weights: impl IntoIterator<Item = (A, u64)>) -> Vec<(A, u64)> {
    let mut total = 0u64;
    let mut index = Vec::new();
    for (who, weight) in weights {
        let Some(sum) = total.checked_add(weight) else {
            continue;
        };
        if sum > total {
            total = sum;
            index.push((who, sum));
        }
    }
    index
}

/// One draw. `ask` tells whether an entry is eligible, `None` when no more may be asked.
fn pick_where<A>(
    index: &[(A, u64)],
    subseed: &H256,
    ask: &mut dyn FnMut(usize, &A) -> Option<bool>,
) -> Option<usize> {
    let total = total_weight(index);
    let mut hit = 0usize;
    for counter in 0..MAX_REDRAWS {
        let point = uniform_below(subseed, counter, total)?;
        hit = index.partition_point(|(_, cumulative)| *cumulative <= point);
        if let Some((who, _)) = index.get(hit) {
            if ask(hit, who)? {
                return Some(hit);
            }
        }
    }
    // So few are eligible that 64 draws missed them all: take the next one after the last hit.
    let count = index.len();
    for position in (hit..count).chain(0..hit.min(count)) {
        if weight_at(index, position) > 0 {
            if let Some((who, _)) = index.get(position) {
                if ask(position, who)? {
                    return Some(position);
                }
            }
        }
    }
    None
}

/// Draws one entry by weight among those that are `eligible`, and returns its position.
///
/// A hit that is not eligible is drawn again with the next counter, at most [`MAX_REDRAWS`] times;
/// then the first eligible entry at or after the last hit is taken, going round once. Nobody is
/// asked twice, and at most [`MAX_CANDIDATES`] entries are asked: where so many are not eligible,
/// nobody is drawn. So an index of up to that many entries always gives somebody who is eligible,
/// and no index costs more. Weights are exact but for the case of a share `s` of eligible weight so
/// small that all redraws miss it, probability `(1 - s)^64`.
pub fn pick<A>(index: &[(A, u64)], subseed: &H256, eligible: impl Fn(&A) -> bool) -> Option<usize> {
    pick_where(
        index,
        subseed,
        &mut asking(&mut BTreeMap::new(), &[], &eligible),
    )
}

/// Draws up to `n` different entries, in the order drawn; fewer when fewer are eligible.
///
/// Each seat is a [`pick`] of its own among the entries not yet drawn, with a seed of its own. All
/// of them together ask at most [`MAX_CANDIDATES`] entries.
pub fn pick_distinct<A>(
    index: &[(A, u64)],
    subseed: &H256,
    n: u32,
    eligible: impl Fn(&A) -> bool,
) -> Vec<usize> {
    let mut answers = BTreeMap::new();
    let mut picked: Vec<usize> = Vec::new();
    for seat in 0..n {
        let seed = H256(blake2_256(
            &(b"chasqui/draw/seat/1", subseed, seat).encode(),
        ));
        let drawn = pick_where(index, &seed, &mut asking(&mut answers, &picked, &eligible));
        match drawn {
            Some(position) => picked.push(position),
            None => break,
        }
    }
    picked
}

/// Asks `eligible` about entries that are not `taken`, each once, and [`MAX_CANDIDATES`] at the most.
fn asking<'a, A: 'a>(
    answers: &'a mut BTreeMap<usize, bool>,
    taken: &'a [usize],
    eligible: &'a impl Fn(&A) -> bool,
) -> impl FnMut(usize, &A) -> Option<bool> + 'a {
    move |position, who| {
        if taken.contains(&position) {
            return Some(false);
        }
        if let Some(answer) = answers.get(&position) {
            return Some(*answer);
        }
        if answers.len() >= MAX_CANDIDATES as usize {
            return None;
        }
        let answer = eligible(who);
        answers.insert(position, answer);
        Some(answer)
    }
}

/// True with probability `p`: always at 100%, never at 0%. Independent of a [`pick`] with the same
/// subseed.
pub fn bernoulli(subseed: &H256, p: Perbill) -> bool {
    let hash = blake2_256(&(b"chasqui/draw/bernoulli/1", subseed).encode());
    reduce(&hash, u64::from(Perbill::ACCURACY))
        .is_some_and(|draw| draw < u64::from(p.deconstruct()))
}

/// The share of its weight with which an operator of reputation `rep` enters executor draws:
/// `1/4 + 3/4 * rep`.
pub fn draw_factor(rep: Perbill) -> Perbill {
    Perbill::from_percent(25).saturating_add(Perbill::from_percent(75).saturating_mul_floor(rep))
}

/// The weight with which an operator of reputation `rep` enters draws to compute: its own, in thousandths so that small
/// ones keep their proportions, times [`draw_factor`].
pub fn draw_weight(weight: u64, rep: Perbill) -> u64 {
    draw_factor(rep).mul_floor(weight.saturating_mul(1_000))
}

/// Audit probability from reputation alone: linear from 100% at reputation 0 to `floor` at 100%,
/// rounded up.
pub fn p_rep(rep: Perbill, floor: Perbill) -> Perbill {
    Perbill::one().saturating_sub(floor.left_from_one().saturating_mul_floor(rep))
}

/// The probability with which a job must be audited so that cheating on it does not pay, or `None`
/// when no probability is high enough and the operator is not eligible for the job.
///
/// `max(p_rep, r / (d * (S + R)))`, rounded up to parts per billion, where `r = pay` is the job's
/// pay with subsidy, `d = 1 - (1/3)^seats` the chance that at least one of `seats` auditors is
/// honest when a third are not, `S = slash` and `R = revenue` what a verdict would take. Without
/// anything at stake, or without auditors, only a job without pay is eligible. Amounts in plancks.
pub fn audit_probability(
    rep: Perbill,
    floor: Perbill,
    pay: u128,
    seats: u32,
    slash: u128,
    revenue: u128,
) -> Option<Perbill> {
    let by_reputation = p_rep(rep, floor);
    if pay == 0 {
        return Some(by_reputation);
    }
    // 3^40 is the largest power in 64 bits; more seats only bring `d` nearer to 1, so capping errs
    // on the side of more audits.
    let colluding = U256::from(3u64.checked_pow(seats.min(40))?);
    let stake = U256::from(slash).checked_add(U256::from(revenue))?;
    // pay: 128 bits, the power: 64, parts per billion: 30; within 256.
    let demand = U256::from(pay)
        .checked_mul(colluding)?
        .checked_mul(U256::from(Perbill::ACCURACY))?;
    let supply = colluding.checked_sub(U256::one())?.checked_mul(stake)?;
    let (parts, rest) = (demand.checked_div(supply)?, demand.checked_rem(supply)?);
    let parts = if rest.is_zero() {
        parts
    } else {
        parts.checked_add(U256::one())?
    };
    if parts > U256::from(Perbill::ACCURACY) {
        return None;
    }
    Some(by_reputation.max(Perbill::from_parts(parts.low_u32())))
}

/// Product of two shares, rounded down.
trait MulFloor {
    fn saturating_mul_floor(self, other: Perbill) -> Perbill;
}

impl MulFloor for Perbill {
    fn saturating_mul_floor(self, other: Perbill) -> Perbill {
        Perbill::from_parts(self.mul_floor(other.deconstruct()))
    }
}
