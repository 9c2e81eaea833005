//! The margin on thresholds.

use crate::{mock::thresholds, with_margin};
use proptest::prelude::*;

proptest! {
    /// A margin loosens every limit, never contradicts itself and never overflows.
    #[test]
    fn a_margin_only_loosens(soft: u16, percent in 0..1_001u32, extreme: bool) {
        let mut before = thresholds(u32::from(soft));
        if extreme {
            before.hard.mean_margin_micro = u32::MAX;
            before.evidence_tau = u32::MAX;
        }
        let after = with_margin(&before, percent);
        prop_assert!(after.is_consistent());
        prop_assert_eq!(after.worst(&before), after);
        prop_assert_eq!(after.clip_micro, before.clip_micro);
        prop_assert_eq!(with_margin(&before, 0), before);
    }
}
