//! Sessions: one deposit, answers straight from an operator, one settlement, one audit.

use crate::Market;
use anyhow::{ensure, Context, Result};
use chasqui_e2e::{
    blocks::Reader,
    chat::{parties, Ledger},
    scenes::{planck, CLIENT_KEY},
    Network,
};
use serde_json::Value;
use std::time::Duration;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Opens a session: its name and its committee, primary first.
pub fn open(network: &Network, root: &str) -> Result<(String, Vec<String>)> {
    let opened = network.call(&[
        "session",
        "open",
        "--key",
        CLIENT_KEY,
        "--checkpoint",
        root,
        "--deposit",
        "2",
    ])?;
    let session = opened["session"].as_str().context("no session")?;
    let committee = opened["committee"].as_array().context("no committee")?;
    let committee = committee.iter().filter_map(|o| o.as_str().map(Into::into));
    Ok((session.into(), committee.collect()))
}

/// Asks in it, and says what came back.
pub fn ask(network: &Network, session: &str, prompt: &str, seed: &str) -> Result<Value> {
    let journal = network.folder().join("client-sessions");
    let (journal, blobs) = (
        journal.display().to_string(),
        network.blobs().display().to_string(),
    );
    network.call(&[
        "session",
        "ask",
        session,
        "--key",
        CLIENT_KEY,
        "--prompt",
        prompt,
        "--max-tokens",
        "24",
        "--temperature",
        "0.8",
        "--seed",
        seed,
        "--journal-dir",
        &journal,
        "--blob-dir",
        &blobs,
    ])
}

/// What became of all cases so far.
pub fn audits(network: &Network) -> Result<Value> {
    Ok(network.call(&["status"])?["audits"].clone())
}

pub fn are_paid(market: &mut Market) -> Result<()> {
    let network = &mut market.network;
    let client = network.address(CLIENT_KEY)?;
    let held = network.balance(&client)?.1;
    let before = audits(network)?;
    let reader = Reader::connect(&network.url())?;
    let mut ledger = Ledger::open(&reader)?;
    // GIVEN a session with a committee
    let (session, committee) = open(network, &market.root)?;
    ensure!(!committee.is_empty(), "nobody was drawn");
    // WHEN the client asks three times
    let mut spent = 0u128;
    for seed in 1..=3u64 {
        let answer = ask(network, &session, "Once upon a time", &seed.to_string())?;
        // THEN an operator of the committee answers at once, with a receipt that was checked
        ensure!(
            answer["text"].as_str().is_some_and(|text| text.len() > 20),
            "no text: {answer}"
        );
        ensure!(answer["operator"] == committee[0].as_str(), "{answer}");
        ensure!(answer["sequence"] == seed, "{answer}");
        ensure!(
            answer["totalMs"].as_f64().is_some_and(|ms| ms < 30_000.0),
            "slow: {answer}"
        );
        spent += planck(&answer["price"])?;
    }
    ensure!(spent > 0, "answers were free");
    // AND the operator settles all of them in a claim that the chain takes
    network.wait_until("the session is settled", SECONDS(90), |network| {
        let shown = network.call(&["session", "show", &session])?;
        Ok(planck(&shown["settled"])? == spent)
    })?;
    // AND auditors replay them, find them valid, and nobody misses a duty
    network.wait_until("the takings are audited", SECONDS(180), |network| {
        let now = audits(network)?;
        Ok(now["valid"].as_u64() > before["valid"].as_u64())
    })?;
    let now = audits(network)?;
    for field in ["caught", "undecided", "stageTwo", "abstained"] {
        ensure!(now[field] == before[field], "{field}: {before} -> {now}");
    }
    // AND after the close window the rest of the deposit returns
    network.call(&["session", "close", &session, "--key", CLIENT_KEY])?;
    network.wait_until("the session is over", SECONDS(120), |network| {
        let left = network.call(&["session", "list", "--client", &client])?;
        Ok(left.as_array().is_some_and(Vec::is_empty))
    })?;
    ensure!(
        network.balance(&client)?.1 == held,
        "something stayed on hold"
    );
    // AND every balance that moved is explained to the planck
    ledger.catch_up()?;
    let (client, operators) = parties(network)?;
    let table = ledger.table(&client, &operators, spent)?;
    ensure!(table.price == spent && table.forfeited > 0, "{table:?}");
    Ok(())
}

pub fn survive_a_crash(market: &mut Market) -> Result<()> {
    let network = &mut market.network;
    // GIVEN a session with an answer that is not settled
    let (session, committee) = open(network, &market.root)?;
    let first = ask(network, &session, "The old bridge", "5")?;
    let primary = committee.first().context("nobody was drawn")?;
    let mut index = None;
    for (at, worker) in network.workers.iter().enumerate() {
        if network.address(&worker.operator.key)? == *primary {
            index = Some(at);
        }
    }
    let index = index.context("the primary is none of ours")?;
    // WHEN its executor is killed and starts again
    network.kill_worker(index);
    network.restart_worker(index, None)?;
    // THEN it goes on behind what it had answered, and settles both
    let mut answered = None;
    network.wait_until("the executor serves again", SECONDS(60), |network| {
        answered = ask(network, &session, "The old bridge", "6").ok();
        Ok(answered.is_some())
    })?;
    let second = answered.context("no answer")?;
    let mut due = planck(&first["price"])?;
    if second["operator"] == first["operator"] {
        ensure!(second["sequence"] == 2, "{second}");
        due += planck(&second["price"])?;
    }
    network.wait_until("the session is settled", SECONDS(90), |network| {
        let shown = network.call(&["session", "show", &session])?;
        let channels = shown["channels"].as_array().cloned().unwrap_or_default();
        let of = channels.iter().find(|c| c["operator"] == primary.as_str());
        Ok(planck(&of.context("no channel")?["settled"])? == due)
    })?;
    network.call(&["session", "close", &session, "--key", CLIENT_KEY])?;
    Ok(())
}
