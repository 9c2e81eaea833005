//! From logits to a token, and from a claimed token to how far it is from honest.
//!
//! Sampling uses the Gumbel-max form: token `i` scores `logit_i + T * g_i` with `g_i` standard
//! Gumbel noise, and the highest score among the candidates wins (lowest id on a tie). The noise
//! is a pure function of (seed, position, token), so whoever has the logits has the token, and an
//! auditor whose logits differ by rounding can say by how many logit units a claim misses.
//!
//! The noise of token `i` at absolute position `p` under seed `s`: [Philox](crate::philox) block
//! with counter `[i, p mod 2^32, p >> 32, 0]` and key `s` (low word first); its first two words
//! give `u` in (0, 1) by [`open_unit`]; `g = -ln(-ln u)`. Absolute means counted from the first
//! prompt token, so the first output token of a prompt of `n` tokens has position `n`.
//!
//! Candidates: the `top_k` highest logits (lowest ids on ties), and of these the shortest prefix
//! in descending order whose probability at temperature `T`, renormalised, reaches `top_p`.

use chasqui_primitives::sampling::TOP_P_OFF;
pub use chasqui_primitives::sampling::{Sampling, SamplingError};

use crate::cpu::SimdLevel;
use crate::error::{EngineError, Result};
use crate::noise;
use crate::philox::{key_from_u64, open_unit, philox4x32};

/// Philox words out of which the noise of `token` at `position` is made.
#[inline]
fn noise_words(key: [u32; 2], position: u64, token: u32) -> [u32; 2] {
    let block = philox4x32([token, position as u32, (position >> 32) as u32, 0], key);
    [block[0], block[1]]
}

#[inline]
pub(crate) fn gumbel_from_words(words: [u32; 2]) -> f64 {
    -(-open_unit(words[0], words[1]).ln()).ln()
}

/// No noise made of `words` exceeds this: `u` lies below `1 - 2^-(n+1)` when the top word starts
/// with `n` ones, and `-ln u >= 1 - u`. Saves two logarithms for most tokens.
#[inline]
fn gumbel_bound(words: [u32; 2]) -> f64 {
    const LARGEST: f64 = 38.0;
    match words[1].leading_ones() {
        32 => LARGEST,
        ones => f64::from(ones + 1) * std::f64::consts::LN_2 + 1e-9,
    }
}

/// Standard Gumbel noise of `token` at absolute `position` under `seed`.
pub fn gumbel(seed: u64, position: u64, token: u32) -> f64 {
    gumbel_from_words(noise_words(key_from_u64(seed), position, token))
}

/// Temperature in logit units.
fn temperature(sampling: &Sampling) -> f64 {
    f64::from(sampling.temperature_milli) / 1_000.0
}

/// Checks `sampling`'s ranges (temperature 0 or 0.05 to 10, `top_p` in (0, 1], `max_tokens` at
/// least 1).
///
/// # Errors
/// Names the field that is out of range.
pub fn check_sampling(sampling: &Sampling) -> Result<()> {
    sampling.validate().map_err(|error| match error {
        SamplingError::Temperature => EngineError::request(
            "temperature",
            format!(
                "is {} thousandths; must be 0 or 50 to 10000",
                sampling.temperature_milli
            ),
        ),
        SamplingError::TopP => EngineError::request(
            "top_p",
            format!(
                "is {} millionths; must be 1 to {TOP_P_OFF}",
                sampling.top_p_ppm
            ),
        ),
        SamplingError::MaxTokens => EngineError::request("max_tokens", "is 0; must be at least 1"),
    })
}

/// A logit that no token may be sampled from is an error, and an empty row is a caller's mistake.
fn check_logits(logits: &[f32], position: u64) -> Result<()> {
    if logits.is_empty() {
        return Err(EngineError::request("logits", "is empty"));
    }
    match logits.iter().position(|logit| !logit.is_finite()) {
        None => Ok(()),
        Some(token) => Err(EngineError::NonFiniteLogit {
            position,
            token: token as u32,
            value: logits[token],
        }),
    }
}

fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best as u32
}

