//! Who computes, and whether it is audited, is decided by seeds that did not exist before.

use super::*;
use chasqui_primitives::{
    traits::{Randomness, SeedExpired},
    ExpiryReason,
};
use frame_support::{traits::Hooks, weights::Weight};

#[test]
fn the_executor_is_drawn_by_a_seed_that_did_not_exist_at_submission() {
    // GIVEN the same submission in two worlds that differ only in later relay blocks
    let drawn = |entropy: u64| {
        let mut who = 0;
        build_and_execute(|| {
            let id = Request::default().submitted();
            let ticket = job(id).stage.ticket().expect("waits");
            let due = Draws::<Test>::get(ticket).expect("waits").due;
            assert_eq!(FakeRandomness::seed(due), Ok(None), "nobody knows the seed");
            Entropy::put(entropy);
            run_to_draw();
            who = executor(id);
        });
        who
    };
    // WHEN the draw happens THEN those later blocks decide it, not the client
    let executors: std::collections::BTreeSet<_> = (0..40).map(drawn).collect();
    assert!(executors.len() > 3, "{executors:?}");
}

#[test]
fn the_draw_happens_in_a_later_block_and_not_before_its_seed() {
    build_and_execute(|| {
        // GIVEN a job
        let id = Request::default().submitted();
        // WHEN all but the last block until the seed have passed THEN nobody is drawn
        run_blocks(u64::from(DELAY + SPAN) - 1);
        assert_eq!(stage(id), JobStage::Submitted);
        // WHEN the seed is there THEN somebody is
        next_block();
        let n = executor(id);
        assert_event(Event::ExecutorDrawn {
            job: id,
            executor: operator(n),
            deadline: System::block_number() + params().acknowledge_blocks,
        });
        assert!(Assignments::<Test>::contains_key(operator(n), id));
    });
}

#[test]
fn draws_follow_weights() {
    build_and_execute(|| {
        // GIVEN two operators, one with three times the weight of the other
        let weights = [30, 10];
        for n in 0..OPERATORS {
            let weight = weights.get(n as usize).copied().unwrap_or(0);
            Registry::mutate_exists(operator(n), |o| o.as_mut().expect("known").weight = weight);
        }
        // WHEN many jobs are drawn in one block
        ServiceWeight::set(Weight::from_parts(1 << 50, 1 << 40));
        let jobs: Vec<_> = (0..400).map(|_| Request::default().submitted()).collect();
        run_to_draw();
        // THEN it has about three quarters of them: five standard deviations are 43
        let first = jobs.iter().filter(|id| executor(**id) == 0).count();
        assert!((257..=343).contains(&first), "{first} of 400");
    });
}

#[test]
fn whoever_gains_by_cheating_is_not_eligible() {
    build_and_execute(|| {
        // GIVEN operators whose bond is less than the job pays, but for one
        for n in 0..OPERATORS {
            let slashable = if n == 4 { 1_000 } else { 300 };
            Registry::mutate_exists(operator(n), |operator| {
                operator.as_mut().expect("known").slashable = slashable
            });
        }
        // WHEN jobs of 350 planck are drawn, one at a time, THEN that one has them all
        for _ in 0..5 {
            let (id, case) = Request::default().in_audit();
            assert_eq!(executor(id), 4);
            close(case, Decision::Undecided);
        }
    });
}

#[test]
fn without_an_executor_the_job_ends_and_the_client_has_everything_back() {
    build_and_execute(|| {
        // GIVEN a checkpoint that nobody computes with
        let before = free(&account(ALICE));
        let request = Request {
            checkpoint: UNSERVED,
            ..Default::default()
        };
        let id = request.submitted();
        // WHEN the draw finds nobody
        run_to_draw();
        // THEN the job has expired, at no cost
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Expired(ExpiryReason::NoExecutor))
        );
        assert_eq!(free(&account(ALICE)), before);
    });
}

#[test]
fn the_audit_is_drawn_by_a_seed_that_did_not_exist_at_the_commitment() {
    // GIVEN the same commitment by an operator of full reputation in many worlds
    let audited = |entropy: u64| {
        let mut audited = false;
        build_and_execute(|| {
            let id = Request::default().assigned();
            Registry::mutate_exists(operator(executor(id)), |operator| {
                operator.as_mut().expect("known").reputation = Perbill::one()
            });
            commit(id, answer(id)).expect("good");
            let ticket = job(id).stage.ticket().expect("waits");
            let due = Draws::<Test>::get(ticket).expect("waits").due;
            assert_eq!(FakeRandomness::seed(due), Ok(None), "nobody knows the seed");
            Entropy::put(entropy);
            run_to_draw();
            audited = stage(id) == JobStage::InAudit;
            if let Stage::InAudit { case } = job(id).stage {
                // AND panel and projections come from that very seed
                let seed = OpenCases::get(case).expect("open").2;
                assert_eq!(FakeRandomness::seed(due), Ok(Some(seed)));
            }
        });
        audited
    };
    // WHEN the audit is drawn THEN what came later decides, about one time in ten
    let count = (1..=100).filter(|entropy| audited(*entropy)).count();
    assert!((1..=25).contains(&count), "{count} of 100");
}

