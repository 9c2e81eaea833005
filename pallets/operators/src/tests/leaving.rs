//! Unbonding, withdrawing, and what stays bound meanwhile.

use crate::{mock::*, *};
use chasqui_primitives::{
    traits::{AuditRecord, Operators as OperatorsApi},
    DOT,
};
use frame_support::{assert_noop, assert_ok};

fn withdraw(who: AccountId) -> DispatchResultWithPostInfo {
    OperatorsPallet::withdraw(RuntimeOrigin::signed(who))
}

#[test]
fn withdraw_should_return_the_whole_bond_after_unbonding() {
    build_and_execute(|| {
        // GIVEN an operator that leaves
        server(1, BOTH, 1);
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));
        assert!(happened(Event::UnbondingStarted {
            operator: 1,
            until: 31
        }));

        // THEN its bond stays until unbonding is over, and nobody was told that it left
        run_blocks(29);
        assert!(Left::get().is_empty());
        assert_noop!(withdraw(1), Error::<Test>::StillUnbonding);
        assert_eq!(bond(1), 1_000 * DOT);

        // WHEN it is over
        run_blocks(1);
        assert_ok!(withdraw(1));

        // THEN everything is back and nothing of it is left
        assert_eq!(Balances::free_balance(1), ENDOWMENT);
        assert_eq!(OperatorsPallet::operator(1), None);
        assert_eq!(OperatorsPallet::by_signer(&hot(1)), None);
        assert_eq!(Servers::<Test>::iter().count(), 0);
        assert_eq!(Left::get(), [1]);
        assert!(happened(Event::Withdrawn {
            operator: 1,
            amount: 1_000 * DOT
        }));
    });
}

#[test]
fn withdraw_should_refuse_while_a_matter_is_open() {
    build_and_execute(|| {
        // GIVEN an operator past its unbonding time, with an audit of its work open
        register(1, 100 * DOT, BOTH, 1);
        assert_ok!(<OperatorsPallet as OperatorsApi<_>>::add_liability(&1));
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));
        run_blocks(100);

        // THEN it cannot take its bond
        assert_noop!(withdraw(1), Error::<Test>::HasLiabilities);

        // WHEN the matter closes
        <OperatorsPallet as OperatorsApi<_>>::remove_liability(&1);
        // THEN it can
        assert_ok!(withdraw(1));
    });
}

#[test]
fn withdraw_and_unbond_should_refuse_bad_input() {
    build_and_execute(|| {
        assert_noop!(withdraw(1), Error::<Test>::NotOperator);
        assert_noop!(
            OperatorsPallet::unbond(RuntimeOrigin::signed(1)),
            Error::<Test>::NotOperator
        );
        register(1, 100 * DOT, BOTH, 1);
        assert_noop!(withdraw(1), Error::<Test>::NotUnbonding);
        assert_noop!(
            OperatorsPallet::unbond(RuntimeOrigin::signed(hot(1))),
            Error::<Test>::NotOperator
        );
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));
        assert_noop!(
            OperatorsPallet::unbond(RuntimeOrigin::signed(1)),
            Error::<Test>::Unbonding
        );
        assert_noop!(
            <OperatorsPallet as OperatorsApi<_>>::add_liability(&7),
            Error::<Test>::NotOperator
        );
    });
}

#[test]
fn slash_should_reach_an_unbonding_bond() {
    build_and_execute(|| {
        // GIVEN an operator that lied and runs
        register(1, 100 * DOT, BOTH, 1);
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));
        let until = status(1);

        // WHEN the lie is proven
        let taken = OperatorsPallet::slash(&1, Offence::FalseResult, None, None, &[]);

        // THEN it pays, and keeps leaving at the time it was to leave
        assert_eq!(taken, 30 * DOT);
        assert_eq!(bond(1), 70 * DOT);
        assert_eq!(status(1), until);
        run_blocks(30);
        assert_ok!(withdraw(1));
        assert_eq!(Balances::free_balance(1), ENDOWMENT - 30 * DOT);
    });
}

#[test]
fn registering_again_should_gain_nothing() {
    build_and_execute(|| {
        // GIVEN an operator with reputation that leaves
        register(1, 100 * DOT, BOTH, 1);
        OperatorsPallet::record_audit(&1, AuditRecord::Valid { units: 100 });
        assert!(!<OperatorsPallet as OperatorsApi<_>>::reputation(&1).is_zero());
        assert_ok!(OperatorsPallet::unbond(RuntimeOrigin::signed(1)));

        // THEN it cannot register beside its unbonding self
        let again = || {
            OperatorsPallet::register(
                RuntimeOrigin::signed(1),
                100 * DOT,
                hot(1),
                BOTH,
                1,
                endpoint(),
                None,
            )
        };
        assert_noop!(again(), Error::<Test>::AlreadyRegistered);

        // WHEN it has left and comes back
        run_blocks(30);
        assert_ok!(withdraw(1));
        assert_ok!(again());

        // THEN it starts at zero
        assert!(<OperatorsPallet as OperatorsApi<_>>::reputation(&1).is_zero());
    });
}
