//! Results as tables, and the same as JSON.

use crate::sim::{outcome::Fate, scenario::DOT, Kind, Outcome};
use serde::Serialize;
use std::fmt::Write as _;

/// Mean, least and most over the seeds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    mean: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        Self {
            mean: values.iter().sum::<f64>() / values.len().max(1) as f64,
            least,
            most: values.iter().copied().fold(least, f64::max),
        }
    }

    /// How much more of something there is in the firsts than in the seconds, all seeds together; the ends are of single
    /// seeds where the second has any.
    pub fn ratio(pairs: &[(f64, f64)]) -> Self {
        let (first, second) = pairs
            .iter()
            .fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        let single = pairs.iter().filter(|(_, second)| *second > 0.0);
        Self {
            mean: first / second,
            ..Self::of(single.map(|(first, second)| first / second))
        }
    }

    fn over(outcomes: &[Outcome], what: impl Fn(&Outcome) -> f64) -> Self {
        Self::of(outcomes.iter().map(what))
    }

    /// With its ends, where they differ; times `scale`.
    fn show(&self, scale: f64, digits: usize) -> String {
        if !self.mean.is_finite() {
            return "–".into();
        }
        let [mean, least, most] = [self.mean, self.least, self.most].map(|value| value * scale);
        let (low, high) = (format!("{least:.digits$}"), format!("{most:.digits$}"));
        if low == high {
            return format!("{mean:.digits$}");
        }
        format!("{mean:.digits$} ({low}–{high})")
    }

    fn percent(&self) -> String {
        self.show(100.0, 1)
    }
}

/// One condition.
#[derive(Debug, Serialize)]
pub struct Row {
    members: u32,
    condition: &'static str,
    finals: Spread,
    voids: Spread,
    undone: Spread,
    /// Runs that failed before their last round.
    failed: usize,
    round_blocks: Spread,
    accepted: Spread,
    goodput: Spread,
    of_ideal: Spread,
    over_fixed_600: Spread,
    over_fixed_300: Spread,
    lost_by_others: Spread,
    lost_by_itself: Spread,
    falsely_paid: Spread,
    /// Honest members dropped for lateness or absence, in each round.
    honest_dropped: Spread,
    honest_slashed: u32,
    /// DOT that a run paid, that bonds and deposits lost to the reserve, and that went back to the fund.
    paid_dot: Spread,
    reserve_dot: Spread,
    rest_dot: Spread,
}

impl Row {
    pub fn new(
        members: u32,
        condition: &'static str,
        outcomes: &[Outcome],
        ideal: &Outcome,
        [over_fixed_600, over_fixed_300]: [Spread; 2],
    ) -> Self {
        let over = |what: fn(&Outcome) -> f64| Spread::over(outcomes, what);
        Self {
            members,
            condition,
            finals: over(|outcome| outcome.finals.into()),
            voids: over(|outcome| outcome.voids.into()),
            undone: over(|outcome| outcome.undone.into()),
            failed: outcomes
                .iter()
                .filter(|outcome| outcome.failed.is_some())
                .count(),
            round_blocks: over(|outcome| outcome.round_blocks().into()),
            accepted: over(Outcome::accepted),
            goodput: over(Outcome::goodput),
            of_ideal: Spread::over(outcomes, |outcome| outcome.goodput() / ideal.goodput()),
            over_fixed_600,
            over_fixed_300,
            lost_by_others: over(|outcome| outcome.of_revealed(outcome.lost_by_others)),
            lost_by_itself: over(|outcome| outcome.of_revealed(outcome.lost_by_itself)),
            falsely_paid: over(Outcome::falsely_paid),
            honest_dropped: over(|outcome| {
                f64::from(outcome.honest_dropped) / outcome.lengths.len().max(1) as f64
            }),
            paid_dot: over(|outcome| outcome.paid_planck as f64 / DOT as f64),
            reserve_dot: over(|outcome| outcome.reserve_planck as f64 / DOT as f64),
            rest_dot: over(|outcome| outcome.rest_planck as f64 / DOT as f64),
            honest_slashed: outcomes.iter().map(|outcome| outcome.honest_slashed).sum(),
        }
    }

    pub fn ideal(members: u32, outcome: &Outcome) -> Self {
        let one = core::slice::from_ref(outcome);
        Self::new(members, "ideal", one, outcome, [Spread::of([1.0]); 2])
    }
}

/// What became of liars of one kind.
#[derive(Debug, Serialize)]
pub struct LiarRow {
    kind: &'static str,
    count: usize,
    /// Share put out by a verdict or dropped, and share slashed.
    thrown_out: f64,
    slashed: f64,
    /// Median of the rounds after which those were.
    after_rounds: u32,
    /// Rounds of false work that each was paid for, on average.
    falsely_paid: f64,
    rounds: f64,
}

impl LiarRow {
    pub fn all(fates: &[Fate]) -> Vec<Self> {
        Kind::LIARS
            .iter()
            .filter_map(|kind| {
                let own: Vec<_> = fates.iter().filter(|fate| fate.kind == *kind).collect();
                let count = Some(own.len()).filter(|count| *count > 0)?;
                let mut after: Vec<u32> = own.iter().filter_map(|fate| fate.thrown_out).collect();
                after.sort_unstable();
                let mean = |what: fn(&Fate) -> f64| {
                    own.iter().map(|fate| what(fate)).sum::<f64>() / count as f64
                };
                Some(Self {
                    kind: kind.name(),
                    count,
                    thrown_out: mean(|fate| f64::from(u8::from(fate.thrown_out.is_some()))),
                    slashed: mean(|fate| f64::from(u8::from(fate.slashed))),
                    after_rounds: after.get(after.len() / 2).copied().unwrap_or(0),
                    falsely_paid: mean(|fate| fate.false_paid.into()),
                    rounds: mean(|fate| fate.rounds.into()),
                })
            })
            .collect()
    }
}

