//! Thresholds come from drawn validators, never from the proposer.

use crate::{mock::*, *};
use chasqui_primitives::audit::AuditLimits;
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

#[test]
fn the_worst_calibration_plus_a_margin_holds() {
    build_and_execute(|| {
        // GIVEN a proposed checkpoint with three drawn validators
        let asked = propose_and_draw();
        assert_eq!(asked.len(), 3);
        for validator in &asked {
            assert_eq!(Checkpoints::calibration_duties_of(*validator), vec![ROOT]);
        }

        // WHEN they submit what they measured, one of them by its hot key
        let paid = calibrate(asked[0], thresholds(100)).unwrap().pays_fee;
        assert_ok!(calibrate(asked[1] + HOT, thresholds(300)));
        assert_eq!(Checkpoints::checkpoint(ROOT).unwrap().thresholds, None);
        assert_ok!(calibrate(asked[2], thresholds(200)));

        // THEN the worst of them plus half of it is stored, the clip as it was
        let checkpoint = Checkpoints::checkpoint(ROOT).unwrap();
        let expected = chasqui_primitives::audit::AuditThresholds {
            clip_micro: 1_000_000,
            ..mock::thresholds(450)
        };
        assert_eq!(checkpoint.thresholds, Some(expected));
        assert_eq!(checkpoint.status, Status::Calibrated);
        // AND it cost the validators nothing, and each kept a duty
        assert_eq!(paid, Pays::No);
        assert!(asked.iter().all(|who| World::operator(*who).kept == 1));
        assert!(asked
            .iter()
            .all(|who| Checkpoints::calibration_duties_of(*who).is_empty()));
        assert_eq!(Checkpoints::calibration(ROOT), None);
    });
}

#[test]
fn the_proposers_own_validators_are_not_drawn() {
    build_and_execute(|| {
        // GIVEN a proposer that owns four of six validators
        for id in 1..=4 {
            World::change(id, |operator| operator.owner = PROPOSER);
        }

        // WHEN validators are drawn
        let mut asked = propose_and_draw();

        // THEN they are the other two, and a third is still wanted
        asked.sort();
        assert_eq!(asked, vec![5, 6]);
        for validator in asked {
            assert_ok!(calibrate(validator, thresholds(1)));
        }
        assert_eq!(
            Checkpoints::checkpoint(ROOT).unwrap().status,
            Status::Calibrating
        );

        // WHEN another one begins to serve it
        World::change(7, |operator| {
            operator.owner = 7;
            operator.weight = 1;
            operator.serves = true;
        });
        run_for(params().pause_blocks() + 3);

        // THEN it soon completes the calibration
        assert_eq!(asked_now(), vec![7]);
        assert_ok!(calibrate(7, thresholds(1)));
        assert_eq!(
            Checkpoints::checkpoint(ROOT).unwrap().status,
            Status::Calibrated
        );
    });
}

fn asked_now() -> Vec<u64> {
    mock::asked()
}

#[test]
fn bad_calibrations_are_refused() {
    build_and_execute(|| {
        // GIVEN a proposed checkpoint with drawn validators
        let asked = propose_and_draw();
        let other = (1..=6).find(|who| !asked.contains(who)).unwrap();

        // WHEN a stranger, the proposer or an operator that is not drawn submits
        // THEN it is told why not
        assert_noop!(calibrate(500, thresholds(1)), Error::<Test>::NotAnOperator);
        assert_noop!(
            calibrate(PROPOSER, thresholds(1)),
            Error::<Test>::NotAnOperator
        );
        assert_noop!(calibrate(other, thresholds(1)), Error::<Test>::NotAssigned);
        assert_noop!(
            Checkpoints::calibrate(
                RuntimeOrigin::signed(asked[0]),
                sp_core::H256::zero(),
                thresholds(1)
            ),
            Error::<Test>::UnknownCheckpoint
        );

        // WHEN thresholds contradict themselves, THEN they are refused and the duty stays
        let limits = AuditLimits {
            mismatch_ppm: 5_000,
            ..thresholds(1).soft
        };
        let wrong = chasqui_primitives::audit::AuditThresholds {
            soft: limits,
            ..thresholds(1)
        };
        assert_noop!(
            calibrate(asked[0], wrong),
            Error::<Test>::InconsistentThresholds
        );
        let wrong = chasqui_primitives::audit::AuditThresholds {
            clip_micro: 0,
            ..thresholds(1)
        };
        assert_noop!(
            calibrate(asked[0], wrong),
            Error::<Test>::InconsistentThresholds
        );
        assert_eq!(Checkpoints::calibration_duties_of(asked[0]), vec![ROOT]);

        // WHEN a validator submits twice, THEN the first one counts
        assert_ok!(calibrate(asked[0], thresholds(1)));
        assert_noop!(
            calibrate(asked[0], thresholds(9)),
            Error::<Test>::AlreadySubmitted
        );
        // AND after the end nobody is assigned
        assert_ok!(calibrate(asked[1], thresholds(1)));
        assert_ok!(calibrate(asked[2], thresholds(1)));
        assert_noop!(
            calibrate(asked[2], thresholds(9)),
            Error::<Test>::NotAssigned
        );
    });
}

