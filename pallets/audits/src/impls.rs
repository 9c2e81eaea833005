//! The pallet as others see it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{Config, Pallet, Parameters, Phase};
use chasqui_primitives::{
    draw::MAX_CANDIDATES,
    traits::{CaseRequest, Cases, Opened},
    CaseId,
};
use frame_support::weights::Weight;
use sp_core::Get;
use sp_runtime::DispatchError;

impl<T: Config> Cases<T::AccountId> for Pallet<T> {
    fn seats() -> u32 {
        Parameters::<T>::get().seats.min(T::MaxSeats::get())
    }

    fn open(request: CaseRequest<T::AccountId>) -> Result<Opened, DispatchError> {
        Self::do_open(request)
    }

    fn most_passed_over() -> Weight {
        Self::passed_over(MAX_CANDIDATES)
    }

    fn opening_demanded(case: CaseId) -> bool {
        crate::Cases::<T>::get(case).is_some_and(|case| matches!(case.phase, Phase::Opening { .. }))
    }
}

impl<T: Config> Pallet<T> {
    /// Blocks within which every case ends under the present parameters. Unbonding must take
    /// longer.
    pub fn longest_case() -> u32 {
        Parameters::<T>::get().longest_case()
    }
}
