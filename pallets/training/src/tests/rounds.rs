//! Rounds from their edge to their pay, and what verdicts make of them.

use crate::{mock::*, *};
use chasqui_primitives::{
    audit::Subject,
    training::{Judged, Phase},
    traits::TrainingFund,
};
use frame_support::assert_ok;

/// Units of a whole shard.
fn units() -> u64 {
    terms(1, 1, 1).recipe.tokens_per_round()
}

#[test]
fn every_phase_of_a_round_leads_to_equal_pay_for_its_owners() {
    build_and_execute(|| {
        // GIVEN a round of four
        let run = training(terms(2, 2, 4), 4);
        let record = Training::round(run, 0).expect("it runs");
        assert_eq!((record.members, record.first_sequence), (4, 0));
        let seed = record.seed.expect("drawn");
        assert!(happened(Event::TrainingBegan {
            run,
            round: 0,
            seed
        }));

        // WHEN all commit, reveal and attest
        (0..4).for_each(|who| ok(commit(who, run)));
        wait_for(run, |phase| matches!(phase, Phase::Exchange { .. }));
        (0..4).for_each(|who| ok(reveal(who, run)));
        wait_for(run, |phase| matches!(phase, Phase::Attest { .. }));
        (0..4).for_each(|who| ok(attest(who, run, 0..4)));

        // THEN each is judged in a case of its own
        wait_for(run, |phase| matches!(phase, Phase::Audit { .. }));
        assert_eq!(OpenCases::iter().count(), 4);
        for (_, case) in OpenCases::iter() {
            let Subject::Training {
                run: of,
                round,
                rank,
            } = case.subject
            else {
                panic!("another subject: {case:?}");
            };
            let own = Contributions::<Test>::get((run, 0, rank)).expect("it contributed");
            assert_eq!((of, round, case.operator), (run, 0, own.who));
            assert_eq!((case.client, case.checkpoint), (None, around(run).root));
            assert_eq!((case.evidence_tau, case.price), (3, ROUND_PAY / 4));
        }
        (0..4).for_each(|who| close(case_of(who), Decision::Valid));

        // AND more than half agree on what the outer step gives
        wait_for(run, |phase| matches!(phase, Phase::Agree { .. }));
        (0..3).for_each(|who| ok(agree(who, run, 0)));
        wait_for(run, |phase| matches!(phase, Phase::Seed));
        assert_eq!(head(run).model, Some(model(run, 0, 0)));
        assert!(happened(Event::RoundAgreed {
            run,
            round: 0,
            model: model(run, 0, 0)
        }));

        // AND when nobody challenged that, it is final and paid, and bonds are free
        assert_eq!(operator(0).liabilities, 1);
        assert_eq!(FakeFund::reserved(run), 2 * ROUND_PAY);
        let before = free(owner(0));
        wait_for(run, |_| {
            head(run).finals == 1 && head(run).pending.is_none()
        });
        (0..4).for_each(|who| {
            assert_eq!(free(owner(who)), before + ROUND_PAY / 4);
            assert_eq!((operator(who).liabilities, operator(who).kept), (0, 1));
            assert_eq!(operator(who).valid_units, units());
        });
        assert_eq!(FakeFund::reserved(run), ROUND_PAY);
        assert_eq!(Uses::get((DATASET, run)), Some((ROUND_PAY, 4 * units())));
        assert_eq!(Training::contributions(run, 0), vec![]);
        assert_eq!(Training::round(run, 0), None);
    });
}

/// Two rounds of four of whom one's first is judged like this.
fn judged(decision: Decision) -> RunId {
    let run = training(terms(2, 2, 4), 4);
    go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
    let case = case_of(1);
    close(case, decision);
    assert!(System::events().iter().any(|record| matches!(
        record.event,
        RuntimeEvent::Training(Event::Judged { who: 1, decision: of, .. }) if of == decision
    )));
    go_until(
        run,
        |_| Decision::Valid,
        |head| head.finals == 1 && head.pending.is_none(),
    );
    run
}

