//! Budgets of runs.

use crate::{mock::*, *};
use chasqui_primitives::{traits::TrainingFund, DOT};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::TokenError;

#[test]
fn existential_deposit_is_no_money_to_spend() {
    build_and_execute(|| {
        // GIVEN a fund whose account does not exist
        assert_eq!(Fund::status(), FundStatus::default());
        assert_noop!(Fund::reserve(0, 1), Error::<Test>::NotEnoughFree);

        // WHEN it holds its existential deposit and one planck
        donate(ExistentialDeposit::get() + 1);

        // THEN one planck is free
        assert_eq!(<Fund as TrainingFund<_>>::free(), 1);
        assert_noop!(Fund::reserve(0, 2), Error::<Test>::NotEnoughFree);
        assert_ok!(Fund::reserve(0, 1));
        assert_eq!(<Fund as TrainingFund<_>>::free(), 0);
    });
}

#[test]
fn run_is_paid_out_of_its_earmark_and_never_beyond_it() {
    build_and_execute(|| {
        // GIVEN two runs with budgets in a fund that has more
        donate(100 * DOT);
        assert_ok!(Fund::reserve(0, 30 * DOT));
        assert_ok!(Fund::reserve(1, 20 * DOT));

        // WHEN the first pays twice, the second time more than is left to it
        assert_ok!(Fund::pay(0, &BUILDER, 25 * DOT));
        assert_noop!(
            Fund::pay(0, &BUILDER, 5 * DOT + 1),
            Error::<Test>::BeyondEarmark
        );

        // THEN it was paid once, and the other's earmark is whole
        assert_eq!(balance(BUILDER), ExistentialDeposit::get() + 25 * DOT);
        assert_eq!(Fund::reserved(0), 5 * DOT);
        assert_eq!(Fund::reserved(1), 20 * DOT);
        let budget = RunBudget {
            left: 5 * DOT,
            paid: 25 * DOT,
        };
        assert_eq!(Fund::run_budget(0), Some(budget));
        assert!(happened(Event::RunPaid {
            run: 0,
            to: BUILDER,
            amount: 25 * DOT
        }));
    });
}

#[test]
fn run_without_an_earmark_pays_nothing() {
    build_and_execute(|| {
        donate(100 * DOT);
        assert_noop!(Fund::pay(7, &BUILDER, 1), Error::<Test>::BeyondEarmark);
        assert_ok!(Fund::pay(7, &BUILDER, 0));
        assert_eq!(Fund::run_budget(7), None);
    });
}

#[test]
fn what_a_run_did_not_spend_returns() {
    build_and_execute(|| {
        donate(100 * DOT);
        let before = Fund::status().free;
        assert_ok!(Fund::reserve(0, 30 * DOT));
        assert_ok!(Fund::pay(0, &BUILDER, 10 * DOT));

        assert_eq!(Fund::release(0), 20 * DOT);

        assert_eq!(Fund::status().free, before - 10 * DOT);
        assert_eq!(Fund::status().runs, 0);
        assert!(happened(Event::RunReleased {
            run: 0,
            paid: 10 * DOT,
            returned: 20 * DOT
        }));
        // A second time there is nothing, and nothing can be paid any more.
        assert_eq!(Fund::release(0), 0);
        assert_noop!(Fund::pay(0, &BUILDER, 1), Error::<Test>::BeyondEarmark);
    });
}

#[test]
fn second_reservation_adds_to_the_first() {
    build_and_execute(|| {
        donate(100 * DOT);
        assert_ok!(Fund::reserve(0, 30 * DOT));
        assert_ok!(Fund::reserve(0, 10 * DOT));
        assert_eq!(Fund::reserved(0), 40 * DOT);
        // All of it counts as earmarked.
        let free = Fund::status().free;
        assert_noop!(Fund::reserve(0, free + 1), Error::<Test>::NotEnoughFree);
        assert_ok!(Fund::reserve(0, free));
        assert_noop!(Fund::reserve(0, Balance::MAX), Error::<Test>::NotEnoughFree);
    });
}

#[test]
fn pay_that_an_account_cannot_hold_moves_nothing() {
    build_and_execute(|| {
        donate(100 * DOT);
        assert_ok!(Fund::reserve(0, 10 * DOT));
        assert_noop!(Fund::pay(0, &NEWCOMER, 1), TokenError::BelowMinimum);
        assert_eq!(Fund::reserved(0), 10 * DOT);
        assert_ok!(Fund::pay(0, &NEWCOMER, ExistentialDeposit::get()));
    });
}

#[test]
fn gift_is_free_at_once() {
    build_and_execute(|| {
        donate(10 * DOT);
        assert_ok!(Fund::reserve(0, Fund::status().free));
        donate(3 * DOT);
        assert_eq!(Fund::status().free, 3 * DOT);
        assert_eq!(<Fund as TrainingFund<_>>::account(), Fund::fund_account());
    });
}
