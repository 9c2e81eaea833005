//! Withheld traces: the executor opens on chain, or loses.

use crate::{mock::*, *};
use chasqui_primitives::audit::{Decision, HardReason, Stage, Verdict};
use frame_support::{assert_noop, assert_ok, dispatch::Pays};
use std::collections::BTreeSet;

fn post(opening: &[u8]) -> frame_support::dispatch::DispatchResultWithPostInfo {
    let opening = opening.to_vec().try_into().expect("it fits");
    Audits::post_opening(RuntimeOrigin::signed(EXECUTOR), 0, opening)
}

/// A case whose first auditor says that the trace is withheld; who that is.
fn claimed() -> (u64, Vec<u64>) {
    let (id, panel) = open();
    judge(
        id,
        &[
            (panel[0], Verdict::Withheld),
            (panel[1], Verdict::Valid),
            (panel[2], Verdict::Valid),
        ],
    );
    (id, panel)
}

#[test]
fn a_claim_gives_the_executor_a_window_to_open() {
    build_and_execute(|| {
        // GIVEN a case, WHEN an auditor claims that the trace is withheld
        let (id, _) = claimed();

        // THEN the executor has so many blocks to post it
        let until = System::block_number() + u64::from(params().opening_blocks);
        assert_eq!(case(id).phase, Phase::Opening { until });
        System::assert_has_event(
            Event::OpeningDemanded {
                case: id,
                operator: EXECUTOR,
                until,
            }
            .into(),
        );
    });
}

#[test]
fn others_are_told_while_an_opening_is_demanded() {
    build_and_execute(|| {
        use chasqui_primitives::traits::Cases as _;
        // GIVEN a case of which nobody has said anything
        let (id, _) = open();
        assert!(!Audits::opening_demanded(id));
        // WHEN an opening is demanded THEN that is told, until it is posted
        let (id, _) = claimed();
        assert!(Audits::opening_demanded(id));
        assert!(!Audits::opening_demanded(id + 1));
    });
}

#[test]
fn a_posted_opening_is_paid_by_the_claimant_and_judged_anew() {
    build_and_execute(|| {
        // GIVEN a case with a demanded opening
        let (id, panel) = claimed();
        let seed = case(id).projection_seed;

        // WHEN the executor posts it, by its hot key
        let opening = OPENING.to_vec().try_into().unwrap();
        let posted =
            Audits::post_opening(RuntimeOrigin::signed(EXECUTOR + HOT), id, opening).unwrap();
        next_block();

        // THEN that is free for it, and the claimant's lien is its own
        assert_eq!(posted.pays_fee, Pays::No);
        assert_eq!(World::operator(panel[0]).forfeited, LIEN);
        assert_eq!(World::operator(EXECUTOR).received, LIEN);
        assert_eq!(World::operator(EXECUTOR).missed, 0);
        assert!(case(id).flags.is_empty());
        // AND the opening is there for everybody while the same panel judges anew
        assert_eq!(Audits::opening(id).unwrap().to_vec(), OPENING);
        assert_eq!(mock::panel(id), panel);
        assert_ne!(case(id).projection_seed, seed);
        judge(
            id,
            &panel
                .iter()
                .map(|who| (*who, Verdict::Valid))
                .collect::<Vec<_>>(),
        );
        assert_eq!(ended(id).decision, Decision::Valid);
        // AND it goes with the case
        assert_eq!(Audits::opening(id), None);
        assert_eq!(Audits::counters().openings_posted, 1);
    });
}

