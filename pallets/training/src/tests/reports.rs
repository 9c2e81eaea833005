//! What members must not get away with: copies, wrong reveals, wrong rounds, doing things twice.

use crate::{mock::*, *};
use chasqui_primitives::training::Phase;
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

/// A round of three that have committed to `reports`, and exchanges.
fn exchanging(reports: impl Fn(AccountId, RunId) -> RoundReport) -> RunId {
    let run = training(terms(2, 2, 4), 3);
    (0..3).for_each(|who| ok(commit_to(who, run, &reports(who, run))));
    wait_for(run, |phase| matches!(phase, Phase::Exchange { .. }));
    run
}

fn honest(who: AccountId, run: RunId) -> RoundReport {
    report(who, run, 0)
}

#[test]
fn report_with_anothers_gradient_or_states_is_a_duplicate() {
    build_and_execute(|| {
        // GIVEN two who committed to parts of the work of another
        let run = exchanging(|who, run| match who {
            1 => RoundReport {
                gradient: honest(0, run).gradient,
                ..honest(1, run)
            },
            2 => RoundReport {
                kept: honest(0, run).kept,
                ..honest(2, run)
            },
            _ => honest(who, run),
        });
        assert_ok!(reveal(0, run));
        // THEN neither can be revealed
        let copied = RoundReport {
            gradient: honest(0, run).gradient,
            ..honest(1, run)
        };
        assert_noop!(reveal_as(1, run, copied), Error::<Test>::Duplicate);
        let copied = RoundReport {
            kept: honest(0, run).kept,
            ..honest(2, run)
        };
        assert_noop!(reveal_as(2, run, copied), Error::<Test>::Duplicate);
        // AND the round is void, for too few are left
        wait_for(run, |phase| matches!(phase, Phase::Seed));
        assert!(happened(Event::RoundVoid { run, round: 0 }));
        assert_eq!((operator(0).kept, operator(1).missed), (1, 1));
    });
}

#[test]
fn reveal_of_something_else_than_was_committed_to_is_refused() {
    build_and_execute(|| {
        let run = exchanging(honest);
        let other = RoundReport {
            loss_micro: 2,
            ..honest(0, run)
        };
        assert_noop!(reveal_as(0, run, other), Error::<Test>::Mismatch);
        // Nor with another salt, nor what another committed to.
        let salted = call(|| Training::reveal(signed(0), run, 0, honest(0, run), [9; 32]));
        assert_noop!(salted, Error::<Test>::Mismatch);
        assert_noop!(reveal_as(0, run, honest(1, run)), Error::<Test>::Mismatch);
        assert_ok!(reveal(0, run));
        assert_noop!(reveal(0, run), Error::<Test>::AlreadyRevealed);
    });
}

#[test]
fn report_of_another_shape_is_refused() {
    build_and_execute(|| {
        type Change = fn(&mut RoundReport);
        let changes: [Change; 3] = [
            |report| report.leaves += 1,
            |report| report.tokens -= 1,
            |report| report.units = report.tokens + 1,
        ];
        let changed = |who: AccountId, run| {
            let mut report = honest(who, run);
            changes[who as usize](&mut report);
            report
        };
        let run = exchanging(changed);
        for who in 0..3 {
            let report = changed(who, run);
            assert_noop!(reveal_as(who, run, report), Error::<Test>::ReportShape);
        }
    });
}

#[test]
fn each_step_is_free_once_and_refused_again() {
    build_and_execute(|| {
        let run = training(terms(2, 2, 4), 3);
        let seal =
            |who| honest(who, run).commitment(&Training::genesis(), &who, run, 0, &salt(who));
        // WHEN a member does what it owes THEN it pays no fee
        let paid = Training::commit(signed(0), run, 0, seal(0)).map(|post| post.pays_fee);
        assert_eq!(paid, Ok(Pays::No));
        // AND what it does not owe fails, for a fee
        let again = Training::commit(signed(0), run, 0, seal(0));
        let error = again.expect_err("it has committed");
        assert_eq!(error.error, Error::<Test>::AlreadyCommitted.into());
        assert_eq!(error.post_info.pays_fee, Pays::Yes);

        (1..3).for_each(|who| ok(commit(who, run)));
        assert_noop!(reveal(0, run), Error::<Test>::WrongPhase);
        wait_for(run, |phase| matches!(phase, Phase::Exchange { .. }));
        assert_noop!(attest(0, run, 0..3), Error::<Test>::WrongPhase);
        (0..3).for_each(|who| ok(reveal(who, run)));
        wait_for(run, |phase| matches!(phase, Phase::Attest { .. }));
        assert_ok!(attest(0, run, 0..3));
        assert_noop!(attest(0, run, 0..3), Error::<Test>::AlreadyAttested);
        (1..3).for_each(|who| ok(attest(who, run, 0..3)));
        assert_noop!(agree(0, run, 0), Error::<Test>::WrongPhase);
        go_to(run, |phase| matches!(phase, Phase::Agree { .. }));
        assert_ok!(agree(0, run, 0));
        assert_noop!(agree(0, run, 0), Error::<Test>::AlreadyAgreed);
        assert_noop!(agree(0, run, 1), Error::<Test>::AlreadyAgreed);
    });
}

