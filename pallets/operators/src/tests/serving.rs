//! Which checkpoints an operator serves, in which roles, with what capacity.

use crate::{mock::*, *};
use chasqui_primitives::DOT;
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;

#[test]
fn operators_of_should_name_a_hundred_at_most() {
    build_and_execute(|| {
        // GIVEN more servers than one answer holds
        for who in 500..601u64 {
            assert_ok!(Balances::transfer_allow_death(
                RuntimeOrigin::signed(1),
                who,
                200 * DOT
            ));
            register(who, 100 * DOT, COMPUTE, 1);
            assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(who), MODEL));
        }
        // WHEN all of them are asked for THEN a hundred are named
        let first = OperatorsPallet::operators_of(MODEL, None, u32::MAX);
        assert_eq!(first.len(), 100);
        // WHEN those after the last of them are asked for THEN it is the one who is left
        let last = first.last().map(|operator| operator.account);
        let rest = OperatorsPallet::operators_of(MODEL, last, u32::MAX);
        assert_eq!(rest.len(), 1);
        assert!(!first.contains(&rest[0]));
    });
}

#[test]
fn serve_should_list_the_operator_for_the_checkpoint() {
    build_and_execute(|| {
        register(1, 100 * DOT, BOTH, 1);
        register(2, 100 * DOT, BOTH, 1);
        // WHEN an operator and another's hot key declare to serve a checkpoint
        assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(1), MODEL));
        assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(hot(2)), MODEL));

        // THEN both are listed, as far as the limit allows
        let mut listed: Vec<_> = OperatorsPallet::operators_of(MODEL, None, 10)
            .into_iter()
            .map(|o| o.account)
            .collect();
        listed.sort();
        assert_eq!(listed, vec![1, 2]);
        assert_eq!(OperatorsPallet::operators_of(MODEL, None, 1).len(), 1);
        assert_eq!(ServerCount::<Test>::get(MODEL), Some(2));
        assert!(happened(Event::ServingStarted {
            operator: 2,
            checkpoint: MODEL
        }));
    });
}

#[test]
fn serve_should_refuse_bad_input() {
    build_and_execute(|| {
        register(1, 100 * DOT, BOTH, 1);
        let serve = |who, root| OperatorsPallet::serve(RuntimeOrigin::signed(who), root);

        assert_noop!(serve(5, MODEL), Error::<Test>::NotOperator);
        assert_noop!(
            serve(1, H256::repeat_byte(0xee)),
            Error::<Test>::UnknownCheckpoint
        );
        assert_noop!(serve(1, H256::zero()), Error::<Test>::UnknownCheckpoint);
        assert_ok!(serve(1, MODEL));
        assert_noop!(serve(1, MODEL), Error::<Test>::AlreadyServing);
        for n in 2..=MAX_CHECKPOINTS as u8 {
            assert_ok!(serve(1, H256::repeat_byte(n)));
        }
        assert_noop!(
            serve(1, H256::repeat_byte(99)),
            Error::<Test>::TooManyCheckpoints
        );
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));
        assert_noop!(serve(1, H256::repeat_byte(99)), Error::<Test>::Unbonding);
    });
}

#[test]
fn unserve_should_take_the_operator_off_the_list() {
    build_and_execute(|| {
        // GIVEN the only server of a checkpoint, with frozen weights
        server(1, BOTH, 1);
        next_epoch();
        assert!(OperatorsPallet::frozen(Role::Validate, MODEL).is_some());

        // WHEN it stops
        assert_ok!(OperatorsPallet::unserve(
            RuntimeOrigin::signed(hot(1)),
            MODEL
        ));

        // THEN nobody can be drawn for it any more
        assert!(OperatorsPallet::operators_of(MODEL, None, 10).is_empty());
        assert_eq!(OperatorsPallet::frozen(Role::Validate, MODEL), None);
        assert_eq!(OperatorsPallet::frozen(Role::Compute, MODEL), None);
        assert!(happened(Event::ServingStopped {
            operator: 1,
            checkpoint: MODEL
        }));
        assert_noop!(
            OperatorsPallet::unserve(RuntimeOrigin::signed(1), MODEL),
            Error::<Test>::NotServing
        );
    });
}

#[test]
fn capacity_should_change_within_bounds() {
    build_and_execute(|| {
        register(1, 100 * DOT, BOTH, 1);
        let set =
            |who, capacity| OperatorsPallet::set_capacity(RuntimeOrigin::signed(who), capacity);
        assert_ok!(set(1, 40));
        assert_eq!(OperatorsPallet::operator(1).unwrap().weight, 40);
        assert!(happened(Event::CapacitySet {
            operator: 1,
            capacity: 40
        }));
        assert_noop!(set(1, 0), Error::<Test>::InvalidCapacity);
        assert_noop!(
            set(1, params().max_capacity + 1),
            Error::<Test>::InvalidCapacity
        );
        assert_noop!(set(2, 1), Error::<Test>::NotOperator);
        assert_noop!(set(hot(1), 1), Error::<Test>::NotOperator);
    });
}

#[test]
fn roles_should_change_but_never_to_none() {
    build_and_execute(|| {
        register(1, 100 * DOT, BOTH, 1);
        let set = |who, roles| OperatorsPallet::set_roles(RuntimeOrigin::signed(who), roles);
        assert_ok!(set(1, VALIDATE));
        assert_eq!(Operators::<Test>::get(1).unwrap().roles, VALIDATE);
        assert!(happened(Event::RolesSet {
            operator: 1,
            roles: VALIDATE
        }));
        assert_noop!(
            set(
                1,
                Roles {
                    compute: false,
                    validate: false
                }
            ),
            Error::<Test>::NoRole
        );
        assert_noop!(set(2, BOTH), Error::<Test>::NotOperator);
    });
}
