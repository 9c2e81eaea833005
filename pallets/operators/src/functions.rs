//! What the calls do, and lookups.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use chasqui_primitives::window::Window;
use frame_support::traits::{
    fungible::hold::{Inspect as _, Mutate as _},
    tokens::Precision,
};
use sp_runtime::{traits::Saturating, Perbill};

impl<T: Config> Pallet<T> {
    /// The operator that `signer` is, or signs for.
    pub(crate) fn resolve(signer: &T::AccountId) -> Option<T::AccountId> {
        if Operators::<T>::contains_key(signer) {
            return Some(signer.clone());
        }
        HotKeys::<T>::get(signer)
    }

    pub(crate) fn ensure_operator_or_hot_key(
        origin: OriginFor<T>,
    ) -> Result<T::AccountId, DispatchError> {
        let signer = ensure_signed(origin)?;
        Self::resolve(&signer).ok_or(Error::<T>::NotOperator.into())
    }

    /// Changes an operator's record.
    pub(crate) fn try_mutate<R>(
        operator: &T::AccountId,
        change: impl FnOnce(&mut OperatorOf<T>) -> Result<R, DispatchError>,
    ) -> Result<R, DispatchError> {
        Operators::<T>::try_mutate(operator, |record| {
            change(record.as_mut().ok_or(Error::<T>::NotOperator)?)
        })
    }

    /// An operator's bond, in planck.
    pub(crate) fn bond(operator: &T::AccountId) -> Balance {
        T::NativeBalance::balance_on_hold(&HoldReason::Bond.into(), operator)
    }

    /// Whether an operator may be drawn now.
    pub(crate) fn is_active(
        operator: &T::AccountId,
        record: &OperatorOf<T>,
        params: &Params,
    ) -> bool {
        matches!(record.status, Status::Active) && Self::bond(operator) >= params.minimum_bond
    }

    pub(crate) fn operator_info(
        operator: &T::AccountId,
    ) -> Option<OperatorInfo<T::AccountId, BlockNumberFor<T>>> {
        let record = Operators::<T>::get(operator)?;
        let params = Parameters::<T>::get();
        let bond = Self::bond(operator);
        let active = Self::is_active(operator, &record, &params);
        Some(OperatorInfo {
            account: operator.clone(),
            bond,
            weight: if active {
                params.weight(record.capacity, bond)
            } else {
                0
            },
            reputation: params.reputation(record.reputation),
            active,
            record,
        })
    }

    /// Reputation as a share of a full one; nothing for strangers.
    pub(crate) fn reputation_of(operator: &T::AccountId) -> Perbill {
        Operators::<T>::get(operator)
            .map(|record| Parameters::<T>::get().reputation(record.reputation))
            .unwrap_or_default()
    }

    /// `hot_key` must be nobody else's, and no other operator itself.
    fn ensure_hot_key_free(operator: &T::AccountId, hot_key: &T::AccountId) -> DispatchResult {
        ensure!(
            !HotKeys::<T>::contains_key(hot_key),
            Error::<T>::HotKeyTaken
        );
        ensure!(
            hot_key == operator || !Operators::<T>::contains_key(hot_key),
            Error::<T>::HotKeyTaken
        );
        Ok(())
    }

    fn ensure_capacity(capacity: u32) -> DispatchResult {
        ensure!(
            capacity > 0 && capacity <= Parameters::<T>::get().max_capacity,
            Error::<T>::InvalidCapacity
        );
        Ok(())
    }

