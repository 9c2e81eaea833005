//! An agreed round on its way to be final or undone, and the end of a run.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    machine::{Effect, Failure, Final, Machine, Pending, Phase, Settling},
    members::{Exit, List},
    round::{pay, Contribution, Round},
    store::Store,
};
use crate::audit::Decision;
use parity_scale_codec::Encode;
use sp_core::H256;

impl<A: Clone + PartialEq + Encode, S: Store<A>> Machine<'_, A, S> {
    // --- the end ---

    pub(super) fn cooldown(&mut self, failed: Option<Failure>) -> bool {
        if self.run.pending.is_some() {
            return false;
        }
        self.run.phase = Phase::Disband { failed };
        true
    }

    /// Lets one member go.
    pub(super) fn disband(&mut self, failed: Option<Failure>) -> bool {
        for list in [List::Active, List::Waiting, List::Banned] {
            let Some(slot) = self.run.len(list).checked_sub(1) else {
                continue;
            };
            let found = self
                .store
                .at(list, slot)
                .and_then(|who| self.store.member(&who).map(|member| (who, member)));
            match found {
                Some((who, member)) => self.drop_member(&who, &member, Exit::Ended),
                None => *self.run.len_mut(list) = slot,
            }
            return true;
        }
        let failed = match (failed, self.run.settled) {
            (None, None) => Some(Failure::Nothing),
            (failed, _) => failed,
        };
        self.run.phase = failed.map_or(Phase::Finished, Phase::Failed);
        self.effect(Effect::Ended(failed));
        true
    }

    // --- an agreed round ---

    /// Whether something was done about the round that was agreed on.
    pub(super) fn settle(&mut self, now: u32) -> bool {
        let Some(Pending { round, settling }) = self.run.pending.clone() else {
            return false;
        };
        match settling {
            Settling::Window { until } if now >= until => {
                self.make_final(round);
                true
            }
            Settling::InCase {
                challenger, until, ..
            } if now >= until => {
                self.decide_challenge(round, challenger, Decision::Undecided);
                true
            }
            Settling::Paying { cursor } => self.pay_one(round, cursor),
            Settling::Undoing {
                cursor,
                convicts,
                reporter,
            } => self.undo_one(round, cursor, convicts, reporter),
            Settling::Window { .. }
            | Settling::Drawing { .. }
            | Settling::Opening { .. }
            | Settling::InCase { .. } => false,
        }
    }

    fn settling(&mut self, settling: Settling<A>) {
        if let Some(pending) = &mut self.run.pending {
            pending.settling = settling;
        }
    }

    fn make_final(&mut self, round: u32) {
        self.settling(Settling::Paying { cursor: 0 });
        let agreed = self.store.round(round).and_then(|record| record.agreed);
        if let Some(model) = agreed {
            self.run.settled = Some(Final { round, model });
            self.run.finals = self.run.finals.saturating_add(1);
            self.effect(Effect::RoundFinal { round, model });
        }
    }

    /// `Valid`: the agreed model is right, and the round final. `Hard`: it is wrong. Anything else decides nothing: the
    /// round is undone, and nobody is to blame.
    pub(super) fn decide_challenge(&mut self, round: u32, challenger: A, decision: Decision) {
        let back = decision != Decision::Valid;
        self.effect(Effect::Deposit {
            challenger: challenger.clone(),
            back,
        });
        if !back {
            self.make_final(round);
            return;
        }
        let record = self.store.round(round).unwrap_or_default();
        let wrong = matches!(decision, Decision::Hard(_));
        let convicts = record
            .agreed
            .filter(|_| wrong)
            .map(|model| model.key(self.id, round));
        self.settling(Settling::Undoing {
            cursor: 0,
            convicts,
            reporter: wrong.then_some(challenger),
        });
        self.run.model = record.base;
        self.run.voids = self.run.voids.saturating_add(1);
        self.run.doomed = self.run.phase.in_round();
        self.effect(Effect::RoundUndone { round });
    }

    /// Pays one member of a final round.
    fn pay_one(&mut self, round: u32, rank: u32) -> bool {
        let Some(mut record) = self.next_of_pending(round, rank) else {
            return true;
        };
        self.settling(Settling::Paying {
            cursor: rank.saturating_add(1),
        });
        let Some(contribution) = self.store.contribution(round, rank) else {
            return true;
        };
        let units = contribution.paid_units();
        let amount = pay(self.terms, record.members, units);
        if amount > 0 {
            self.run.paid = self.run.paid.saturating_add(amount);
            self.effect(Effect::Pay {
                who: contribution.who.clone(),
                round,
                amount,
                units,
            });
        }
        self.sweep(round, rank, contribution, &mut record);
        self.put_round(round, record);
        true
    }

    /// Undoes one member's part of a round.
    fn undo_one(
        &mut self,
        round: u32,
        rank: u32,
        convicts: Option<H256>,
        reporter: Option<A>,
    ) -> bool {
        let Some(mut record) = self.next_of_pending(round, rank) else {
            return true;
        };
        self.settling(Settling::Undoing {
            cursor: rank.saturating_add(1),
            convicts,
            reporter: reporter.clone(),
        });
        let Some(contribution) = self.store.contribution(round, rank) else {
            return true;
        };
        let who = contribution.who.clone();
        if let Some(mut member) = self.store.member(&who) {
            if member.carried.is_some_and(|carried| carried.round == round) {
                member.carried = member.before;
                self.store.set_member(&who, Some(member));
            }
        }
        if convicts.is_some() && contribution.vote == convicts {
            self.effect(Effect::Slash {
                who: who.clone(),
                round,
                reporter,
            });
            self.convict(&who);
        }
        self.sweep(round, rank, contribution, &mut record);
        self.put_round(round, record);
        true
    }

    /// The record of the pending round, while `rank` is one of it; behind the last the round is done with.
    fn next_of_pending(&mut self, round: u32, rank: u32) -> Option<Round> {
        if let Some(mut record) = self.store.round(round) {
            if rank < record.members {
                return Some(record);
            }
            record.done = true;
            self.put_round(round, record);
        }
        self.run.pending = None;
        None
    }

    /// Removes a contribution, or has its case's end remove it.
    pub(super) fn sweep(
        &mut self,
        round: u32,
        rank: u32,
        mut contribution: Contribution<A>,
        record: &mut Round,
    ) {
        if contribution.in_case() {
            contribution.swept = true;
            self.store.set_contribution(round, rank, Some(contribution));
        } else {
            self.remove_contribution(round, rank, &contribution, record);
        }
    }

    pub(super) fn remove_contribution(
        &mut self,
        round: u32,
        rank: u32,
        contribution: &Contribution<A>,
        record: &mut Round,
    ) {
        if let Some(report) = &contribution.report {
            for root in [report.gradient, report.kept] {
                self.store.set_revealed(round, &root, false);
            }
        }
        if let Some(key) = &contribution.vote {
            self.store.set_votes(round, key, None);
        }
        self.store.set_contribution(round, rank, None);
        record.records = record.records.saturating_sub(1);
        self.effect(Effect::Free(contribution.who.clone()));
    }
}
