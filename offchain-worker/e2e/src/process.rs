//! A child process with a log file, killed when dropped, and by the kernel when this program is killed.

use crate::interrupt;
use anyhow::{bail, Context, Result};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
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
    /// Length of the log when it started: what earlier processes of that name wrote.
    before: u64,
}

impl Process {
    /// Starts `command`, appending its output to `log`.
    pub fn spawn(name: &str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("opening {}", log.display()))?;
        let before = out
            .metadata()
            .with_context(|| format!("inspecting {}", log.display()))?
            .len();
        let child = tied(command)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("starting {name}: {command:?}"))?;
        Ok(Self {
            name: name.to_string(),
            child,
            log,
            before,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Everything it has printed, without what earlier processes wrote to the same log.
    pub fn output(&self) -> String {
        self.read_log(self.before).unwrap_or_default()
    }

    /// The whole log, earlier processes included.
    pub fn history(&self) -> String {
        self.read_log(0).unwrap_or_default()
    }

    fn read_log(&self, from: u64) -> std::io::Result<String> {
        let mut log = File::open(&self.log)?;
        log.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        // A line that is being written may end within a character.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
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
            interrupt::pause(Duration::from_millis(100))?;
        }
    }
}

/// Has the kernel kill the process of `command` when the thread that starts it is gone: a driver that is itself killed
/// with `kill -9` leaves nothing behind. So start it from a thread that lives as long as the driver. Linux only;
/// elsewhere nothing follows a killed driver.
pub fn tied(command: &mut Command) -> &mut Command {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpid, getppid, set_parent_process_death_signal, Signal};
        use std::os::unix::process::CommandExt;
        let parent = getpid();
        let tie = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The driver may have ended before this line.
            match getppid() == Some(parent) {
                true => Ok(()),
                false => Err(std::io::ErrorKind::BrokenPipe.into()),
            }
        };
        // SAFETY: between fork and exec the closure makes two system calls and neither allocates nor locks.
        unsafe { command.pre_exec(tie) };
    }
    command
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

/// A built program: in the folder that `CHASQUI_BIN` names, else where the running one lies, or its parent for a test.
pub fn program(name: &str) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("CHASQUI_BIN") {
        let path = PathBuf::from(folder).join(name);
        return match path.is_file() {
            true => Ok(path),
            false => bail!("CHASQUI_BIN: there is no {}", path.display()),
        };
    }
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
    bail!("{name} is not built: run `scripts/demo`, or name the folder that has it by CHASQUI_BIN")
}
