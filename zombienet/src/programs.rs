//! The programs that take part, and how they are found.

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// What the relay chain runs.
const RELAY: [&str; 3] = [
    "polkadot",
    "polkadot-prepare-worker",
    "polkadot-execute-worker",
];

/// Where the programs lie.
pub struct Programs {
    /// A node with the feature `collator`.
    pub node: PathBuf,
    worker: PathBuf,
    demo: PathBuf,
    /// The runtime that the chain is upgraded to.
    pub next_runtime: PathBuf,
}

impl Programs {
    /// Finds them by the environment: `CHASQUI_COLLATOR_BIN` names the folder of chasqui-node, `CHASQUI_BIN` that of
    /// chasqui-worker and chasqui-demo, `CHASQUI_NEXT_RUNTIME` a file, and `CHASQUI_RELAY_BIN` the folder of the relay
    /// chain's programs, where they do not lie in PATH.
    pub fn find() -> Result<Self> {
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(folder) = std::env::var_os("CHASQUI_RELAY_BIN") {
            let folders =
                std::iter::once(PathBuf::from(folder)).chain(std::env::split_paths(&path));
            path = std::env::join_paths(folders.collect::<Vec<_>>())?;
            std::env::set_var("PATH", &path);
        }
        for program in RELAY {
            ensure!(
                std::env::split_paths(&path).any(|folder| folder.join(program).is_file()),
                "no '{program}' in PATH: name the folder of the relay chain's programs in CHASQUI_RELAY_BIN"
            );
        }
        let collator = folder("CHASQUI_COLLATOR_BIN")?;
        let rest = folder("CHASQUI_BIN")?;
        Ok(Self {
            node: file(collator.join("chasqui-node"))?,
            worker: file(rest.join("chasqui-worker"))?,
            demo: file(rest.join("chasqui-demo"))?,
            next_runtime: file(PathBuf::from(
                std::env::var_os("CHASQUI_NEXT_RUNTIME")
                    .context("CHASQUI_NEXT_RUNTIME is not set")?,
            ))?,
        })
    }

    /// Writes the raw chain specification of two collators.
    pub async fn export_chain_spec(&self, file: &Path) -> Result<()> {
        let status = Command::new(&self.node)
            .args([
                "export-chain-spec",
                "--chain",
                "collators",
                "--raw",
                "--output",
            ])
            .arg(file)
            .status()
            .await?;
        ensure!(status.success(), "export-chain-spec failed: {status}");
        Ok(())
    }

    /// Runs a command of the worker against a node; the JSON it prints.
    pub async fn worker(&self, node: &str, arguments: &[&str]) -> Result<Value> {
        let output = Command::new(&self.worker)
            .args(arguments)
            .args(["--node", node, "--json"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let out = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(out.trim()).with_context(|| {
            format!(
                "chasqui-worker {} printed no JSON ({}):\n{}{out}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// Starts operators on these nodes and lets a client pay them for a job. They go on working afterwards.
    pub async fn demo(&self, nodes: &[&str], folder: &Path, limit: Duration) -> Result<Demo> {
        let json = folder.join("market.json");
        let log = folder.join("demo.log");
        let mut command = Command::new(&self.demo);
        command.args(["elsewhere", "--json"]).arg(&json);
        for node in nodes {
            command.args(["--node", node]);
        }
        let out = std::fs::File::create(&log)?;
        let mut process = command
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", self.demo.display()))?;
        let start = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(&json) {
                let report = serde_json::from_str(&text)?;
                return Ok(Demo { process, report });
            }
            if let Some(status) = process.try_wait()? {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("the demo ended with {status}:\n{said}");
            }
            if start.elapsed() > limit {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("no paid job within {limit:?}:\n{said}");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Operators at work, and what their first job came to.
pub struct Demo {
    process: Child,
    /// As `scripts/demo` writes it.
    pub report: Value,
}

impl Demo {
    /// Stops the operators as a person would, so that they stop what they started.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(id) = self.process.id() {
            Command::new("kill").arg(id.to_string()).status().await?;
        }
        tokio::time::timeout(Duration::from_secs(30), self.process.wait())
            .await
            .context("the demo does not stop")??;
        Ok(())
    }
}

fn folder(variable: &str) -> Result<PathBuf> {
    let value = std::env::var_os(variable).with_context(|| {
        format!("{variable} is not set: `scripts/test collator` builds what is needed and sets it")
    })?;
    Ok(PathBuf::from(value))
}

fn file(path: PathBuf) -> Result<PathBuf> {
    ensure!(path.is_file(), "no file {}", path.display());
    Ok(path)
}
