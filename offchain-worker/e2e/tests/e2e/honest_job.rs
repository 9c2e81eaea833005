//! An honest job: computed by one worker, re-checked by others, paid to the planck.

use crate::Market;
use anyhow::{ensure, Result};
use chasqui_e2e::scenes::{check_payouts, events, fees, payouts, planck, CLIENT_KEY};

pub fn is_paid(market: &mut Market) -> Result<()> {
    let network = &market.network;
    let client = network.address(CLIENT_KEY)?;
    // GIVEN a client with money
    let before = network.balance(&client)?;
    let receipt = network
        .folder()
        .join("honest-receipt.json")
        .display()
        .to_string();
    // WHEN it buys a completion
    let report = network.job(
        &market.root,
        "Once upon a time",
        &[
            "--max-tokens",
            "32",
            "--temperature",
            "0.8",
            "--seed",
            "7",
            "--receipt",
            &receipt,
        ],
    )?;
    // THEN it has text, a receipt that verifies offline, and the job is settled
    ensure!(report["outcome"] == "settled", "not settled: {report}");
    ensure!(
        report["text"].as_str().is_some_and(|text| text.len() > 40),
        "no text: {report}"
    );
    let verified = network.worker(&["receipt", "verify", &receipt, "--json"])?;
    ensure!(verified["valid"] == true, "{verified}");
    // AND a new operator is audited, by three who all found it valid
    ensure!(report["audited"] == true, "a new operator was not audited");
    let reveals = events(&report, "Audits", "Revealed");
    ensure!(
        reveals.len() == 3 && reveals.iter().all(|r| r["verdict"] == "Valid"),
        "{reveals:?}"
    );
    // AND the money went where the shares say, and nowhere else
    check_payouts(&payouts(&report)?, 3)?;
    let after = network.balance(&client)?;
    let (escrow, paid) = (planck(&report["escrow"])?, planck(&report["paid"])?);
    ensure!(paid <= escrow, "paid {paid} of an escrow of {escrow}");
    ensure!(
        after.1 == before.1,
        "something stayed on hold: {before:?} {after:?}"
    );
    let fee = fees(&report, &network.public_key(CLIENT_KEY)?)?;
    ensure!(
        before.0 - after.0 == paid + fee,
        "{before:?} -> {after:?}: price {paid}, fee {fee}"
    );
    Ok(())
}

pub fn premium_is_audited(market: &mut Market) -> Result<()> {
    // GIVEN operators with whatever standing WHEN a premium job is bought THEN it is audited before it is accepted
    let report = market.network.job(
        &market.root,
        "The old bridge",
        &["--max-tokens", "8", "--premium"],
    )?;
    ensure!(
        report["outcome"] == "settled" && report["audited"] == true,
        "{report}"
    );
    Ok(())
}

pub fn is_reproducible(market: &mut Market) -> Result<()> {
    // GIVEN one prompt, temperature and seed WHEN two jobs ask for it THEN both get the same tokens, from whomever
    let arguments = ["--max-tokens", "12", "--temperature", "0.9", "--seed", "41"];
    let first = market
        .network
        .job(&market.root, "In the morning", &arguments)?;
    let second = market
        .network
        .job(&market.root, "In the morning", &arguments)?;
    ensure!(first["outputIds"].is_array(), "{first}");
    ensure!(
        first["outputIds"] == second["outputIds"],
        "{} {}",
        first["outputIds"],
        second["outputIds"]
    );
    Ok(())
}
