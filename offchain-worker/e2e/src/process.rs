//! A child process with a log file, killed when dropped.

use anyhow::{bail, Context, Result};
use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running program. Its output goes to a file.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, appending its output to `log`.
    pub fn spawn(name: &str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        Ok(Self {
            name: name.to_string(),
            child,
            log,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Everything it has printed.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit code, if it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        self.child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| status.code().unwrap_or(-1))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the log contains `text`. An error when it ends first, or after `limit`.
    pub fn wait_for_output(&mut self, text: &str, limit: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            if self.output().contains(text) {
                return Ok(());
            }
            if let Some(code) = self.ended() {
                bail!(
                    "{} ended with code {code}:\n{}",
                    self.name,
                    tail(&self.output(), 30)
                );
            }
            if start.elapsed() > limit {
                bail!(
                    "{} did not print '{text}' within {limit:?}:\n{}",
                    self.name,
                    tail(&self.output(), 30)
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A TCP port on loopback that nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The folder of the built programs: where the running one lies, or its parent for a test.
pub fn program(name: &str) -> Result<PathBuf> {
    let mut folder = std::env::current_exe()?;
    while folder.pop() {
        let candidate = folder.join(name);
        if candidate.is_file() {
            return Ok(candidate);
        }
        if folder
            .file_name()
            .is_some_and(|f| f == "debug" || f == "release")
        {
            break;
        }
    }
    bail!("{name} is not built: run `cargo build -p chasqui-node -p chasqui-worker` first")
}
