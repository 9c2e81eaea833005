//! Cheating executors in sessions: caught by the audit of their takings, slashed, their clients refunded; honest ones
//! beside them are paid.

use crate::{
    sessions::{ask, audits, open},
    Market,
};
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    scenes::{self, planck, CLIENT_KEY},
    Network, Operator,
};
use serde_json::Value;
use std::time::Duration;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;
/// Weight of a suspect: drawn first about as often as all honest ones together.
const CAPACITY: u32 = 300;

/// Registers an operator and starts its worker with a fault.
fn suspect(market: &mut Market, name: &str, fault: &str) -> Result<(Operator, usize)> {
    let operator = Operator::new(name, &format!("//Alice//{name}"), "compute");
    market.network.fund(&operator.key, "1100")?;
    market
        .network
        .register(&operator, &market.root, CAPACITY, "1000")?;
    let worker = market
        .network
        .start_worker(&operator, &["--test-fault", fault])?;
    market.network.pass_epochs(2)?;
    Ok((operator, worker))
}

/// A session whose primary is, or is not, `address`. Those with another one are over when it returns: what they give
/// back does not disturb anybody's balance later.
fn session_with(market: &mut Market, address: &str, first: bool) -> Result<(String, String)> {
    let (network, root) = (&mut market.network, &market.root);
    let mut closed: Vec<String> = Vec::new();
    for _ in 0..12 {
        let (session, committee) = open(network, root)?;
        let primary = committee.first().context("nobody was drawn")?.clone();
        if (primary == address) == first {
            network.wait_until("the other sessions are over", SECONDS(90), |network| {
                let gone = |id: &String| network.call(&["session", "show", id]).is_err();
                Ok(closed.iter().all(gone))
            })?;
            return Ok((session, primary));
        }
        close(network, &session)?;
        closed.push(session);
    }
    anyhow::bail!("twelve committees without such a primary")
}

fn close(network: &Network, session: &str) -> Result<()> {
    network
        .call(&["session", "close", session, "--key", CLIENT_KEY])
        .map(drop)
}

/// Asks, and checks who answered; the price.
fn bought(network: &Network, session: &str, operator: &str, seed: u64) -> Result<u128> {
    let answer = ask(network, session, "Once upon a time", &seed.to_string())?;
    ensure!(answer["operator"] == operator, "{answer}");
    planck(&answer["price"])
}

fn until_settled(network: &mut Network, session: &str, sum: u128) -> Result<()> {
    network.wait_until("the session is settled", SECONDS(90), |network| {
        let shown = network.call(&["session", "show", session])?;
        Ok(planck(&shown["settled"])? == sum)
    })
}

fn counted(audits: &Value, field: &str) -> Result<u64> {
    audits[field]
        .as_u64()
        .with_context(|| format!("no `{field}` in {audits}"))
}

/// Waits until so many more cases than `before` are `field`.
fn until_counted(network: &mut Network, before: &Value, field: &str, more: u64) -> Result<()> {
    let due = counted(before, field)? + more;
    let what = format!("{field} reaches {due}");
    network.wait_until(&what, SECONDS(240), |network| {
        Ok(counted(&audits(network)?, field)? >= due)
    })
}

/// Checks that an operator was slashed and jailed.
fn punished(network: &Network, operator: &Operator, bond: u128) -> Result<()> {
    let status = network.operator(operator)?;
    let now = planck(&status["bond"])?;
    ensure!(now < bond, "bond {bond} -> {now}");
    ensure!(status["reputation"] == 0, "{status}");
    let jailed = status["status"]
        .as_str()
        .is_some_and(|s| s.starts_with("jailed"));
    ensure!(jailed, "{}", status["status"]);
    Ok(())
}

pub fn another_model_is_caught(market: &mut Market) -> Result<()> {
    // GIVEN an executor that answers with a smaller model, and honest ones beside it
    let small = scenes::model("chasqui-tales-small")?;
    let fault = format!("other-model:{}", small.display());
    let (operator, worker) = suspect(market, "morgan", &fault)?;
    let address = market.network.address(&operator.key)?;
    let bond = planck(&market.network.operator(&operator)?["bond"])?;
    let (honest, primary) = session_with(market, &address, false)?;
    let (cheated, _) = session_with(market, &address, true)?;
    let network = &mut market.network;
    // WHEN both are asked, answer, and settle
    let before = audits(network)?;
    let false_sum =
        bought(network, &cheated, &address, 1)? + bought(network, &cheated, &address, 2)?;
    let true_sum = bought(network, &honest, &primary, 3)?;
    let client = network.address(CLIENT_KEY)?;
    // Nothing is sent in the client's name from here on: what comes back is seen in its balance.
    let (free, _) = network.balance(&client)?;
    until_settled(network, &cheated, false_sum)?;
    until_settled(network, &honest, true_sum)?;
    // THEN the takings of the one are found false, its bond pays, and the client has its money back to the planck
    until_counted(network, &before, "caught", 1)?;
    punished(network, &operator, bond)?;
    network.wait_until("the client is refunded", SECONDS(60), |network| {
        Ok(network.balance(&client)?.0 == free + false_sum)
    })?;
    // AND those of the other are found valid, and paid
    until_counted(network, &before, "valid", 1)?;
    let after = audits(network)?;
    ensure!(
        counted(&after, "caught")? == counted(&before, "caught")? + 1,
        "somebody else was caught: {before} -> {after}"
    );
    network.kill_worker(worker);
    close(network, &honest)?;
    close(network, &cheated)
}

