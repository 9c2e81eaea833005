//! Operators, their machines and networks, validators: a block at a time.

use super::{
    chain::{Chain, Notice, RUN},
    chance::Chance,
    guard::{active, contributions},
    outcome::{Fate, Outcome},
    people::{Kind, Person, Training},
    scenario::{Scenario, DRAW, SILENT, TRAINING},
    Who,
};
use chasqui_primitives::{
    audit::{Decision, HardReason},
    training::{picked_segments, Exit, Owed, Phase, Refusal, Store},
    CaseId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Seats of a panel, its window for commitments, and how long a vote takes: somebody is always silent, so its window for
/// commitments passes. The defaults of `pallets/audits`.
const SEATS: usize = 3;
const PANEL: f64 = 50.0;
const VOTE: u32 = 105;
/// Blocks for fetching a base, for a pseudo-gradient of each other member, and for the outer step, on the median's line.
const FETCH_BASE: f64 = 30.0;
const FETCH_EACH: f64 = 0.05;
const OUTER_STEP: f64 = 2.0;
/// How often whoever misleads challenges what is right.
const CHALLENGES: f64 = 0.1;
/// No run lasts longer.
const MOST_BLOCKS: u32 = 200_000;

/// What an operator is about to do.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Join,
    Heartbeat,
    Commit,
    Reveal,
    Attest,
    Agree,
    Challenge { round: u32, right: bool },
}

#[derive(Clone, Copy, Debug)]
enum About {
    Member { rank: u32, who: Who, is_false: bool },
    Outer { is_false: bool },
}

#[derive(Clone, Copy, Debug)]
struct Case {
    id: CaseId,
    round: u32,
    about: About,
    /// Votes held.
    votes: u8,
}

struct World<'a> {
    scenario: &'a Scenario,
    chain: Chain,
    people: Vec<Person>,
    /// What happens to operators, whatever they do; how quick and moody they are; the chain's randomness and its panels.
    weather: Chance,
    moods: Chance,
    lots: Chance,
    plans: BTreeMap<u32, Vec<(Who, u32, Deed)>>,
    /// Who comes back, and newcomers.
    returns: BTreeMap<u32, Vec<Who>>,
    arrivals: BTreeMap<u32, u32>,
    /// When the present partition ends.
    partition: Option<u32>,
    /// When each validator is free again.
    validators: Vec<f64>,
    cases: BTreeMap<u32, Vec<Case>>,
    /// The running round's revealed ranks, and whose pseudo-gradients somebody else holds.
    revealed_ranks: Vec<(u32, Who)>,
    held: BTreeSet<u32>,
    /// Who revealed, by the round.
    revealed: BTreeMap<u32, BTreeSet<Who>>,
    began: Option<u32>,
    there: u32,
    /// From the first round's beginning to the last one's end.
    counting: bool,
    false_paid: BTreeMap<Who, u32>,
    slashed: BTreeSet<Who>,
    outcome: Outcome,
}

