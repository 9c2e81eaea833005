//! Stage one: a drawn panel commits, reveals and agrees.

use crate::{mock::*, *};
use chasqui_primitives::{
    audit::{Decision, Stage, Verdict},
    traits::Cases as _,
};
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

#[test]
fn a_panel_that_agrees_closes_the_case() {
    build_and_execute(|| {
        // GIVEN an open case with a panel of three
        let (id, panel) = open();
        assert_eq!(panel.len(), 3);

        // WHEN all three commit to valid and reveal it
        judge(
            id,
            &panel
                .iter()
                .map(|who| (*who, Verdict::Valid))
                .collect::<Vec<_>>(),
        );

        // THEN the subject's owner is told so, with all of them as the majority
        assert_eq!(
            ended(id),
            Ended {
                case: id,
                decision: Decision::Valid,
                majority: panel.clone()
            }
        );
        // AND each kept a duty, earned points and is free to leave
        for auditor in panel {
            let operator = World::operator(auditor);
            assert_eq!((operator.kept, operator.missed), (1, 0));
            assert_eq!(operator.points, params().points_per_case);
            assert_eq!(operator.liabilities, 0);
        }
        // AND nothing of the case stays
        assert_eq!(Cases::<Test>::iter().count(), 0);
        assert_eq!(Duties::<Test>::iter().count(), 0);
        assert_eq!(Agenda::<Test>::iter().count(), 0);
        let totals = Audits::counters();
        assert_eq!((totals.cases, totals.valid, totals.kept), (1, 1, 3));
    });
}

#[test]
fn the_client_and_its_relatives_never_judge() {
    build_and_execute(|| {
        // GIVEN a client that is validator 7, whose owner has validator 6 too
        World::change(6, |operator| operator.owner = 7);
        for seed in 0..20u8 {
            // WHEN a case about work for it opens
            let request = chasqui_primitives::traits::CaseRequest {
                client: Some(7),
                seed: sp_core::H256::repeat_byte(seed),
                ..request()
            };
            let id = Audits::open(request).unwrap().case;

            // THEN neither is on the panel
            assert!(panel(id).iter().all(|auditor| (1..=5).contains(auditor)));
            assert_eq!(case(id).electorate.weight, 10 + 20 + 30 + 40 + 50);

            // AND neither votes
            to_stage_two(id);
            assert!(!Ballots::<Test>::contains_key(id, 6));
            assert!(!Ballots::<Test>::contains_key(id, 7));
            assert_eq!(case(id).electorate.voters, 5);
        }
    });
}

#[test]
fn the_panel_is_drawn_out_of_the_electorate() {
    build_and_execute(|| {
        // GIVEN an executor whose owner also runs validators 5, 6 and 7
        for id in 5..=7 {
            World::change(id, |operator| operator.owner = EXECUTOR);
        }
        for seed in 0..20u8 {
            // WHEN a case about it opens
            let request = chasqui_primitives::traits::CaseRequest {
                seed: sp_core::H256::repeat_byte(seed),
                ..request()
            };
            let id = Audits::open(request).unwrap().case;

            // THEN three different others are seated, and none of them is its own
            let mut panel = panel(id);
            panel.sort();
            panel.dedup();
            assert_eq!(panel.len(), 3);
            assert!(panel.iter().all(|auditor| (1..=4).contains(auditor)));
            assert_eq!(case(id).electorate.weight, 10 + 20 + 30 + 40);
            assert_eq!(case(id).electorate.voters, 4);
        }
    });
}

#[test]
fn a_small_electorate_has_a_small_panel() {
    build_and_execute(|| {
        // GIVEN an electorate of two
        for id in 3..=7 {
            World::change(id, |operator| operator.weight = 0);
        }

        // WHEN a case opens
        let (id, panel) = open();

        // THEN both are seated, and both are needed
        assert_eq!(panel.len(), 2);
        assert_eq!(Audits::seats(), 3);
        judge(
            id,
            &[(panel[0], Verdict::Valid), (panel[1], Verdict::Valid)],
        );
        assert_eq!(ended(id).decision, Decision::Valid);
    });
}

