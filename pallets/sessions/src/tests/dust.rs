//! Money too little for a case of its own.

use super::*;

const LEAST: Balance = 50;
const AUDITED: Balance = 1_000;

fn with_bounds() {
    Parameters::<Test>::mutate(|params| {
        params.min_settlement = LEAST;
        params.audit_from = AUDITED;
    });
}

#[test]
fn a_settlement_below_the_least_one_waits() {
    build_and_execute(|| {
        with_bounds();
        // GIVEN answers worth a planck less than the least settlement
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[LEAST - 1]);
        // WHEN they are settled THEN they are too little
        assert_eq!(
            settle_all(vec![run.entry()]),
            Err(Error::<Test>::SettlementTooSmall.into())
        );
        // AND with another planck they are enough
        settled(id, &who, &[LEAST - 1, 1]);
    });
}

#[test]
fn dust_is_paid_before_its_channel_ends() {
    // A session that closes, a slice that is to shrink, a client that equivocated.
    let ends: [fn(SessionId, &AccountId); 3] = [
        |id, _| dispatch(Call::close { session: id }, &alice()).unwrap(),
        |id, who| {
            let call = Call::shrink {
                session: id,
                operator: who.clone(),
                to: 10,
            };
            dispatch(call, &alice()).unwrap()
        },
        |id, who| {
            let call = Call::prove_equivocation {
                first: request(id, who, 1, 1, 1),
                second: request(id, who, 1, 2, 2),
            };
            dispatch(call, &account(BOB)).unwrap()
        },
    ];
    for end in ends {
        build_and_execute(|| {
            with_bounds();
            // GIVEN an answer for a planck
            let id = drawn(DEPOSIT);
            let who = member(id, 0);
            let run = Run::new(id, &who, &[1]);
            assert!(settle_all(vec![run.entry()]).is_err());
            // WHEN the channel is about to end THEN it can be settled
            end(id, &who);
            settle_all(vec![run.entry()]).unwrap();
            assert_eq!(in_pot(), 1);
        });
    }
}

/// Whether takings of so much got a case; ends them.
fn gets_a_case(entropy: u64, sum: Balance) -> bool {
    let mut audited = false;
    build_and_execute(|| {
        Entropy::put(entropy);
        let id = drawn(DEPOSIT);
        with_bounds();
        let who = member(id, 0);
        settled(id, &who, &[sum]);
        let of = takings_of(&who);
        next_epoch();
        run_to_draw();
        let Some(takings) = AllTakings::<Test>::get(of) else {
            // Nobody was drawn to look: paid as an unaudited job.
            let subject = Subject::SessionTakings(of);
            let units = (sum / UNIT_PRICE) as u64;
            assert_eq!(Fees::get(), vec![(subject, who.clone(), sum, units, 0)]);
            assert_eq!((in_pot(), registered(&who).liabilities), (0, 0));
            assert_eq!(registered(&who).valid_units, 0, "nobody has found it valid");
            assert_event(Event::TakingsUnaudited {
                takings: of,
                operator: who,
                paid: sum,
            });
            return;
        };
        assert!(matches!(takings.stage, TakingsStage::InAudit { .. }));
        audited = true;
    });
    audited
}

#[test]
fn takings_get_a_case_as_often_as_they_are_worth_one() {
    // GIVEN takings of a quarter of what a case is opened for, and of all of it
    let cases = (0..80).filter(|n| gets_a_case(*n, AUDITED / 4)).count();
    let certain = (0..10).filter(|n| gets_a_case(*n, AUDITED)).count();
    // THEN the first get one in four, and the second always
    assert!((8..=32).contains(&cases), "{cases} of 80");
    assert_eq!(certain, 10);
}

#[test]
fn dust_that_is_drawn_is_judged_like_all_takings() {
    // GIVEN a seed by which dust gets a case
    let entropy = (0..100)
        .find(|n| gets_a_case(*n, LEAST))
        .expect("one in twenty");
    build_and_execute(|| {
        Entropy::put(entropy);
        let id = drawn(DEPOSIT);
        with_bounds();
        let who = member(id, 0);
        settled(id, &who, &[LEAST]);
        let case = in_audit(takings_of(&who));
        let before = free(&alice());
        // WHEN it is false THEN that costs as much as any lie
        close_case(case, HARD);
        run_blocks(1);
        assert_eq!(free(&alice()), before + LEAST);
        assert_eq!(Slashes::get().len(), 1);
    });
}

#[test]
fn a_case_that_cannot_be_opened_is_no_second_chance_to_escape_one() {
    // GIVEN a seed by which dust gets a case, while nobody may judge
    let entropy = (0..100)
        .find(|n| gets_a_case(*n, LEAST))
        .expect("one in twenty");
    build_and_execute(|| {
        Entropy::put(entropy);
        let id = drawn(DEPOSIT);
        with_bounds();
        let who = member(id, 0);
        settled(id, &who, &[LEAST]);
        NoElectorate::put(true);
        next_epoch();
        // WHEN the openings fail one after the other THEN it stays a matter for a case
        for _ in 0..4 {
            run_to_draw();
        }
        assert!(Fees::get().is_empty(), "nobody was paid");
    });
}
