//! What of the members' machine time a training run makes use of, while they come and go, crash, lag, are cut off,
//! and lie.
//!
//! `sim/` is the simulator. This runs it under all conditions, with the deadline that adapts and with fixed ones, and
//! under other terms; equal seeds give equal tables. It panics where the machine breaks what it promises.

mod options;
mod sim;
mod tables;

use options::{Options, USAGE};
use sim::{scenario::Deadline, simulate, Condition, Outcome, Scenario, CONDITIONS, IDEAL};
use std::{process::ExitCode, time::Instant};
use tables::{LiarRow, Report, Row, Spread, TermsRow};

/// The longest that the terms let a round train, and one and a half times what the median machine takes.
const FIXED: [u32; 2] = [600, 300];

/// A change of the terms, by its name.
type Change = (&'static str, fn(&mut Scenario));

/// What a proposer may choose; the last two are for validators.
const CHANGES: [Change; 12] = [
    ("as above", |_| {}),
    ("spread 0%", |run| run.timing.spread_percent = 0),
    ("spread 800%", |run| run.timing.spread_percent = 800),
    ("spread 1600%", |run| run.timing.spread_percent = 1_600),
    ("grace 100", |run| run.timing.grace_blocks = 100),
    ("at least a third", |run| run.least_percent = 34),
    ("at least three quarters", |run| run.least_percent = 75),
    ("may miss 4 in a row", |run| run.timing.max_missed = 4),
    ("audit 90", |run| run.timing.audit_blocks = 90),
    ("audit 90, spread 800%", |run| {
        (run.timing.audit_blocks, run.timing.spread_percent) = (90, 800);
    }),
    ("votes of 15 blocks", |run| run.vote_blocks = 15),
    ("votes convict whom they cannot reach", |run| {
        run.withheld_convicts = true;
    }),
];

struct Bench {
    options: Options,
    start: Instant,
}

impl Bench {
    fn seeds(&self) -> impl Iterator<Item = u64> {
        let first = self.options.seed;
        (0..self.options.seeds).map(move |seed| first.wrapping_add(seed))
    }

    fn say(&self, what: &str) {
        eprintln!("{:>7.1} s  {what}", self.start.elapsed().as_secs_f64());
    }

    /// A run in which nothing goes wrong: its goodput, and how long a round takes.
    fn ideal(&self, members: u32) -> Outcome {
        simulate(&Scenario::new(
            members,
            IDEAL,
            self.options.rounds,
            self.options.seed,
        ))
    }

    fn scenario(&self, members: u32, condition: Condition, ideal: &Outcome, seed: u64) -> Scenario {
        let mut scenario = Scenario::new(members, condition, self.options.rounds, seed);
        scenario.round_blocks = ideal.round_blocks();
        scenario
    }

    fn row(&self, members: u32, condition: Condition, ideal: &Outcome) -> (Row, Vec<Outcome>) {
        let mut adaptive = Vec::new();
        let mut ratios = [Vec::new(), Vec::new()];
        for seed in self.seeds() {
            let scenario = self.scenario(members, condition, ideal, seed);
            let outcome = simulate(&scenario);
            for (blocks, ratios) in FIXED.iter().zip(&mut ratios) {
                let fixed = simulate(&scenario.with_deadline(Deadline::Fixed(*blocks)));
                ratios.push((outcome.goodput(), fixed.goodput()));
            }
            adaptive.push(outcome);
        }
        let ratios = ratios.map(|pairs| Spread::ratio(&pairs));
        let row = Row::new(members, condition.name, &adaptive, ideal, ratios);
        self.say(&format!("{members} members, {}", condition.name));
        (row, adaptive)
    }

    fn terms(&self, members: u32, condition: Condition, ideal: &Outcome) -> Vec<TermsRow> {
        let mut rows = Vec::new();
        let mut published = Vec::new();
        for (name, change) in CHANGES {
            let outcomes: Vec<_> = self
                .seeds()
                .map(|seed| {
                    let mut scenario = self.scenario(members, condition, ideal, seed);
                    change(&mut scenario);
                    simulate(&scenario)
                })
                .collect();
            if published.is_empty() {
                published = outcomes.iter().map(Outcome::goodput).collect();
            }
            let own = outcomes.iter().map(Outcome::goodput);
            let pairs: Vec<_> = own.zip(published.iter().copied()).collect();
            let ratio = Spread::ratio(&pairs);
            rows.push(TermsRow::new(
                members,
                condition.name,
                name,
                &outcomes,
                ratio,
            ));
            self.say(&format!("{members} members, {}: {name}", condition.name));
        }
        rows
    }

    fn run(&self) -> Report {
        let mut report = Report::new(self.options.seed, self.options.seeds, self.options.rounds);
        let mut liars = Vec::new();
        for &members in &self.options.members {
            let ideal = self.ideal(members);
            report.rows.push(Row::ideal(members, &ideal));
            for condition in CONDITIONS {
                let (row, outcomes) = self.row(members, condition, &ideal);
                report.rows.push(row);
                if condition.name == "10% liars" {
                    liars.extend(outcomes.into_iter().flat_map(|outcome| outcome.fates));
                }
            }
        }
        report.liars = LiarRow::all(&liars);
        let members = match self.options.members.contains(&100) {
            true => 100,
            false => self.options.members.first().copied().unwrap_or(10),
        };
        let ideal = self.ideal(members);
        for condition in [CONDITIONS[0], CONDITIONS[2], CONDITIONS[5]] {
            report.terms.extend(self.terms(members, condition, &ideal));
        }
        report
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("simulate: {what}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let json = options.json.clone();
    let bench = Bench {
        options,
        start: Instant::now(),
    };
    let report = bench.run();
    print!("{}", report.markdown());
    if let Some(file) = json {
        if let Err(error) = std::fs::write(&file, report.json()) {
            eprintln!("simulate: writing {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
