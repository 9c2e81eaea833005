//! What an operator finds of its own without looking at everybody's.

use super::*;

fn own_takings(who: &AccountId) -> Vec<TakingsId> {
    let mut all: Vec<_> = OperatorTakings::<Test>::iter_key_prefix(who).collect();
    all.sort();
    all
}

fn own_reports(who: &AccountId) -> Vec<ReportId> {
    OperatorReports::<Test>::iter_key_prefix(who).collect()
}

#[test]
fn an_operator_finds_its_open_takings_and_reports() {
    build_and_execute(|| {
        // GIVEN an operator with takings in audit and newer ones, and another with some
        let id = drawn(DEPOSIT);
        let (who, other) = (member(id, 0), member(id, 1));
        settled(id, &who, &[100]);
        settled(id, &other, &[100]);
        let first = takings_of(&who);
        let case = in_audit(first);
        let run = settled(id, &who, &[50]);
        let second = takings_of(&who);
        // WHEN one of its answers is reported
        let call = Call::report {
            request: run.asked[0].clone(),
            receipt: signed_receipt(run.answered[0].clone()),
            settlement: Some((second, 0)),
        };
        dispatch(call, &alice()).unwrap();
        // THEN its lists name exactly what it has to answer for
        assert_eq!(own_takings(&who), vec![first, second]);
        assert_eq!(own_takings(&other), vec![takings_of(&other)]);
        assert_eq!(own_reports(&who), vec![0]);
        assert!(own_reports(&other).is_empty());
        // AND what is decided is off them at once
        close_case(case, Decision::Valid);
        assert_eq!(own_takings(&who), vec![second]);
        run_to_draw();
        let report = match Reports::<Test>::get(0).unwrap().stage {
            ReportStage::InAudit { case } => case,
            stage => panic!("{stage:?}"),
        };
        close_case(report, Decision::Valid);
        assert!(own_reports(&who).is_empty());
    });
}
