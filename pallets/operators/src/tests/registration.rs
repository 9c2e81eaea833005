//! Who becomes an operator, and who does not.

use crate::{mock::*, *};
use chasqui_primitives::DOT;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

fn try_register(
    who: AccountId,
    bond: Balance,
    hot_key: AccountId,
    roles: Roles,
    capacity: u32,
    owner: Option<AccountId>,
) -> DispatchResult {
    OperatorsPallet::register(
        RuntimeOrigin::signed(who),
        bond,
        hot_key,
        roles,
        capacity,
        endpoint(),
        owner,
    )
}

#[test]
fn register_should_hold_the_bond_and_start_without_standing() {
    build_and_execute(|| {
        // WHEN an account registers
        register(1, 200 * DOT, BOTH, 50);

        // THEN its bond is on hold and its record is new
        assert_eq!(bond(1), 200 * DOT);
        let info = OperatorsPallet::operator(1).unwrap();
        assert_eq!(
            (info.account, info.bond, info.weight, info.active),
            (1, 200 * DOT, 50, true)
        );
        assert_eq!(info.record.owner, 1);
        assert_eq!(info.record.hot_key, hot(1));
        assert_eq!(info.record.reputation, 0);
        assert_eq!(info.record.status, Status::Active);
        assert!(happened(Event::Registered {
            operator: 1,
            owner: 1,
            hot_key: hot(1),
            bond: 200 * DOT
        }));
        // AND it is found by its hot key too
        assert_eq!(OperatorsPallet::operator(hot(1)).unwrap().account, 1);
    });
}

#[test]
fn register_should_refuse_bad_input_and_lose_nothing() {
    build_and_execute(|| {
        // GIVEN a registered operator
        register(1, 100 * DOT, BOTH, 10);
        let good = 100 * DOT;

        // THEN each of these is refused, with a reason, and changes nothing
        assert_noop!(
            OperatorsPallet::register(
                RuntimeOrigin::root(),
                good,
                hot(2),
                BOTH,
                1,
                endpoint(),
                None
            ),
            DispatchError::BadOrigin
        );
        assert_noop!(
            try_register(1, good, hot(2), BOTH, 1, None),
            Error::<Test>::AlreadyRegistered
        );
        assert_noop!(
            try_register(2, good, hot(1), BOTH, 1, None),
            Error::<Test>::HotKeyTaken
        );
        assert_noop!(
            try_register(2, good, 1, BOTH, 1, None),
            Error::<Test>::HotKeyTaken
        );
        assert_noop!(
            try_register(2, good - 1, hot(2), BOTH, 1, None),
            Error::<Test>::BondTooLow
        );
        let no_roles = Roles {
            compute: false,
            validate: false,
        };
        assert_noop!(
            try_register(2, good, hot(2), no_roles, 1, None),
            Error::<Test>::NoRole
        );
        assert_noop!(
            try_register(2, good, hot(2), BOTH, 0, None),
            Error::<Test>::InvalidCapacity
        );
        assert_noop!(
            try_register(2, good, hot(2), BOTH, params().max_capacity + 1, None),
            Error::<Test>::InvalidCapacity
        );
        assert_noop!(
            try_register(2, good, hot(2), BOTH, 1, Some(3)),
            Error::<Test>::OwnerNotApproved
        );
        assert_noop!(
            try_register(2, ENDOWMENT + 1, hot(2), BOTH, 1, None),
            TokenError::FundsUnavailable
        );
        for url in [&b""[..], b"https://a b", "https://\u{e9}".as_bytes()] {
            let bad = Endpoint {
                url: url.to_vec().try_into().unwrap(),
                tls_key: [0; 32],
            };
            assert_noop!(
                OperatorsPallet::register(
                    RuntimeOrigin::signed(2),
                    good,
                    hot(2),
                    BOTH,
                    1,
                    bad,
                    None
                ),
                Error::<Test>::InvalidEndpoint
            );
        }
    });
}

#[test]
fn register_should_refuse_when_the_account_is_a_hot_key() {
    build_and_execute(|| {
        // GIVEN an operator whose hot key is account 2
        assert_ok!(try_register(1, 100 * DOT, 2, BOTH, 1, None));

        // THEN account 2 cannot become an operator: its signatures are the other's
        assert_noop!(
            try_register(2, 100 * DOT, hot(2), BOTH, 1, None),
            Error::<Test>::IsHotKey
        );
    });
}

