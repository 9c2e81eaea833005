//! What other pallets see.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::{epochs::ANY_CHECKPOINT, *};
use alloc::{collections::BTreeSet, vec::Vec};
use chasqui_primitives::{
    draw,
    traits::{AuditRecord, Electorate, Enrolled, Epochs, Operators as OperatorsApi, Roll},
};
use sp_core::H256;
use sp_runtime::Perbill;

impl<T: Config> Pallet<T> {
    /// Everybody related to an account, itself included.
    fn relatives(account: &T::AccountId) -> BTreeSet<T::AccountId> {
        let (operator, owner) = Self::identity(account);
        let mut relatives: BTreeSet<_> = OperatorsOfOwner::<T>::iter_key_prefix(&owner).collect();
        relatives.extend(OperatorsOfOwner::<T>::iter_key_prefix(&operator));
        relatives.insert(operator);
        relatives.insert(owner);
        relatives
    }

    /// Whether an operator can be drawn in this role for a checkpoint.
    fn takes_part(
        operator: &T::AccountId,
        record: &OperatorOf<T>,
        role: Role,
        checkpoint: &CheckpointRoot,
        params: &Params,
    ) -> bool {
        record.roles.has(role)
            && (*checkpoint == ANY_CHECKPOINT || record.checkpoints.contains(checkpoint))
            && Self::is_active(operator, record, params)
    }

    /// The weights frozen at `epoch`, one by one, without those related to a party.
    fn frozen_voters(
        epoch: EpochIndex,
        checkpoint: &CheckpointRoot,
        parties: &[T::AccountId],
    ) -> Vec<(T::AccountId, u64)> {
        let relatives: BTreeSet<_> = parties.iter().flat_map(Self::relatives).collect();
        let mut before = 0u64;
        let mut voters = Vec::new();
        for (who, sum) in Indices::<T>::get((epoch, Role::Validate, *checkpoint)) {
            let weight = sum.saturating_sub(before);
            before = sum;
            if !relatives.contains(&who) {
                voters.push((who, weight));
            }
        }
        voters
    }

    /// Whether the checkpoint's frozen electorate has enough owners and enough of all validating weight.
    pub(crate) fn electorate_suffices(checkpoint: &CheckpointRoot) -> bool {
        let params = Parameters::<T>::get();
        let electorate = LatestIndex::<T>::get(Role::Validate, checkpoint).unwrap_or_default();
        let all = LatestIndex::<T>::get(Role::Validate, ANY_CHECKPOINT).unwrap_or_default();
        // An empty electorate decides nothing, however small its share may be.
        electorate.weight > 0
            && electorate.owners >= params.minimum_owners
            && electorate.weight >= params.minimum_electorate.mul_ceil(all.weight)
    }
}

impl<T: Config> Epochs for Pallet<T> {
    fn current() -> EpochIndex {
        CurrentEpoch::<T>::get().index
    }

    fn blocks() -> u32 {
        Parameters::<T>::get().epoch_blocks
    }
}

impl<T: Config> OperatorsApi<T::AccountId> for Pallet<T> {
    fn by_signer(signer: &T::AccountId) -> Option<T::AccountId> {
        Self::resolve(signer)
    }

    fn hot_key(operator: &T::AccountId) -> Option<T::AccountId> {
        Operators::<T>::get(operator).map(|record| record.hot_key)
    }

    fn owner(operator: &T::AccountId) -> Option<T::AccountId> {
        Operators::<T>::get(operator).map(|record| record.owner)
    }

    fn reputation(operator: &T::AccountId) -> Perbill {
        Self::reputation_of(operator)
    }

    fn serves(operator: &T::AccountId, role: Role, checkpoint: &CheckpointRoot) -> bool {
        let params = Parameters::<T>::get();
        Operators::<T>::get(operator)
            .is_some_and(|record| Self::takes_part(operator, &record, role, checkpoint, &params))
    }

