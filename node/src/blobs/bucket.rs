//! A token bucket: so many bytes a second, and no more than so many at once.

use std::time::{Duration, Instant};

/// Billionths of a byte: a token for every nanosecond at one byte a second.
const UNIT: u128 = 1_000_000_000;

/// Bytes that may still be given.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Bytes a second.
    rate: u64,
    /// Most bytes that gather.
    burst: u64,
    /// In units.
    tokens: u128,
    at: Instant,
}

impl Bucket {
    /// A full bucket. A rate of 0 counts as 1.
    pub fn new(rate: u64, burst: u64, now: Instant) -> Self {
        Self {
            rate: rate.max(1),
            burst,
            tokens: u128::from(burst).saturating_mul(UNIT),
            at: now,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_nanos();
        let full = u128::from(self.burst).saturating_mul(UNIT);
        let more = passed.saturating_mul(u128::from(self.rate));
        self.tokens = self.tokens.saturating_add(more).min(full);
        self.at = self.at.max(now);
    }

    /// Takes so many bytes, or says how long to wait until they can be taken. More than a burst is counted as a burst,
    /// else it could never be given.
    pub fn take(&mut self, bytes: u64, now: Instant) -> Result<(), Duration> {
        self.refill(now);
        let cost = u128::from(bytes.min(self.burst)).saturating_mul(UNIT);
        match self.tokens.checked_sub(cost) {
            Some(left) => {
                self.tokens = left;
                Ok(())
            }
            None => {
                let lacking = cost.saturating_sub(self.tokens);
                let nanos = lacking.div_ceil(u128::from(self.rate));
                Err(Duration::from_nanos(
                    u64::try_from(nanos).unwrap_or(u64::MAX),
                ))
            }
        }
    }

    /// Whether nothing is lacking: it may be forgotten.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= u128::from(self.burst).saturating_mul(UNIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_lacking_is_there_after_the_wait() {
        // GIVEN an empty bucket of 1000 bytes a second
        let now = Instant::now();
        let mut bucket = Bucket::new(1_000, 500, now);
        assert_eq!(bucket.take(500, now), Ok(()));
        // WHEN a hundred bytes are wanted
        let wait = bucket.take(100, now).unwrap_err();
        // THEN they come after a tenth of a second, not before
        assert_eq!(wait, Duration::from_millis(100));
        assert!(bucket
            .take(100, now + wait - Duration::from_nanos(1))
            .is_err());
        assert_eq!(bucket.take(100, now + wait), Ok(()));
    }

    #[test]
    fn a_clock_that_stands_or_a_wish_above_the_burst_does_no_harm() {
        let now = Instant::now();
        let mut bucket = Bucket::new(0, 10, now);
        assert_eq!(bucket.take(u64::MAX, now), Ok(()));
        assert!(bucket.take(1, now).is_err());
        assert!(bucket.take(1, now - Duration::from_secs(1)).is_err());
        assert!(!bucket.is_full(now));
        assert!(bucket.is_full(now + Duration::from_secs(10)));
    }

    proptest! {
        #[test]
        fn never_more_is_given_than_burst_and_rate_allow(
            rate in 1u64..1_000_000,
            burst in 1u64..1_000_000,
            asks in proptest::collection::vec((0u64..2_000_000, 0u64..2_000), 1..64),
        ) {
            let start = Instant::now();
            let mut bucket = Bucket::new(rate, burst, start);
            let (mut now, mut given) = (start, 0u128);
            for (bytes, millis) in asks {
                now += Duration::from_millis(millis);
                match bucket.take(bytes, now) {
                    Ok(()) => given += u128::from(bytes.min(burst)),
                    // Whoever waits as told gets it.
                    Err(wait) => {
                        now += wait;
                        prop_assert_eq!(bucket.take(bytes, now), Ok(()));
                        given += u128::from(bytes.min(burst));
                    }
                }
                let seconds = (now - start).as_nanos();
                let most = u128::from(burst) + seconds * u128::from(rate) / UNIT + 1;
                prop_assert!(given <= most, "{} given, at most {}", given, most);
            }
        }
    }
}
