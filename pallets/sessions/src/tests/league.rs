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

fn victims() -> Vec<Balance> {
    let slashes = Slashes::get();
    let lost = slashes.iter().filter_map(|slash| slash.victim.as_ref());
    lost.map(|(_, lost)| *lost).collect()
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

#[test]
fn a_price_that_nobody_paid_saves_no_bond_from_its_slash() {
    build_and_execute(|| {
        // GIVEN a settled answer for little, and a receipt for it over a fortune
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100]);
        let of = takings_of(&who);
        let case = report_for(&run, 0, FORTUNE, Some((of, 0)));
        // WHEN it is found false while the takings are pending
        close_case(case, HARD);
        // THEN the client has back what it had paid, and the slash stays a slash
        assert_eq!(takings(of).pending(), 0);
        assert_eq!(victims(), Vec::<Balance>::new());
    });
}

#[test]
fn what_was_paid_out_bounds_what_the_bond_gives_back() {
    build_and_execute(|| {
        // GIVEN the same, where the takings were found valid meanwhile
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100, 20]);
        let of = takings_of(&who);
        let case = in_audit(of);
        let first = report_for(&run, 0, FORTUNE, Some((of, 0)));
        let second = report_for(&run, 1, FORTUNE, Some((of, 0)));
        close_case(case, Decision::Valid);
        run_blocks(1);
        // WHEN two answers are found false
        close_case(first, HARD);
        close_case(second, HARD);
        // THEN no more comes out of the bond than ever went into the channel
        assert_eq!(victims(), vec![120]);
    });
}

#[test]
fn an_answer_that_is_settled_after_its_report_is_no_way_to_ones_own_bond() {
    build_and_execute(|| {
        // GIVEN a reported answer that is settled only then, so that nobody knows in which takings it lies
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100]);
        let case = report_for(&run, 0, FORTUNE, None);
        settle_all(vec![run.entry()]).unwrap();
        // WHEN it is found false THEN the slash stays a slash
        close_case(case, HARD);
        assert_eq!(victims(), Vec::<Balance>::new());
    });
}

#[test]
fn what_the_takings_give_back_is_not_given_back_again() {
    // However far the refund is.
    for blocks in [0, 1] {
        build_and_execute(|| {
            // GIVEN a reported answer whose takings are found false meanwhile
            let id = drawn(DEPOSIT);
            let who = member(id, 0);
            let run = settled(id, &who, &[100]);
            let of = takings_of(&who);
            let case = in_audit(of);
            let reported = report_for(&run, 0, 100, Some((of, 0)));
            close_case(case, HARD);
            run_blocks(blocks);
            // WHEN the report is found right
            close_case(reported, HARD);
            run_blocks(1);
            // THEN the client has its money back once
            assert_eq!(AllTakings::<Test>::get(of), None);
            assert_eq!(victims(), Vec::<Balance>::new());
        });
    }
}

#[test]
fn what_was_given_back_is_reported_no_more() {
    build_and_execute(|| {
        // GIVEN a reported answer whose price came back with its takings
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100]);
        let of = takings_of(&who);
        let case = in_audit(of);
        let reported = report_for(&run, 0, 100, Some((of, 0)));
        close_case(case, Decision::Undecided);
        run_blocks(1);
        // WHEN it is reported again THEN it comes too late
        for settlement in [None, Some((of, 0))] {
            let call = Call::report {
                request: run.asked[0].clone(),
                receipt: signed_receipt(run.answered[0].clone()),
                settlement,
            };
            assert_eq!(
                dispatch(call, &alice()),
                Err(Error::<Test>::SettlementMismatch.into())
            );
        }
        close_case(reported, Decision::Valid);
    });
}

#[test]
fn what_one_report_gave_back_another_does_not() {
    for blocks in [0, 1] {
        build_and_execute(|| {
            // GIVEN two reported answers, of which one gave back everything that both cost, and valid takings
            let id = drawn(DEPOSIT);
            let who = member(id, 0);
            let run = settled(id, &who, &[60, 40]);
            let of = takings_of(&who);
            let case = in_audit(of);
            let first = report_for(&run, 0, FORTUNE, Some((of, 0)));
            let second = report_for(&run, 1, FORTUNE, Some((of, 0)));
            close_case(first, Decision::Soft);
            assert_eq!(takings(of).pending(), 0);
            close_case(case, Decision::Valid);
            run_blocks(blocks);
            // WHEN the other is found false THEN there is nothing to give back
            close_case(second, HARD);
            run_blocks(1);
            assert_eq!(victims(), Vec::<Balance>::new());
        });
    }
}
