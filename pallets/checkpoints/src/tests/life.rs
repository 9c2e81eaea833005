//! From acceptance to retirement: terms and prices.

use crate::{mock::*, *};
use chasqui_primitives::{traits::Checkpoints as _, NumericProfile};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError::BadOrigin;

#[test]
fn an_accepted_checkpoint_has_terms() {
    build_and_execute(|| {
        // GIVEN a calibrated checkpoint, WHEN the admin accepts it
        accepted();

        // THEN its terms are those of its description, its calibration and the running price
        let terms = Checkpoints::terms(&ROOT).unwrap();
        assert_eq!(terms.unit_price, 7);
        assert_eq!(
            (terms.units_per_prompt_token, terms.units_per_output_token),
            (1, 3)
        );
        assert_eq!((terms.context_tokens, terms.vocabulary), (256, 512));
        assert_eq!(terms.profile, NumericProfile::F32);
        assert_eq!(terms.end_tokens.to_vec(), vec![2]);
        assert_eq!(terms.thresholds.soft.mismatch_ppm, 150);
        assert_eq!(Checkpoints::price(ROOT), Some(7));
        assert_eq!(held(), DEPOSIT);
    });
}

#[test]
fn only_calibrated_checkpoints_are_accepted_and_only_by_the_admin() {
    build_and_execute(|| {
        let accept = || Checkpoints::accept(RuntimeOrigin::root(), ROOT);
        // GIVEN nothing, WHEN it is accepted, THEN it is unknown
        assert_noop!(accept(), Error::<Test>::UnknownCheckpoint);
        // GIVEN a proposal, THEN it is not calibrated
        let asked = propose_and_draw();
        assert_noop!(accept(), Error::<Test>::NotCalibrated);
        for validator in asked {
            assert_ok!(calibrate(validator, thresholds(1)));
        }
        // GIVEN a calibrated one, THEN anybody but the admin is refused
        assert_noop!(
            Checkpoints::accept(RuntimeOrigin::signed(PROPOSER), ROOT),
            BadOrigin
        );
        assert_ok!(accept());
        // AND it is accepted once
        assert_noop!(accept(), Error::<Test>::NotProposed);
        assert_noop!(
            Checkpoints::reject(RuntimeOrigin::root(), ROOT),
            Error::<Test>::NotProposed
        );
    });
}

#[test]
fn terms_follow_the_running_price() {
    build_and_execute(|| {
        // GIVEN a proposal THEN it has no price
        assert_ok!(propose());
        assert_eq!(Checkpoints::price(ROOT), None);
        assert_ok!(Checkpoints::reject(RuntimeOrigin::root(), ROOT));
        // GIVEN an accepted one, WHEN a unit costs something else, THEN terms follow
        accepted();
        UnitPrice::set(8);
        assert_eq!(Checkpoints::terms(&ROOT).unwrap().unit_price, 8);
        assert_eq!(Checkpoints::price(ROOT), Some(8));
    });
}

#[test]
fn a_retired_checkpoint_takes_nothing_and_can_come_back() {
    build_and_execute(|| {
        // GIVEN an accepted checkpoint
        accepted();
        assert_noop!(
            Checkpoints::retire(RuntimeOrigin::signed(PROPOSER), ROOT),
            BadOrigin
        );

        // WHEN the admin retires it
        assert_ok!(Checkpoints::retire(RuntimeOrigin::root(), ROOT));

        // THEN it has no terms, cannot be declared, and the deposit is back
        assert_eq!(Checkpoints::terms(&ROOT), None);
        assert_eq!(Checkpoints::price(ROOT), None);
        assert!(!Checkpoints::exists(&ROOT));
        assert_eq!(held(), 0);
        assert_noop!(
            Checkpoints::retire(RuntimeOrigin::root(), ROOT),
            Error::<Test>::NotAccepted
        );

        // WHEN it is proposed again, THEN it is calibrated again
        assert_ok!(propose());
        assert_eq!(held(), DEPOSIT);
        assert_eq!(Checkpoints::checkpoint(ROOT).unwrap().thresholds, None);
    });
}

#[test]
fn the_admin_sets_parameters_within_their_ranges() {
    build_and_execute(|| {
        // GIVEN impossible parameters, WHEN they are set, THEN nothing changes
        for wrong in [
            Params {
                calibrators: 0,
                ..params()
            },
            Params {
                calibrators: 9,
                ..params()
            },
            Params {
                margin_percent: Params::MAX_MARGIN_PERCENT + 1,
                ..params()
            },
            Params {
                calibrate_blocks: 0,
                ..params()
            },
            Params {
                max_rounds: 0,
                ..params()
            },
        ] {
            assert_noop!(
                Checkpoints::set_params(RuntimeOrigin::root(), wrong),
                Error::<Test>::InvalidParams
            );
        }
        assert_noop!(
            Checkpoints::set_params(RuntimeOrigin::signed(1), params()),
            BadOrigin
        );
        // GIVEN possible ones, THEN the next proposal follows them
        let changed = Params {
            calibrators: 1,
            ..params()
        };
        assert_ok!(Checkpoints::set_params(
            RuntimeOrigin::root(),
            changed.clone()
        ));
        assert_eq!(Checkpoints::params(), changed);
        assert_eq!(propose_and_draw().len(), 1);
    });
}