#[test]
fn register_should_allow_the_account_to_be_its_own_hot_key() {
    build_and_execute(|| {
        assert_ok!(try_register(1, 100 * DOT, 1, BOTH, 1, None));
        assert_eq!(HotKeys::<Test>::get(1), Some(1));
    });
}

#[test]
fn owner_should_consent_before_an_operator_names_it() {
    build_and_execute(|| {
        // GIVEN an owner that approved somebody else
        assert_ok!(OperatorsPallet::approve_operator(
            RuntimeOrigin::signed(9),
            Some(3)
        ));

        // THEN account 2 cannot name it
        assert_noop!(
            try_register(2, 100 * DOT, hot(2), BOTH, 1, Some(9)),
            Error::<Test>::OwnerNotApproved
        );

        // WHEN it approves account 2
        assert_ok!(OperatorsPallet::approve_operator(
            RuntimeOrigin::signed(9),
            Some(2)
        ));
        assert_ok!(try_register(2, 100 * DOT, hot(2), BOTH, 1, Some(9)));

        // THEN it owns it, and the approval is used up
        assert_eq!(Operators::<Test>::get(2).unwrap().owner, 9);
        assert_eq!(OwnerApprovals::<Test>::get(9), None);
        assert_noop!(
            try_register(3, 100 * DOT, hot(3), BOTH, 1, Some(9)),
            Error::<Test>::OwnerNotApproved
        );
    });
}

#[test]
fn approval_should_be_revocable() {
    build_and_execute(|| {
        assert_ok!(OperatorsPallet::approve_operator(
            RuntimeOrigin::signed(9),
            Some(2)
        ));
        assert_ok!(OperatorsPallet::approve_operator(
            RuntimeOrigin::signed(9),
            None
        ));
        assert_noop!(
            try_register(2, 100 * DOT, hot(2), BOTH, 1, Some(9)),
            Error::<Test>::OwnerNotApproved
        );
        assert!(happened(Event::OperatorApproved {
            owner: 9,
            operator: None
        }));
    });
}

#[test]
fn register_should_refuse_when_there_are_as_many_as_there_can_be() {
    build_and_execute(|| {
        // GIVEN as many operators as there can be
        let template = {
            register(1, 100 * DOT, BOTH, 1);
            Operators::<Test>::get(1).unwrap()
        };
        for n in 1..300u64 {
            let who = 100_000 + n;
            let hot_key = 200_000 + n;
            HotKeys::<Test>::insert(hot_key, who);
            OperatorsOfOwner::<Test>::insert(1, who, ());
            Operators::<Test>::insert(
                who,
                Operator {
                    hot_key,
                    ..template.clone()
                },
            );
        }

        // THEN one more is refused
        assert_noop!(
            try_register(2, 100 * DOT, hot(2), BOTH, 1, None),
            Error::<Test>::TooManyOperators
        );
    });
}

#[test]
fn bond_extra_should_raise_bond_and_weight() {
    build_and_execute(|| {
        // GIVEN an operator whose bond covers less than its capacity
        register(1, 100 * DOT, BOTH, 150);
        assert_eq!(OperatorsPallet::operator(1).unwrap().weight, 100);

        // WHEN it bonds more
        assert_ok!(OperatorsPallet::bond_extra(
            RuntimeOrigin::signed(1),
            100 * DOT
        ));

        // THEN its weight is its capacity
        assert_eq!(OperatorsPallet::operator(1).unwrap().weight, 150);
        assert!(happened(Event::BondIncreased {
            operator: 1,
            amount: 100 * DOT,
            bond: 200 * DOT
        }));
    });
}

#[test]
fn bond_extra_should_refuse_bad_input() {
    build_and_execute(|| {
        assert_noop!(
            OperatorsPallet::bond_extra(RuntimeOrigin::signed(1), DOT),
            Error::<Test>::NotOperator
        );
        register(1, 100 * DOT, BOTH, 1);
        assert_noop!(
            OperatorsPallet::bond_extra(RuntimeOrigin::signed(1), 0),
            Error::<Test>::ZeroAmount
        );
        assert_noop!(
            OperatorsPallet::bond_extra(RuntimeOrigin::signed(1), ENDOWMENT),
            TokenError::FundsUnavailable
        );
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));
        assert_noop!(
            OperatorsPallet::bond_extra(RuntimeOrigin::signed(1), DOT),
            Error::<Test>::Unbonding
        );
    });
}
