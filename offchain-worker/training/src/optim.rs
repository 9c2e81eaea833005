//! AdamW, the learning-rate schedule and global-norm clipping on flat parameter vectors.
//!
//! Plain host arithmetic in a fixed order: the result does not depend on threads, and the whole
//! state is three vectors and a counter that can be hashed, stored and replayed.

use crate::error::{Result, TrainingError};
use crate::flat::Layout;

/// Settings of [`AdamW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the first moment, in `[0, 1)`.
    pub beta1: f32,
    /// Decay of the second moment, in `[0, 1)`.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay of matrices; a step multiplies them by `1 - lr * weight_decay`.
    pub weight_decay: f32,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.1,
        }
    }
}

/// AdamW (Loshchilov and Hutter, 2019) with bias correction.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    config: AdamWConfig,
    steps: u64,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl AdamW {
    /// Zero moments for `len` parameters.
    pub fn new(config: AdamWConfig, len: usize) -> Self {
        Self {
            config,
            steps: 0,
            first: vec![0.0; len],
            second: vec![0.0; len],
        }
    }

    /// Goes on after `steps` steps with the moments that they left.
    ///
    /// # Errors
    /// The moments are of different lengths.
    pub fn from_moments(
        config: AdamWConfig,
        steps: u64,
        first: Vec<f32>,
        second: Vec<f32>,
    ) -> Result<Self> {
        if first.len() != second.len() {
            return Err(TrainingError::Layout(format!(
                "{} first and {} second moments",
                first.len(),
                second.len()
            )));
        }
        Ok(Self {
            config,
            steps,
            first,
            second,
        })
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// First and second moments, in the order of the layout.
    pub fn moments(&self) -> (&[f32], &[f32]) {
        (&self.first, &self.second)
    }

    /// Moves `params` against `gradient` at the learning rate `lr`.
    ///
    /// # Errors
    /// A vector's length differs from the layout's; nothing is changed then.
    pub fn step(
        &mut self,
        layout: &Layout,
        params: &mut [f32],
        gradient: &[f32],
        lr: f64,
    ) -> Result<()> {
        if [params.len(), gradient.len(), self.first.len()]
            .iter()
            .any(|&len| len != layout.len())
        {
            return Err(TrainingError::Layout(format!(
                "{} parameters, {} gradients, {} moments for a layout of {}",
                params.len(),
                gradient.len(),
                self.first.len(),
                layout.len()
            )));
        }
        self.steps += 1;
        let AdamWConfig {
            beta1,
            beta2,
            epsilon,
            weight_decay,
        } = self.config;
        let steps = self.steps as f64;
        // Both bias corrections in f64: 1 - beta^t loses all its digits in f32 at small t. `libm` has the same bits on
        // every system, which the system's own functions do not promise.
        let correction1 = 1.0 - libm::pow(f64::from(beta1), steps);
        let correction2 = 1.0 - libm::pow(f64::from(beta2), steps);
        let rate = (lr / correction1) as f32;
        let root_correction = (1.0 / correction2.sqrt()) as f32;
        for entry in layout.entries() {
            let keep = if entry.decays() {
                1.0 - (lr * f64::from(weight_decay)) as f32
            } else {
                1.0
            };
            let range = entry.range.clone();
            let moments = self.first[range.clone()]
                .iter_mut()
                .zip(&mut self.second[range.clone()]);
            let values = params[range.clone()].iter_mut().zip(&gradient[range]);
            for ((param, &g), (m, v)) in values.zip(moments) {
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                *param = keep * *param - rate * *m / (v.sqrt() * root_correction + epsilon);
            }
        }
        Ok(())
    }
}

/// Linear warm-up to `peak`, then half a cosine down to `peak * floor` at the last step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineSchedule {
    /// Highest learning rate.
    pub peak: f64,
    /// Steps of warm-up.
    pub warmup: u64,
    /// Steps in all.
    pub steps: u64,
    /// Last learning rate as a share of the peak.
    pub floor: f64,
}

impl CosineSchedule {
    /// Learning rate of step `step`, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self
            .steps
            .saturating_sub(self.warmup)
            .saturating_sub(1)
            .max(1);
        let done = ((step - self.warmup) as f64 / span as f64).min(1.0);
        let cosine = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * done));
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}

/// Scales `gradient` so that its Euclidean norm over all parameters is at most `max_norm`;
/// returns the norm before that.
pub fn clip_global_norm(gradient: &mut [f32], max_norm: f64) -> f64 {
    let norm = gradient
        .iter()
        .map(|&g| f64::from(g) * f64::from(g))
        .sum::<f64>()
        .sqrt();
    if norm > max_norm {
        let scale = (max_norm / norm) as f32;
        gradient.iter_mut().for_each(|g| *g *= scale);
    }
    norm
}
