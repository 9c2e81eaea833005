//! `try_state` finds what is wrong.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Ledger, DOT};
use frame_support::assert_ok;
use sp_runtime::Perbill;

/// Spoils a sound state, and checks that it is found.
fn found(spoil: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        run_to_epoch(1);
        fee(3, &[4], 100 * DOT, 1);
        Rewards::record_poc_points(&4, 2);
        assert_ok!(Rewards::do_try_state());
        spoil();
        assert!(Rewards::do_try_state().is_err());
    });
}

#[test]
fn try_state_should_detect_corruption() {
    found(|| FeeShares::<Test>::mutate(|s| s.poc = Perbill::zero()));
    found(|| Liabilities::<Test>::mutate(|sum| *sum += 1));
    found(FundDue::<Test>::kill);
    found(|| {
        let pot = Rewards::pot();
        assert_ok!(Balances::force_set_balance(
            RuntimeOrigin::root(),
            pot,
            99 * DOT
        ));
    });
    found(|| Earnings::<Test>::remove(1, 3));
    found(|| OpenEpochs::<Test>::remove(3, 1));
    found(|| OpenEpochs::<Test>::insert(3, 9, 3));
    found(|| Unclaimed::<Test>::insert(3, 1));
    found(|| Unclaimed::<Test>::remove(3));
    found(|| Contributions::<Test>::remove(1, 3));
    found(|| EpochTotals::<Test>::mutate(1, |t| t.points_left += 1));
    found(|| EpochTotals::<Test>::mutate(1, |t| t.pool += 1));
    found(|| EpochTotals::<Test>::mutate(1, |t| t.poi_units += 1));
    found(|| EpochTotals::<Test>::mutate(1, |t| t.forfeited_points += 1));
    found(|| NextToSweep::<Test>::put(2));
    found(|| OpenCases::<Test>::insert(3, 1, 0));
}