#[test]
fn an_electorate_without_weight_opens_no_case() {
    build_and_execute(|| {
        // GIVEN validators without any weight
        for id in 1..=7 {
            World::change(id, |operator| operator.weight = 0);
        }

        // WHEN a case is to be opened
        // THEN it is refused, and nothing changes
        assert_noop!(Audits::open(request()), Error::<Test>::EmptyElectorate);
    });
}

#[test]
fn an_electorate_that_cannot_be_seated_votes_at_once() {
    build_and_execute(|| {
        // GIVEN so many jailed validators that no full panel can be drawn
        for id in 1..=5 {
            World::change(id, |operator| operator.jailed = true);
        }

        // WHEN a case opens
        let (id, panel) = open();

        // THEN nobody is seated, since fewer than k valid reveals close nothing
        assert!(panel.is_empty());
        // AND the whole electorate votes from the next block on
        next_block();
        assert_eq!(case(id).stage, Stage::Two);
        assert_eq!(case(id).expected, 7);
    });
}

#[test]
fn hot_key_and_bonded_account_both_sign() {
    build_and_execute(|| {
        // GIVEN an open case
        let (id, panel) = open();

        // WHEN the first auditor commits by its hot key and reveals by its bonded account
        let auditor = panel[0];
        let hash = commitment(id, auditor, Verdict::Valid, &evidence(0));
        let hot = RuntimeOrigin::signed(auditor + HOT);
        let committed = Audits::commit(hot, id, hash).unwrap();
        assert_ok!(commit(id, panel[1], Verdict::Valid));
        run_for(params().commit_blocks);
        let revealed = reveal(id, auditor, Verdict::Valid).unwrap();

        // THEN both are the same auditor's, and both are free
        assert!(case(id).seats[0].reveal.is_some());
        assert_eq!(committed.pays_fee, Pays::No);
        assert_eq!(revealed.pays_fee, Pays::No);
    });
}

#[test]
fn windows_close_early_once_nothing_is_left_to_wait_for() {
    build_and_execute(|| {
        // GIVEN a case whose auditors have committed, but one
        let (id, panel) = open();
        assert_ok!(commit(id, panel[0], Verdict::Valid));
        assert_ok!(commit(id, panel[1], Verdict::Valid));
        next_block();
        assert!(matches!(case(id).phase, Phase::Commit { .. }));

        // WHEN the last one commits
        assert_ok!(commit(id, panel[2], Verdict::Valid));

        // THEN reveals open in the next block, not before
        assert!(matches!(case(id).phase, Phase::Commit { .. }));
        next_block();
        let until = System::block_number() + u64::from(params().reveal_blocks);
        assert_eq!(case(id).phase, Phase::Reveal { until });

        // WHEN all have revealed
        for auditor in &panel {
            assert_ok!(reveal(id, *auditor, Verdict::Valid));
        }
        next_block();

        // THEN the case closes before the window does
        assert!(System::block_number() < until);
        assert_eq!(ended(id).decision, Decision::Valid);
    });
}

#[test]
fn duties_are_found_by_operator() {
    build_and_execute(|| {
        // GIVEN two open cases
        let (first, panel) = open();
        let second = Audits::open(request()).unwrap().case;

        // WHEN an auditor of the first one looks for its duties
        let auditor = panel[0];
        let mut expected = vec![(first, Stage::One)];
        if mock::panel(second).contains(&auditor) {
            expected.push((second, Stage::One));
        }
        // THEN it finds what it is seated for
        assert_eq!(Audits::duties_of(auditor), expected);

        // WHEN it has revealed in the first one
        for who in &panel {
            assert_ok!(commit(first, *who, Verdict::Valid));
        }
        to_reveals(first);
        assert_ok!(reveal(first, auditor, Verdict::Valid));

        // THEN that duty is gone, and the others of the panel still have it
        assert!(!Audits::duties_of(auditor).contains(&(first, Stage::One)));
        assert!(Audits::duties_of(panel[1]).contains(&(first, Stage::One)));
    });
}
