//! Moving slices between operators.

use super::*;

fn grow(id: SessionId, operator: &AccountId, amount: Balance) -> Result<(), DispatchError> {
    let call = Call::grow {
        session: id,
        operator: operator.clone(),
        amount,
    };
    dispatch(call, &alice())
}

fn shrink(id: SessionId, operator: &AccountId, to: Balance) -> Result<(), DispatchError> {
    let call = Call::shrink {
        session: id,
        operator: operator.clone(),
        to,
    };
    dispatch(call, &alice())
}

fn apply(id: SessionId, operator: &AccountId) -> Result<(), DispatchError> {
    let call = Call::apply_shrink {
        session: id,
        operator: operator.clone(),
    };
    dispatch(call, &account(BOB))
}

fn consent(id: SessionId, operator: &AccountId, to: Balance, version: u32) -> MultiSignature {
    let consent = ShrinkConsent {
        session: id,
        operator: operator.clone(),
        to,
        version,
    };
    sign_by(operator, consent.signing_hash(&genesis_hash()))
}

fn shrink_now(
    id: SessionId,
    who: &AccountId,
    operator: &AccountId,
    to: Balance,
    signature: Option<MultiSignature>,
) -> Result<(), DispatchError> {
    let call = Call::shrink_now {
        session: id,
        operator: operator.clone(),
        to,
        signature,
    };
    dispatch(call, who)
}

#[test]
fn a_slice_grows_at_once_out_of_what_is_free() {
    build_and_execute(|| {
        // GIVEN a session with 400 free
        let id = drawn(DEPOSIT);
        let call = Call::top_up {
            session: id,
            amount: 400,
        };
        dispatch(call, &alice()).unwrap();
        let who = member(id, 1);
        // WHEN the client gives a backup 300 of it
        grow(id, &who, 300).unwrap();
        // THEN it has them, and 100 are left
        assert_eq!(slice(id, &who), DEPOSIT / 4 + 300);
        assert_event(Event::SliceChanged {
            session: id,
            operator: who.clone(),
            slice: DEPOSIT / 4 + 300,
        });
        assert_eq!(grow(id, &who, 101), Err(Error::<Test>::NotFree.into()));
        assert_eq!(
            grow(id, &account(9), 1),
            Err(Error::<Test>::NotInCommittee.into())
        );
        let call = Call::grow {
            session: id,
            operator: who,
            amount: 1,
        };
        assert_eq!(
            dispatch(call, &account(BOB)),
            Err(Error::<Test>::NotClient.into())
        );
    });
}

#[test]
fn a_slice_shrinks_a_close_window_after_the_announcement() {
    build_and_execute(|| {
        // GIVEN an announcement
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        shrink(id, &who, 1_000).unwrap();
        let until = System::block_number() + WINDOW;
        assert_event(Event::ShrinkAnnounced {
            session: id,
            operator: who.clone(),
            to: 1_000,
            until,
        });
        // WHEN its window runs THEN nothing has changed but what is promised
        assert_eq!(apply(id, &who), Err(Error::<Test>::NoShrinkDue.into()));
        assert_eq!(grow(id, &who, 0), Err(Error::<Test>::SliceShrinking.into()));
        run_blocks(WINDOW - 1);
        assert_eq!(apply(id, &who), Err(Error::<Test>::NoShrinkDue.into()));
        assert_eq!(channel(id, &who).rules.promised(), 1_000);
        // AND when it is over, anybody may take it into effect
        next_block();
        apply(id, &who).unwrap();
        assert_eq!(slice(id, &who), 1_000);
        assert_eq!(session(id).deposit.free(), 4_000);
        assert_eq!(
            shrink(id, &who, 1_001),
            Err(Error::<Test>::NotSmaller.into())
        );
    });
}

#[test]
fn an_operator_may_let_its_slice_shrink_at_once() {
    build_and_execute(|| {
        // GIVEN a channel with 70 settled
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[70]);
        let version = channel(id, &who).rules.version;
        let good = consent(id, &who, 500, version);
        // WHEN somebody else signs, or something else is signed, THEN it does not hold
        let other = consent(id, &member(id, 1), 500, version);
        for signature in [None, Some(other)] {
            assert_eq!(
                shrink_now(id, &alice(), &who, 500, signature),
                Err(Error::<Test>::BadOperatorSignature.into())
            );
        }
        assert_eq!(
            shrink_now(id, &alice(), &who, 499, Some(good.clone())),
            Err(Error::<Test>::BadOperatorSignature.into())
        );
        // AND the operator's own signature does, once
        shrink_now(id, &alice(), &who, 500, Some(good.clone())).unwrap();
        assert_eq!(slice(id, &who), 500);
        grow(id, &who, 1_000).unwrap();
        assert_eq!(
            shrink_now(id, &alice(), &who, 500, Some(good)),
            Err(Error::<Test>::BadOperatorSignature.into())
        );
        // AND by itself it needs none; what is settled stays
        let by_itself = hot(number_of(&who));
        shrink_now(id, &by_itself, &who, 0, None).unwrap();
        assert_eq!(slice(id, &who), 70);
    });
}
