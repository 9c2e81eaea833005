//! Who trains on what: ranks, data, kept steps and audited segments, as functions of public seeds.
//!
//! The run's data are one stream of sequences, epoch after epoch, each epoch a permutation of the dataset's. A round of
//! `n` members consumes the next `n * inner_steps * batch` of it, whatever becomes of the round. Within it, step `t`
//! consumes `n * batch`, rank `k` the `k`-th `batch` of these: where a cursor stands depends on nobody's fate.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::recipe::Recipe;
use crate::{draw::uniform_below, hash::tag};
use alloc::vec::Vec;
use core::ops::Range;
use parity_scale_codec::Encode;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Rounds of the Feistel network.
const FEISTEL_ROUNDS: u32 = 6;

/// A permutation of `0..total` keyed by `key` and `domain`: a Feistel network on the least even number of bits that holds
/// `total`, walked until the value is in range.
#[derive(Clone, Copy, Debug)]
struct Permutation<'a> {
    key: &'a H256,
    domain: u64,
    total: u64,
    /// Bits of a half; at most 32.
    half: u32,
}

impl<'a> Permutation<'a> {
    fn new(key: &'a H256, domain: u64, total: u64) -> Self {
        let bits = u64::BITS.saturating_sub(total.saturating_sub(1).leading_zeros());
        Self {
            key,
            domain,
            total,
            half: bits.div_ceil(2).max(1),
        }
    }

    fn mask(&self) -> u64 {
        1u64.checked_shl(self.half)
            .map_or(u64::MAX, |bit| bit.saturating_sub(1))
    }

    fn mix(&self, round: u32, value: u64) -> u64 {
        let hash = blake2_256(&(tag::PERMUTATION, self.key, self.domain, round, value).encode());
        let (words, _) = hash.as_chunks::<8>();
        words.first().map_or(0, |word| u64::from_le_bytes(*word)) & self.mask()
    }

    fn once(&self, value: u64, backwards: bool) -> u64 {
        let mask = self.mask();
        let (mut left, mut right) = ((value >> self.half) & mask, value & mask);
        for step in 0..FEISTEL_ROUNDS {
            if backwards {
                let round = FEISTEL_ROUNDS.saturating_sub(1).saturating_sub(step);
                (left, right) = (right ^ self.mix(round, left), left);
            } else {
                (left, right) = (right, left ^ self.mix(step, right));
            }
        }
        (left << self.half) | right
    }

    fn walk(&self, value: u64, backwards: bool) -> Option<u64> {
        if value >= self.total {
            return None;
        }
        let mut value = self.once(value, backwards);
        // A permutation's cycle through a value in range comes back into range.
        while value >= self.total {
            value = self.once(value, backwards);
        }
        Some(value)
    }
}

/// The sequence of the dataset at `position` of the run's stream, of `total` that may be trained on. `run` is the run's
/// root. `None` without sequences.
pub fn sequence_at(run: &H256, position: u64, total: u64) -> Option<u64> {
    let epoch = position.checked_div(total)?;
    let index = position.checked_rem(total)?;
    Permutation::new(run, epoch, total).walk(index, false)
}

/// Rank of the member in `slot` in a round of `members`; `None` when out of range.
pub fn rank_of(round_seed: &H256, slot: u32, members: u32) -> Option<u32> {
    let rank =
        Permutation::new(round_seed, u64::MAX, u64::from(members)).walk(u64::from(slot), false)?;
    u32::try_from(rank).ok()
}

/// Slot of the member with `rank`: the inverse of [`rank_of`].
pub fn slot_of(round_seed: &H256, rank: u32, members: u32) -> Option<u32> {
    let slot =
        Permutation::new(round_seed, u64::MAX, u64::from(members)).walk(u64::from(rank), true)?;
    u32::try_from(slot).ok()
}

/// The seed of a round, from the draw that was announced once its members and data were fixed.
pub fn round_seed(genesis: &H256, drawn: &H256, run: &H256, round: u32) -> H256 {
    crate::draw::draw_subseed(tag::DRAW_ROUND, genesis, drawn, run.as_bytes(), round)
}

/// The seed of a round's audits, from the draw that was announced once its reports and its included set were fixed.
pub fn audit_seed(genesis: &H256, drawn: &H256, run: &H256, round: u32) -> H256 {
    crate::draw::draw_subseed(tag::DRAW_SEGMENTS, genesis, drawn, run.as_bytes(), round)
}

