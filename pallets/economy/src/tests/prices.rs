//! The price of a unit by vote.

use crate::{mock::*, *};
use chasqui_primitives::traits::OnOperatorLeft;
use frame_support::{assert_noop, assert_ok};

#[test]
fn the_weighted_median_becomes_the_price_at_the_end_of_the_epoch() {
    build_and_execute(|| {
        World::register(1, 10);
        World::register(2, 30);
        World::register(3, 20);
        assert_ok!(vote(1, 900));
        assert_ok!(vote(2, 1_050));
        assert_ok!(vote(3, 5_000));
        assert_eq!(Economy::unit_price(), PRICE);
        let epoch = close_epoch();
        assert_eq!(Economy::unit_price(), 1_050);
        assert_eq!(Economy::price_history(), vec![(epoch, 1_050)]);
        assert!(happened(&Event::PriceSet {
            epoch,
            old: 1_000,
            new: 1_050
        }));
    });
}

#[test]
fn a_bloc_moves_the_price_by_a_tenth_an_epoch() {
    build_and_execute(|| {
        World::register(1, 10);
        assert_ok!(vote(1, MAX_PRICE));
        for expected in [1_100, 1_210, 1_331] {
            close_epoch();
            assert_eq!(Economy::unit_price(), expected);
        }
    });
}

#[test]
fn who_never_voted_or_took_its_vote_back_is_for_the_running_price() {
    build_and_execute(|| {
        World::register(1, 10);
        World::register(2, 5);
        assert_ok!(vote(1, 1_100));
        assert_ok!(Economy::clear_price_vote(RuntimeOrigin::signed(1), 1));
        assert_ok!(vote(2, 1_100));
        close_epoch();
        assert_eq!(Economy::unit_price(), PRICE);
        assert_noop!(
            Economy::clear_price_vote(RuntimeOrigin::signed(1), 1),
            Error::<Test>::NotVoted
        );
    });
}

#[test]
fn bounds_hold_whatever_is_voted() {
    build_and_execute(|| {
        World::register(1, 10);
        let params = Params {
            highest_price: 1_020,
            ..params()
        };
        assert_ok!(Economy::set_params(RuntimeOrigin::root(), params));
        assert_ok!(vote(1, 2_000));
        close_epoch();
        assert_eq!(Economy::unit_price(), 1_020);
    });
}

#[test]
fn only_operators_vote_and_only_for_prices() {
    build_and_execute(|| {
        World::register(1, 10);
        assert_noop!(vote(1, 0), Error::<Test>::PriceOutOfRange);
        assert_noop!(vote(1, MAX_PRICE + 1), Error::<Test>::PriceOutOfRange);
        assert_noop!(vote(1, Balance::MAX), Error::<Test>::PriceOutOfRange);
        assert_noop!(vote(2, 1_000), Error::<Test>::NotOperator);
        let by = |who| Economy::vote_price(RuntimeOrigin::signed(who), 1, 1_000);
        assert_noop!(by(2_001), Error::<Test>::NotOperator);
        assert_ok!(by(1_001));
        assert_ok!(vote(1, MAX_PRICE));
        assert_eq!(Economy::price_vote(1), Some(MAX_PRICE));
    });
}

#[test]
fn whoever_leaves_takes_its_vote_along() {
    build_and_execute(|| {
        World::register(1, 10);
        assert_ok!(vote(1, 1_100));
        Economy::on_operator_left(&1);
        assert_eq!(Economy::price_vote(1), None);
    });
}

#[test]
fn prices_of_some_epochs_are_kept() {
    build_and_execute(|| {
        for _ in 0..10 {
            close_epoch();
        }
        let epochs: Vec<_> = Economy::price_history()
            .into_iter()
            .map(|(epoch, _)| epoch)
            .collect();
        assert_eq!(epochs, [6, 7, 8, 9]);
    });
}

#[test]
fn parameters_are_the_admins_and_within_bounds() {
    build_and_execute(|| {
        assert_noop!(
            Economy::set_params(RuntimeOrigin::signed(1), params()),
            DispatchError::BadOrigin
        );
        for bad in [
            Params {
                lowest_price: 0,
                ..params()
            },
            Params {
                lowest_price: 1_000_001,
                ..params()
            },
            Params {
                highest_price: MAX_PRICE + 1,
                ..params()
            },
            Params {
                year_blocks: 0,
                ..params()
            },
            Params {
                retention: 27,
                ..params()
            },
            Params {
                retention: 1_001,
                ..params()
            },
        ] {
            assert_noop!(
                Economy::set_params(RuntimeOrigin::root(), bad),
                Error::<Test>::InvalidParams
            );
        }
    });
}
