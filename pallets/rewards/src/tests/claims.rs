//! Collecting pay.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Ledger, DOT};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

fn claim(who: AccountId, epoch: EpochIndex) -> DispatchResult {
    Rewards::claim(RuntimeOrigin::signed(who), epoch)
}

#[test]
fn claim_should_pay_compute_audits_and_a_share_of_the_pool() {
    build_and_execute(|| {
        // GIVEN an audited and an unaudited job, and points 3 to 1
        fee(3, &[4], 100 * DOT, 1);
        fee(4, &[], 100 * DOT, 1);
        Rewards::record_poc_points(&3, 3);
        Rewards::record_poc_points(&4, 1);
        run_to_epoch(2);
        let expected = Rewards::claimable(3);

        // WHEN both claim
        assert_ok!(claim(3, 0));
        assert_ok!(claim(4, 0));

        // THEN 3 has 30 and three quarters of 30; 4 has 60, 30 and a quarter of 30
        assert_eq!(gained(3), 30 * DOT + 225 * DOT / 10);
        assert_eq!(gained(4), 90 * DOT + 75 * DOT / 10);
        assert_eq!(expected, vec![(0, gained(3))]);
        assert!(happened(Event::Claimed {
            epoch: 0,
            operator: 4,
            beneficiary: 4,
            compute: 60 * DOT,
            audit: 30 * DOT,
            pool_share: 75 * DOT / 10,
        }));
        // AND nothing is owed any more
        assert_eq!(Liabilities::<Test>::get(), 0);
        assert_eq!(free(Rewards::pot()), ExistentialDeposit::get());
    });
}

#[test]
fn claim_should_wait_for_two_epochs() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1);
        assert_noop!(claim(3, 0), Error::<Test>::TooEarly);
        run_to_epoch(1);
        assert_noop!(claim(3, 0), Error::<Test>::TooEarly);
        assert!(Rewards::claimable(3).is_empty());
        run_to_epoch(2);
        assert_ok!(claim(3, 0));
        assert_noop!(claim(3, EpochIndex::MAX), Error::<Test>::TooEarly);
    });
}

#[test]
fn claim_should_not_outrun_the_close() {
    build_and_execute(|| {
        // GIVEN a clock that has moved on, in a block whose hook has not run
        fee(3, &[], 100 * DOT, 1);
        CurrentEpoch::set(2);
        assert_noop!(claim(3, 0), Error::<Test>::TooEarly);
        run_blocks(1);
        assert_ok!(claim(3, 0));
    });
}

#[test]
fn second_claim_should_be_refused_and_lose_nothing() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1);
        fee(4, &[], 100 * DOT, 1);
        run_to_epoch(2);
        assert_ok!(claim(3, 0));
        assert_noop!(claim(3, 0), Error::<Test>::NothingToClaim);
        assert_noop!(claim(hot(3), 0), Error::<Test>::NothingToClaim);
        assert_eq!(gained(3), 60 * DOT);
        // The other's pay is untouched.
        assert_ok!(claim(4, 0));
        assert_eq!(gained(4), 60 * DOT);
    });
}

#[test]
fn claim_should_refuse_whoever_earned_nothing() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1);
        run_to_epoch(2);
        assert_noop!(claim(4, 0), Error::<Test>::NothingToClaim);
        assert_noop!(claim(777, 0), Error::<Test>::NothingToClaim);
        assert_noop!(
            Rewards::claim(RuntimeOrigin::root(), 0),
            DispatchError::BadOrigin
        );
    });
}

#[test]
fn hot_key_should_claim_for_its_operator_and_the_owner_should_be_paid() {
    build_and_execute(|| {
        // GIVEN pay of operator 1, which account 50 owns
        fee(1, &[], 100 * DOT, 1);
        run_to_epoch(2);
        // WHEN its hot key claims
        assert_ok!(claim(hot(1), 0));
        // THEN the owner has it, and the hot key nothing
        assert_eq!(gained(OWNER), 60 * DOT);
        assert_eq!((free(1), free(hot(1))), (0, 0));
    });
}

#[test]
fn owner_should_be_paid_even_after_its_operator_has_left() {
    build_and_execute(|| {
        // GIVEN pay of operator 1, which account 50 owns, in two epochs
        fee(1, &[], 100 * DOT, 1);
        run_to_epoch(1);
        fee(2, &[1], 100 * DOT, 1);
        // WHEN it leaves the registry, and its bonded account claims
        Left::set(vec![1]);
        run_to_epoch(3);
        assert_ok!(claim(1, 0));
        assert_ok!(claim(1, 1));
        // THEN the owner has it
        assert_eq!(gained(OWNER), 90 * DOT);
        assert_eq!(free(1), 0);
    });
}

#[test]
fn whoever_has_left_the_registry_should_still_collect() {
    build_and_execute(|| {
        // GIVEN pay of an account that is no operator any more
        fee(30, &[], 100 * DOT, 1);
        run_to_epoch(2);
        assert_ok!(claim(30, 0));
        assert_eq!(free(30), 60 * DOT);
    });
}

#[test]
fn pay_below_the_existential_deposit_should_accrue_until_the_account_can_hold_it() {
    build_and_execute(|| {
        // GIVEN pay of 60% of an existential deposit for an account that does not exist
        let deposit = ExistentialDeposit::get();
        fee(8, &[], deposit, 1);
        run_to_epoch(2);
        let pay = deposit * 60 / 100;

        // WHEN it is claimed
        assert_ok!(claim(8, 0));

        // THEN nothing is paid or lost: it is earned in the running epoch
        assert_eq!(free(8), 0);
        assert_eq!(Rewards::unclaimed(&8), pay);
        assert!(happened(Event::Accrued {
            epoch: 0,
            operator: 8,
            into: 2,
            amount: pay
        }));
        assert_noop!(claim(8, 0), Error::<Test>::NothingToClaim);

        // WHEN more comes to it
        fee(8, &[], deposit, 1);
        run_to_epoch(4);
        assert_ok!(claim(8, 2));
        // THEN both are paid
        assert_eq!(free(8), 2 * pay);
    });
}

#[test]
fn pool_dust_should_go_to_the_reserve_with_the_last_share() {
    build_and_execute(|| {
        // GIVEN a pool of 15 planck for seven points of three operators
        fee(6, &[], 100, 1);
        for (who, points) in [(3, 2), (4, 2), (5, 3)] {
            Rewards::record_poc_points(&who, points);
        }
        run_to_epoch(2);
        let reserve = gained(ReserveAccount::get());
        for who in [3, 4, 5] {
            assert_ok!(claim(who, 0));
        }
        // THEN 4, 4 and 6 are paid, and the planck that is left is due to the reserve
        assert_eq!((gained(3), gained(4), gained(5)), (4, 4, 6));
        assert_eq!(ReserveDue::<Test>::get(), 1);
        run_to_epoch(3);
        assert_eq!(gained(ReserveAccount::get()) - reserve, 1);
    });
}

#[test]
fn earnings_should_tell_what_is_owed() {
    build_and_execute(|| {
        fee(3, &[4], 100 * DOT, 1);
        Rewards::record_poc_points(&4, 1);
        let info = Rewards::earnings(0, 4).unwrap();
        assert_eq!((info.compute, info.audit, info.points), (0, 30 * DOT, 1));
        assert_eq!((info.pool_share, info.claimable), (15 * DOT, false));
        run_to_epoch(2);
        assert!(Rewards::earnings(0, 4).unwrap().claimable);
        assert_eq!(Rewards::earnings(0, 5), None);
    });
}
