//! Agreed models that are challenged: who pays when the challenge is right, and when it is not.

use crate::{mock::*, *};
use chasqui_primitives::{
    audit::Subject,
    training::{
        machine::{Pending, Settling},
        Phase,
    },
    traits::TrainingFund,
};
use frame_support::{assert_noop, assert_ok};

/// An operator that is no member.
const WATCHER: AccountId = 25;

/// Four members of whom the first `liars` say that the first round ends in model 1, and the others in model 0; it is agreed
/// on, and can be challenged.
fn agreed(liars: u64) -> RunId {
    let run = training(terms(4, 2, 4), 4);
    go_to(run, |phase| matches!(phase, Phase::Agree { .. }));
    (0..4).for_each(|who| ok(agree(who, run, u8::from(who < liars))));
    wait_for(run, |_| head(run).pending.is_some());
    run
}

/// Blocks until the challenge's case is open.
fn judged(run: RunId) -> CaseId {
    wait_for(run, |_| challenge_case().is_some());
    challenge_case().expect("it is open")
}

fn settled(run: RunId) {
    wait_for(run, |_| head(run).pending.is_none());
}

#[test]
fn false_model_is_rolled_back_and_everybody_who_voted_for_it_slashed() {
    build_and_execute(|| {
        // GIVEN three of four who agreed on a false model
        let run = agreed(3);
        assert_eq!(head(run).model, Some(model(run, 0, 1)));

        // WHEN somebody bonded challenges it
        assert_ok!(challenge(WATCHER, run, 0));
        assert_eq!(held(HoldReason::Challenge, WATCHER), CHALLENGE_DEPOSIT);
        assert_noop!(challenge(24, run, 0), Error::<Test>::NotChallengeable);
        let case = judged(run);
        let opened = OpenCases::get(case).expect("it is open");
        assert_eq!(opened.subject, Subject::TrainingOuter { run, round: 0 });
        assert_eq!(opened.client, Some(WATCHER));
        assert!(opened.operator < 3, "one of the liars is accused");
        assert_eq!((opened.evidence_tau, opened.price), (0, ROUND_PAY));
        close(case, FALSE);

        // THEN the model is what it was, and the round unpaid
        assert_eq!(head(run).model, None);
        assert!(happened(Event::RoundUndone { run, round: 0 }));
        settled(run);
        assert_eq!(FakeFund::reserved(run), 4 * ROUND_PAY);
        assert_eq!(head(run).finals, 0);
        // AND the liars are slashed once each, with the challenger's part in it, and nobody else
        let mut liars = slashed();
        liars.sort();
        assert_eq!(liars, vec![0, 1, 2]);
        assert!(Slashes::get()
            .iter()
            .all(|slash| slash.reporter == Some(WATCHER)));
        // AND the challenger has its deposit
        assert_eq!(held(HoldReason::Challenge, WATCHER), 0);
        assert_eq!(free(WATCHER), FUNDS);
        assert!(happened(Event::ChallengeClosed {
            run,
            who: WATCHER,
            back: true
        }));
        // AND the liars are out
        wait_for(run, |_| head(run).banned == 3);
        assert_eq!((0..4).map(|who| operator(who).liabilities).sum::<u32>(), 0);
        assert!((0..3).all(|who| join(who, run) == Err(Error::<Test>::Banned.into())));
    });
}

#[test]
fn round_that_trains_on_a_false_model_is_void() {
    build_and_execute(|| {
        // GIVEN a next round under way
        let run = agreed(3);
        assert_ok!(challenge(WATCHER, run, 0));
        let case = judged(run);
        wait_for(run, |phase| matches!(phase, Phase::Train { .. }));
        assert_ok!(commit(3, run));
        // WHEN what it began from proves false THEN it is void
        close(case, FALSE);
        wait_for(run, |_| head(run).round == 2);
        assert!(happened(Event::RoundVoid { run, round: 1 }));
        assert_eq!(operator(3).missed, 0);
        settled(run);
        assert_eq!(operator(3).liabilities, 0);
    });
}

#[test]
fn challenge_of_a_true_model_costs_its_deposit() {
    build_and_execute(|| {
        let run = agreed(0);
        assert_ok!(challenge(WATCHER, run, 1));
        close(judged(run), Decision::Valid);
        // THEN the round is final at once, and the deposit the reserve's
        settled(run);
        assert_eq!(head(run).finals, 1);
        assert_eq!(free(WATCHER), FUNDS - CHALLENGE_DEPOSIT);
        assert_eq!(held(HoldReason::Challenge, WATCHER), 0);
        let minimum = ExistentialDeposit::get();
        assert_eq!(free(Reserve::get()), minimum + CHALLENGE_DEPOSIT);
        assert!(happened(Event::ChallengeClosed {
            run,
            who: WATCHER,
            back: false
        }));
        assert_eq!(slashed(), Vec::<AccountId>::new());
        assert_eq!(free(owner(0)), minimum + ROUND_PAY / 4);
    });
}

