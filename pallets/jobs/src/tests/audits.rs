//! Which jobs are audited, and what each decision does.

use super::*;
use chasqui_primitives::{
    audit::HardReason,
    money::{split_fee, Shares},
    traits::{Ledger, Offence},
    RefundReason,
};
use frame_support::assert_ok;

const PRICE: Balance = (3 + 4 * 4) * UNIT_PRICE;

#[test]
fn work_without_reputation_is_always_audited() {
    build_and_execute(|| {
        for _ in 0..10 {
            // WHEN operators of reputation zero commit THEN a case opens about each job
            let (id, case) = Request::default().in_audit();
            let (subject, who, _, tau) = OpenCases::get(case).expect("open");
            assert_eq!(subject, Subject::Job(id));
            assert_eq!(Some(&who), job(id).executor());
            assert_eq!(tau, terms().thresholds.evidence_tau);
            assert_eq!(Clients::get(case), Some(account(ALICE)));
            assert_event(Event::AuditOpened { job: id, case });
        }
    });
}

#[test]
fn a_premium_job_is_audited_whoever_computes_it() {
    build_and_execute(|| {
        // GIVEN an executor of full reputation and a mood in which it would be spared
        let request = Request {
            class: JobClass::Premium,
            ..Default::default()
        };
        let id = request.committed();
        spare_from_audit(id);
        // WHEN the audit is drawn THEN it is audited: it is not released before
        run_to_draw();
        assert_eq!(stage(id), JobStage::InAudit);
    });
}

#[test]
fn an_output_outside_the_chain_is_always_audited() {
    build_and_execute(|| {
        // GIVEN an output that only auditors can look for
        let id = Request::default().assigned();
        let blob = spoiled(id, |c| c.output = Output::Blob(H256::repeat_byte(8)));
        assert_ok!(commit(id, blob));
        assert_eq!(Pallet::<Test>::status(id).expect("live").output, None);
        spare_from_audit(id);
        // WHEN the audit is drawn THEN reputation does not spare it
        run_to_draw();
        assert_eq!(stage(id), JobStage::InAudit);
    });
}

#[test]
fn whoever_is_no_longer_worth_trusting_is_audited() {
    build_and_execute(|| {
        // GIVEN an executor of full reputation whose bond shrank after the draw
        let id = Request::default().committed();
        spare_from_audit(id);
        let who = operator(executor(id));
        Registry::mutate_exists(&who, |o| o.as_mut().expect("known").slashable = 0);
        // WHEN the audit is drawn THEN no probability but one is enough
        run_to_draw();
        assert_eq!(stage(id), JobStage::InAudit);
    });
}

#[test]
fn valid_settles_at_once_and_pays_executor_and_auditors() {
    build_and_execute(|| {
        // GIVEN an audited job
        let before = free(&account(ALICE));
        let (id, case) = Request::default().in_audit();
        let n = executor(id);
        // WHEN its auditors agree that it is valid
        close(case, Decision::Valid);
        // THEN the client paid the price, to the planck
        let audited = true;
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Settled {
                paid: PRICE,
                audited
            })
        );
        assert_eq!(free(&account(ALICE)), before - PRICE);
        // AND the executor and each auditor have their shares of it
        let split = split_fee(PRICE, &Shares::default(), 3);
        assert_eq!(Unclaimed::get(operator(n)), split.executor);
        for auditor in AUDITORS {
            assert_eq!(Unclaimed::get(account(auditor)), split.auditors_each);
        }
        // AND the executor's record says so
        assert_eq!(registered(n).valid_units, 19);
        assert_eq!((registered(n).kept, registered(n).missed), (1, 0));
        assert_event(Event::Settled {
            job: id,
            client: account(ALICE),
            executor: operator(n),
            paid: PRICE,
            returned: 350 - PRICE,
            audited,
        });
    });
}

#[test]
fn hard_refunds_slashes_and_forfeits() {
    build_and_execute(|| {
        // GIVEN an executor with unclaimed revenue, and an audited job
        let before = free(&account(ALICE));
        let (id, case) = Request::default().in_audit();
        let who = operator(executor(id));
        Unclaimed::insert(&who, 5_000);
        // WHEN the case says that the output is false
        close(case, Decision::Hard(HardReason::Margin));
        // THEN the client has everything back
        assert_eq!(outcome(id), Some(JobOutcome::Refunded(RefundReason::Hard)));
        assert_eq!(free(&account(ALICE)), before);
        // AND the executor is slashed, the auditors rewarded out of it, its revenue gone
        let majority = AUDITORS.map(account).to_vec();
        assert_eq!(
            Slashes::get(),
            vec![(who.clone(), Offence::FalseResult, majority)]
        );
        assert_eq!(FakeLedger::unclaimed(&who), 0);
        assert_eq!(Forfeited::get(), 5_000);
        assert_eq!(Registry::get(&who).expect("known").hard, 1);
    });
}

