//! Calls that come early, late, twice, wrong or from a stranger: a clear error, and nothing lost.

use crate::{mock::*, *};
use chasqui_primitives::audit::{HardReason, Verdict};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;
use sp_runtime::DispatchError::BadOrigin;

#[test]
fn strangers_are_refused() {
    build_and_execute(|| {
        // GIVEN an open case, somebody who is no operator, and an operator without a seat
        let (id, panel) = open();
        let unseated = (1..=7).find(|who| !panel.contains(who)).unwrap();

        // WHEN they commit or reveal, THEN each is told why not
        assert_noop!(
            commit(id, 500, Verdict::Valid),
            Error::<Test>::NotAnOperator
        );
        assert_noop!(
            reveal(id, 500, Verdict::Valid),
            Error::<Test>::NotAnOperator
        );
        assert_noop!(
            commit(id, unseated, Verdict::Valid),
            Error::<Test>::NotAssigned
        );
        assert_noop!(
            reveal(id, unseated, Verdict::Valid),
            Error::<Test>::NotAssigned
        );
        assert_noop!(
            Audits::commit(RuntimeOrigin::none(), id, H256::zero()),
            BadOrigin
        );
        assert_noop!(
            Audits::commit(RuntimeOrigin::root(), id, H256::zero()),
            BadOrigin
        );
    });
}

#[test]
fn unknown_and_closed_cases_are_refused() {
    build_and_execute(|| {
        // GIVEN a case that has closed
        let (id, panel) = open();
        judge(
            id,
            &panel
                .iter()
                .map(|who| (*who, Verdict::Valid))
                .collect::<Vec<_>>(),
        );

        // WHEN somebody acts in it, or in one that never was
        // THEN there is no such case
        for case in [id, id + 1] {
            let hash = H256::zero();
            let origin = RuntimeOrigin::signed(panel[0]);
            assert_noop!(
                Audits::commit(origin, case, hash),
                Error::<Test>::NoSuchCase
            );
            assert_noop!(
                reveal(case, panel[0], Verdict::Valid),
                Error::<Test>::NoSuchCase
            );
        }
    });
}

#[test]
fn commitments_are_final_and_timely() {
    build_and_execute(|| {
        // GIVEN a case in which one auditor has committed
        let (id, panel) = open();
        assert_ok!(commit(id, panel[0], Verdict::Valid));

        // WHEN it commits again, THEN the first one stays
        assert_noop!(
            commit(id, panel[0], Verdict::Soft),
            Error::<Test>::AlreadyCommitted
        );

        // WHEN another commits after the window, THEN it is too late
        run_for(params().commit_blocks);
        assert_noop!(
            commit(id, panel[1], Verdict::Valid),
            Error::<Test>::CommitWindowClosed
        );
    });
}

#[test]
fn reveals_wait_for_the_commit_window() {
    build_and_execute(|| {
        // GIVEN a case in which one auditor has committed and others may still
        let (id, panel) = open();
        assert_ok!(commit(id, panel[0], Verdict::Valid));

        // WHEN it reveals at once, THEN it is too early, and nothing is given away on chain
        assert_noop!(
            reveal(id, panel[0], Verdict::Valid),
            Error::<Test>::RevealTooEarly
        );
        // AND it can still reveal when it is time
        to_reveals(id);
        assert_ok!(reveal(id, panel[0], Verdict::Valid));
    });
}

#[test]
fn reveals_must_match_be_committed_and_come_once() {
    build_and_execute(|| {
        // GIVEN a case in which two of three have committed
        let (id, panel) = open();
        let auditor = panel[0];
        assert_ok!(commit(id, auditor, Verdict::Valid));
        assert_ok!(commit(id, panel[1], Verdict::Valid));
        to_reveals(id);

        // WHEN the verdict, the evidence or the salt is another one, THEN it does not match
        let signed = || RuntimeOrigin::signed(auditor);
        assert_noop!(
            reveal(id, auditor, Verdict::Hard(HardReason::Margin)),
            Error::<Test>::RevealMismatch
        );
        assert_noop!(
            reveal_with(id, auditor, Verdict::Valid, evidence(1)),
            Error::<Test>::RevealMismatch
        );
        assert_noop!(
            Audits::reveal(signed(), id, Verdict::Valid, evidence(0), [0; 32]),
            Error::<Test>::RevealMismatch
        );
        // AND who has not committed has nothing to reveal
        assert_noop!(
            reveal(id, panel[2], Verdict::Valid),
            Error::<Test>::NotCommitted
        );
        // AND the right reveal still counts, once
        assert_ok!(reveal(id, auditor, Verdict::Valid));
        assert_noop!(
            reveal(id, auditor, Verdict::Valid),
            Error::<Test>::AlreadyRevealed
        );
    });
}

#[test]
fn late_reveals_are_refused() {
    build_and_execute(|| {
        // GIVEN a case whose commitments are in
        let (id, panel) = open();
        assert_ok!(commit(id, panel[0], Verdict::Valid));
        assert_ok!(commit(id, panel[1], Verdict::Valid));
        to_reveals(id);
        assert_ok!(reveal(id, panel[0], Verdict::Valid));
        run_for(params().reveal_blocks);

        // WHEN the second reveals after the window, THEN its seat is gone
        assert_noop!(
            reveal(id, panel[1], Verdict::Valid),
            Error::<Test>::NotAssigned
        );
        // AND the one who was in time has no second turn before the panel is complete
        assert_noop!(
            reveal(id, panel[0], Verdict::Valid),
            Error::<Test>::AlreadyRevealed
        );
        assert_noop!(
            commit(id, panel[0], Verdict::Valid),
            Error::<Test>::CommitWindowClosed
        );
    });
}

#[test]
fn bad_votes_are_refused_like_bad_verdicts() {
    build_and_execute(|| {
        // GIVEN a vote
        let (id, _) = open();
        to_stage_two(id);

        // WHEN voters act early, twice, late or without a commitment, THEN each is told so
        assert_ok!(commit(id, 1, Verdict::Valid));
        assert_noop!(
            commit(id, 1, Verdict::Valid),
            Error::<Test>::AlreadyCommitted
        );
        assert_noop!(reveal(id, 1, Verdict::Valid), Error::<Test>::RevealTooEarly);
        assert_ok!(commit(id, 3, Verdict::Valid));
        run_for(params().vote_commit_blocks);
        assert_noop!(
            commit(id, 2, Verdict::Valid),
            Error::<Test>::CommitWindowClosed
        );
        assert_noop!(reveal(id, 2, Verdict::Valid), Error::<Test>::NotCommitted);
        assert_noop!(reveal(id, 1, Verdict::Soft), Error::<Test>::RevealMismatch);
        assert_ok!(reveal(id, 1, Verdict::Valid));
        assert_noop!(
            reveal(id, 1, Verdict::Valid),
            Error::<Test>::AlreadyRevealed
        );
    });
}
