//! A gateway as a process of its own.

use crate::{
    interrupt,
    process::{program, tail, Process},
    Network,
};
use anyhow::{bail, Context, Result};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// How long a gateway may take to serve: it may have to wait for committees.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How a gateway over sessions is opened.
#[derive(Clone, Debug)]
pub struct Funds<'a> {
    /// Secret URI of who pays.
    pub key: &'a str,
    /// The checkpoint.
    pub root: &'a str,
    /// Deposit of each session, in DOT.
    pub deposit: &'a str,
    /// All that the gateway may put down, in DOT.
    pub budget: &'a str,
    pub sessions: usize,
}

/// A gateway that serves on a free port of this machine, without keys.
pub struct Gateway {
    process: Process,
    /// `http://…/v1`.
    pub base_url: String,
    /// The models that it serves, by name.
    pub models: Vec<String>,
}

impl Gateway {
    /// Over a model on this machine.
    pub fn local(folder: &Path, model: &Path) -> Result<Self> {
        let mut command = Command::new(program("chasqui-worker")?);
        command.args(["gateway", "--model"]).arg(model);
        Self::spawn(command, folder.join("gateway-local.log"))
    }

    /// Over sessions of this network. Its journals stay in the network's folder.
    pub fn over_sessions(network: &Network, funds: &Funds<'_>) -> Result<Self> {
        Self::over_sessions_with(network, funds, &[])
    }

    /// As [`Self::over_sessions`], with further options of the command.
    pub fn over_sessions_with(
        network: &Network,
        funds: &Funds<'_>,
        extra: &[&str],
    ) -> Result<Self> {
        let key = network.key_file("gateway", "key", funds.key)?;
        let mut command = Command::new(program("chasqui-worker")?);
        command
            .args(["gateway", "--node", &network.url(), "--key-file", &key])
            .args(["--checkpoint", funds.root])
            .args(["--deposit", funds.deposit, "--budget", funds.budget])
            .args(["--sessions", &funds.sessions.to_string()])
            .arg("--journal-dir")
            .arg(Self::journals(network))
            .arg("--blob-dir")
            .arg(network.blobs())
            .args(extra);
        Self::spawn(command, network.folder().join("gateway.log"))
    }

    /// Where a gateway over sessions writes down what it signed.
    pub fn journals(network: &Network) -> PathBuf {
        network.folder().join("gateway-sessions")
    }

    fn spawn(mut command: Command, log: PathBuf) -> Result<Self> {
        command.args(["--listen", "127.0.0.1:0", "--open", "--json"]);
        let mut process = Process::spawn("gateway", &mut command, log)?;
        process.wait_for_output("\"base_url\"", START_LIMIT)?;
        let output = process.output();
        let said = output
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["base_url"].is_string())
            .context("the gateway told no address")?;
        let models = said["models"].as_array().cloned().unwrap_or_default();
        Ok(Self {
            base_url: said["base_url"].as_str().unwrap_or_default().to_string(),
            models: models
                .iter()
                .filter_map(|model| model.as_str().map(str::to_string))
                .collect(),
            process,
        })
    }

    /// Its first model.
    pub fn model(&self) -> Result<&str> {
        let first = self.models.first().context("the gateway serves no model")?;
        Ok(first)
    }

    /// Where the live page is.
    pub fn page(&self) -> String {
        format!("{}/", self.base_url.trim_end_matches("/v1"))
    }

    /// The end of its log.
    pub fn log(&self, lines: usize) -> String {
        tail(&self.process.output(), lines)
    }

    /// Tells it to stop and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(id.context("no process")?, Signal::TERM)?;
        let start = Instant::now();
        loop {
            match self.process.ended() {
                Some(0) => return Ok(()),
                Some(code) => bail!("the gateway ended with code {code}:\n{}", self.log(20)),
                None if start.elapsed() > STOP_LIMIT => {
                    bail!("the gateway did not stop:\n{}", self.log(20))
                }
                None => interrupt::pause(Duration::from_millis(100))?,
            }
        }
    }
}
