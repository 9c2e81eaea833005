//! Epochs: jobs, audits, pay, the census, prices.

use super::{
    chance::Chance,
    params::Params,
    strategy::{Scenario, Strategy},
};
use chasqui_primitives::{
    audit::{stage_one, Decision, HardReason, StageOneResult, Tally, Verdict},
    credit::{self, Medians},
    draw::{
        audit_probability, bernoulli, cumulative_index, draw_weight, pick_distinct, total_weight,
    },
    governance::{Count, Electorate},
    money::{pool_share, split_fee, split_slash},
    prices::Votes,
    session::{
        rules::Deposit,
        sample::{draw_plancks, is_audited, planck_count},
    },
    subsidy,
    window::{is_significant, Window},
};
use sp_arithmetic::Perbill;
use sp_core::H256;
use std::collections::VecDeque;

const WINDOW: usize = credit::WINDOW_EPOCHS as usize;
/// Streams of chance.
const LOAD: u64 = 1;
const AUDIT: u64 = 2;
const VOTE: u64 = 3;

#[derive(Clone, Default)]
struct Operator {
    attacker: bool,
    steps: u32,
    /// Units found valid since the last step.
    valid_units: u64,
    jailed_until: u32,
    /// Units and points-as-units of the last epochs, newest in front.
    window: VecDeque<u128>,
    /// What was earned in the last epochs and not claimed yet, in planck, newest in front.
    unclaimed: VecDeque<u128>,
    duties: Window,
    /// Epochs since it was last convicted, or registered.
    calm: u32,
    /// All that it gained, in planck.
    gain: f64,
}

/// What an operator did in the running epoch.
#[derive(Clone, Copy, Default)]
struct Day {
    units: u128,
    fees: u128,
    points: u128,
    pay: u128,
}

pub struct World {
    params: Params,
    strategy: Strategy,
    operators: Vec<Operator>,
    first_of_attackers: u32,
    epochs: u32,
    epoch: u32,
    seed: u64,
    price: u128,
    /// What the last epoch was credited by.
    medians: Medians,
}

/// So many as `expected` on average.
fn whole(expected: f64, chance: &mut Chance) -> u64 {
    let least = expected.max(0.0).floor();
    least as u64 + u64::from(chance.happens(expected - least))
}

impl World {
    pub fn new(
        params: Params,
        scenario: &Scenario,
        strategy: Strategy,
        epochs: u32,
        seed: u64,
    ) -> Self {
        let attackers = (f64::from(params.operators) * scenario.share)
            .round()
            .max(1.0) as usize;
        let operators = (0..params.operators as usize)
            .map(|at| Operator {
                attacker: at < attackers,
                ..Operator::default()
            })
            .collect();
        Self {
            price: params.unit_price,
            params,
            strategy,
            operators,
            first_of_attackers: scenario.late.map_or(0, |late| epochs.saturating_sub(late)),
            epochs,
            epoch: 0,
            seed,
            medians: Medians::default(),
        }
    }

    /// The price of a unit, in planck.
    pub fn price(&self) -> u128 {
        self.price
    }

    /// What attackers gained, as a share of their bonds.
    pub fn gain_per_bond(&self) -> f64 {
        let gains: Vec<f64> = self
            .operators
            .iter()
            .filter(|operator| operator.attacker)
            .map(|operator| operator.gain)
            .collect();
        gains.iter().sum::<f64>() / (gains.len() as f64 * self.params.bond as f64)
    }

    fn strategy(&self, at: usize) -> Strategy {
        match self.operators[at].attacker {
            true => self.strategy,
            false => Strategy::Honest,
        }
    }

    fn chance(&self, at: usize, stream: u64) -> Chance {
        Chance::of(&[self.seed, u64::from(self.epoch), at as u64, stream])
    }

    fn is_active(&self, at: usize) -> bool {
        let operator = &self.operators[at];
        self.epoch >= operator.jailed_until
            && (!operator.attacker || self.epoch >= self.first_of_attackers)
    }

    /// Whether clients ask for nothing in this epoch.
    fn is_quiet(&self) -> bool {
        let every = self.params.quiet_every;
        every > 0 && self.epoch > 0 && self.epoch.is_multiple_of(every)
    }

    fn weight(&self) -> u64 {
        (self.params.bond / self.params.bond_per_unit) as u64
    }

    /// The weight that draws of executors see.
    fn drawn_weight(&self, at: usize) -> u64 {
        draw_weight(self.weight(), self.reputation(at))
    }

    fn reputation(&self, at: usize) -> Perbill {
        Perbill::from_rational(self.operators[at].steps, self.params.reputation_cap)
    }

    fn slash(&self) -> u128 {
        self.params.slash.mul_floor(self.params.bond)
    }