#[test]
fn an_executor_that_serves_nobody_gains_nothing_by_posting() {
    build_and_execute(|| {
        // GIVEN a panel two of whose auditors independently say that the trace is withheld
        let (id, panel) = open();
        judge(
            id,
            &[
                (panel[0], Verdict::Withheld),
                (panel[1], Verdict::Withheld),
                (panel[2], Verdict::Valid),
            ],
        );

        // WHEN the executor posts it
        assert_ok!(post(OPENING));
        next_block();

        // THEN nobody pays for having told the truth, and the executor has missed a duty
        assert_eq!(World::operator(EXECUTOR).received, 0);
        assert_eq!(World::operator(EXECUTOR).missed, 1);
        for claimant in &panel[..2] {
            assert_eq!(World::operator(*claimant).forfeited, 0);
        }
        assert!(case(id).flags.is_empty());
        System::assert_has_event(
            Event::WithholdingConfirmed {
                case: id,
                operator: EXECUTOR,
                claimants: 2,
            }
            .into(),
        );
        // AND the panel judges the posted trace
        judge(
            id,
            &panel
                .iter()
                .map(|who| (*who, Verdict::Valid))
                .collect::<Vec<_>>(),
        );
        assert_eq!(ended(id).decision, Decision::Valid);
        assert!(panel.iter().all(|who| World::operator(*who).forfeited == 0));
    });
}

#[test]
fn a_whole_panel_of_one_is_believed() {
    build_and_execute(|| {
        // GIVEN a panel of one seat, which says that the trace is withheld
        let one = Params {
            seats: 1,
            ..params()
        };
        assert_ok!(Audits::set_params(RuntimeOrigin::root(), one));
        let (id, panel) = open();
        judge(id, &[(panel[0], Verdict::Withheld)]);

        // WHEN the executor posts it THEN the claim costs nothing
        assert_ok!(post(OPENING));
        next_block();
        assert_eq!(World::operator(panel[0]).forfeited, 0);
        assert_eq!(World::operator(EXECUTOR).missed, 1);
    });
}

#[test]
fn voters_who_were_not_served_confirm_a_claim() {
    build_and_execute(|| {
        // GIVEN a vote in which three cannot get the trace
        let (id, _) = open();
        to_stage_two(id);
        let votes: Vec<_> = (1..=7)
            .map(|who| {
                (
                    who,
                    if who <= 4 {
                        Verdict::Valid
                    } else {
                        Verdict::Withheld
                    },
                )
            })
            .collect();
        judge(id, &votes);

        // WHEN the executor posts it THEN it has missed a duty
        assert_ok!(post(OPENING));
        next_block();
        assert_eq!(World::operator(EXECUTOR).missed, 1);
    });
}

#[test]
fn an_opening_that_does_not_come_is_a_hard_verdict() {
    build_and_execute(|| {
        // GIVEN a case with a demanded opening
        let (id, panel) = claimed();

        // WHEN the executor posts nothing in time
        run_for(params().opening_blocks);

        // THEN it has withheld, and the claimant was right
        let ended = ended(id);
        assert_eq!(ended.decision, Decision::Hard(HardReason::Withheld));
        assert_eq!(ended.majority, vec![panel[0]]);
        assert_eq!(World::operator(panel[0]).forfeited, 0);
        // AND those who were served and found it valid are not to blame
        for auditor in panel {
            let operator = World::operator(auditor);
            assert_eq!((operator.kept, operator.missed), (1, 0));
        }
    });
}

#[test]
fn openings_of_others_or_of_something_else_are_refused() {
    build_and_execute(|| {
        // GIVEN a case in which nothing is demanded yet
        let (id, panel) = open();
        assert_noop!(post(OPENING), Error::<Test>::OpeningNotDemanded);
        judge(
            id,
            &[
                (panel[0], Verdict::Withheld),
                (panel[1], Verdict::Valid),
                (panel[2], Verdict::Valid),
            ],
        );

        // WHEN a stranger, another operator or the executor posts what is not the opening
        // THEN each gets a clear error and nothing changes
        let opening: Opening = OPENING.to_vec().try_into().unwrap();
        assert_noop!(
            Audits::post_opening(RuntimeOrigin::signed(500), id, opening.clone()),
            Error::<Test>::NotAnOperator
        );
        assert_noop!(
            Audits::post_opening(RuntimeOrigin::signed(panel[1]), id, opening.clone()),
            Error::<Test>::NotTheExecutor
        );
        assert_noop!(
            Audits::post_opening(RuntimeOrigin::signed(EXECUTOR), id + 1, opening),
            Error::<Test>::NoSuchCase
        );
        assert_noop!(post(b"another trace"), Error::<Test>::OpeningMismatch);

        // WHEN the right one is posted twice
        assert_ok!(post(OPENING));
        // THEN the second is refused
        assert_noop!(post(OPENING), Error::<Test>::OpeningAlreadyPosted);
        // AND auditors can neither commit nor reveal meanwhile
        assert_noop!(
            commit(id, panel[0], Verdict::Valid),
            Error::<Test>::CommitWindowClosed
        );
    });
}

