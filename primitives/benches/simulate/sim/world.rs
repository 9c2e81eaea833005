//! Operators, their machines and networks, validators: a block at a time.

use super::{
    audits::Case,
    chain::Chain,
    chance::Chance,
    guard::contributions,
    outcome::Outcome,
    people::{Kind, Person, Training},
    scenario::Scenario,
    Who,
};
use chasqui_primitives::training::{Owed, Phase, Refusal};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks for fetching a base, for a pseudo-gradient of each other member, and for the outer step, on the median's line.
const FETCH_BASE: f64 = 30.0;
const FETCH_EACH: f64 = 0.05;
pub(super) const OUTER_STEP: f64 = 2.0;
/// No run lasts longer.
const MOST_BLOCKS: u32 = 200_000;

/// What an operator is about to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Join,
    Heartbeat,
    Commit,
    Reveal,
    Attest,
    Agree,
    Challenge { round: u32, right: bool },
}

pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) chain: Chain,
    pub(super) people: Vec<Person>,
    /// What happens to operators, whatever they do; how quick and moody they are; the chain's randomness and its panels.
    pub(super) weather: Chance,
    pub(super) moods: Chance,
    pub(super) lots: Chance,
    pub(super) plans: BTreeMap<u32, Vec<(Who, u32, Deed)>>,
    /// Who comes back, and newcomers.
    pub(super) returns: BTreeMap<u32, Vec<Who>>,
    pub(super) arrivals: BTreeMap<u32, u32>,
    /// When the present partition ends.
    pub(super) partition: Option<u32>,
    /// When each validator is free again.
    pub(super) validators: Vec<f64>,
    pub(super) cases: BTreeMap<u32, Vec<Case>>,
    /// The running round's revealed ranks, and whose pseudo-gradients somebody else holds.
    pub(super) revealed_ranks: Vec<(u32, Who)>,
    pub(super) held: BTreeSet<u32>,
    /// Who revealed, by the round, and whether it attested, too.
    pub(super) revealed: BTreeMap<u32, BTreeMap<Who, bool>>,
    pub(super) began: Option<u32>,
    pub(super) there: u32,
    /// From the first round's beginning to the last one's end.
    pub(super) counting: bool,
    pub(super) false_paid: BTreeMap<Who, u32>,
    pub(super) slashed: BTreeSet<Who>,
    pub(super) outcome: Outcome,
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

    pub(super) fn arrive(&mut self) {
        let who = self.people.len() as Who;
        let condition = &self.scenario.condition;
        let mut chance = Chance::of(&[self.scenario.seed, 5, u64::from(who)]);
        // Liars of all kinds, and as many as there should be also where members are few.
        let members = f64::from(self.scenario.members);
        let liars = (condition.liars * members) as u32;
        let lies = match who < self.scenario.members {
            true => who < liars,
            false => !condition.mislead && chance.happens(condition.liars),
        };
        let kinds = Kind::LIARS.len() as u64;
        let kind = match lies {
            true if condition.mislead => Kind::Misleads,
            true => Kind::LIARS[((u64::from(who) + self.scenario.seed) % kinds) as usize],
            false => Kind::Honest,
        };
        self.people
            .push(Person::new(self.scenario.seed, who, kind, condition));
        self.chain.guard.books.enter(who);
        self.plan(who);
    }

    pub(super) fn lose_sight(&mut self, who: Who) {
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

    pub(super) fn schedule(&mut self, who: Who, when: u32, deed: Deed) {
        let plan = self.people[who as usize].plan;
        let when = when.max(self.chain.now + 1);
        self.plans.entry(when).or_default().push((who, plan, deed));
    }

    /// Looks at the chain, which it sees some blocks later, and makes plans.
    pub(super) fn plan(&mut self, who: Who) {
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
                self.revealed.entry(round).or_default().insert(who, false);
            }
            (Deed::Attest, Some(Owed::Attestation { .. })) => {
                let ranks = self.fetched(who);
                self.must(who, |chain, who| {
                    chain.attest(who, ranks.iter().copied()).map(|_| ())
                });
                self.held.extend(ranks);
                let round = self.chain.run.round;
                self.revealed.entry(round).or_default().insert(who, true);
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
}
