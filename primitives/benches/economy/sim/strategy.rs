//! What attackers do, in which world, and which rule is to answer it.

use super::params::{Params, Programme};
use chasqui_primitives::{money::DOT, subsidy};

/// How an operator behaves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Strategy {
    Honest,
    /// Computes nothing for this share of its jobs; accomplices call each other's work valid.
    Cheat(f64),
    /// Honest for so many epochs, then a cheat in all that it does until it is caught, and again.
    Sleep(u32),
    /// This share of the value of a day's takings of sessions was not computed.
    SessionLie(f64),
    /// The same, with takings cut into pieces of a job each, below what is always audited.
    DustLie(f64),
    /// Calls everything valid that it is to audit, without a replay.
    LazyAudit,
    /// Calls everything false that it is to audit.
    Accuse,
    /// Votes for a price of so many times the first one.
    Price(f64),
    /// Buys service of so many times its usual work, and takes what the draw gives it.
    Buy(f64),
    /// Buys so much, all of which comes to itself.
    Steer(f64),
    /// The same, through sessions that it opens until it is drawn for one itself.
    Shop(f64),
    /// Buys only what its credit has room for, all of which comes to itself.
    TopUp,
    /// The same, on days only on which nobody else buys.
    DeadDay,
    /// Buys so much from itself in a window of credit before the end, then votes for root alone.
    Root(f64),
}

pub struct Scenario {
    pub name: &'static str,
    pub strategy: Strategy,
    /// Share of the operators that follow it, in league.
    pub share: f64,
    pub change: fn(Params) -> Params,
    /// They register in this epoch before the end only; `None`: at the beginning.
    pub late: Option<u32>,
    /// The rule that is to answer it.
    pub answer: &'static str,
}

/// The published programme, at the start of a batch. It is as small beside its fees as it is meant to be: the least
/// issuance is less than what the schedule adds.
fn batch(params: Params, number: u32) -> Params {
    let size = 500_000 * DOT;
    let paid = subsidy::batch_size(size) * u128::from(number - 1);
    Params {
        programme: Some(Programme { size, paid }),
        ..params
    }
}

fn first_batch(params: Params) -> Params {
    batch(params, 1)
}

fn fifth_batch(params: Params) -> Params {
    batch(params, 5)
}

fn quiet_days(params: Params) -> Params {
    Params {
        quiet_every: 14,
        ..batch(params, 5)
    }
}

fn quiet_days_at_first(params: Params) -> Params {
    Params {
        quiet_every: 14,
        ..batch(params, 1)
    }
}

fn no_change(params: Params) -> Params {
    params
}

const fn plain(
    name: &'static str,
    strategy: Strategy,
    share: f64,
    answer: &'static str,
) -> Scenario {
    Scenario {
        name,
        strategy,
        share,
        change: no_change,
        late: None,
        answer,
    }
}

const AUDITS: &str = "audit probability and the slash (A, O)";
const PANELS: &str = "panels by weight, then a vote by more than half of it (A)";
const TAKINGS: &str = "plancks drawn from all takings (S)";
const SPLIT: &str = "the fee split: 40% of a fee never returns (M)";
const CREDIT: &str = "credit ends at kappa * w * rho (M)";
const PRICES: &str = "weighted median, a tenth an epoch; clients leave (M)";
const ROOT: &str = "support by all weight, and half of all bond (G)";

pub const SCENARIOS: &[Scenario] = &[
    plain("free rider", Strategy::Cheat(1.0), 0.025, AUDITS),
    plain("cheater, 50% of jobs", Strategy::Cheat(0.5), 0.025, AUDITS),
    plain("cheater, 10%", Strategy::Cheat(0.1), 0.025, AUDITS),
    plain("cheater, 1%", Strategy::Cheat(0.01), 0.025, AUDITS),
    plain("sleeper, 300 epochs", Strategy::Sleep(300), 0.025, AUDITS),
    plain(
        "cartel of 33%, 10% of jobs",
        Strategy::Cheat(0.1),
        0.33,
        PANELS,
    ),
    plain(
        "cartel of 45%, 10% of jobs",
        Strategy::Cheat(0.1),
        0.45,
        PANELS,
    ),
    plain(
        "lazy auditors, 33%",
        Strategy::LazyAudit,
        0.33,
        "evidence of the replay is compared (A)",
    ),
    plain(
        "false accusers, 33%",
        Strategy::Accuse,
        0.33,
        "the lien of a flag that a vote overturns (A)",
    ),
    plain(
        "session liar, 5% of value",
        Strategy::SessionLie(0.05),
        0.025,
        TAKINGS,
    ),
    plain(
        "session liar, dust",
        Strategy::DustLie(1.0),
        0.025,
        "dust is drawn with total / audit_from (S)",
    ),
    plain(
        "price manipulator, 5%, up",
        Strategy::Price(1_000.0),
        0.05,
        PRICES,
    ),
    plain(
        "price bloc of 45%, up",
        Strategy::Price(1_000.0),
        0.45,
        PRICES,
    ),
    plain(
        "price bloc of 45%, down",
        Strategy::Price(0.0),
        0.45,
        PRICES,
    ),
    plain(
        "self-dealing, no subsidy",
        Strategy::Steer(1.0),
        0.05,
        SPLIT,
    ),
    Scenario {
        change: first_batch,
        ..plain(
            "self-dealing by draws, batch 1",
            Strategy::Buy(1.0),
            0.05,
            CREDIT,
        )
    },
    Scenario {
        change: first_batch,
        ..plain(
            "steered self-dealing, batch 1",
            Strategy::Steer(1.0),
            0.05,
            CREDIT,
        )
    },
    Scenario {
        change: first_batch,
        ..plain(
            "cartel of 45%, steered, batch 1",
            Strategy::Steer(1.0),
            0.45,
            CREDIT,
        )
    },
    Scenario {
        change: first_batch,
        ..plain(
            "session shopping, batch 1",
            Strategy::Shop(1.0),
            0.05,
            "LEAST_SPENT is forfeited (S); credit (M)",
        )
    },
    Scenario {
        change: first_batch,
        ..plain(
            "top-up of a short day, batch 1",
            Strategy::TopUp,
            0.05,
            CREDIT,
        )
    },
    Scenario {
        change: fifth_batch,
        ..plain(
            "top-up of a short day, batch 5",
            Strategy::TopUp,
            0.05,
            CREDIT,
        )
    },
    Scenario {
        change: first_batch,
        late: Some(40),
        ..plain("newcomer's top-up, batch 1", Strategy::TopUp, 0.05, CREDIT)
    },
    Scenario {
        change: fifth_batch,
        late: Some(40),
        ..plain("newcomer's top-up, batch 5", Strategy::TopUp, 0.05, CREDIT)
    },
    Scenario {
        change: quiet_days_at_first,
        ..plain(
            "dead days, batch 1",
            Strategy::DeadDay,
            0.05,
            "three times the fees at the most (M)",
        )
    },
    Scenario {
        change: quiet_days,
        ..plain(
            "least issuance on dead days, batch 5",
            Strategy::DeadDay,
            0.05,
            "three times the fees at the most (M)",
        )
    },
    plain("root by bought work, 10%", Strategy::Root(5.0), 0.10, ROOT),
    plain("root by bought work, 39%", Strategy::Root(5.0), 0.39, ROOT),
];