#[test]
fn who_is_found_false_is_slashed_once_unpaid_and_out_for_good() {
    build_and_execute(|| {
        let run = judged(FALSE);
        // THEN its auditors have their part of one slash
        let slashes = Slashes::get();
        assert_eq!(slashes.len(), 1);
        assert_eq!((slashes[0].operator, slashes[0].reporter), (1, None));
        assert_eq!(slashes[0].auditors, MAJORITY.to_vec());
        assert_eq!((operator(1).hard, operator(1).valid_units), (1, 0));
        // AND nobody has its part of the pay
        let minimum = ExistentialDeposit::get();
        assert_eq!(free(owner(1)), minimum);
        assert_eq!(free(owner(0)), minimum + ROUND_PAY / 4);
        assert_eq!(FakeFund::reserved(run), 2 * ROUND_PAY - 3 * (ROUND_PAY / 4));
        // AND it is out of this run: its deposit stays, so that it judges nobody here
        assert_eq!((head(run).active, head(run).banned), (3, 1));
        assert_eq!(join(1, run), Err(Error::<Test>::Banned.into()));
        assert_eq!(held(HoldReason::Member, 1), MEMBER_DEPOSIT);
        go_to(run, |phase| phase == Phase::Finished);
        assert_eq!(held(HoldReason::Member, 1), 0);
        assert_eq!(slashed(), vec![1]);
    });
}

#[test]
fn soft_or_undecided_work_is_not_paid_and_stays_a_member() {
    for (decision, soft) in [(Decision::Soft, 1), (Decision::Undecided, 0)] {
        build_and_execute(|| {
            let run = judged(decision);
            assert_eq!(free(owner(1)), ExistentialDeposit::get());
            assert_eq!((operator(1).soft, operator(1).hard), (soft, 0));
            assert_eq!(slashed(), Vec::<AccountId>::new());
            assert_eq!((head(run).active, head(run).banned), (4, 0));
        });
    }
}

#[test]
fn soft_work_that_chance_no_longer_explains_is_slashed() {
    build_and_execute(|| {
        change(1, |operator| operator.soft_is_significant = true);
        judged(Decision::Soft);
        let slashes = Slashes::get();
        assert_eq!(slashes.len(), 1);
        assert_eq!(
            slashes[0].offence,
            chasqui_primitives::traits::Offence::RepeatedSoft
        );
    });
}

#[test]
fn case_that_cannot_be_opened_counts_as_undecided_after_three_tries() {
    build_and_execute(|| {
        // GIVEN that nobody may judge now
        let run = training(terms(1, 2, 4), 3);
        NoElectorate::put(true);
        // WHEN a round comes to its audits
        go_until(run, |_| Decision::Valid, |head| head.phase.is_over());
        // THEN it is void, and no trace of a case is left
        assert!(happened(Event::RoundVoid { run, round: 0 }));
        assert_eq!(OpenCases::iter().count(), 0);
        assert_eq!(phase(run), Phase::Failed(Failure::Nothing));
    });
}

#[test]
fn verdict_that_comes_late_frees_its_bond_and_pays_nothing() {
    build_and_execute(|| {
        // GIVEN a round in which one case stays open
        let run = training(terms(1, 2, 4), 4);
        go_to(run, |phase| matches!(phase, Phase::Audit { .. }));
        let late = case_of(2);
        let open: Vec<_> = OpenCases::iter_keys()
            .filter(|case| *case != late)
            .collect();
        open.into_iter()
            .for_each(|case| close(case, Decision::Valid));
        wait_for(run, |phase| matches!(phase, Phase::Agree { .. }));
        (0..4).for_each(|who| ok(agree(who, run, 0)));
        wait_for(run, |phase| phase == Phase::Finished);

        // THEN the run ends without it, but its bond is not free yet
        assert_eq!(free(owner(2)), ExistentialDeposit::get());
        assert_eq!(operator(2).liabilities, 1);
        let record = Training::round(run, 0).expect("a case is open");
        assert_eq!((record.records, record.done), (1, true));
        assert_eq!(held(HoldReason::Member, 2), MEMBER_DEPOSIT);

        // WHEN the case closes after all THEN it is
        close(late, Decision::Valid);
        assert_eq!(
            (operator(2).liabilities, operator(2).valid_units),
            (0, units())
        );
        assert_eq!(held(HoldReason::Member, 2), 0);
        assert_eq!(Training::round(run, 0), None);
        assert_eq!(free(owner(2)), ExistentialDeposit::get());
    });
}

