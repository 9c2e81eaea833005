//! Results as a file that a later call goes on with, and as tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use serde::{Deserialize, Serialize};

use crate::audit::AuditRow;
use crate::spec::{Spec, Way};

/// What all rows of a file share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Folders whose text was taken.
    pub texts: Vec<String>,
    pub documents: u64,
    pub text_bytes: u64,
    /// Tokens that may be trained on.
    pub training_tokens: u64,
    pub vocabulary: usize,
    pub parameters: usize,
    pub members: u32,
    /// Sequences a member and step.
    pub batch: u32,
    /// Predicted tokens of one.
    pub sequence: u32,
    /// Data-parallel steps before all runs part.
    pub base_steps: u32,
    pub base_rate: f64,
    /// Inner steps of each member after that.
    pub steps: u32,
    pub seed: u64,
    /// Held-out loss where the runs part.
    pub base_loss: f64,
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Its settings, as `--run` takes them.
    pub spec: String,
    /// Exchanges.
    pub exchanges: u32,
    /// Loss on the held-out sequences by which settings are chosen, nats a token; none if it diverged.
    pub tuning_loss: Option<f64>,
    /// Loss on the other held-out sequences.
    pub loss: Option<f64>,
    /// Bytes that each member published.
    pub bytes: u64,
    /// Wall-clock time, all members on this machine.
    pub seconds: f64,
}

