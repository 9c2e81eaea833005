//! The pallet's own checks find what is wrong.

use crate::{mock::*, *};
use chasqui_primitives::{traits::TrainingFund, DOT};
use frame_support::assert_ok;

/// Breaks a sound state and expects the checks to say so.
fn is_found(break_it: fn()) {
    new_test_ext().execute_with(|| {
        donate(100 * DOT);
        assert_ok!(Fund::reserve(0, 10 * DOT));
        assert_ok!(grant(&[(DOT, 5), (DOT, 9)]));
        check();
        break_it();
        assert!(Fund::do_try_state().is_err());
    });
}

#[test]
fn earmark_that_is_in_no_sum_is_found() {
    is_found(|| Runs::<Test>::insert(1, RunBudget { left: 1, paid: 0 }));
    is_found(|| EarmarkedForGrants::<Test>::put(0));
}

#[test]
fn balance_that_does_not_cover_the_earmarks_is_found() {
    is_found(|| {
        let left = ExistentialDeposit::get() + 12 * DOT - 1;
        Balances::set_balance(&Fund::account_id(), left);
    });
}

#[test]
fn deadline_that_never_passes_is_found() {
    is_found(|| Deadlines::<Test>::remove(6));
}

#[test]
fn settled_grant_that_is_kept_is_found() {
    is_found(|| {
        Grants::<Test>::mutate(0, |grant| {
            for milestone in grant.as_mut().unwrap().milestones.iter_mut() {
                milestone.state = MilestoneState::Lapsed;
            }
        });
        EarmarkedForGrants::<Test>::put(0);
    });
}
