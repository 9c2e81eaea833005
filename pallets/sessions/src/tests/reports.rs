//! A client's report of one answer.

use super::*;

fn report(run: &Run, index: usize, of: Option<(TakingsId, u32)>) -> Result<(), DispatchError> {
    let call = Call::report {
        request: run.asked[index].clone(),
        receipt: signed_receipt(run.answered[index].clone()),
        settlement: of,
    };
    dispatch(call, &alice())
}

/// The case about the newest report.
fn case_of_report() -> CaseId {
    run_to_draw();
    let newest = NextReport::<Test>::get() - 1;
    match Reports::<Test>::get(newest).unwrap().stage {
        ReportStage::InAudit { case } => case,
        stage => panic!("{stage:?}"),
    }
}

#[test]
fn a_report_opens_a_case_about_one_answer() {
    build_and_execute(|| {
        // GIVEN an answer that is not settled
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100]);
        // WHEN the client reports it
        report(&run, 0, None).unwrap();
        // THEN its deposit is on hold, and the operator's bond answers
        assert_eq!(held(HoldReason::Report), params().report_deposit);
        assert_eq!(registered(&who).liabilities, 1);
        let case = case_of_report();
        let (subject, operator, ..) = OpenCases::get(case).unwrap();
        assert_eq!((subject, operator), (Subject::SessionReceipt(0), who));
        // AND the client does not judge
        assert_eq!(Clients::get(case), Some(Some(alice())));
    });
}

#[test]
fn a_report_that_is_right_about_a_pending_answer_gives_its_price_back() {
    build_and_execute(|| {
        // GIVEN a settled answer whose takings are pending
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100, 40]);
        Unclaimed::insert(&who, 500);
        let of = takings_of(&who);
        report(&run, 0, Some((of, 0))).unwrap();
        let case = case_of_report();
        let before = free(&alice());
        // WHEN it is false
        close_case(case, HARD);
        // THEN price and deposit are back, the operator is slashed with the client as reporter
        assert_eq!(free(&alice()), before + 100 + params().report_deposit);
        let slash = Slashes::get().remove(0);
        assert_eq!((slash.victim, slash.reporter), (None, Some(alice())));
        assert_eq!(Unclaimed::get(&who), 0);
        assert_eq!(channel(id, &who).rules.stopped, Some(Stop::Convicted));
        assert_eq!((takings(of).pending(), in_pot()), (40, 40));
        // AND the takings are judged about the rest
        let case = match takings(of).stage {
            TakingsStage::InAudit { case, .. } => case,
            _ => in_audit(of),
        };
        close_case(case, Decision::Undecided);
        run_blocks(1);
        assert_eq!(in_pot(), 0);
    });
}

#[test]
fn a_report_that_is_right_about_a_paid_answer_is_paid_out_of_the_bond() {
    build_and_execute(|| {
        // GIVEN a report of an answer whose takings are found valid meanwhile
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100]);
        let of = takings_of(&who);
        let case = in_audit(of);
        report(&run, 0, Some((of, 0))).unwrap();
        let reported = case_of_report();
        close_case(case, Decision::Valid);
        run_blocks(1);
        // WHEN it still turns out false
        close_case(reported, HARD);
        // THEN the bond pays it back
        assert_eq!(Slashes::get()[0].victim, Some((alice(), 100)));
    });
}

#[test]
fn what_is_decided_is_reported_no_more() {
    build_and_execute(|| {
        // GIVEN an answer whose takings were found valid: its operator need not keep it
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100]);
        let of = takings_of(&who);
        let case = in_audit(of);
        close_case(case, Decision::Valid);
        // WHEN its client reports it now, naming the settlement or none
        // THEN it comes too late: the operator could not show what it has forgotten
        for settlement in [Some((of, 0)), None] {
            assert_eq!(
                report(&run, 0, settlement),
                Err(Error::<Test>::SettlementMismatch.into())
            );
        }
    });
}

#[test]
fn a_void_is_no_answer_to_report() {
    build_and_execute(|| {
        // GIVEN a request that was never answered, and the operator's word that it never will be
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let mut run = Run::new(id, &who, &[100]);
        run.answered[0] = Receipt::void(&genesis_hash(), &run.asked[0].request);
        // WHEN it is reported THEN there is nothing to judge
        assert_eq!(
            report(&run, 0, None),
            Err(Error::<Test>::NothingPaid.into())
        );
    });
}

#[test]
fn what_was_not_settled_is_nobodys_loss() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100]);
        report(&run, 0, None).unwrap();
        close_case(case_of_report(), HARD);
        assert_eq!(Slashes::get()[0].victim, None);
        assert_eq!(
            settle_all(vec![run.entry()]),
            Err(Error::<Test>::BeyondSlice.into())
        );
    });
}

