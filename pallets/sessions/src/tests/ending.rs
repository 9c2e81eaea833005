//! How sessions end: closed by their clients, or found abandoned.

use super::*;

fn close(id: SessionId) -> Result<(), DispatchError> {
    dispatch(Call::close { session: id }, &alice())
}

fn reserve() -> Balance {
    free(&ReserveAccount::get()) - EXISTENTIAL_DEPOSIT
}

#[test]
fn a_closed_session_returns_the_rest_after_its_window() {
    build_and_execute(|| {
        // GIVEN a session that spent more than a fifth, with something that is not settled
        let before = free(&alice());
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        settled(id, &who, &[2_000]);
        let last = Run::new(id, &who, &[500]);
        // WHEN its client closes it
        close(id).unwrap();
        let until = System::block_number() + WINDOW;
        assert_event(Event::Closing {
            session: id,
            until,
            finder: None,
        });
        // THEN the operator has a window to settle
        run_blocks(WINDOW - 1);
        settle_all(vec![last.entry()]).unwrap();
        next_block();
        // AND then everything else is back, and nothing is left in storage
        assert!(Sessions::<Test>::get(id).is_none());
        assert_eq!(free(&alice()), before - 2_500);
        assert_eq!(Channels::<Test>::iter().count(), 0);
        assert_eq!(Engagements::<Test>::iter().count(), 0);
        assert_eq!(held(HoldReason::Session) + held(HoldReason::Storage), 0);
        assert_event(Event::Closed {
            session: id,
            client: alice(),
            spent: 2_500,
            returned: 7_500,
            forfeited: 0,
            bounty: 0,
        });
    });
}

#[test]
fn a_closing_session_takes_no_more() {
    build_and_execute(|| {
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        close(id).unwrap();
        let closing = Err(Error::<Test>::SessionClosing.into());
        assert_eq!(close(id), closing);
        let calls = [
            Call::top_up {
                session: id,
                amount: 1,
            },
            Call::grow {
                session: id,
                operator: who.clone(),
                amount: 1,
            },
            Call::shrink {
                session: id,
                operator: who,
                to: 1,
            },
            Call::renew { session: id },
            Call::expire { session: id },
        ];
        run_blocks(params().close_blocks - 1);
        for call in calls {
            let outcome = dispatch(call.clone(), &alice());
            assert!(
                outcome == closing || matches!(call, Call::expire { .. }) && outcome.is_err(),
                "{call:?}"
            );
        }
        assert_eq!(
            dispatch(Call::close { session: id }, &account(BOB)),
            Err(Error::<Test>::NotClient.into())
        );
    });
}

#[test]
fn a_session_that_spends_less_than_a_fifth_forfeits_what_is_short_of_it() {
    for (spent, forfeited) in [(0, 2_000), (500, 1_500), (1_999, 1), (2_000, 0), (5_000, 0)] {
        build_and_execute(|| {
            // GIVEN a session that spent so much
            let before = free(&alice());
            let id = drawn(DEPOSIT);
            if spent > 0 {
                settled(id, &member(id, 0), &[spent]);
            }
            // WHEN it is closed THEN the reserve has the rest of a fifth
            close(id).unwrap();
            run_blocks(WINDOW);
            assert_eq!(reserve(), forfeited);
            assert_eq!(free(&alice()), before - spent - forfeited);
        });
    }
}

#[test]
fn a_client_forfeits_nothing_when_it_is_not_its_fault() {
    build_and_execute(|| {
        // GIVEN a session without a committee, and one whose operator is proven false
        let before = free(&alice());
        let early = opened(DEPOSIT);
        close(early).unwrap();
        let id = drawn(DEPOSIT);
        let asked = request(id, &member(id, 0), 1, 100, 100);
        let other = Receipt {
            price: 1,
            ..receipt(&asked, 100)
        };
        let call = Call::prove_fraud {
            first: signed_receipt(receipt(&asked, 100)),
            second: signed_receipt(other),
        };
        dispatch(call, &alice()).unwrap();
        // WHEN they are closed THEN everything is back
        close(id).unwrap();
        run_blocks(WINDOW);
        assert_eq!((free(&alice()), reserve()), (before, 0));
    });
}

#[test]
fn a_session_closed_before_its_draw_leaves_the_queue() {
    build_and_execute(|| {
        let id = opened(DEPOSIT);
        close(id).unwrap();
        assert_eq!(Draws::<Test>::iter().count(), 0);
        let later = drawn(DEPOSIT);
        assert_eq!(session(later).committee.len(), 3);
    });
}

#[test]
fn an_abandoned_session_is_closed_by_whoever_finds_it() {
    build_and_execute(|| {
        // GIVEN a session that nobody has touched since its last settlement
        let id = drawn(DEPOSIT);
        let expire = || dispatch(Call::expire { session: id }, &account(BOB));
        run_blocks(40);
        settled(id, &member(id, 0), &[3_000]);
        run_blocks(59);
        assert_eq!(expire(), Err(Error::<Test>::NotAbandoned.into()));
        next_block();
        // WHEN somebody finds it
        let (before, finder) = (free(&alice()), free(&account(BOB)));
        expire().unwrap();
        // THEN it ends like any other, and whoever found it has a bounty of what is left
        run_blocks(WINDOW);
        assert!(Sessions::<Test>::get(id).is_none());
        let bounty = params().expiry_bounty;
        assert_eq!(free(&account(BOB)), finder + bounty);
        let storage = params().storage_deposit;
        assert_eq!(free(&alice()), before + 7_000 + storage - bounty);
    });
}

#[test]
fn windows_that_find_no_room_are_served_later_but_bind_at_once() {
    build_and_execute(|| {
        // GIVEN a closed session, and blocks without room
        let id = drawn(DEPOSIT);
        let run = Run::new(id, &member(id, 0), &[100]);
        close(id).unwrap();
        run_blocks(WINDOW - 1);
        let room = ServiceWeight::get();
        ServiceWeight::set(frame_support::weights::Weight::zero());
        run_blocks(3);
        // WHEN an operator settles after the window THEN it is too late
        assert_eq!(
            settle_all(vec![run.entry()]),
            Err(Error::<Test>::BeyondSlice.into())
        );
        assert!(Sessions::<Test>::contains_key(id));
        ServiceWeight::set(room);
        next_block();
        assert!(!Sessions::<Test>::contains_key(id));
    });
}
