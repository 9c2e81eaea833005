//! Wrong accounts get a clear error and change nothing.

use crate::{mock::*, *};
use chasqui_primitives::training::Phase;
use frame_support::{assert_noop, assert_ok};

#[test]
fn strangers_can_call_nothing_of_members() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 3);
        let who = || signed(STRANGER);
        let error = || Error::<Test>::NotAnOperator;
        let report = report(0, run, 0);
        assert_noop!(Training::join(who(), run, H256::zero()), error());
        assert_noop!(Training::heartbeat(who(), run), error());
        assert_noop!(Training::leave(who(), run), error());
        assert_noop!(Training::commit(who(), run, 0, H256::zero()), error());
        assert_noop!(Training::reveal(who(), run, 0, report, [0; 32]), error());
        assert_noop!(Training::attest(who(), run, 0, Ranks::none(3)), error());
        assert_noop!(Training::agree(who(), run, 0, model(run, 0, 0)), error());
        assert_noop!(
            Training::commit(RuntimeOrigin::root(), run, 0, H256::zero()),
            DispatchError::BadOrigin
        );
    });
}

#[test]
fn operators_that_are_no_members_can_call_nothing_of_theirs() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 3);
        serve(7, run);
        assert_noop!(
            Training::heartbeat(signed(7), run),
            Error::<Test>::NotMember
        );
        assert_noop!(Training::leave(signed(7), run), Error::<Test>::NotMember);
        assert_noop!(commit(7, run), Error::<Test>::NotMember);
        go_to(run, |phase| matches!(phase, Phase::Exchange { .. }));
        assert_noop!(reveal(7, run), Error::<Test>::NotMember);
        go_to(run, |phase| matches!(phase, Phase::Attest { .. }));
        assert_noop!(attest(7, run, 0..3), Error::<Test>::NotMember);
        go_to(run, |phase| matches!(phase, Phase::Agree { .. }));
        assert_noop!(agree(7, run, 0), Error::<Test>::NotMember);
        // Not even a validator that serves the run.
        serve(20, run);
        assert_noop!(agree(20, run, 0), Error::<Test>::NotMember);
    });
}

#[test]
fn commitment_of_a_hot_key_is_its_operators() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 3);
        let report = report(0, run, 0);
        let sealed = report.commitment(&Training::genesis(), &0, run, 0, &salt(0));
        assert_ok!(Training::commit(signed(100), run, 0, sealed));
        assert_noop!(
            call(|| Training::commit(signed(0), run, 0, sealed)),
            Error::<Test>::AlreadyCommitted
        );
    });
}

#[test]
fn only_admin_sets_parameters_and_none_is_free() {
    build_and_execute(|| {
        assert_noop!(
            Training::set_params(signed(0), params()),
            DispatchError::BadOrigin
        );
        for params in [
            Params {
                member_deposit: 0,
                ..params()
            },
            Params {
                challenge_deposit: 0,
                ..params()
            },
            Params {
                evaluation_deposit: 0,
                ..params()
            },
        ] {
            assert_noop!(
                Training::set_params(RuntimeOrigin::root(), params),
                Error::<Test>::InvalidParams
            );
        }
        // GIVEN a member WHEN deposits change THEN it gets back what it put up
        let run = create(terms(1, 2, 4));
        assert_ok!(join(0, run));
        let higher = Params {
            member_deposit: 9 * MEMBER_DEPOSIT,
            ..params()
        };
        assert_ok!(Training::set_params(RuntimeOrigin::root(), higher));
        assert_eq!(Training::params(), higher);
        assert_ok!(Training::leave(signed(0), run));
        assert_eq!(free(0), FUNDS);
    });
}