#[test]
fn a_report_that_is_wrong_pays_those_who_looked() {
    build_and_execute(|| {
        // GIVEN a report of an honest answer
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100]);
        report(&run, 0, Some((takings_of(&who), 0))).unwrap();
        let before = free(&alice());
        // WHEN it is found valid
        close_case(case_of_report(), Decision::Valid);
        // THEN its deposit is shared out like a fee, for no units
        let deposit = params().report_deposit;
        let subject = Subject::SessionReceipt(0);
        assert_eq!(Fees::get(), vec![(subject, who.clone(), deposit, 0, 3)]);
        assert_eq!((held(HoldReason::Report), free(&alice())), (0, before));
        assert_eq!(in_pot(), 100);
        // AND the channel goes on
        assert_eq!(channel(id, &who).rules.stopped, None);
    });
}

#[test]
fn neither_soft_nor_undecided_costs_the_reporter_its_deposit() {
    // Only a decision gives the price back: who reports has to convince.
    for (decision, returned) in [(Decision::Soft, 100), (Decision::Undecided, 0)] {
        build_and_execute(|| {
            let id = drawn(DEPOSIT);
            let who = member(id, 0);
            let run = settled(id, &who, &[100]);
            let before = free(&alice());
            report(&run, 0, Some((takings_of(&who), 0))).unwrap();
            close_case(case_of_report(), decision);
            assert_eq!(free(&alice()), before + returned);
            assert!(Slashes::get().is_empty());
            assert_eq!(registered(&who).liabilities, 1);
        });
    }
}

#[test]
fn a_report_outlives_its_session() {
    build_and_execute(|| {
        // GIVEN a report whose case takes longer than the session
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100]);
        report(&run, 0, None).unwrap();
        dispatch(Call::close { session: id }, &alice()).unwrap();
        let case = case_of_report();
        run_blocks(WINDOW);
        assert!(Sessions::<Test>::get(id).is_none());
        // WHEN it ends THEN it ends as any other
        close_case(case, HARD);
        assert_eq!(held(HoldReason::Report), 0);
        assert_eq!(Slashes::get().len(), 1);
    });
}

#[test]
fn a_report_without_a_case_is_undecided() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let run = Run::new(id, &member(id, 0), &[100]);
        NoElectorate::put(true);
        report(&run, 0, None).unwrap();
        for _ in 0..4 {
            run_to_draw();
        }
        assert_eq!(Reports::<Test>::iter().count(), 0);
        assert_eq!(held(HoldReason::Report), 0);
    });
}

#[test]
fn a_report_without_ground_is_refused() {
    build_and_execute(|| {
        // GIVEN a settled run
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[10; 9]);
        let of = takings_of(&who);
        let refused = |outcome: Result<(), DispatchError>, error: Error<Test>| {
            assert_eq!(outcome, Err(error.into()));
        };
        // WHEN the evidence does not hold THEN it says why
        let call = Call::report {
            request: run.asked[0].clone(),
            receipt: signed_receipt(run.answered[0].clone()),
            settlement: None,
        };
        refused(dispatch(call, &account(BOB)), Error::NotClient);
        refused(report(&run, 0, Some((of, 1))), Error::SettlementMismatch);
        refused(report(&run, 0, Some((9, 0))), Error::SettlementMismatch);
        let mut odd = run.clone();
        odd.asked.swap(0, 1);
        let named = Some((of, 0));
        refused(report(&run, 0, None), Error::SettlementMismatch);
        refused(report(&odd, 0, named), Error::ReceiptMismatch);
        let mut long = run.clone();
        long.answered[0].output_tokens = MAX_OUTPUT_TOKENS + 1;
        refused(report(&long, 0, named), Error::OutputTooLong);
        let mut forged = run.clone();
        forged.asked[0].request.cap += 1;
        refused(report(&forged, 0, named), Error::BadClientSignature);
        let call = Call::report {
            request: run.asked[0].clone(),
            receipt: SignedReceipt {
                receipt: run.answered[0].clone(),
                signature: run.asked[0].signature.clone(),
            },
            settlement: None,
        };
        refused(dispatch(call, &alice()), Error::BadOperatorSignature);
        // AND one answer is reported once, and so many of a channel
        report(&run, 0, named).unwrap();
        refused(report(&run, 0, named), Error::AlreadyReported);
        for index in 1..8 {
            report(&run, index, named).unwrap();
        }
        refused(report(&run, 8, named), Error::TooManyReports);
    });
}
