//! Runs that come to nothing, or are called off: members are let go, and the money returns.

use crate::{mock::*, *};
use chasqui_primitives::{training::Phase, traits::TrainingFund};
use frame_support::{assert_noop, assert_ok};

/// A run that is over has nothing any more.
fn is_clean(run: RunId) {
    assert!(phase(run).is_over());
    assert_eq!(FakeFund::reserved(run), 0);
    assert!(!Uses::contains_key((DATASET, run)));
    assert!(!Training::is_live_root(&around(run).root));
    assert_eq!(Training::members(run), vec![]);
    assert_eq!(Seats::<Test>::iter_prefix(run).count(), 0);
    assert_eq!(Interested::<Test>::iter_prefix(run).count(), 0);
    assert_eq!(Rounds::<Test>::iter_prefix(run).count(), 0);
    assert_eq!(Contributions::<Test>::iter_prefix((run,)).count(), 0);
    assert_eq!(Revealed::<Test>::iter_prefix((run,)).count(), 0);
    assert_eq!(Votes::<Test>::iter_prefix((run,)).count(), 0);
    assert_eq!(Times::<Test>::iter_prefix(run).count(), 0);
    assert_eq!(Tallies::<Test>::iter_prefix(run).count(), 0);
    for who in COMPUTE {
        assert_eq!(held(HoldReason::Member, who), 0);
        assert_eq!(operator(who).liabilities, 0);
    }
}

#[test]
fn run_with_too_few_members_fails_and_returns_its_budget() {
    build_and_execute(|| {
        // GIVEN a run that wants three members, and gets two
        let before = FakeFund::free();
        let run = create(terms(3, 3, 4));
        gather(run, 2);
        // WHEN it has waited long enough
        run_for(u64::from(terms(3, 3, 4).timing.idle_blocks) + 10);
        // THEN it is over
        assert_eq!(phase(run), Phase::Failed(Failure::Idle));
        assert!(happened(Event::Ended {
            run,
            failed: Some(Failure::Idle),
            returned: 3 * ROUND_PAY
        }));
        assert_eq!(FakeFund::free(), before);
        is_clean(run);
    });
}

#[test]
fn run_whose_members_leave_gathers_again() {
    build_and_execute(|| {
        let run = training(terms(3, 2, 4), 3);
        (0..2).for_each(|who| ok(Training::leave(signed(who), run)));
        go_until(
            run,
            |_| Decision::Valid,
            |head| head.phase == Phase::Forming,
        );
        assert_eq!(head(run).active, 1);
        // WHEN others come THEN it goes on
        for who in 6..8 {
            assert_ok!(join(who, run));
            assert_ok!(Training::heartbeat(signed(who), run));
        }
        go_to(run, |phase| phase == Phase::Finished);
        is_clean(run);
    });
}

#[test]
fn silent_members_make_rounds_void_until_the_run_fails() {
    build_and_execute(|| {
        let before = FakeFund::free();
        let run = training(terms(9, 2, 4), 3);
        wait_for(run, |phase| phase.is_over());
        // Those who miss too much are dropped first.
        assert_eq!(phase(run), Phase::Failed(Failure::Idle));
        assert!(happened(Event::RoundVoid { run, round: 1 }));
        assert_eq!(FakeFund::free(), before);
        assert_eq!(operator(0).missed, 2);
        is_clean(run);
    });
}

#[test]
fn too_many_void_rounds_in_a_row_end_a_run() {
    build_and_execute(|| {
        // GIVEN members who commit and reveal, but hold nobody's work
        let run = training(terms(9, 2, 4), 3);
        for _ in 0..200 {
            (0..3).for_each(|who| ok(act(who, run, true)));
            run_for(1);
        }
        assert_eq!(phase(run), Phase::Failed(Failure::Void));
        assert_eq!(head(run).round, 3);
        assert_eq!(operator(0).kept, 3);
        is_clean(run);
    });
}

#[test]
fn model_without_a_majority_makes_a_round_void() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 4);
        go_to(run, |phase| matches!(phase, Phase::Agree { .. }));
        (0..2).for_each(|who| ok(agree(who, run, 0)));
        (2..4).for_each(|who| ok(agree(who, run, 1)));
        wait_for(run, |phase| phase.is_over());
        assert_eq!(phase(run), Phase::Failed(Failure::Nothing));
        is_clean(run);
    });
}

#[test]
fn only_admin_calls_a_run_off_and_only_one_that_is_there() {
    build_and_execute(|| {
        let run = create(terms(2, 2, 4));
        assert_noop!(
            Training::cancel_run(signed(0), run),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Training::cancel_run(RuntimeOrigin::root(), 7),
            Error::<Test>::NoSuchRun
        );
    });
}

#[test]
fn cancelled_run_finishes_what_was_agreed_on_and_nothing_else() {
    for late in [false, true] {
        build_and_execute(|| {
            // GIVEN a second round under way, while the first may be challenged
            let before = FakeFund::free();
            let run = training(terms(5, 2, 4), 4);
            go_until(
                run,
                |_| Decision::Valid,
                |head| head.pending.is_some() && matches!(head.phase, Phase::Train { .. }),
            );
            if late {
                go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
            }
            // WHEN the run is called off
            assert_ok!(Training::cancel_run(RuntimeOrigin::root(), run));
            assert!(happened(Event::Cancelled { run }));
            wait_for(run, |phase| phase.is_over());
            // THEN the first is paid, the second void, and the rest returns
            assert_eq!(phase(run), Phase::Failed(Failure::Cancelled));
            assert_eq!(head(run).finals, 1);
            assert_eq!(FakeFund::free(), before - ROUND_PAY);
            // What is in audit stays until its cases close.
            for (case, _) in OpenCases::iter().collect::<Vec<_>>() {
                close(case, Decision::Valid);
            }
            is_clean(run);
        });
    }
}

#[test]
fn finished_run_leaves_nothing_behind() {
    build_and_execute(|| {
        let before = FakeFund::free();
        let run = training(terms(3, 2, 4), 4);
        go_to(run, |phase| phase == Phase::Finished);
        assert_eq!(head(run).finals, 3);
        assert_eq!(FakeFund::free(), before - 3 * ROUND_PAY);
        is_clean(run);
        // What it was stays.
        assert!(Training::run(run).is_some());
        assert_eq!(around(run).ended_at, Some(System::block_number() as u32));
    });
}

#[test]
fn seeds_that_were_lost_are_asked_for_again() {
    build_and_execute(|| {
        // GIVEN a round that waits for its seed
        let run = create(terms(1, 2, 4));
        gather(run, 3);
        wait_for(run, |phase| matches!(phase, Phase::Seed));
        NoSeeds::put(true);
        run_for(10);
        assert_eq!(phase(run), Phase::Seed);
        // WHEN it has left the ring
        Forgotten::put(System::block_number() as u32);
        NoSeeds::put(false);
        // THEN a later one decides
        wait_for(run, |phase| matches!(phase, Phase::Train { .. }));
        let due = |seed: AwaitedSeed| seed.due;
        assert_eq!(around(run).seed.map(due), None);
    });
}
