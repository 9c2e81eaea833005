//! Takings: one case over all that an operator settled for a checkpoint in an epoch.

use super::*;

/// Two sessions that one operator serves.
fn two_sessions() -> (SessionId, SessionId, AccountId) {
    let a = drawn(DEPOSIT);
    let committee = session(a).committee;
    for n in (0..OPERATORS).filter(|n| !committee.contains(&operator(*n))) {
        Registry::mutate_exists(operator(n), |o| o.as_mut().unwrap().weight = 0);
    }
    (a, drawn(DEPOSIT), committee[0].clone())
}

#[test]
fn takings_wait_for_the_end_of_their_epoch_and_get_one_case() {
    build_and_execute(|| {
        // GIVEN two sessions that an operator settled
        let (a, b, who) = two_sessions();
        settled(a, &who, &[100, 20]);
        settled(b, &who, &[30]);
        let id = takings_of(&who);
        run_blocks(4);
        assert_eq!(takings(id).stage, TakingsStage::Collecting);
        // WHEN the epoch ends
        let case = in_audit(id);
        // THEN one case is open over both, whose panel follows from a seed drawn after the last settlement
        let (subject, operator, _, tau) = OpenCases::get(case).unwrap();
        assert_eq!(subject, Subject::SessionTakings(id));
        assert_eq!((operator, tau), (who, 77));
        assert_eq!(Clients::get(case), Some(None));
        // AND at reputation zero it looks at 64 plancks of the whole
        let plancks = Pallet::<Test>::plancks(id);
        assert_eq!(plancks.len(), 64);
        assert!(plancks.iter().all(|planck| *planck < 150));
    });
}

#[test]
fn reputation_spares_plancks() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100]);
        Registry::mutate_exists(&who, |o| o.as_mut().unwrap().reputation = Perbill::one());
        let of = takings_of(&who);
        in_audit(of);
        assert_eq!(Pallet::<Test>::plancks(of).len(), 16);
    });
}

#[test]
fn valid_takings_are_shared_out_with_the_auditors() {
    build_and_execute(|| {
        // GIVEN takings in audit
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100, 50]);
        settled(id, &who, &[50]);
        let of = takings_of(&who);
        let case = in_audit(of);
        // WHEN they are found valid
        close_case(case, Decision::Valid);
        // THEN the fee is recorded as that of an audited job
        let subject = Subject::SessionTakings(of);
        assert_eq!(Fees::get(), vec![(subject, who.clone(), 200, 20, 3)]);
        assert_eq!(Unclaimed::get(&who), 60);
        assert_eq!(in_pot(), 0);
        let operator = registered(&who);
        assert_eq!((operator.valid_units, operator.kept), (20, 1));
        assert_eq!(operator.liabilities, 0);
        // AND soon nothing is left of them
        run_blocks(1);
        assert!(AllTakings::<Test>::get(of).is_none());
        assert_eq!(Settlements::<Test>::iter().count(), 0);
        assert_eq!(NewestTakings::<Test>::iter().count(), 0);
    });
}

#[test]
fn false_takings_go_back_to_their_clients() {
    for (decision, offence) in [
        (HARD, Some(Offence::FalseResult)),
        (Decision::Soft, None),
        (Decision::Undecided, None),
    ] {
        build_and_execute(|| {
            // GIVEN takings out of two sessions, in audit, and other pay that is not claimed
            let (a, b, who) = two_sessions();
            settled(a, &who, &[100]);
            settled(b, &who, &[30]);
            Unclaimed::insert(&who, 1_000);
            let of = takings_of(&who);
            let case = in_audit(of);
            let before = free(&alice());
            // WHEN they are not found valid
            close_case(case, decision);
            // THEN every client has everything back, in time
            run_blocks(1);
            assert_eq!((free(&alice()), in_pot()), (before + 130, 0));
            assert!(Fees::get().is_empty() && AllTakings::<Test>::get(of).is_none());
            // AND the operator pays for what cannot happen to an honest one
            let slashes = Slashes::get();
            assert_eq!(slashes.first().map(|slash| slash.offence), offence);
            let hard = offence.is_some();
            assert_eq!(Unclaimed::get(&who) == 0, hard);
            assert_eq!(registered(&who).hard, u32::from(hard));
            assert_eq!(registered(&who).soft, u32::from(decision == Decision::Soft));
            for slash in slashes {
                assert_eq!(slash.auditors.len(), 3);
                assert_eq!((slash.victim, slash.reporter), (None, None));
            }
        });
    }
}

