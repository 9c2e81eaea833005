//! An engine in a process of its own, so that neither memory nor threads of two engines mix: the
//! child's side and the parent's. They speak JSON, one line each way.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{bail, Context, Result};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::case::Precision;

/// What the child says once the model is loaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Loaded {
    /// Seconds that it took.
    pub seconds: f64,
    /// How the engine says it computes, where it says.
    pub description: Option<String>,
}

/// The child's side: says that it is ready, then answers one request a line until its input ends.
///
/// # Errors
/// The first of `answer`, or a broken pipe.
pub fn serve<Q: DeserializeOwned, A: Serialize>(
    loaded: Loaded,
    mut answer: impl FnMut(Q) -> Result<A>,
) -> Result<()> {
    say(&loaded)?;
    for line in std::io::stdin().lock().lines() {
        say(&answer(serde_json::from_str(&line?)?)?)?;
    }
    Ok(())
}

fn say(message: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}

/// The word for `value` on a command line.
pub fn argument(value: impl ValueEnum) -> Result<String> {
    let value = value
        .to_possible_value()
        .context("a value without a name")?;
    Ok(value.get_name().to_string())
}

/// The parent's hold on a child. The child ends with it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// What the child said when it was ready.
    pub loaded: Loaded,
}

impl Process {
    /// Starts this program in the mode that `mode` names, for the model at `path`, and waits until
    /// it is loaded. `name` stands in errors.
    ///
    /// # Errors
    /// The child does not start or cannot load; its own message stands on the error stream.
    pub fn start(
        name: String,
        mode: &[String],
        path: &Path,
        precision: Precision,
        threads: usize,
    ) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(mode)
            .args(["--precision", &argument(precision)?])
            .args(["--threads", &threads.to_string()])
            .arg("--model")
            .arg(path)
            // Every library that sizes its pool by a variable gets the same number.
            .env("RAYON_NUM_THREADS", threads.to_string())
            .env_remove("CANDLE_NUM_THREADS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start a process for {name}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("the child has no output")?;
        let mut stdout = BufReader::new(stdout);
        let loaded = hear(&name, &mut child, &mut stdout)?;
        Ok(Self {
            name,
            child,
            stdin,
            stdout,
            loaded,
        })
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// The child ended; its own message stands on the error stream.
    pub fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> Result<A> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        let stdin = self.stdin.as_mut().context("the child has no input")?;
        stdin
            .write_all(&line)
            .with_context(|| format!("{} is gone", self.name))?;
        hear(&self.name, &mut self.child, &mut self.stdout)
    }
}

fn hear<T: DeserializeOwned>(
    name: &str,
    child: &mut Child,
    stdout: &mut BufReader<ChildStdout>,
) -> Result<T> {
    let mut line = String::new();
    if stdout.read_line(&mut line)? == 0 {
        let status = child.wait()?;
        bail!("{name} ended early ({status})");
    }
    serde_json::from_str(&line).with_context(|| format!("{name} said {line:?}"))
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input is the child's sign to go.
        self.stdin = None;
        let _ = self.child.wait();
    }
}
