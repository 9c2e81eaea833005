//! What must always hold of a run (T1 to T11 of `training::machine`), asserted as it goes on, and of the money around it.

use super::{chain::RUN, scenario::DOT, Who};
use chasqui_primitives::{
    training::{
        check::check,
        machine::{Final, Pending, Settling},
        members::Carried,
        rank_of, Contribution, Effect, Judged, List, MemoryStore, ModelState, Phase, RoundReport,
        Run, RunTerms, Store,
    },
    Balance,
};
use sp_core::H256;
use std::collections::{BTreeMap, BTreeSet};

/// Who has how much, in planck. Nothing is minted: all of it came in with the budget or with an operator.
#[derive(Clone, Debug)]
pub struct Books {
    pub brought_in: Balance,
    /// The run's earmark.
    pub earmark: Balance,
    /// The fund's, beside that.
    pub free: Balance,
    pub reserve: Balance,
    /// Challengers' deposits.
    pub deposits: Balance,
    pub purses: BTreeMap<Who, Balance>,
    pub bonds: BTreeMap<Who, Balance>,
}

/// What an operator brings: its bond, and its purse.
pub const BOND: Balance = 100 * DOT;
pub const PURSE: Balance = 30 * DOT;
/// What a challenge puts on hold.
pub const DEPOSIT: Balance = 10 * DOT;

impl Books {
    fn new(budget: Balance) -> Self {
        Self {
            brought_in: budget,
            earmark: budget,
            free: 0,
            reserve: 0,
            deposits: 0,
            purses: BTreeMap::new(),
            bonds: BTreeMap::new(),
        }
    }

    /// A new operator brings what it has.
    pub fn enter(&mut self, who: Who) {
        self.brought_in += BOND + PURSE;
        self.purses.insert(who, PURSE);
        self.bonds.insert(who, BOND);
    }

    fn check(&self) {
        let purses: Balance = self.purses.values().sum();
        let bonds: Balance = self.bonds.values().sum();
        let all = self.earmark + self.free + self.reserve + self.deposits + purses + bonds;
        assert_eq!(all, self.brought_in, "money is lost or made: {self:?}");
    }
}

/// What was fixed when a round's second seed was asked for.
type Fixed = Vec<(u32, Option<RoundReport>, bool)>;

/// What was seen of a run.
pub struct Guard {
    pub books: Books,
    /// Cases that found a member's round false.
    pub convicted: BTreeSet<(u32, Who)>,
    /// Models that a case found false, by the round and their votes' key.
    pub false_models: BTreeSet<(u32, H256)>,
    pub voted: BTreeMap<(u32, Who), H256>,
    held: BTreeMap<Who, i64>,
    slashed: BTreeMap<(u32, Who), u32>,
    paid: BTreeSet<(u32, Who)>,
    paid_sum: Balance,
    /// Whose work of a round was accepted, and attested others'.
    earned: BTreeMap<u32, BTreeSet<Who>>,
    open_challenges: i64,
    finals: Vec<u32>,
    undone: BTreeSet<u32>,
    members_of: BTreeMap<u32, Vec<Who>>,
    bases: BTreeMap<u32, Option<ModelState>>,
    fixed: Option<(u32, Fixed)>,
    stream: u64,
    carried: BTreeMap<Who, Vec<Carried>>,
    ended: u32,
}

pub fn contributions(
    store: &MemoryStore<Who>,
    round: u32,
) -> impl Iterator<Item = (u32, &Contribution<Who>)> {
    let own = store.contributions.range((round, 0)..=(round, u32::MAX));
    own.map(|((_, rank), own)| (*rank, own))
}

/// Those who take part, by slot.
pub fn active(run: &Run<Who>, store: &MemoryStore<Who>) -> Vec<Who> {
    (0..run.active)
        .filter_map(|slot| store.at(List::Active, slot))
        .collect()
}

fn fixed_now(store: &MemoryStore<Who>, round: u32) -> Fixed {
    contributions(store, round)
        .map(|(rank, own)| (rank, own.report, own.judged != Judged::Not))
        .collect()
}

