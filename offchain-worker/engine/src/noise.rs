//! The noise of a whole vocabulary at once.
//!
//! Sampling wants the best of `logit + T * noise` over all tokens. Almost none of them can win, and a token's noise is
//! bounded by its first random word, so the words of a block are made together, in vector code, and only what the
//! bound does not exclude costs two logarithms. The result is that of looking at every token.

use crate::cpu::SimdLevel;
use crate::philox::{philox4x32, MULTIPLIERS, ROUNDS, WEYL};
use crate::sampling::gumbel_from_words;

/// Tokens of a block.
const BLOCK: usize = 32;

/// First two words of a block of tokens.
struct Words {
    low: [u32; BLOCK],
    high: [u32; BLOCK],
}

/// Philox words of the tokens `first..first + BLOCK` at `position`, lane by lane what [`philox4x32`] gives.
#[inline(always)]
fn words(mut key: [u32; 2], position: u64, first: u32) -> Words {
    let mut c0: [u32; BLOCK] = std::array::from_fn(|lane| first.wrapping_add(lane as u32));
    let mut c1 = [position as u32; BLOCK];
    let mut c2 = [(position >> 32) as u32; BLOCK];
    let mut c3 = [0u32; BLOCK];
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        for lane in 0..BLOCK {
            let a = u64::from(MULTIPLIERS[0]) * u64::from(c0[lane]);
            let b = u64::from(MULTIPLIERS[1]) * u64::from(c2[lane]);
            c0[lane] = (b >> 32) as u32 ^ c1[lane] ^ key[0];
            c2[lane] = (a >> 32) as u32 ^ c3[lane] ^ key[1];
            c1[lane] = b as u32;
            c3[lane] = a as u32;
        }
    }
    Words { low: c0, high: c1 }
}

/// No noise whose high word is `high` exceeds this: `u` lies below `1 - 2^-(n+1)` when the word starts with `n` ones,
/// and `-ln u >= 1 - u`.
#[inline(always)]
fn bound(high: u32) -> f64 {
    // The exponent of what is missing to all ones, exact in 24 bits; of nothing it is far below.
    let exponent = ((!high >> 8) as i32 as f32).to_bits() >> 23;
    f64::from(24 + 127 - exponent as i32) * std::f64::consts::LN_2 + 1e-9
}

/// Whether any of the block may reach `best`.
#[inline(always)]
fn may_win(logits: &[f32; BLOCK], words: &Words, temperature: f64, best: f64) -> bool {
    // No early end: lanes are compared side by side.
    logits
        .iter()
        .zip(&words.high)
        .fold(false, |any, (logit, high)| {
            any | (f64::from(*logit) + temperature * bound(*high) >= best)
        })
}

/// Highest `logit + T * noise` of all tokens and the lowest id that has it.
#[inline(always)]
fn best(logits: &[f32], temperature: f64, key: [u32; 2], position: u64) -> Option<(f64, u32)> {
    let mut best: Option<(f64, u32)> = None;
    let mut look = |token: u32, logit: f32, words: [u32; 2]| {
        let logit = f64::from(logit);
        if best.is_some_and(|(score, _)| logit + temperature * bound(words[1]) < score) {
            return best;
        }
        let score = logit + temperature * gumbel_from_words(words);
        // Ascending ids: a later one wins only by more.
        if best.is_none_or(|(highest, _)| score > highest) {
            best = Some((score, token));
        }
        best
    };
    let (blocks, rest) = logits.as_chunks::<BLOCK>();
    let mut reached = f64::NEG_INFINITY;
    for (index, block) in blocks.iter().enumerate() {
        let first = (index * BLOCK) as u32;
        let words = words(key, position, first);
        if may_win(block, &words, temperature, reached) {
            for (lane, logit) in block.iter().enumerate() {
                let found = look(
                    first + lane as u32,
                    *logit,
                    [words.low[lane], words.high[lane]],
                );
                reached = found.map_or(reached, |(score, _)| score);
            }
        }
    }
    let first = (blocks.len() * BLOCK) as u32;
    for (token, logit) in (first..).zip(rest) {
        let block = philox4x32([token, position as u32, (position >> 32) as u32, 0], key);
        look(token, *logit, [block[0], block[1]]);
    }
    best
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn best_avx2(logits: &[f32], temperature: f64, key: [u32; 2], position: u64) -> Option<(f64, u32)> {
    best(logits, temperature, key, position)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
fn best_avx512(
    logits: &[f32],
    temperature: f64,
    key: [u32; 2],
    position: u64,
) -> Option<(f64, u32)> {
    best(logits, temperature, key, position)
}

/// Highest `logit + T * noise` over all tokens under `key` at `position`, and whose it is (the lowest id on a tie);
/// `None` of no tokens. The logits are finite.
pub(crate) fn best_of_all(
    level: SimdLevel,
    logits: &[f32],
    temperature: f64,
    key: [u32; 2],
    position: u64,
) -> Option<(f64, u32)> {
    match level {
        // SAFETY: a level that is detected is there.
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 if level.is_supported() => unsafe {
            best_avx512(logits, temperature, key, position)
        },
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 if level.is_supported() => unsafe {
            best_avx2(logits, temperature, key, position)
        },
        _ => best(logits, temperature, key, position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::key_from_u64;

    fn words_of(key: [u32; 2], position: u64, token: u32) -> [u32; 2] {
        let block = philox4x32([token, position as u32, (position >> 32) as u32, 0], key);
        [block[0], block[1]]
    }

    // GIVEN rows of any length, some with many equal logits, at any temperature
    // WHEN the best of all is sought on every level that the processor has
    // THEN it is the first of the highest scores, computed one by one
    #[test]
    fn the_best_is_that_of_every_token_alone() {
        for (row, len) in [1usize, 5, 31, 32, 33, 64, 200, 1_280, 4_097]
            .into_iter()
            .enumerate()
        {
            for seed in 0..6u64 {
                let key = key_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                let position = seed << 31 | row as u64;
                let logits: Vec<f32> = (0..len as u32)
                    .map(|i| match seed % 3 {
                        0 => 0.0,
                        1 => (words_of(key, 1 << 40, i)[0] >> 28) as f32,
                        _ => words_of(key, 1 << 41, i)[1] as f32 / 2e8,
                    })
                    .collect();
                for temperature in [0.05, 0.7, 1.0, 10.0] {
                    let mut wanted: Option<(f64, u32)> = None;
                    for (token, logit) in (0..).zip(&logits) {
                        let noise = gumbel_from_words(words_of(key, position, token));
                        let score = f64::from(*logit) + temperature * noise;
                        if wanted.is_none_or(|(highest, _)| score > highest) {
                            wanted = Some((score, token));
                        }
                    }
                    for level in SimdLevel::supported() {
                        let found = best_of_all(level, &logits, temperature, key, position);
                        assert_eq!(found, wanted, "{level}, {len} tokens, seed {seed}");
                    }
                }
            }
        }
        assert_eq!(best_of_all(SimdLevel::Portable, &[], 1.0, [0; 2], 0), None);
    }

    // GIVEN high words near every power of two
    // WHEN the noise of the largest low word is compared with the bound
    // THEN the bound holds
    #[test]
    fn the_bound_holds() {
        for ones in 0..=32u32 {
            let start = u32::MAX.checked_shl(32 - ones).unwrap_or(0);
            for high in [
                start,
                start | 1,
                start | 0xff,
                start | (u32::MAX >> ones.min(31) >> 1),
            ] {
                assert!(
                    gumbel_from_words([u32::MAX, high]) <= bound(high),
                    "{high:#x}"
                );
            }
        }
    }
}
