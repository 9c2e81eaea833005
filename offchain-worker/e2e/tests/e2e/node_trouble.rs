//! A node that is not there, or is another chain's.

use crate::Market;
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