/// Descending by logit, ascending by id among equals.
fn sort_by_rank(tokens: &mut [u32], logits: &[f32]) {
    tokens.sort_unstable_by(|&a, &b| {
        logits[b as usize]
            .total_cmp(&logits[a as usize])
            .then(a.cmp(&b))
    });
}

/// The `k` best tokens in rank order; `k` is at least 1.
pub(crate) fn top_k(logits: &[f32], k: usize) -> Vec<u32> {
    let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    if k < tokens.len() {
        tokens.select_nth_unstable_by(k - 1, |&a, &b| {
            logits[b as usize]
                .total_cmp(&logits[a as usize])
                .then(a.cmp(&b))
        });
        tokens.truncate(k);
    }
    sort_by_rank(&mut tokens, logits);
    tokens
}

/// Probability weights relative to the best token.
struct Weights<'a> {
    logits: &'a [f32],
    best: f64,
    temperature: f64,
}

impl Weights<'_> {
    fn of(&self, token: u32) -> f64 {
        ((f64::from(self.logits[token as usize]) - self.best) / self.temperature).exp()
    }

    /// Of all tokens, in rank order, those that can belong to a nucleus of mass `p`, and the mass
    /// of all tokens. What is left out weighs less than `(1 - p) / 2` in total.
    fn prune(&self, p: f64) -> (Vec<u32>, f64) {
        let floor = (1.0 - p) / (2.0 * self.logits.len() as f64);
        let mut total = 0.0;
        let mut kept = Vec::new();
        for token in 0..self.logits.len() as u32 {
            let weight = self.of(token);
            total += weight;
            if weight >= floor {
                kept.push(token);
            }
        }
        sort_by_rank(&mut kept, self.logits);
        (kept, total)
    }

    /// Length of the shortest prefix of `ranked` that reaches mass `p * total`; at least 1.
    fn nucleus(&self, ranked: &[u32], total: f64, p: f64) -> usize {
        let mut mass = 0.0;
        for (index, &token) in ranked.iter().enumerate() {
            mass += self.of(token);
            if mass >= p * total {
                return index + 1;
            }
        }
        ranked.len()
    }

    fn total(&self, tokens: &[u32]) -> f64 {
        tokens.iter().map(|&token| self.of(token)).sum()
    }
}

fn weights<'a>(logits: &'a [f32], sampling: &Sampling) -> Weights<'a> {
    Weights {
        logits,
        best: f64::from(logits[argmax(logits) as usize]),
        temperature: temperature(sampling),
    }
}

fn active_top_k(logits: &[f32], sampling: &Sampling) -> Option<usize> {
    let k = sampling.top_k as usize;
    (k > 0 && k < logits.len()).then_some(k)
}

fn active_top_p(sampling: &Sampling) -> Option<f64> {
    (sampling.top_p_ppm < TOP_P_OFF).then(|| f64::from(sampling.top_p_ppm) / 1e6)
}

/// The candidate set in rank order, or `None` when every token is a candidate. At temperature 0
/// it is the best token alone.
///
/// # Errors
/// A parameter out of range, or a logit that is not finite.
pub fn candidates(logits: &[f32], sampling: &Sampling, position: u64) -> Result<Option<Vec<u32>>> {
    check_sampling(sampling)?;
    check_logits(logits, position)?;
    if sampling.temperature_milli == 0 {
        return Ok(Some(vec![argmax(logits)]));
    }
    Ok(candidates_unchecked(logits, sampling))
}

fn candidates_unchecked(logits: &[f32], sampling: &Sampling) -> Option<Vec<u32>> {
    let (k, p) = (active_top_k(logits, sampling), active_top_p(sampling));
    let weights = weights(logits, sampling);
    match (k, p) {
        (None, None) => None,
        (Some(k), None) => Some(top_k(logits, k)),
        (None, Some(p)) => {
            let (mut ranked, total) = weights.prune(p);
            ranked.truncate(weights.nucleus(&ranked, total, p));
            Some(ranked)
        }
        (Some(k), Some(p)) => {
            let mut ranked = top_k(logits, k);
            ranked.truncate(weights.nucleus(&ranked, weights.total(&ranked), p));
            Some(ranked)
        }
    }
}