/// A file of results.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    protocol: Protocol,
    rows: Vec<Row>,
    /// What audits cost, if it was asked for.
    #[serde(default)]
    audits: Vec<AuditRow>,
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl Report {
    /// Goes on with `file`, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is of another protocol.
    pub fn open(protocol: Protocol, file: Option<&Path>) -> Result<Self> {
        let fresh = Self {
            protocol,
            rows: Vec::new(),
            audits: Vec::new(),
            file: file.map(Path::to_owned),
        };
        let Some(path) = file.filter(|path| path.exists()) else {
            return Ok(fresh);
        };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let old: Self =
            serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        if old.protocol != fresh.protocol {
            bail!(
                "{} has runs of another protocol; name another file.\nThere: {:?}\nHere: {:?}",
                path.display(),
                old.protocol,
                fresh.protocol
            );
        }
        Ok(Self {
            rows: old.rows,
            audits: old.audits,
            ..fresh
        })
    }

    /// Whether the run is there already.
    pub fn has(&self, spec: &Spec) -> bool {
        let spec = spec.to_string();
        self.rows.iter().any(|row| row.spec == spec)
    }

    /// Adds a run and writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, row: Row) -> Result<()> {
        self.rows.push(row);
        self.save()
    }

    /// Takes down what audits cost, and writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_audits(&mut self, audits: Vec<AuditRow>) -> Result<()> {
        self.audits = audits;
        self.save()
    }

    fn save(&self) -> Result<()> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let text = serde_json::to_string_pretty(self)? + "\n";
        // Whole or not at all.
        let new = path.with_extension("new");
        std::fs::write(&new, text).with_context(|| format!("writing {}", new.display()))?;
        std::fs::rename(&new, path).with_context(|| format!("writing {}", path.display()))
    }

    /// The tables.
    ///
    /// # Errors
    /// A row's settings are not settings.
    pub fn markdown(&self) -> Result<String> {
        let mut runs = Vec::new();
        for row in &self.rows {
            runs.push((row.spec.parse::<Spec>()?, row));
        }
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text, &runs);
        Ok(text)
    }

    fn write(&self, out: &mut String, runs: &[(Spec, &Row)]) -> std::fmt::Result {
        let protocol = &self.protocol;
        writeln!(
            out,
            "{} documents (*.md) of {}, {:.1} MB, {:.2} million tokens of {} to train on. {} parameters, {} members, {} \
             sequences of {} tokens a member and step. {} data-parallel steps at {}, held-out loss {:.4}, then {} steps of each \
             member; seed {}.\n",
            protocol.documents,
            protocol.texts.join(" and "),
            protocol.text_bytes as f64 / 1e6,
            protocol.training_tokens as f64 / 1e6,
            protocol.vocabulary,
            protocol.parameters,
            protocol.members,
            protocol.batch,
            protocol.sequence,
            protocol.base_steps,
            protocol.base_rate,
            protocol.base_loss,
            protocol.steps,
            protocol.seed,
        )?;
        let best = best(runs);
        let loss_of = |group: &str| best.get(group).and_then(|(_, row)| row.loss);
        let reference = best.values().find(|(spec, _)| spec.way == Way::Parallel);
        writeln!(
            out,
            "| run | inner rate | outer rate, momentum | exchanges | held-out loss | against data parallel | against f32 | \
             bytes a member | less traffic |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
        let against = |loss: Option<f64>, other: Option<f64>| match (loss, other) {
            (Some(loss), Some(other)) => format!("{:+.2}%", 100.0 * (loss / other - 1.0)),
            _ => "–".into(),
        };
        let mut shown: Vec<_> = best.values().collect();
        shown.sort_by_key(|(spec, _)| order(spec));
        for (spec, row) in shown {
            let traffic = match (row.bytes, reference) {
                (0, _) | (_, None) => "–".into(),
                (sent, Some((_, parallel))) => {
                    format!("{:.0}x", parallel.bytes as f64 / sent as f64)
                }
            };
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {traffic} |",
                spec.group(),
                spec.rate,
                outer(spec),
                row.exchanges,
                nats(row.loss),
                against(row.loss, reference.and_then(|(_, row)| row.loss)),
                against(
                    row.loss,
                    spec.uncompressed().and_then(|group| loss_of(&group))
                ),
                row.bytes,
            )?;
        }
        writeln!(
            out,
            "\nAll runs; the loss by which each group's is chosen is of other held-out sequences:\n"
        )?;
        writeln!(
            out,
            "| run | inner rate | outer rate, momentum | loss to choose by | held-out loss | time |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        let mut all: Vec<_> = runs.iter().collect();
        all.sort_by_key(|(spec, _)| order(spec));
        for (spec, row) in all {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {:.0} s |",
                spec.group(),
                spec.rate,
                outer(spec),
                nats(row.tuning_loss),
                nats(row.loss),
                row.seconds
            )?;
        }
        self.write_audits(out)
    }

    fn write_audits(&self, out: &mut String) -> std::fmt::Result {
        if self.audits.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\nOne validator's audit of a member's round; times are medians:\n\n\
             | H | codec | segments | replayed | steps replayed | round, s | audit, s | of it checks, s | audit / round | \
             steps replayed here | kept, MB |\n|---|---|---|---|---|---|---|---|---|---|---|"
        )?;
        for row in &self.audits {
            writeln!(
                out,
                "| {} | {} | {} | {} | {:.1}% | {:.2} | {:.3} | {:.3} | {:.1}% | {:.1}% | {:.1} |",
                row.inner_steps,
                row.codec,
                row.segments,
                row.audited,
                100.0 * row.replayed,
                row.round,
                row.audit,
                row.checks,
                100.0 * row.audit / row.round,
                100.0 * row.replayed_here,
                row.kept_bytes as f64 / 1e6,
            )?;
        }
        Ok(())
    }
}

fn nats(loss: Option<f64>) -> String {
    loss.map_or("diverged".into(), |loss| format!("{loss:.4}"))
}

fn outer(spec: &Spec) -> String {
    spec.outer().map_or("–".into(), |(rate, momentum)| {
        format!("{rate}, {momentum}")
    })
}

/// Groups in the order of the tables.
fn order(spec: &Spec) -> (u32, String) {
    match spec.way {
        Way::Share => (0, String::new()),
        Way::Alone => (1, String::new()),
        Way::Parallel => (2, String::new()),
        Way::Rounds { inner_steps, .. } => (2 + inner_steps, spec.group()),
    }
}

/// The best setting of each group, by the loss that settings are chosen by.
fn best<'a>(runs: &[(Spec, &'a Row)]) -> BTreeMap<String, (Spec, &'a Row)> {
    let mut best: BTreeMap<String, (Spec, &Row)> = BTreeMap::new();
    for (spec, row) in runs {
        let loss = |row: &Row| row.tuning_loss.unwrap_or(f64::INFINITY);
        let entry = best.entry(spec.group()).or_insert((*spec, row));
        if loss(row) < loss(entry.1) {
            *entry = (*spec, row);
        }
    }
    best
}
