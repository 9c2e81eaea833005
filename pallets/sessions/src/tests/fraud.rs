//! Proofs that need no auditors: two answers to one request, two requests for one place.

use super::*;

fn prove_fraud(first: Answered, second: Answered) -> Result<(), DispatchError> {
    dispatch(Call::prove_fraud { first, second }, &account(BOB))
}

fn prove_equivocation(first: Asked, second: Asked) -> Result<(), DispatchError> {
    dispatch(Call::prove_equivocation { first, second }, &account(BOB))
}

/// Two answers to one request.
fn contradiction(id: SessionId, who: &AccountId) -> [Answered; 2] {
    let asked = request(id, who, 1, 100, 100);
    let honest = receipt(&asked, 100);
    let other = Receipt {
        output_hash: H256::zero(),
        ..honest.clone()
    };
    [signed_receipt(honest), signed_receipt(other)]
}

#[test]
fn two_answers_to_one_request_are_fraud() {
    build_and_execute(|| {
        // GIVEN an operator with 70 settled, pay not claimed, and two answers to one request
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[70]);
        Unclaimed::insert(&who, 500);
        let [a, b] = contradiction(id, &who);
        // WHEN anybody shows them
        prove_fraud(a.clone(), b.clone()).unwrap();
        // THEN it is slashed, its pay forfeited, and whoever showed them has a part
        let slash = Slashes::get().remove(0);
        assert_eq!(slash.offence, Offence::FalseResult);
        assert_eq!(slash.reporter, Some(account(BOB)));
        assert_eq!(Unclaimed::get(&who), 0);
        assert_eq!(registered(&who).hard, 1);
        // AND what it had not settled is the client's again
        let rules = channel(id, &who).rules;
        assert_eq!((rules.slice, rules.stopped), (70, Some(Stop::Convicted)));
        assert_eq!(session(id).deposit.free(), DEPOSIT / 2 - 70);
        let run = Run::new(id, &who, &[5]);
        assert_eq!(
            settle_all(vec![run.entry()]),
            Err(Error::<Test>::BeyondSlice.into())
        );
        // AND it is proven once
        assert_eq!(prove_fraud(a, b), Err(Error::<Test>::ChannelStopped.into()));
        assert_eq!(Slashes::get().len(), 1);
    });
}

#[test]
fn what_proves_no_fraud_is_refused() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let [a, b] = contradiction(id, &who);
        let refused = |first: &Answered, second: &Answered, error: Error<Test>| {
            let outcome = prove_fraud(first.clone(), second.clone());
            assert_eq!(outcome, Err(error.into()));
        };
        refused(&a, &a, Error::NoContradiction);
        // The client equivocated: both answers are honest.
        let other = request(id, &who, 1, 101, 101);
        let honest = signed_receipt(receipt(&other, 101));
        refused(&a, &honest, Error::NoContradiction);
        let mut forged = b.clone();
        forged.receipt.price = 7;
        refused(&a, &forged, Error::BadOperatorSignature);
        let [mut c, mut d] = [a.clone(), b.clone()];
        c.receipt.session = H256::zero();
        d.receipt.session = H256::zero();
        refused(&c, &d, Error::UnknownSession);
        let [mut c, mut d] = [a.clone(), b];
        c.receipt.operator = account(9);
        d.receipt.operator = account(9);
        refused(&c, &d, Error::UnknownChannel);
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn a_key_that_is_changed_does_not_take_back_what_it_signed() {
    build_and_execute(|| {
        // GIVEN two answers to one request, after which their operator changes its key and is drawn again
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let [a, b] = contradiction(id, &who);
        Registry::mutate_exists(&who, |o| o.as_mut().unwrap().hot_key = account(4_321));
        for n in (0..OPERATORS).filter(|n| !session(id).committee.contains(&operator(*n))) {
            Registry::mutate_exists(operator(n), |o| o.as_mut().unwrap().weight = 0);
        }
        next_epoch();
        dispatch(Call::renew { session: id }, &alice()).unwrap();
        run_to_draw();
        assert_eq!(channel(id, &who).signer, account(4_321));
        // WHEN they are shown THEN they still prove it false
        prove_fraud(a, b).unwrap();
        assert_eq!(Slashes::get().len(), 1);
    });
}

#[test]
fn two_requests_for_one_place_stop_the_channel_but_not_its_pay() {
    build_and_execute(|| {
        // GIVEN a client that signed two requests for the third place, and an operator that served one
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100, 50, 50]);
        let cheaper = request(id, &who, 3, 10, 160);
        prove_equivocation(run.asked[2].clone(), cheaper.clone()).unwrap();
        assert_event(Event::ChannelStopped {
            session: id,
            operator: who.clone(),
            reason: Stop::Equivocated,
        });
        // WHEN the operator settles the larger within the window THEN it is paid
        run_blocks(WINDOW - 1);
        settle_all(vec![run.entry()]).unwrap();
        assert_eq!(in_pot(), 200);
        // AND the client cannot use the channel again
        let call = Call::grow {
            session: id,
            operator: who.clone(),
            amount: 0,
        };
        assert_eq!(
            dispatch(call, &alice()),
            Err(Error::<Test>::ChannelStopped.into())
        );
        assert_eq!(
            prove_equivocation(run.asked[2].clone(), cheaper),
            Err(Error::<Test>::ChannelStopped.into())
        );
        // AND the operator has done nothing wrong
        assert!(Slashes::get().is_empty());
    });
}

#[test]
fn what_proves_no_equivocation_is_refused() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let a = request(id, &who, 1, 5, 5);
        let refused = |second: Asked, error: Error<Test>| {
            assert_eq!(prove_equivocation(a.clone(), second), Err(error.into()));
        };
        refused(a.clone(), Error::NoContradiction);
        refused(request(id, &who, 2, 5, 5), Error::NoContradiction);
        let mut forged = request(id, &who, 1, 6, 6);
        forged.request.cap = 7;
        refused(forged, Error::BadClientSignature);
    });
}