/// A member's part of a round's data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Where the round begins in the run's stream.
    pub first_sequence: u64,
    /// Members of the round.
    pub members: u32,
    pub rank: u32,
    /// Sequences a member and step.
    pub batch: u32,
}

impl Shard {
    /// The run's cursor before inner step `step` of the round, counted from 0.
    pub fn cursor(&self, step: u32) -> u64 {
        let each = u64::from(self.members).saturating_mul(u64::from(self.batch));
        self.first_sequence
            .saturating_add(each.saturating_mul(u64::from(step)))
    }

    /// Positions of the run's stream that this member trains on at `step`.
    pub fn positions(&self, step: u32) -> Range<u64> {
        let batch = u64::from(self.batch);
        let start = self
            .cursor(step)
            .saturating_add(batch.saturating_mul(u64::from(self.rank)));
        start..start.saturating_add(batch)
    }

    /// Sequences of the dataset that this member trains on at `step`, of `total`. `run` is the run's root.
    pub fn sequences(&self, run: &H256, step: u32, total: u64) -> Vec<u64> {
        self.positions(step)
            .filter_map(|position| sequence_at(run, position, total))
            .collect()
    }
}

/// The steps at which states are kept, ascending: 0, the last, and `segments - 1` between, one in each of as many windows
/// of equal length, so that no segment is longer than twice the mean.
pub fn kept_steps(round_seed: &H256, inner_steps: u32, segments: u32) -> Vec<u32> {
    let (steps, cuts) = (u64::from(inner_steps), u64::from(segments.max(1)));
    let twice = cuts.saturating_mul(2);
    // Window `i` ends where window `i + 1` begins, half a segment behind the i-th equal cut.
    let edge = |odd: u64| steps.saturating_mul(odd).div_ceil(twice);
    let inner = (1..cuts).filter_map(|cut| {
        let odd = cut.saturating_mul(2);
        let (low, high) = (edge(odd.saturating_sub(1)), edge(odd.saturating_add(1)));
        let counter = u32::try_from(cut).ok()?;
        let offset = uniform_below(round_seed, counter, high.saturating_sub(low))?;
        u32::try_from(low.saturating_add(offset)).ok()
    });
    core::iter::once(0)
        .chain(inner)
        .chain(core::iter::once(inner_steps))
        .collect()
}

/// The segments of `rank` that validators replay, in order: `count` different ones, each drawn by a uniform step, so that
/// what a cheat risks grows with the steps that it saves. `kept` are the round's [`kept_steps`].
pub fn picked_segments(audit_seed: &H256, rank: u32, kept: &[u32], count: u32) -> Vec<u32> {
    let segments = kept.len().saturating_sub(1);
    let wanted = (count as usize).min(segments);
    let steps = u64::from(kept.last().copied().unwrap_or(0));
    let seed = H256(blake2_256(&(tag::DRAW_SEGMENTS, audit_seed, rank).encode()));
    let mut picked: Vec<u32> = Vec::new();
    let mut counter = 0u32;
    while picked.len() < wanted {
        let drawn = uniform_below(&seed, counter, steps).unwrap_or(0);
        counter = counter.saturating_add(1);
        // The segment that a step lies in begins at the last kept step that is not beyond it.
        let behind = kept.partition_point(|step| u64::from(*step) <= drawn);
        let mut segment = behind.saturating_sub(1).min(segments.saturating_sub(1));
        // Where short segments are hit too rarely, take the next free one.
        if counter > PATIENCE {
            segment = (0..segments)
                .find(|free| !picked.contains(&(*free as u32)))
                .unwrap_or(segment);
        }
        if !picked.contains(&(segment as u32)) {
            picked.push(segment as u32);
        }
    }
    picked.sort_unstable();
    picked
}

/// Draws of [`picked_segments`] before it takes segments in order.
const PATIENCE: u32 = 4_096;

impl Recipe {
    /// The steps of a round at which states are kept.
    pub fn kept_steps(&self, round_seed: &H256) -> Vec<u32> {
        kept_steps(round_seed, self.inner_steps, self.segments)
    }

    /// A member's data in a round.
    pub fn shard(&self, first_sequence: u64, members: u32, rank: u32) -> Shard {
        Shard {
            first_sequence,
            members,
            rank,
            batch: self.batch,
        }
    }
}
