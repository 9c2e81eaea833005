//! Who computes now and who waits: bounded for each key and for all of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;
use crate::keys::Key;
use crate::limits::Limits;

/// The gateway's turnstile.
#[derive(Debug)]
pub struct Admission {
    running: Arc<Semaphore>,
    most: usize,
    waiting: AtomicUsize,
    queued: usize,
    queued_per_key: usize,
    queue_wait: Duration,
}

/// A request's turn; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _key: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Counts a request that waits.
struct Waiting<'a>(&'a Admission, &'a Key);

impl<'a> Waiting<'a> {
    fn start(admission: &'a Admission, key: &'a Key) -> Result<Self, ApiError> {
        // Counted first, so that requests at the same moment cannot all find the last place.
        let all = admission.waiting.fetch_add(1, Ordering::Relaxed);
        let own = key.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(admission, key);
        if own >= admission.queued_per_key {
            return Err(ApiError::busy(
                format!(
                    "This key has {} requests under way and {} waiting, which is all it may have; try again later.",
                    key.concurrent - key.running.available_permits().min(key.concurrent),
                    admission.queued_per_key
                ),
                admission.retry_after(),
            ));
        }
        if all >= admission.queued {
            return Err(ApiError::busy(
                format!(
                    "{} requests are waiting already; try again later.",
                    admission.queued
                ),
                admission.retry_after(),
            ));
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.1.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// A turnstile of these limits.
    pub fn new(limits: &Limits) -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits.running)),
            most: limits.running,
            waiting: AtomicUsize::new(0),
            queued: limits.queued,
            queued_per_key: limits.queued_per_key,
            queue_wait: limits.queue_wait,
        }
    }

    /// Nobody gets a turn any more; who waits for one is told.
    pub fn close(&self) {
        self.running.close();
    }

    /// Waits until every turn has ended.
    pub async fn ended(&self) {
        while self.running.available_permits() < self.most {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Requests that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a turn, first among the key's requests, then among all, in order of arrival.
    ///
    /// # Errors
    /// The queue is full, or the turn did not come in time.
    pub async fn admit(&self, key: &Arc<Key>) -> Result<Turn, ApiError> {
        if let Ok(own) = key.running.clone().try_acquire_owned() {
            if let Ok(all) = self.running.clone().try_acquire_owned() {
                return Ok(Turn {
                    _key: own,
                    _all: all,
                });
            }
        }
        let _waiting = Waiting::start(self, key)?;
        let turn = async {
            let own = key.running.clone().acquire_owned().await?;
            let all = self.running.clone().acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>(Turn {
                _key: own,
                _all: all,
            })
        };
        match tokio::time::timeout(self.queue_wait, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(ApiError::unavailable("The gateway is stopping.")),
            Err(_) => Err(ApiError::busy(
                format!(
                    "No turn came within {} seconds; try again later.",
                    self.queue_wait.as_secs()
                ),
                self.retry_after(),
            )),
        }
    }

    /// Longer the more wait; OpenAI's libraries heed up to a minute.
    fn retry_after(&self) -> u64 {
        (1 + self.waiting() as u64 / 8).min(30)
    }
}
