//! A node that is not there, comes late, or is another chain's.

use crate::{false_alarm::worker_of, Market};
use anyhow::{ensure, Result};
use chasqui_e2e::{process::free_port, Operator, Process};
use std::{process::Command, time::Duration};

pub fn unreachable(market: &mut Market) -> Result<()> {
    // GIVEN nobody listening WHEN a command asks THEN the error names the address and the remedy
    let url = format!("ws://127.0.0.1:{}", free_port()?);
    let (code, _, err) = market.network.worker_raw(&["status", "--node", &url])?;
    ensure!(
        code != 0 && err.contains(&url) && err.contains("chasqui-node"),
        "{err}"
    );
    Ok(())
}

pub fn late(market: &mut Market) -> Result<()> {
    // GIVEN a node that is down, and workers that are started all the same
    let url = market.network.url();
    let names = ["bob", "charlie", "dave"];
    for name in names {
        let index = worker_of(market, name)?;
        market.network.kill_worker(index);
    }
    market.network.kill_node();
    for name in names {
        let index = worker_of(market, name)?;
        market.network.restart_worker(index, Some(&[]))?;
        let process = &mut market.network.workers[index].process;
        process.wait_for_output("waiting for the node", Duration::from_secs(60))?;
        ensure!(process.output().contains(&url), "{}", process.output());
    }
    // WHEN the node comes
    market.network.start_node()?;
    for name in names {
        let index = worker_of(market, name)?;
        let process = &mut market.network.workers[index].process;
        process.wait_for_output("worker started", Duration::from_secs(60))?;
    }
    // THEN they do their duties, as do those that lost it meanwhile: a job is computed and audited
    let report = market.network.job(
        &market.root,
        "The valley",
        &["--max-tokens", "8", "--premium"],
    )?;
    ensure!(
        report["outcome"] == "settled" && report["audited"] == true,
        "{} {}",
        report["outcome"],
        report["reason"]
    );
    Ok(())
}

pub fn other_genesis(market: &mut Market) -> Result<()> {
    // GIVEN a worker configured for another chain WHEN it starts THEN it refuses and says which is which
    let operator = Operator::new("bob", "//Bob", "compute");
    let config = market.network.worker_config(&operator)?;
    let elsewhere = format!("0x{}", "22".repeat(32));
    let text = format!(
        "genesis = \"{elsewhere}\"\n{}",
        std::fs::read_to_string(&config)?
    );
    let wrong = market.network.folder().join("wrong-genesis.toml");
    std::fs::write(&wrong, text)?;
    let mut command = Command::new(chasqui_e2e::process::program("chasqui-worker")?);
    command.arg("run").arg("--config").arg(&wrong);
    let log = market.network.folder().join("wrong-genesis.log");
    let mut process = Process::spawn("a worker of another chain", &mut command, log)?;
    process.wait_for_output("another chain", Duration::from_secs(60))?;
    ensure!(
        process.output().contains(&elsewhere[..10]),
        "{}",
        process.output()
    );
    Ok(())
}
