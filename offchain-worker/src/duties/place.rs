//! How far the chain was read, on disk: a restarted worker reads on from there, reports what happened meanwhile, and
//! notices a node that serves another chain. Duties do not hang on it: they are read from state.

use anyhow::{bail, Context, Result};
use chasqui_chain::{Trail, H256};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

const FILE: &str = "blocks-seen.json";
/// A whole trail takes 7 KiB.
const MAX_FILE_BYTES: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    genesis: H256,
    blocks: Trail,
}

/// The file.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// The one in this state folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was seen of the chain with this genesis; `None` where nothing was, or where the file is damaged (which
    /// costs no more than the report). An error when the folder belongs to another chain.
    pub fn read(&self, genesis: H256) -> Result<Option<Trail>> {
        let text = match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Ok(file) if file.len() <= MAX_FILE_BYTES => fs::read_to_string(&self.path),
            Ok(_) => Err(ErrorKind::FileTooLarge.into()),
            Err(error) => Err(error),
        };
        let stored = text
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        let stored: Stored = match stored {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(file = %self.path.display(), error,
                    "unreadable: reading the chain from its newest block on");
                return Ok(None);
            }
        };
        if stored.genesis != genesis {
            bail!(
                "{} is of another chain: its genesis is {:?}, the node's is {genesis:?}; give this chain a `state_dir` \
                 of its own, or delete the file if the other chain is gone for good",
                self.path.display(),
                stored.genesis
            );
        }
        Ok(Some(stored.blocks))
    }

    /// Writes what was seen, wholly or not at all.
    pub fn write(&self, genesis: H256, trail: &Trail) -> Result<()> {
        let stored = Stored {
            genesis,
            blocks: trail.clone(),
        };
        let draft = self.path.with_extension("part");
        fs::write(&draft, serde_json::to_vec(&stored)?)
            .and_then(|()| fs::rename(&draft, &self.path))
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chasqui_chain::BlockId;

    fn trail() -> Trail {
        let block = |number| BlockId {
            number,
            hash: H256::repeat_byte(number as u8),
        };
        Trail::new(Some(block(1)), block(9))
    }

    #[test]
    fn a_place_survives_a_restart() -> Result<()> {
        // GIVEN a folder in which nothing was seen yet
        let folder = tempfile::tempdir()?;
        let place = Place::in_folder(folder.path());
        assert_eq!(place.read(H256::zero())?, None);
        // WHEN a place is written twice THEN the folder knows it, and nothing else lies there
        place.write(H256::zero(), &trail())?;
        place.write(H256::zero(), &trail())?;
        assert_eq!(
            Place::in_folder(folder.path()).read(H256::zero())?,
            Some(trail())
        );
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn a_damaged_file_costs_the_report_only() -> Result<()> {
        // GIVEN files that are torn, empty, not ours, or far too long
        let folder = tempfile::tempdir()?;
        let place = Place::in_folder(folder.path());
        place.write(H256::zero(), &trail())?;
        let whole = fs::read_to_string(place.path())?;
        let long = " ".repeat(MAX_FILE_BYTES as usize + 1);
        let unordered = whole.replace("\"number\":9", "\"number\":1");
        assert_ne!(unordered, whole);
        for text in [&whole[..whole.len() / 2], "", "[]", &long, &unordered] {
            fs::write(place.path(), text)?;
            // WHEN they are read THEN there is no place, and no error
            assert_eq!(place.read(H256::zero())?, None);
        }
        Ok(())
    }

    #[test]
    fn a_folder_of_another_chain_is_refused() -> Result<()> {
        // GIVEN a folder that has followed a chain
        let folder = tempfile::tempdir()?;
        let place = Place::in_folder(folder.path());
        place.write(H256::repeat_byte(1), &trail())?;
        // WHEN the node serves another THEN the error names the file and the remedy
        let Err(error) = place.read(H256::repeat_byte(2)) else {
            bail!("the folder of another chain was taken");
        };
        let error = error.to_string();
        assert!(
            error.contains(FILE) && error.contains("state_dir"),
            "{error}"
        );
        Ok(())
    }
}
