//! A proven lie reaches into whatever else its author has committed to and not been paid for.

use super::*;
use chasqui_primitives::{audit::HardReason, RefundReason};
use frame_support::assert_ok;

const HARD: Decision = Decision::Hard(HardReason::Margin);

/// One executor with a job that is accepted, one in audit (its case) and one that waits for the
/// audit draw, all committed.
fn three_jobs() -> (JobId, CaseId, JobId) {
    only_executor(0);
    let accepted = Request::default().accepted();
    set_reputation(0, Perbill::zero());
    let (audited, waiting) = (
        Request::default().submitted(),
        Request::default().submitted(),
    );
    run_to_draw();
    assert_ok!(commit(audited, answer(audited)));
    run_blocks(2);
    assert_ok!(commit(waiting, answer(waiting)));
    run_blocks(2);
    let Stage::InAudit { case } = job(audited).stage else {
        panic!("reputation zero is always audited");
    };
    assert_eq!(stage(accepted), JobStage::Accepted);
    assert_eq!(stage(waiting), JobStage::Committed);
    (accepted, case, waiting)
}

#[test]
fn a_proven_lie_refunds_what_its_author_was_not_paid_for_yet() {
    build_and_execute(|| {
        // GIVEN three jobs of one executor, two of them not audited (yet)
        let before = free(&account(ALICE));
        let (accepted, case, waiting) = three_jobs();
        let paid = PaidIn::get();
        // WHEN the third is proven false
        close(case, HARD);
        run_blocks(params().dispute_blocks);
        // THEN the clients of the others have their money back too
        let convicted = Some(JobOutcome::Refunded(RefundReason::Convicted));
        assert_eq!(
            (outcome(accepted), outcome(waiting)),
            (convicted, convicted)
        );
        assert_eq!(free(&account(ALICE)), before);
        assert_eq!((PaidIn::get(), Unclaimed::get(operator(0))), (paid, 0));
        // AND the executor is slashed once, and has kept no duty by them
        assert_eq!(Slashes::get().len(), 1);
        assert_eq!((registered(0).hard, registered(0).kept), (1, 0));
        // AND nothing of it stays
        assert_eq!(Exposures::<Test>::get(operator(0)), None);
    });
}

#[test]
fn other_decisions_and_other_executors_are_not_touched() {
    for decision in [Decision::Valid, Decision::Soft, Decision::Undecided] {
        build_and_execute(|| {
            // GIVEN an accepted job, WHEN another of its executor is closed as anything but a lie
            let (accepted, case, _) = three_jobs();
            close(case, decision);
            run_blocks(params().dispute_blocks);
            // THEN it settles
            let audited = false;
            assert_eq!(
                outcome(accepted),
                Some(JobOutcome::Settled { paid: 190, audited })
            );
        });
    }
    build_and_execute(|| {
        // GIVEN an accepted job of one executor, WHEN another one lies
        only_executor(0);
        let accepted = Request::default().accepted();
        Registry::mutate_exists(operator(0), |o| o.as_mut().expect("known").weight = 0);
        Registry::mutate_exists(operator(1), |o| o.as_mut().expect("known").weight = 1);
        let (_, case) = Request::default().in_audit();
        close(case, HARD);
        run_blocks(params().dispute_blocks);
        // THEN the first is paid
        assert!(matches!(
            outcome(accepted),
            Some(JobOutcome::Settled { .. })
        ));
    });
}

#[test]
fn what_is_committed_after_the_verdict_counts_for_itself() {
    build_and_execute(|| {
        // GIVEN a job that is assigned when its executor is convicted of another
        only_executor(0);
        let (first, later) = (
            Request::default().submitted(),
            Request::default().submitted(),
        );
        run_to_draw();
        assert_ok!(commit(first, answer(first)));
        run_blocks(3);
        assert_ok!(acknowledge(later, &hot(0), facts(&[1, 5, 6])));
        next_block();
        let Stage::InAudit { case } = job(first).stage else {
            panic!("audited")
        };
        close(case, HARD);
        // WHEN it is committed in a later block, and found valid
        next_block();
        assert_ok!(commit(later, answer(later)));
        run_to_draw();
        let Stage::InAudit { case } = job(later).stage else {
            panic!("audited")
        };
        close(case, Decision::Valid);
        // THEN it is paid
        let audited = true;
        assert_eq!(
            outcome(later),
            Some(JobOutcome::Settled { paid: 190, audited })
        );
    });
}
