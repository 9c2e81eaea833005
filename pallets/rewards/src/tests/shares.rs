//! Governed shares.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, Perbill};

fn shares(poi: u32, poc: u32, fund: u32, reserve: u32) -> Shares {
    Shares {
        poi: Perbill::from_percent(poi),
        poc: Perbill::from_percent(poc),
        fund: Perbill::from_percent(fund),
        reserve: Perbill::from_percent(reserve),
    }
}

#[test]
fn set_shares_should_change_later_fees_only() {
    build_and_execute(|| {
        fee(3, &[], 100, 1);
        let new = shares(70, 5, 20, 5);
        assert_ok!(Rewards::set_shares(RuntimeOrigin::root(), new));
        assert_eq!(Rewards::shares(), new);
        assert!(happened(Event::SharesSet { shares: new }));
        assert_eq!(Earnings::<Test>::get(0, 3).unwrap().compute, 60);
        fee(3, &[], 100, 1);
        assert_eq!(Earnings::<Test>::get(0, 3).unwrap().compute, 130);
    });
}

#[test]
fn set_shares_should_refuse_what_does_not_sum_to_the_whole() {
    build_and_execute(|| {
        for bad in [
            shares(60, 15, 20, 4),
            shares(60, 15, 20, 6),
            shares(0, 0, 20, 0),
        ] {
            assert_noop!(
                Rewards::set_shares(RuntimeOrigin::root(), bad),
                Error::<Test>::SharesNotWhole
            );
        }
        let mut nearly = shares(60, 15, 20, 5);
        nearly.reserve = Perbill::from_parts(nearly.reserve.deconstruct() - 1);
        assert_noop!(
            Rewards::set_shares(RuntimeOrigin::root(), nearly),
            Error::<Test>::SharesNotWhole
        );
        assert_noop!(
            Rewards::set_shares(RuntimeOrigin::signed(1), shares(60, 15, 20, 5)),
            DispatchError::BadOrigin
        );
    });
}

#[test]
fn fund_share_should_be_locked_until_its_block() {
    build_and_execute(|| {
        // GIVEN a lock that ends at block 1000
        let new = shares(65, 15, 15, 5);
        assert_noop!(
            Rewards::set_shares(RuntimeOrigin::root(), new),
            Error::<Test>::FundShareLocked
        );
        System::set_block_number(999);
        assert_noop!(
            Rewards::set_shares(RuntimeOrigin::root(), new),
            Error::<Test>::FundShareLocked
        );
        System::set_block_number(1_000);
        assert_ok!(Rewards::set_shares(RuntimeOrigin::root(), new));
    });
}
