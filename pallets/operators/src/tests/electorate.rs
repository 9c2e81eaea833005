//! Who may decide a case, and when a checkpoint takes payment.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Operators as OperatorsApi, DOT};
use frame_support::assert_ok;

#[test]
fn electorate_should_be_empty_without_frozen_weights() {
    build_and_execute(|| {
        server(1, VALIDATE, 10);
        let electorate = OperatorsPallet::electorate(&MODEL, &[9]);
        assert_eq!((electorate.weight, electorate.voters), (0, 0));
        assert!(!OperatorsPallet::can_take_payment(&MODEL));
        assert_eq!(OperatorsPallet::vote_weight(0, &MODEL, &[9], &1), 0);
        assert!(OperatorsPallet::voters(0, &MODEL, &[9]).is_empty());
    });
}

#[test]
fn electorate_should_leave_out_the_subject_and_everybody_of_its_owner() {
    build_and_execute(|| {
        // GIVEN owner 9, itself an operator, with operators 1 and 2; and two others
        server(9, BOTH, 1);
        for who in [1, 2] {
            register_owned(who, 9, BOTH, 10);
            assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(who), MODEL));
        }
        server(3, VALIDATE, 30);
        server(4, VALIDATE, 40);
        next_epoch();

        // THEN neither owner nor siblings judge operator 1
        let electorate = OperatorsPallet::electorate(&MODEL, &[1]);
        assert_eq!((electorate.weight, electorate.voters), (70, 2));
        let weight = |subject, voter| {
            OperatorsPallet::vote_weight(electorate.epoch, &MODEL, &[subject], &voter)
        };
        assert_eq!((weight(1, 1), weight(1, 2), weight(1, 9)), (0, 0, 0));
        assert_eq!((weight(1, 3), weight(1, 4)), (30, 40));
        // AND operators do not judge their owner
        assert_eq!((weight(9, 1), weight(9, 3)), (0, 30));
        // AND a stranger has no weight
        assert_eq!(weight(1, 77), 0);
        // AND single weights and sums agree, whoever the subject is
        for subject in [1, 2, 3, 4, 9, 77] {
            let electorate = OperatorsPallet::electorate(&MODEL, &[subject]);
            let voters = OperatorsPallet::voters(electorate.epoch, &MODEL, &[subject]);
            assert_eq!(voters.len() as u32, electorate.voters);
            assert_eq!(
                voters.iter().map(|(_, w)| w).sum::<u64>(),
                electorate.weight
            );
            for (voter, expected) in voters {
                assert_eq!(weight(subject, voter), expected);
            }
        }
    });
}

#[test]
fn electorate_should_leave_out_the_client_and_everybody_of_its_owner() {
    build_and_execute(|| {
        // GIVEN owner 9 with operators 1 and 2, and operators 3 and 4 of their own
        for who in [1, 2] {
            register_owned(who, 9, BOTH, 10);
            assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(who), MODEL));
        }
        server(3, VALIDATE, 30);
        server(4, VALIDATE, 40);
        next_epoch();

        // WHEN operator 4's work is judged for a client that is operator 1, its hot key, its owner,
        // or its owner's other operator
        for client in [1, hot(1), 9, 2] {
            let parties = [4, client];
            let electorate = OperatorsPallet::electorate(&MODEL, &parties);

            // THEN only operator 3 is left
            assert_eq!((electorate.weight, electorate.voters), (30, 1));
            let voters = OperatorsPallet::voters(electorate.epoch, &MODEL, &parties);
            assert_eq!(voters, vec![(3, 30)]);
            let weight =
                |voter| OperatorsPallet::vote_weight(electorate.epoch, &MODEL, &parties, &voter);
            assert_eq!([1, 2, 3, 4].map(weight), [0, 0, 30, 0]);
        }

        // WHEN the client is nobody's relative THEN only the subject is left out
        assert_eq!(OperatorsPallet::electorate(&MODEL, &[4, 77]).weight, 50);
        assert_eq!(OperatorsPallet::electorate(&MODEL, &[4]).weight, 50);
    });
}

#[test]
fn electorate_should_stay_frozen_while_a_case_runs() {
    build_and_execute(|| {
        // GIVEN the electorate of a case
        server(1, BOTH, 10);
        server(2, VALIDATE, 20);
        next_epoch();
        let opened = OperatorsPallet::electorate(&MODEL, &[1]);

        // WHEN weights change while it runs
        server(3, VALIDATE, 1_000);
        assert_ok!(OperatorsPallet::unserve(RuntimeOrigin::signed(2), MODEL));
        next_epoch();

        // THEN the case still has its electorate, and the next case the new one
        let voters = OperatorsPallet::voters(opened.epoch, &MODEL, &[1]);
        assert_eq!(voters, vec![(2, 20)]);
        assert_eq!(
            OperatorsPallet::vote_weight(opened.epoch, &MODEL, &[1], &3),
            0
        );
        assert_eq!(OperatorsPallet::electorate(&MODEL, &[1]).weight, 1_000);
    });
}

#[test]
fn checkpoint_should_take_payment_only_with_enough_owners() {
    build_and_execute(|| {
        // GIVEN a minimum of two owners, and two operators of one
        for who in [1, 2] {
            register_owned(who, 9, VALIDATE, 10);
            assert_ok!(OperatorsPallet::serve(RuntimeOrigin::signed(who), MODEL));
        }
        next_epoch();
        assert!(!OperatorsPallet::can_take_payment(&MODEL));

        // WHEN another owner's joins
        server(3, VALIDATE, 1);
        assert!(!OperatorsPallet::can_take_payment(&MODEL));
        next_epoch();

        // THEN it does
        assert!(OperatorsPallet::can_take_payment(&MODEL));
        assert!(OperatorsPallet::takes_payment(MODEL));
    });
}

#[test]
fn checkpoint_should_take_payment_only_with_a_third_of_all_weight() {
    build_and_execute(|| {
        // GIVEN two validators with 10 of 31, which is below a third
        server(1, VALIDATE, 5);
        server(2, VALIDATE, 5);
        register(3, 1_000 * DOT, VALIDATE, 21);
        next_epoch();
        assert!(!OperatorsPallet::can_take_payment(&MODEL));

        // WHEN the others have 20, THEN 10 of 30 is a third
        assert_ok!(OperatorsPallet::set_capacity(RuntimeOrigin::signed(3), 20));
        next_epoch();
        assert!(OperatorsPallet::can_take_payment(&MODEL));
    });
}

#[test]
fn empty_electorate_should_never_take_payment() {
    build_and_execute(|| {
        // GIVEN parameters that ask for no share at all, and no validator anywhere
        assert_ok!(OperatorsPallet::set_params(
            RuntimeOrigin::root(),
            Params {
                minimum_electorate: sp_runtime::Perbill::zero(),
                minimum_owners: 1,
                ..params()
            }
        ));
        server(1, COMPUTE, 10);
        next_epoch();
        assert_eq!(
            OperatorsPallet::frozen(Role::Validate, MODEL)
                .unwrap()
                .weight,
            0
        );

        // THEN zero of zero is not enough
        assert!(!OperatorsPallet::can_take_payment(&MODEL));
        assert!(!OperatorsPallet::can_take_payment(&OTHER_MODEL));
    });
}
