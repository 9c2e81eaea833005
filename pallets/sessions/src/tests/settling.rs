//! Settlements: what is taken, and what is not.

use super::*;

#[test]
fn a_settlement_moves_money_into_takings() {
    build_and_execute(|| {
        // GIVEN three answers
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100, 0, 50]);
        // WHEN anybody submits them
        settle_all(vec![run.entry()]).unwrap();
        // THEN their sum is in the pot, pending, and the operator's bond answers for it
        assert_eq!(in_pot(), 150);
        assert_eq!(held(HoldReason::Session), DEPOSIT - 150);
        let rules = channel(id, &who).rules;
        assert_eq!((rules.settled, rules.last_seq), (150, 3));
        let takings = takings(takings_of(&who));
        assert_eq!((takings.total, takings.units), (150, 15));
        assert_eq!(registered(&who).liabilities, 1);
        assert!(Unclaimed::get(&who) == 0 && Fees::get().is_empty());
        assert_event(Event::Settled {
            session: id,
            operator: who,
            takings: 0,
            settlement: 0,
            sum: 150,
            first: 1,
            last: 3,
        });
    });
}

#[test]
fn a_settlement_is_a_few_hundred_bytes_whatever_it_settles() {
    build_and_execute(|| {
        let id = drawn(1_000_000);
        let who = member(id, 0);
        for count in [1, 500] {
            let entry = Run::new(id, &who, &vec![1; count]).entry();
            assert!(entry.encoded_size() < 500, "{}", entry.encoded_size());
        }
    });
}

#[test]
fn many_sessions_settle_in_one_call_and_the_good_ones_do() {
    build_and_execute(|| {
        // GIVEN a good settlement of one session, a bad one of another, and one that follows the first
        let (a, b) = (drawn(DEPOSIT), drawn(DEPOSIT));
        let (who, other) = (member(a, 0), member(b, 0));
        let first = Run::new(a, &who, &[100]);
        let mut bad = Run::new(b, &other, &[100]).entry();
        bad.claim.sum += 1;
        let next = request(a, &who, 2, 40, 140);
        let claim = tree::claim(&[Leaf {
            seq: 2,
            request: next.hash(&genesis_hash()),
            receipt: receipt(&next, 40).signing_hash(&genesis_hash()),
            price: 40,
        }]);
        let entries = vec![first.entry(), bad.clone(), entry(&next, claim.unwrap())];
        // WHEN they come together
        settle_all(entries).unwrap();
        // THEN two are done, and the third is told
        assert_eq!(takings(takings_of(&who)).settlements, 2);
        assert_eq!(in_pot(), 140);
        assert_event(Event::SettlementFailed {
            session: b,
            operator: other,
            error: Error::<Test>::BadOperatorSignature.into(),
        });
        // AND a call of nothing but bad ones fails
        assert_eq!(
            settle_all(vec![bad]),
            Err(Error::<Test>::BadOperatorSignature.into())
        );
        assert_eq!(settle_all(vec![]), Err(Error::<Test>::NoEntries.into()));
    });
}

#[test]
fn voids_are_settled_with_what_comes_after_them() {
    build_and_execute(|| {
        // GIVEN an answer, a request that was voided, and another answer
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let mut run = Run::new(id, &who, &[100, 70, 50]);
        run.answered[1] = Receipt::void(&genesis_hash(), &run.asked[1].request);
        // WHEN they are settled in one run THEN the void costs nothing and leaves no gap
        settle_all(vec![run.entry()]).unwrap();
        let rules = channel(id, &who).rules;
        assert_eq!((rules.settled, rules.last_seq, in_pot()), (150, 3, 150));
    });
}

#[test]
fn an_operator_needs_no_signature_of_its_own() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let mut entry = Run::new(id, &who, &[100]).entry();
        entry.signature = None;
        // Somebody else needs it: else a client could settle a root that nobody can open.
        assert_eq!(
            settle_all(vec![entry.clone()]),
            Err(Error::<Test>::BadOperatorSignature.into())
        );
        let entries = vec![entry].try_into().unwrap();
        dispatch(Call::settle { entries }, &hot(number_of(&who))).unwrap();
        assert_eq!(in_pot(), 100);
    });
}

#[test]
fn a_settlement_outside_the_rules_is_refused() {
    build_and_execute(|| {
        // GIVEN a channel with 100 settled, of a slice of 5,000
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[100]);
        let with = |asked: &Asked, sum, first, last| {
            let root = H256::repeat_byte(1);
            let claim = Claim {
                root,
                sum,
                first,
                last,
            };
            settle_all(vec![entry(asked, claim)])
        };
        let refused = |outcome: Result<(), DispatchError>, error: Error<Test>| {
            assert_eq!(outcome, Err(error.into()));
        };
        let asked = request(id, &who, 3, 50, 9_000);
        // WHEN something of it is wrong THEN it says what
        refused(with(&asked, 50, 3, 3), Error::NotNext);
        refused(with(&asked, 50, 1, 3), Error::NotNext);
        refused(with(&asked, 50, 2, 2), Error::OtherRequest);
        refused(with(&asked, 0, 2, 3), Error::NothingClaimed);
        refused(with(&asked, 4_901, 2, 3), Error::BeyondSlice);
        refused(
            with(&request(id, &who, 3, 50, 149), 50, 2, 3),
            Error::BeyondCap,
        );
        let far = request(id, &who, 40_000, 50, 9_000);
        refused(with(&far, 50, 2, 40_000), Error::LeafCountOutOfRange);
        let mut forged = asked.clone();
        forged.request.cap += 1;
        refused(with(&forged, 50, 2, 3), Error::BadClientSignature);
        let mut elsewhere = asked.request.clone();
        elsewhere.checkpoint = UNSERVED;
        refused(with(&signed(elsewhere), 50, 2, 3), Error::OtherRequest);
        let stranger = (0..OPERATORS)
            .map(operator)
            .find(|who| !session(id).committee.contains(who))
            .unwrap();
        let asked = request(id, &stranger, 1, 50, 50);
        refused(with(&asked, 50, 1, 1), Error::UnknownChannel);
        let nowhere = request(H256::zero(), &who, 1, 50, 50);
        refused(with(&nowhere, 50, 1, 1), Error::UnknownSession);
    });
}

#[test]
fn a_channel_settles_so_often_in_an_epoch() {
    build_and_execute(|| {
        // GIVEN a channel with as many settlements as there may be
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        for _ in 0..3 {
            settled(id, &who, &[10]);
        }
        let run = Run::new(id, &who, &[10, 20]);
        // WHEN another comes THEN it has to wait for the next epoch
        assert_eq!(
            settle_all(vec![run.entry()]),
            Err(Error::<Test>::TooManySettlements.into())
        );
        next_epoch();
        settle_all(vec![run.entry()]).unwrap();
        // AND belongs to other takings
        assert_eq!(takings(takings_of(&who)).total, 30);
        assert_eq!(takings(takings_of(&who)).epoch, FakeEpochs::current());
    });
}

#[test]
fn who_has_left_the_registry_settles_nothing() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100]);
        let was = Registry::take(&who).unwrap();
        assert!(settle_all(vec![run.entry()]).is_err());
        Registry::insert(&who, was);
    });
}
