//! No calibrator makes audits toothless.

use crate::{mock::*, *};
use chasqui_primitives::audit::AuditThresholds;
use frame_support::{assert_noop, assert_ok};

/// The default ceiling with one field raised by one.
fn one_beyond() -> Vec<AuditThresholds> {
    let fields: [fn(&mut AuditThresholds) -> &mut u32; 11] = [
        |t| &mut t.boundary_micro,
        |t| &mut t.clip_micro,
        |t| &mut t.evidence_tau,
        |t| &mut t.soft.mean_margin_micro,
        |t| &mut t.soft.max_margin_micro,
        |t| &mut t.soft.mismatch_ppm,
        |t| &mut t.soft.fingerprint_milli,
        |t| &mut t.hard.mean_margin_micro,
        |t| &mut t.hard.max_margin_micro,
        |t| &mut t.hard.mismatch_ppm,
        |t| &mut t.hard.fingerprint_milli,
    ];
    let beyond = |field: fn(&mut AuditThresholds) -> &mut u32| {
        let mut thresholds = CEILING;
        *field(&mut thresholds) += 1;
        thresholds
    };
    fields.map(beyond).to_vec()
}

#[test]
fn a_calibration_beyond_the_ceiling_is_refused_and_the_duty_stays() {
    build_and_execute(|| {
        // GIVEN drawn validators
        let asked = propose_and_draw();
        // WHEN one submits thresholds that let anything pass, in whatever field
        for thresholds in one_beyond() {
            assert_noop!(
                calibrate(asked[0], thresholds),
                Error::<Test>::BeyondCeiling
            );
        }
        // THEN it still has to calibrate
        assert_eq!(Checkpoints::calibration_duties_of(asked[0]), vec![ROOT]);
        assert_ok!(calibrate(asked[0], thresholds(1)));
    });
}

#[test]
fn the_margin_does_not_lift_thresholds_above_the_ceiling() {
    build_and_execute(|| {
        // GIVEN calibrations at the ceiling, WHEN a margin of half is added
        for validator in propose_and_draw() {
            assert_ok!(calibrate(validator, CEILING));
        }
        // THEN the ceiling holds
        let checkpoint = Checkpoints::checkpoint(ROOT).unwrap();
        assert_eq!(checkpoint.thresholds, Some(CEILING));
    });
}

#[test]
fn the_admin_sets_the_ceiling() {
    build_and_execute(|| {
        // GIVEN a ceiling of its own
        let ceiling = thresholds(100);
        assert_ok!(Checkpoints::set_params(
            RuntimeOrigin::root(),
            Params {
                ceiling,
                ..params()
            }
        ));
        let asked = propose_and_draw();
        // THEN it is what holds
        assert_noop!(
            calibrate(asked[0], thresholds(101)),
            Error::<Test>::BeyondCeiling
        );
        assert_ok!(calibrate(asked[0], ceiling));
        // WHEN it contradicts itself THEN it is refused
        let mut ceiling = CEILING;
        ceiling.soft.mismatch_ppm = ceiling.hard.mismatch_ppm + 1;
        assert_noop!(
            Checkpoints::set_params(
                RuntimeOrigin::root(),
                Params {
                    ceiling,
                    ..params()
                }
            ),
            Error::<Test>::InvalidParams
        );
    });
}

#[test]
fn operators_of_the_proposers_owner_are_not_drawn() {
    build_and_execute(|| {
        // GIVEN a proposer that is itself an operator of owner 1, who has validators 1 to 4
        for id in 1..=4 {
            World::change(id, |operator| operator.owner = 1);
        }
        World::change(PROPOSER, |operator| operator.owner = 1);
        // WHEN validators are drawn
        let mut asked = propose_and_draw();
        // THEN they are the other two
        asked.sort();
        assert_eq!(asked, vec![5, 6]);
    });
}
