//! What calls and hooks do.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use crate::*;
use frame_support::traits::tokens::Preservation;
use sp_runtime::traits::{AccountIdConversion, One, Saturating};

/// Most numbers that one look-up of grants passes over.
const NUMBERS_LOOKED_AT: u32 = 1_000;

impl<T: Config> Pallet<T> {
    /// The account that holds the fund's money.
    pub fn account_id() -> T::AccountId {
        T::PalletId::get().into_account_truncating()
    }

    fn now() -> BlockNumberFor<T> {
        frame_system::Pallet::<T>::block_number()
    }

    /// Balance, earmarks and what is free.
    pub(crate) fn fund_status() -> FundStatus {
        let balance = T::NativeBalance::balance(&Self::account_id());
        let runs = EarmarkedForRuns::<T>::get();
        let grants = EarmarkedForGrants::<T>::get();
        FundStatus {
            balance,
            runs,
            grants,
            free: balance
                .saturating_sub(T::NativeBalance::minimum_balance())
                .saturating_sub(runs)
                .saturating_sub(grants),
        }
    }

    pub(crate) fn ensure_free(amount: Balance) -> DispatchResult {
        ensure!(
            amount <= Self::fund_status().free,
            Error::<T>::NotEnoughFree
        );
        Ok(())
    }

    /// Moves money out of the account; its existential deposit stays.
    pub(crate) fn transfer(to: &T::AccountId, amount: Balance) -> DispatchResult {
        T::NativeBalance::transfer(&Self::account_id(), to, amount, Preservation::Preserve)?;
        Ok(())
    }

    pub(crate) fn do_create_grant(
        beneficiary: T::AccountId,
        milestones: MilestoneList<BlockNumberFor<T>>,
        most: Balance,
    ) -> DispatchResult {
        let now = Self::now();
        let fits =
            |terms: &MilestoneTerms<BlockNumberFor<T>>| terms.amount > 0 && terms.deadline > now;
        ensure!(
            !milestones.is_empty() && milestones.iter().all(fits),
            Error::<T>::InvalidMilestones
        );
        let amount = milestones
            .iter()
            .try_fold(0u128, |sum, terms| sum.checked_add(terms.amount))
            .ok_or(Error::<T>::NotEnoughFree)?;
        ensure!(amount <= most, Error::<T>::BeyondOrigin);
        Self::ensure_free(amount)?;
        EarmarkedForGrants::<T>::mutate(|sum| *sum = sum.saturating_add(amount));
        let id = NextGrant::<T>::get();
        NextGrant::<T>::put(id.saturating_add(1));
        for (index, terms) in milestones.iter().enumerate() {
            Self::schedule(id, index as u32, terms.deadline);
        }
        let milestones = milestones.into_iter().map(|terms| Milestone {
            terms,
            state: MilestoneState::Open,
        });
        let grant = Grant {
            beneficiary: beneficiary.clone(),
            created_at: now,
            // There are no more than there were terms.
            milestones: BoundedVec::truncate_from(milestones.collect()),
        };
        Grants::<T>::insert(id, grant);
        Self::deposit_event(Event::GrantCreated {
            grant: id,
            beneficiary,
            amount,
        });
        Ok(())
    }

    /// Whoever may promise only so much decides on no grant that is larger.
    pub(crate) fn ensure_covered(id: GrantId, most: Balance) -> DispatchResult {
        let grant = Grants::<T>::get(id).ok_or(Error::<T>::NoSuchGrant)?;
        let amount = grant.milestones.iter().fold(0u128, |sum, milestone| {
            sum.saturating_add(milestone.terms.amount)
        });
        ensure!(amount <= most, Error::<T>::BeyondOrigin);
        Ok(())
    }

    /// Has a deadline pass in the block after it, or in the next one with room.
    fn schedule(grant: GrantId, milestone: u32, deadline: BlockNumberFor<T>) {
        let mut at = deadline.saturating_add(One::one());
        // Ends: every full block holds milestones of grants, of which there are finitely many.
        while Deadlines::<T>::try_append(at, (grant, milestone)).is_err() {
            at = at.saturating_add(One::one());
        }
    }

    /// A grant, with the position of one of its milestones checked.
    fn with_milestone(
        id: GrantId,
        milestone: u32,
    ) -> Result<(GrantOf<T>, Milestone<BlockNumberFor<T>>), DispatchError> {
        let grant = Grants::<T>::get(id).ok_or(Error::<T>::NoSuchGrant)?;
        let found = grant
            .milestones
            .get(milestone as usize)
            .cloned()
            .ok_or(Error::<T>::NoSuchMilestone)?;
        Ok((grant, found))
    }

