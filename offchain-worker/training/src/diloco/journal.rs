//! What a state folder remembers: one small file, replaced whole after every segment.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use chasqui_primitives::training::{ModelState, RoundReport, StateLeaf};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

use super::files::write_whole;
use super::plan::RoundPlan;
use crate::error::{Result, TrainingError};

/// First bytes of the file; the version of what follows is in them.
const MAGIC: &[u8; 8] = b"CHQRUN\0\x01";
/// Bytes of the checksum behind them.
const CHECKSUM: usize = 32;
/// Longest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// A member between two rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Settled {
    /// The round that comes next.
    pub round: u32,
    /// The model that it starts from.
    pub model: ModelState,
    /// The last leaf of the member's last accepted round.
    pub own: Option<StateLeaf>,
}

/// A round under way.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Current {
    /// The member's part.
    pub plan: RoundPlan,
    /// Kept states so far.
    pub leaves: Vec<StateLeaf>,
    /// Bits of the sum of the losses of the steps up to the last kept state.
    pub loss_bits: u64,
    /// The report, once the round is trained.
    pub report: Option<RoundReport>,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(super) struct Journal {
    /// The run that the folder belongs to.
    pub run: H256,
    /// Where the member stands, and before it where it stood, the newest last: a challenge may roll rounds back.
    pub settled: Vec<Settled>,
    /// The round under way.
    pub current: Option<Current>,
    /// Blobs of earlier rounds, by round.
    pub kept: Vec<(u32, Vec<H256>)>,
}

impl Journal {
    /// Reads the file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => file
                .take(MAX_BYTES + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| TrainingError::read(path, error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TrainingError::read(path, error)),
        };
        let damaged = |reason: &str| TrainingError::Folder {
            path: path.to_path_buf(),
            reason: format!("{reason}; move the folder away, and join the run anew"),
        };
        let body = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| damaged("is no state of a run, or of another version"))?;
        let (checksum, mut body) = body
            .split_first_chunk::<CHECKSUM>()
            .ok_or_else(|| damaged("is cut"))?;
        if bytes.len() as u64 > MAX_BYTES || blake2_256(body) != *checksum {
            return Err(damaged("is damaged"));
        }
        let journal = Self::decode_all(&mut body).map_err(|_| damaged("does not decode"))?;
        match journal.settled.is_empty() {
            false => Ok(Some(journal)),
            true => Err(damaged("names no model")),
        }
    }

    /// Replaces the file.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let body = self.encode();
        let bytes = [&MAGIC[..], &blake2_256(&body), &body].concat();
        write_whole(path, &bytes)
    }
}