    /// What share of its jobs, or of the value of its takings, an operator does not compute.
    fn false_share(&self, at: usize) -> f64 {
        match self.strategy(at) {
            Strategy::Cheat(share) | Strategy::SessionLie(share) | Strategy::DustLie(share) => {
                share
            }
            Strategy::Sleep(epochs) if self.operators[at].calm >= epochs => 1.0,
            _ => 0.0,
        }
    }

    /// How a case over false work ends: accomplices call it valid, others do not.
    fn judge(&self, accused: usize, seed: H256) -> Decision {
        let electorate = cumulative_index(
            (0..self.operators.len())
                .filter(|at| *at != accused && self.is_active(*at))
                .map(|at| (at, self.weight())),
        );
        let verdict = |at: usize| match self.operators[at].attacker {
            true => Verdict::Valid,
            false => Verdict::Hard(HardReason::OutputHash),
        };
        let evidence = Default::default();
        let reveals: Vec<_> = pick_distinct(&electorate, &seed, self.params.seats, |_| true)
            .into_iter()
            .map(|seat| Some((verdict(electorate[seat].0), &evidence)))
            .collect();
        if stage_one(&reveals, 0) == StageOneResult::Valid {
            return Decision::Valid;
        }
        let mut tally = Tally::default();
        for (at, _) in &electorate {
            tally.add(&verdict(*at), self.weight());
        }
        tally.decide(total_weight(&electorate), HardReason::OutputHash)
    }

    /// Whether false work of the epoch is found.
    fn is_caught(&self, at: usize, jobs: u64, p: Perbill) -> bool {
        let mut chance = self.chance(at, AUDIT);
        let wrong = self.false_share(at);
        if wrong == 0.0 {
            return false;
        }
        let price = self.price * u128::from(self.params.job_units);
        let hard = |seed| matches!(self.judge(at, seed), Decision::Hard(_));
        let takes_place = |chance: &mut Chance| bernoulli(&chance.hash(), self.params.audits);
        match self.strategy(at) {
            Strategy::SessionLie(_) => {
                let total = price * u128::from(jobs);
                let bad = (total as f64 * wrong) as u128;
                let seed = chance.hash();
                takes_place(&mut chance)
                    && is_audited(&seed, total, self.params.audit_from)
                    && draw_plancks(&seed, total, planck_count(self.reputation(at)))
                        .iter()
                        .any(|planck| *planck < bad)
                    && hard(chance.hash())
            }
            Strategy::DustLie(_) => (0..whole(jobs as f64 * wrong, &mut chance)).any(|_| {
                is_audited(&chance.hash(), price, self.params.audit_from)
                    && takes_place(&mut chance)
                    && hard(chance.hash())
            }),
            _ => (0..whole(jobs as f64 * wrong, &mut chance)).any(|_| {
                bernoulli(&chance.hash(), p) && takes_place(&mut chance) && hard(chance.hash())
            }),
        }
    }

    /// Jobs that an operator buys itself, and those of them that come to it.
    fn bought(&self, at: usize, organic: u64) -> (f64, f64) {
        let usual = self.params.jobs;
        let in_league = self.operators.iter().filter(|one| one.attacker).count() as f64
            / self.operators.len() as f64;
        match self.strategy(at) {
            Strategy::Buy(times) => (usual * times, usual * times * in_league),
            Strategy::Steer(times) | Strategy::Shop(times) => (usual * times, usual * times),
            Strategy::Root(times) if self.epoch + WINDOW as u32 >= self.epochs => {
                (usual * times, usual * times)
            }
            Strategy::DeadDay if !self.is_quiet() => (0.0, 0.0),
            Strategy::TopUp | Strategy::DeadDay => {
                let room = self
                    .medians
                    .allowance_of_epoch(self.weight(), self.drawn_weight(at));
                let units = u128::from(organic) * u128::from(self.params.job_units);
                let jobs = room.saturating_sub(units) / u128::from(self.params.job_units);
                (jobs as f64, jobs as f64)
            }
            _ => (0.0, 0.0),
        }
    }

    /// What it costs to open sessions until one is with oneself, in planck.
    fn shopping(&self, at: usize) -> f64 {
        if !matches!(self.strategy(at), Strategy::Shop(_)) {
            return 0.0;
        }
        let share = 1.0 / f64::from(self.params.operators);
        let found = 1.0 - (1.0 - share).powi(self.params.committee as i32);
        let look = Deposit {
            paid_in: self.params.min_deposit,
            settled: 0,
            sliced: 0,
        };
        (1.0 / found - 1.0) * look.forfeit() as f64
    }