/// Highest `logit + T * noise` among `tokens`, and whose it is.
fn best_score(
    logits: &[f32],
    sampling: &Sampling,
    position: u64,
    tokens: impl Iterator<Item = u32>,
) -> Option<(f64, u32)> {
    let key = key_from_u64(sampling.seed);
    let temperature = temperature(sampling);
    let mut best: Option<(f64, u32)> = None;
    for token in tokens {
        let logit = f64::from(logits[token as usize]);
        let words = noise_words(key, position, token);
        if best.is_some_and(|(score, _)| logit + temperature * gumbel_bound(words) < score) {
            continue;
        }
        let score = logit + temperature * gumbel_from_words(words);
        let wins = match best {
            None => true,
            Some((highest, id)) => score > highest || (score == highest && token < id),
        };
        if wins {
            best = Some((score, token));
        }
    }
    best
}

/// [`best_score`] of all tokens.
fn best_of_all(logits: &[f32], sampling: &Sampling, position: u64) -> Option<(f64, u32)> {
    let key = key_from_u64(sampling.seed);
    noise::best_of_all(
        SimdLevel::detect(),
        logits,
        temperature(sampling),
        key,
        position,
    )
}

/// The token that `logits` (`[vocab]`) and `sampling` give at absolute `position`.
///
/// Temperature 0 takes the highest logit, lowest id on a tie.
///
/// # Errors
/// A parameter out of range, or a logit that is NaN or infinite.
pub fn sample(logits: &[f32], sampling: &Sampling, position: u64) -> Result<u32> {
    check_sampling(sampling)?;
    check_logits(logits, position)?;
    if sampling.temperature_milli == 0 {
        return Ok(argmax(logits));
    }
    let best = match candidates_unchecked(logits, sampling) {
        None => best_of_all(logits, sampling, position),
        Some(tokens) => best_score(logits, sampling, position, tokens.into_iter()),
    };
    best.map(|(_, token)| token)
        .ok_or_else(|| EngineError::request("logits", "is empty"))
}

/// What is certain about candidate sets when each logit may be off by `delta / 2`: a token below
/// `possible` is in none of them, one above `certain` is in all.
struct Boundary {
    possible: f64,
    certain: f64,
}

/// Moves probability `p` so that its odds change by the factor `exp(shift)`.
fn shift_odds(p: f64, shift: f64) -> f64 {
    // This form stays a number when the exponential overflows.
    1.0 / (1.0 + (1.0 - p) / p * (-shift).exp())
}

fn boundary(logits: &[f32], sampling: &Sampling, delta: f64) -> Boundary {
    let logit = |token: &u32| f64::from(logits[*token as usize]);
    let (k, p) = (active_top_k(logits, sampling), active_top_p(sampling));
    let mut edge = Boundary {
        possible: f64::NEG_INFINITY,
        certain: f64::NEG_INFINITY,
    };

    // The k-th highest logit and any token's own logit move by delta / 2 each.
    if let Some(kth) = k.and_then(|k| top_k(logits, k).last().map(logit)) {
        edge = Boundary {
            possible: kth - delta,
            certain: kth + delta,
        };
    }
    let Some(p) = p else { return edge };

    // Errors of delta / 2 change the odds of any set of tokens by at most exp(delta / T), so a
    // nucleus of shifted odds bounds the nucleus from either side; and the set that it is taken
    // of lies between the tokens that top-k keeps for certain and those that it may keep.
    let weights = weights(logits, sampling);
    let shift = delta / weights.temperature;
    let (wide, narrow) = (shift_odds(p, shift).max(p), shift_odds(p, -shift).min(p));
    let (largest, largest_total) = match k {
        None => weights.prune(wide),
        Some(_) => {
            let mut kept: Vec<u32> = (0..logits.len() as u32)
                .filter(|token| logit(token) >= edge.possible)
                .collect();
            sort_by_rank(&mut kept, logits);
            let total = weights.total(&kept);
            (kept, total)
        }
    };
    let lowest = largest.get(
        weights
            .nucleus(&largest, largest_total, wide)
            .saturating_sub(1),
    );
    if let Some(lowest) = lowest {
        edge.possible = edge.possible.max(logit(lowest) - delta);
    }
    let (smallest, smallest_total) = match k {
        None => (largest, largest_total),
        Some(_) => {
            let kept: Vec<u32> = largest
                .into_iter()
                .filter(|token| logit(token) > edge.certain)
                .collect();
            let total = weights.total(&kept);
            (kept, total)
        }
    };
    let last = weights
        .nucleus(&smallest, smallest_total, narrow)
        .saturating_sub(1);
    edge.certain = match smallest.get(last) {
        Some(token) => edge.certain.max(logit(token) + delta),
        None => f64::INFINITY,
    };
    edge
}

