//! What happens when an epoch ends.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Ledger, DOT};
use frame_support::assert_ok;
use sp_runtime::traits::AccountIdConversion;

#[test]
fn genesis_should_give_the_pot_its_existential_deposit() {
    build_and_execute(|| {
        let derived: AccountId = PotId::get().into_account_truncating();
        assert_eq!(Rewards::pot(), derived);
        assert_eq!(<Rewards as Ledger<_>>::pot(), Rewards::pot());
        assert_eq!(free(Rewards::pot()), ExistentialDeposit::get());
        assert_eq!(Rewards::surplus(), 0);
    });
}

#[test]
fn dues_should_reach_fund_and_reserve_when_the_epoch_closes() {
    build_and_execute(|| {
        // GIVEN a fee, and a point for someone
        fee(3, &[], 100 * DOT, 1);
        Rewards::record_poc_points(&4, 1);
        assert_eq!(
            (gained(FundAccount::get()), gained(ReserveAccount::get())),
            (0, 0)
        );

        // WHEN the epoch ends
        run_to_epoch(1);

        // THEN both have theirs
        assert_eq!(gained(FundAccount::get()), 20 * DOT);
        assert_eq!(gained(ReserveAccount::get()), 5 * DOT);
        assert!(happened(Event::FundPaid { amount: 20 * DOT }));
        assert!(happened(Event::ReservePaid { amount: 5 * DOT }));
        assert!(happened(Event::EpochClosed {
            epoch: 0,
            pool: 15 * DOT,
            points: 1
        }));
        assert_eq!(Liabilities::<Test>::get(), 75 * DOT);
    });
}

#[test]
fn pool_without_points_should_go_to_the_reserve() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1);
        run_to_epoch(1);
        assert_eq!(gained(ReserveAccount::get()), 20 * DOT);
        assert_eq!(Rewards::totals(0).pool_left, 0);
    });
}

#[test]
fn dues_should_wait_while_their_account_cannot_hold_them() {
    build_and_execute(|| {
        // GIVEN a fund without an account
        let fund = FundAccount::get();
        let deposit = ExistentialDeposit::get();
        assert_ok!(Balances::force_transfer(
            RuntimeOrigin::root(),
            fund,
            CLIENT,
            deposit
        ));
        assert_eq!(free(fund), 0);

        // WHEN its share is below the existential deposit, THEN it stays due
        fee(3, &[], deposit, 1);
        run_to_epoch(1);
        assert_eq!(FundDue::<Test>::get(), deposit / 5);

        // WHEN enough has come together, THEN it is paid
        fee(3, &[], 4 * deposit, 1);
        run_to_epoch(2);
        assert_eq!(FundDue::<Test>::get(), 0);
        assert_eq!(free(fund), deposit);
    });
}

#[test]
fn gift_to_the_pot_should_go_to_the_reserve_and_disturb_nothing() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1);
        Rewards::record_poc_points(&3, 1);
        // WHEN somebody sends money to the pot
        fill_pot(7 * DOT);
        assert_eq!(Rewards::surplus(), 7 * DOT);
        assert_ok!(Rewards::do_try_state());
        // THEN the reserve has it after the epoch
        run_to_epoch(1);
        assert_eq!(Rewards::surplus(), 0);
        assert_eq!(gained(ReserveAccount::get()), 12 * DOT);
    });
}

#[test]
fn epochs_that_passed_unseen_should_be_closed_in_order() {
    build_and_execute(|| {
        fee(3, &[], 100 * DOT, 1);
        // WHEN the clock jumps
        CurrentEpoch::set(5);
        run_blocks(1);
        // THEN a bounded number closes in each block
        assert_eq!(NextToClose::<Test>::get(), 2);
        run_blocks(2);
        assert_eq!(NextToClose::<Test>::get(), 5);
    });
}
