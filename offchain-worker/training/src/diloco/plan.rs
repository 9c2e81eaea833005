//! A member's part of a round: pure arithmetic on what the chain fixed.

use chasqui_primitives::training::{Recipe, Shard};
use parity_scale_codec::{Decode, Encode};
use sp_core::H256;

use super::dataset::Dataset;
use crate::error::Result;

/// What the chain fixed for one member of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RoundPlan {
    /// The run's root, by which the dataset's sequences are shuffled.
    pub run: H256,
    /// The round, from 0.
    pub round: u32,
    /// Its seed, from which the kept steps follow.
    pub seed: H256,
    /// Members of the round.
    pub members: u32,
    /// This member's place among them, from 0.
    pub rank: u32,
    /// Sequences that the run consumed before the round.
    pub first_sequence: u64,
}

impl RoundPlan {
    /// The member's part of the round's data.
    pub fn shard(&self, recipe: &Recipe) -> Shard {
        recipe.shard(self.first_sequence, self.members, self.rank)
    }

    /// Steps after which a state is kept: 0, drawn ones, the last.
    pub fn kept_steps(&self, recipe: &Recipe) -> Vec<u32> {
        recipe.kept_steps(&self.seed)
    }

    /// The run's data cursor before inner step `step`.
    pub fn cursor(&self, recipe: &Recipe, step: u32) -> u64 {
        self.shard(recipe).cursor(step)
    }

    /// The step of the run's schedule that inner step `step` is.
    pub fn schedule_step(&self, recipe: &Recipe, step: u32) -> u64 {
        u64::from(self.round)
            .saturating_mul(u64::from(recipe.inner_steps))
            .saturating_add(u64::from(step))
    }

    /// The sequences that the member trains on in inner step `step`.
    ///
    /// # Errors
    /// The dataset cannot be read.
    pub fn batch(&self, recipe: &Recipe, dataset: &Dataset, step: u32) -> Result<Vec<Vec<u32>>> {
        let total = dataset.header().sequences(recipe.sequence);
        self.shard(recipe)
            .sequences(&self.run, step, total)
            .into_iter()
            .map(|index| dataset.sequence(index, recipe.sequence))
            .collect()
    }
}
