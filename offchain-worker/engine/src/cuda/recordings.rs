//! Steps of decoding that were recorded, to be started at once.

use super::driver::{Recording, Result as Outcome};

/// Most recordings that are kept.
const RECORDINGS: usize = 128;

/// Batches by rows, positions seen, and whether logits are computed too.
pub(super) type Key = (u32, u32, bool);

/// Batches that were recorded, in order of their first use.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    kept: Vec<(Key, Recording)>,
    /// Seen once.
    seen: Vec<Key>,
    /// This driver does not record.
    refused: bool,
}

impl Recordings {
    /// The recording of `key`.
    pub(super) fn get(&self, key: Key) -> Option<&Recording> {
        let found = self.kept.iter().find(|(kept, _)| *kept == key);
        found.map(|(_, recording)| recording)
    }

    /// Whether a batch that is about to run is worth recording: it is the second of its kind.
    pub(super) fn wants(&mut self, key: Key) -> bool {
        if self.refused || self.get(key).is_some() {
            return false;
        }
        if self.seen.contains(&key) {
            return true;
        }
        if self.seen.len() == RECORDINGS {
            self.seen.remove(0);
        }
        self.seen.push(key);
        false
    }

    /// Keeps what was recorded, or gives up recording.
    pub(super) fn keep(&mut self, key: Key, made: Outcome<Recording>) {
        match made {
            Ok(recording) => {
                if self.kept.len() == RECORDINGS {
                    self.kept.remove(0);
                }
                self.kept.push((key, recording));
            }
            // Nothing is lost but speed.
            Err(_) => self.refused = true,
        }
    }

    /// Drops all: a buffer moves.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }
}
