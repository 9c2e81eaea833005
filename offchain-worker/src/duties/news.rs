//! What the events of a block say: whether duties have to be looked at, and what became of the operator's work.

use crate::cli::options::format_dot;
use anyhow::{Context, Result};
use chasqui_chain::{api, AccountId32, Head};
use chasqui_primitives::{Balance, JobId};
use subxt::{error::EventsError, events::Event, PolkadotConfig};

/// What one block has for an operator.
#[derive(Debug, Default)]
pub struct News {
    /// Its duties may have changed.
    pub concerns: bool,
    /// What became of its work and its money.
    pub happenings: Vec<Happening>,
}

/// Reads the events of a block.
pub async fn read(head: &Head, operator: &AccountId32) -> Result<News> {
    let events = head.at.events().fetch().await.context("reading events")?;
    let mut news = News::default();
    for event in events.iter() {
        let event = event.context("reading events")?;
        let (pallet, name) = (event.pallet_name(), event.event_name());
        news.concerns |= concerns(pallet, name, event.field_bytes(), &operator.0);
        match happening(&event, operator) {
            Ok(happening) => news.happenings.extend(happening),
            Err(error) => tracing::debug!(%error, pallet, name, "an event of another runtime"),
        }
    }
    Ok(news)
}

/// Whether an event may change what `operator` owes: it names the operator, or moves a case that may have a seat or a
/// ballot of its on. `fields` are the event's, encoded; an account always stands in them as its 32 bytes.
fn concerns(pallet: &str, event: &str, fields: &[u8], operator: &[u8; 32]) -> bool {
    match (pallet, event) {
        (
            "Audits",
            "RevealsOpened" | "SeatsRedrawn" | "JudgedAnew" | "StageTwoOpened" | "StageTwoExtended",
        ) => true,
        ("Jobs" | "Audits" | "Checkpoints" | "Operators", _) => {
            fields.windows(operator.len()).any(|part| part == operator)
        }
        _ => false,
    }
}

/// Something that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Its answer was accepted and paid for.
    Settled { job: JobId },
    /// Its answer was found false, or could not be judged: the client got everything back.
    Refunded { job: JobId },
    /// Its part of a job's price, as executor or auditor, in planck.
    Earned { amount: Balance },
    /// A duty was missed: so many of the last `duties`.
    DutyMissed { missed: u32, duties: u32 },
    /// A result was found to deviate: so many of the last `audits`.
    FoundSoft { soft: u32, audits: u32 },
    /// So much of the bond is gone, in planck.
    Slashed { amount: Balance },
    /// It is not drawn before this epoch.
    Jailed { until: u32 },
    /// Pay that was not claimed is gone, in planck.
    Forfeited { amount: Balance },
    /// An epoch's pay went out, in planck.
    Claimed { amount: Balance },
}

impl Happening {
    /// Whether its operator should do something about it.
    pub fn is_bad(&self) -> bool {
        !matches!(
            self,
            Self::Settled { .. } | Self::Earned { .. } | Self::Claimed { .. }
        )
    }
}

impl std::fmt::Display for Happening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settled { job } => write!(f, "job {job} settled"),
            Self::Refunded { job } => write!(f, "job {job} refunded: not paid"),
            Self::Earned { amount } => write!(f, "earned {}", format_dot(*amount)),
            Self::DutyMissed { missed, duties } => {
                write!(f, "duty missed: {missed} of the last {duties}")
            }
            Self::FoundSoft { soft, audits } => {
                write!(f, "result deviates: {soft} of the last {audits} audits")
            }
            Self::Slashed { amount } => write!(f, "slashed {}", format_dot(*amount)),
            Self::Jailed { until } => write!(f, "jailed until epoch {until}"),
            Self::Forfeited { amount } => write!(f, "forfeited {}", format_dot(*amount)),
            Self::Claimed { amount } => write!(f, "claimed {}", format_dot(*amount)),
        }
    }
}

fn happening(
    event: &Event<'_, PolkadotConfig>,
    operator: &AccountId32,
) -> Result<Option<Happening>, Box<EventsError>> {
    use api::{jobs::events as jobs, operators::events as operators, rewards::events as rewards};
    let (whose, happening) = match (event.pallet_name(), event.event_name()) {
        ("Jobs", "Settled") => {
            let told: jobs::Settled = event.decode_fields_unchecked_as()?;
            (told.executor, Happening::Settled { job: told.job })
        }
        ("Jobs", "Refunded") => {
            let told: jobs::Refunded = event.decode_fields_unchecked_as()?;
            (told.executor, Happening::Refunded { job: told.job })
        }
        ("Rewards", "FeeRecorded") => {
            let told: rewards::FeeRecorded = event.decode_fields_unchecked_as()?;
            // The event names the first auditors of a big vote only.
            let audited = told.auditors.0.iter().find(|(who, _)| who == operator);
            let (whose, amount) = match audited {
                Some((auditor, amount)) => (*auditor, *amount),
                None => (told.executor, told.to_executor),
            };
            (whose, Happening::Earned { amount })
        }
        ("Operators", "DutyMissed") => {
            let told: operators::DutyMissed = event.decode_fields_unchecked_as()?;
            let (missed, duties) = (told.missed, told.duties);
            (told.operator, Happening::DutyMissed { missed, duties })
        }
        ("Operators", "SoftRecorded") => {
            let told: operators::SoftRecorded = event.decode_fields_unchecked_as()?;
            let (soft, audits) = (told.soft, told.audits);
            (told.operator, Happening::FoundSoft { soft, audits })
        }
        ("Operators", "Slashed") => {
            let told: operators::Slashed = event.decode_fields_unchecked_as()?;
            let amount = told.amount;
            (told.operator, Happening::Slashed { amount })
        }
        ("Operators", "LienForfeited") => {
            let told: operators::LienForfeited = event.decode_fields_unchecked_as()?;
            let amount = told.amount;
            (told.operator, Happening::Slashed { amount })
        }
        ("Operators", "Jailed") => {
            let told: operators::Jailed = event.decode_fields_unchecked_as()?;
            (told.operator, Happening::Jailed { until: told.until })
        }
        ("Rewards", "Forfeited") => {
            let told: rewards::Forfeited = event.decode_fields_unchecked_as()?;
            let amount = told.amount;
            (told.operator, Happening::Forfeited { amount })
        }
        ("Rewards", "Claimed") => {
            let told: rewards::Claimed = event.decode_fields_unchecked_as()?;
            let paid = [told.compute, told.audit, told.pool_share];
            let amount = paid.into_iter().fold(0, Balance::saturating_add);
            (told.operator, Happening::Claimed { amount })
        }
        _ => return Ok(None),
    };
    Ok((whose == *operator).then_some(happening))
}