impl Guard {
    pub fn new(budget: Balance) -> Self {
        Self {
            books: Books::new(budget),
            convicted: BTreeSet::new(),
            false_models: BTreeSet::new(),
            voted: BTreeMap::new(),
            held: BTreeMap::new(),
            slashed: BTreeMap::new(),
            paid: BTreeSet::new(),
            paid_sum: 0,
            earned: BTreeMap::new(),
            open_challenges: 0,
            finals: Vec::new(),
            undone: BTreeSet::new(),
            members_of: BTreeMap::new(),
            bases: BTreeMap::new(),
            fixed: None,
            stream: 0,
            carried: BTreeMap::new(),
            ended: 0,
        }
    }

    /// Whose work of an agreed round earns its pay, should the round become final.
    pub fn earned(&self, round: u32) -> BTreeSet<Who> {
        self.earned.get(&round).cloned().unwrap_or_default()
    }

    /// A deposit is put on hold.
    pub fn challenged(&mut self, who: Who) {
        self.open_challenges += 1;
        self.books.deposits += DEPOSIT;
        *self.books.purses.entry(who).or_default() -= DEPOSIT;
    }

    /// Asserts that an effect may follow, and moves its money.
    pub fn on(
        &mut self,
        effect: &Effect<Who>,
        run: &Run<Who>,
        terms: &RunTerms,
        store: &MemoryStore<Who>,
    ) {
        match effect {
            Effect::Hold(who) => *self.held.entry(*who).or_default() += 1,
            Effect::Free(who) => {
                let held = self.held.entry(*who).or_default();
                *held -= 1;
                assert!(*held >= 0, "T9: {who} is freed more often than held");
            }
            Effect::Slash {
                who,
                round,
                reporter,
            } => self.on_slash(*who, *round, reporter.is_some()),
            Effect::Pay {
                who, round, amount, ..
            } => {
                assert!(
                    self.paid.insert((*round, *who)),
                    "T1: {who} is paid twice for round {round}"
                );
                assert!(self.finals.contains(round), "T1: paid before it is final");
                assert!(
                    self.earned(*round).contains(who),
                    "T1: {who} is paid for nothing in round {round}"
                );
                self.paid_sum += amount;
                assert!(self.books.earmark >= *amount, "T1: beyond the earmark");
                self.books.earmark -= amount;
                *self.books.purses.entry(*who).or_default() += amount;
            }
            Effect::Deposit { challenger, back } => {
                self.open_challenges -= 1;
                assert!(self.open_challenges >= 0, "T9: a deposit is decided twice");
                self.books.deposits -= DEPOSIT;
                if *back {
                    *self.books.purses.entry(*challenger).or_default() += DEPOSIT;
                } else {
                    self.books.reserve += DEPOSIT;
                }
            }
            Effect::Announce(draw) => match draw.of {
                // T4
                chasqui_primitives::training::Drawn::Ranks => assert_eq!(
                    self.members_of.get(&draw.round),
                    Some(&active(run, store)),
                    "T4: members are not fixed"
                ),
                chasqui_primitives::training::Drawn::Segments => {
                    self.fixed = Some((draw.round, fixed_now(store, draw.round)));
                }
                chasqui_primitives::training::Drawn::Panel => {}
            },
            Effect::Dropped { who, .. } => {
                self.carried.remove(who);
            }
            Effect::RoundBegan {
                round,
                members,
                first_sequence,
            } => {
                assert_eq!(*first_sequence, self.stream, "T10: a gap or an overlap");
                self.stream += terms.recipe.sequences_per_round(*members);
                self.bases.insert(*round, run.model);
                self.members_of.insert(*round, active(run, store));
            }
            Effect::RoundAgreed { round, model } => self.on_agreed(*round, model, run, store),
            Effect::RoundFinal { round, model } => {
                assert!(!self.undone.contains(round), "an undone round is final");
                assert!(!self.finals.contains(round), "a round is final twice");
                let (round, model) = (*round, *model);
                assert_eq!(run.settled, Some(Final { round, model }));
                self.finals.push(round);
            }
            Effect::RoundUndone { round } => {
                assert_eq!(
                    Some(&run.model),
                    self.bases.get(round),
                    "T8: not where the round began"
                );
                self.undone.insert(*round);
                for past in self.carried.values_mut() {
                    past.retain(|carried| carried.round != *round);
                }
            }
            Effect::Ended(_) => {
                self.ended += 1;
                assert_eq!(self.ended, 1, "a run ends twice");
                self.books.free += core::mem::take(&mut self.books.earmark);
            }
            _ => {}
        }
    }

