//! A hot key without money: said clearly, with the remedy, and nothing is lost.

use crate::{false_alarm::worker_of, Market};
use anyhow::{ensure, Result};
use chasqui_e2e::{
    scenes::{events, planck},
    Network, Operator,
};
use serde_json::Value;
use std::time::Duration;

/// What stays on an account that is emptied, in planck: the existential deposit, which pays for nothing.
const LEFT: u128 = 100_000_000;

/// Sends everything away that a hot key holds.
fn empty(network: &Network, hot_key: &str) -> Result<()> {
    let to = network.address("//Alice")?;
    network.call(&[
        "account", "transfer", "--key", hot_key, "--to", &to, "--all",
    ])?;
    let (free, _) = network.balance(&network.address(hot_key)?)?;
    ensure!(free == LEFT, "{free} planck are left");
    Ok(())
}

fn status(network: &Network, operator: &Operator) -> Result<Value> {
    let config = network.worker_config(operator)?.display().to_string();
    network.worker(&["status", "--config", &config, "--json"])
}

pub fn are_missed(market: &mut Market) -> Result<()> {
    // GIVEN both compute workers' hot keys without money for a fee
    let mut poor = Vec::new();
    for name in ["bob", "charlie"] {
        let index = worker_of(market, name)?;
        let operator = market.network.workers[index].operator.clone();
        empty(&market.network, &operator.hot_key())?;
        let bond = market.network.operator(&operator)?["bond"].clone();
        poor.push((index, operator, bond));
    }
    // THEN each worker's log and status name the account and the remedy
    for (index, operator, _) in &poor {
        let address = market.network.address(&operator.hot_key())?;
        let remedy = format!("account transfer --to {address}");
        let process = &mut market.network.workers[*index].process;
        process.wait_for_output(&remedy, Duration::from_secs(60))?;
        let status = status(&market.network, operator)?;
        ensure!(planck(&status["hotKeyFree"])? == LEFT, "{status}");
        let warning = status["warnings"][0].as_str().unwrap_or_default();
        ensure!(warning.contains(&remedy), "{status}");
    }
    // WHEN a job is drawn for one of them, which cannot even acknowledge it
    let job = market
        .network
        .submit(&market.root, "The well", &["--max-tokens", "8"])?;
    market.network.wait_until(
        "a worker is refused for want of funds",
        Duration::from_secs(60),
        |network| {
            let refused = "Jobs.acknowledge was not accepted";
            Ok(poor
                .iter()
                .any(|(index, ..)| network.workers[*index].process.output().contains(refused)))
        },
    )?;
    // AND money comes
    for (_, operator, _) in &poor {
        market.network.fund(&operator.hot_key(), "1")?;
    }
    // THEN it goes on, and the job is computed and paid, in time and by whom it was drawn for
    let report = market.network.watch(job, 150)?;
    ensure!(
        report["outcome"] == "settled",
        "{} {}",
        report["outcome"],
        report["explanation"]
    );
    for event in ["DeadlineMissed", "Refused"] {
        ensure!(events(&report, "Jobs", event).is_empty(), "{event}");
    }
    // AND nothing is lost: the bonds are whole, and nothing is left to warn of
    for (index, operator, bond) in &poor {
        ensure!(
            market.network.operator(operator)?["bond"] == *bond,
            "{} lost some of its bond",
            operator.name
        );
        let process = &mut market.network.workers[*index].process;
        process.wait_for_output("can pay again", Duration::from_secs(60))?;
        let status = status(&market.network, operator)?;
        ensure!(status["warnings"] == serde_json::json!([]), "{status}");
    }
    Ok(())
}
