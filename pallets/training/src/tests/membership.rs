//! Joining, being ready, leaving: deposits, and when membership changes.

use crate::{mock::*, *};
use chasqui_primitives::training::Phase;
use frame_support::{assert_noop, assert_ok};

#[test]
fn member_has_a_deposit_on_hold_until_it_leaves() {
    build_and_execute(|| {
        // GIVEN a run that gathers members
        let run = create(terms(2, 2, 4));

        // WHEN an operator that serves it joins, with its hot key
        serve(0, run);
        assert_ok!(Training::join(signed(100), run, H256::zero()));
        assert_eq!(held(HoldReason::Member, 0), MEMBER_DEPOSIT);
        assert!(happened(Event::Joined { run, who: 0 }));
        assert_noop!(
            call(|| Ok(Training::join(signed(0), run, H256::zero())?)),
            Error::<Test>::AlreadyMember
        );

        // THEN it gets its deposit back when it leaves before a round began
        assert_ok!(Training::leave(signed(0), run));
        assert_eq!(held(HoldReason::Member, 0), 0);
        assert_noop!(Training::leave(signed(0), run), Error::<Test>::NotMember);
    });
}

#[test]
fn who_does_not_serve_the_run_does_not_join() {
    build_and_execute(|| {
        let run = create(terms(2, 2, 4));
        let join = |who| call(|| Ok(Training::join(signed(who), run, H256::zero())?));
        // Not declared.
        assert_noop!(join(0), Error::<Test>::NotServing);
        // Not in the role.
        serve(20, run);
        assert_noop!(join(20), Error::<Test>::NotServing);
        // Jailed, or its bond is too small.
        serve(1, run);
        change(1, |operator| operator.active = false);
        assert_noop!(join(1), Error::<Test>::NotServing);
        // No operator at all; no such run.
        assert_noop!(join(STRANGER), Error::<Test>::NotAnOperator);
        assert_noop!(
            Training::join(signed(0), 9, H256::zero()),
            Error::<Test>::NoSuchRun
        );
    });
}

#[test]
fn who_cannot_pay_the_deposit_does_not_join() {
    build_and_execute(|| {
        let run = create(terms(2, 2, 4));
        assert_ok!(Balances::transfer_allow_death(
            signed(0),
            STRANGER,
            FUNDS - MEMBER_DEPOSIT
        ));
        assert!(join(0, run).is_err());
        assert_eq!(head(run).waiting, 0);
    });
}

#[test]
fn full_run_takes_nobody_until_somebody_leaves() {
    build_and_execute(|| {
        let run = create(terms(2, 2, 3));
        (0..3).for_each(|who| ok(join(who, run)));
        assert_eq!(join(3, run), Err(Error::<Test>::Full.into()));
        assert_ok!(Training::leave(signed(1), run));
        assert_ok!(join(3, run));
    });
}

#[test]
fn first_round_begins_with_those_who_are_ready() {
    build_and_execute(|| {
        // GIVEN four who joined, of whom one is never ready
        let run = create(terms(2, 2, 4));
        (0..4).for_each(|who| ok(join(who, run)));
        (0..3).for_each(|who| ok(Training::heartbeat(signed(who), run)));
        assert!(happened(Event::Ready { run, who: 2 }));

        // WHEN the time to fetch base and data is over
        wait_for(run, |phase| matches!(phase, Phase::Train { .. }));

        // THEN three take part, and the fourth is out with its deposit
        assert_eq!((head(run).active, head(run).waiting), (3, 0));
        assert!(happened(Event::Activated { run, who: 0 }));
        assert!(happened(Event::Dropped {
            run,
            who: 3,
            exit: Exit::NotReady
        }));
        assert_eq!(held(HoldReason::Member, 3), 0);
        assert_eq!(Training::members(run).len(), 3);
    });
}

#[test]
fn who_joins_or_leaves_in_a_round_does_so_at_its_end() {
    build_and_execute(|| {
        // GIVEN a round that trains
        let run = training(terms(3, 2, 4), 3);
        // WHEN one joins, is ready, and another leaves
        assert_ok!(join(5, run));
        assert_ok!(Training::heartbeat(signed(5), run));
        assert_ok!(Training::leave(signed(0), run));
        assert_noop!(Training::leave(signed(0), run), Error::<Test>::Leaving);

        // THEN this round is what it was
        assert_eq!(head(run).active, 3);
        assert_noop!(commit(5, run), Error::<Test>::NotMember);
        assert_ok!(commit(0, run));

        // AND the next one has the one and not the other
        go_until(
            run,
            |_| Decision::Valid,
            |head| head.round == 1 && matches!(head.phase, Phase::Train { .. }),
        );
        assert_ok!(commit(5, run));
        assert_noop!(commit(0, run), Error::<Test>::NotMember);
        // Its deposit returns when the round it took part in is final.
        assert_eq!(held(HoldReason::Member, 0), MEMBER_DEPOSIT);
        go_until(
            run,
            |_| Decision::Valid,
            |head| head.finals == 1 && head.pending.is_none(),
        );
        assert_eq!(held(HoldReason::Member, 0), 0);
    });
}

#[test]
fn member_that_comes_back_before_its_round_is_done_with_has_one_deposit() {
    build_and_execute(|| {
        // GIVEN a member that left, while its round may still be challenged
        let run = training(terms(5, 2, 4), 3);
        assert_ok!(Training::leave(signed(0), run));
        go_until(
            run,
            |_| Decision::Valid,
            |head| head.pending.is_some() && matches!(head.phase, Phase::Seed),
        );
        assert!(!Members::<Test>::contains_key(run, 0));
        // WHEN it joins again
        assert_ok!(join(0, run));
        // THEN one deposit is on hold for it
        assert_eq!(held(HoldReason::Member, 0), MEMBER_DEPOSIT);
    });
}

#[test]
fn who_misses_too_many_rounds_in_a_row_is_dropped() {
    build_and_execute(|| {
        // GIVEN four members of whom one does nothing
        let run = training(terms(4, 2, 4), 4);
        change(3, |operator| operator.active = false);
        for (round, members) in [(1, 4), (2, 3)] {
            while head(run).round < round || !matches!(phase(run), Phase::Train { .. }) {
                (0..3).for_each(|who| ok(act(who, run, false)));
                let open: Vec<_> = OpenCases::iter_keys().collect();
                open.into_iter()
                    .for_each(|case| close(case, Decision::Valid));
                run_for(1);
            }
            // THEN it misses a duty each round, and after the second it is out
            assert_eq!(operator(3).missed, round);
            assert_eq!(head(run).active, members);
        }
        assert_eq!(operator(3).kept, 0);
        assert!(happened(Event::Dropped {
            run,
            who: 3,
            exit: Exit::Missed
        }));
        assert_eq!(held(HoldReason::Member, 3), 0);
        assert_eq!(operator(0).kept, 2);
    });
}

#[test]
fn nobody_joins_a_run_that_ends() {
    build_and_execute(|| {
        let run = create(terms(2, 2, 4));
        assert_ok!(Training::cancel_run(RuntimeOrigin::root(), run));
        assert_eq!(join(0, run), Err(Error::<Test>::Ending.into()));
        assert_noop!(
            Training::cancel_run(RuntimeOrigin::root(), run),
            Error::<Test>::Ending
        );
        run_for(5);
        assert_eq!(join(0, run), Err(Error::<Test>::Ending.into()));
    });
}
