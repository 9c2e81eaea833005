//! Ctrl-C, SIGTERM and a closed terminal: noticed here, asked for in every waiting loop, so that whoever started
//! processes and folders unwinds, stops the ones and removes the others.

use anyhow::{Context, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};
use std::{
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc, LazyLock,
    },
    thread::sleep,
    time::{Duration, Instant},
};

/// The signal that came, 0 before one has.
static CAME: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// How often a sleeper looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A signal asked the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted(pub i32);

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            SIGINT => "SIGINT (Ctrl-C)",
            SIGTERM => "SIGTERM",
            SIGHUP => "SIGHUP",
            _ => "a signal",
        };
        write!(f, "stopped by {name}")
    }
}

impl std::error::Error for Interrupted {}

impl Interrupted {
    /// The exit status that a shell expects: 128 and the signal's number.
    pub fn status(&self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(u8::MAX)
    }
}

/// From now on a signal sets a flag instead of ending the program; a second one ends it at once.
///
/// # Errors
/// The operating system refuses a handler.
pub fn watch() -> Result<()> {
    let second = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the first signal finds the flag unset, the second finds it set.
        flag::register_conditional_shutdown(signal, 128 + signal, second.clone())
            .and_then(|_| flag::register(signal, second.clone()))
            .and_then(|_| flag::register_usize(signal, CAME.clone(), signal as usize))
            .with_context(|| format!("catching signal {signal}"))?;
    }
    Ok(())
}

/// The signal that came, if one has.
pub fn came() -> Option<Interrupted> {
    match CAME.load(Ordering::SeqCst) {
        0 => None,
        signal => i32::try_from(signal).ok().map(Interrupted),
    }
}

/// An error once a signal has come.
///
/// # Errors
/// [`Interrupted`].
pub fn check() -> Result<(), Interrupted> {
    came().map_or(Ok(()), Err)
}

/// Sleeps, unless a signal comes.
///
/// # Errors
/// [`Interrupted`].
pub fn pause(duration: Duration) -> Result<(), Interrupted> {
    let start = Instant::now();
    loop {
        check()?;
        let left = duration.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        sleep(left.min(LOOK_EVERY));
    }
}
