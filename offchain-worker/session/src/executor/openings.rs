//! What is opened to auditors, and how much of it at once: each may be sent some forty megabytes, and reads as it likes.

use crate::AccountId;
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

/// Most auditors whom answers are opened to at once.
const AT_ONCE: usize = 8;
/// Longest that one may take to read what is opened to it.
const LONGEST: Duration = Duration::from_secs(120);

/// Frames on their way to one auditor; nothing once they were taken back.
type Frames = Mutex<Option<std::vec::IntoIter<Bytes>>>;

/// Who reads what.
#[derive(Debug)]
pub(super) struct Openings {
    readers: Mutex<HashMap<AccountId, Weak<Frames>>>,
    longest: Duration,
}

impl Default for Openings {
    fn default() -> Self {
        Self {
            readers: Mutex::default(),
            longest: LONGEST,
        }
    }
}

/// A place among those to whom something is opened, for as long as it is held.
#[derive(Debug)]
pub(super) struct Opening(Arc<Frames>);

impl Openings {
    /// A place for `auditor`, whose duty was checked. What it was sent before ends: it has broken off, or asks again for
    /// nothing. `None`: there is none.
    pub(super) fn begin(&self, auditor: &AccountId) -> Option<Opening> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.retain(|_, frames| frames.strong_count() > 0);
        if let Some(before) = readers.remove(auditor).and_then(|frames| frames.upgrade()) {
            take_back(&before);
        }
        if readers.len() >= AT_ONCE {
            return None;
        }
        let opening = Arc::default();
        readers.insert(auditor.clone(), Arc::downgrade(&opening));
        Some(Opening(opening))
    }

    /// Has frames read in this place, within a bounded time.
    pub(super) fn fill(&self, opening: &Opening, frames: Vec<Bytes>) {
        *locked(&opening.0) = Some(frames.into_iter());
        let (held, longest) = (Arc::downgrade(&opening.0), self.longest);
        tokio::spawn(async move {
            tokio::time::sleep(longest).await;
            if let Some(held) = held.upgrade() {
                take_back(&held);
            }
        });
    }
}

impl Opening {
    /// The next frame.
    pub(super) fn next(&self) -> Option<Bytes> {
        locked(&self.0).as_mut()?.next()
    }
}

fn locked(frames: &Frames) -> std::sync::MutexGuard<'_, Option<std::vec::IntoIter<Bytes>>> {
    frames.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Their memory goes, whether anybody reads on or not.
fn take_back(frames: &Frames) {
    locked(frames).take();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auditor(number: u8) -> AccountId {
        AccountId::new([number; 32])
    }

    // GIVEN auditors who do not read
    // WHEN more come than there are places, or one comes again
    // THEN memory is bounded, whoever comes again gets its place and not another one, and a place that is left is free
    #[tokio::test]
    async fn what_is_opened_at_once_is_bounded() {
        let openings = Openings::default();
        let mut held: Vec<Opening> = (0..AT_ONCE as u8)
            .map(|number| openings.begin(&auditor(number)).unwrap())
            .collect();
        for opening in &held {
            openings.fill(opening, vec![Bytes::from_static(b"frame"); 2]);
        }
        assert!(openings.begin(&auditor(100)).is_none());
        assert!(held[3].next().is_some());
        let again = openings.begin(&auditor(3)).unwrap();
        assert!(held[3].next().is_none(), "it was taken back");
        assert!(held[4].next().is_some());
        drop((again, held.remove(0)));
        assert!(openings.begin(&auditor(100)).is_some());
    }

    // GIVEN an auditor who reads too slowly
    // WHEN its time is over
    // THEN what it did not read is gone
    #[tokio::test]
    async fn nobody_reads_for_ever() {
        let openings = Openings {
            longest: Duration::from_millis(50),
            ..Openings::default()
        };
        let opening = openings.begin(&auditor(1)).unwrap();
        openings.fill(&opening, vec![Bytes::from_static(b"frame"); 2]);
        assert!(opening.next().is_some());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(opening.next().is_none());
    }
}
