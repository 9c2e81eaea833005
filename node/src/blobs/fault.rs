//! Faults for tests: what a bad peer would do. Chosen by the hidden option `--blob-fault`; never on by default, and every
//! start with one says so in the log.

use std::{
    io,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
};

/// One way to be a bad peer, or to have a bad disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Changes a byte of every chunk it hands out.
    Lie,
    /// Announces whatever others announce, and has none of it.
    Boast,
    /// Takes requests and never answers.
    Stall,
    /// Ends the process when it has handed out so many chunks.
    DieAfter(u64),
    /// Finds its disk full when so many chunks of a fetch are written.
    DiskFullAfter(u64),
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!("'{text}' is no fault: expected lie, boast, stall, die-after:N or disk-full-after:N")
        };
        let number = |text: &str| text.parse().map_err(|_| unknown());
        match (text, text.split_once(':')) {
            ("lie", _) => Ok(Self::Lie),
            ("boast", _) => Ok(Self::Boast),
            ("stall", _) => Ok(Self::Stall),
            (_, Some(("die-after", count))) => number(count).map(Self::DieAfter),
            (_, Some(("disk-full-after", count))) => number(count).map(Self::DiskFullAfter),
            _ => Err(unknown()),
        }
    }
}

/// A fault at work.
#[derive(Debug, Default)]
pub struct Fault {
    kind: Option<Kind>,
    count: AtomicU64,
}

impl Fault {
    /// The fault `kind`, or none.
    pub fn new(kind: Option<Kind>) -> Self {
        if let Some(kind) = kind {
            log::warn!(target: "blobs", "test fault: {kind:?}");
        }
        Self {
            kind,
            count: AtomicU64::new(0),
        }
    }

    /// Whether requests are left without an answer.
    pub fn stalls(&self) -> bool {
        self.kind == Some(Kind::Stall)
    }

    /// Whether it announces what it lacks.
    pub fn boasts(&self) -> bool {
        self.kind == Some(Kind::Boast)
    }

    /// A chunk on its way out.
    pub fn hand_out(&self, bytes: &mut [u8]) {
        match self.kind {
            Some(Kind::Lie) => {
                if let Some(byte) = bytes.first_mut() {
                    *byte ^= 1;
                }
            }
            Some(Kind::DieAfter(most)) if self.count.fetch_add(1, Ordering::Relaxed) >= most => {
                std::process::exit(137)
            }
            _ => {}
        }
    }

    /// A chunk on its way to the disk.
    pub fn write(&self) -> io::Result<()> {
        match self.kind {
            Some(Kind::DiskFullAfter(most))
                if self.count.fetch_add(1, Ordering::Relaxed) >= most =>
            {
                // ENOSPC, as the operating system words it.
                Err(io::Error::from_raw_os_error(28))
            }
            _ => Ok(()),
        }
    }
}
