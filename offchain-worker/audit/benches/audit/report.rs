//! Results as Markdown.

use std::fmt::Write;

use serde::Serialize;

use crate::cost::Cost;
use crate::matrix::{
    profile::{CheatReport, Effort, Flagged, Needs, ProfileReport},
    stats::Share,
};

/// Everything that one start of the program found out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Seed of all runs.
    pub seed: u64,
    /// Output tokens of a run.
    pub tokens: usize,
    /// How much was run.
    pub effort: Effort,
    /// Rates per numeric profile.
    pub profiles: Vec<ProfileReport>,
    /// Times.
    pub costs: Vec<Cost>,
    /// Of everything.
    pub seconds: f64,
}

impl Report {
    /// The tables.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Effort { runs, calibration } = self.effort;
        if !self.profiles.is_empty() {
            writeln!(
                out,
                "{runs} runs of {} output tokens of each cheat and of each honest pair, {calibration} more of each pair for \
                 the thresholds; seed {}; {:.0} s.\n",
                self.tokens, self.seed, self.seconds
            )?;
        }
        for profile in &self.profiles {
            writeln!(out, "### Profile {}\n", profile.name)?;
            detection(out, profile)?;
            lengths(out, profile)?;
            shapes(out, profile)?;
            honest(out, profile)?;
            short(out, profile)?;
            limits(out, profile)?;
        }
        if !self.costs.is_empty() {
            costs(out, &self.costs)?;
        }
        Ok(())
    }
}

fn percent(share: f64) -> String {
    match share {
        1.0 => "100".into(),
        0.0 => "0".into(),
        share => format!("{:.1}", share * 100.0),
    }
}

fn interval(share: &Share) -> String {
    format!(
        "{} ({}–{})",
        percent(share.rate),
        percent(share.low),
        percent(share.high)
    )
}

fn cell(flagged: &Flagged) -> String {
    format!(
        "{}, {}",
        interval(&flagged.flagged),
        percent(flagged.hard.rate)
    )
}

fn row(out: &mut String, first: &str, cells: impl Iterator<Item = String>) -> std::fmt::Result {
    writeln!(
        out,
        "| {first} | {} |",
        cells.collect::<Vec<_>>().join(" | ")
    )
}

fn heading(out: &mut String, first: &str, names: &[String]) -> std::fmt::Result {
    writeln!(out, "| {first} | {} |", names.join(" | "))?;
    writeln!(out, "|---|{}", "---|".repeat(names.len()))
}

fn detectors(flagged: &[Flagged]) -> Vec<String> {
    flagged.iter().map(|one| one.detector.clone()).collect()
}

fn detection(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    writeln!(
        out,
        "Detected runs in percent: soft or hard (95% interval), hard alone.\n"
    )?;
    heading(out, "cheat", &detectors(&profile.honest))?;
    for cheat in &profile.cheats {
        let title = match cheat.same {
            0 => cheat.title.to_owned(),
            same => format!(
                "{} ({same} runs gave the honest answer and do not count)",
                cheat.title
            ),
        };
        row(
            out,
            &title,
            cheat.detectors.iter().map(|one| cell(&one.whole)),
        )?;
    }
    row(
        out,
        "**honest, all pairs**",
        profile.honest.iter().map(cell),
    )?;
    writeln!(out)
}

fn needs(cheat: &CheatReport, needs: Needs) -> String {
    match (needs, cheat.local) {
        (Needs::Tokens(1), true) => "the place itself".into(),
        (Needs::Tokens(count), true) => format!("{count} from the place on"),
        (Needs::Tokens(count), false) => count.to_string(),
        (_, true) => "–".into(),
        (Needs::Extrapolated(count), false) => format!("about {count} (extrapolated)"),
        (Needs::Never, false) => "never".into(),
    }
}

fn lengths(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    writeln!(
        out,
        "Output tokens for 99% of all runs; the cheap mode draws its positions among them.\n"
    )?;
    heading(out, "cheat", &detectors(&profile.honest))?;
    for cheat in &profile.cheats {
        let cells = cheat.detectors.iter().map(|one| {
            match one.whole.detector.starts_with("RASTiC") && cheat.local {
                // Where it looks does not follow from where the cheat is.
                true => "–".into(),
                false => needs(cheat, one.needs),
            }
        });
        row(out, cheat.title, cells)?;
    }
    writeln!(out)
}

fn shapes(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    writeln!(
        out,
        "What a replay sees: means and medians over the runs of a cheat.\n"
    )?;
    let names = [
        "mismatches, %",
        "largest margin, logits",
        "fingerprint distance",
    ]
    .map(String::from);
    heading(out, "cheat", &names)?;
    for cheat in &profile.cheats {
        let margin = match cheat.margin < 1e6 {
            true => format!("{:.3}", cheat.margin),
            false => "impossible".into(),
        };
        let cells = [
            percent(cheat.mismatches),
            margin,
            format!("{:.1}", cheat.fingerprint),
        ];
        row(out, cheat.title, cells.into_iter())?;
    }
    writeln!(out)
}