#[test]
fn a_silent_validator_misses_a_duty_and_is_replaced() {
    build_and_execute(|| {
        // GIVEN three drawn validators, of which one submits
        let asked = propose_and_draw();
        assert_ok!(calibrate(asked[0], thresholds(1)));

        // WHEN the others let the deadline lapse
        run_for(params().calibrate_blocks);

        // THEN they missed a duty, and cannot submit any more
        for silent in &asked[1..] {
            assert_eq!(World::operator(*silent).missed, 1);
            assert!(Checkpoints::calibration_duties_of(*silent).is_empty());
            assert_noop!(
                calibrate(*silent, thresholds(1)),
                Error::<Test>::NotAssigned
            );
        }
        // AND two are drawn anew, who complete it with what was submitted before
        run_for(3);
        let anew = asked_now();
        assert_eq!(anew.len(), 2);
        assert!(!anew.contains(&asked[0]));
        for validator in anew {
            assert_ok!(calibrate(validator, thresholds(2)));
        }
        assert_eq!(
            Checkpoints::checkpoint(ROOT).unwrap().status,
            Status::Calibrated
        );
    });
}

#[test]
fn a_calibration_that_nobody_answers_stalls_and_can_be_restarted() {
    build_and_execute(|| {
        // GIVEN a checkpoint that nobody serves
        for id in 1..=6 {
            World::change(id, |operator| operator.serves = false);
        }
        assert_ok!(propose());
        let restart = || Checkpoints::restart_calibration(RuntimeOrigin::signed(PROPOSER), ROOT);
        assert_noop!(restart(), Error::<Test>::NotStalled);

        // WHEN all rounds pass
        run_for(params().max_rounds * (params().calibrate_blocks + 3));

        // THEN it rests, and costs no block anything
        assert_eq!(
            Checkpoints::checkpoint(ROOT).unwrap().status,
            Status::Stalled
        );
        assert_eq!(Agenda::<Test>::iter().count(), 0);
        assert_noop!(
            Checkpoints::accept(RuntimeOrigin::root(), ROOT),
            Error::<Test>::NotCalibrated
        );

        // WHEN validators serve it and its proposer, nobody else, restarts it
        for id in 1..=6 {
            World::change(id, |operator| operator.serves = true);
        }
        assert_noop!(
            Checkpoints::restart_calibration(RuntimeOrigin::signed(1), ROOT),
            Error::<Test>::NotTheProposer
        );
        assert_ok!(restart());
        run_for(2);

        // THEN it goes on
        assert_eq!(asked_now().len(), 3);
    });
}

#[test]
fn a_draw_that_finds_nobody_is_repeated_soon() {
    build_and_execute(|| {
        // GIVEN a checkpoint that nobody serves yet
        for id in 1..=6 {
            World::change(id, |operator| operator.serves = false);
        }
        assert_ok!(propose());
        run_for(2);
        assert!(asked_now().is_empty());

        // WHEN validators begin to serve it
        for id in 1..=6 {
            World::change(id, |operator| operator.serves = true);
        }

        // THEN they are drawn long before a validator's deadline would have passed
        run_for(params().pause_blocks() + 2);
        assert_eq!(asked_now().len(), 3);
    });
}

#[test]
fn a_draw_waits_for_its_seed() {
    build_and_execute(|| {
        // GIVEN a relay chain that gives no seeds for a while
        World::with(|world| world.seeds_come = false);
        assert_ok!(propose());
        run_for(30);
        let CalibrationPhase::AwaitSeed { due } = calibration().phase else {
            panic!("drawn without a seed");
        };

        // WHEN the awaited one is forgotten, THEN a later one is awaited
        World::with(|world| world.forgotten = due);
        next_block();
        assert!(
            matches!(calibration().phase, CalibrationPhase::AwaitSeed { due: later } if later > due)
        );
        // AND the draw happens with it
        World::with(|world| world.seeds_come = true);
        run_for(3);
        assert_eq!(asked_now().len(), 3);
    });
}

#[test]
fn more_calibrations_than_a_block_has_room_for_roll_forward() {
    build_and_execute(|| {
        // GIVEN room for two a block, and three proposals in one block
        for byte in 1..=3u8 {
            let root = sp_core::H256::repeat_byte(byte);
            assert_ok!(Checkpoints::propose(
                RuntimeOrigin::signed(PROPOSER),
                root,
                info()
            ));
        }

        // THEN the third one waits a block longer, and all are drawn
        let wakes: Vec<_> = (1..=3u8)
            .map(|byte| {
                Calibrations::<Test>::get(sp_core::H256::repeat_byte(byte))
                    .unwrap()
                    .wake
            })
            .collect();
        assert_eq!(wakes, vec![2, 2, 3]);
        run_for(5);
        assert!(Calibrations::<Test>::iter_values()
            .all(|calibration| { matches!(calibration.phase, CalibrationPhase::Collect { .. }) }));
    });
}
