//! What happened in a run, read from the events of its blocks: losses, pay, which rounds counted.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use chasqui_chain::{api, Chain};
use chasqui_primitives::{audit::Decision, training::RoundReport, Balance, RunId};
use futures::{stream, StreamExt, TryStreamExt};
use serde_json::{json, Value};

use super::curve::Point;

/// Blocks read at once.
const PARALLEL: usize = 8;

/// What became of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It is not decided yet.
    Running,
    /// Agreed on; it may be challenged.
    Agreed,
    /// Paid.
    Final,
    /// It came to nothing.
    Void,
    /// It was undone.
    Undone,
}

impl Became {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Agreed => "agreed",
            Self::Final => "final",
            Self::Void => "void",
            Self::Undone => "undone",
        }
    }
}

/// One round.
#[derive(Clone, Debug)]
pub struct RoundHistory {
    /// Its number.
    pub number: u32,
    /// Members, when it began.
    pub members: u32,
    /// What each revealed.
    pub reports: BTreeMap<String, RoundReport>,
    /// Who was found valid.
    pub accepted: BTreeSet<String>,
    /// What became of it.
    pub became: Became,
    /// Milliseconds of the block in which training began, and of the last reveal.
    pub times: (u64, u64),
}

impl RoundHistory {
    fn new(number: u32) -> Self {
        Self {
            number,
            members: 0,
            reports: BTreeMap::new(),
            accepted: BTreeSet::new(),
            became: Became::Running,
            times: (0, 0),
        }
    }

    /// The mean loss that its members report, nats a token.
    pub fn loss(&self) -> Option<f64> {
        let count = self.reports.len();
        let sum: f64 = self.reports.values().map(loss).sum();
        (count > 0).then(|| sum / count as f64)
    }

    /// As a point of the curve.
    pub fn point(&self) -> Option<Point> {
        let losses = self.reports.values().map(loss);
        Some(Point {
            round: self.number,
            mean: self.loss()?,
            least: losses.clone().fold(f64::INFINITY, f64::min),
            most: losses.fold(f64::NEG_INFINITY, f64::max),
            counts: matches!(
                self.became,
                Became::Agreed | Became::Final | Became::Running
            ),
        })
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "round": self.number,
            "members": self.members,
            "revealed": self.reports.len(),
            "accepted": self.accepted.len(),
            "loss": self.loss(),
            "became": self.became.name(),
            "tokens": self.tokens(),
        })
    }

    fn tokens(&self) -> u64 {
        self.reports.values().map(|report| report.tokens).sum()
    }
}

fn loss(report: &RoundReport) -> f64 {
    report.loss_micro as f64 / 1e6
}

/// What happened in a run.
#[derive(Clone, Debug)]
pub struct History {
    run: RunId,
    rounds: BTreeMap<u32, RoundHistory>,
    paid: BTreeMap<String, Balance>,
    proven_false: BTreeMap<String, u32>,
}

/// What one block tells of a run.
enum Told {
    Began(u32, u32),
    Training(u32),
    Revealed(u32, String, RoundReport),
    Valid(u32, String),
    False(u32, String),
    Became(u32, Became),
    Paid(String, Balance),
}

