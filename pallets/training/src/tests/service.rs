//! What a block does for runs is bounded, and shared fairly.

use crate::{mock::*, *};
use chasqui_primitives::training::Phase;
use frame_support::traits::Hooks;

/// The least that a block may have: looks at all runs that may live, and one step.
fn least() -> Weight {
    let looks = <() as WeightInfo>::look() * u64::from(MaxRuns::get());
    Training::most_step_weight() + looks + <() as WeightInfo>::serve_base()
}

#[test]
fn smallest_budget_that_is_allowed_leads_every_run_to_its_end() {
    build_and_execute(|| {
        // GIVEN blocks that have room for hardly more than one step, and three runs
        ServiceWeight::set(least());
        Training::integrity_test();
        let runs = [(); 3].map(|()| create(terms(1, 2, 4)));
        for run in runs {
            gather(run, 3);
        }
        // WHEN blocks pass THEN none spends more than it may (`run_for` looks), and all runs end
        for _ in 0..1_000 {
            if runs.iter().all(|run| phase(*run).is_over()) {
                break;
            }
            for run in runs {
                for who in 0..3 {
                    let _ = act(who, run, false);
                }
            }
            for (case, _) in OpenCases::iter().collect::<Vec<_>>() {
                close(case, Decision::Valid);
            }
            run_for(1);
        }
        assert!(runs.iter().all(|run| phase(*run).is_over()));
    });
}

#[test]
fn no_run_takes_what_another_needs() {
    build_and_execute(|| {
        // GIVEN one run with much to do, and two others, in blocks with room for four steps
        ServiceWeight::set(least() + Training::most_step_weight() * 3);
        let runs = [(); 3].map(|()| create(terms(1, 2, 8)));
        gather(runs[0], 8);
        for run in &runs[1..] {
            gather(*run, 2);
        }
        // WHEN few blocks pass THEN all have begun
        run_for(14);
        for run in runs {
            assert!(phase(run).in_round(), "{:?}", phase(run));
        }
    });
}

#[test]
fn dear_panels_are_paid_for_by_later_blocks() {
    build_and_execute(|| {
        // GIVEN draws of panels that cost as much as half a block
        let panel = PLENTY / 64;
        PassedOver::set(panel);
        ServiceWeight::set(panel * 2 + least());
        let run = training(terms(1, 2, 8), 6);
        go_to(run, |phase| matches!(phase, Phase::Open { .. }));
        // WHEN six cases are to be opened THEN they are opened one or two a block
        let mut opened = OpenCases::iter().count();
        while opened < 6 {
            run_for(1);
            let now = OpenCases::iter().count();
            assert!(now - opened <= 2);
            opened = now;
        }
    });
}

#[test]
fn block_without_room_for_a_step_is_refused_at_build_time() {
    new_test_ext().execute_with(|| {
        let refused = |set: fn()| {
            ServiceWeight::set(PLENTY);
            MaxRuns::set(3);
            MaxMembers::set(12);
            set();
            std::panic::catch_unwind(Training::integrity_test).expect_err("it makes no sense");
        };
        refused(|| ServiceWeight::set(least() - Weight::from_parts(1, 0)));
        refused(|| ServiceWeight::set(least() - Weight::from_parts(0, 1)));
        refused(|| MaxRuns::set(0));
        refused(|| MaxMembers::set(0));
        refused(|| MaxMembers::set(chasqui_primitives::training::MAX_MEMBERS + 1));
        refused(|| MaxEvaluations::set(0));
    });
}

#[test]
fn idle_runs_cost_a_look() {
    build_and_execute(|| {
        let base = <() as WeightInfo>::serve_base();
        assert_eq!(Training::on_initialize(2), base);
        create(terms(1, 2, 4));
        create(terms(1, 2, 4));
        let looks = <() as WeightInfo>::look() * 2;
        assert_eq!(Training::on_initialize(2), base + looks);
    });
}
