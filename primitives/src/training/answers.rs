//! Answers to effects: seeds that were announced, cases that were opened, and how they ended.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    machine::{
        Draw, Drawn, Effect, Machine, Pending, Phase, Refusal, Settling, MAX_FAILED_OPENINGS,
    },
    round::Judged,
    store::Store,
};
use crate::{audit::Decision, CaseId};
use parity_scale_codec::Encode;
use sp_core::H256;

impl<A: Clone + PartialEq + Encode, S: Store<A>> Machine<'_, A, S> {
    /// A seed that was announced.
    pub fn seed(&mut self, draw: Draw, seed: H256, now: u32) -> Result<(), Refusal> {
        match draw.of {
            Drawn::Ranks | Drawn::Segments if draw.round != self.run.round => {
                Err(Refusal::NotAwaited)
            }
            Drawn::Ranks if self.run.phase == Phase::Seed => {
                self.begin_training(seed, now);
                Ok(())
            }
            Drawn::Segments if self.run.phase == Phase::Draw => {
                let round = draw.round;
                let mut record = self.store.round(round).ok_or(Refusal::NotAwaited)?;
                record.audit_seed = Some(seed);
                self.store.set_round(round, Some(record));
                self.run.phase = Phase::Open { cursor: 0 };
                Ok(())
            }
            Drawn::Panel => self.panel_seed(draw.round, seed),
            _ => Err(Refusal::NotAwaited),
        }
    }

    /// Whether a seed is still awaited.
    pub fn awaits(&self, draw: &Draw) -> bool {
        match draw.of {
            Drawn::Ranks => draw.round == self.run.round && self.run.phase == Phase::Seed,
            Drawn::Segments => draw.round == self.run.round && self.run.phase == Phase::Draw,
            Drawn::Panel => self.run.pending.as_ref().is_some_and(|pending| {
                pending.round == draw.round && matches!(pending.settling, Settling::Drawing { .. })
            }),
        }
    }

    fn panel_seed(&mut self, round: u32, seed: H256) -> Result<(), Refusal> {
        let speaker = self.store.round(round).map(|record| record.speaker);
        let accused = speaker
            .and_then(|rank| self.store.contribution(round, rank))
            .map(|contribution| contribution.who)
            .ok_or(Refusal::NotAwaited)?;
        let pending = match &mut self.run.pending {
            Some(pending) if pending.round == round => pending,
            _ => return Err(Refusal::NotAwaited),
        };
        let Settling::Drawing { challenger, failed } = pending.settling.clone() else {
            return Err(Refusal::NotAwaited);
        };
        pending.settling = Settling::Opening {
            challenger: challenger.clone(),
            failed,
        };
        self.effect(Effect::OpenChallenge {
            round,
            seed,
            challenger,
            accused,
        });
        Ok(())
    }

    /// How it went to open a case about a member's round.
    pub fn opened(&mut self, round: u32, rank: u32, case: Option<CaseId>) -> Result<(), Refusal> {
        let mut record = self.store.round(round).ok_or(Refusal::NoCase)?;
        let mut contribution = self
            .store
            .contribution(round, rank)
            .ok_or(Refusal::NoCase)?;
        let Judged::Opening { failed } = contribution.judged else {
            return Err(Refusal::NoCase);
        };
        contribution.judged = match case {
            Some(case) => {
                record.open = record.open.saturating_add(1);
                Judged::Open(case)
            }
            None if failed.saturating_add(1) < MAX_FAILED_OPENINGS => Judged::Included {
                failed: failed.saturating_add(1),
            },
            None => Judged::Refused,
        };
        if !matches!(contribution.judged, Judged::Included { .. }) {
            record.unopened = record.unopened.saturating_sub(1);
        }
        self.store.set_contribution(round, rank, Some(contribution));
        self.store.set_round(round, Some(record));
        Ok(())
    }

    /// How a case about a member's round ended, be it in time or not.
    pub fn verdict(
        &mut self,
        round: u32,
        rank: u32,
        case: CaseId,
        decision: Decision,
    ) -> Result<(), Refusal> {
        let mut record = self.store.round(round).ok_or(Refusal::NoCase)?;
        let mut contribution = self
            .store
            .contribution(round, rank)
            .ok_or(Refusal::NoCase)?;
        if contribution.judged != Judged::Open(case) {
            return Err(Refusal::NoCase);
        }
        record.open = record.open.saturating_sub(1);
        contribution.judged = match decision {
            Decision::Valid if !record.fixed => {
                record.accepted = record.accepted.saturating_add(1);
                Judged::Accepted
            }
            Decision::Hard(_) => {
                self.effect(Effect::Slash {
                    who: contribution.who.clone(),
                    round,
                    reporter: None,
                });
                self.convict(&contribution.who);
                Judged::Convicted
            }
            Decision::Valid | Decision::Soft | Decision::Undecided => Judged::Refused,
        };
        if contribution.swept {
            self.remove_contribution(round, rank, &contribution, &mut record);
        } else {
            self.store.set_contribution(round, rank, Some(contribution));
        }
        self.put_round(round, record);
        Ok(())
    }

    /// How it went to open a case about a challenged round.
    pub fn challenge_opened(
        &mut self,
        round: u32,
        case: Option<CaseId>,
        now: u32,
    ) -> Result<(), Refusal> {
        let pending = match &mut self.run.pending {
            Some(pending) if pending.round == round => pending,
            _ => return Err(Refusal::NoCase),
        };
        let Settling::Opening { challenger, failed } = pending.settling.clone() else {
            return Err(Refusal::NoCase);
        };
        let failed = failed.saturating_add(1);
        match case {
            Some(case) => {
                let blocks = self.terms.timing.audit_blocks.saturating_mul(2);
                pending.settling = Settling::InCase {
                    challenger,
                    case,
                    until: now.saturating_add(blocks),
                };
            }
            None if failed < MAX_FAILED_OPENINGS => {
                pending.settling = Settling::Drawing { challenger, failed };
                self.effect(Effect::Announce(Draw {
                    round,
                    of: Drawn::Panel,
                }));
            }
            None => self.decide_challenge(round, challenger, Decision::Undecided),
        }
        Ok(())
    }

    /// How a case about a challenged round ended: `Valid` means that the agreed model is right.
    pub fn challenge_verdict(
        &mut self,
        round: u32,
        case: CaseId,
        decision: Decision,
    ) -> Result<(), Refusal> {
        match self.run.pending.clone() {
            Some(Pending {
                round: of,
                settling:
                    Settling::InCase {
                        challenger,
                        case: open,
                        ..
                    },
            }) if of == round && open == case => {
                self.decide_challenge(round, challenger, decision);
                Ok(())
            }
            _ => Err(Refusal::NoCase),
        }
    }
}