impl History {
    /// Of the run `run`; nothing is read yet.
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            rounds: BTreeMap::new(),
            paid: BTreeMap::new(),
            proven_false: BTreeMap::new(),
        }
    }

    /// The rounds, in their order.
    pub fn rounds(&self) -> impl Iterator<Item = &RoundHistory> {
        self.rounds.values()
    }

    /// What an operator was paid, in planck.
    pub fn paid(&self, who: &str) -> Balance {
        self.paid.get(who).copied().unwrap_or_default()
    }

    /// All who ever reported, were paid or proven false.
    pub fn who(&self) -> BTreeSet<&String> {
        let reported = self.rounds().flat_map(|round| round.reports.keys());
        reported
            .chain(self.paid.keys())
            .chain(self.proven_false.keys())
            .collect()
    }

    /// The round in which an operator was proven false.
    pub fn proven_false(&self, who: &str) -> Option<u32> {
        self.proven_false.get(who).copied()
    }

    /// In how many rounds its work was accepted.
    pub fn accepted(&self, who: &str) -> usize {
        self.rounds()
            .filter(|round| round.accepted.contains(who))
            .count()
    }

    /// What an operator reported last.
    pub fn last_loss(&self, who: &str) -> Option<f64> {
        self.rounds()
            .filter_map(|round| round.reports.get(who))
            .last()
            .map(loss)
    }

    /// Tokens a second of all members together, in the newest round that was revealed, from its beginning to the last
    /// reveal.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let round = self
            .rounds()
            .filter(|round| !round.reports.is_empty())
            .last()?;
        let (began, ended) = round.times;
        let seconds = ended.checked_sub(began).filter(|ms| *ms > 0 && began > 0)? as f64 / 1e3;
        Some(round.tokens() as f64 / seconds)
    }

    /// Reads the events of blocks `first` to `last`; `done` hears how many are read.
    ///
    /// # Errors
    /// The node does not answer, or has forgotten these blocks.
    pub async fn read(
        &mut self,
        chain: &Chain,
        first: u32,
        last: u32,
        mut done: impl FnMut(u32),
    ) -> Result<()> {
        let run = self.run;
        let mut blocks = stream::iter(first..=last)
            .map(|number| block(chain, run, number))
            .buffered(PARALLEL);
        let mut count = 0u32;
        while let Some((time, told)) = blocks.try_next().await? {
            for told in told {
                self.take(time, told);
            }
            count = count.saturating_add(1);
            done(count);
        }
        Ok(())
    }

    fn round(&mut self, number: u32) -> &mut RoundHistory {
        self.rounds
            .entry(number)
            .or_insert_with(|| RoundHistory::new(number))
    }

    fn take(&mut self, time: u64, told: Told) {
        match told {
            Told::Began(round, members) => self.round(round).members = members,
            Told::Training(round) => self.round(round).times.0 = time,
            Told::Revealed(round, who, report) => {
                let round = self.round(round);
                round.times.1 = time;
                round.reports.insert(who, report);
            }
            Told::Valid(round, who) => {
                self.round(round).accepted.insert(who);
            }
            Told::False(round, who) => {
                self.proven_false.insert(who, round);
            }
            Told::Became(round, became) => self.round(round).became = became,
            Told::Paid(who, amount) => {
                let paid = self.paid.entry(who).or_default();
                *paid = paid.saturating_add(amount);
            }
        }
    }
}

/// The time of a block, in milliseconds, and what it tells of a run.
async fn block(chain: &Chain, run: RunId, number: u32) -> Result<(u64, Vec<Told>)> {
    use api::training::events;
    let head = chain.at(number).await?;
    let found = head.at.events().fetch().await?;
    let mut told = Vec::new();
    for event in found.iter() {
        let event = event?;
        if event.pallet_name() != "Training" {
            continue;
        }
        let (of, what) = match event.event_name() {
            "RoundBegan" => {
                let event: events::RoundBegan = event.decode_fields_unchecked_as()?;
                (event.run, Told::Began(event.round, event.members))
            }
            "TrainingBegan" => {
                let event: events::TrainingBegan = event.decode_fields_unchecked_as()?;
                (event.run, Told::Training(event.round))
            }
            "Revealed" => {
                let event: events::Revealed = event.decode_fields_unchecked_as()?;
                let who = event.who.to_string();
                (event.run, Told::Revealed(event.round, who, event.report.0))
            }
            "Judged" => {
                let event: events::Judged = event.decode_fields_unchecked_as()?;
                let who = event.who.to_string();
                let told = match event.decision.0 {
                    Decision::Valid => Told::Valid(event.round, who),
                    Decision::Hard(_) => Told::False(event.round, who),
                    _ => continue,
                };
                (event.run, told)
            }
            "RoundAgreed" => {
                let event: events::RoundAgreed = event.decode_fields_unchecked_as()?;
                (event.run, Told::Became(event.round, Became::Agreed))
            }
            "RoundFinal" => {
                let event: events::RoundFinal = event.decode_fields_unchecked_as()?;
                (event.run, Told::Became(event.round, Became::Final))
            }
            "RoundVoid" => {
                let event: events::RoundVoid = event.decode_fields_unchecked_as()?;
                (event.run, Told::Became(event.round, Became::Void))
            }
            "RoundUndone" => {
                let event: events::RoundUndone = event.decode_fields_unchecked_as()?;
                (event.run, Told::Became(event.round, Became::Undone))
            }
            "Paid" => {
                let event: events::Paid = event.decode_fields_unchecked_as()?;
                (event.run, Told::Paid(event.who.to_string(), event.amount))
            }
            _ => continue,
        };
        if of == run {
            told.push(what);
        }
    }
    // Only blocks that tell something are worth a second request.
    let time = match told.is_empty() {
        true => 0,
        false => {
            let now = crate::view::fetch!(head, api::storage().timestamp().now(), ());
            now.unwrap_or_default()
        }
    };
    Ok((time, told))
}
