//! What this validator's audits of a run found of each member whose bits are others': the limits on drift hold over all
//! of a run, so that small steps in one direction add up.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context, Result};
use chasqui_training::diloco::judge::{Drift, Part};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;

/// A folder with one small file a member and run.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    /// One at a time changes a file.
    writing: Mutex<()>,
}

/// A [`Drift`] on disk: bits of apart and moved, of weights, first and second moments.
#[derive(Clone, Copy, Encode, Decode)]
struct Stored([u64; 6]);

impl From<Drift> for Stored {
    fn from(drift: Drift) -> Self {
        let Drift {
            params,
            first,
            second,
        } = drift;
        let values = [
            params.apart,
            params.moved,
            first.apart,
            first.moved,
            second.apart,
            second.moved,
        ];
        Self(values.map(f64::to_bits))
    }
}

impl From<Stored> for Drift {
    fn from(Stored(bits): Stored) -> Self {
        let [a, b, c, d, e, f] = bits.map(f64::from_bits);
        let part = |apart, moved| Part { apart, moved };
        Self {
            params: part(a, b),
            first: part(c, d),
            second: part(e, f),
        }
    }
}

impl Ledger {
    /// Opens (creates) the folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        Ok(Self {
            folder,
            writing: Mutex::new(()),
        })
    }

    fn path(&self, run: &H256, member: &[u8; 32]) -> PathBuf {
        let name = format!("{}-{}", hex::encode(run.as_bytes()), hex::encode(member));
        self.folder.join(format!("{name}.drift"))
    }

    fn read(&self, run: &H256, member: &[u8; 32]) -> Result<BTreeMap<u32, Stored>> {
        let path = self.path(run, member);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        BTreeMap::decode_all(&mut bytes.as_slice()).with_context(|| {
            format!(
                "{} is damaged: delete it, and this member's drift is counted from zero",
                path.display()
            )
        })
    }

    /// What audits of rounds before `round` found of a member.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn before(&self, run: &H256, member: &[u8; 32], round: u32) -> Result<Drift> {
        let rounds = self.read(run, member)?;
        let earlier = rounds
            .range(..round)
            .map(|(_, stored)| Drift::from(*stored));
        Ok(earlier.fold(Drift::default(), Drift::plus))
    }

    /// Notes what the audit of a round found; noting it again changes nothing.
    ///
    /// # Errors
    /// The disk refuses, or what is there is damaged.
    pub fn note(&self, run: &H256, member: &[u8; 32], round: u32, drift: Drift) -> Result<()> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rounds = self.read(run, member)?;
        rounds.insert(round, drift.into());
        let path = self.path(run, member);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&rounds.encode())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            fs::File::open(&self.folder)?.sync_all()
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    /// Forgets a run that is over.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn forget(&self, run: &H256) -> Result<()> {
        let prefix = hex::encode(run.as_bytes());
        let failed = || format!("clearing {}", self.folder.display());
        for entry in fs::read_dir(&self.folder).with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| name.starts_with(&prefix)) {
                fs::remove_file(&path).with_context(failed)?;
            }
        }
        Ok(())
    }
}
