//! Hot keys and endpoints.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Operators as OperatorsApi, DOT};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

#[test]
fn set_hot_key_should_move_the_right_to_sign() {
    build_and_execute(|| {
        // GIVEN an operator
        register(1, 100 * DOT, BOTH, 1);

        // WHEN it rotates its hot key
        assert_ok!(OperatorsPallet::set_hot_key(RuntimeOrigin::signed(1), 77));

        // THEN the new key signs for it and the old one for nobody
        assert_eq!(OperatorsPallet::by_signer(&77), Some(1));
        assert_eq!(OperatorsPallet::by_signer(&hot(1)), None);
        assert_eq!(OperatorsPallet::by_signer(&1), Some(1));
        assert_eq!(<OperatorsPallet as OperatorsApi<_>>::hot_key(&1), Some(77));
        assert!(happened(Event::HotKeySet {
            operator: 1,
            hot_key: 77
        }));
    });
}

#[test]
fn set_hot_key_should_refuse_taken_keys_and_hot_keys_as_signers() {
    build_and_execute(|| {
        register(1, 100 * DOT, BOTH, 1);
        register(2, 100 * DOT, BOTH, 1);
        let set = |who, key| OperatorsPallet::set_hot_key(RuntimeOrigin::signed(who), key);

        // THEN another's key, another operator, and one's own present key are refused
        assert_noop!(set(1, hot(2)), Error::<Test>::HotKeyTaken);
        assert_noop!(set(1, 2), Error::<Test>::HotKeyTaken);
        assert_noop!(set(1, hot(1)), Error::<Test>::HotKeyTaken);
        // AND a stolen hot key cannot replace itself
        assert_noop!(set(hot(1), 77), Error::<Test>::NotOperator);
        assert_noop!(
            OperatorsPallet::set_hot_key(RuntimeOrigin::none(), 77),
            DispatchError::BadOrigin
        );
    });
}

#[test]
fn set_endpoint_should_work_for_operator_and_hot_key() {
    build_and_execute(|| {
        register(1, 100 * DOT, BOTH, 1);
        for (signer, key) in [(1, [2; 32]), (hot(1), [3; 32])] {
            let new = Endpoint {
                tls_key: key,
                ..endpoint()
            };
            // WHEN either sets the endpoint
            assert_ok!(OperatorsPallet::set_endpoint(
                RuntimeOrigin::signed(signer),
                new.clone()
            ));
            // THEN it is the operator's
            assert_eq!(Operators::<Test>::get(1).unwrap().endpoint, new);
            assert!(happened(Event::EndpointSet {
                operator: 1,
                endpoint: new
            }));
        }
    });
}

#[test]
fn set_endpoint_should_refuse_strangers_and_bad_urls() {
    build_and_execute(|| {
        register(1, 100 * DOT, BOTH, 1);
        assert_noop!(
            OperatorsPallet::set_endpoint(RuntimeOrigin::signed(5), endpoint()),
            Error::<Test>::NotOperator
        );
        let empty = Endpoint {
            url: Default::default(),
            tls_key: [0; 32],
        };
        assert_noop!(
            OperatorsPallet::set_endpoint(RuntimeOrigin::signed(1), empty),
            Error::<Test>::InvalidEndpoint
        );
    });
}

#[test]
fn resign_hot_key_should_free_an_account_that_was_named_without_asking() {
    build_and_execute(|| {
        // GIVEN an operator that took account 2 for its hot key, so that 2 cannot register
        let register_with = |who, key| {
            OperatorsPallet::register(
                RuntimeOrigin::signed(who),
                100 * DOT,
                key,
                BOTH,
                1,
                endpoint(),
                None,
            )
        };
        assert_ok!(register_with(1, 2));
        assert_noop!(register_with(2, hot(2)), Error::<Test>::IsHotKey);

        // WHEN account 2 resigns
        assert_ok!(OperatorsPallet::resign_hot_key(RuntimeOrigin::signed(2)));

        // THEN operator 1 signs for itself, and account 2 is free
        assert_eq!(HotKeys::<Test>::get(1), Some(1));
        assert!(happened(Event::HotKeySet {
            operator: 1,
            hot_key: 1
        }));
        assert_ok!(register_with(2, hot(2)));

        // AND nobody resigns who is no hot key of another
        for who in [1, 2, 9] {
            assert_noop!(
                OperatorsPallet::resign_hot_key(RuntimeOrigin::signed(who)),
                Error::<Test>::NotHotKey
            );
        }
    });
}
