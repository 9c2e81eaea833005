//! What validators do: panels that replay, votes where something is amiss.

use super::{
    chain::{Chain, RUN},
    people::Kind,
    scenario::{DRAW, SILENT, TRAINING},
    world::{World, OUTER_STEP},
    Who,
};
use chasqui_primitives::{
    audit::{Decision, HardReason},
    training::{picked_segments, Store},
    CaseId,
};

/// Seats of a panel, and its window for commitments: the defaults of `pallets/audits`.
const SEATS: usize = 3;
const PANEL: f64 = 50.0;

#[derive(Clone, Copy, Debug)]
enum About {
    Member { rank: u32, who: Who, is_false: bool },
    Outer { is_false: bool },
}

/// A case that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    id: CaseId,
    round: u32,
    about: About,
    /// Votes held.
    votes: u8,
}

impl World<'_> {
    /// How long a panel takes that replays `blocks` of training.
    fn panel(&mut self, blocks: f64) -> u32 {
        let now = f64::from(self.chain.now);
        let (mut done, mut silent) = (now, false);
        for _ in 0..SEATS {
            let drawn = self.lots.below(self.validators.len() as u32) as usize;
            let free = &mut self.validators[drawn];
            *free = free.max(now) + 1.0 + blocks;
            done = done.max(*free);
            silent |= !self.scenario.condition.ideal && self.lots.happens(SILENT);
        }
        // Two blocks until they see the case, a commitment and a reveal.
        let took = done - now + 4.0;
        if silent || took > PANEL {
            // Seats that are missing are drawn anew.
            (took.max(PANEL) + f64::from(DRAW) + blocks + 6.0) as u32
        } else {
            took as u32
        }
    }

    pub(super) fn open(&mut self, round: u32, id: CaseId, about: Option<(u32, Who)>) {
        let record = self.chain.store.round(round).expect("its case is open");
        let recipe = &self.chain.terms.recipe;
        let steps = recipe.inner_steps;
        let (about, blocks) = match about {
            Some((rank, who)) => {
                let kept = recipe.kept_steps(&record.seed.expect("it has its seed"));
                let seed = record.audit_seed.expect("it has its seed");
                let count = self.chain.terms.audit.segments;
                let (mut replayed, mut is_false) = (0, false);
                let skips = self.people[who as usize].kind.skips(steps);
                for segment in picked_segments(&seed, rank, &kept, count) {
                    let (from, to) = (kept[segment as usize], kept[segment as usize + 1]);
                    replayed += to - from;
                    is_false |= !skips.is_empty() && from < skips.end && skips.start < to;
                }
                let blocks = TRAINING * f64::from(replayed) / f64::from(steps);
                let about = About::Member {
                    rank,
                    who,
                    is_false,
                };
                (about, blocks)
            }
            None => {
                let is_false = record.agreed != Some(Chain::model(round, true));
                (About::Outer { is_false }, OUTER_STEP)
            }
        };
        let case = Case {
            id,
            round,
            about,
            votes: 0,
        };
        let when = self.chain.now + self.panel(blocks).max(1);
        self.cases.entry(when).or_default().push(case);
    }

    /// A panel or a vote ends: what is plain closes the case, else everybody votes, at most twice.
    pub(super) fn judge(&mut self, mut case: Case) {
        const FALSE: Decision = Decision::Hard(HardReason::Mismatch);
        let (is_false, is_served) = match case.about {
            About::Member { who, is_false, .. } => {
                let person = &self.people[who as usize];
                let hides = person.kind == Kind::Hides && is_false;
                (is_false, person.is_reachable() && !hides)
            }
            // All members hand out what an outer step takes.
            About::Outer { is_false } => (is_false, true),
        };
        let decision = match (is_served, is_false) {
            (true, false) => Decision::Valid,
            (true, true) if case.votes > 0 => FALSE,
            (false, _) if case.votes > 0 && self.scenario.withheld_convicts => FALSE,
            (false, _) if case.votes > 1 => Decision::Undecided,
            _ => {
                case.votes += 1;
                let when = self.chain.now + self.scenario.vote_blocks;
                return self.cases.entry(when).or_default().push(case);
            }
        };
        let Case { id, round, .. } = case;
        match case.about {
            About::Member { rank, who, .. } => {
                if decision == FALSE {
                    self.chain.guard.convicted.insert((round, who));
                }
                self.chain
                    .tell(|machine| machine.verdict(round, rank, id, decision))
                    .expect("the case is open");
            }
            About::Outer { .. } => {
                let record = self.chain.store.round(round);
                if let (Some(agreed), FALSE) = (record.and_then(|record| record.agreed), decision) {
                    let key = agreed.key(RUN, round);
                    self.chain.guard.false_models.insert((round, key));
                }
                // Of a challenge that was given up, nobody waits for the end.
                let _ = self
                    .chain
                    .tell(|machine| machine.challenge_verdict(round, id, decision));
            }
        }
    }
}
