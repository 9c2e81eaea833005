//! What became of the duties that were started: so that none is done twice, and none is given up.

use super::Duty;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// How long to leave a duty alone after it failed.
const RETRY_AFTER: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
enum State {
    UnderWay,
    /// As far as this worker knows. Its transaction may be in a block that is not final yet: up to this one, the
    /// best then, the state may still say that it is owed.
    Done {
        best: u32,
    },
    Failed(Instant),
}

/// The duties that were started and are not known to be over.
#[derive(Debug, Default)]
pub struct Progress(HashMap<Duty, State>);

impl Progress {
    /// Takes note that a duty which is owed at block `number` is started. `false` if it must not be: it is under way,
    /// was done later than that block's state can say, or failed a moment ago.
    pub fn start(&mut self, duty: Duty, number: u32, now: Instant) -> bool {
        let wait = match self.0.get(&duty) {
            Some(State::UnderWay) => true,
            Some(State::Done { best }) => number <= *best,
            Some(State::Failed(at)) => now.saturating_duration_since(*at) < RETRY_AFTER,
            None => false,
        };
        if !wait {
            self.0.insert(duty, State::UnderWay);
        }
        !wait
    }

    /// It was done, when `best` was the best block.
    pub fn done(&mut self, duty: Duty, best: u32) {
        self.0.insert(duty, State::Done { best });
    }

    /// It failed.
    pub fn failed(&mut self, duty: Duty, now: Instant) {
        self.0.insert(duty, State::Failed(now));
    }

    /// Forgets duties that ended and are owed no more.
    pub fn forget_all_but(&mut self, owed: &[Duty]) {
        self.0
            .retain(|duty, state| matches!(state, State::UnderWay) || owed.contains(duty));
    }

    /// Whether a duty has ended, well or not, and the state has not shown yet that it is over.
    pub fn has_ended(&self) -> bool {
        self.0
            .values()
            .any(|state| !matches!(state, State::UnderWay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUTY: Duty = Duty::Compute { job: 7 };

    #[test]
    fn a_duty_under_way_is_not_started_again() {
        // GIVEN a duty that was started
        let (mut progress, now) = (Progress::default(), Instant::now());
        assert!(progress.start(DUTY, 10, now));
        // WHEN the state says that it is owed, or that it is not, THEN it is left to end
        assert!(!progress.start(DUTY, 20, now));
        progress.forget_all_but(&[]);
        assert!(!progress.start(DUTY, 20, now));
        assert!(!progress.has_ended());
        // AND another one is not held up
        assert!(progress.start(Duty::Compute { job: 8 }, 10, now));
    }

    #[test]
    fn what_is_done_is_not_repeated_before_the_state_can_tell() {
        // GIVEN a duty that was done when block 15 was the best
        let (mut progress, now) = (Progress::default(), Instant::now());
        progress.start(DUTY, 10, now);
        progress.done(DUTY, 15);
        assert!(progress.has_ended());
        // WHEN finalised blocks up to that one still say that it is owed THEN it is not started
        assert!(!progress.start(DUTY, 11, now));
        progress.forget_all_but(&[DUTY]);
        assert!(!progress.start(DUTY, 15, now));
        // WHEN a later one does, its transaction was lost THEN it is
        assert!(progress.start(DUTY, 16, now));
    }

    #[test]
    fn what_failed_is_tried_again_after_a_while() {
        // GIVEN a duty that failed
        let (mut progress, now) = (Progress::default(), Instant::now());
        progress.start(DUTY, 10, now);
        progress.failed(DUTY, now);
        assert!(progress.has_ended());
        // WHEN it is still owed THEN it is started again, but not at once
        assert!(!progress.start(DUTY, 11, now));
        assert!(progress.start(DUTY, 12, now + RETRY_AFTER));
    }

    #[test]
    fn what_is_owed_no_more_is_forgotten() {
        let (mut progress, now) = (Progress::default(), Instant::now());
        progress.start(DUTY, 10, now);
        progress.done(DUTY, 15);
        // GIVEN a duty that was done WHEN the state owes it no more THEN nothing is left to look for
        progress.forget_all_but(&[]);
        assert!(!progress.has_ended());
        // AND if a duty of the same kind comes later, it is done
        assert!(progress.start(DUTY, 12, now));
    }
}
