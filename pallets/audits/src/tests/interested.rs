//! Nobody judges work that was done for it, however many clients there are.

use crate::{mock::*, *};
use chasqui_primitives::audit::{Decision, HardReason, Stage, Verdict};
use frame_support::assert_noop;

fn done_for(clients: &[u64]) {
    World::with(|world| world.interested = clients.iter().copied().collect());
}

#[test]
fn a_client_has_no_seat() {
    build_and_execute(|| {
        // GIVEN work that was done for the heaviest validators
        done_for(&[5, 6, 7]);
        // WHEN cases about it open THEN none of them is ever drawn
        for _ in 0..20 {
            let (id, panel) = open();
            assert_eq!(panel.len(), 3);
            assert!(panel.iter().all(|who| *who < 5), "{panel:?}");
            close_by(id, Verdict::Valid);
        }
    });
}

/// The panel agrees.
fn close_by(id: u64, verdict: Verdict) {
    let verdicts: Vec<_> = panel(id).into_iter().map(|who| (who, verdict)).collect();
    judge(id, &verdicts);
}

#[test]
fn a_client_has_no_vote_and_its_weight_does_not_count() {
    build_and_execute(|| {
        // GIVEN work that was done for 6 and 7, of 130 in 280, and a case in stage two
        done_for(&[6, 7]);
        let (id, _) = open();
        to_stage_two(id);
        // THEN they have no ballot, and more than half is measured without them
        assert_eq!(case(id).electorate.weight, 150);
        assert_eq!(case(id).electorate.voters, 5);
        for who in [6, 7] {
            assert!(Audits::ballot(id, who).is_none());
            assert_noop!(commit(id, who, Verdict::Valid), Error::<Test>::NotAssigned);
        }
        // AND 80 of 150 decide, which would not be half of 280
        let hard = Verdict::Hard(HardReason::Margin);
        judge(id, &[(5, hard), (3, hard)]);
        assert_eq!(ended(id).decision, Decision::Hard(HardReason::Margin));
    });
}

#[test]
fn where_all_are_clients_nothing_is_decided() {
    build_and_execute(|| {
        // GIVEN work that was done for everybody who could judge it
        done_for(&[1, 2, 3, 4, 5, 6, 7]);
        // WHEN a case opens THEN it ends undecided, without a panel and without a vote
        let (id, panel) = open();
        assert!(panel.is_empty());
        assert_eq!(case(id).stage, Stage::One);
        assert_eq!(to_end(id).decision, Decision::Undecided);
    });
}

#[test]
fn too_few_others_for_a_panel_vote_at_once() {
    build_and_execute(|| {
        // GIVEN work done for all but two
        done_for(&[1, 2, 3, 4, 5]);
        let (id, panel) = open();
        // THEN no panel of three can be seated, and the two vote
        assert!(panel.is_empty());
        next_block();
        assert_eq!(case(id).stage, Stage::Two);
        judge(id, &[(6, Verdict::Valid), (7, Verdict::Valid)]);
        assert_eq!(ended(id).decision, Decision::Valid);
    });
}
