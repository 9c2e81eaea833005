//! What always holds.

use crate::*;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks that every complete census is the sum of its entries, and that nothing is kept that is forgotten.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let params = Parameters::<T>::get();
        ensure!(params.is_valid(), "parameters out of range");
        ensure!(Price::<T>::get() > 0, "compute for nothing");
        let oldest = Oldest::<T>::get();
        for (epoch, census) in Censuses::<T>::iter() {
            ensure!(epoch < NextEpoch::<T>::get(), "a census of the future");
            ensure!(epoch >= oldest, "a census that is forgotten");
            if epoch == oldest
                && Newest::<T>::get()
                    .is_some_and(|newest| newest > oldest.saturating_add(params.retention))
            {
                // It is being forgotten.
                continue;
            }
            Self::check_census(epoch, &census)?;
        }
        for (epoch, _) in Entries::<T>::iter_keys() {
            ensure!(epoch >= oldest, "an entry that is forgotten");
            let ongoing = Ongoing::<T>::get().is_some_and(|progress| progress.epoch == epoch);
            ensure!(
                ongoing || Censuses::<T>::contains_key(epoch),
                "an entry without a census"
            );
        }
        ensure!(
            Newest::<T>::get().is_none_or(Censuses::<T>::contains_key),
            "the newest census is missing"
        );
        ensure!(
            VotesSoFar::<T>::exists()
                == Ongoing::<T>::get().is_some_and(|progress| progress.stage == Stage::Gather),
            "votes are counted without a census"
        );
        Ok(())
    }

    fn check_census(epoch: EpochIndex, census: &Census) -> Result<(), TryRuntimeError> {
        let mut sums = Census {
            rho: census.rho,
            rho_of_epoch: census.rho_of_epoch,
            price: census.price,
            subsidy: census.subsidy,
            ..Default::default()
        };
        let mut voices = 0u64;
        let medians = census.medians();
        for entry in Entries::<T>::iter_prefix_values(epoch) {
            ensure!(entry.weight > 0, "an operator without weight");
            sums.weight = sums.weight.saturating_add(entry.weight);
            sums.bond = sums.bond.saturating_add(entry.bond);
            sums.operators = sums.operators.saturating_add(1);
            let fees = entry.credited_fees(&medians);
            ensure!(fees <= entry.fees, "more is credited than was earned");
            sums.credited_fees = sums.credited_fees.saturating_add(fees);
            voices = voices.saturating_add(entry.voice(census.rho).weight);
        }
        ensure!(sums == *census, "a census is not the sum of its entries");
        ensure!(voices <= census.weight, "more votes than weight");
        ensure!(
            census.subsidy <= census.credited_fees.saturating_mul(3),
            "more subsidy than three times the fees"
        );
        Ok(())
    }
}
