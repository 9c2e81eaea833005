//! A run's machine: where it stands, what members may do now, and what follows for others.
//!
//! Pure: blocks, seeds and verdicts are arguments, records are in a [`Store`], and whatever concerns money, cases or
//! randomness comes out as an [`Effect`]. Two machines that are told the same end in the same state.
//!
//! ```text
//! Forming -> Warmup -> Edge -> Seed -> Train -> Exchange -> Attest -> Tally -> Include -> Draw -> Open -> Audit -> Agree -> Close
//!    ^                  |  ^                                                                                           |
//!    '--- too few ------'  '-------------------------------------- next round ----------------------------------------'
//! Close -> Cooldown -> Disband -> Finished | Failed
//! ```
//!
//! A round that was agreed on waits, beside the next one, until nobody challenges it any more: then it is **final** and
//! paid. The next round is not agreed on before. Calls take O(1) records; whatever concerns all members is done by
//! [`Machine::service`] in steps of O(1) records, so many a block.
//!
//! What always holds, each a property test (`tests/training_machine.rs`):
//!
//! - T1: the pay of all rounds is within the budget; a member is paid at most once a round, and only for work that was
//!   revealed, attested, included and found valid, in a round that became final.
//! - T2: the members of a round change at its edge only; their ranks are a permutation.
//! - T3: the same events lead to the same state.
//! - T4: no seed is asked for before what it decides is fixed: ranks and kept steps after members and data, segments after
//!   reports and included set, a challenge's panel after the challenge.
//! - T5: nobody reveals what it did not commit to, nor what another revealed before.
//! - T6: as blocks, seeds and verdicts come, every run ends; missing verdicts delay it, no more.
//! - T7: whoever is slashed was found false by a case, or voted for a model that a case found false; once for each.
//! - T8: the model changes by agreement and goes back by rollback, to exactly where the round began.
//! - T9: whatever is held is freed, once; a challenger's deposit is decided once.
//! - T10: rounds consume the data stream without gap or overlap.
//! - T11: a member carries on from the last agreed round in which it was accepted.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    members::{Exit, List, Member},
    recipe::RunTerms,
    store::Store,
};
use crate::RunId;
use alloc::vec::Vec;
use parity_scale_codec::Encode;
use sp_core::H256;

pub use super::{
    effect::{Effect, Refusal},
    phase::{Draw, Drawn, Failure, Phase},
    run::{Final, Pending, Run, Settling},
};

/// How often a case that cannot be opened is tried again before it counts as undecided.
pub const MAX_FAILED_OPENINGS: u8 = 3;

/// A run with its records, for as long as one event takes.
pub struct Machine<'a, AccountId, S> {
    pub run: Run<AccountId>,
    pub effects: Vec<Effect<AccountId>>,
    pub(super) id: RunId,
    pub(super) genesis: H256,
    pub(super) terms: &'a RunTerms,
    pub(super) store: &'a mut S,
}

impl<'a, A: Clone + PartialEq + Encode, S: Store<A>> Machine<'a, A, S> {
    pub fn new(
        genesis: H256,
        id: RunId,
        terms: &'a RunTerms,
        run: Run<A>,
        store: &'a mut S,
    ) -> Self {
        Self {
            run,
            effects: Vec::new(),
            id,
            genesis,
            terms,
            store,
        }
    }

    pub(super) fn effect(&mut self, effect: Effect<A>) {
        self.effects.push(effect);
    }

    pub(super) fn attach(&mut self, who: &A, mut member: Member, list: List) {
        member.list = list;
        member.slot = self.run.len(list);
        self.store.set_at(list, member.slot, Some(who));
        let len = self.run.len_mut(list);
        *len = len.saturating_add(1);
        if list == List::Waiting && member.ready {
            self.run.ready = self.run.ready.saturating_add(1);
        }
        self.store.set_member(who, Some(member));
    }

    /// Takes a member off its list; the last one of it takes its place. Its record is the caller's to store.
    pub(super) fn detach(&mut self, member: &Member) {
        let last = self.run.len(member.list).saturating_sub(1);
        if member.list == List::Waiting && member.ready {
            self.run.ready = self.run.ready.saturating_sub(1);
        }
        if let Some(moved) = self.store.at(member.list, last) {
            if last != member.slot {
                self.store.set_at(member.list, member.slot, Some(&moved));
                if let Some(mut other) = self.store.member(&moved) {
                    other.slot = member.slot;
                    self.store.set_member(&moved, Some(other));
                }
            }
        }
        self.store.set_at(member.list, last, None);
        *self.run.len_mut(member.list) = last;
    }

    /// Lets a member go at once; only where no round runs, or from another list than the active one.
    pub(super) fn drop_member(&mut self, who: &A, member: &Member, exit: Exit) {
        self.detach(member);
        self.store.set_member(who, None);
        self.effect(Effect::Dropped {
            who: who.clone(),
            exit,
        });
    }

    /// Puts somebody out of the run for good; who takes part in a round, at its end.
    pub(super) fn convict(&mut self, who: &A) {
        if self.run.phase.is_over() {
            return;
        }
        match self.store.member(who) {
            Some(mut member) if member.list == List::Active => {
                member.exit = Some(Exit::Convicted);
                self.store.set_member(who, Some(member));
            }
            Some(member) if member.list == List::Waiting => {
                self.detach(&member);
                self.attach(who, member, List::Banned);
                self.effect(Effect::Dropped {
                    who: who.clone(),
                    exit: Exit::Convicted,
                });
            }
            Some(_) => {}
            None => self.attach(who, Member::new(H256::zero(), 0, 0), List::Banned),
        }
    }
}
