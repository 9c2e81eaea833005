//! Draws of committees, and what a renewal does to slices.

use super::*;

fn renew(id: SessionId) -> Result<(), DispatchError> {
    dispatch(Call::renew { session: id }, &alice())
}

#[test]
fn a_committee_is_drawn_and_the_deposit_is_sliced() {
    build_and_execute(|| {
        // GIVEN a session that waits
        let id = opened(DEPOSIT + 1);
        run_blocks(u64::from(DELAY));
        assert!(session(id).committee.is_empty());
        // WHEN the seed exists
        run_to_draw();
        // THEN three different operators serve it, half for the first and the rest in equal parts
        let session = session(id);
        assert_eq!((session.draw, session.drawn_in), (None, Some(0)));
        let members: std::collections::BTreeSet<_> = session.committee.iter().collect();
        assert_eq!(members.len(), 3);
        let slices: Vec<_> = session.committee.iter().map(|who| slice(id, who)).collect();
        assert_eq!(slices, [DEPOSIT / 2, DEPOSIT / 4, DEPOSIT / 4]);
        assert_eq!(session.deposit.free(), 1);
        // AND each knows of it, with the key that it signs by
        for who in &session.committee {
            assert!(Engagements::<Test>::contains_key(who, id));
            assert_eq!(channel(id, who).signer, hot(number_of(who)));
        }
    });
}

#[test]
fn a_session_that_nobody_can_serve_waits_without_a_committee() {
    build_and_execute(|| {
        open_with(&alice(), UNSERVED, DEPOSIT).unwrap();
        let id = newest();
        run_to_draw();
        assert!(session(id).committee.is_empty());
        assert_eq!(session(id).drawn_in, Some(0));
        // It may be drawn again an epoch later.
        next_epoch();
        renew(id).unwrap();
    });
}

#[test]
fn a_stranger_cannot_tie_up_a_clients_money() {
    build_and_execute(|| {
        // GIVEN a session that its client uses
        let id = drawn(DEPOSIT);
        next_epoch();
        // WHEN somebody else wants another committee, so that all slices fall to those who may not be drawn again
        let call = Call::renew { session: id };
        assert_eq!(
            dispatch(call, &account(BOB)),
            Err(Error::<Test>::NotClient.into())
        );
        run_to_draw();
        // THEN it goes on with those it has, and what they may be paid
        let session = session(id);
        let promised = |who| channel(id, who).rules.promised();
        let sum: Balance = session.committee.iter().map(promised).sum();
        assert_eq!((session.drawn_in, sum), (Some(0), DEPOSIT));
    });
}

#[test]
fn a_committee_is_renewed_once_an_epoch() {
    build_and_execute(|| {
        // GIVEN a session of this epoch
        let id = drawn(DEPOSIT);
        assert_eq!(renew(id), Err(Error::<Test>::DrawnThisEpoch.into()));
        // WHEN another one runs THEN its client may renew it, once
        next_epoch();
        renew(id).unwrap();
        assert_eq!(renew(id), Err(Error::<Test>::DrawPending.into()));
        run_to_draw();
        assert_eq!(session(id).drawn_in, Some(1));
        assert_eq!(renew(id), Err(Error::<Test>::DrawnThisEpoch.into()));
        assert_eq!(
            renew(H256::zero()),
            Err(Error::<Test>::UnknownSession.into())
        );
    });
}

