//! Seats that stay empty: redrawn once, then the vote.

use crate::{mock::*, *};
use chasqui_primitives::audit::{Decision, Stage, Verdict};
use frame_support::assert_ok;

/// The first two auditors of the panel reveal valid, the last one is silent.
fn one_silent(id: u64) -> (Vec<u64>, u64) {
    let panel = panel(id);
    for auditor in &panel[..2] {
        assert_ok!(commit(id, *auditor, Verdict::Valid));
    }
    to_reveals(id);
    for auditor in &panel[..2] {
        assert_ok!(reveal(id, *auditor, Verdict::Valid));
    }
    next_block();
    (panel.clone(), panel[2])
}

#[test]
fn a_silent_auditor_is_replaced_and_the_panel_judges_anew() {
    build_and_execute(|| {
        // GIVEN a case in which one of three stays silent
        let (id, _) = open();
        let seed = case(id).projection_seed;
        let (before, silent) = one_silent(id);

        // THEN that one missed a duty, is free to leave and has nothing left to do
        assert_eq!(World::operator(silent).missed, 1);
        assert_eq!(World::operator(silent).liabilities, 0);
        assert!(Audits::duties_of(silent).is_empty());
        assert!(matches!(case(id).phase, Phase::AwaitSeed { .. }));

        // WHEN the randomness of the redraw is there
        run_for(3);

        // THEN another one is seated, and all judge anew under a new projection seed
        let after = panel(id);
        assert_eq!(after[..2], before[..2]);
        assert!(!before.contains(&after[2]));
        assert_ne!(case(id).projection_seed, seed);
        assert!(case(id).seats.iter().all(|seat| seat.commitment.is_none()));
        judge(
            id,
            &after
                .iter()
                .map(|who| (*who, Verdict::Valid))
                .collect::<Vec<_>>(),
        );
        assert_eq!(ended(id).decision, Decision::Valid);
        assert_eq!(ended(id).majority, after);
        assert_eq!(Audits::counters().redrawn, 1);
    });
}

#[test]
fn seats_are_redrawn_only_once() {
    build_and_execute(|| {
        // GIVEN a case whose panel was completed once
        let (id, _) = open();
        one_silent(id);
        run_for(3);
        assert!(case(id).history.redrawn);

        // WHEN one of three stays silent again
        one_silent(id);

        // THEN the electorate votes
        assert_eq!(case(id).stage, Stage::Two);
    });
}

#[test]
fn no_model_is_a_missed_duty_and_never_a_pass() {
    build_and_execute(|| {
        // GIVEN a case in which one of three says that it lacks the model
        let (id, panel) = open();
        let lacking = panel[2];

        // WHEN all have revealed
        judge(
            id,
            &[
                (panel[0], Verdict::Valid),
                (panel[1], Verdict::Valid),
                (lacking, Verdict::NoModel),
            ],
        );

        // THEN the case is not closed: that seat is drawn anew, its duty missed
        assert!(matches!(case(id).phase, Phase::AwaitSeed { .. }));
        assert_eq!(World::operator(lacking).missed, 1);
        assert_eq!(case(id).dismissed.to_vec(), vec![lacking]);
        assert_eq!(Audits::counters().flags, 0);
    });
}

#[test]
fn a_panel_without_any_model_never_closes_a_case_as_valid() {
    build_and_execute(|| {
        // GIVEN a case, WHEN nobody has the model, in any round
        let (id, panel) = open();
        judge(
            id,
            &panel
                .iter()
                .map(|who| (*who, Verdict::NoModel))
                .collect::<Vec<_>>(),
        );
        run_for(3);
        let panel = mock::panel(id);
        assert_eq!(panel.len(), 3);
        judge(
            id,
            &panel
                .iter()
                .map(|who| (*who, Verdict::NoModel))
                .collect::<Vec<_>>(),
        );
        for _ in 0..2 {
            let voters: Vec<_> = (1..=7).map(|who| (who, Verdict::NoModel)).collect();
            judge(id, &voters);
        }

        // THEN it ends undecided, and each of them missed its duties
        assert_eq!(ended(id).decision, Decision::Undecided);
        assert!(ended(id).majority.is_empty());
        assert!((1..=7).all(|who| World::operator(who).kept == 0));
        assert!((1..=7).all(|who| World::operator(who).missed > 0));
    });
}

#[test]
fn a_panel_that_does_nothing_is_replaced_without_waiting_for_reveals() {
    build_and_execute(|| {
        // GIVEN a case
        let (id, panel) = open();

        // WHEN nobody commits until the window closes
        run_for(params().commit_blocks);

        // THEN all three seats are drawn anew at once
        assert!(matches!(case(id).phase, Phase::AwaitSeed { .. }));
        run_for(3);
        assert_eq!(mock::panel(id).len(), 3);
        assert!(mock::panel(id).iter().all(|who| !panel.contains(who)));
    });
}

#[test]
fn without_replacements_the_electorate_votes() {
    build_and_execute(|| {
        // GIVEN an electorate of three
        for id in 4..=7 {
            World::change(id, |operator| operator.weight = 0);
        }
        let (id, _) = open();

        // WHEN one of them stays silent and there is nobody else to draw
        let (panel, silent) = one_silent(id);
        run_for(3);

        // THEN the vote begins, and what the others revealed still counts for them
        assert_eq!(case(id).stage, Stage::Two);
        assert_eq!(case(id).seats.len(), 2);
        judge(
            id,
            &(1..=3).map(|who| (who, Verdict::Valid)).collect::<Vec<_>>(),
        );
        assert_eq!(ended(id).decision, Decision::Valid);
        assert_eq!(World::operator(panel[0]).kept, 2);
        assert_eq!(
            (World::operator(silent).kept, World::operator(silent).missed),
            (1, 1)
        );
    });
}

#[test]
fn randomness_that_does_not_come_does_not_stop_a_case() {
    build_and_execute(|| {
        // GIVEN a relay chain that gives no seeds any more
        World::with(|world| world.seed_delay = None);
        let (id, _) = open();

        // WHEN a seat is to be drawn anew
        one_silent(id);
        run_for(params().redraw_blocks);

        // THEN the vote begins without it
        assert_eq!(case(id).stage, Stage::Two);
    });
}

#[test]
fn a_forgotten_seed_is_announced_again() {
    build_and_execute(|| {
        // GIVEN a redraw that waits for its seed
        let (id, _) = open();
        one_silent(id);
        let Phase::AwaitSeed { due, .. } = case(id).phase else {
            panic!("no redraw is announced");
        };

        // WHEN that seed is forgotten before the redraw
        World::with(|world| world.forgotten = due);
        next_block();

        // THEN a later one is awaited, and the redraw happens with it
        assert!(matches!(case(id).phase, Phase::AwaitSeed { due: later, .. } if later > due));
        run_for(3);
        assert_eq!(panel(id).len(), 3);
    });
}

#[test]
fn an_auditor_that_commits_and_does_not_reveal_misses_its_duty() {
    build_and_execute(|| {
        // GIVEN a case whose auditors have all committed
        let (id, panel) = open();
        for auditor in &panel {
            assert_ok!(commit(id, *auditor, Verdict::Valid));
        }
        to_reveals(id);

        // WHEN one of them does not reveal in time
        assert_ok!(reveal(id, panel[0], Verdict::Valid));
        assert_ok!(reveal(id, panel[1], Verdict::Valid));
        run_for(params().reveal_blocks);

        // THEN it is dismissed like a silent one
        assert_eq!(World::operator(panel[2]).missed, 1);
        assert_eq!(case(id).dismissed.to_vec(), vec![panel[2]]);
    });
}
