//! What happens by itself: deadlines, and everything that concerns all members, a step at a time.

#![deny(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used
)]

use super::{
    clock::{straggler_deadline, two_thirds},
    machine::{Draw, Drawn, Effect, Failure, Machine, Pending, Phase, Settling},
    members::{Carried, Exit, List},
    round::{Contribution, Judged, Round, Tally},
    shards::rank_of,
    store::Store,
};
use parity_scale_codec::Encode;
use sp_core::H256;

impl<A: Clone + PartialEq + Encode, S: Store<A>> Machine<'_, A, S> {
    /// Takes up to `budget` steps, each of O(1) records, at block `now`. Returns how many it took.
    pub fn service(&mut self, now: u32, budget: u32) -> u32 {
        let mut taken = 0u32;
        // What was agreed on first: the running round may wait for it.
        while taken < budget && self.settle(now) {
            taken = taken.saturating_add(1);
        }
        while taken < budget && self.step(now) {
            taken = taken.saturating_add(1);
        }
        taken
    }

    /// Whether something was done in the running round, or between rounds.
    fn step(&mut self, now: u32) -> bool {
        if self.run.cancelled || self.run.doomed {
            match self.run.phase {
                Phase::Close { .. } => {}
                phase if phase.in_round() => {
                    self.run.phase = Phase::Close {
                        cursor: 0,
                        agreed: false,
                    };
                    return true;
                }
                Phase::Forming
                | Phase::Warmup { .. }
                | Phase::Leavers { .. }
                | Phase::Joiners { .. }
                    if self.run.cancelled =>
                {
                    return self.wind_up(Some(Failure::Cancelled));
                }
                _ => {}
            }
        }
        match self.run.phase {
            Phase::Forming => self.forming(now),
            Phase::Warmup { until } => self.warmup(now, until),
            Phase::Leavers { left } => self.leavers(left),
            Phase::Joiners { left } => self.joiners(left, now),
            Phase::Train { until } => self.train(now, until),
            Phase::Exchange { until } => self.exchange(now, until),
            Phase::Attest { until } => self.attesting(now, until),
            Phase::Tally { cursor } => self.tally(cursor),
            Phase::Include { cursor } => self.include(cursor),
            Phase::Open { cursor } => self.open(cursor, now),
            Phase::Audit { until } => self.audit(now, until),
            Phase::Agree { until } => self.agreeing(now, until),
            Phase::Close { cursor, agreed } => self.close(cursor, agreed, now),
            Phase::Cooldown { failed } => self.cooldown(failed),
            Phase::Disband { failed } => self.disband(failed),
            Phase::Seed | Phase::Draw | Phase::Finished | Phase::Failed(_) => false,
        }
    }

    /// The running round's record; a round that runs always has one.
    fn running(&self) -> Round {
        self.store.round(self.run.round).unwrap_or_default()
    }

    fn put_running(&mut self, record: Round) {
        self.store.set_round(self.run.round, Some(record));
    }

    /// Stores a round, or removes it once nothing is left of it.
    pub(super) fn put_round(&mut self, number: u32, record: Round) {
        let gone = record.done && record.records == 0;
        self.store.set_round(number, (!gone).then_some(record));
    }

    fn wind_up(&mut self, failed: Option<Failure>) -> bool {
        self.run.phase = Phase::Cooldown { failed };
        true
    }

    fn void(&mut self) -> bool {
        self.run.phase = Phase::Close {
            cursor: 0,
            agreed: false,
        };
        true
    }

    // --- between rounds ---

    fn forming(&mut self, now: u32) -> bool {
        let timing = &self.terms.timing;
        if now.saturating_sub(self.run.idle_since) > timing.idle_blocks {
            return self.wind_up(Some(Failure::Idle));
        }
        let members = self.run.active.saturating_add(self.run.waiting);
        let waited = now.saturating_sub(self.run.forming_since) >= timing.forming_blocks;
        if members < self.terms.min_members || !(waited || members >= self.terms.max_members) {
            return false;
        }
        self.run.phase = Phase::Warmup {
            until: now.saturating_add(timing.warmup_blocks),
        };
        true
    }

    fn warmup(&mut self, now: u32, until: u32) -> bool {
        let ready = self.run.active.saturating_add(self.run.ready);
        let all = self.run.ready == self.run.waiting && ready >= self.terms.min_members;
        if now < until && !all {
            return false;
        }
        self.edge()
    }

    fn edge(&mut self) -> bool {
        self.run.phase = Phase::Leavers {
            left: self.run.active,
        };
        true
    }

    /// Lets one leaver go, from the last slot down, so that whoever takes its place was looked at before.
    fn leavers(&mut self, left: u32) -> bool {
        let Some(slot) = left.checked_sub(1) else {
            self.run.phase = Phase::Joiners {
                left: self.run.waiting,
            };
            return true;
        };
        self.run.phase = Phase::Leavers { left: slot };
        let Some(who) = self.store.at(List::Active, slot) else {
            return true;
        };
        let Some(member) = self.store.member(&who) else {
            return true;
        };
        match member.exit {
            Some(Exit::Convicted) => {
                self.detach(&member);
                self.attach(&who, member, List::Banned);
                self.effect(Effect::Dropped {
                    who,
                    exit: Exit::Convicted,
                });
            }
            Some(exit) => self.drop_member(&who, &member, exit),
            None => {}
        }
        true
    }

    /// Takes one in who is ready; who is not in time goes.
    fn joiners(&mut self, left: u32, now: u32) -> bool {
        let Some(slot) = left.checked_sub(1) else {
            return self.begin_round(now);
        };
        self.run.phase = Phase::Joiners { left: slot };
        let Some(who) = self.store.at(List::Waiting, slot) else {
            return true;
        };
        let Some(member) = self.store.member(&who) else {
            return true;
        };
        let patience = self.terms.timing.warmup_blocks;
        if member.ready {
            self.detach(&member);
            self.attach(&who, member, List::Active);
            self.effect(Effect::Activated(who));
        } else if now.saturating_sub(member.joined) >= patience {
            self.drop_member(&who, &member, Exit::NotReady);
        }
        true
    }

    /// Fixes members and data of the next round, and asks for its seed.
    fn begin_round(&mut self, now: u32) -> bool {
        if self.run.active < self.terms.min_members {
            self.run.phase = Phase::Forming;
            self.run.forming_since = now;
            return true;
        }
        let (round, members) = (self.run.round, self.run.active);
        let first_sequence = self.run.next_sequence;
        self.put_running(Round {
            members,
            first_sequence,
            base: self.run.model,
            ..Round::default()
        });
        self.run.next_sequence =
            first_sequence.saturating_add(self.terms.recipe.sequences_per_round(members));
        self.run.phase = Phase::Seed;
        self.effect(Effect::RoundBegan {
            round,
            members,
            first_sequence,
        });
        self.effect(Effect::Announce(Draw {
            round,
            of: Drawn::Ranks,
        }));
        true
    }

    // --- in a round ---

    pub(super) fn begin_training(&mut self, seed: H256, now: u32) {
        let mut record = self.running();
        record.seed = Some(seed);
        record.started = now;
        self.put_running(record);
        self.run.phase = Phase::Train {
            until: now.saturating_add(self.terms.timing.train_blocks),
        };
    }

    fn train(&mut self, now: u32, until: u32) -> bool {
        let mut record = self.running();
        let quorum = record.committed >= two_thirds(record.members);
        if record.committed < record.members && now < until {
            if record.hurried || !quorum {
                return false;
            }
            record.hurried = true;
            let times = self.store.times(self.run.round);
            let until = straggler_deadline(&times, record.started, now, until, &self.terms.timing);
            self.put_running(record);
            self.run.phase = Phase::Train { until };
            return true;
        }
        record.train_over = true;
        self.put_running(record);
        self.store.clear_times(self.run.round);
        if record.committed < self.terms.min_members {
            return self.void();
        }
        self.run.phase = Phase::Exchange {
            until: now.saturating_add(self.terms.timing.exchange_blocks),
        };
        true
    }

    fn exchange(&mut self, now: u32, until: u32) -> bool {
        let mut record = self.running();
        if record.revealed < record.committed && now < until {
            return false;
        }
        record.exchange_over = true;
        self.put_running(record);
        if record.revealed < self.terms.min_members {
            return self.void();
        }
        self.run.phase = Phase::Attest {
            until: now.saturating_add(self.terms.timing.attest_blocks),
        };
        true
    }

    fn attesting(&mut self, now: u32, until: u32) -> bool {
        let record = self.running();
        if record.attested < record.revealed && now < until {
            return false;
        }
        self.store
            .set_tally(self.run.round, Some(Tally::new(record.members)));
        self.run.phase = Phase::Tally { cursor: 0 };
        true
    }

    /// Counts one member's attestations.
    fn tally(&mut self, rank: u32) -> bool {
        let round = self.run.round;
        if rank >= self.running().members {
            self.run.phase = Phase::Include { cursor: 0 };
            return true;
        }
        let attests = self
            .store
            .contribution(round, rank)
            .and_then(|contribution| contribution.attests);
        if let (Some(ranks), Some(mut tally)) = (attests, self.store.tally(round)) {
            tally.add(rank, &ranks);
            self.store.set_tally(round, Some(tally));
        }
        self.run.phase = Phase::Tally {
            cursor: rank.saturating_add(1),
        };
        true
    }

    /// Decides whether one member is included.
    fn include(&mut self, rank: u32) -> bool {
        let round = self.run.round;
        let mut record = self.running();
        if rank >= record.members {
            self.store.set_tally(round, None);
            if record.included < self.terms.min_members {
                return self.void();
            }
            self.run.phase = Phase::Draw;
            self.effect(Effect::Announce(Draw {
                round,
                of: Drawn::Segments,
            }));
            return true;
        }
        self.run.phase = Phase::Include {
            cursor: rank.saturating_add(1),
        };
        let attested = self.store.tally(round).map_or(0, |tally| tally.of(rank));
        let Some(mut contribution) = self.store.contribution(round, rank) else {
            return true;
        };
        if contribution.report.is_some() && attested >= two_thirds(record.revealed) {
            contribution.judged = Judged::Included { failed: 0 };
            record.included = record.included.saturating_add(1);
            record.unopened = record.unopened.saturating_add(1);
            self.store.set_contribution(round, rank, Some(contribution));
            self.put_running(record);
        }
        true
    }

    /// Has a case opened about one member. Those that could not be are tried again a block later.
    fn open(&mut self, rank: u32, now: u32) -> bool {
        let round = self.run.round;
        let record = self.running();
        if rank >= record.members {
            if record.unopened > 0 {
                self.run.phase = Phase::Open { cursor: 0 };
                return false;
            }
            self.run.phase = Phase::Audit {
                until: now.saturating_add(self.terms.timing.audit_blocks),
            };
            return true;
        }
        self.run.phase = Phase::Open {
            cursor: rank.saturating_add(1),
        };
        if let Some(mut contribution) = self.store.contribution(round, rank) {
            if let Judged::Included { failed } = contribution.judged {
                let who = contribution.who.clone();
                contribution.judged = Judged::Opening { failed };
                self.store.set_contribution(round, rank, Some(contribution));
                self.effect(Effect::OpenCase { round, rank, who });
            }
        }
        true
    }

    fn audit(&mut self, now: u32, until: u32) -> bool {
        let mut record = self.running();
        if record.open > 0 && now < until {
            return false;
        }
        record.fixed = true;
        self.put_running(record);
        if record.accepted < self.terms.min_members {
            return self.void();
        }
        self.run.phase = Phase::Agree {
            until: now.saturating_add(self.terms.timing.agree_blocks),
        };
        true
    }

    fn agreeing(&mut self, now: u32, until: u32) -> bool {
        match self.running().agreed {
            // One agreed round at a time waits to become final: a rollback undoes no more than that.
            Some(_) if self.run.pending.is_some() => false,
            Some(_) => {
                self.run.phase = Phase::Close {
                    cursor: 0,
                    agreed: true,
                };
                true
            }
            None if now < until => false,
            None => self.void(),
        }
    }

    /// Counts one member's duty in the round that ends.
    fn close(&mut self, slot: u32, agreed: bool, now: u32) -> bool {
        let round = self.run.round;
        let mut record = self.running();
        let seed = record.seed.filter(|_| slot < record.members);
        let Some(seed) = seed else {
            return self.round_over(record, agreed, now);
        };
        self.run.phase = Phase::Close {
            cursor: slot.saturating_add(1),
            agreed,
        };
        let Some(rank) = rank_of(&seed, slot, record.members) else {
            return true;
        };
        let contribution = self.store.contribution(round, rank);
        if let Some(who) = self.store.at(List::Active, slot) {
            self.count_duty(&who, &record, contribution.as_ref(), agreed);
        }
        if let (false, Some(contribution)) = (agreed, contribution) {
            self.sweep(round, rank, contribution, &mut record);
            self.put_running(record);
        }
        true
    }

    fn count_duty(
        &mut self,
        who: &A,
        record: &Round,
        contribution: Option<&Contribution<A>>,
        agreed: bool,
    ) {
        let Some(mut member) = self.store.member(who) else {
            return;
        };
        let committed = contribution.is_some_and(|own| own.commitment.is_some());
        let report = contribution.and_then(|own| own.report);
        let missed =
            (record.train_over && !committed) || (record.exchange_over && report.is_none());
        let kept = record.exchange_over && report.is_some();
        if missed {
            member.missed = member.missed.saturating_add(1);
            if member.missed >= self.terms.timing.max_missed {
                member.exit.get_or_insert(Exit::Missed);
            }
        } else if kept {
            member.missed = 0;
        }
        let accepted = contribution.is_some_and(|own| own.judged == Judged::Accepted);
        if let (true, true, Some(report)) = (agreed, accepted, report) {
            member.before = member.carried;
            member.carried = Some(Carried {
                round: self.run.round,
                kept: report.kept,
                leaves: report.leaves,
            });
        }
        self.store.set_member(who, Some(member));
        if missed || kept {
            self.effect(Effect::Duty {
                who: who.clone(),
                kept,
            });
        }
    }

    fn round_over(&mut self, mut record: Round, agreed: bool, now: u32) -> bool {
        let round = self.run.round;
        self.store.set_tally(round, None);
        self.store.clear_times(round);
        match record.agreed.filter(|_| agreed) {
            Some(model) => {
                self.put_running(record);
                self.run.model = Some(model);
                self.run.voids = 0;
                self.run.idle_since = now;
                self.run.pending = Some(Pending {
                    round,
                    settling: Settling::Window {
                        until: now.saturating_add(self.terms.timing.challenge_blocks),
                    },
                });
                self.effect(Effect::RoundAgreed { round, model });
            }
            None => {
                record.done = true;
                self.put_round(round, record);
                self.run.voids = self.run.voids.saturating_add(1);
                self.effect(Effect::RoundVoid { round });
            }
        }
        self.run.doomed = false;
        self.run.round = round.saturating_add(1);
        if self.run.cancelled {
            self.wind_up(Some(Failure::Cancelled))
        } else if self.run.voids >= self.terms.timing.max_void {
            self.wind_up(Some(Failure::Void))
        } else if self.run.round >= self.terms.rounds {
            self.wind_up(None)
        } else {
            self.edge()
        }
    }
}
