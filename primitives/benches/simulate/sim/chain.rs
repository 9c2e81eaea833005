//! What a chain does around the machine: blocks with room for so many steps, seeds, effects.

use super::{
    chance::Chance,
    guard::{Books, Guard, DEPOSIT},
    scenario::{Scenario, DRAW},
    Who,
};
use chasqui_primitives::{
    training::{
        Draw, Drawn, Effect, Exit, Failure, Machine, MemoryStore, ModelState, Owed, Phase, Ranks,
        Refusal, Round, RoundReport, Run, RunTerms, Store,
    },
    CaseId, RunId,
};
use sp_core::H256;

pub const GENESIS: H256 = H256::repeat_byte(1);
pub const RUN: RunId = 7;

/// Bytes of proof that a block has for live runs (15% of 10 MiB), and what they go for:
/// `pallets/training/src/weights.rs`. Time would suffice for more.
const BLOCK_PROOF: u32 = 1_572_864;
const STEP: u32 = 6_320;
const COUNT: u32 = 4_515;
const OPEN: u32 = 44_496;
const FREE: u32 = 4_318;
const DUTY: u32 = 6_196;
const PAY: u32 = 7_646;
const SLASH: u32 = 8_799;
const END: u32 = 4_206;

/// What others than the machine are concerned with.
#[derive(Clone, Debug)]
pub enum Notice {
    CaseOpened {
        round: u32,
        rank: u32,
        who: Who,
        case: CaseId,
    },
    ChallengeOpened {
        round: u32,
        case: CaseId,
    },
    Began,
    /// `right`: it is the model that honest members compute.
    Agreed {
        round: u32,
        right: bool,
    },
    Void {
        round: u32,
    },
    Final,
    Undone {
        round: u32,
    },
    Paid {
        who: Who,
    },
    Slashed {
        who: Who,
    },
    Dropped {
        who: Who,
        exit: Exit,
    },
    Ended(Option<Failure>),
}

/// A run on its chain.
pub struct Chain {
    pub terms: RunTerms,
    pub run: Run<Who>,
    pub store: MemoryStore<Who>,
    pub now: u32,
    pub notices: Vec<Notice>,
    pub guard: Guard,
    draws: Vec<(u32, Draw)>,
    next_case: CaseId,
    strict: bool,
    /// Events within events.
    depth: u32,
    /// Proof that effects took since it was looked at.
    spent: u32,
    /// Whether anything happened since all was checked.
    touched: bool,
}

impl Chain {
    pub fn new(scenario: &Scenario) -> Self {
        let terms = scenario.terms();
        assert_eq!(terms.validate(), Ok(()));
        let budget = terms.budget().expect("it is valid");
        Self {
            terms,
            run: Run::new(0),
            store: MemoryStore::default(),
            now: 0,
            notices: Vec::new(),
            guard: Guard::new(budget),
            draws: Vec::new(),
            next_case: 0,
            strict: scenario.strict,
            depth: 0,
            spent: 0,
            touched: false,
        }
    }

    pub fn books(&self) -> &Books {
        &self.guard.books
    }

    pub fn record(&self) -> Round {
        self.store.round(self.run.round).unwrap_or_default()
    }

    /// Looks at the machine without telling it anything.
    pub fn ask<R>(&mut self, question: impl FnOnce(&Machine<Who, MemoryStore<Who>>) -> R) -> R {
        let machine = Machine::new(GENESIS, RUN, &self.terms, self.run, &mut self.store);
        question(&machine)
    }