    fn convict(&mut self, at: usize) {
        let split = split_slash(self.slash(), 0, self.params.seats, false);
        let epoch = self.epoch;
        let jail = self.params.jail_epochs;
        let operator = &mut self.operators[at];
        // It fills its bond up again, and what it had not claimed is gone.
        operator.gain -= split.total(self.params.seats) as f64;
        operator.unclaimed.clear();
        operator.window.clear();
        (operator.steps, operator.valid_units, operator.calm) = (0, 0, 0);
        operator.jailed_until = epoch + 1 + jail;
    }

    /// One epoch.
    pub fn step(&mut self) {
        let count = self.operators.len();
        let cheap = self.params.unit_price as f64 / self.price as f64;
        let asked = match self.is_quiet() {
            true => 0.0,
            false => self.params.jobs * count as f64 * cheap.powi(self.params.elasticity),
        };
        let draws: Vec<u64> = (0..count)
            .map(|at| match self.is_active(at) {
                true => draw_weight(self.weight(), self.reputation(at)),
                false => 0,
            })
            .collect();
        let all_draws = draws.iter().sum::<u64>().max(1) as f64;
        let price = self.price * u128::from(self.params.job_units);
        let cost = self.params.unit_cost * self.params.job_units as f64;
        let plain = split_fee(price, &self.params.shares, 0);
        let checked = split_fee(price, &self.params.shares, self.params.seats);
        let mut days = vec![Day::default(); count];
        let (mut audits, mut poc) = (0u64, 0u128);
        for at in 0..count {
            if draws[at] == 0 {
                continue;
            }
            let mut chance = self.chance(at, LOAD);
            let expected = asked * draws[at] as f64 / all_draws;
            let organic = (expected + expected.sqrt() * chance.normal())
                .round()
                .max(0.0) as u64;
            let revenue = self.operators[at].unclaimed.iter().sum();
            let Some(p) = audit_probability(
                self.reputation(at),
                self.params.floor,
                price * self.params.in_flight,
                self.params.seats,
                self.slash(),
                revenue,
            ) else {
                continue;
            };
            let (buys, comes) = self.bought(at, organic);
            self.operators[at].gain -= buys * price as f64 + self.shopping(at);
            let jobs = organic + whole(comes, &mut chance);
            let computed = jobs as f64 * (1.0 - self.false_share(at));
            self.operators[at].gain -= computed * cost;
            if self.is_caught(at, jobs, p) {
                self.convict(at);
                continue;
            }
            let audited = whole(
                jobs as f64 * p.deconstruct() as f64 / f64::from(Perbill::one().deconstruct())
                    * f64::from(self.params.audits.deconstruct())
                    / f64::from(Perbill::one().deconstruct()),
                &mut chance,
            )
            .min(jobs);
            audits += audited;
            poc += plain.poc * u128::from(jobs);
            let fees = plain.executor * u128::from(jobs - audited)
                + checked.executor * u128::from(audited);
            days[at] = Day {
                units: u128::from(jobs) * u128::from(self.params.job_units),
                fees,
                points: 0,
                pay: fees,
            };
            self.grow(at, audited * self.params.job_units);
        }
        self.pay_auditors(audits, price, cost, checked.auditors_each, &mut days);
        let points = days.iter().map(|day| day.points).sum();
        for day in &mut days {
            day.pay += pool_share(poc, day.points, points);
        }
        self.census(&mut days);
        for (at, day) in days.iter().enumerate() {
            self.book(at, day.pay);
        }
        self.epoch += 1;
        if self.epoch == self.epochs && self.has_root() {
            // Whoever holds root holds everything.
            let all = self.params.bond as f64 * count as f64;
            for operator in self.operators.iter_mut().filter(|one| one.attacker) {
                operator.gain += all;
            }
        }
    }

    fn grow(&mut self, at: usize, valid: u64) {
        let params = &self.params;
        let operator = &mut self.operators[at];
        operator.calm += 1;
        operator.valid_units += valid;
        if operator.valid_units >= params.units_per_step {
            operator.valid_units = 0;
            operator.steps = (operator.steps + 1).min(params.reputation_cap);
        }
    }

    /// Auditors are drawn by weight. Of so many cases each has its part; whoever is lazy shows no evidence of a replay,
    /// whoever accuses is overturned by the vote.
    fn pay_auditors(&mut self, audits: u64, price: u128, cost: f64, each: u128, days: &mut [Day]) {
        let active: Vec<usize> = (0..days.len()).filter(|at| self.is_active(*at)).collect();
        let seats = audits as f64 * f64::from(self.params.seats) / active.len().max(1) as f64;
        let lien = (price * self.params.lien_percent / 100).max(self.params.lien);
        for at in active {
            let seats = whole(seats, &mut self.chance(at, AUDIT));
            match self.strategy(at) {
                Strategy::LazyAudit => {}
                Strategy::Accuse => {
                    self.operators[at].gain -= seats as f64 * lien as f64;
                    self.miss(at, seats);
                }
                _ => {
                    self.operators[at].gain -= seats as f64 * cost * self.params.replay;
                    days[at].pay += each * u128::from(seats);
                    days[at].points += u128::from(seats);
                }
            }
        }
    }

