//! One engine in a process of its own, so that neither memory nor threads of two engines mix: the
//! child's side and the parent's. They speak JSON, one line each way.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{bail, Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::case::{Precision, System};
use crate::machine;
use crate::systems;

/// What the parent asks for.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    prompt: Vec<u32>,
    length: usize,
}

/// What the child says once the model is loaded.
#[derive(Debug, Serialize, Deserialize)]
struct Loaded {
    seconds: f64,
}

/// One run as the parent sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    /// Output tokens.
    pub tokens: Vec<u32>,
    /// Seconds from the request to the first output token.
    pub prefill: f64,
    /// Seconds from the first output token to the last.
    pub decode: f64,
    /// Most memory that the process held so far, in bytes, where the system tells.
    pub peak_memory: Option<u64>,
}

/// The child: loads, then answers one request a line until its input ends.
///
/// # Errors
/// The engine's, or a broken pipe.
pub fn serve(system: System, path: &Path, precision: Precision, threads: usize) -> Result<()> {
    let start = Instant::now();
    let mut runner = systems::load(system, path, precision, threads)?;
    let seconds = start.elapsed().as_secs_f64();
    say(&Loaded { seconds })?;
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let run = runner.run(&request.prompt, request.length)?;
        say(&Reply {
            tokens: run.tokens,
            prefill: run.prefill.as_secs_f64(),
            decode: run.decode.as_secs_f64(),
            peak_memory: machine::peak_memory(),
        })?;
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
fn argument(value: impl ValueEnum) -> Result<String> {
    let value = value
        .to_possible_value()
        .context("a value without a name")?;
    Ok(value.get_name().to_string())
}

/// The parent's hold on a child. It ends with the handle.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Seconds that loading took.
    pub load_seconds: f64,
}

impl Process {
    /// Starts this program as the child for `system` and waits until the model is loaded.
    ///
    /// # Errors
    /// The child does not start or cannot load; its own message stands on the error stream.
    pub fn start(
        system: System,
        path: &Path,
        precision: Precision,
        threads: usize,
    ) -> Result<Self> {
        let name = format!("{} in {}", system.name(), precision.name());
        let mut child = Command::new(std::env::current_exe()?)
            .arg("child")
            .args(["--system", &argument(system)?])
            .args(["--precision", &argument(precision)?])
            .args(["--threads", &threads.to_string()])
            .arg("--model")
            .arg(path)
            .env("RAYON_NUM_THREADS", threads.to_string())
            .env_remove("CANDLE_NUM_THREADS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start a process for {name}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut process = Self {
            name,
            child,
            stdin,
            stdout: BufReader::new(stdout.context("the child has no output")?),
            load_seconds: 0.0,
        };
        let loaded: Loaded = process.hear()?;
        process.load_seconds = loaded.seconds;
        Ok(process)
    }

    /// One generation.
    ///
    /// # Errors
    /// The child ended; its own message stands on the error stream.
    pub fn run(&mut self, prompt: &[u32], length: usize) -> Result<Reply> {
        let mut line = serde_json::to_vec(&Request {
            prompt: prompt.to_vec(),
            length,
        })?;
        line.push(b'\n');
        let stdin = self.stdin.as_mut().context("the child has no input")?;
        stdin
            .write_all(&line)
            .with_context(|| format!("{} is gone", self.name))?;
        self.hear()
    }

    fn hear<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            bail!("{} ended early ({status})", self.name);
        }
        serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input is the child's sign to go.
        self.stdin = None;
        let _ = self.child.wait();
    }
}
