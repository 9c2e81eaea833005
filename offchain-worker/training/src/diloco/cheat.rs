//! How a member would cheat: for tests of a whole network, which catches each. Never on by default.

use std::ops::ControlFlow;

use super::dataset::Dataset;
use super::inner::Inner;
use super::plan::RoundPlan;
use super::state::TrainState;
use crate::error::Result;
use crate::optim::AdamW;
use crate::rng::CounterRng;
use crate::train::StepReport;

/// How far made-up weights lie from those that they are made of, at the most.
const NOISE: f32 = 1e-2;
/// By how much a scaled pseudo-gradient is longer.
const SCALE: f32 = 10.0;

/// One way to be paid for training that was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// Makes weights up.
    RandomWeights,
    /// Stops after the first segment and hands in the weights of then.
    EarlierWeights,
    /// Trains on another member's part of the data, which may lie ready.
    OtherData,
    /// Takes every other step.
    HalfSteps,
    /// Trains, and sends a pseudo-gradient that counts for ten.
    ScaledGradient,
}

impl Cheat {
    /// The segment `from..to` of a round as the cheat would have it: at the step and cursor of an honest one.
    pub(super) fn segment(
        self,
        inner: &mut Inner,
        state: TrainState,
        plan: &RoundPlan,
        dataset: &Dataset,
        (from, to): (u32, u32),
        on_step: &mut dyn FnMut(&StepReport) -> ControlFlow<()>,
    ) -> Result<TrainState> {
        let honest = |inner: &mut Inner, plan: &RoundPlan, state, until, on_step: &mut _| {
            inner.run(state, plan, dataset, from, until, on_step)
        };
        let steps = state.optimizer.steps().saturating_add(u64::from(to - from));
        let cursor = plan.cursor(inner.recipe(), to);
        let end = match self {
            Self::ScaledGradient => return honest(inner, plan, state, to, on_step),
            Self::OtherData => {
                let other = RoundPlan {
                    rank: (plan.rank + 1) % plan.members.max(1),
                    ..*plan
                };
                honest(inner, &other, state, to, on_step)?
            }
            Self::HalfSteps => honest(inner, plan, state, from + (to - from) / 2, on_step)?,
            Self::EarlierWeights if from == 0 => return honest(inner, plan, state, to, on_step),
            Self::EarlierWeights => state,
            Self::RandomWeights => {
                let mut rng = CounterRng::new(plan.first_sequence, u64::from(to), 0);
                let mut state = state;
                for weight in &mut state.params {
                    *weight += (rng.unit() as f32 - 0.5) * NOISE;
                }
                state
            }
        };
        let (first, second) = end.optimizer.moments();
        let (first, second) = (first.to_vec(), second.to_vec());
        Ok(TrainState {
            optimizer: AdamW::from_moments(inner.shape().optimizer, steps, first, second)?,
            next_sequence: cursor,
            ..end
        })
    }

    /// The weights whose distance from `agreed` is sent.
    pub(super) fn sent(self, agreed: &[f32], trained: &[f32]) -> Vec<f32> {
        let scale = match self {
            Self::ScaledGradient => SCALE,
            _ => 1.0,
        };
        let pairs = agreed.iter().zip(trained);
        pairs
            .map(|(before, after)| before + (after - before) * scale)
            .collect()
    }
}
