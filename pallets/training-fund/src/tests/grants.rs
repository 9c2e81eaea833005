//! Making and cancelling grants.

use crate::{mock::*, *};
use chasqui_primitives::{traits::TrainingFund, DOT};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

#[test]
fn grant_earmarks_the_sum_of_its_milestones() {
    build_and_execute(|| {
        donate(100 * DOT);
        let before = Fund::status().free;
        assert_ok!(grant(&[(10 * DOT, 5), (20 * DOT, 9)]));

        let status = Fund::status();
        assert_eq!((status.grants, status.runs), (30 * DOT, 0));
        assert_eq!(status.free, before - 30 * DOT);
        assert!(happened(Event::GrantCreated {
            grant: 0,
            beneficiary: BUILDER,
            amount: 30 * DOT
        }));
        assert_eq!(Fund::grant(0).map(|grant| grant.pending()), Some(30 * DOT));
    });
}

#[test]
fn only_the_admin_makes_judges_and_cancels_grants() {
    build_and_execute(|| {
        donate(100 * DOT);
        let signed = RuntimeOrigin::signed(BUILDER);
        assert_noop!(
            Fund::create_grant(signed.clone(), BUILDER, milestones(&[(DOT, 5)])),
            DispatchError::BadOrigin
        );
        assert_ok!(grant(&[(DOT, 5)]));
        assert_ok!(prove(0, 0));
        assert_noop!(
            Fund::approve(signed.clone(), 0, 0),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Fund::decline(signed.clone(), 0, 0),
            DispatchError::BadOrigin
        );
        assert_noop!(Fund::cancel_grant(signed, 0), DispatchError::BadOrigin);
    });
}

#[test]
fn grant_beyond_the_free_money_is_refused() {
    build_and_execute(|| {
        donate(100 * DOT);
        assert_ok!(Fund::reserve(0, 60 * DOT));
        // WHEN more is promised than is free, though the balance would cover it
        assert_noop!(
            grant(&[(20 * DOT, 5), (20 * DOT, 5)]),
            Error::<Test>::NotEnoughFree
        );
        // A sum beyond every number is more than is free, too.
        assert_noop!(
            grant(&[(Balance::MAX, 5), (2, 5)]),
            Error::<Test>::NotEnoughFree
        );
        assert_eq!(NextGrant::<Test>::get(), 0);
    });
}

#[test]
fn milestones_must_pay_something_and_lie_ahead() {
    build_and_execute(|| {
        donate(100 * DOT);
        System::set_block_number(10);
        for bad in [&[][..], &[(0, 20)], &[(DOT, 10)], &[(DOT, 20), (DOT, 3)]] {
            assert_noop!(grant(bad), Error::<Test>::InvalidMilestones);
        }
        assert_ok!(grant(&[(DOT, 11)]));
    });
}

#[test]
fn cancelled_grant_returns_what_it_has_not_paid() {
    build_and_execute(|| {
        // GIVEN a grant with a paid, a proven, and an open milestone
        donate(100 * DOT);
        let before = Fund::status().free;
        assert_ok!(grant(&[(DOT, 50), (2 * DOT, 50), (4 * DOT, 50)]));
        assert_ok!(prove(0, 0));
        assert_ok!(approve(0, 0));
        assert_ok!(prove(0, 1));

        // WHEN it is cancelled
        assert_ok!(Fund::cancel_grant(RuntimeOrigin::root(), 0));

        // THEN all but the payment is free again, and nothing is left to prove or to lapse
        assert_eq!(Fund::status().free, before - DOT);
        assert!(happened(Event::GrantCancelled {
            grant: 0,
            paid: DOT,
            returned: 6 * DOT
        }));
        assert_noop!(approve(0, 1), Error::<Test>::NoSuchGrant);
        assert_noop!(
            Fund::cancel_grant(RuntimeOrigin::root(), 0),
            Error::<Test>::NoSuchGrant
        );
        run_to(60);
        assert_eq!(Fund::status().free, before - DOT);
        assert_eq!(Deadlines::<Test>::iter().count(), 0);
    });
}

#[test]
fn grants_are_listed_in_order() {
    build_and_execute(|| {
        donate(100 * DOT);
        for _ in 0..5 {
            assert_ok!(grant(&[(DOT, 50)]));
        }
        assert_ok!(Fund::cancel_grant(RuntimeOrigin::root(), 2));
        let numbers = |from, limit| -> Vec<GrantId> {
            let grants = Fund::grants(from, limit);
            grants.into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(numbers(0, 10), [0, 1, 3, 4]);
        assert_eq!(numbers(2, 1), [3]);
        assert!(numbers(5, 10).is_empty());
        assert!(numbers(u32::MAX, u32::MAX).is_empty());
    });
}

#[test]
fn whoever_may_promise_little_neither_makes_nor_judges_large_grants() {
    build_and_execute(|| {
        // GIVEN an origin that may promise 5 DOT, and a grant of 6 by root
        donate(100 * DOT);
        let little = RuntimeOrigin::signed(Thrifty::get());
        assert_ok!(grant(&[(4 * DOT, 100), (2 * DOT, 100)]));
        // THEN it makes one of 5 DOT, and none of more
        let make =
            |of: &[(Balance, u64)]| Fund::create_grant(little.clone(), BUILDER, milestones(of));
        assert_noop!(
            make(&[(3 * DOT, 100), (2 * DOT + 1, 100)]),
            Error::<Test>::BeyondOrigin
        );
        assert_ok!(make(&[(3 * DOT, 100), (2 * DOT, 100)]));
        // AND of the larger one it neither approves a small milestone nor cancels it
        for id in [0, 1] {
            assert_ok!(Fund::prove(
                RuntimeOrigin::signed(BUILDER),
                id,
                1,
                H256::repeat_byte(9)
            ));
        }
        assert_noop!(
            Fund::approve(little.clone(), 0, 1),
            Error::<Test>::BeyondOrigin
        );
        assert_noop!(
            Fund::decline(little.clone(), 0, 1),
            Error::<Test>::BeyondOrigin
        );
        assert_noop!(
            Fund::cancel_grant(little.clone(), 0),
            Error::<Test>::BeyondOrigin
        );
        assert_ok!(Fund::approve(little.clone(), 1, 1));
        assert_ok!(Fund::cancel_grant(little, 1));
        assert_noop!(
            Fund::cancel_grant(RuntimeOrigin::root(), 7),
            Error::<Test>::NoSuchGrant
        );
    });
}