/// Whether every token is a candidate.
fn takes_all(logits: &[f32], sampling: &Sampling) -> bool {
    active_top_k(logits, sampling).is_none() && active_top_p(sampling).is_none()
}

/// What [`sample`] gives and by how much `claimed` misses it ([`post_noise_margin`]), in one pass over the vocabulary
/// where every token is a candidate.
///
/// # Errors
/// As [`post_noise_margin`].
pub fn expected_and_margin(
    logits: &[f32],
    sampling: &Sampling,
    position: u64,
    claimed: u32,
    delta: f64,
) -> Result<(u32, f64)> {
    let one_pass = sampling.temperature_milli != 0 && takes_all(logits, sampling);
    let logit = logits.get(claimed as usize).filter(|_| one_pass);
    let Some(&logit) = logit else {
        let margin = post_noise_margin(logits, sampling, position, claimed, delta)?;
        return Ok((sample(logits, sampling, position)?, margin));
    };
    check_sampling(sampling)?;
    check_logits(logits, position)?;
    check_delta(delta)?;
    let (best, expected) = best_of_all(logits, sampling, position)
        .ok_or_else(|| EngineError::request("logits", "is empty"))?;
    let noise = gumbel(sampling.seed, position, claimed);
    let own = f64::from(logit) + temperature(sampling) * noise;
    Ok((expected, (best - own).max(0.0)))
}

fn check_delta(delta: f64) -> Result<()> {
    if delta.is_finite() && delta >= 0.0 {
        return Ok(());
    }
    Err(EngineError::request(
        "delta",
        format!("is {delta}; must be at least 0"),
    ))
}

/// How many logit units `claimed` misses the token that `logits` give, at best: the post-noise
/// difference times T, minimised over the candidate sets that logits within `delta / 2` of these
/// can have (their top-k or top-p boundary moves by at most `delta`).
///
/// 0 for the token that [`sample`] returns, at most `delta` for what anyone samples whose logits
/// all lie within `delta / 2` of these, and infinite for a token that is in none of those
/// candidate sets or outside the vocabulary. At temperature 0 it is the distance to the highest
/// logit.
///
/// # Errors
/// A parameter out of range, a negative or non-finite `delta`, or a logit that is not finite.
pub fn post_noise_margin(
    logits: &[f32],
    sampling: &Sampling,
    position: u64,
    claimed: u32,
    delta: f64,
) -> Result<f64> {
    check_sampling(sampling)?;
    check_logits(logits, position)?;
    check_delta(delta)?;
    let Some(&logit) = logits.get(claimed as usize) else {
        return Ok(f64::INFINITY);
    };
    let logit = f64::from(logit);
    if sampling.temperature_milli == 0 {
        return Ok(f64::from(logits[argmax(logits) as usize]) - logit);
    }
    if takes_all(logits, sampling) {
        let own = logit + temperature(sampling) * gumbel(sampling.seed, position, claimed);
        let best = best_of_all(logits, sampling, position).map_or(own, |(score, _)| score);
        return Ok((best - own).max(0.0));
    }
    let edge = boundary(logits, sampling, delta);
    if logit < edge.possible {
        return Ok(f64::INFINITY);
    }
    let certain =
        (0..logits.len() as u32).filter(|&token| f64::from(logits[token as usize]) > edge.certain);
    let own = logit + temperature(sampling) * gumbel(sampling.seed, position, claimed);
    let best = best_score(logits, sampling, position, certain).map_or(own, |(score, _)| score);
    Ok((best - own).max(0.0))
}