    fn draw(
        role: Role,
        checkpoint: &CheckpointRoot,
        subseed: &H256,
        count: u32,
        eligible: &dyn Fn(&T::AccountId) -> bool,
    ) -> Vec<T::AccountId> {
        let Some(frozen) = LatestIndex::<T>::get(role, checkpoint) else {
            return Vec::new();
        };
        let index = Indices::<T>::get((frozen.epoch, role, *checkpoint));
        let params = Parameters::<T>::get();
        let available = |operator: &T::AccountId| {
            // First, so that whoever asks knows how many were looked at.
            if !eligible(operator) {
                return false;
            }
            Operators::<T>::get(operator).is_some_and(|record| {
                Self::takes_part(operator, &record, role, checkpoint, &params)
            })
        };
        draw::pick_distinct(&index, subseed, count, available)
            .into_iter()
            .filter_map(|position| index.get(position).map(|(operator, _)| operator.clone()))
            .collect()
    }

    fn electorate(checkpoint: &CheckpointRoot, parties: &[T::AccountId]) -> Electorate {
        let Some(frozen) = LatestIndex::<T>::get(Role::Validate, checkpoint) else {
            return Electorate::default();
        };
        let voters = Self::frozen_voters(frozen.epoch, checkpoint, parties);
        Electorate {
            epoch: frozen.epoch,
            weight: voters
                .iter()
                .fold(0, |sum: u64, (_, weight)| sum.saturating_add(*weight)),
            voters: voters.len() as u32,
        }
    }

    fn vote_weight(
        epoch: EpochIndex,
        checkpoint: &CheckpointRoot,
        parties: &[T::AccountId],
        voter: &T::AccountId,
    ) -> u64 {
        if parties.iter().any(|party| Self::are_related(party, voter)) {
            return 0;
        }
        let index = Indices::<T>::get((epoch, Role::Validate, *checkpoint));
        index
            .iter()
            .position(|(who, _)| who == voter)
            .map_or(0, |position| draw::weight_at(&index, position))
    }

    fn voters(
        epoch: EpochIndex,
        checkpoint: &CheckpointRoot,
        parties: &[T::AccountId],
    ) -> Vec<(T::AccountId, u64)> {
        Self::frozen_voters(epoch, checkpoint, parties)
    }

    fn can_take_payment(checkpoint: &CheckpointRoot) -> bool {
        Self::electorate_suffices(checkpoint)
    }

    fn record_duty(operator: &T::AccountId, kept: bool) {
        Self::do_record_duty(operator, kept);
    }

    fn record_audit(operator: &T::AccountId, record: AuditRecord) -> bool {
        Self::do_record_audit(operator, record)
    }

    fn slashable(operator: &T::AccountId, offence: Offence) -> Balance {
        Self::slash_amount(operator, offence)
    }

    fn slash(
        operator: &T::AccountId,
        offence: Offence,
        victim: Option<(&T::AccountId, Balance)>,
        reporter: Option<&T::AccountId>,
        auditors: &[T::AccountId],
    ) -> Balance {
        Self::do_slash(operator, offence, victim, reporter, auditors)
    }

    fn forfeit_lien(operator: &T::AccountId, amount: Balance, to: &[T::AccountId]) -> Balance {
        Self::do_forfeit_lien(operator, amount, to)
    }

    fn add_liability(operator: &T::AccountId) -> DispatchResult {
        Self::try_mutate(operator, |record| {
            record.liabilities = record.liabilities.saturating_add(1);
            Ok(())
        })
    }

    fn remove_liability(operator: &T::AccountId) {
        let _ = Self::try_mutate(operator, |record| {
            record.liabilities = record.liabilities.saturating_sub(1);
            Ok(())
        });
    }
}

impl<T: Config> Roll<T::AccountId> for Pallet<T> {
    fn after(last: Option<&T::AccountId>, count: u32) -> Vec<Enrolled<T::AccountId>> {
        let params = Parameters::<T>::get();
        let records: Vec<_> = match last {
            None => Operators::<T>::iter().take(count as usize).collect(),
            Some(last) => Operators::<T>::iter_from(Operators::<T>::hashed_key_for(last))
                .take(count as usize)
                .collect(),
        };
        records
            .into_iter()
            .map(|(operator, record)| {
                let bond = Self::bond(&operator);
                let active = Self::is_active(&operator, &record, &params);
                let weight = if active {
                    params.weight(record.capacity, bond)
                } else {
                    0
                };
                let drawn = if record.roles.compute {
                    draw::draw_weight(weight, params.reputation(record.reputation))
                } else {
                    0
                };
                Enrolled {
                    operator,
                    weight,
                    drawn,
                    bond,
                }
            })
            .collect()
    }
}
