//! What happens when nobody acts in time.

use super::*;
use chasqui_primitives::ExpiryReason;
use frame_support::{assert_noop, assert_ok, traits::Hooks, weights::Weight};

/// Runs until the job's deadline is served, and the following draw.
fn run_past_deadline(id: JobId) {
    let deadline = job(id).stage.agenda_block().expect("listed");
    run_blocks(deadline - System::block_number());
}

#[test]
fn a_lapsed_deadline_is_a_missed_duty_and_redraws_up_to_three_times() {
    build_and_execute(|| {
        // GIVEN a job
        let before = free(&account(ALICE));
        let id = Request::default().submitted();
        let mut seen = Vec::new();
        // WHEN four executors in a row stay silent
        for _ in 0..4 {
            run_to_draw();
            let n = executor(id);
            // THEN each is another, and each misses a duty
            assert!(!seen.contains(&n), "{n} again after {seen:?}");
            seen.push(n);
            run_past_deadline(id);
            assert_eq!(registered(n).missed, 1);
            assert_event(Event::DeadlineMissed {
                job: id,
                executor: operator(n),
            });
            assert!(!Assignments::<Test>::contains_key(operator(n), id));
        }
        // AND then the client has everything back
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Expired(ExpiryReason::DeadlinesLapsed))
        );
        assert_eq!(free(&account(ALICE)), before);
    });
}

#[test]
fn acknowledging_does_not_excuse_from_computing() {
    build_and_execute(|| {
        // GIVEN an executor that acknowledged
        let id = Request::default().assigned();
        let n = executor(id);
        assert_ok!(acknowledge(id, &hot(n), facts(&[1, 5, 6])));
        // WHEN it does not commit THEN it misses a duty, and what it acknowledged is forgotten
        run_past_deadline(id);
        assert_eq!(registered(n).missed, 1);
        assert_eq!(job(id).acknowledged, None);
        run_to_draw();
        assert_eq!(stage(id), JobStage::Assigned);
    });
}

#[test]
fn a_deadline_that_was_kept_does_nothing() {
    build_and_execute(|| {
        // GIVEN a commitment in time
        let id = Request::default().assigned();
        let n = executor(id);
        let deadline = job(id).stage.agenda_block().expect("listed");
        assert_ok!(commit(id, answer(id)));
        // WHEN the deadline's block comes THEN nothing is missed
        run_blocks(deadline - System::block_number() + 1);
        assert_eq!(registered(n).missed, 0);
        assert_eq!(stage(id), JobStage::InAudit);
    });
}

#[test]
fn deadlines_beyond_a_blocks_weight_roll_forward_and_none_is_lost() {
    build_and_execute(|| {
        // GIVEN five jobs with the same deadline, and weight for two deadlines a block
        let jobs: Vec<_> = (0..5).map(|_| Request::default().submitted()).collect();
        run_to_draw();
        let deadline = job(jobs[0]).stage.agenda_block().expect("listed");
        run_blocks(deadline - System::block_number() - 1);
        let two = Pallet::<Test>::deadline_weight().saturating_mul(2);
        let half = two
            .saturating_add(Pallet::<Test>::base_weight())
            .saturating_add(Weight::from_parts(1_000_000_000, 0));
        ServiceWeight::set(half * 2);
        let assigned = || {
            let assigned = |id: &&JobId| stage(**id) == JobStage::Assigned;
            jobs.iter().filter(assigned).count()
        };
        // WHEN the block of the deadline comes and goes
        next_block();
        // THEN two are served, and the others, not yet served, cannot be saved
        assert_eq!(assigned(), 3);
        let waiting = *jobs
            .iter()
            .find(|id| stage(**id) == JobStage::Assigned)
            .expect("three");
        assert_noop!(
            commit(waiting, answer(waiting)),
            Error::<Test>::DeadlinePassed
        );
        Pallet::<Test>::do_try_state().expect("nothing is lost");
        // AND the next blocks serve them
        next_block();
        assert_eq!(assigned(), 1);
        next_block();
        assert_eq!(assigned(), 0);
        let missed: u32 = (0..OPERATORS).map(|n| registered(n).missed).sum();
        assert_eq!(missed, 5);
    });
}

#[test]
fn a_flood_of_deadlines_leaves_weight_for_draws() {
    build_and_execute(|| {
        // GIVEN many deadlines in one block, and a draw that is due in the same
        let jobs: Vec<_> = (0..40).map(|_| Request::default().submitted()).collect();
        run_to_draw();
        let deadline = job(jobs[0]).stage.agenda_block().expect("listed");
        run_blocks(deadline - System::block_number() - u64::from(DELAY + SPAN));
        let id = Request::default().submitted();
        let each = Pallet::<Test>::most_draw_weight().max(Pallet::<Test>::deadline_weight());
        ServiceWeight::set(each.saturating_add(Pallet::<Test>::base_weight() * 2) * 2);
        // WHEN that block comes THEN the draw happens too
        run_to_draw();
        assert_eq!(stage(id), JobStage::Assigned);
        assert!(Agenda::<Test>::iter_prefix(deadline).count() > 30);
    });
}

#[test]
fn blocks_without_anything_to_do_cost_next_to_nothing() {
    build_and_execute(|| {
        run_blocks(3);
        let now = System::block_number() + 1;
        System::set_block_number(now);
        let weight = Pallet::<Test>::on_initialize(now);
        let bound =
            Pallet::<Test>::base_weight().saturating_add(Weight::from_parts(100_000_000, 0));
        assert!(weight.all_lte(bound), "{weight:?}");
    });
}
