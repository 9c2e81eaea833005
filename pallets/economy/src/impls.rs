//! What other pallets see.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::{
    governance::Electorate,
    traits::{OnOperatorLeft, Standing, Voice},
};

impl<T: Config> Standing<T::AccountId> for Pallet<T> {
    fn electorate() -> Electorate {
        let newest = Newest::<T>::get();
        newest
            .and_then(|epoch| Some(Censuses::<T>::get(epoch)?.electorate(epoch)))
            .unwrap_or_default()
    }

    fn voice(epoch: EpochIndex, operator: &T::AccountId) -> Voice {
        let census = Censuses::<T>::get(epoch);
        census
            .and_then(|census| Some(Entries::<T>::get(epoch, operator)?.voice(census.rho)))
            .unwrap_or_default()
    }
}

impl<T: Config> OnOperatorLeft<T::AccountId> for Pallet<T> {
    /// Who has left has no vote on prices.
    fn on_operator_left(operator: &T::AccountId) {
        PriceVotes::<T>::remove(operator);
    }
}

/// The running price, for whoever sells compute.
impl<T: Config> Get<Balance> for Pallet<T> {
    fn get() -> Balance {
        Price::<T>::get()
    }
}