/// What happened over many blocks, in one line.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    settled: u32,
    refunded: u32,
    missed: u32,
    soft: u32,
    earned: Balance,
    claimed: Balance,
    slashed: Balance,
    forfeited: Balance,
    jailed: Option<u32>,
}

impl Tally {
    pub fn add(&mut self, happening: &Happening) {
        let count = |counter: &mut u32| *counter = counter.saturating_add(1);
        let sum = |total: &mut Balance, amount: &Balance| *total = total.saturating_add(*amount);
        match happening {
            Happening::Settled { .. } => count(&mut self.settled),
            Happening::Refunded { .. } => count(&mut self.refunded),
            Happening::DutyMissed { .. } => count(&mut self.missed),
            Happening::FoundSoft { .. } => count(&mut self.soft),
            Happening::Earned { amount } => sum(&mut self.earned, amount),
            Happening::Claimed { amount } => sum(&mut self.claimed, amount),
            Happening::Slashed { amount } => sum(&mut self.slashed, amount),
            Happening::Forfeited { amount } => sum(&mut self.forfeited, amount),
            Happening::Jailed { until } => self.jailed = Some(*until),
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [
            ("jobs settled", self.settled),
            ("jobs refunded", self.refunded),
            ("duties missed", self.missed),
            ("deviating results", self.soft),
        ];
        let amounts = [
            ("earned", self.earned),
            ("claimed", self.claimed),
            ("slashed", self.slashed),
            ("forfeited", self.forfeited),
        ];
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let amounts = amounts.iter().filter(|(_, amount)| *amount > 0);
        let parts: Vec<String> = counts
            .map(|(what, count)| format!("{what}: {count}"))
            .chain(amounts.map(|(what, amount)| format!("{what}: {}", format_dot(*amount))))
            .chain(
                self.jailed
                    .map(|until| format!("jailed until epoch {until}")),
            )
            .collect();
        match parts.is_empty() {
            true => f.write_str("nothing for this operator"),
            false => f.write_str(&parts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chasqui_primitives::DOT;

    const OPERATOR: [u8; 32] = [7; 32];

    #[test]
    fn an_event_that_names_the_operator_concerns_it() {
        // GIVEN an event with the operator's account among other fields
        let fields = [&[1u8, 2, 3][..], &OPERATOR, &[4, 5]].concat();
        // WHEN it comes from a pallet that hands out duties THEN it does; from another it does not
        for pallet in ["Jobs", "Audits", "Checkpoints", "Operators"] {
            assert!(concerns(pallet, "Whatever", &fields, &OPERATOR), "{pallet}");
        }
        assert!(!concerns("Balances", "Transfer", &fields, &OPERATOR));
        // and WHEN another is named THEN it does not
        assert!(!concerns("Jobs", "ExecutorDrawn", &fields, &[8; 32]));
        assert!(!concerns("Jobs", "ExecutorDrawn", &[], &OPERATOR));
    }

    #[test]
    fn a_case_that_moves_on_concerns_everybody() {
        // GIVEN events that name nobody WHEN they move a case THEN whoever has a part in it has to look
        for event in [
            "RevealsOpened",
            "JudgedAnew",
            "StageTwoOpened",
            "StageTwoExtended",
        ] {
            assert!(concerns("Audits", event, &[0; 9], &OPERATOR), "{event}");
        }
        assert!(!concerns("Audits", "CaseClosed", &[0; 9], &OPERATOR));
    }

    #[test]
    fn what_happened_meanwhile_is_one_line() {
        // GIVEN nothing THEN it says so
        let mut tally = Tally::default();
        assert_eq!(tally.to_string(), "nothing for this operator");
        // GIVEN several happenings WHEN they are added up THEN counts and sums stand in the line, and nothing else
        for happening in [
            Happening::Settled { job: 1 },
            Happening::Settled { job: 2 },
            Happening::Earned { amount: DOT / 2 },
            Happening::Earned { amount: DOT },
            Happening::Slashed { amount: 5 * DOT },
        ] {
            tally.add(&happening);
        }
        assert_eq!(
            tally.to_string(),
            "jobs settled: 2, earned: 1.5 DOT, slashed: 5 DOT"
        );
    }
}