#[test]
fn who_is_not_drawn_again_keeps_its_slice_for_a_close_window() {
    build_and_execute(|| {
        // GIVEN a primary that served something and is not settled yet
        let id = drawn(DEPOSIT);
        let old: Vec<_> = session(id).committee.to_vec();
        let run = Run::new(id, &old[0], &[100]);
        for who in &old {
            Registry::mutate_exists(who, |operator| operator.as_mut().unwrap().weight = 0);
        }
        // WHEN others are drawn
        next_epoch();
        renew(id).unwrap();
        run_to_draw();
        // THEN they have what was free: nothing
        let new: Vec<_> = session(id).committee.to_vec();
        assert!(new
            .iter()
            .all(|who| !old.contains(who) && slice(id, who) == 0));
        // AND the old one can still settle, but is promised nothing more
        let rules = channel(id, &old[0]).rules;
        assert_eq!((rules.slice, rules.promised()), (DEPOSIT / 2, 0));
        settle_all(vec![run.entry()]).unwrap();
        // AND a window later the rest of its slice is free
        run_blocks(WINDOW);
        let call = Call::apply_shrink {
            session: id,
            operator: old[0].clone(),
        };
        dispatch(call, &account(BOB)).unwrap();
        assert_eq!(slice(id, &old[0]), 100);
        assert_eq!(session(id).deposit.free(), DEPOSIT / 2 - 100);
        // AND the client gives it to whom it likes of the new ones
        let grow = |operator: &AccountId| {
            let call = Call::grow {
                session: id,
                operator: operator.clone(),
                amount: 700,
            };
            dispatch(call, &alice())
        };
        grow(&new[1]).unwrap();
        assert_eq!(grow(&old[0]), Err(Error::<Test>::NotInCommittee.into()));
    });
}

#[test]
fn who_is_drawn_again_goes_on_with_its_channel() {
    build_and_execute(|| {
        // GIVEN the only three operators, one of them with something settled and about to lose its slice
        let id = drawn(DEPOSIT);
        let committee = session(id).committee;
        for n in (0..OPERATORS).filter(|n| !committee.contains(&operator(*n))) {
            Registry::mutate_exists(operator(n), |o| o.as_mut().unwrap().weight = 0);
        }
        settled(id, &committee[1], &[30]);
        let call = Call::shrink {
            session: id,
            operator: committee[1].clone(),
            to: 0,
        };
        dispatch(call, &alice()).unwrap();
        // WHEN they are drawn again
        next_epoch();
        renew(id).unwrap();
        run_to_draw();
        // THEN nobody began anew, and nobody loses anything
        let rules = channel(id, &committee[1]).rules;
        assert_eq!((rules.last_seq, rules.settled), (1, 30));
        assert_eq!(rules.shrink, None);
        assert_eq!(session(id).channels, 3);
    });
}

#[test]
fn a_stopped_operator_is_not_drawn_again() {
    build_and_execute(|| {
        // GIVEN a channel that its client stopped
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let call = Call::prove_equivocation {
            first: request(id, &who, 1, 5, 5),
            second: request(id, &who, 1, 6, 6),
        };
        dispatch(call, &account(BOB)).unwrap();
        // WHEN committees are drawn again and again THEN it is in none
        for _ in 0..4 {
            next_epoch();
            renew(id).unwrap();
            run_to_draw();
            assert!(!session(id).committee.contains(&who));
        }
    });
}

#[test]
fn a_session_has_at_most_so_many_channels() {
    build_and_execute(|| {
        // GIVEN far more operators than a session may have channels
        let more = u64::from(MAX_CHANNELS) * 3;
        for n in OPERATORS..more {
            let hot_key = account(5_000 + n);
            let like = registered(&operator(0));
            Registry::insert(operator(n), Registered { hot_key, ..like });
        }
        let id = opened(DEPOSIT);
        // WHEN its committee is renewed often THEN in the end it is drawn among those it had
        for _ in 0..10 {
            run_to_draw();
            assert_eq!(session(id).committee.len(), 3);
            assert!(session(id).channels <= MAX_CHANNELS);
            next_epoch();
            renew(id).unwrap();
        }
        assert!(session(id).channels > MAX_CHANNELS - 3);
    });
}

#[test]
fn a_draw_whose_seed_is_lost_is_announced_again() {
    build_and_execute(|| {
        // GIVEN a draw that waits while blocks have no room for it
        let id = opened(DEPOSIT);
        ServiceWeight::set(frame_support::weights::Weight::zero());
        run_blocks(10);
        assert!(session(id).committee.is_empty());
        // WHEN its seed has left the ring
        History::put(3);
        ServiceWeight::set(frame_support::weights::Weight::from_parts(1 << 40, 1 << 30));
        next_block();
        assert!(session(id).committee.is_empty() && session(id).draw.is_some());
        // THEN another decides
        History::kill();
        run_to_draw();
        assert_eq!(session(id).committee.len(), 3);
    });
}