    /// Writes a milestone's new state, and drops the grant when nothing is left of it.
    fn settle(
        id: GrantId,
        mut grant: GrantOf<T>,
        milestone: u32,
        state: MilestoneState<BlockNumberFor<T>>,
    ) {
        if let Some(entry) = grant.milestones.get_mut(milestone as usize) {
            if entry.state.is_pending() && !state.is_pending() {
                let amount = entry.terms.amount;
                EarmarkedForGrants::<T>::mutate(|sum| *sum = sum.saturating_sub(amount));
            }
            entry.state = state;
        }
        if grant.is_settled() {
            Grants::<T>::remove(id);
            Self::deposit_event(Event::GrantSettled {
                grant: id,
                paid: grant.paid(),
            });
        } else {
            Grants::<T>::insert(id, grant);
        }
    }

    pub(crate) fn do_prove(
        who: T::AccountId,
        id: GrantId,
        milestone: u32,
        evidence: H256,
    ) -> DispatchResult {
        let (grant, found) = Self::with_milestone(id, milestone)?;
        ensure!(grant.beneficiary == who, Error::<T>::NotTheBeneficiary);
        ensure!(found.state == MilestoneState::Open, Error::<T>::NotOpen);
        let now = Self::now();
        ensure!(now <= found.terms.deadline, Error::<T>::DeadlinePassed);
        Self::settle(
            id,
            grant,
            milestone,
            MilestoneState::Proven { evidence, at: now },
        );
        Self::deposit_event(Event::MilestoneProven {
            grant: id,
            milestone,
            evidence,
        });
        Ok(())
    }

    pub(crate) fn do_approve(id: GrantId, milestone: u32) -> DispatchResult {
        let (grant, found) = Self::with_milestone(id, milestone)?;
        ensure!(
            matches!(found.state, MilestoneState::Proven { .. }),
            Error::<T>::NotProven
        );
        let beneficiary = grant.beneficiary.clone();
        let amount = found.terms.amount;
        Self::transfer(&beneficiary, amount)?;
        Self::deposit_event(Event::MilestonePaid {
            grant: id,
            milestone,
            beneficiary,
            amount,
        });
        Self::settle(id, grant, milestone, MilestoneState::Paid);
        Ok(())
    }

    pub(crate) fn do_decline(id: GrantId, milestone: u32) -> DispatchResult {
        let (grant, found) = Self::with_milestone(id, milestone)?;
        ensure!(
            matches!(found.state, MilestoneState::Proven { .. }),
            Error::<T>::NotProven
        );
        Self::deposit_event(Event::MilestoneDeclined {
            grant: id,
            milestone,
        });
        if Self::now() > found.terms.deadline {
            Self::lapse(id, grant, milestone, found.terms.amount);
        } else {
            // Its deadline is still to pass.
            Self::settle(id, grant, milestone, MilestoneState::Open);
        }
        Ok(())
    }

    fn lapse(id: GrantId, grant: GrantOf<T>, milestone: u32, amount: Balance) {
        Self::deposit_event(Event::MilestoneLapsed {
            grant: id,
            milestone,
            amount,
        });
        Self::settle(id, grant, milestone, MilestoneState::Lapsed);
    }

    pub(crate) fn do_cancel_grant(id: GrantId) -> DispatchResult {
        let grant = Grants::<T>::take(id).ok_or(Error::<T>::NoSuchGrant)?;
        let returned = grant.pending();
        EarmarkedForGrants::<T>::mutate(|sum| *sum = sum.saturating_sub(returned));
        Self::deposit_event(Event::GrantCancelled {
            grant: id,
            paid: grant.paid(),
            returned,
        });
        Ok(())
    }

    /// Lapses the milestones whose deadline is over and that nobody proved. Those of grants that are gone pass in vain.
    pub(crate) fn pass_deadlines(now: BlockNumberFor<T>) -> Weight {
        let due = Deadlines::<T>::take(now);
        for (id, milestone) in &due {
            let Ok((grant, found)) = Self::with_milestone(*id, *milestone) else {
                continue;
            };
            if found.state == MilestoneState::Open {
                Self::lapse(*id, grant, *milestone, found.terms.amount);
            }
        }
        T::WeightInfo::pass_deadlines(due.len() as u32)
    }

    pub(crate) fn grants_from(
        from: GrantId,
        limit: u32,
    ) -> GrantList<T::AccountId, BlockNumberFor<T>> {
        let end = NextGrant::<T>::get().min(from.saturating_add(NUMBERS_LOOKED_AT));
        (from..end)
            .filter_map(|id| Some((id, Grants::<T>::get(id)?)))
            .take(limit as usize)
            .collect()
    }
}
