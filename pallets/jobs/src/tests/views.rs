//! What readers are told.

use super::*;
use chasqui_primitives::JobStatus;
use frame_support::assert_ok;

#[test]
fn a_job_is_told_from_submission_to_outcome() {
    build_and_execute(|| {
        assert_eq!(Pallet::<Test>::job(0), None);
        let id = Request::default().submitted();
        let nothing = JobStatus {
            job: id,
            stage: JobStage::Submitted,
            executor: None,
            output: None,
            case: None,
            outcome: None,
        };
        assert_eq!(Pallet::<Test>::job(id), Some(nothing.clone()));
        run_to_draw();
        let executor = Some(operator(executor(id)));
        let assigned = JobStatus {
            stage: JobStage::Assigned,
            executor: executor.clone(),
            ..nothing
        };
        assert_eq!(Pallet::<Test>::job(id), Some(assigned.clone()));
        assert_ok!(commit(id, answer(id)));
        run_to_draw();
        let audited = JobStatus {
            stage: JobStage::InAudit,
            output: Some(OUTPUT.to_vec().try_into().expect("short")),
            case: Some(0),
            ..assigned
        };
        assert_eq!(Pallet::<Test>::job(id), Some(audited.clone()));
        close(0, Decision::Valid);
        let settled = JobStatus {
            stage: JobStage::Settled,
            output: None,
            outcome: Some(JobOutcome::Settled {
                paid: 190,
                audited: true,
            }),
            ..audited
        };
        assert_eq!(Pallet::<Test>::job(id), Some(settled));
    });
}

#[test]
fn a_quote_is_the_least_max_price_that_is_taken() {
    build_and_execute(|| {
        let quote = Pallet::<Test>::quote(CHECKPOINT, 3, 8).expect("fits");
        let with = |max_price| Request {
            max_price,
            ..Default::default()
        };
        assert!(with(quote - 1).send().is_err());
        assert_ok!(with(quote).send());
        // AND there is none for what would be refused
        assert_eq!(Pallet::<Test>::quote(UNPAYABLE, 3, 8), None);
        assert_eq!(Pallet::<Test>::quote(H256::zero(), 3, 8), None);
        assert_eq!(Pallet::<Test>::quote(CHECKPOINT, CONTEXT, 1), None);
        assert_eq!(Pallet::<Test>::quote(CHECKPOINT, u32::MAX, u32::MAX), None);
    });
}

#[test]
fn the_deposit_is_told_beforehand() {
    build_and_execute(|| {
        let bytes = ids_prompt(&[1, 5, 6]).encoded_size() as u32;
        let told = Pallet::<Test>::deposit(bytes, 8);
        Request::default().submitted();
        assert_eq!(held(HoldReason::Deposit, ALICE), told);
    });
}

#[test]
fn a_client_finds_its_live_jobs() {
    build_and_execute(|| {
        let ids: Vec<_> = (0..3).map(|_| Request::default().submitted()).collect();
        let of_bob = Request {
            client: BOB,
            ..Default::default()
        };
        of_bob.submitted();
        assert_ok!(dispatch(Call::cancel { job: ids[1] }, &account(ALICE)));
        let found = |limit| {
            let mut jobs: Vec<_> = Pallet::<Test>::jobs_of(account(ALICE), limit)
                .into_iter()
                .map(|status| status.job)
                .collect();
            jobs.sort();
            jobs
        };
        assert_eq!(found(10), [ids[0], ids[2]]);
        assert_eq!(found(1).len(), 1);
        assert!(found(0).is_empty());
    });
}

#[test]
fn there_is_no_receipt_before_the_commitment_or_after_the_end() {
    build_and_execute(|| {
        let id = Request::default().assigned();
        assert_eq!(Pallet::<Test>::receipt(id), None);
        assert_ok!(commit(id, answer(id)));
        assert!(Pallet::<Test>::receipt(id).is_some());
        run_to_draw();
        close(0, Decision::Valid);
        assert_eq!(Pallet::<Test>::receipt(id), None);
    });
}
