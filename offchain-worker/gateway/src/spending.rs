//! The day's spending in a file, so that a restart does not begin the budgets anew.
//!
//! The file holds the day (since 1970, UTC) and planck by key: `{"day": 20000, "spent": {"alice": "42"}}`. It is
//! written within a second of a charge and at the end, as a whole: write, fsync, rename.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::PoisonError;

use chasqui_primitives::Balance;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyError, Keyring};

/// Largest file that is read, in bytes: more than the most keys take.
const MAX_BYTES: u64 = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    day: u64,
    spent: BTreeMap<String, String>,
}

impl Keyring {
    /// Takes over what the file at `path` says of today, and keeps it up to date from now on. A file that is not
    /// there yet is made.
    ///
    /// # Errors
    /// The file cannot be read or written, or is damaged.
    pub fn keep_spending(mut self, path: &Path) -> Result<Self, KeyError> {
        let read = |source| KeyError::Read {
            path: path.to_path_buf(),
            source,
        };
        let mut bytes = Vec::new();
        match std::fs::File::open(path) {
            Ok(file) => {
                file.take(MAX_BYTES + 1)
                    .read_to_end(&mut bytes)
                    .map_err(read)?;
                let file = parse(&bytes).map_err(|reason| KeyError::File {
                    path: path.to_path_buf(),
                    reason: format!("{reason}; delete the file to begin the day's budgets anew"),
                })?;
                for key in self.keys() {
                    if let Some(planck) = file.1.get(&key.name) {
                        key.resume(file.0, *planck);
                    }
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(read(error)),
        }
        self.spending = Some(path.to_path_buf());
        // A folder that cannot be written to is found now, not after the first charge.
        self.save_spending()?;
        Ok(self)
    }

    /// Writes the file if something was charged since the last time. Blocks.
    ///
    /// # Errors
    /// It cannot be written; it will be tried again.
    pub fn save_if_charged(&self) -> Result<(), KeyError> {
        // Who saves at the end must not overtake who is still writing.
        let _turn = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken back first: a charge during the writing is one for the next time.
        if !self.charged.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        self.save_spending().inspect_err(|_| {
            self.charged.store(true, Ordering::Release);
        })
    }

    fn save_spending(&self) -> Result<(), KeyError> {
        let Some(path) = &self.spending else {
            return Ok(());
        };
        let day = crate::keys::today();
        let spent = self
            .keys()
            .iter()
            .map(|key| (key.name.clone(), key.spent()));
        let file = File {
            day,
            spent: spent
                .filter(|(_, planck)| *planck > 0)
                .map(|(name, planck)| (name, planck.to_string()))
                .collect(),
        };
        let write = || {
            let mut name = path.as_os_str().to_owned();
            name.push(".new");
            let mut new = std::fs::File::create(&name)?;
            new.write_all(&serde_json::to_vec(&file)?)?;
            new.sync_all()?;
            std::fs::rename(&name, path)
        };
        write().map_err(|source| KeyError::Write {
            path: path.clone(),
            source,
        })
    }
}

/// The day, and planck by name.
fn parse(bytes: &[u8]) -> Result<(u64, BTreeMap<String, Balance>), String> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("has more than {MAX_BYTES} bytes"));
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let spent = file.spent.into_iter().map(|(name, planck)| {
        let planck = planck.parse();
        let planck = planck.map_err(|_| format!("the amount of '{name}' is no number of planck"));
        planck.map(|planck| (name, planck))
    });
    Ok((file.day, spent.collect::<Result<_, _>>()?))
}