#[test]
fn whoever_others_do_not_hold_is_left_out() {
    build_and_execute(|| {
        // GIVEN a round in which one member serves its pseudo-gradient to nobody
        let run = training(terms(1, 2, 4), 4);
        (0..4).for_each(|who| ok(commit(who, run)));
        wait_for(run, |phase| matches!(phase, Phase::Exchange { .. }));
        (0..4).for_each(|who| ok(reveal(who, run)));
        wait_for(run, |phase| matches!(phase, Phase::Attest { .. }));
        let list = Training::contributions(run, 0);
        let hidden = list
            .iter()
            .find(|(_, own)| own.who == 3)
            .expect("it is in")
            .0;
        let others: Vec<u32> = (0..4).filter(|rank| *rank != hidden).collect();
        (0..3).for_each(|who| ok(attest(who, run, others.clone())));
        assert_ok!(attest(3, run, 0..4));
        // THEN it is neither judged nor paid
        wait_for(run, |phase| matches!(phase, Phase::Audit { .. }));
        let own = Contributions::<Test>::get((run, 0, hidden)).expect("it is in");
        assert_eq!(own.judged, Judged::Not);
        assert_eq!(OpenCases::iter().count(), 3);
        go_to(run, |phase| phase == Phase::Finished);
        assert_eq!(free(owner(3)), ExistentialDeposit::get());
        assert_eq!(operator(3).kept, 1);
    });
}

#[test]
fn owner_that_cannot_hold_its_pay_has_it_paid_to_the_operator() {
    build_and_execute(|| {
        // GIVEN owners without an account, and a pay below the existential deposit
        let small = RunTerms {
            round_pay: 40,
            ..terms(1, 2, 4)
        };
        let run = training(small, 4);
        assert_ok!(Balances::force_set_balance(
            RuntimeOrigin::root(),
            owner(0),
            0
        ));
        let issuance = ExistentialDeposit::get();
        let before = free(0);
        go_to(run, |phase| phase == Phase::Finished);
        // The deposit of the first is back too.
        assert_eq!(free(0), before + MEMBER_DEPOSIT + 10);
        assert_eq!(free(owner(1)), issuance + 10);
        // What was taken from the owner is given back, for the books of the test.
        assert_ok!(Balances::force_set_balance(
            RuntimeOrigin::root(),
            owner(0),
            issuance
        ));
    });
}

#[test]
fn pay_that_nobody_can_hold_stays_in_the_budget() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 3);
        go_to(run, |phase| matches!(phase, Phase::Agree { .. }));
        // GIVEN a fund that lost its money (which nothing on chain does)
        assert_ok!(Balances::force_set_balance(
            RuntimeOrigin::root(),
            FUND,
            ExistentialDeposit::get()
        ));
        let before = free(owner(0));
        // WHEN the round is paid, nobody is, and the run ends none the less
        Earmarks::insert(run, 0);
        (0..3).for_each(|who| ok(agree(who, run, 0)));
        for _ in 0..30 {
            let now = System::block_number() + 1;
            System::set_block_number(now);
            <Training as frame_support::traits::Hooks<u64>>::on_initialize(now);
        }
        assert_eq!(free(owner(0)), before);
        assert!(System::events().iter().any(|record| matches!(
            record.event,
            RuntimeEvent::Training(Event::NotPaid { who: 0, .. })
        )));
        assert_eq!(phase(run), Phase::Finished);
        // Given back, for the books of the test.
        assert_ok!(Balances::force_set_balance(
            RuntimeOrigin::root(),
            FUND,
            GIFT
        ));
    });
}
