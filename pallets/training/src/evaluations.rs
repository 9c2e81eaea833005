//! What validators say that checkpoints lose on held-out tokens.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::Role;
use frame_support::traits::fungible::hold::Mutate as _;

impl<T: Config> Pallet<T> {
    pub(crate) fn do_evaluate(
        by: T::AccountId,
        root: CheckpointRoot,
        dataset: H256,
        result: EvaluationResult,
    ) -> DispatchResult {
        ensure!(T::Checkpoints::exists(&root), Error::<T>::UnknownCheckpoint);
        ensure!(
            T::Operators::serves(&by, Role::Validate, &root),
            Error::<T>::NotServing
        );
        let terms = T::Datasets::usable(&dataset).ok_or(Error::<T>::UnusableDataset)?;
        ensure!(
            (1..=terms.held_out).contains(&result.tokens) && result.loss_micro <= MAX_LOSS_MICRO,
            Error::<T>::InvalidEvaluation
        );
        let mut list = Evaluations::<T>::get(root);
        let at = Self::now();
        let earlier = list
            .iter_mut()
            .find(|known| known.by == by && known.dataset == dataset);
        if let Some(known) = earlier {
            known.result = result;
            known.at = at;
        } else {
            let deposit = Parameters::<T>::get().evaluation_deposit;
            let evaluation = Evaluation {
                by: by.clone(),
                dataset,
                result,
                at,
                deposit,
            };
            list.try_push(evaluation)
                .map_err(|_| Error::<T>::TooManyEvaluations)?;
            T::NativeBalance::hold(&HoldReason::Evaluation.into(), &by, deposit)?;
        }
        Evaluations::<T>::insert(root, list);
        Self::deposit_event(Event::Evaluated {
            root,
            dataset,
            by,
            result,
        });
        Ok(())
    }

    pub(crate) fn do_withdraw_evaluation(
        by: T::AccountId,
        root: CheckpointRoot,
        dataset: H256,
    ) -> DispatchResult {
        let mut list = Evaluations::<T>::get(root);
        let position = list
            .iter()
            .position(|known| known.by == by && known.dataset == dataset)
            .ok_or(Error::<T>::NoSuchEvaluation)?;
        let Evaluation { deposit, .. } = list.remove(position);
        if list.is_empty() {
            Evaluations::<T>::remove(root);
        } else {
            Evaluations::<T>::insert(root, list);
        }
        Self::give_back(HoldReason::Evaluation, &by, deposit);
        Self::deposit_event(Event::EvaluationWithdrawn { root, dataset, by });
        Ok(())
    }
}