/// One condition under other terms.
#[derive(Debug, Serialize)]
pub struct TermsRow {
    members: u32,
    condition: &'static str,
    terms: &'static str,
    goodput: Spread,
    over_published: Spread,
    round_blocks: Spread,
    voids: Spread,
    failed: usize,
    accepted: Spread,
    honest_dropped: Spread,
    /// In all runs together.
    honest_slashed: u32,
    falsely_paid: Spread,
}

impl TermsRow {
    pub fn new(
        members: u32,
        condition: &'static str,
        terms: &'static str,
        outcomes: &[Outcome],
        over_published: Spread,
    ) -> Self {
        let row = Row::new(
            members,
            condition,
            outcomes,
            &Outcome::default(),
            [over_published; 2],
        );
        Self {
            members,
            condition,
            terms,
            goodput: row.goodput,
            over_published,
            round_blocks: row.round_blocks,
            voids: row.voids,
            failed: row.failed,
            accepted: row.accepted,
            honest_dropped: row.honest_dropped,
            honest_slashed: row.honest_slashed,
            falsely_paid: row.falsely_paid,
        }
    }
}

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    seed: u64,
    seeds: u64,
    rounds: u32,
    pub rows: Vec<Row>,
    pub liars: Vec<LiarRow>,
    pub terms: Vec<TermsRow>,
}

impl Report {
    pub fn new(seed: u64, seeds: u64, rounds: u32) -> Self {
        Self {
            seed,
            seeds,
            rounds,
            rows: Vec::new(),
            liars: Vec::new(),
            terms: Vec::new(),
        }
    }

    pub fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("numbers and names") + "\n"
    }

    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "| members | condition | rounds final | void | undone | runs failed | round, blocks | accepted, % | goodput, % | \
             of ideal, % |\n|---|---|---|---|---|---|---|---|---|---|"
        )?;
        for row in &self.rows {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.members,
                row.condition,
                row.finals.show(1.0, 1),
                row.voids.show(1.0, 1),
                row.undone.show(1.0, 1),
                row.failed,
                row.round_blocks.show(1.0, 0),
                row.accepted.percent(),
                row.goodput.percent(),
                row.of_ideal.show(100.0, 0),
            )?;
        }
        writeln!(
            out,
            "\n| members | condition | over 600 fixed | over 300 fixed | lost by others, % | by itself, % | late or away, \
             dropped a round, % | falsely paid, % |\n|---|---|---|---|---|---|---|---|"
        )?;
        for row in self.rows.iter().filter(|row| row.condition != "ideal") {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                row.members,
                row.condition,
                row.over_fixed_600.show(1.0, 2),
                row.over_fixed_300.show(1.0, 2),
                row.lost_by_others.percent(),
                row.lost_by_itself.percent(),
                row.honest_dropped.show(100.0 / f64::from(row.members), 1),
                row.falsely_paid.show(100.0, 2),
            )?;
        }
        let slashed: u32 = self.rows.iter().map(|row| row.honest_slashed).sum();
        writeln!(out, "\nHonest members slashed: {slashed}.\n")?;
        if !self.liars.is_empty() {
            writeln!(
                out,
                "| a liar that | of them | thrown out, % | after rounds | slashed, % | false rounds paid, each | of rounds |\n\
                 |---|---|---|---|---|---|---|"
            )?;
            for row in &self.liars {
                let after = match row.thrown_out > 0.0 {
                    true => row.after_rounds.to_string(),
                    false => "–".into(),
                };
                writeln!(
                    out,
                    "| {} | {} | {:.0} | {after} | {:.0} | {:.1} | {:.1} |",
                    row.kind,
                    row.count,
                    row.thrown_out * 100.0,
                    row.slashed * 100.0,
                    row.falsely_paid,
                    row.rounds,
                )?;
            }
            writeln!(out)?;
        }
        self.write_terms(out)
    }

    /// A row for the terms, a group of columns for the condition.
    fn write_terms(&self, out: &mut String) -> std::fmt::Result {
        let Some(first) = self.terms.first() else {
            return Ok(());
        };
        let conditions: Vec<_> = self
            .terms
            .iter()
            .filter(|row| row.terms == first.terms)
            .map(|row| row.condition)
            .collect();
        write!(out, "| {} members, terms", first.members)?;
        for condition in &conditions {
            write!(
                out,
                " | {condition}: over the above | round, blocks | accepted, % | failed"
            )?;
        }
        writeln!(out, " |\n|---{}|", "|---".repeat(4 * conditions.len()))?;
        let names = self.terms.iter().take(self.terms.len() / conditions.len());
        for terms in names.map(|row| row.terms) {
            write!(out, "| {terms}")?;
            for row in self.terms.iter().filter(|row| row.terms == terms) {
                write!(
                    out,
                    " | {} | {:.0} | {:.1} | {}",
                    row.over_published.show(1.0, 2),
                    row.round_blocks.mean,
                    row.accepted.mean * 100.0,
                    row.failed,
                )?;
            }
            writeln!(out, " |")?;
        }
        for row in self.terms.iter().filter(|row| row.honest_slashed > 0) {
            writeln!(
                out,
                "\n{}, {}: {:.1} honest members slashed a run; {}% falsely paid.",
                row.condition,
                row.terms,
                f64::from(row.honest_slashed) / self.seeds as f64,
                row.falsely_paid.show(100.0, 2),
            )?;
        }
        Ok(())
    }
}
