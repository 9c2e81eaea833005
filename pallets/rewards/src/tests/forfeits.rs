//! What a proven lie takes.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Ledger, DOT};
use frame_support::{assert_noop, assert_ok};

#[test]
fn forfeit_should_cover_every_unclaimed_epoch_and_nothing_claimed() {
    build_and_execute(|| {
        // GIVEN pay of three epochs, of which the first is claimed
        for epoch in 0..3 {
            run_to_epoch(epoch);
            fee(3, &[4], 100 * DOT, 7);
        }
        run_to_epoch(3);
        assert_ok!(Rewards::claim(RuntimeOrigin::signed(3), 0));
        let reserve = gained(ReserveAccount::get());
        assert_eq!(Rewards::unclaimed(&3), 60 * DOT);

        // WHEN a lie is proven
        assert_eq!(Rewards::forfeit(&3), 60 * DOT);

        // THEN nothing is left to claim, and what it contributed is forgotten
        assert_eq!(Rewards::unclaimed(&3), 0);
        assert_eq!(gained(3), 30 * DOT);
        run_to_epoch(4);
        for epoch in 1..3 {
            assert_noop!(
                Rewards::claim(RuntimeOrigin::signed(3), epoch),
                Error::<Test>::NothingToClaim
            );
            assert_eq!(
                Contributions::<Test>::get(epoch, 3),
                Contribution::default()
            );
        }
        assert_eq!(Contributions::<Test>::get(0, 3).poi_units, 7);
        assert!(happened(Event::Forfeited {
            operator: 3,
            amount: 60 * DOT
        }));
        // AND the reserve has it; others keep theirs
        assert_eq!(gained(ReserveAccount::get()) - reserve, 60 * DOT);
        assert_eq!(Rewards::unclaimed(&4), 90 * DOT);
    });
}

#[test]
fn forfeited_pool_share_of_a_closed_epoch_should_go_to_the_reserve() {
    build_and_execute(|| {
        // GIVEN a closed pool of 15 DOT shared one to two
        fee(6, &[], 100 * DOT, 1);
        Rewards::record_poc_points(&3, 1);
        Rewards::record_poc_points(&4, 2);
        run_to_epoch(2);
        // WHEN 3 forfeits
        assert_eq!(Rewards::forfeit(&3), 5 * DOT);
        // THEN the other's share is what it was
        assert_ok!(Rewards::claim(RuntimeOrigin::signed(4), 0));
        assert_eq!(gained(4), 10 * DOT);
    });
}

#[test]
fn forfeited_pool_share_of_a_running_epoch_should_go_to_the_reserve_at_its_close() {
    build_and_execute(|| {
        // GIVEN points in a running epoch
        Rewards::record_poc_points(&3, 1);
        Rewards::record_poc_points(&4, 2);
        // WHEN 3 forfeits, and the pool fills after that
        assert_eq!(Rewards::forfeit(&3), 0);
        fee(6, &[], 100 * DOT, 1);
        run_to_epoch(2);
        // THEN the share of the forfeited point is the reserve's: nobody profits from the points of others
        assert_eq!(gained(ReserveAccount::get()), 10 * DOT);
        assert_ok!(Rewards::claim(RuntimeOrigin::signed(4), 0));
        assert_eq!(gained(4), 10 * DOT);
        assert_noop!(
            Rewards::claim(RuntimeOrigin::signed(3), 0),
            Error::<Test>::NothingToClaim
        );
    });
}

#[test]
fn points_after_a_forfeit_should_count_again() {
    build_and_execute(|| {
        Rewards::record_poc_points(&3, 1);
        Rewards::forfeit(&3);
        Rewards::record_poc_points(&3, 2);
        fee(6, &[], 100 * DOT, 1);
        run_to_epoch(2);
        // Two of three points; the forfeited third is the reserve's.
        assert_ok!(Rewards::claim(RuntimeOrigin::signed(3), 0));
        assert_eq!(gained(3), 10 * DOT);
        assert_eq!(gained(ReserveAccount::get()), 10 * DOT);
    });
}

#[test]
fn forfeit_of_nothing_should_take_nothing() {
    build_and_execute(|| {
        assert_eq!(Rewards::forfeit(&3), 0);
        assert_eq!(Rewards::unclaimed(&3), 0);
    });
}
