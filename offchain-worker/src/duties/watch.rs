//! When duties are read from state.

/// Duties are read at least every so many blocks: an event that this program does not know can cost no more.
const SAFETY_BLOCKS: u32 = 50;

/// Remembers the last look at the state, and decides when the next is due.
#[derive(Debug, Default)]
pub struct Watch {
    looked: Option<u32>,
    deadline: Option<u32>,
}

impl Watch {
    /// Whether block `number` calls for a look. `stirred`: something in it, or in the worker, may have changed what is
    /// owed.
    pub fn is_due(&self, number: u32, stirred: bool) -> bool {
        let Some(looked) = self.looked else {
            return true;
        };
        let Some(blocks) = number.checked_sub(looked).filter(|blocks| *blocks > 0) else {
            // The state that was read is as new as this block.
            return false;
        };
        stirred
            || blocks >= SAFETY_BLOCKS
            || self.deadline.is_some_and(|deadline| deadline <= number)
    }

    /// Takes down a look at the state of block `number`. `deadline`: the next block at which something that was found
    /// lapses.
    pub fn looked(&mut self, number: u32, deadline: Option<u32>) {
        self.looked = Some(number);
        self.deadline = deadline;
    }

    /// The next block calls for a look, whatever it is: blocks are missing, or the last look failed.
    pub fn look_again(&mut self) {
        self.looked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(number: u32, deadline: Option<u32>) -> Watch {
        let mut watch = Watch::default();
        watch.looked(number, deadline);
        watch
    }

    #[test]
    fn the_first_block_calls_for_a_look() {
        assert!(Watch::default().is_due(0, false));
    }

    #[test]
    fn a_quiet_block_does_not() {
        // GIVEN a look at block 10 WHEN nothing happens in 11 THEN nothing is read; WHEN something does THEN it is
        let watch = looked_at(10, None);
        assert!(!watch.is_due(11, false));
        assert!(watch.is_due(11, true));
    }

    #[test]
    fn a_deadline_calls_for_a_look_when_it_comes() {
        // GIVEN something that lapses at block 14
        let watch = looked_at(10, Some(14));
        // WHEN blocks pass THEN the state is read at the deadline, and after it until it has been
        assert!(!watch.is_due(13, false));
        assert!(watch.is_due(14, false));
        assert!(watch.is_due(15, false));
    }

    #[test]
    fn the_state_is_read_now_and_then_without_any_reason() {
        let watch = looked_at(10, None);
        assert!(!watch.is_due(59, false));
        assert!(watch.is_due(60, false));
    }

    #[test]
    fn blocks_that_are_read_late_tell_nothing_new() {
        // GIVEN a look at the newest block, 100, of a worker that still reads older ones
        let watch = looked_at(100, Some(50));
        // WHEN something happened in block 60 THEN the state that was read knows it
        assert!(!watch.is_due(60, true));
        assert!(!watch.is_due(100, true));
    }

    #[test]
    fn missing_blocks_call_for_a_look() {
        // GIVEN a look, and blocks that were skipped or replaced since
        let mut watch = looked_at(100, None);
        watch.look_again();
        // WHEN the next block comes, even an older one THEN the state is read
        assert!(watch.is_due(99, false));
    }
}