#[test]
fn soft_refunds_and_slashes_only_when_it_repeats() {
    build_and_execute(|| {
        // GIVEN two audited jobs, the executor of the second one soft verdict from significance
        let before = free(&account(ALICE));
        let (first, case) = Request::default().in_audit();
        close(case, Decision::Soft);
        // WHEN the first is soft THEN its client is refunded and nobody slashed
        assert_eq!(
            outcome(first),
            Some(JobOutcome::Refunded(RefundReason::Soft))
        );
        assert_eq!(free(&account(ALICE)), before);
        assert!(Slashes::get().is_empty());
        // WHEN the second is THEN its executor is slashed for that
        let (second, case) = Request::default().in_audit();
        let who = operator(executor(second));
        Registry::mutate_exists(&who, |o| {
            o.as_mut().expect("known").soft_is_significant = true
        });
        close(case, Decision::Soft);
        assert_eq!(Slashes::get()[0].1, Offence::RepeatedSoft);
        assert_eq!(free(&account(ALICE)), before);
        assert_eq!(Forfeited::get(), 0);
    });
}

#[test]
fn undecided_refunds_and_leaves_the_executor_unpaid_and_unslashed() {
    build_and_execute(|| {
        let before = free(&account(ALICE));
        let (id, case) = Request::default().in_audit();
        let n = executor(id);
        close(case, Decision::Undecided);
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Refunded(RefundReason::Undecided))
        );
        assert_eq!(free(&account(ALICE)), before);
        assert_eq!(Unclaimed::get(operator(n)), 0);
        assert!(Slashes::get().is_empty());
        let record = registered(n);
        assert_eq!((record.hard, record.soft, record.missed), (0, 0, 0));
    });
}

#[test]
fn a_case_that_cannot_be_opened_is_tried_again_without_another_roll() {
    build_and_execute(|| {
        // GIVEN an electorate that has run away
        let id = Request::default().committed();
        NoElectorate::put(true);
        run_to_draw();
        assert_eq!(stage(id), JobStage::Committed);
        assert!(has_event(|event| matches!(
            event,
            Event::AuditPostponed { .. }
        )));
        assert_eq!(NextCase::get(), 0, "what the failed opening wrote is gone");
        // WHEN it is back, and the dice would now spare the job
        NoElectorate::put(false);
        spare_from_audit(id);
        run_to_draw();
        // THEN it is audited all the same
        assert_eq!(stage(id), JobStage::InAudit);
    });
}

#[test]
fn without_any_electorate_the_client_is_refunded() {
    build_and_execute(|| {
        // GIVEN an electorate that does not come back
        let before = free(&account(ALICE));
        let id = Request::default().committed();
        NoElectorate::put(true);
        // WHEN the audit has been tried four times
        (0..4).for_each(|_| run_to_draw());
        // THEN nobody can tell whether the work was good: the client has its money
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Refunded(RefundReason::Undecided))
        );
        assert_eq!(free(&account(ALICE)), before);
    });
}

#[test]
fn a_case_about_something_else_changes_nothing() {
    build_and_execute(|| {
        // GIVEN a job in audit, one that is not, and one that never was
        let (id, case) = Request::default().in_audit();
        let other = Request::default().submitted();
        let before = (job(id), job(other));
        // WHEN cases that are not theirs close THEN nothing happens
        let hard = Decision::Hard(HardReason::Margin);
        for (subject, case) in [(id, case + 1), (other, case), (999, case)] {
            Pallet::<Test>::on_closed(&Subject::Job(subject), case, hard, &[]);
        }
        assert_eq!((job(id), job(other)), before);
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn a_case_that_closes_twice_pays_once() {
    build_and_execute(|| {
        let (id, case) = Request::default().in_audit();
        close(case, Decision::Valid);
        let paid = PaidIn::get();
        let majority = AUDITORS.map(account);
        Pallet::<Test>::on_closed(&Subject::Job(id), case, Decision::Valid, &majority);
        assert_eq!(PaidIn::get(), paid);
    });
}