    pub(crate) fn do_register(
        operator: T::AccountId,
        bond: Balance,
        hot_key: T::AccountId,
        roles: Roles,
        capacity: u32,
        endpoint: Endpoint,
        owner: Option<T::AccountId>,
    ) -> DispatchResult {
        ensure!(
            !Operators::<T>::contains_key(&operator),
            Error::<T>::AlreadyRegistered
        );
        ensure!(!HotKeys::<T>::contains_key(&operator), Error::<T>::IsHotKey);
        Self::ensure_hot_key_free(&operator, &hot_key)?;
        ensure!(roles.any(), Error::<T>::NoRole);
        Self::ensure_capacity(capacity)?;
        ensure!(endpoint.is_valid(), Error::<T>::InvalidEndpoint);
        ensure!(
            bond >= Parameters::<T>::get().minimum_bond,
            Error::<T>::BondTooLow
        );
        ensure!(
            Operators::<T>::count() < T::MaxOperators::get(),
            Error::<T>::TooManyOperators
        );
        let owner = owner.unwrap_or_else(|| operator.clone());
        if owner != operator {
            let approved = OwnerApprovals::<T>::take(&owner);
            ensure!(
                approved.as_ref() == Some(&operator),
                Error::<T>::OwnerNotApproved
            );
        }
        T::NativeBalance::hold(&HoldReason::Bond.into(), &operator, bond)?;

        HotKeys::<T>::insert(&hot_key, &operator);
        OperatorsOfOwner::<T>::insert(&owner, &operator, ());
        Operators::<T>::insert(
            &operator,
            Operator {
                owner: owner.clone(),
                hot_key: hot_key.clone(),
                roles,
                capacity,
                endpoint,
                checkpoints: Default::default(),
                reputation: 0,
                valid_units: 0,
                last_step: None,
                duties: Window::default(),
                audits: Window::default(),
                status: Status::Active,
                liabilities: 0,
            },
        );
        Self::deposit_event(Event::Registered {
            operator,
            owner,
            hot_key,
            bond,
        });
        Ok(())
    }

    pub(crate) fn do_bond_extra(operator: T::AccountId, amount: Balance) -> DispatchResult {
        let record = Operators::<T>::get(&operator).ok_or(Error::<T>::NotOperator)?;
        ensure!(
            !matches!(record.status, Status::Unbonding { .. }),
            Error::<T>::Unbonding
        );
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        T::NativeBalance::hold(&HoldReason::Bond.into(), &operator, amount)?;
        let bond = Self::bond(&operator);
        Self::deposit_event(Event::BondIncreased {
            operator,
            amount,
            bond,
        });
        Ok(())
    }

    pub(crate) fn do_set_hot_key(operator: T::AccountId, hot_key: T::AccountId) -> DispatchResult {
        Self::try_mutate(&operator, |record| {
            Self::ensure_hot_key_free(&operator, &hot_key)?;
            HotKeys::<T>::remove(&record.hot_key);
            HotKeys::<T>::insert(&hot_key, &operator);
            record.hot_key = hot_key.clone();
            Ok(())
        })?;
        Self::deposit_event(Event::HotKeySet { operator, hot_key });
        Ok(())
    }

    pub(crate) fn do_resign_hot_key(hot_key: T::AccountId) -> DispatchResult {
        let operator = HotKeys::<T>::get(&hot_key).ok_or(Error::<T>::NotHotKey)?;
        ensure!(operator != hot_key, Error::<T>::NotHotKey);
        // No other operator can have named a bonded account as its hot key, so this one is free.
        let own = operator.clone();
        Self::do_set_hot_key(operator, own)
    }

    pub(crate) fn do_set_endpoint(operator: T::AccountId, endpoint: Endpoint) -> DispatchResult {
        ensure!(endpoint.is_valid(), Error::<T>::InvalidEndpoint);
        Self::try_mutate(&operator, |record| {
            record.endpoint = endpoint.clone();
            Ok(())
        })?;
        Self::deposit_event(Event::EndpointSet { operator, endpoint });
        Ok(())
    }

    pub(crate) fn do_serve(operator: T::AccountId, checkpoint: CheckpointRoot) -> DispatchResult {
        Self::try_mutate(&operator, |record| {
            ensure!(
                !matches!(record.status, Status::Unbonding { .. }),
                Error::<T>::Unbonding
            );
            ensure!(
                !record.checkpoints.contains(&checkpoint),
                Error::<T>::AlreadyServing
            );
            record
                .checkpoints
                .try_push(checkpoint)
                .map_err(|_| Error::<T>::TooManyCheckpoints.into())
        })?;
        Servers::<T>::insert(checkpoint, &operator, ());
        ServerCount::<T>::mutate(checkpoint, |count| {
            *count = Some(count.unwrap_or(0).saturating_add(1));
        });
        Self::deposit_event(Event::ServingStarted {
            operator,
            checkpoint,
        });
        Ok(())
    }