#[test]
fn challenge_that_nobody_decides_undoes_the_round_and_costs_nobody() {
    for decision in [Some(Decision::Undecided), Some(Decision::Soft), None] {
        build_and_execute(|| {
            let run = agreed(0);
            assert_ok!(challenge(WATCHER, run, 1));
            let case = judged(run);
            match decision {
                Some(decision) => close(case, decision),
                // The case takes too long; what comes then changes nothing.
                None => {
                    run_for(u64::from(2 * terms(1, 1, 1).timing.audit_blocks));
                    assert_eq!(head(run).model, None);
                    close(case, FALSE);
                }
            }
            settled(run);
            assert_eq!((head(run).model, head(run).finals), (None, 0));
            assert_eq!(free(WATCHER), FUNDS);
            assert_eq!(slashed(), Vec::<AccountId>::new());
        });
    }
}

#[test]
fn challenge_that_cannot_be_judged_is_tried_again_with_other_seeds() {
    build_and_execute(|| {
        let run = agreed(0);
        NoElectorate::put(true);
        assert_ok!(challenge(WATCHER, run, 1));
        wait_for(run, |_| {
            matches!(
                head(run).pending,
                Some(Pending {
                    settling: Settling::Drawing { failed: 2, .. },
                    ..
                })
            )
        });
        // WHEN somebody may judge at the third try THEN a case is open
        NoElectorate::put(false);
        close(judged(run), Decision::Valid);
        settled(run);
        assert_eq!(head(run).finals, 1);
    });
}

#[test]
fn challenge_for_which_nobody_may_judge_undoes_the_round() {
    build_and_execute(|| {
        let run = agreed(0);
        NoElectorate::put(true);
        assert_ok!(challenge(WATCHER, run, 1));
        settled(run);
        assert_eq!((head(run).model, head(run).finals), (None, 0));
        assert_eq!(free(WATCHER), FUNDS);
    });
}

#[test]
fn only_an_agreed_round_in_its_window_is_challenged_with_another_model() {
    build_and_execute(|| {
        let run = training(terms(4, 2, 4), 4);
        assert_noop!(challenge(WATCHER, run, 1), Error::<Test>::NotChallengeable);
        go_until(run, |_| Decision::Valid, |head| head.pending.is_some());
        assert_noop!(challenge(WATCHER, run, 0), Error::<Test>::SameModel);
        assert_noop!(challenge(STRANGER, run, 1), Error::<Test>::NotAnOperator);
        let other = call(|| {
            Ok(Training::challenge(
                signed(WATCHER),
                run,
                1,
                model(run, 1, 1),
            )?)
        });
        assert_noop!(other, Error::<Test>::NotChallengeable);
        // Who cannot pay the deposit does not challenge, and changes nothing.
        assert_ok!(Balances::transfer_allow_death(
            signed(24),
            STRANGER,
            FUNDS - CHALLENGE_DEPOSIT
        ));
        assert!(challenge(24, run, 1).is_err());
        assert_eq!(around(run).challenge, None);
        // From the window's end on it is too late, served or not.
        let Some(Pending {
            settling: Settling::Window { until },
            ..
        }) = head(run).pending
        else {
            panic!("it may be challenged")
        };
        let now = System::block_number();
        System::set_block_number(until.into());
        assert_noop!(challenge(WATCHER, run, 1), Error::<Test>::NotChallengeable);
        System::set_block_number(now);
        assert_ok!(challenge(WATCHER, run, 1));
    });
}

#[test]
fn deposit_that_the_reserve_cannot_take_goes_back() {
    build_and_execute(|| {
        // GIVEN a reserve that is too poor to exist, and a deposit too small to make it
        assert_ok!(Training::set_params(
            RuntimeOrigin::root(),
            Params {
                challenge_deposit: 5,
                ..params()
            }
        ));
        let minimum = ExistentialDeposit::get();
        assert_ok!(Balances::force_set_balance(
            RuntimeOrigin::root(),
            Reserve::get(),
            0
        ));
        let run = agreed(0);
        assert_ok!(challenge(WATCHER, run, 1));
        close(judged(run), Decision::Valid);
        assert_eq!(free(WATCHER), FUNDS);
        assert_ok!(Balances::force_set_balance(
            RuntimeOrigin::root(),
            Reserve::get(),
            minimum
        ));
    });
}

#[test]
fn next_round_is_not_agreed_on_before_the_last_is_settled() {
    build_and_execute(|| {
        // GIVEN a challenge whose case stays open
        let run = agreed(0);
        assert_ok!(challenge(WATCHER, run, 1));
        let case = judged(run);
        // WHEN the next round comes to its agreement
        for _ in 0..10 {
            (0..4).for_each(|who| ok(act(who, run, false)));
            let open = OpenCases::iter_keys().filter(|open| *open != case);
            open.collect::<Vec<_>>()
                .into_iter()
                .for_each(|open| close(open, Decision::Valid));
            run_for(1);
        }
        let pending = head(run).pending.map(|pending| pending.round);
        assert_eq!((head(run).round, pending), (1, Some(0)));
        // THEN it waits
        close(case, Decision::Valid);
        go_until(run, |_| Decision::Valid, |head| head.finals == 2);
    });
}
