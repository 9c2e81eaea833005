//! Subsidy: what a pot outside the ledger adds to pay.

use crate::{mock::*, *};
use chasqui_primitives::{
    traits::{Contributed, Contributions as _, Ledger},
    DOT,
};
use frame_support::assert_ok;

#[test]
fn subsidy_should_be_claimed_like_pay_of_its_epoch() {
    build_and_execute(|| {
        // GIVEN a fee of epoch 0, and a subsidy for it that comes in epoch 1
        fee(3, &[], 100 * DOT, 1_000);
        run_to_epoch(1);
        fill_pot(7 * DOT);
        Rewards::record_subsidy(&3, 0, 7 * DOT);
        assert_eq!(Rewards::unclaimed(&3), 67 * DOT);
        assert_eq!(Rewards::surplus(), 0);
        // WHEN it is claimable
        run_to_epoch(2);
        assert_ok!(Rewards::claim(RuntimeOrigin::signed(3), 0));
        assert_eq!(gained(3), 67 * DOT);
    });
}

#[test]
fn subsidy_should_be_forfeited_like_pay() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1_000);
        fill_pot(7 * DOT);
        Rewards::record_subsidy(&3, 0, 7 * DOT);
        assert_eq!(Rewards::forfeit(&3), 67 * DOT);
    });
}

#[test]
fn subsidy_should_never_be_more_than_was_paid_in() {
    build_and_execute(|| {
        fill_pot(5);
        Rewards::record_subsidy(&3, 0, 7);
        assert_eq!(Rewards::unclaimed(&3), 5);
        Rewards::record_subsidy(&3, 0, 7);
        assert_eq!(Rewards::unclaimed(&3), 5);
    });
}

#[test]
fn subsidy_of_a_swept_epoch_should_be_owed_by_the_running_one() {
    build_and_execute(|| {
        let epoch = NextToSweep::<Test>::get();
        NextToSweep::<Test>::put(epoch + 1);
        run_to_epoch(3);
        fill_pot(9);
        Rewards::record_subsidy(&4, epoch, 9);
        assert_eq!(
            Earnings::<Test>::get(3, 4).map(|earned| earned.compute),
            Some(9)
        );
    });
}

#[test]
fn contributions_should_tell_units_fees_and_points() {
    build_and_execute(|| {
        fee(3, &[4], 100 * DOT, 1_000);
        fee(3, &[], 10 * DOT, 5);
        Rewards::record_poc_points(&3, 2);
        assert_eq!(
            Rewards::contributed(0, &3),
            Contributed {
                units: 1_005,
                fees: 36 * DOT,
                points: 2
            }
        );
        assert_eq!(Rewards::contributed(0, &9), Contributed::default());
    });
}