#[test]
fn soft_verdicts_beyond_chance_slash() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100]);
        Registry::mutate_exists(&who, |o| o.as_mut().unwrap().soft_is_significant = true);
        let case = in_audit(takings_of(&who));
        close_case(case, Decision::Soft);
        assert_eq!(Slashes::get()[0].offence, Offence::RepeatedSoft);
    });
}

#[test]
fn refunds_are_bounded_work_a_block() {
    build_and_execute(|| {
        // GIVEN takings of many settlements
        let count = 40;
        let mut who = None;
        let mut sum = 0;
        let mut sessions = 0;
        while sessions < count {
            let id = drawn(DEPOSIT);
            let operator = who.get_or_insert_with(|| member(id, 0)).clone();
            next_epoch();
            sessions += u32::from(session(id).committee.contains(&operator));
            if sessions == count {
                break;
            }
        }
        let who = who.unwrap();
        for (id, session) in Sessions::<Test>::iter() {
            if session.committee.contains(&who) {
                settled(id, &who, &[10]);
                sum += 10;
            }
        }
        let of = takings_of(&who);
        let case = in_audit(of);
        close_case(case, HARD);
        let before = free(&alice());
        // WHEN a block has room for only a few of them
        let each = <() as WeightInfo>::clear_settlement();
        let limit = <() as WeightInfo>::service_base() + each * 20;
        ServiceWeight::set(limit);
        let mut blocks = 0;
        while AllTakings::<Test>::contains_key(of) {
            next_block();
            check_invariants();
            blocks += 1;
        }
        // THEN it takes more than one, and in the end everybody is refunded
        assert!(blocks > 1);
        assert_eq!(free(&alice()), before + sum);
    });
}

#[test]
fn a_client_that_is_gone_leaves_its_refund_to_the_reserve() {
    build_and_execute(|| {
        // GIVEN a client that has nothing but its session, which ends
        let client = account(ALICE);
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[5]);
        dispatch(Call::close { session: id }, &client).unwrap();
        let of = takings_of(&who);
        let case = in_audit(of);
        run_blocks(WINDOW);
        assert!(Sessions::<Test>::get(id).is_none());
        let rest = free(&client);
        Balances::set_balance(&client, 0);
        Balances::set_balance(&account(BOB), RICH + rest);
        // WHEN 5 planck are owed to an account that does not exist
        let reserve = free(&ReserveAccount::get());
        close_case(case, Decision::Undecided);
        run_blocks(1);
        // THEN they are not lost
        assert_eq!(free(&ReserveAccount::get()), reserve + 5);
        assert_eq!(in_pot(), 0);
    });
}

#[test]
fn a_case_that_cannot_be_opened_is_tried_again_and_then_undecided() {
    build_and_execute(|| {
        // GIVEN takings while nobody may judge them
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100]);
        let of = takings_of(&who);
        NoElectorate::put(true);
        next_epoch();
        run_to_draw();
        assert!(matches!(
            takings(of).stage,
            TakingsStage::Drawing {
                failed_openings: 1,
                ..
            }
        ));
        // WHEN that does not change THEN the clients have their money back
        let before = free(&alice());
        for _ in 0..4 {
            run_to_draw();
        }
        assert!(AllTakings::<Test>::get(of).is_none());
        assert_eq!(free(&alice()), before + 100);
        assert!(Slashes::get().is_empty());
        assert_eq!(registered(&who).liabilities, 0);
    });
}

#[test]
fn the_same_operator_has_takings_of_every_epoch() {
    build_and_execute(|| {
        // GIVEN takings in audit
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100]);
        let first = takings_of(&who);
        let case = in_audit(first);
        // WHEN the operator settles again
        settled(id, &who, &[50]);
        let second = takings_of(&who);
        // THEN that is another matter
        assert_ne!(first, second);
        assert_eq!(registered(&who).liabilities, 2);
        close_case(case, HARD);
        run_blocks(1);
        assert_eq!(in_pot(), 50);
        assert_eq!(takings_of(&who), second);
    });
}

#[test]
fn a_case_of_something_else_changes_nothing() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100]);
        let of = takings_of(&who);
        let case = in_audit(of);
        let before = takings(of);
        let judge = |subject, case| {
            Pallet::<Test>::on_closed(&subject, case, HARD, &[]);
        };
        judge(Subject::SessionTakings(of), case + 1);
        judge(Subject::SessionTakings(of + 1), case);
        judge(Subject::SessionReceipt(0), case);
        judge(Subject::Job(0), case);
        assert_eq!(takings(of), before);
        assert!(Slashes::get().is_empty());
    });
}
