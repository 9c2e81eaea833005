//! Opening a session and putting more into it.

use super::*;

#[test]
fn opening_holds_the_deposit_and_announces_a_draw() {
    build_and_execute(|| {
        // WHEN Alice opens a session
        let before = free(&alice());
        let id = opened(DEPOSIT);
        // THEN deposit and storage are on hold, and nobody serves it yet
        assert_eq!(held(HoldReason::Session), DEPOSIT);
        assert_eq!(held(HoldReason::Storage), params().storage_deposit);
        assert_eq!(free(&alice()), before - DEPOSIT - params().storage_deposit);
        let session = session(id);
        assert_eq!(session.key, AccountId::from(key().public()));
        assert!(session.committee.is_empty() && session.draw.is_some());
        assert_eq!(Pallet::<Test>::sessions_of(alice(), 9), vec![id]);
        assert_event(Event::Opened {
            session: id,
            client: alice(),
            key: session.key,
            checkpoint: CHECKPOINT,
            deposit: DEPOSIT,
            due: <FakeRandomness as chasqui_primitives::traits::Randomness>::next_due(),
        });
    });
}

#[test]
fn every_session_has_its_own_name_and_a_client_signs_by_itself_unless_it_names_a_key() {
    build_and_execute(|| {
        let first = opened(DEPOSIT);
        let call = Call::open {
            checkpoint: CHECKPOINT,
            deposit: DEPOSIT,
            key: None,
        };
        dispatch(call, &alice()).unwrap();
        assert_ne!(first, newest());
        assert_eq!(session(newest()).key, alice());
    });
}

#[test]
fn a_session_that_cannot_be_is_refused() {
    build_and_execute(|| {
        let refused = |who: &AccountId, checkpoint, deposit, error: Error<Test>| {
            assert_eq!(open_with(who, checkpoint, deposit), Err(error.into()));
        };
        let unknown = H256([9; 32]);
        refused(&alice(), unknown, DEPOSIT, Error::UnknownCheckpoint);
        refused(
            &alice(),
            UNPAYABLE,
            DEPOSIT,
            Error::CheckpointTakesNoPayment,
        );
        refused(&alice(), CHECKPOINT, 999, Error::DepositTooLow);
        // AND so is one that its client cannot pay for
        assert!(open_with(&account(PAUPER), CHECKPOINT, DEPOSIT).is_err());
        assert_eq!(Sessions::<Test>::iter().count(), 0);
    });
}

#[test]
fn topping_up_adds_to_what_is_free() {
    build_and_execute(|| {
        // GIVEN a session whose deposit is sliced
        let id = drawn(DEPOSIT);
        let sliced = session(id).deposit.sliced;
        // WHEN Alice puts more in
        let top_up = |who: AccountId, amount| {
            dispatch(
                Call::top_up {
                    session: id,
                    amount,
                },
                &who,
            )
        };
        top_up(alice(), 500).unwrap();
        // THEN it is on hold, and no slice has it
        assert_eq!(held(HoldReason::Session), DEPOSIT + 500);
        let deposit = session(id).deposit;
        assert_eq!((deposit.sliced, deposit.paid_in), (sliced, DEPOSIT + 500));
        // AND nobody else may, nor may anybody more than there is
        assert_eq!(
            top_up(account(BOB), 5),
            Err(Error::<Test>::NotClient.into())
        );
        assert!(top_up(alice(), RICH).is_err());
        assert_eq!(
            top_up(alice(), Balance::MAX),
            Err(Error::<Test>::Overflow.into())
        );
    });
}
