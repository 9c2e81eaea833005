//! Pay that nobody collects.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Ledger, DOT};
use frame_support::{assert_noop, assert_ok};

#[test]
fn unclaimed_epoch_should_be_swept_to_the_reserve() {
    build_and_execute(|| {
        // GIVEN pay of epoch 0, kept for six epochs
        fee(3, &[4], 100 * DOT, 1);
        Rewards::record_poc_points(&4, 1);
        run_to_epoch(6);
        let reserve = gained(ReserveAccount::get());

        // WHEN the seventh begins
        run_to_epoch(7);
        run_blocks(1);

        // THEN it is gone, contributions included
        assert_noop!(
            Rewards::claim(RuntimeOrigin::signed(3), 0),
            Error::<Test>::NothingToClaim
        );
        assert_eq!(Rewards::unclaimed(&3), 0);
        assert!(!EpochTotals::<Test>::contains_key(0));
        assert_eq!(Contributions::<Test>::iter().count(), 0);
        assert!(happened(Event::Swept { epoch: 0 }));
        // AND the reserve has it with the next dues
        run_to_epoch(8);
        assert_eq!(gained(ReserveAccount::get()) - reserve, 75 * DOT);
        assert_eq!(Liabilities::<Test>::get(), 0);
    });
}

#[test]
fn epoch_should_be_claimable_up_to_its_last() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1);
        run_to_epoch(6);
        run_blocks(3);
        assert_ok!(Rewards::claim(RuntimeOrigin::signed(3), 0));
    });
}

#[test]
fn sweep_should_take_bounded_steps() {
    build_and_execute(|| {
        // GIVEN forty operators that never claim, and two records swept a block
        SweepStep::set(2);
        for who in 300..340 {
            fee(who, &[], DOT, 1);
        }
        CurrentEpoch::set(7);
        run_blocks(4);
        let left = || Earnings::<Test>::iter_prefix(0).count();
        let before = left();
        assert!(before > 30);

        // WHEN a block passes, THEN two go
        run_blocks(1);
        assert_eq!(left(), before - 2);

        // WHEN enough have, THEN all are gone
        run_blocks(60);
        assert_eq!(left(), 0);
        assert!(NextToSweep::<Test>::get() >= 1);
        assert_eq!(Contributions::<Test>::iter().count(), 0);
    });
}
