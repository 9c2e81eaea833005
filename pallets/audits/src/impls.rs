//! The pallet as others see it.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{Config, Pallet, Parameters};
use chasqui_primitives::{
    traits::{CaseRequest, Cases},
    CaseId,
};
use sp_core::Get;
use sp_runtime::DispatchError;

impl<T: Config> Cases<T::AccountId> for Pallet<T> {
    fn seats() -> u32 {
        Parameters::<T>::get().seats.min(T::MaxSeats::get())
    }

    fn open(request: CaseRequest<T::AccountId>) -> Result<CaseId, DispatchError> {
        Self::do_open(request)
    }
}

impl<T: Config> Pallet<T> {
    /// Blocks within which every case ends under the present parameters. Unbonding must take
    /// longer.
    pub fn longest_case() -> u32 {
        Parameters::<T>::get().longest_case()
    }
}
