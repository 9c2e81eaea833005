//! Drawing executors and auditors.

use crate::{epochs::ANY_CHECKPOINT, mock::*, *};
use chasqui_primitives::{traits::Operators as OperatorsApi, DOT};
use frame_support::assert_ok;
use std::collections::BTreeSet;

fn draw(role: Role, n: u32, count: u32) -> Vec<AccountId> {
    OperatorsPallet::draw(role, &MODEL, &seed(n), count, &|_| true)
}

#[test]
fn draw_should_find_nobody_before_weights_are_frozen() {
    build_and_execute(|| {
        server(1, BOTH, 10);
        assert!(draw(Role::Compute, 0, 1).is_empty());
        next_epoch();
        assert_eq!(draw(Role::Compute, 0, 1), vec![1]);
    });
}

#[test]
fn draw_should_follow_weight() {
    build_and_execute(|| {
        // GIVEN one operator with three times the other's weight
        server(1, VALIDATE, 30);
        server(2, VALIDATE, 10);
        next_epoch();

        // WHEN many seats are drawn
        let hits = (0..1_000)
            .filter(|n| draw(Role::Validate, *n, 1) == [1])
            .count();

        // THEN it has about three quarters of them (five standard deviations are 68)
        assert!((682..=818).contains(&hits), "{hits} of 1000");
    });
}

#[test]
fn draw_should_be_deterministic_and_distinct() {
    build_and_execute(|| {
        for who in 1..=5 {
            server(who, VALIDATE, 10);
        }
        next_epoch();
        for n in 0..50 {
            let panel = draw(Role::Validate, n, 3);
            assert_eq!(panel, draw(Role::Validate, n, 3));
            assert_eq!(panel.iter().collect::<BTreeSet<_>>().len(), 3);
        }
        // Never more than there are.
        assert_eq!(draw(Role::Validate, 0, 9).len(), 5);
    });
}

#[test]
fn draw_should_pass_over_whoever_is_no_longer_available() {
    build_and_execute(|| {
        // GIVEN six operators with frozen weights
        for who in 1..=6 {
            server(who, BOTH, 10);
        }
        next_epoch();

        // WHEN five become unavailable, each in its way
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(2)));
        assert_ok!(OperatorsPallet::unserve(RuntimeOrigin::signed(3), MODEL));
        assert_ok!(OperatorsPallet::set_roles(
            RuntimeOrigin::signed(4),
            COMPUTE
        ));
        OperatorsPallet::forfeit_lien(&5, 901 * DOT, &[]);

        // THEN validators are drawn out of the last one, executors also out of the one that still computes
        for n in 0..20 {
            assert_eq!(draw(Role::Validate, n, 6), vec![6]);
            assert_eq!(
                draw(Role::Compute, n, 6)
                    .into_iter()
                    .collect::<BTreeSet<_>>(),
                BTreeSet::from([4, 6])
            );
        }
    });
}

#[test]
fn draw_should_ask_the_caller_who_is_eligible() {
    build_and_execute(|| {
        for who in 1..=4 {
            server(who, VALIDATE, 10);
        }
        next_epoch();
        for n in 0..20 {
            let odd =
                OperatorsPallet::draw(Role::Validate, &MODEL, &seed(n), 4, &|who| who % 2 == 1);
            assert_eq!(
                odd.into_iter().collect::<BTreeSet<_>>(),
                BTreeSet::from([1, 3])
            );
        }
        let none = OperatorsPallet::draw(Role::Validate, &MODEL, &seed(0), 4, &|_| false);
        assert!(none.is_empty());
    });
}

#[test]
fn draw_for_any_checkpoint_should_reach_every_validator() {
    build_and_execute(|| {
        // GIVEN validators that serve nothing in common, and an operator that only computes
        server(1, VALIDATE, 10);
        register(2, 1_000 * DOT, VALIDATE, 10);
        server(3, COMPUTE, 10);
        next_epoch();
        let drawn = OperatorsPallet::draw(Role::Validate, &ANY_CHECKPOINT, &seed(0), 3, &|_| true);
        assert_eq!(
            drawn.into_iter().collect::<BTreeSet<_>>(),
            BTreeSet::from([1, 2])
        );
    });
}

#[test]
fn jailed_operator_should_be_drawn_again_after_it_returns() {
    build_and_execute(|| {
        // GIVEN a jailed operator
        server(1, BOTH, 10);
        next_epoch();
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);
        assert!(draw(Role::Compute, 0, 1).is_empty());
        let unjail = |who| OperatorsPallet::unjail(RuntimeOrigin::signed(who));

        // THEN it cannot return before its time
        frame_support::assert_noop!(unjail(1), Error::<Test>::StillJailed);
        frame_support::assert_noop!(unjail(9), Error::<Test>::NotOperator);

        // WHEN its time is over and it returns
        next_epoch();
        assert_ok!(unjail(hot(1)));
        assert!(happened(Event::Unjailed { operator: 1 }));
        frame_support::assert_noop!(unjail(1), Error::<Test>::NotJailed);

        // THEN it is drawn from the next frozen weights on
        assert!(draw(Role::Compute, 0, 1).is_empty());
        next_epoch();
        assert_eq!(draw(Role::Compute, 0, 1), vec![1]);
    });
}

#[test]
fn unjail_should_refuse_when_the_bond_is_below_the_minimum() {
    build_and_execute(|| {
        // GIVEN an operator with the minimum bond that was slashed
        register(1, 100 * DOT, BOTH, 10);
        OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);
        next_epoch();
        // THEN it must bond again before it returns
        frame_support::assert_noop!(
            OperatorsPallet::unjail(RuntimeOrigin::signed(1)),
            Error::<Test>::BondTooLow
        );
        assert_ok!(OperatorsPallet::bond_extra(
            RuntimeOrigin::signed(1),
            30 * DOT
        ));
        assert_ok!(OperatorsPallet::unjail(RuntimeOrigin::signed(1)));
    });
}