    /// Tells the machine something, and carries out what follows.
    pub fn tell<R>(
        &mut self,
        event: impl FnOnce(&mut Machine<Who, MemoryStore<Who>>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let before = self.run;
        let mut machine = Machine::new(GENESIS, RUN, &self.terms, self.run, &mut self.store);
        let answer = event(&mut machine);
        let (run, effects) = (machine.run, core::mem::take(&mut machine.effects));
        assert!(
            answer.is_ok() || (run == before && effects.is_empty()),
            "a refusal changes something"
        );
        self.run = run;
        self.touched = true;
        self.depth += 1;
        for effect in effects {
            self.on(effect);
        }
        self.depth -= 1;
        if self.strict && self.depth == 0 {
            self.check();
        }
        answer
    }

    fn on(&mut self, effect: Effect<Who>) {
        self.guard.on(&effect, &self.run, &self.terms, &self.store);
        let mut cost = 0;
        match effect {
            Effect::Announce(draw) => self.draws.push((self.now + DRAW, draw)),
            Effect::OpenCase { round, rank, who } => {
                cost = OPEN;
                let case = self.next_case();
                self.tell(|machine| machine.opened(round, rank, Some(case)))
                    .expect("the machine asked for this case");
                self.notices.push(Notice::CaseOpened {
                    round,
                    rank,
                    who,
                    case,
                });
            }
            Effect::OpenChallenge { round, .. } => {
                cost = OPEN;
                let (case, now) = (self.next_case(), self.now);
                self.tell(|machine| machine.challenge_opened(round, Some(case), now))
                    .expect("the machine asked for this case");
                self.notices.push(Notice::ChallengeOpened { round, case });
            }
            Effect::Hold(_) | Effect::Activated(_) => {}
            Effect::Free(_) | Effect::Deposit { .. } => cost = FREE,
            Effect::Duty { .. } => cost = DUTY,
            Effect::Slash { who, .. } => {
                cost = SLASH;
                self.notices.push(Notice::Slashed { who });
            }
            Effect::Pay { who, .. } => {
                cost = PAY;
                self.notices.push(Notice::Paid { who });
            }
            Effect::Dropped { who, exit } => {
                cost = FREE;
                self.notices.push(Notice::Dropped { who, exit });
            }
            Effect::RoundBegan { .. } => self.notices.push(Notice::Began),
            Effect::RoundAgreed { round, model } => {
                let right = model == Self::model(round, true);
                self.notices.push(Notice::Agreed { round, right });
            }
            Effect::RoundVoid { round } => self.notices.push(Notice::Void { round }),
            Effect::RoundFinal { .. } => self.notices.push(Notice::Final),
            Effect::RoundUndone { round } => self.notices.push(Notice::Undone { round }),
            Effect::Ended(failed) => {
                cost = END;
                self.notices.push(Notice::Ended(failed));
            }
        }
        self.spent += cost;
    }

    fn next_case(&mut self) -> CaseId {
        self.next_case += 1;
        self.next_case
    }

    /// Gives the seeds that are due.
    pub fn give_seeds(&mut self, chance: &mut Chance) {
        let now = self.now;
        let due: Vec<_> = self.draws.extract_if(.., |(due, _)| *due <= now).collect();
        for (_, draw) in due {
            let (seed, awaited) = (chance.hash(), self.ask(|machine| machine.awaits(&draw)));
            let answer = self.tell(|machine| machine.seed(draw, seed, now));
            assert_eq!(
                answer.is_ok(),
                awaited,
                "a seed that is not awaited is taken"
            );
            if awaited && draw.of == Drawn::Ranks {
                self.guard.check_ranks(&self.run, &self.store);
            }
        }
    }

    /// Takes as many steps as a block has room for.
    pub fn serve(&mut self) {
        let (now, mut left) = (self.now, BLOCK_PROOF);
        while left >= STEP + OPEN {
            let counts = matches!(self.run.phase, Phase::Tally { .. });
            self.spent = if counts { COUNT } else { STEP };
            let before = self.touched;
            let taken = self.tell(|machine| Ok(machine.service(now, 1)));
            if taken == Ok(0) {
                self.touched = before;
                return;
            }
            left = left.saturating_sub(self.spent);
        }
    }

    /// Asserts what always holds, if anything happened.
    pub fn check(&mut self) {
        if core::mem::take(&mut self.touched) {
            self.guard.check(&self.run, &self.terms, &self.store);
        }
    }

    // --- what members do ---

    /// What the run waits for of a member.
    pub fn owed(&mut self, who: Who) -> Option<Owed> {
        let now = self.now;
        self.ask(|machine| machine.owed(&who, now))
    }

    pub fn is_member(&self, who: Who) -> bool {
        self.store.member(&who).is_some()
    }

    pub fn join(&mut self, who: Who) -> Result<(), Refusal> {
        let now = self.now;
        self.tell(|machine| machine.join(&who, H256::zero(), now))
    }

    pub fn report(&self, who: Who, round: u32) -> RoundReport {
        let name = u64::from(who) << 33 | u64::from(round) << 1;
        RoundReport {
            gradient: H256::from_low_u64_be(name),
            kept: H256::from_low_u64_be(name | 1),
            leaves: self.terms.recipe.segments + 1,
            tokens: self.terms.recipe.tokens_per_round(),
            units: self.terms.recipe.tokens_per_round(),
            loss_micro: 1,
            norm_milli: 1,
        }
    }

    fn salt(who: Who) -> [u8; 32] {
        let mut salt = [0; 32];
        salt[..4].copy_from_slice(&who.to_le_bytes());
        salt
    }

    pub fn commit(&mut self, who: Who) -> Result<u32, Refusal> {
        let (round, now) = (self.run.round, self.now);
        let report = self.report(who, round);
        let commitment = report.commitment(&GENESIS, &who, RUN, round, &Self::salt(who));
        self.tell(|machine| machine.commit(&who, round, commitment, now))
    }

    pub fn reveal(&mut self, who: Who) -> Result<u32, Refusal> {
        let (round, now) = (self.run.round, self.now);
        let (report, salt) = (self.report(who, round), Self::salt(who));
        self.tell(|machine| machine.reveal(&who, round, &report, &salt, now))
    }

    pub fn attest(
        &mut self,
        who: Who,
        ranks: impl IntoIterator<Item = u32>,
    ) -> Result<u32, Refusal> {
        let (round, now) = (self.run.round, self.now);
        let ranks = Ranks::of(self.record().members, ranks);
        self.tell(|machine| machine.attest(&who, round, ranks, now))
    }

    /// The model that a round ends in: the right one, or that of those who mislead.
    pub fn model(round: u32, right: bool) -> ModelState {
        let hash = H256::from_low_u64_be(u64::from(round) << 1 | u64::from(right));
        ModelState {
            hash,
            params: hash,
            momentum: hash,
            checkpoint: H256::zero(),
        }
    }

    pub fn agree(&mut self, who: Who, right: bool) -> Result<u32, Refusal> {
        let (round, now) = (self.run.round, self.now);
        let model = Self::model(round, right);
        let rank = self.tell(|machine| machine.agree(&who, round, &model, now))?;
        self.guard.voted.insert((round, who), model.key(RUN, round));
        Ok(rank)
    }

    /// Challenges the agreed model of `round`, if the challenger can pay the deposit.
    pub fn challenge(&mut self, who: Who, round: u32, right: bool) -> Result<(), Refusal> {
        if self
            .books()
            .purses
            .get(&who)
            .is_none_or(|purse| *purse < DEPOSIT)
        {
            return Ok(());
        }
        let (model, now) = (Self::model(round, right), self.now);
        self.tell(|machine| machine.challenge(&who, round, &model, now))?;
        self.guard.challenged(who);
        Ok(())
    }
}