#[test]
fn a_claim_against_a_posted_opening_goes_to_the_vote() {
    build_and_execute(|| {
        // GIVEN a case whose opening lies on chain
        let (id, panel) = claimed();
        assert_ok!(post(OPENING));
        next_block();

        // WHEN the claimant claims again
        judge(
            id,
            &[
                (panel[0], Verdict::Withheld),
                (panel[1], Verdict::Valid),
                (panel[2], Verdict::Valid),
            ],
        );

        // THEN the electorate decides; found valid, the claimant pays a second time
        assert_eq!(case(id).stage, Stage::Two);
        judge(
            id,
            &(1..=7).map(|who| (who, Verdict::Valid)).collect::<Vec<_>>(),
        );
        assert_eq!(ended(id).decision, Decision::Valid);
        assert_eq!(World::operator(panel[0]).forfeited, 2 * LIEN);
    });
}

#[test]
fn an_auditor_silent_before_the_opening_misses_a_duty_and_keeps_its_seat() {
    build_and_execute(|| {
        // GIVEN a case with one claim, one valid verdict and one silent seat
        let (id, panel) = open();
        judge(
            id,
            &[(panel[0], Verdict::Withheld), (panel[1], Verdict::Valid)],
        );

        // WHEN the opening is posted
        assert_ok!(post(OPENING));
        next_block();

        // THEN the silent one has missed one duty, and all three judge anew
        assert_eq!(World::operator(panel[2]).missed, 1);
        assert_eq!(mock::panel(id), panel);
        assert_eq!(case(id).expected, 3);
    });
}

#[test]
fn an_executor_that_serves_half_of_the_voters_must_open_too() {
    build_and_execute(|| {
        // GIVEN a vote in which nobody has more than half of the weight, since some of the voters
        // cannot get the trace
        let (id, _) = open();
        let flagger = to_stage_two(id);
        let votes: Vec<_> = (1..=7)
            .map(|who| {
                (
                    who,
                    if who <= 4 {
                        Verdict::Valid
                    } else {
                        Verdict::Withheld
                    },
                )
            })
            .collect();
        judge(id, &votes);

        // WHEN the executor does not open on chain
        assert!(matches!(case(id).phase, Phase::Opening { .. }));
        run_for(params().opening_blocks);

        // THEN it has withheld; those who said so are the majority, with whoever flagged it as
        // false before, and nobody else is to blame
        assert_eq!(ended(id).decision, Decision::Hard(HardReason::Withheld));
        let majority = ended(id).majority;
        assert_eq!(majority[0], flagger);
        assert_eq!(
            majority.iter().copied().collect::<BTreeSet<_>>(),
            BTreeSet::from([flagger, 5, 6, 7])
        );
        assert_eq!(Audits::counters().contradicted, 0);
    });
}

#[test]
fn voters_without_a_decisive_verdict_vote_anew_with_the_opening() {
    build_and_execute(|| {
        // GIVEN a vote that a withheld trace keeps undecided
        let (id, _) = open();
        to_stage_two(id);
        let votes: Vec<_> = (1..=7)
            .map(|who| {
                (
                    who,
                    if who <= 4 {
                        Verdict::Valid
                    } else {
                        Verdict::Withheld
                    },
                )
            })
            .collect();
        judge(id, &votes);

        // WHEN the executor opens on chain
        assert_ok!(post(OPENING));
        next_block();

        // THEN only those who could not judge vote anew, and their votes decide
        assert_eq!(case(id).expected, 3);
        assert_noop!(commit(id, 1, Verdict::Soft), Error::<Test>::AlreadyRevealed);
        judge(
            id,
            &(5..=7).map(|who| (who, Verdict::Valid)).collect::<Vec<_>>(),
        );
        assert_eq!(ended(id).decision, Decision::Valid);
        assert_eq!(ended(id).majority.len(), 7);
    });
}
