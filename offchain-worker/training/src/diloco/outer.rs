//! The outer step: every member's pseudo-gradient, in rank order, moves the agreed model.
//!
//! Host arithmetic in a fixed order, so that whoever has the same blobs has the same bits. A pseudo-gradient is the agreed
//! weights minus the member's weights after its inner steps. With `g` the mean of all, clipped in norm to a multiple of
//! their median: `m = momentum * m + g`, and the weights move by `-rate * (momentum * m + g)` with Nesterov's look-ahead,
//! by `-rate * m` without.

use blake2::{digest::consts::U32, Blake2b, Digest};
use chasqui_primitives::training::Outer;
use sp_core::H256;

use crate::error::{Result, TrainingError};
use crate::flat::Layout;

/// Rounds agree on this: weights and outer momentum.
#[derive(Clone, Debug, PartialEq)]
pub struct OuterState {
    /// Weights (or the adapter's), in the layout's order.
    pub params: Vec<f32>,
    /// Outer momentum, in the same order.
    pub momentum: Vec<f32>,
}

/// What a member's pseudo-gradient counted for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Its Euclidean norm.
    pub norm: f64,
    /// What it was multiplied with to clip it; 1 where it was not.
    pub scale: f32,
}

impl OuterState {
    /// `params` before the first round.
    pub fn new(params: Vec<f32>) -> Self {
        Self {
            momentum: vec![0.0; params.len()],
            params,
        }
    }

    /// Hash of weights and momentum: what members agree on.
    pub fn hash(&self, layout: &Layout) -> H256 {
        let digest = Blake2b::<U32>::new()
            .chain_update(b"chasqui/run/model/1")
            .chain_update(layout.hash(&self.params))
            .chain_update(layout.hash(&self.momentum))
            .finalize();
        H256(digest.into())
    }

    /// Takes the step that `count` members' pseudo-gradients give, in rank order. `gradient(i)` decodes the `i`-th and is
    /// asked twice for each, so that one is in memory at a time.
    ///
    /// # Errors
    /// There is none, one has another length, or the sum is not finite; the state is unchanged then.
    pub fn step(
        &mut self,
        outer: &Outer,
        norm_clip_ppm: u32,
        count: usize,
        gradient: impl Fn(usize) -> Result<Vec<f32>>,
    ) -> Result<Vec<Share>> {
        if count == 0 {
            return Err(TrainingError::Gradient(
                "no member's is included; the round is void".into(),
            ));
        }
        let len = self.params.len();
        let fetch = |index: usize| -> Result<Vec<f32>> {
            let values = gradient(index)?;
            match values.len() == len {
                true => Ok(values),
                false => Err(TrainingError::Gradient(format!(
                    "number {index} has {} values, the model {len}",
                    values.len()
                ))),
            }
        };
        let norms = (0..count)
            .map(|index| Ok(norm(&fetch(index)?)))
            .collect::<Result<Vec<f64>>>()?;
        let scales = clip_scales(&norms, norm_clip_ppm);
        let mut mean = vec![0f32; len];
        for (index, &scale) in scales.iter().enumerate() {
            for (sum, value) in mean.iter_mut().zip(fetch(index)?) {
                *sum += scale * value;
            }
        }
        let count = count as f32;
        for value in &mut mean {
            *value /= count;
        }
        if mean.iter().any(|value| !value.is_finite()) {
            return Err(TrainingError::Gradient(
                "the members' mean is not finite".into(),
            ));
        }
        let part = |ppm: u32| (f64::from(ppm) / 1e6) as f32;
        let (rate, keep) = (part(outer.rate_ppm), part(outer.momentum_ppm));
        let moving = self.params.iter_mut().zip(&mut self.momentum);
        for ((param, momentum), g) in moving.zip(mean) {
            *momentum = keep * *momentum + g;
            let step = if outer.nesterov {
                keep * *momentum + g
            } else {
                *momentum
            };
            *param -= rate * step;
        }
        Ok(norms
            .into_iter()
            .zip(scales)
            .map(|(norm, scale)| Share { norm, scale })
            .collect())
    }
}

/// Euclidean norm, summed in order in f64.
pub fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|x| f64::from(*x) * f64::from(*x))
        .sum::<f64>()
        .sqrt()
}

/// What each of `norms` is scaled by so that none exceeds `clip_ppm` millionths of their median (the lower one of an even
/// number). 0 clips nothing.
pub fn clip_scales(norms: &[f64], clip_ppm: u32) -> Vec<f32> {
    let mut sorted = norms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0);
    let most = median * f64::from(clip_ppm) / 1e6;
    norms
        .iter()
        .map(|&norm| {
            if clip_ppm > 0 && norm > most {
                (most / norm) as f32
            } else {
                1.0
            }
        })
        .collect()
}

/// Agreed weights minus a member's own.
///
/// # Errors
/// They are of different lengths.
pub fn pseudo_gradient(agreed: &[f32], own: &[f32]) -> Result<Vec<f32>> {
    if agreed.len() != own.len() {
        return Err(TrainingError::Gradient(format!(
            "{} agreed weights, {} of the member",
            agreed.len(),
            own.len()
        )));
    }
    Ok(agreed.iter().zip(own).map(|(a, b)| a - b).collect())
}
