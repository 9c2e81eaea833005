//! Standing and penalties.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use alloc::vec::Vec;
use chasqui_primitives::{
    money,
    traits::{AuditRecord, Operators as _},
    window,
};
use frame_support::{
    storage::with_storage_layer,
    traits::{
        fungible::hold::Mutate as _,
        tokens::{Fortitude, Precision, Restriction},
    },
};

impl<T: Config> Pallet<T> {
    /// Who stands behind an account: the operator that it is or signs for, and that one's owner. A stranger stands for
    /// itself.
    pub(crate) fn identity(account: &T::AccountId) -> (T::AccountId, T::AccountId) {
        let operator = Self::resolve(account).unwrap_or_else(|| account.clone());
        let owner = Operators::<T>::get(&operator)
            .map(|record| record.owner)
            .unwrap_or_else(|| operator.clone());
        (operator, owner)
    }

    /// What `offence` takes of the operator's bond now.
    pub(crate) fn slash_amount(operator: &T::AccountId, offence: Offence) -> Balance {
        let share = Parameters::<T>::get().penalty(offence).slash;
        share.mul_ceil(Self::bond(operator))
    }

    /// Moves up to `amount` of an operator's bond to `to`. Returns what was moved: nothing where the account cannot hold
    /// so little.
    fn pay_from_bond(operator: &T::AccountId, to: &T::AccountId, amount: Balance) -> Balance {
        if amount == 0 {
            return 0;
        }
        with_storage_layer(|| {
            T::NativeBalance::transfer_on_hold(
                &HoldReason::Bond.into(),
                operator,
                to,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
        })
        .unwrap_or(0)
    }

    /// Pays `each` planck of an operator's bond to each of `to`. Returns the sum.
    fn pay_each(operator: &T::AccountId, to: &[T::AccountId], each: Balance) -> Balance {
        to.iter().fold(0, |sum: Balance, account| {
            let (_, owner) = Self::identity(account);
            sum.saturating_add(Self::pay_from_bond(operator, &owner, each))
        })
    }

    /// Those of `accounts` who are not related to the operator.
    fn unrelated(operator: &T::AccountId, accounts: &[T::AccountId]) -> Vec<T::AccountId> {
        accounts
            .iter()
            .filter(|account| !Self::are_related(operator, account))
            .cloned()
            .collect()
    }

    pub(crate) fn do_slash(
        operator: &T::AccountId,
        offence: Offence,
        victim: Option<(&T::AccountId, Balance)>,
        reporter: Option<&T::AccountId>,
        auditors: &[T::AccountId],
    ) -> Balance {
        if !Operators::<T>::contains_key(operator) {
            return 0;
        }
        let amount = Self::slash_amount(operator, offence);
        let victim = victim.filter(|(account, _)| !Self::are_related(operator, account));
        let reporter = reporter.filter(|account| !Self::are_related(operator, account));
        let auditors = Self::unrelated(operator, auditors);
        let split = money::split_slash(
            amount,
            victim.map_or(0, |(_, loss)| loss),
            auditors.len() as u32,
            reporter.is_some(),
        );
        let to_victim = victim.map_or(0, |(to, _)| Self::pay_from_bond(operator, to, split.victim));
        let to_reporter = reporter.map_or(0, |account| {
            let (_, owner) = Self::identity(account);
            Self::pay_from_bond(operator, &owner, split.reporter)
        });
        let to_auditors = Self::pay_each(operator, &auditors, split.auditors_each);
        let paid = to_victim
            .saturating_add(to_reporter)
            .saturating_add(to_auditors);
        let to_reserve = Self::pay_from_bond(
            operator,
            &T::ReserveAccount::get(),
            amount.saturating_sub(paid),
        );
        let amount = paid.saturating_add(to_reserve);
        Self::deposit_event(Event::Slashed {
            operator: operator.clone(),
            offence,
            amount,
            to_victim,
            to_reporter,
            to_auditors,
            to_reserve,
        });
        if offence == Offence::FalseResult {
            Self::lose_reputation(operator);
        }
        Self::jail(operator, offence);
        amount
    }

    pub(crate) fn do_forfeit_lien(
        operator: &T::AccountId,
        amount: Balance,
        to: &[T::AccountId],
    ) -> Balance {
        let amount = amount.min(Self::bond(operator));
        let to = Self::unrelated(operator, to);
        let each = amount.checked_div(to.len() as Balance).unwrap_or(0);
        let paid = Self::pay_each(operator, &to, each);
        let rest = amount.saturating_sub(paid);
        let rest = Self::pay_from_bond(operator, &T::ReserveAccount::get(), rest);
        let amount = paid.saturating_add(rest);
        if amount > 0 {
            Self::deposit_event(Event::LienForfeited {
                operator: operator.clone(),
                amount,
            });
        }
        amount
    }

    /// Jails for as long as `offence` costs; whoever is leaving keeps leaving.
    fn jail(operator: &T::AccountId, offence: Offence) {
        let epochs = Parameters::<T>::get().penalty(offence).jail_epochs;
        if epochs == 0 {
            return;
        }
        let mut until = CurrentEpoch::<T>::get().index.saturating_add(epochs);
        let jailed = Self::try_mutate(operator, |record| {
            match record.status {
                Status::Unbonding { .. } => return Err(Error::<T>::Unbonding.into()),
                Status::Jailed { until: before } => until = until.max(before),
                Status::Active => {}
            }
            record.status = Status::Jailed { until };
            Ok(())
        });
        if jailed.is_ok() {
            Self::deposit_event(Event::Jailed {
                operator: operator.clone(),
                until,
            });
        }
    }

    fn lose_reputation(operator: &T::AccountId) {
        let lost = Self::try_mutate(operator, |record| {
            let had = record.reputation > 0;
            record.reputation = 0;
            record.valid_units = 0;
            Ok(had)
        });
        if lost == Ok(true) {
            let operator = operator.clone();
            Self::deposit_event(Event::ReputationChanged { operator, steps: 0 });
        }
    }

    pub(crate) fn do_record_duty(operator: &T::AccountId, kept: bool) {
        let params = Parameters::<T>::get();
        let missed = Self::try_mutate(operator, |record| {
            record.duties.push(!kept);
            let counts = (record.duties.bad(), record.duties.len());
            let significant = !kept
                && window::is_significant(&record.duties, params.duty_rate, params.duty_alpha_ppb);
            if significant {
                record.duties.reset();
            }
            Ok((counts, significant))
        });
        let Ok(((missed, duties), significant)) = missed else {
            return;
        };
        if !kept {
            let operator = operator.clone();
            Self::deposit_event(Event::DutyMissed {
                operator,
                missed,
                duties,
            });
        }
        if significant {
            Self::do_slash(operator, Offence::MissedDuties, None, None, &[]);
        }
    }

    pub(crate) fn do_record_audit(operator: &T::AccountId, record: AuditRecord) -> bool {
        match record {
            AuditRecord::Valid { units } => {
                Self::record_valid(operator, units);
                false
            }
            AuditRecord::Soft => Self::record_soft(operator),
            AuditRecord::Hard => {
                Self::lose_reputation(operator);
                false
            }
        }
    }

    /// One step up when enough units were found valid since the last one, at most once an epoch.
    fn record_valid(operator: &T::AccountId, units: u64) {
        let params = Parameters::<T>::get();
        let epoch = CurrentEpoch::<T>::get().index;
        let stepped = Self::try_mutate(operator, |record| {
            record.audits.push(false);
            record.valid_units = record.valid_units.saturating_add(units);
            let step = record.valid_units >= params.units_per_step
                && record.last_step.is_none_or(|last| last < epoch)
                && record.reputation < params.reputation_cap;
            if step {
                record.reputation = record.reputation.saturating_add(1);
                record.last_step = Some(epoch);
                // Nothing is carried over: a busy epoch is worth one step.
                record.valid_units = 0;
            }
            Ok(step.then_some(record.reputation))
        });
        if let Ok(Some(steps)) = stepped {
            let operator = operator.clone();
            Self::deposit_event(Event::ReputationChanged { operator, steps });
        }
    }

    /// Whether soft verdicts are significant now; the window starts anew then.
    fn record_soft(operator: &T::AccountId) -> bool {
        let params = Parameters::<T>::get();
        let recorded = Self::try_mutate(operator, |record| {
            record.audits.push(true);
            let counts = (record.audits.bad(), record.audits.len());
            let significant =
                window::is_significant(&record.audits, params.soft_rate, params.soft_alpha_ppb);
            if significant {
                record.audits.reset();
            }
            Ok((counts, significant))
        });
        let Ok(((soft, audits), significant)) = recorded else {
            return false;
        };
        let operator = operator.clone();
        Self::deposit_event(Event::SoftRecorded {
            operator,
            soft,
            audits,
        });
        significant
    }
}