fn honest(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    writeln!(
        out,
        "Honest pairs, generation / replay: what differs, and runs flagged by each detector (upper 95% bound).\n"
    )?;
    let mut names = [
        "runs",
        "mismatches / tokens",
        "largest margin, logits",
        "largest mean fingerprint distance",
    ]
    .map(String::from)
    .to_vec();
    names.extend(detectors(&profile.honest));
    heading(out, "pair", &names)?;
    let flags = |all: &[Flagged]| -> Vec<String> {
        all.iter()
            .map(|one| format!("{} (< {:.2}%)", one.flagged.hits, one.flagged.high * 100.0))
            .collect()
    };
    for pair in &profile.pairs {
        let runs = pair.detectors.first().map_or(0, |one| one.flagged.runs);
        let mut cells = vec![
            runs.to_string(),
            format!("{} / {}", pair.mismatches, pair.tokens),
            format!("{:.6}", pair.max_margin),
            format!("{:.2}", pair.max_fingerprint),
        ];
        cells.extend(flags(&pair.detectors));
        row(out, &pair.name, cells.into_iter())?;
    }
    writeln!(out)
}

fn short(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    writeln!(
        out,
        "Honest runs of all pairs flagged by their first tokens alone, as short outputs would be (upper 95% bound).\n"
    )?;
    heading(out, "tokens", &detectors(&profile.honest))?;
    for (count, flagged) in &profile.short {
        let cells = flagged.iter().map(|one| {
            format!(
                "{} of {} (< {:.2}%)",
                one.flagged.hits,
                one.flagged.runs,
                one.flagged.high * 100.0
            )
        });
        row(out, &count.to_string(), cells)?;
    }
    writeln!(out)
}

fn limits(out: &mut String, profile: &ProfileReport) -> std::fmt::Result {
    let measured = &profile.measured;
    writeln!(
        out,
        "Thresholds, made of {} other honest runs with {} tokens (largest logit difference {:.6}, {} mismatches). \
         Reserve: limit over the worst honest run. The last columns extrapolate the tail of all honest runs.\n",
        measured.pairs,
        measured.tokens,
        measured.noise_micro as f64 / 1e6,
        measured.mismatches
    )?;
    let names = [
        "unit",
        "median",
        "99%",
        "worst",
        "soft",
        "hard",
        "reserve soft",
        "reserve hard",
        "1 in 10³",
        "1 in 10⁹",
    ]
    .map(String::from);
    heading(out, "statistic", &names)?;
    for limit in &profile.limits {
        let number = |value: f64| format!("{value:.5}");
        let reserve = |value: f64| match limit.tail.worst > 0.0 {
            true => format!("{:.1}", value / limit.tail.worst),
            false => "–".into(),
        };
        let cells = [
            limit.unit.into(),
            number(limit.tail.median),
            number(limit.tail.p99),
            number(limit.tail.worst),
            number(limit.soft),
            number(limit.hard),
            reserve(limit.soft),
            reserve(limit.hard),
            number(limit.tail.one_in_1e3),
            number(limit.tail.one_in_1e9),
        ];
        row(out, limit.statistic, cells.into_iter())?;
    }
    for (title, thresholds) in [
        (
            "What the chain should store, its margin of 25% included:",
            &profile.thresholds,
        ),
        (
            "The same from 16 runs of each pair, as many as one validator makes:",
            &profile.validator,
        ),
    ] {
        let text = serde_json::to_string(thresholds).unwrap_or_default();
        writeln!(out, "\n{title}\n\n```json\n{text}\n```")?;
    }
    writeln!(out)
}

fn costs(out: &mut String, costs: &[Cost]) -> std::fmt::Result {
    writeln!(out, "### Cost\n")?;
    writeln!(
        out,
        "A prompt of {} tokens, temperature 0.7, medians; replay and cheap mode (k = {}) as shares of the generation \
         on the same engine.\n",
        crate::cost::PROMPT,
        crate::cost::K
    )?;
    let names = [
        "output tokens",
        "generation, ms",
        "replay, ms",
        "replay, %",
        "RASTiC, ms",
        "RASTiC, %",
        "trace, bytes a token",
    ]
    .map(String::from);
    heading(out, "model", &names)?;
    for cost in costs {
        let cells = [
            cost.tokens.to_string(),
            format!("{:.1}", cost.generate * 1e3),
            format!("{:.1}", cost.replay * 1e3),
            format!("{:.1}", cost.ratio * 100.0),
            format!("{:.1}", cost.rastic * 1e3),
            format!("{:.1}", cost.rastic_ratio * 100.0),
            format!("{:.0}", cost.trace_bytes),
        ];
        row(out, cost.model, cells.into_iter())?;
    }
    writeln!(out)
}