#[test]
fn who_did_not_commit_or_reveal_does_nothing_later() {
    build_and_execute(|| {
        // GIVEN a round to which one does not commit, and another does not reveal
        let run = training(terms(2, 2, 4), 4);
        (0..3).for_each(|who| ok(commit(who, run)));
        wait_for(run, |phase| matches!(phase, Phase::Exchange { .. }));
        assert_noop!(reveal(3, run), Error::<Test>::NotCommitted);
        (0..2).for_each(|who| ok(reveal(who, run)));
        wait_for(run, |phase| matches!(phase, Phase::Attest { .. }));
        for who in 2..4 {
            assert_noop!(attest(who, run, 0..4), Error::<Test>::NotRevealed);
        }
        // THEN it goes on without them
        go_until(run, |_| Decision::Valid, |head| head.round == 1);
        assert_eq!([2, 3].map(|who| operator(who).missed), [1, 1]);
        assert_eq!(head(run).model, Some(model(run, 0, 0)));
    });
}

#[test]
fn other_rounds_ranks_and_times_are_refused() {
    build_and_execute(|| {
        let run = training(terms(2, 2, 4), 3);
        let commit_in = |round| call(|| Training::commit(signed(0), run, round, H256::zero()));
        assert_noop!(commit_in(1), Error::<Test>::OtherRound);
        assert_noop!(
            call(|| Training::commit(signed(0), 9, 0, H256::zero())),
            Error::<Test>::NoSuchRun
        );
        // Too late by one block.
        let Phase::Train { until } = phase(run) else {
            unreachable!("it trains")
        };
        System::set_block_number(until.into());
        assert_noop!(commit_in(0), Error::<Test>::WrongPhase);
        System::set_block_number(u64::from(until) - 1);
        assert_ok!(commit_in(0));
    });
}

#[test]
fn ranks_that_are_no_members_are_refused() {
    build_and_execute(|| {
        let run = training(terms(1, 2, 4), 3);
        go_to(run, |phase| matches!(phase, Phase::Attest { .. }));
        for ranks in [Ranks::of(16, 0..3), Ranks::of(4, 0..4), Ranks::default()] {
            let call = call(|| Training::attest(signed(0), run, 0, ranks));
            assert_noop!(call, Error::<Test>::RanksShape);
        }
        assert_ok!(attest(0, run, 0..3));
    });
}

#[test]
fn nothing_can_be_done_before_the_rounds_seed_or_between_rounds() {
    build_and_execute(|| {
        let run = create(terms(2, 2, 4));
        gather(run, 3);
        assert_noop!(commit(0, run), Error::<Test>::OtherRound);
        wait_for(run, |phase| matches!(phase, Phase::Seed));
        assert_noop!(commit(0, run), Error::<Test>::WrongPhase);
    });
}

#[test]
fn jailed_member_begins_nothing_new_but_finishes_what_it_began() {
    build_and_execute(|| {
        let run = training(terms(2, 2, 4), 3);
        change(0, |operator| operator.active = false);
        assert_noop!(commit(0, run), Error::<Test>::NotServing);
        change(0, |operator| operator.active = true);
        (0..3).for_each(|who| ok(commit(who, run)));
        change(0, |operator| operator.active = false);
        wait_for(run, |phase| matches!(phase, Phase::Exchange { .. }));
        assert_ok!(reveal(0, run));
    });
}