    pub(crate) fn do_unserve(operator: T::AccountId, checkpoint: CheckpointRoot) -> DispatchResult {
        Self::try_mutate(&operator, |record| {
            let before = record.checkpoints.len();
            record.checkpoints.retain(|served| *served != checkpoint);
            ensure!(record.checkpoints.len() < before, Error::<T>::NotServing);
            Ok(())
        })?;
        Self::remove_server(&operator, &checkpoint);
        Self::deposit_event(Event::ServingStopped {
            operator,
            checkpoint,
        });
        Ok(())
    }

    /// Takes an operator off a checkpoint's list. Without a server a checkpoint has no index to draw from; what was frozen
    /// in earlier epochs stays for the cases that refer to it.
    fn remove_server(operator: &T::AccountId, checkpoint: &CheckpointRoot) {
        Servers::<T>::remove(checkpoint, operator);
        let left = ServerCount::<T>::get(checkpoint)
            .unwrap_or(0)
            .saturating_sub(1);
        if left > 0 {
            ServerCount::<T>::insert(checkpoint, left);
        } else {
            ServerCount::<T>::remove(checkpoint);
            LatestIndex::<T>::remove(Role::Compute, checkpoint);
            LatestIndex::<T>::remove(Role::Validate, checkpoint);
        }
    }

    pub(crate) fn do_set_capacity(operator: T::AccountId, capacity: u32) -> DispatchResult {
        Self::ensure_capacity(capacity)?;
        Self::try_mutate(&operator, |record| {
            record.capacity = capacity;
            Ok(())
        })?;
        Self::deposit_event(Event::CapacitySet { operator, capacity });
        Ok(())
    }

    pub(crate) fn do_set_roles(operator: T::AccountId, roles: Roles) -> DispatchResult {
        ensure!(roles.any(), Error::<T>::NoRole);
        Self::try_mutate(&operator, |record| {
            record.roles = roles;
            Ok(())
        })?;
        Self::deposit_event(Event::RolesSet { operator, roles });
        Ok(())
    }

    pub(crate) fn do_unbond(operator: T::AccountId) -> DispatchResult {
        let blocks: BlockNumberFor<T> = Parameters::<T>::get().unbonding_blocks.into();
        let until = frame_system::Pallet::<T>::block_number().saturating_add(blocks);
        Self::try_mutate(&operator, |record| {
            ensure!(
                !matches!(record.status, Status::Unbonding { .. }),
                Error::<T>::Unbonding
            );
            record.status = Status::Unbonding { until };
            Ok(())
        })?;
        Self::deposit_event(Event::UnbondingStarted { operator, until });
        Ok(())
    }

    /// Returns how many checkpoints it served.
    pub(crate) fn do_withdraw(operator: T::AccountId) -> Result<u32, DispatchError> {
        let record = Operators::<T>::get(&operator).ok_or(Error::<T>::NotOperator)?;
        let Status::Unbonding { until } = record.status else {
            return Err(Error::<T>::NotUnbonding.into());
        };
        ensure!(
            frame_system::Pallet::<T>::block_number() >= until,
            Error::<T>::StillUnbonding
        );
        ensure!(record.liabilities == 0, Error::<T>::HasLiabilities);
        let amount =
            T::NativeBalance::release_all(&HoldReason::Bond.into(), &operator, Precision::Exact)?;
        for checkpoint in &record.checkpoints {
            Self::remove_server(&operator, checkpoint);
        }
        HotKeys::<T>::remove(&record.hot_key);
        OperatorsOfOwner::<T>::remove(&record.owner, &operator);
        Operators::<T>::remove(&operator);
        T::OnOperatorLeft::on_operator_left(&operator);
        Self::deposit_event(Event::Withdrawn { operator, amount });
        Ok(record.checkpoints.len() as u32)
    }

    pub(crate) fn do_unjail(operator: T::AccountId) -> DispatchResult {
        ensure!(
            Self::bond(&operator) >= Parameters::<T>::get().minimum_bond,
            Error::<T>::BondTooLow
        );
        let epoch = CurrentEpoch::<T>::get().index;
        Self::try_mutate(&operator, |record| {
            let Status::Jailed { until } = record.status else {
                return Err(Error::<T>::NotJailed.into());
            };
            ensure!(epoch >= until, Error::<T>::StillJailed);
            record.status = Status::Active;
            Ok(())
        })?;
        Self::deposit_event(Event::Unjailed { operator });
        Ok(())
    }
}
