//! A run with everything around it that a chain has: blocks, seeds, cases, money. Checks after every event what must
//! always hold (T1 to T11 of `training::machine`).

// Each test file uses a part of it.
#![allow(dead_code)]

use chasqui_primitives::{
    audit::Decision,
    training::{
        check::check,
        machine::{Final, Pending, Settling},
        members::Carried,
        rank_of, AuditTerms, Codec, Contribution, Draw, Drawn, Effect, Failure, InnerOptimizer,
        Judged, List, Machine, MemoryStore, ModelState, Outer, Owed, Phase, Ranks, Recipe, Refusal,
        RoundReport, Run, RunTerms, Schedule, Start, Store, Timing, Trains,
    },
};
use sp_core::H256;
use std::collections::{BTreeMap, BTreeSet};

pub type Who = u64;

pub const GENESIS: H256 = H256::repeat_byte(1);

pub fn terms(rounds: u32, min_members: u32, max_members: u32) -> RunTerms {
    RunTerms {
        start: Start::Fresh {
            config: H256::repeat_byte(1),
            seed: 2,
        },
        dataset: H256::repeat_byte(3),
        sequences: 1_000,
        recipe: Recipe {
            inner_steps: 20,
            batch: 4,
            micro_batch: 2,
            sequence: 64,
            optimizer: InnerOptimizer::default(),
            schedule: Schedule {
                peak_nano: 1_000_000,
                warmup_steps: 10,
                total_steps: 100,
                floor_ppm: 100_000,
            },
            clip_milli: 1_000,
            outer: Outer::default(),
            codec: Codec::F32,
            norm_clip_ppm: 4_000_000,
            segments: 4,
            trains: Trains::Full,
        },
        rounds,
        round_pay: 1_000_003,
        min_members,
        max_members,
        timing: Timing {
            forming_blocks: 2,
            warmup_blocks: 5,
            train_blocks: 30,
            grace_blocks: 2,
            spread_percent: 300,
            exchange_blocks: 4,
            attest_blocks: 4,
            audit_blocks: 8,
            agree_blocks: 4,
            challenge_blocks: 6,
            idle_blocks: 40,
            max_missed: 2,
            max_void: 3,
        },
        audit: AuditTerms {
            segments: 1,
            soft_ppm: 1,
            hard_ppm: 2,
            evidence_tau: 0,
        },
    }
}

/// A case that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    Member { round: u32, rank: u32 },
    Outer { round: u32 },
}

/// What was fixed when a round's second seed was asked for.
type Fixed = Vec<(u32, Option<RoundReport>, bool)>;

#[derive(Clone, PartialEq, Debug)]
pub struct World {
    pub terms: RunTerms,
    pub run: Run<Who>,
    pub store: MemoryStore<Who>,
    pub now: u32,
    /// Steps that one block serves.
    pub budget: u32,
    /// Whether cases can be opened at all.
    pub panels: bool,
    pub announced: Vec<Draw>,
    pub cases: Vec<(u64, Case)>,
    next_case: u64,
    /// What each has committed to in a round.
    pub secrets: BTreeMap<(u32, Who), (RoundReport, [u8; 32])>,
    pub log: Vec<String>,
    // What was seen.
    pub held: BTreeMap<Who, i64>,
    pub paid: BTreeMap<(u32, Who), u128>,
    pub slashed: Vec<(u32, Who)>,
    pub duties: Vec<(Who, bool)>,
    convicted: BTreeSet<(u32, Who)>,
    false_models: BTreeSet<(u32, H256)>,
    voted: BTreeMap<(u32, Who), H256>,
    pub deposits: i64,
    pub finals: Vec<u32>,
    pub undone: Vec<u32>,
    pub voids: Vec<u32>,
    pub accepted: BTreeMap<u32, BTreeSet<Who>>,
    members_of: BTreeMap<u32, Vec<Who>>,
    bases: BTreeMap<u32, Option<ModelState>>,
    fixed: Option<(u32, Fixed)>,
    stream: u64,
    /// Effects are being carried out.
    settling: bool,
    carried: BTreeMap<Who, Vec<Carried>>,
    pub dropped: Vec<(Who, String)>,
    pub ended: Vec<Option<Failure>>,
}