    fn on_slash(&mut self, who: Who, round: u32, challenged: bool) {
        let vote = self.voted.get(&(round, who));
        let lied = vote.is_some_and(|key| self.false_models.contains(&(round, *key)));
        let found = self.convicted.contains(&(round, who));
        assert!(
            if challenged { lied } else { found },
            "T7: {who} is slashed for round {round}"
        );
        let times = self.slashed.entry((round, who)).or_default();
        *times += 1;
        assert!(
            *times <= u32::from(lied) + u32::from(found),
            "T7: {who} is slashed again"
        );
        // Half of the bond.
        let bond = self.books.bonds.entry(who).or_default();
        let half = *bond / 2;
        *bond -= half;
        self.books.reserve += half;
    }

    fn on_agreed(
        &mut self,
        round: u32,
        model: &ModelState,
        run: &Run<Who>,
        store: &MemoryStore<Who>,
    ) {
        assert_eq!(run.model, Some(*model), "T8: another model");
        let (of, fixed) = self.fixed.take().expect("T4: its segments were drawn");
        // Whoever had said nothing yet may still say what the round ends in.
        let stands = |(rank, report, included): &(u32, Option<RoundReport>, bool)| {
            store.contribution(round, *rank).is_some_and(|own| {
                own.report == *report && (own.judged != Judged::Not) == *included
            })
        };
        assert!(
            of == round && fixed.iter().all(stands),
            "T4: what the segments' seed judges has changed"
        );
        for (_, own) in contributions(store, round) {
            let Some(report) = own.report.filter(|_| own.judged == Judged::Accepted) else {
                continue;
            };
            if own.paid_units() > 0 {
                self.earned.entry(round).or_default().insert(own.who);
            }
            // T11: whoever left and came back begins anew.
            if store.member(&own.who).is_some() {
                self.carried.entry(own.who).or_default().push(Carried {
                    round,
                    kept: report.kept,
                    leaves: report.leaves,
                });
            }
        }
    }

    /// What always holds, between events.
    pub fn check(&self, run: &Run<Who>, terms: &RunTerms, store: &MemoryStore<Who>) {
        self.books.check();
        assert_eq!(self.paid_sum, run.paid, "T1: other pay than stated");
        assert!(
            terms.budget().is_some_and(|budget| run.paid <= budget),
            "T1: beyond the budget"
        );
        assert_eq!(check(run, terms, store), Ok(()), "{run:#?}");
        if run.phase.in_round() {
            assert_eq!(
                self.members_of.get(&run.round),
                Some(&active(run, store)),
                "T2: members change within round {}",
                run.round
            );
        }
        let pending = run
            .pending
            .as_ref()
            .map(|Pending { settling, .. }| settling);
        let changing = matches!(pending, Some(Settling::Undoing { .. }))
            || matches!(run.phase, Phase::Close { agreed: true, .. });
        if changing {
            return;
        }
        for (who, member) in &store.members {
            let expected = self.carried.get(who).and_then(|past| past.last()).copied();
            assert!(
                member.list != List::Active || member.carried == expected,
                "T11: {who} carries on from {:?}, not {expected:?}",
                member.carried
            );
        }
    }

    /// Ranks are a permutation.
    pub fn check_ranks(&self, run: &Run<Who>, store: &MemoryStore<Who>) {
        let record = store.round(run.round).expect("a round runs");
        let seed = record.seed.expect("it has its seed");
        let ranks: BTreeSet<_> = (0..record.members)
            .filter_map(|slot| rank_of(&seed, slot, record.members))
            .collect();
        assert!(
            ranks.len() as u32 == record.members && ranks.iter().all(|rank| *rank < record.members),
            "T2: ranks of round {} are no permutation",
            run.round
        );
    }

    /// Nothing is left of a run that is over, and whose cases are closed.
    pub fn check_end(&self, run: &Run<Who>, store: &MemoryStore<Who>) {
        self.books.check();
        assert!(
            run.phase.is_over() && self.ended == 1,
            "T6: {:?}",
            run.phase
        );
        assert!(
            self.held.values().all(|held| *held == 0),
            "T9: bonds are held"
        );
        assert_eq!(self.open_challenges, 0, "T9: a deposit is undecided");
        assert!(self.books.deposits == 0 && self.books.earmark == 0);
        let empty = MemoryStore::default();
        assert_eq!(*store, empty, "records are left of run {RUN}");
    }
}
