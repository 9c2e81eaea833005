//! An auditor that cries wolf: the electorate overturns it, and it pays.

use crate::Market;
use anyhow::{ensure, Context, Result};
use chasqui_e2e::scenes::{events, planck};

pub fn is_overturned(market: &mut Market) -> Result<()> {
    // GIVEN one of three validators flags whatever it sees
    let index = worker_of(market, "ferdie")?;
    let operator = market.network.workers[index].operator.clone();
    market
        .network
        .restart_worker(index, Some(&["--test-fault", "false-alarm"]))?;
    let before = planck(&market.network.operator(&operator)?["bond"])?;
    // WHEN an honest job is audited
    let report = market.network.job(
        &market.root,
        "The baker said",
        &["--max-tokens", "8", "--premium"],
    );
    market.network.restart_worker(index, Some(&[]))?;
    let report = report?;
    // THEN the vote of all finds it valid, the executor is paid, and the flag's lien is gone
    ensure!(
        report["outcome"] == "settled",
        "{} {}",
        report["outcome"],
        report["reason"]
    );
    ensure!(
        !events(&report, "Audits", "StageTwoOpened").is_empty(),
        "no vote"
    );
    let paid = events(&report, "Audits", "LienForfeited")
        .pop()
        .context("no lien forfeited")?;
    let after = planck(&market.network.operator(&operator)?["bond"])?;
    ensure!(
        before - after == planck(&paid["paid"])? && before > after,
        "{before} -> {after}, {paid}"
    );
    Ok(())
}

/// The position of an operator's worker.
pub fn worker_of(market: &Market, name: &str) -> Result<usize> {
    market
        .network
        .workers
        .iter()
        .position(|worker| worker.operator.name == name)
        .with_context(|| format!("no worker of {name}"))
}