    /// Duties that a vote found missed.
    fn miss(&mut self, at: usize, duties: u64) {
        let (rate, alpha) = (self.params.duty_rate, self.params.duty_alpha_ppb);
        let slash = self.params.duty_slash.mul_floor(self.params.bond);
        let until = self.epoch + 1 + self.params.duty_jail_epochs;
        for _ in 0..duties {
            let operator = &mut self.operators[at];
            operator.duties.push(true);
            if is_significant(&operator.duties, rate, alpha) {
                operator.duties.reset();
                operator.gain -= slash as f64;
                operator.jailed_until = until;
                return;
            }
        }
    }

    /// What counts for rho and votes: units, with points as units.
    fn work(&self, day: &Day) -> u128 {
        day.units + day.points * u128::from(self.params.units_per_point)
    }

    /// The census of the epoch: rho, the subsidy, the next price.
    fn census(&mut self, days: &mut [Day]) {
        let weight = self.weight();
        let mut ratios = credit::Ratios::default();
        let mut ratios_of_epoch = credit::Ratios::default();
        let mut votes = Votes::new(self.price);
        for (at, day) in days.iter().enumerate() {
            let work = self.work(day);
            let window = &mut self.operators[at].window;
            window.push_front(work);
            window.truncate(WINDOW);
            if !self.is_active(at) {
                continue;
            }
            let work = self.operators[at].window.iter().sum();
            ratios.add(credit::ratio(work, weight), weight);
            let drawn = self.drawn_weight(at);
            ratios_of_epoch.add(credit::ratio(day.units, drawn), drawn);
            votes.add(Some(self.price_vote(at)), weight);
        }
        self.medians = Medians {
            window: ratios.median(),
            epoch: match self.params.epoch_rho {
                true => ratios_of_epoch.median(),
                false => u128::MAX,
            },
        };
        self.price = votes.outcome(self.params.lowest_price, self.params.highest_price);
        let Some(programme) = self.params.programme else {
            return;
        };
        let credited: Vec<u128> = days
            .iter()
            .enumerate()
            .map(|(at, day)| {
                let drawn = self.drawn_weight(at);
                let credited = self.medians.credited_units(day.units, weight, drawn);
                credit::credited_fees(day.fees, day.units, credited)
            })
            .collect();
        let fees = credited.iter().sum();
        let due = subsidy::Epoch {
            programme: programme.size,
            paid: programme.paid,
            pot: u128::MAX,
            budget: u128::MAX,
            least: subsidy::least_of_epoch(programme.size, 0, 1, 365),
            fees,
        };
        let most = self
            .params
            .most_per_fee
            .map_or(u128::MAX, |most| (fees as f64 * most) as u128);
        let subsidy = due.subsidy().min(most);
        for (day, credited) in days.iter_mut().zip(credited) {
            day.pay += pool_share(subsidy, credited, fees);
        }
    }

    /// Honest operators differ by a tenth about the price that is best for all; it is the first one.
    fn price_vote(&self, at: usize) -> u128 {
        let times = match self.strategy(at) {
            Strategy::Price(times) => times,
            // Each has an opinion of its own that stays.
            _ => Chance::of(&[self.seed, at as u64, VOTE]).lognormal(0.1),
        };
        (self.params.unit_price as f64 * times) as u128
    }

    /// Books an epoch's pay: claimed when nobody can take it away any more.
    fn book(&mut self, at: usize, pay: u128) {
        let delay = self.params.claim_delay;
        let last = self.epoch + 1 == self.epochs;
        let operator = &mut self.operators[at];
        operator.unclaimed.push_front(pay);
        while operator.unclaimed.len() > if last { 0 } else { delay } {
            operator.gain += operator.unclaimed.pop_back().unwrap_or_default() as f64;
        }
    }

    /// Whether attackers alone pass a referendum on root, when nobody else votes.
    fn has_root(&self) -> bool {
        if !matches!(self.strategy, Strategy::Root(_)) {
            return false;
        }
        let mut electorate = Electorate::default();
        let mut count = Count::default();
        for operator in &self.operators {
            let weight = self.weight();
            electorate.weight += weight;
            electorate.bond += self.params.bond;
            if operator.attacker {
                let work = operator.window.iter().sum();
                let voice = credit::vote_weight(weight, work, self.medians.window);
                count.add(true, voice, self.params.bond);
            }
        }
        count.support(&electorate) >= self.params.root_support
            && count.approval(&electorate) >= self.params.root_approval
            && count.has_bond(&electorate)
    }
}
