//! Evidence of having replayed: it must be there, and it must agree.

use crate::{mock::*, *};
use chasqui_primitives::audit::{Decision, Evidence, HardReason, Stage, Verdict};
use frame_support::{assert_noop, assert_ok};

#[test]
fn evidence_that_disagrees_goes_to_the_vote_without_a_flag() {
    build_and_execute(|| {
        // GIVEN three auditors who all say valid, one of them with other evidence
        let (id, panel) = open();
        let far = TAU as i32 + 1;

        // WHEN they have revealed
        judge_with(
            id,
            &[
                (panel[0], Verdict::Valid, 0),
                (panel[1], Verdict::Valid, 0),
                (panel[2], Verdict::Valid, far),
            ],
        );

        // THEN the electorate votes, and nobody has accused anybody
        assert_eq!(case(id).stage, Stage::Two);
        assert!(case(id).flags.is_empty());

        // WHEN it finds the work valid
        judge(
            id,
            &(1..=7).map(|who| (who, Verdict::Valid)).collect::<Vec<_>>(),
        );

        // THEN the one whose evidence nobody confirms missed its duty in stage one
        assert_eq!(ended(id).decision, Decision::Valid);
        assert_eq!(World::operator(panel[2]).missed, 1);
        assert_eq!(World::operator(panel[0]).missed, 0);
        assert_eq!(Audits::counters().contradicted, 1);
    });
}

#[test]
fn nobody_reports_where_only_evidence_disagreed() {
    build_and_execute(|| {
        // GIVEN a panel that says valid, with evidence that disagrees
        let (id, panel) = open();
        let verdicts: Vec<_> = panel
            .iter()
            .zip([0, 500, 1_000])
            .map(|(who, value)| (*who, Verdict::Valid, value))
            .collect();
        judge_with(id, &verdicts);
        assert_eq!(case(id).stage, Stage::Two);

        // WHEN all but the lightest voter find the work false
        let hard = Verdict::Hard(HardReason::Margin);
        let votes: Vec<_> = (1..=7)
            .map(|who| (who, if who == 1 { Verdict::Valid } else { hard }))
            .collect();
        judge(id, &votes);

        // THEN the agreeing side is everybody who said so, each once, and no flag is upheld or overturned
        let mut majority = ended(id).majority;
        majority.sort_unstable();
        assert_eq!(ended(id).decision, Decision::Hard(HardReason::Margin));
        assert_eq!(majority, [2, 3, 4, 5, 6, 7]);
        assert_eq!(
            (Audits::counters().flags, Audits::counters().overturned),
            (0, 0)
        );
        // AND the panel, which had found it valid, is contradicted, whatever its evidence was
        assert!(panel.iter().all(|who| World::operator(*who).missed >= 1));
    });
}

#[test]
fn evidence_within_the_tolerance_agrees() {
    build_and_execute(|| {
        // GIVEN evidence that differs by as much as honest machines do: 16 entries, L1 within 10
        let (id, panel) = open();
        let mut near: Vec<i32> = evidence(0).to_vec();
        near[3] = TAU as i32;
        let near: Evidence = near.try_into().unwrap();
        let hash = commitment(id, panel[0], Verdict::Valid, &near);

        // WHEN it is revealed beside the others'
        assert_ok!(Audits::commit(RuntimeOrigin::signed(panel[0]), id, hash));
        assert_ok!(commit(id, panel[1], Verdict::Valid));
        assert_ok!(commit(id, panel[2], Verdict::Valid));
        to_reveals(id);
        assert_ok!(reveal_with(id, panel[0], Verdict::Valid, near));
        assert_ok!(reveal(id, panel[1], Verdict::Valid));
        assert_ok!(reveal(id, panel[2], Verdict::Valid));
        next_block();

        // THEN the case is closed
        assert_eq!(ended(id).decision, Decision::Valid);
    });
}

#[test]
fn a_verdict_of_a_replay_needs_full_evidence() {
    build_and_execute(|| {
        // GIVEN a panel that commits to valid with evidence of no or of another length
        let (id, panel) = open();
        let empty = Evidence::default();
        let short: Evidence = vec![0; 15].try_into().unwrap();
        for (auditor, evidence) in panel.iter().zip([&empty, &empty, &short]) {
            let hash = commitment(id, *auditor, Verdict::Valid, evidence);
            assert_ok!(Audits::commit(RuntimeOrigin::signed(*auditor), id, hash));
        }
        to_reveals(id);

        // WHEN they reveal, THEN it is refused: agreeing on nothing is no replay
        assert_noop!(
            reveal_with(id, panel[0], Verdict::Valid, empty.clone()),
            Error::<Test>::EvidenceIncomplete
        );
        assert_noop!(
            reveal_with(id, panel[2], Verdict::Valid, short),
            Error::<Test>::EvidenceIncomplete
        );
        // AND all of them have missed their duty once the window has closed
        run_for(params().reveal_blocks);
        assert!(panel.iter().all(|who| World::operator(*who).missed == 1));
        assert!(World::ended().is_empty());
    });
}

#[test]
fn verdicts_that_need_no_replay_need_no_evidence() {
    build_and_execute(|| {
        // GIVEN an auditor that could not even begin to replay
        let (id, panel) = open();
        let none = Evidence::default();
        let hash = commitment(id, panel[0], Verdict::Withheld, &none);
        assert_ok!(Audits::commit(RuntimeOrigin::signed(panel[0]), id, hash));
        to_reveals(id);

        // WHEN it reveals without evidence, THEN that counts
        assert_ok!(reveal_with(id, panel[0], Verdict::Withheld, none));
    });
}

#[test]
fn a_voter_whose_evidence_nobody_confirms_is_contradicted() {
    build_and_execute(|| {
        // GIVEN a vote in which one voter says valid without having replayed
        let (id, _) = open();
        let flagger = to_stage_two(id);
        let lazy = if flagger == 7 { 6 } else { 7 };
        let before = World::operator(lazy);
        let votes: Vec<_> = (1..=7)
            .map(|who| (who, Verdict::Valid, if who == lazy { 1_000 } else { 0 }))
            .collect();

        // WHEN the vote decides for valid
        judge_with(id, &votes);

        // THEN that one missed its duty, earned nothing for it and takes no part of the lien
        assert_eq!(ended(id).decision, Decision::Valid);
        assert_eq!(World::operator(lazy).missed, before.missed + 1);
        assert_eq!(World::operator(lazy).received, 0);
        assert!(Audits::counters().contradicted >= 2);
    });
}