impl World {
    pub fn new(terms: RunTerms) -> Self {
        assert_eq!(terms.validate(), Ok(()));
        Self {
            terms,
            run: Run::new(0),
            store: MemoryStore::default(),
            now: 0,
            budget: 1_000,
            panels: true,
            announced: Vec::new(),
            cases: Vec::new(),
            next_case: 0,
            secrets: BTreeMap::new(),
            log: Vec::new(),
            held: BTreeMap::new(),
            paid: BTreeMap::new(),
            slashed: Vec::new(),
            duties: Vec::new(),
            convicted: BTreeSet::new(),
            false_models: BTreeSet::new(),
            voted: BTreeMap::new(),
            deposits: 0,
            finals: Vec::new(),
            undone: Vec::new(),
            voids: Vec::new(),
            accepted: BTreeMap::new(),
            members_of: BTreeMap::new(),
            bases: BTreeMap::new(),
            fixed: None,
            stream: 0,
            settling: false,
            carried: BTreeMap::new(),
            dropped: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Tells the machine something; a refusal must leave everything as it was.
    pub fn tell<R>(
        &mut self,
        event: impl FnOnce(&mut Machine<Who, MemoryStore<Who>>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut store = self.store.clone();
        let mut machine = Machine::new(GENESIS, 7, &self.terms, self.run, &mut store);
        let answer = event(&mut machine);
        let (run, effects) = (machine.run, core::mem::take(&mut machine.effects));
        if answer.is_ok() {
            (self.run, self.store) = (run, store);
            let outer = core::mem::replace(&mut self.settling, true);
            for effect in effects {
                self.on(effect);
            }
            self.settling = outer;
        } else {
            assert!(effects.is_empty(), "a refusal has effects");
            assert!(
                run == self.run && store == self.store,
                "a refusal changes something"
            );
        }
        self.check();
        answer
    }

    fn on(&mut self, effect: Effect<Who>) {
        self.log.push(format!("{}: {effect:?}", self.now));
        match effect {
            Effect::Announce(draw) => self.on_announced(draw),
            Effect::OpenCase { round, rank, .. } => {
                let case = self.panels.then(|| self.open(Case::Member { round, rank }));
                self.tell(|machine| machine.opened(round, rank, case))
                    .unwrap();
            }
            Effect::OpenChallenge { round, accused, .. } => {
                assert!(self.voted.contains_key(&(round, accused)));
                let case = self.panels.then(|| self.open(Case::Outer { round }));
                let now = self.now;
                self.tell(|machine| machine.challenge_opened(round, case, now))
                    .unwrap();
            }
            Effect::Hold(who) => *self.held.entry(who).or_default() += 1,
            Effect::Free(who) => {
                let held = self.held.get_mut(&who).unwrap();
                *held -= 1;
                assert!(*held >= 0, "T9: {who} is freed more often than held");
            }
            Effect::Duty { who, kept } => self.duties.push((who, kept)),
            Effect::Slash {
                who,
                round,
                reporter,
            } => {
                // T7
                let vote = self.voted.get(&(round, who)).copied();
                let lied = vote.is_some_and(|key| self.false_models.contains(&(round, key)));
                let found = self.convicted.contains(&(round, who));
                assert!(
                    if reporter.is_some() { lied } else { found },
                    "T7: {who} is slashed"
                );
                let times = self
                    .slashed
                    .iter()
                    .filter(|past| **past == (round, who))
                    .count();
                assert!(
                    times < usize::from(lied) + usize::from(found),
                    "T7: slashed again"
                );
                self.slashed.push((round, who));
            }
            Effect::Pay {
                who, round, amount, ..
            } => {
                // T1
                assert!(
                    self.paid.insert((round, who), amount).is_none(),
                    "T1: paid twice"
                );
                assert!(self.finals.contains(&round), "T1: paid before it is final");
                assert!(self.accepted[&round].contains(&who), "T1: paid for nothing");
            }
            Effect::Deposit { .. } => {
                self.deposits -= 1;
                assert!(self.deposits >= 0, "T9: a deposit is decided twice");
            }
            Effect::Activated(_) => {}
            Effect::Dropped { who, exit } => {
                self.carried.remove(&who);
                self.dropped.push((who, format!("{exit:?}")));
            }
            Effect::RoundBegan {
                round,
                members,
                first_sequence,
            } => {
                // T10
                assert_eq!(first_sequence, self.stream, "T10: gap or overlap");
                self.stream += self.terms.recipe.sequences_per_round(members);
                self.bases.insert(round, self.run.model);
                self.members_of.insert(round, self.active());
            }
            Effect::RoundAgreed { round, model } => {
                // T8
                assert_eq!(self.run.model, Some(model));
                let accepted = self
                    .contributions(round)
                    .into_iter()
                    .filter_map(|(_, own)| {
                        (own.judged == Judged::Accepted).then_some((own.who, own.report?))
                    });
                for (who, report) in accepted.collect::<Vec<_>>() {
                    self.accepted.entry(round).or_default().insert(who);
                    // T11: whoever left and came back begins anew.
                    if self.store.member(&who).is_some() {
                        self.carried.entry(who).or_default().push(Carried {
                            round,
                            kept: report.kept,
                            leaves: report.leaves,
                        });
                    }
                }
            }
            Effect::RoundVoid { round } => self.voids.push(round),
            Effect::RoundFinal { round, model } => {
                assert!(!self.undone.contains(&round) && !self.finals.contains(&round));
                assert_eq!(self.run.settled, Some(Final { round, model }));
                self.finals.push(round);
            }
            Effect::RoundUndone { round } => {
                // T8
                assert_eq!(self.run.model, self.bases[&round], "T8: not where it began");
                self.undone.push(round);
                for past in self.carried.values_mut() {
                    past.retain(|carried| carried.round != round);
                }
            }
            Effect::Ended(failed) => self.ended.push(failed),
        }
    }

    fn on_announced(&mut self, draw: Draw) {
        // T4
        match draw.of {
            Drawn::Ranks => assert_eq!(self.members_of[&draw.round], self.active()),
            Drawn::Segments => self.fixed = Some((draw.round, self.fixed_now(draw.round))),
            Drawn::Panel => assert!(matches!(
                self.run.pending,
                Some(Pending {
                    settling: Settling::Drawing { .. },
                    ..
                })
            )),
        }
        self.announced.push(draw);
    }

    fn fixed_now(&self, round: u32) -> Fixed {
        self.contributions(round)
            .into_iter()
            .map(|(rank, own)| (rank, own.report, own.judged != Judged::Not))
            .collect()
    }

    fn open(&mut self, case: Case) -> u64 {
        let id = self.next_case;
        self.next_case += 1;
        self.cases.push((id, case));
        id
    }

    pub fn contributions(&self, round: u32) -> Vec<(u32, Contribution<Who>)> {
        self.store
            .contributions
            .range((round, 0)..=(round, u32::MAX))
            .map(|((_, rank), own)| (*rank, own.clone()))
            .collect()
    }

    /// Those who take part, by slot.
    pub fn active(&self) -> Vec<Who> {
        (0..self.run.active)
            .filter_map(|slot| self.store.at(List::Active, slot))
            .collect()
    }

    pub fn record(&self) -> chasqui_primitives::training::Round {
        self.store.round(self.run.round).unwrap()
    }

    /// What always holds.
    pub fn check(&self) {
        // T1
        let all: u128 = self.paid.values().sum();
        assert!(
            self.settling || all == self.run.paid,
            "T1: {all} {}",
            self.run.paid
        );
        assert!(all <= self.terms.budget().unwrap(), "T1: beyond the budget");
        assert_eq!(
            check(&self.run, &self.terms, &self.store),
            Ok(()),
            "{:#?}",
            self.log
        );
        if self.run.phase.in_round() {
            // T2
            assert_eq!(
                self.members_of[&self.run.round],
                self.active(),
                "T2: membership"
            );
            if let Some(seed) = self.record().seed {
                let members = self.record().members;
                let ranks: BTreeSet<_> = (0..members)
                    .filter_map(|slot| rank_of(&seed, slot, members))
                    .collect();
                assert_eq!(ranks.len() as u32, members, "T2: ranks");
            }
            // T4: what the second seed judges stays as it was.
            let sweeping = matches!(self.run.phase, Phase::Close { .. });
            if let Some((round, fixed)) = &self.fixed {
                if *round == self.run.round && !sweeping {
                    let now = self.fixed_now(*round);
                    for (rank, report, included) in fixed {
                        assert!(
                            now.contains(&(*rank, *report, *included)),
                            "T4: {fixed:?} {now:?}"
                        );
                    }
                }
            }
        }
        let undoing = matches!(
            self.run.pending,
            Some(Pending {
                settling: Settling::Undoing { .. },
                ..
            })
        );
        let closing = matches!(self.run.phase, Phase::Close { agreed: true, .. });
        for (who, member) in self.store.members.iter().filter(|_| !undoing && !closing) {
            // T11
            let expected = self.carried.get(who).and_then(|past| past.last()).copied();
            let known = member.list == List::Active;
            assert!(
                !known || member.carried == expected,
                "T11: {who} {member:?} {expected:?}"
            );
        }
    }

    // --- what a chain does ---

    pub fn block(&mut self) {
        self.now += 1;
        let (now, budget) = (self.now, self.budget);
        self.tell(|machine| {
            machine.service(now, budget);
            Ok(())
        })
        .unwrap();
    }

    pub fn blocks(&mut self, count: u32) {
        (0..count).for_each(|_| self.block());
    }

    /// Gives the oldest seed that is asked for.
    pub fn give_seed(&mut self) -> bool {
        if self.announced.is_empty() {
            return false;
        }
        let draw = self.announced.remove(0);
        let seed = H256::from_low_u64_be(u64::from(self.now) * 8 + u64::from(draw.round));
        let (now, awaited) = (self.now, self.awaits(&draw));
        let answer = self.tell(|machine| machine.seed(draw, seed, now));
        assert_eq!(answer.is_ok(), awaited);
        true
    }

    fn awaits(&self, draw: &Draw) -> bool {
        let mut store = self.store.clone();
        Machine::new(GENESIS, 7, &self.terms, self.run, &mut store).awaits(draw)
    }

    /// Closes the `index`-th open case.
    pub fn close_case(&mut self, index: usize, decision: Decision) -> bool {
        if self.cases.is_empty() {
            return false;
        }
        let (id, case) = self.cases.remove(index % self.cases.len());
        match case {
            Case::Member { round, rank } => {
                if let (Decision::Hard(_), Some(own)) =
                    (decision, self.store.contribution(round, rank))
                {
                    self.convicted.insert((round, own.who));
                }
                self.tell(|machine| machine.verdict(round, rank, id, decision))
                    .unwrap();
            }
            Case::Outer { round } => {
                let agreed = self.store.round(round).and_then(|record| record.agreed);
                let in_time = matches!(self.run.pending, Some(Pending {
                    round: of,
                    settling: Settling::InCase { case, .. },
                }) if of == round && case == id);
                if let (Decision::Hard(_), Some(agreed), true) = (decision, agreed, in_time) {
                    self.false_models.insert((round, agreed.key(7, round)));
                }
                let answer = self.tell(|machine| machine.challenge_verdict(round, id, decision));
                assert_eq!(answer.is_ok(), in_time);
            }
        }
        true
    }

    // --- what members do ---

    pub fn join(&mut self, who: Who) -> Result<(), Refusal> {
        let now = self.now;
        self.tell(|machine| machine.join(&who, H256::zero(), now))
    }

    pub fn heartbeat(&mut self, who: Who) -> Result<(), Refusal> {
        self.tell(|machine| machine.heartbeat(&who))
    }

    pub fn leave(&mut self, who: Who) -> Result<(), Refusal> {
        self.tell(|machine| machine.leave(&who))
    }

    pub fn report(&self, who: Who, round: u32) -> RoundReport {
        RoundReport {
            gradient: H256::from_low_u64_be(who << 32 | u64::from(round) << 1),
            kept: H256::from_low_u64_be(who << 32 | u64::from(round) << 1 | 1),
            leaves: self.terms.recipe.segments + 1,
            tokens: self.terms.recipe.tokens_per_round(),
            units: self.terms.recipe.tokens_per_round(),
            loss_micro: 1,
            norm_milli: 1,
        }
    }

    pub fn commit_to(&mut self, who: Who, report: RoundReport) -> Result<u32, Refusal> {
        let (round, now, salt) = (self.run.round, self.now, [who as u8; 32]);
        let commitment = report.commitment(&GENESIS, &who, 7, round, &salt);
        let answer = self.tell(|machine| machine.commit(&who, round, commitment, now))?;
        self.secrets.insert((round, who), (report, salt));
        Ok(answer)
    }

    pub fn commit(&mut self, who: Who) -> Result<u32, Refusal> {
        self.commit_to(who, self.report(who, self.run.round))
    }

    pub fn reveal(&mut self, who: Who) -> Result<u32, Refusal> {
        let (round, now) = (self.run.round, self.now);
        let (report, salt) = self
            .secrets
            .get(&(round, who))
            .copied()
            .unwrap_or((self.report(who, round), [0; 32]));
        self.tell(|machine| machine.reveal(&who, round, &report, &salt, now))
    }

    pub fn attest(
        &mut self,
        who: Who,
        ranks: impl IntoIterator<Item = u32>,
    ) -> Result<u32, Refusal> {
        let members = self
            .store
            .round(self.run.round)
            .map_or(1, |record| record.members);
        let (round, now) = (self.run.round, self.now);
        self.tell(|machine| machine.attest(&who, round, Ranks::of(members, ranks), now))
    }

    /// The model that value `value` stands for; 0 is the right one.
    pub fn model(&self, round: u32, value: u8) -> ModelState {
        let hash = H256::from_low_u64_be(u64::from(round) << 8 | u64::from(value));
        ModelState {
            hash,
            params: hash,
            momentum: hash,
            checkpoint: hash,
        }
    }

    pub fn agree(&mut self, who: Who, value: u8) -> Result<u32, Refusal> {
        let (round, now) = (self.run.round, self.now);
        let model = self.model(round, value);
        let rank = self.tell(|machine| machine.agree(&who, round, &model, now))?;
        self.voted.insert((round, who), model.key(7, round));
        Ok(rank)
    }

    pub fn challenge(&mut self, who: Who, value: u8) -> Result<(), Refusal> {
        let round = self.run.pending.as_ref().map_or(0, |pending| pending.round);
        let (model, now) = (self.model(round, value), self.now);
        self.tell(|machine| machine.challenge(&who, round, &model, now))?;
        self.deposits += 1;
        Ok(())
    }

    /// What the run waits for of `who`.
    pub fn owed(&self, who: Who) -> Option<Owed> {
        let mut store = self.store.clone();
        Machine::new(GENESIS, 7, &self.terms, self.run, &mut store).owed(&who, self.now)
    }

    /// Does what the phase asks of `who`; `lies` where it can. What is owed can be done, once.
    pub fn act(&mut self, who: Who, lies: bool) {
        let owed = self.owed(who);
        let answer = match self.run.phase {
            Phase::Train { .. } => self.commit(who).map(|_| ()),
            Phase::Exchange { .. } => self.reveal(who).map(|_| ()),
            Phase::Attest { .. } => {
                let members = self.record().members;
                self.attest(who, 0..if lies { 0 } else { members })
                    .map(|_| ())
            }
            Phase::Agree { .. } => self.agree(who, u8::from(lies)).map(|_| ()),
            _ => self.heartbeat(who),
        };
        match owed {
            Some(Owed::Heartbeat) => self.heartbeat(who).unwrap(),
            // Nobody else's report is this one's, so nothing is a duplicate.
            Some(_) => assert_eq!(answer, Ok(()), "what is owed cannot be done: {owed:?}"),
            None => {}
        }
        assert_eq!(self.owed(who), None, "what was done is owed again");
    }

    /// Lets blocks, seeds and honest members go on until `done`.
    pub fn go_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            for who in 0..20 {
                self.act(who, false);
            }
            self.give_seed();
            while self.close_case(0, Decision::Valid) {}
            self.block();
        }
        panic!("{what} did not come; {:?}\n{:#?}", self.run, self.log);
    }

    /// Lets blocks and seeds go on until `done`; nobody does anything.
    pub fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            self.give_seed();
            self.block();
        }
        panic!("{what} did not come; {:?}", self.run);
    }
}

/// A run of so many members, all ready.
pub fn running(terms: RunTerms, members: u64) -> World {
    let mut world = World::new(terms);
    for who in 0..members {
        world.join(who).unwrap();
        world.heartbeat(who).unwrap();
    }
    world.wait_until("training", |world| {
        matches!(world.run.phase, Phase::Train { .. })
    });
    world
}
