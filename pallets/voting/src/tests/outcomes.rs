//! How polls end.

use crate::mock::*;
use frame_support::assert_ok;

#[test]
fn what_is_approved_takes_effect_through_the_scheduler() {
    build_and_execute(|| {
        World::census(&[(1, 60), (2, 40)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        run_to(40);
        assert_eq!(approved(poll), Some(true));
        assert_eq!(effects(), 1);
    });
}

#[test]
fn what_most_are_against_fails() {
    build_and_execute(|| {
        World::census(&[(1, 60), (2, 40)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, false));
        assert_ok!(vote(2, poll, true));
        run_to(40);
        assert_eq!(approved(poll), Some(false));
        assert_eq!(effects(), 0);
    });
}

#[test]
fn what_hardly_anybody_supports_fails_though_nobody_is_against() {
    build_and_execute(|| {
        // GIVEN support of 19%, where the curve ends at 20%
        World::census(&[(1, 19), (2, 81)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        run_to(40);
        assert_eq!(approved(poll), Some(false));
    });
}

#[test]
fn silent_weight_counts_in_the_electorate() {
    build_and_execute(|| {
        // GIVEN nine tenths of the weight that do not vote
        World::census(&[(1, 10), (2, 90)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        run_to(40);
        assert_eq!(approved(poll), Some(false));
    });
}

#[test]
fn without_an_electorate_nothing_is_approved() {
    build_and_execute(|| {
        for class in [ROOT, ORDINARY] {
            let poll = submit(class);
            let from = System::block_number();
            run_to(from + 40);
            assert_eq!(approved(poll), Some(false));
        }
        assert_eq!(effects(), 0);
    });
}