#[test]
fn draws_beyond_a_blocks_weight_wait_in_order_for_the_next() {
    build_and_execute(|| {
        // GIVEN weight for one draw that asks one candidate and one that may ask the most, and five that are due together
        let weight = Pallet::<Test>::base_weight()
            .saturating_add(Pallet::<Test>::executor_draw_weight(1))
            .saturating_add(Pallet::<Test>::most_draw_weight());
        ServiceWeight::set(weight);
        let jobs: Vec<_> = (0..5).map(|_| Request::default().submitted()).collect();
        let waiting = || {
            jobs.iter()
                .map(|id| stage(*id) == JobStage::Submitted)
                .collect::<Vec<_>>()
        };
        // WHEN blocks go by THEN two are served in each, the oldest first, and none is lost
        run_to_draw();
        assert_eq!(waiting(), [false, false, true, true, true]);
        next_block();
        assert_eq!(waiting(), [false, false, false, false, true]);
        next_block();
        assert_eq!(waiting(), [false; 5]);
    });
}

#[test]
fn a_draw_weighs_as_many_candidates_as_it_looked_at() {
    build_and_execute(|| {
        // GIVEN operators of whom nobody has enough at stake for a job
        for n in 0..OPERATORS {
            Registry::mutate_exists(operator(n), |operator| {
                operator.as_mut().expect("known").slashable = 1
            });
        }
        let id = Request::default().submitted();
        run_blocks(u64::from(DELAY + SPAN) - 1);
        // WHEN the draw happens
        let now = System::block_number() + 1;
        System::set_block_number(now);
        let weight = Pallet::<Test>::on_initialize(now);
        // THEN it has asked all of them, and the block's weight says so
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Expired(ExpiryReason::NoExecutor))
        );
        let asked = Pallet::<Test>::executor_draw_weight(OPERATORS as u32);
        assert_eq!(weight, Pallet::<Test>::base_weight().saturating_add(asked));
        assert!(asked.all_gt(Pallet::<Test>::executor_draw_weight(1)));
    });
}

#[test]
fn the_draw_of_a_panel_weighs_what_the_audits_pallet_says() {
    build_and_execute(|| {
        // GIVEN a commitment that is audited for certain, and a panel whose draw looks at many
        let passed_over = Weight::from_parts(123_456, 789);
        PassedOver::set(passed_over);
        let id = Request::default().committed();
        run_blocks(u64::from(DELAY + SPAN) - 1);
        // WHEN the case is opened
        let now = System::block_number() + 1;
        System::set_block_number(now);
        let weight = Pallet::<Test>::on_initialize(now);
        // THEN the block's weight counts both
        assert_eq!(stage(id), JobStage::InAudit);
        let expected = Pallet::<Test>::base_weight()
            .saturating_add(<Test as Config>::WeightInfo::draw_audit())
            .saturating_add(passed_over);
        assert_eq!(weight, expected);
    });
}

#[test]
fn cancelled_jobs_do_not_hold_up_the_queue() {
    build_and_execute(|| {
        // GIVEN many cancelled jobs before one that stands, and weight for one draw a block
        for _ in 0..50 {
            let id = Request::default().submitted();
            dispatch(Call::cancel { job: id }, &account(ALICE)).expect("not due");
        }
        let id = Request::default().submitted();
        let each = Pallet::<Test>::most_draw_weight().max(Pallet::<Test>::deadline_weight());
        ServiceWeight::set(each.saturating_add(Pallet::<Test>::base_weight()) * 2);
        // WHEN its seed is there THEN it is drawn
        run_to_draw();
        assert_eq!(stage(id), JobStage::Assigned);
    });
}

#[test]
fn a_draw_whose_seed_is_forgotten_is_announced_again() {
    build_and_execute(|| {
        // GIVEN a queue that stands still until the seed has left the ring
        let id = Request::default().submitted();
        let first = job(id).stage.ticket().expect("waits");
        let due = Draws::<Test>::get(first).expect("waits").due;
        let weight = ServiceWeight::get();
        ServiceWeight::set(Weight::zero());
        run_blocks(20);
        History::put(5);
        assert_eq!(FakeRandomness::seed(due), Err(SeedExpired));
        // WHEN it moves again THEN the draw waits for a fresh seed, and is decided by that
        ServiceWeight::set(weight);
        next_block();
        let again = job(id).stage.ticket().expect("waits");
        assert!(again > first);
        let due = Draws::<Test>::get(again).expect("waits").due;
        assert_eq!(FakeRandomness::seed(due), Ok(None));
        run_to_draw();
        assert_eq!(stage(id), JobStage::Assigned);
    });
}
