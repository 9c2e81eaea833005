//! The pallet as others see it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{Config, Pallet, Registry, Status};
use chasqui_primitives::{
    traits::{CheckpointTerms, Checkpoints},
    CheckpointRoot,
};
use frame_support::traits::Get;

impl<T: Config> Checkpoints for Pallet<T> {
    fn terms(root: &CheckpointRoot) -> Option<CheckpointTerms> {
        let checkpoint = Registry::<T>::get(root)?;
        if checkpoint.status != Status::Accepted {
            return None;
        }
        Some(CheckpointTerms {
            unit_price: T::UnitPrice::get(),
            units_per_prompt_token: checkpoint.info.units_per_prompt_token,
            units_per_output_token: checkpoint.info.units_per_output_token,
            context_tokens: checkpoint.info.context_tokens,
            vocabulary: checkpoint.info.vocabulary,
            profile: checkpoint.info.profile,
            thresholds: checkpoint.thresholds?,
            end_tokens: checkpoint.info.end_tokens,
            has_tokenizer: checkpoint.info.has_tokenizer,
        })
    }

    fn exists(root: &CheckpointRoot) -> bool {
        Registry::<T>::get(root).is_some_and(|checkpoint| checkpoint.status != Status::Retired)
    }
}