pub fn withholding_is_caught(market: &mut Market) -> Result<()> {
    // GIVEN an executor that answers truly, and opens nothing, neither to auditors nor on chain
    let (operator, worker) = suspect(market, "wanda", "withhold")?;
    let address = market.network.address(&operator.key)?;
    let bond = planck(&market.network.operator(&operator)?["bond"])?;
    let (session, _) = session_with(market, &address, true)?;
    let network = &mut market.network;
    let before = audits(network)?;
    // WHEN it settles an answer
    let sum = bought(network, &session, &address, 4)?;
    let client = network.address(CLIENT_KEY)?;
    let (free, _) = network.balance(&client)?;
    until_settled(network, &session, sum)?;
    // THEN its opening is demanded, does not come, and that alone is proof
    until_counted(network, &before, "openingsDemanded", 1)?;
    until_counted(network, &before, "caught", 1)?;
    punished(network, &operator, bond)?;
    network.wait_until("the client is refunded", SECONDS(60), |network| {
        Ok(network.balance(&client)?.0 == free + sum)
    })?;
    network.kill_worker(worker);
    close(network, &session)
}

pub fn answers_shown_on_chain_are_judged(market: &mut Market) -> Result<()> {
    // GIVEN an honest executor that no auditor can reach
    let (operator, worker) = suspect(market, "sybil", "refuse-auditors")?;
    let address = market.network.address(&operator.key)?;
    let bond = planck(&market.network.operator(&operator)?["bond"])?;
    let (session, _) = session_with(market, &address, true)?;
    let network = &mut market.network;
    let before = audits(network)?;
    // WHEN it settles two answers, and is said to withhold them
    let sum = bought(network, &session, &address, 5)? + bought(network, &session, &address, 6)?;
    until_settled(network, &session, sum)?;
    until_counted(network, &before, "openingsDemanded", 1)?;
    // THEN it shows them on chain, auditors judge what stands there, and find it valid
    until_counted(network, &before, "openingsPosted", 1)?;
    until_counted(network, &before, "valid", 1)?;
    let after = audits(network)?;
    ensure!(after["caught"] == before["caught"], "{before} -> {after}");
    ensure!(
        planck(&network.operator(&operator)?["bond"])? == bond,
        "it was slashed"
    );
    // Without a worker it must not be drawn for what comes after.
    network.call(&["operator", "unbond", "--key", &operator.key])?;
    network.kill_worker(worker);
    close(network, &session)
}

pub fn a_report_is_upheld(market: &mut Market) -> Result<()> {
    // GIVEN a client with an answer of another model, which is not settled
    let small = scenes::model("chasqui-tales-small")?;
    let fault = format!("other-model:{}", small.display());
    market.network.settling.blocks = 10_000;
    let started = suspect(market, "rupert", &fault);
    market.network.settling = Default::default();
    let (operator, worker) = started?;
    let address = market.network.address(&operator.key)?;
    let bond = planck(&market.network.operator(&operator)?["bond"])?;
    let (session, _) = session_with(market, &address, true)?;
    let network = &mut market.network;
    bought(network, &session, &address, 7)?;
    let before = audits(network)?;
    let client = network.address(CLIENT_KEY)?;
    let held = network.balance(&client)?.1;
    // WHEN it reports the answer out of its journal
    let journal = network.folder().join("client-sessions");
    let reported = network.call(&[
        "session",
        "report",
        &session,
        "--key",
        CLIENT_KEY,
        "--operator",
        &address,
        "--sequence",
        "1",
        "--journal-dir",
        &journal.display().to_string(),
    ])?;
    let deposit = planck(&reported["deposit"])?;
    ensure!(network.balance(&client)?.1 == held + deposit, "no deposit");
    // THEN auditors agree, the deposit is back, and the operator pays
    until_counted(network, &before, "caught", 1)?;
    punished(network, &operator, bond)?;
    ensure!(
        network.balance(&client)?.1 == held,
        "the deposit is still there"
    );
    network.kill_worker(worker);
    close(network, &session)
}
