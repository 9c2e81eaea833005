//! What comes of the machine's effects, and what is counted.

use super::{
    chain::Notice,
    guard::active,
    outcome::{Fate, Outcome},
    people::Kind,
    scenario::DRAW,
    world::{Deed, World},
    Who,
};
use chasqui_primitives::training::{Exit, Phase};

/// How often whoever misleads challenges what is right.
const CHALLENGES: f64 = 0.1;

impl World<'_> {
    pub(super) fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::CaseOpened {
                round,
                rank,
                who,
                case,
            } => self.open(round, case, Some((rank, who))),
            Notice::ChallengeOpened { round, case } => self.open(round, case, None),
            Notice::Began => {
                self.round_ends();
                self.began = Some(self.chain.now);
                self.counting = true;
                for who in active(&self.chain.run, &self.chain.store) {
                    self.people[who as usize].rounds += 1;
                }
            }
            Notice::Agreed { round, right } => self.agreed(round, right),
            Notice::Void { round } => {
                self.outcome.voids += 1;
                for who in self.revealed.remove(&round).unwrap_or_default().into_keys() {
                    self.lost(who, round, true);
                }
            }
            Notice::Final => self.outcome.finals += 1,
            Notice::Undone { round } => {
                self.outcome.undone += 1;
                for who in self.chain.guard.earned(round) {
                    if self.people[who as usize].is_honest() {
                        self.outcome.lost_by_others += 1;
                    }
                }
            }
            Notice::Paid { who } => {
                let person = &self.people[who as usize];
                let steps = self.chain.terms.recipe.inner_steps;
                if person.is_honest() {
                    self.outcome.paid += 1;
                } else {
                    self.outcome.liars_paid += 1;
                    if !person.kind.skips(steps).is_empty() {
                        self.outcome.false_paid += 1;
                        *self.false_paid.entry(who).or_default() += 1;
                    }
                }
            }
            Notice::Slashed { who } => {
                self.slashed.insert(who);
                self.throw_out(who);
            }
            Notice::Dropped { who, exit } => self.dropped(who, exit),
            Notice::Ended(failed) => self.outcome.failed = failed,
        }
    }

    fn agreed(&mut self, round: u32, right: bool) {
        let earned = self.chain.guard.earned(round);
        for (who, attested) in self.revealed.remove(&round).unwrap_or_default() {
            if earned.contains(&who) {
                self.outcome.revealed += u32::from(self.people[who as usize].is_honest());
            } else {
                self.lost(who, round, attested);
            }
        }
        let members = active(&self.chain.run, &self.chain.store);
        for who in members {
            let misleads = self.people[who as usize].kind == Kind::Misleads;
            // Whoever computed something else says so; who misleads, when it feels like it.
            let challenges = if misleads {
                right && self.moods.happens(CHALLENGES)
            } else {
                !right
            };
            if challenges && self.people[who as usize].is_reachable() {
                let deed = Deed::Challenge {
                    round,
                    right: !misleads,
                };
                self.schedule(who, self.chain.now + 3, deed);
            }
        }
    }

    /// Somebody's revealed work of a round is not paid. `in_time`: that is not because it attested too late.
    fn lost(&mut self, who: Who, round: u32, in_time: bool) {
        let person = &self.people[who as usize];
        if !person.is_honest() {
            return;
        }
        self.outcome.revealed += 1;
        if !in_time || !person.is_reachable() || person.out == Some(round) {
            self.outcome.lost_by_itself += 1;
        } else {
            self.outcome.lost_by_others += 1;
        }
    }

    fn dropped(&mut self, who: Who, exit: Exit) {
        let honest = self.people[who as usize].is_honest();
        match exit {
            Exit::Left => {
                self.lose_sight(who);
                self.people[who as usize].gone = true;
            }
            Exit::Missed if honest => {
                self.outcome.honest_dropped += 1;
                self.plan(who);
            }
            Exit::Missed | Exit::Convicted => self.throw_out(who),
            Exit::NotReady => self.plan(who),
            Exit::Ended => {}
        }
    }

    /// Whoever is found false does not come back; another operator comes instead.
    fn throw_out(&mut self, who: Who) {
        let when = self.moods.below(self.scenario.round_blocks);
        let person = &mut self.people[who as usize];
        let rounds = person.rounds;
        if person.thrown_out.is_some() {
            return;
        }
        person.thrown_out = Some(rounds);
        if person.is_honest() {
            self.outcome.honest_slashed += 1;
            person.gone = true;
        }
        let when = self.chain.now + 1 + when;
        *self.arrivals.entry(when).or_default() += 1;
    }

    fn round_ends(&mut self) {
        if let Some(began) = self.began.take() {
            let blocks = self.chain.now - began;
            self.outcome.lengths.push(blocks);
            let there = core::mem::take(&mut self.there);
            self.outcome.available += f64::from(there) / f64::from(blocks.max(1));
        }
    }

    /// Counts the machine time of a block.
    pub(super) fn count(&mut self) {
        let phase = self.chain.run.phase;
        let over = matches!(phase, Phase::Cooldown { .. } | Phase::Disband { .. });
        if !self.counting || over || phase.is_over() {
            self.round_ends();
            self.counting = false;
            return;
        }
        for person in &self.people {
            if person.is_honest() && person.is_there() {
                self.there += 1;
                self.outcome.possible += 1.0 / person.pace;
            }
        }
    }

    pub(super) fn finish(mut self) -> Outcome {
        // What was awaited of a run that is over is answered, too.
        self.chain.now += DRAW;
        self.chain.give_seeds(&mut self.lots);
        self.chain.serve();
        self.chain
            .guard
            .check_end(&self.chain.run, &self.chain.store);
        for (who, person) in (0..).zip(&self.people) {
            if !person.is_honest() && person.rounds > 0 {
                self.outcome.fates.push(Fate {
                    kind: person.kind,
                    rounds: person.rounds,
                    thrown_out: person.thrown_out,
                    false_paid: self.false_paid.get(&who).copied().unwrap_or(0),
                    slashed: self.slashed.contains(&who),
                });
            }
        }
        let books = self.chain.books();
        self.outcome.paid_planck = self.chain.run.paid;
        self.outcome.reserve_planck = books.reserve;
        self.outcome.rest_planck = books.free;
        self.outcome
    }
}
