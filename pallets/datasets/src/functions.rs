//! What calls do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use frame_support::traits::{
    fungible::hold::Mutate as HoldMutate,
    tokens::{Fortitude, Precision, Restriction},
};

/// Most numbers that one look-up of datasets passes over.
const NUMBERS_LOOKED_AT: u32 = 1_000;

impl<T: Config> Pallet<T> {
    pub(crate) fn now() -> BlockNumberFor<T> {
        frame_system::Pallet::<T>::block_number()
    }

    pub(crate) fn registered(id: DatasetId) -> Result<DatasetOf<T>, DispatchError> {
        Ok(Registry::<T>::get(id).ok_or(Error::<T>::NoSuchDataset)?)
    }

    pub(crate) fn registered_from(
        from: DatasetId,
        limit: u32,
    ) -> DatasetList<T::AccountId, BlockNumberFor<T>> {
        let end = NextDataset::<T>::get().min(from.saturating_add(NUMBERS_LOOKED_AT));
        (from..end)
            .filter_map(|id| Some((id, Registry::<T>::get(id)?)))
            .take(limit as usize)
            .collect()
    }

    pub(crate) fn do_submit(
        submitter: T::AccountId,
        root: H256,
        terms: DatasetTerms,
        licence: Licence,
        description: Description,
    ) -> DispatchResult {
        ensure!(
            !Roots::<T>::contains_key(root),
            Error::<T>::AlreadySubmitted
        );
        ensure!(terms.is_consistent(), Error::<T>::InconsistentTerms);
        ensure!(is_licence(&licence), Error::<T>::InvalidLicence);
        ensure!(is_description(&description), Error::<T>::InvalidDescription);
        // What a hot key earns, the operator that it signs for could not claim.
        let stands_for = T::Operators::by_signer(&submitter);
        ensure!(
            stands_for.is_none_or(|operator| operator == submitter),
            Error::<T>::HotKey
        );
        let id = NextDataset::<T>::get();
        let entry = Undecided {
            dataset: id,
            failed: 0,
            wait: Wait::Draw {
                due: T::Randomness::next_due(),
            },
        };
        UndecidedDatasets::<T>::try_append(entry).map_err(|()| Error::<T>::TooManyUndecided)?;
        let deposit = Parameters::<T>::get().deposit_for(terms.bytes);
        T::NativeBalance::hold(&HoldReason::Submission.into(), &submitter, deposit)?;
        NextDataset::<T>::put(id.saturating_add(1));
        Roots::<T>::insert(root, id);
        let dataset = Dataset {
            root,
            submitter: submitter.clone(),
            terms,
            licence,
            description,
            deposit,
            submitted_at: Self::now(),
            status: Status::Undecided,
            runs: 0,
        };
        Registry::<T>::insert(id, dataset);
        Self::deposit_event(Event::Submitted {
            dataset: id,
            root,
            submitter,
            deposit,
        });
        Ok(())
    }

    pub(crate) fn do_withdraw(who: T::AccountId, id: DatasetId) -> DispatchResult {
        let dataset = Self::registered(id)?;
        ensure!(dataset.submitter == who, Error::<T>::NotTheSubmitter);
        ensure!(dataset.runs == 0, Error::<T>::InUse);
        if dataset.status == Status::Undecided {
            let in_case = UndecidedDatasets::<T>::get()
                .iter()
                .any(|entry| entry.dataset == id && matches!(entry.wait, Wait::Case(_)));
            ensure!(!in_case, Error::<T>::InAudit);
            Self::decided(id);
        }
        let root = dataset.root;
        Self::remove(id, dataset)?;
        Self::deposit_event(Event::Withdrawn { dataset: id, root });
        Ok(())
    }

    pub(crate) fn do_delist(id: DatasetId) -> DispatchResult {
        let mut dataset = Self::registered(id)?;
        ensure!(dataset.status == Status::Usable, Error::<T>::NotUsable);
        let root = dataset.root;
        if dataset.runs == 0 {
            Self::remove(id, dataset)?;
        } else {
            dataset.status = Status::Leaving;
            Registry::<T>::insert(id, dataset);
        }
        Self::deposit_event(Event::Delisted { dataset: id, root });
        Ok(())
    }

    /// Takes a dataset off the list of the undecided.
    pub(crate) fn decided(id: DatasetId) {
        UndecidedDatasets::<T>::mutate(|list| list.retain(|entry| entry.dataset != id));
    }

    /// Forgets a dataset; what is left of its deposit returns.
    pub(crate) fn remove(id: DatasetId, dataset: DatasetOf<T>) -> DispatchResult {
        T::NativeBalance::release(
            &HoldReason::Submission.into(),
            &dataset.submitter,
            dataset.deposit,
            Precision::Exact,
        )?;
        Roots::<T>::remove(dataset.root);
        Registry::<T>::remove(id);
        Ok(())
    }

    /// Moves up to `amount` of a deposit to the reserve. Returns how much: nothing where the reserve cannot hold it.
    pub(crate) fn take_deposit(dataset: &mut DatasetOf<T>, amount: Balance) -> Balance {
        let amount = amount.min(dataset.deposit);
        if amount == 0 {
            return 0;
        }
        let moved = frame_support::storage::with_storage_layer(|| {
            T::NativeBalance::transfer_on_hold(
                &HoldReason::Submission.into(),
                &dataset.submitter,
                &T::Reserve::get(),
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
        })
        .unwrap_or(0);
        dataset.deposit = dataset.deposit.saturating_sub(moved);
        moved
    }
}
