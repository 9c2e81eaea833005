//! An operator and a client in league: what they sign to each other takes nothing from anybody else, and saves no bond.

use super::*;

/// What no client ever paid in.
const FORTUNE: Balance = 1_000_000_000;

/// A receipt for the `index`-th request of a run that says anything for its price: both signatures are theirs.
fn report_for(run: &Run, index: usize, price: Balance, of: Option<(TakingsId, u32)>) -> CaseId {
    let asked = run.asked[index].clone();
    let call = Call::report {
        receipt: signed_receipt(receipt(&asked, price)),
        request: asked,
        settlement: of,
    };
    dispatch(call, &alice()).expect("the signatures are good");
    run_to_draw();
    let newest = NextReport::<Test>::get() - 1;
    match Reports::<Test>::get(newest).expect("open").stage {
        ReportStage::InAudit { case } => case,
        stage => panic!("{stage:?}"),
    }
}

#[test]
fn a_price_that_nobody_paid_endangers_no_auditors_bond() {
    build_and_execute(|| {
        // GIVEN a receipt over a fortune, for a request that is covered by nothing
        let id = drawn(DEPOSIT);
        let run = Run::new(id, &member(id, 0), &[100]);
        // WHEN it is reported
        let case = report_for(&run, 0, FORTUNE, None);
        // THEN auditors answer for no more than what the case pays: the lien of a flag goes by its price
        assert_eq!(Prices::get(case), Some(params().report_deposit));
        close_case(case, Decision::Undecided);
    });
}

#[test]
fn large_takings_endanger_no_more_of_an_auditors_bond_than_a_case_costs() {
    build_and_execute(|| {
        // GIVEN takings of more than what makes a case certain
        let mut params = params();
        params.audit_from = 400;
        Parameters::<Test>::put(&params);
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[1_000]);
        // WHEN their case opens THEN it is about no more than that
        let case = in_audit(takings_of(&who));
        assert_eq!(Prices::get(case), Some(400));
    });
}
