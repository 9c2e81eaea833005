//! What always holds.

use crate::*;
use chasqui_primitives::draw;
use frame_support::ensure;
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks every invariant of the registry.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_params()?;
        Self::check_operators()?;
        Self::check_servers()?;
        Self::check_indices()
    }

    pub(crate) fn check_params() -> Result<(), TryRuntimeError> {
        ensure!(
            Parameters::<T>::get().is_valid(T::NativeBalance::minimum_balance()),
            "parameters do not fit together"
        );
        Ok(())
    }

    /// Hot keys and owners lead to the operators that name them, and nowhere else.
    pub(crate) fn check_operators() -> Result<(), TryRuntimeError> {
        let mut count = 0u32;
        for (operator, record) in Operators::<T>::iter() {
            count = count.saturating_add(1);
            ensure!(
                HotKeys::<T>::get(&record.hot_key).as_ref() == Some(&operator),
                "an operator's hot key does not lead to it"
            );
            ensure!(
                record.hot_key == operator || !Operators::<T>::contains_key(&record.hot_key),
                "a hot key is another operator"
            );
            ensure!(
                OperatorsOfOwner::<T>::contains_key(&record.owner, &operator),
                "an owner does not lead to its operator"
            );
            ensure!(record.roles.any(), "an operator without a role");
            ensure!(
                record
                    .checkpoints
                    .iter()
                    .all(|c| Servers::<T>::contains_key(c, &operator)),
                "a served checkpoint does not list its server"
            );
        }
        ensure!(
            count == Operators::<T>::count(),
            "the operators are miscounted"
        );
        ensure!(
            count <= T::MaxOperators::get(),
            "more operators than there can be"
        );
        ensure!(
            HotKeys::<T>::iter().count() as u32 == count,
            "a hot key without an operator"
        );
        ensure!(
            OperatorsOfOwner::<T>::iter().count() as u32 == count,
            "an owner of an operator that is none"
        );
        Ok(())
    }

    /// Servers and their counts are what the operators declare.
    pub(crate) fn check_servers() -> Result<(), TryRuntimeError> {
        let declared: usize = Operators::<T>::iter_values()
            .map(|r| r.checkpoints.len())
            .sum();
        ensure!(
            Servers::<T>::iter().count() == declared,
            "a server that does not declare its checkpoint"
        );
        let mut counted = 0usize;
        for (checkpoint, count) in ServerCount::<T>::iter() {
            ensure!(count > 0, "a checkpoint without servers is counted");
            ensure!(
                Servers::<T>::iter_key_prefix(checkpoint).count() == count as usize,
                "the servers of a checkpoint are miscounted"
            );
            counted = counted.saturating_add(count as usize);
        }
        ensure!(counted == declared, "a served checkpoint is not counted");
        Ok(())
    }

    /// Frozen weights ascend, and their figures are theirs.
    pub(crate) fn check_indices() -> Result<(), TryRuntimeError> {
        let current = CurrentEpoch::<T>::get().index;
        for ((epoch, _, _), index) in Indices::<T>::iter() {
            ensure!(epoch <= current, "an index of an epoch to come");
            ensure!(
                epoch >= OldestIndex::<T>::get(),
                "an index that was to be removed"
            );
            let ascending = index.windows(2).all(|pair| match pair {
                [(_, a), (_, b)] => a < b,
                _ => true,
            });
            ensure!(ascending, "cumulative weights do not ascend");
            ensure!(
                index.first().is_none_or(|(_, sum)| *sum > 0),
                "an index of no weight"
            );
        }
        for (role, checkpoint, frozen) in LatestIndex::<T>::iter() {
            let index = Indices::<T>::get((frozen.epoch, role, checkpoint));
            ensure!(
                draw::total_weight(&index) == frozen.weight
                    && index.len() == frozen.operators as usize,
                "the figures of an index are not its own"
            );
            ensure!(
                frozen.owners <= frozen.operators,
                "more owners than operators"
            );
        }
        Ok(())
    }
}
