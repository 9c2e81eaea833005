//! Cheating executors: caught by the audits, slashed, their clients refunded.

use crate::Market;
use anyhow::{bail, ensure, Context, Result};
use chasqui_e2e::{
    scenes::{self, events, planck},
    Operator,
};
use serde_json::Value;

/// Weight that makes it all but sure to be drawn.
const CAPACITY: u32 = 20_000;

/// Registers an operator that dwarfs the honest ones and starts its worker with a fault.
fn suspect(market: &mut Market, name: &str, fault: &str) -> Result<(Operator, usize)> {
    let operator = Operator::new(name, &format!("//Alice//{name}"), "compute");
    market.network.fund(&operator.key, "21000")?;
    market
        .network
        .register(&operator, &market.root, CAPACITY, "20000")?;
    let worker = market
        .network
        .start_worker(&operator, &["--test-fault", fault])?;
    Ok((operator, worker))
}

/// Buys jobs until one was drawn for `address`; its report.
fn job_drawn_for(market: &Market, address: &str) -> Result<Value> {
    for seed in 0..12u32 {
        let report = market.network.job(
            &market.root,
            "The runner took the letter and",
            &[
                "--max-tokens",
                "30",
                "--temperature",
                "0.8",
                "--seed",
                &seed.to_string(),
            ],
        )?;
        if report["executor"] == address {
            return Ok(report);
        }
    }
    bail!("{address} was not drawn in twelve jobs")
}

/// Checks that the report tells of a proven lie: refund, slash, jail; returns the decision.
fn proven(market: &Market, operator: &Operator, bond: u128, report: &Value) -> Result<Value> {
    ensure!(
        report["outcome"] == "refunded" && report["reason"] == "Hard",
        "not refunded as false: {} {}",
        report["outcome"],
        report["reason"]
    );
    ensure!(report["paid"] == "0", "the client paid {}", report["paid"]);
    let slash = events(report, "Operators", "Slashed")
        .pop()
        .context("no slash")?;
    let taken = planck(&slash["amount"])?;
    let now = planck(&market.network.operator(operator)?["bond"])?;
    ensure!(
        taken > 0 && bond - now == taken,
        "bond {bond} -> {now}, slash {taken}"
    );
    let auditors = planck(&slash["to_auditors"])? + planck(&slash["to_reporter"])?;
    ensure!(
        auditors * 5 <= taken,
        "auditors and reporter got {auditors} of {taken}"
    );
    let status = market.network.operator(operator)?;
    ensure!(
        status["reputation"] == 0,
        "reputation {}",
        status["reputation"]
    );
    ensure!(
        status["status"]
            .as_str()
            .is_some_and(|s| s.starts_with("jailed")),
        "{}",
        status["status"]
    );
    let closed = events(report, "Audits", "CaseClosed")
        .pop()
        .context("no case closed")?;
    Ok(closed["decision"].clone())
}

fn bond(market: &Market, operator: &Operator) -> Result<u128> {
    planck(&market.network.operator(operator)?["bond"])
}

pub fn are_caught(market: &mut Market) -> Result<()> {
    let small = scenes::model("chasqui-tales-small")?;
    let faults = [
        ("mallory", format!("other-model:{}", small.display())),
        ("oscar", "edit-token".to_string()),
        ("trudy", "truncate".to_string()),
    ];
    for (name, fault) in faults {
        // GIVEN an operator whose worker cheats
        let (operator, worker) = suspect(market, name, &fault)?;
        market.network.pass_epochs(2)?;
        let before = bond(market, &operator)?;
        let address = market.network.address(&operator.key)?;
        // WHEN it is drawn for a job
        let report = job_drawn_for(market, &address)?;
        // THEN the case ends as false, and the rest follows
        let decision = proven(market, &operator, before, &report).with_context(|| fault.clone())?;
        ensure!(decision["Hard"].is_string(), "{fault}: {decision}");
        market.network.kill_worker(worker);
    }
    Ok(())
}

pub fn withholding_is_caught(market: &mut Market) -> Result<()> {
    // GIVEN an operator that commits to a true output and serves no trace, neither to auditors nor on chain
    let (operator, worker) = suspect(market, "walter", "withhold")?;
    market.network.pass_epochs(2)?;
    let before = bond(market, &operator)?;
    let address = market.network.address(&operator.key)?;
    // WHEN it is drawn THEN its opening is demanded, does not come, and that alone is proof
    let report = job_drawn_for(market, &address)?;
    ensure!(
        !events(&report, "Audits", "OpeningDemanded").is_empty(),
        "no opening was demanded"
    );
    let decision = proven(market, &operator, before, &report)?;
    ensure!(decision["Hard"] == "Withheld", "{decision}");
    market.network.kill_worker(worker);
    Ok(())
}