/// One run, from gathering members until nothing is left of it.
///
/// # Panics
/// When something does not hold that must.
pub fn simulate(scenario: &Scenario) -> Outcome {
    let mut world = World::new(scenario);
    while !world.chain.run.phase.is_over() || !world.cases.is_empty() {
        world.block();
        assert!(world.chain.now < MOST_BLOCKS, "T6: {:?}", world.chain.run);
    }
    world.finish()
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut world = Self {
            scenario,
            chain: Chain::new(scenario),
            people: Vec::new(),
            weather: Chance::of(&[scenario.seed, 3]),
            moods: Chance::of(&[scenario.seed, 7]),
            lots: Chance::of(&[scenario.seed, 4]),
            plans: BTreeMap::new(),
            returns: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            partition: None,
            validators: vec![0.0; scenario.validators() as usize],
            cases: BTreeMap::new(),
            revealed_ranks: Vec::new(),
            held: BTreeSet::new(),
            revealed: BTreeMap::new(),
            began: None,
            there: 0,
            counting: false,
            false_paid: BTreeMap::new(),
            slashed: BTreeSet::new(),
            outcome: Outcome::default(),
        };
        (0..scenario.members).for_each(|_| world.arrive());
        world
    }

    fn block(&mut self) {
        self.chain.now += 1;
        self.storms();
        for (who, plan, deed) in self.plans.remove(&self.chain.now).unwrap_or_default() {
            let person = &self.people[who as usize];
            if person.plan == plan && person.is_reachable() {
                self.act(who, deed);
            }
        }
        self.chain.give_seeds(&mut self.lots);
        for case in self.cases.remove(&self.chain.now).unwrap_or_default() {
            self.judge(case);
        }
        let before = (
            self.chain.run.round,
            core::mem::discriminant(&self.chain.run.phase),
        );
        self.chain.serve();
        self.chain.check();
        let after = (
            self.chain.run.round,
            core::mem::discriminant(&self.chain.run.phase),
        );
        for notice in core::mem::take(&mut self.chain.notices) {
            self.notice(notice);
        }
        let turn = before != after || matches!(self.chain.run.phase, Phase::Train { .. });
        if turn {
            self.turn(before != after);
        }
        self.count();
    }

    /// A phase has begun: everybody who sees that makes plans.
    fn turn(&mut self, fresh: bool) {
        let trains = matches!(self.chain.run.phase, Phase::Train { .. });
        // Seeds come before steps are taken, so training may have begun without a step.
        let fresh = fresh || trains && self.chain.record().started == self.chain.now;
        if !fresh {
            return;
        }
        match self.chain.run.phase {
            Phase::Attest { .. } => {
                let round = self.chain.run.round;
                let revealed = contributions(&self.chain.store, round)
                    .filter(|(_, own)| own.report.is_some())
                    .map(|(rank, own)| (rank, own.who));
                self.revealed_ranks = revealed.collect();
                self.held.clear();
            }
            Phase::Train { .. } | Phase::Exchange { .. } | Phase::Agree { .. } => {}
            _ => return,
        }
        (0..self.people.len() as Who).for_each(|who| self.plan(who));
    }

    // --- what happens to operators ---

    fn arrive(&mut self) {
        let who = self.people.len() as Who;
        let condition = &self.scenario.condition;
        let mut chance = Chance::of(&[self.scenario.seed, 5, u64::from(who)]);
        // Liars of all kinds, and as many as there should be also where members are few.
        let members = f64::from(self.scenario.members);
        let liars = (condition.liars * members) as u32;
        let lies = match who < self.scenario.members {
            true => who < liars,
            false => chance.happens(condition.liars),
        };
        let kinds = Kind::LIARS.len() as u64;
        let kind = match lies {
            true => Kind::LIARS[((u64::from(who) + self.scenario.seed) % kinds) as usize],
            false => Kind::Honest,
        };
        self.people
            .push(Person::new(self.scenario.seed, who, kind, condition));
        self.chain.guard.books.enter(who);
        self.plan(who);
    }

    fn lose_sight(&mut self, who: Who) {
        let person = &mut self.people[who as usize];
        person.plan += 1;
        person.out = Some(self.chain.run.round);
    }

    fn storms(&mut self) {
        let now = self.chain.now;
        for who in self.returns.remove(&now).unwrap_or_default() {
            let person = &mut self.people[who as usize];
            person.up = true;
            if let Some(training) = &mut person.training {
                training.go_on(now);
            }
            self.see_again(who);
        }
        for _ in 0..self.arrivals.remove(&now).unwrap_or_default() {
            self.arrive();
        }
        let round = f64::from(self.scenario.round_blocks);
        let there = self
            .people
            .iter()
            .filter(|person| person.is_there())
            .count();
        let rate = self.scenario.condition.churn * there as f64 / round;
        if self.counting && self.weather.happens(rate) {
            self.somebody_stops(there as u32);
        }
        if !self.scenario.condition.partitions {
            return;
        }
        match self.partition {
            Some(until) if now >= until => {
                self.partition = None;
                for who in 0..self.people.len() as Who {
                    if core::mem::take(&mut self.people[who as usize].cut) {
                        self.see_again(who);
                    }
                }
            }
            // One in three rounds.
            None if self.counting && self.weather.happens(1.0 / (3.0 * round)) => {
                let share = self.weather.between(0.1, 0.6);
                let blocks = self.weather.between(0.1, 1.0) * round;
                self.partition = Some(now + blocks as u32);
                for who in 0..self.people.len() as Who {
                    if self.weather.happens(share) {
                        self.people[who as usize].cut = true;
                        self.lose_sight(who);
                    }
                }
            }
            _ => {}
        }
    }

    fn see_again(&mut self, who: Who) {
        let person = &mut self.people[who as usize];
        if person.is_reachable() {
            person.out = Some(self.chain.run.round);
            self.plan(who);
        }
    }

    fn somebody_stops(&mut self, there: u32) {
        let now = self.chain.now;
        let nth = self.weather.below(there) as usize;
        let some = (0..)
            .zip(&self.people)
            .filter(|(_, person)| person.is_there());
        let Some(who) = some.map(|(who, _)| who).nth(nth) else {
            return;
        };
        let later = |share: f64| now + 1 + (share * f64::from(self.scenario.round_blocks)) as u32;
        let (how, when) = (self.weather.real(), self.weather.real());
        if how < 0.5 {
            // A crash: back within a round.
            let segments = self.chain.terms.recipe.segments;
            let person = &mut self.people[who as usize];
            person.up = false;
            if let Some(training) = &mut person.training {
                training.stop(now, segments);
            }
            self.returns.entry(later(when)).or_default().push(who);
            self.lose_sight(who);
            return;
        }
        // For good, and another comes within a round.
        *self.arrivals.entry(later(when)).or_default() += 1;
        let asked = how < 0.75 && self.people[who as usize].is_reachable();
        if !(asked && self.chain.tell(|machine| machine.leave(&who)).is_ok()) {
            self.lose_sight(who);
            self.people[who as usize].gone = true;
        }
    }

    // --- what operators do ---

    fn schedule(&mut self, who: Who, when: u32, deed: Deed) {
        let plan = self.people[who as usize].plan;
        let when = when.max(self.chain.now + 1);
        self.plans.entry(when).or_default().push((who, plan, deed));
    }

    /// Looks at the chain, which it sees some blocks later, and makes plans.
    fn plan(&mut self, who: Who) {
        let now = self.chain.now;
        let person = &mut self.people[who as usize];
        person.plan += 1;
        if !person.is_reachable() || person.thrown_out.is_some() {
            return;
        }
        let seen = match self.scenario.condition.ideal {
            true => now + 2,
            false => now + 2 + self.moods.below(3),
        };
        if !self.chain.is_member(who) {
            return self.schedule(who, seen, Deed::Join);
        }
        let Some(owed) = self.chain.owed(who) else {
            return;
        };
        let round = self.chain.run.round;
        let steps = self.chain.terms.recipe.inner_steps;
        let (seed, condition) = (self.scenario.seed, &self.scenario.condition);
        let person = &mut self.people[who as usize];
        let fetching = FETCH_EACH * self.revealed_ranks.len() as f64 * person.network;
        match owed {
            Owed::Heartbeat => {
                let fetched = now + (FETCH_BASE * person.network) as u32;
                let has_base = *person.has_base.get_or_insert(fetched);
                self.schedule(who, has_base.max(seen), Deed::Heartbeat);
            }
            Owed::Commitment { .. } => {
                if person
                    .training
                    .is_none_or(|training| training.round != round)
                {
                    let blocks = person.blocks(seed, who, round, steps, condition);
                    person.training = Some(Training::begin(round, blocks, seen));
                }
                let ends = person.training.map_or(seen, |training| training.ends(now));
                self.schedule(who, ends.max(seen), Deed::Commit);
            }
            Owed::Report { .. } => {
                let mut chance = Chance::of(&[seed, 6, u64::from(who), u64::from(round)]);
                if person.kind != Kind::Withholds || chance.happens(0.5) {
                    self.schedule(who, seen, Deed::Reveal);
                }
            }
            Owed::Attestation { .. } => {
                self.schedule(who, seen + 1 + fetching as u32, Deed::Attest)
            }
            Owed::Model { .. } => self.schedule(who, seen + OUTER_STEP as u32, Deed::Agree),
        }
    }

    fn act(&mut self, who: Who, deed: Deed) {
        let owed = self.chain.owed(who);
        let right = self.people[who as usize].kind != Kind::Misleads;
        match (deed, owed) {
            (Deed::Join, _) => match self.chain.join(who) {
                Ok(()) => self.plan(who),
                Err(Refusal::Full) => self.schedule(who, self.chain.now + 20, Deed::Join),
                Err(_) => {}
            },
            (Deed::Heartbeat, Some(Owed::Heartbeat)) => self.must(who, |chain, who| {
                chain.tell(|machine| machine.heartbeat(&who))
            }),
            (Deed::Commit, Some(Owed::Commitment { .. })) => {
                self.must(who, |chain, who| chain.commit(who).map(|_| ()))
            }
            (Deed::Reveal, Some(Owed::Report { .. })) => {
                self.must(who, |chain, who| chain.reveal(who).map(|_| ()));
                let round = self.chain.run.round;
                self.revealed.entry(round).or_default().insert(who);
            }
            (Deed::Attest, Some(Owed::Attestation { .. })) => {
                let ranks = if right { self.fetched(who) } else { Vec::new() };
                self.must(who, |chain, who| {
                    chain.attest(who, ranks.iter().copied()).map(|_| ())
                });
                self.held.extend(ranks);
            }
            (Deed::Agree, Some(Owed::Model { .. })) => {
                self.must(who, |chain, who| chain.agree(who, right).map(|_| ()))
            }
            (Deed::Challenge { round, right }, _) => {
                // Somebody else may have been sooner.
                let _ = self.chain.challenge(who, round, right);
            }
            // Too late for it.
            _ => {}
        }
    }

    /// What is owed can be done.
    fn must(&mut self, who: Who, call: impl FnOnce(&mut Chain, Who) -> Result<(), Refusal>) {
        let answer = call(&mut self.chain, who);
        assert_eq!(answer, Ok(()), "{who} cannot do what it owes");
    }

    /// Ranks whose pseudo-gradient it gets: of the author, or of somebody who has it.
    fn fetched(&self, who: Who) -> Vec<u32> {
        let served = |(rank, author): &(u32, Who)| {
            let person = &self.people[*author as usize];
            let serves = person.kind != Kind::Hoards && person.is_reachable();
            *author == who || serves || self.held.contains(rank)
        };
        let ranks = self
            .revealed_ranks
            .iter()
            .filter(|revealed| served(revealed));
        ranks.map(|(rank, _)| *rank).collect()
    }

    // --- what validators do ---

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

    fn open(&mut self, round: u32, id: CaseId, about: Option<(u32, Who)>) {
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
    fn judge(&mut self, mut case: Case) {
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
            (false, _) if case.votes > 1 => Decision::Undecided,
            _ => {
                case.votes += 1;
                let when = self.chain.now + VOTE;
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

    // --- what is seen ---

    fn notice(&mut self, notice: Notice) {
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
                for who in self.revealed.remove(&round).unwrap_or_default() {
                    self.lost(who, round);
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
        for who in self.revealed.remove(&round).unwrap_or_default() {
            if earned.contains(&who) {
                self.outcome.revealed += u32::from(self.people[who as usize].is_honest());
            } else {
                self.lost(who, round);
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

    /// Somebody's revealed work of a round is not paid.
    fn lost(&mut self, who: Who, round: u32) {
        let person = &self.people[who as usize];
        if !person.is_honest() {
            return;
        }
        self.outcome.revealed += 1;
        if !person.is_reachable() || person.out == Some(round) {
            self.outcome.lost_by_absence += 1;
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

    /// A liar is found out, and does not come back.
    fn throw_out(&mut self, who: Who) {
        let person = &mut self.people[who as usize];
        let rounds = person.rounds;
        person.thrown_out.get_or_insert(rounds);
        if person.is_honest() {
            self.outcome.honest_slashed += 1;
        }
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
    fn count(&mut self) {
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

    fn finish(mut self) -> Outcome {
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
