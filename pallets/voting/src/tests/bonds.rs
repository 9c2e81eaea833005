//! Polls that need more than half of all bond.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok, traits::VoteTally};
use sp_runtime::Perbill;

fn support(poll: u32) -> Perbill {
    Voting::tally(poll).unwrap().support(ROOT)
}

/// Operators whose weight in votes and bond differ: a burst of bought points on little bond.
fn census() {
    World::census(&[(1, 60), (2, 40)]);
    World::with(|world| {
        let voices = world.census.get_mut(&1).expect("it is there");
        voices.get_mut(&1).unwrap().bond = 100;
        voices.get_mut(&2).unwrap().bond = 101;
    });
}

#[test]
fn most_of_the_weight_without_most_of_the_bond_has_no_support() {
    build_and_execute(|| {
        census();
        let poll = submit(ROOT);
        assert_ok!(vote(1, poll, true));
        assert_eq!(support(poll), Perbill::zero());
        run_to(40);
        assert_eq!(approved(poll), Some(false));
    });
}

#[test]
fn with_most_of_the_bond_it_passes() {
    build_and_execute(|| {
        census();
        let poll = submit(ROOT);
        assert_ok!(vote(2, poll, true));
        assert_eq!(support(poll), Perbill::from_percent(40));
        assert_ok!(vote(1, poll, true));
        run_to(40);
        assert_eq!(approved(poll), Some(true));
        assert_eq!(effects(), 1);
    });
}

#[test]
fn the_bond_of_those_who_delegate_does_not_count() {
    build_and_execute(|| {
        census();
        assert_ok!(Voting::delegate(RuntimeOrigin::signed(2), 2, ROOT, 1));
        run_to(2);
        let poll = submit(ROOT);
        assert_ok!(vote(1, poll, true));
        assert_eq!(count(poll), (100, 0));
        assert_eq!(support(poll), Perbill::zero());
    });
}

#[test]
fn bonds_are_locked_until_what_was_approved_has_taken_effect() {
    build_and_execute(|| {
        World::census(&[(1, 60), (2, 40)]);
        let poll = submit(ROOT);
        assert_ok!(vote(1, poll, true));
        assert_ok!(vote(2, poll, false));
        // A change of mind locks nothing twice; whoever takes its vote back is free.
        assert_ok!(vote(1, poll, false));
        assert_ok!(vote(1, poll, true));
        assert_eq!((World::liabilities(1), World::liabilities(2)), (1, 1));
        assert_ok!(Voting::remove_vote(RuntimeOrigin::signed(2), 2, poll));
        assert_eq!(World::liabilities(2), 0);
        while approved(poll).is_none() {
            run_to(System::block_number() + 1);
        }
        assert_noop!(
            Voting::clean_up(RuntimeOrigin::signed(50), poll, 10),
            Error::<Test>::BondLocked
        );
        run_to(System::block_number() + 6);
        assert_eq!(effects(), 1);
        assert_ok!(Voting::clean_up(RuntimeOrigin::signed(50), poll, 10));
        assert_eq!(World::liabilities(1), 0);
    });
}

#[test]
fn bonds_behind_a_poll_that_failed_are_free_at_once() {
    build_and_execute(|| {
        World::census(&[(1, 60), (2, 40)]);
        let poll = submit(ROOT);
        assert_ok!(vote(1, poll, false));
        while approved(poll).is_none() {
            run_to(System::block_number() + 1);
        }
        assert_ok!(Voting::clean_up(RuntimeOrigin::signed(50), poll, 10));
        assert_eq!(World::liabilities(1), 0);
    });
}

#[test]
fn ordinary_polls_lock_nothing() {
    build_and_execute(|| {
        World::census(&[(1, 60)]);
        let poll = submit(ORDINARY);
        assert_ok!(vote(1, poll, true));
        assert_eq!(World::liabilities(1), 0);
    });
}
