//! What validators say that checkpoints lose on held-out tokens.

use crate::{mock::*, *};
use frame_support::{assert_noop, assert_ok};

const LOSS: EvaluationResult = EvaluationResult {
    tokens: HELD_OUT,
    loss_micro: 2_000_000,
};

fn evaluate(who: AccountId, result: EvaluationResult) -> DispatchResult {
    call(|| {
        Ok(Training::attest_evaluation(
            signed(who),
            BASE,
            DATASET,
            result,
        )?)
    })
}

#[test]
fn validator_states_a_loss_replaces_it_and_takes_it_back() {
    build_and_execute(|| {
        // GIVEN a validator that serves a checkpoint WHEN it evaluates it
        assert_ok!(evaluate(20, LOSS));
        assert_eq!(held(HoldReason::Evaluation, 20), EVALUATION_DEPOSIT);
        // AND says something else later
        run_for(3);
        let better = EvaluationResult {
            loss_micro: 1_900_000,
            ..LOSS
        };
        assert_ok!(evaluate(20, better));
        // THEN that is what it says, for one deposit
        let list = Training::evaluations(BASE);
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].result, list[0].at), (better, 4));
        assert_eq!(held(HoldReason::Evaluation, 20), EVALUATION_DEPOSIT);
        assert!(happened(Event::Evaluated {
            root: BASE,
            dataset: DATASET,
            by: 20,
            result: better
        }));
        // AND it may take it back
        assert_ok!(Training::withdraw_evaluation(signed(120), BASE, DATASET));
        assert_eq!(held(HoldReason::Evaluation, 20), 0);
        assert!(Training::evaluations(BASE).is_empty());
        assert_noop!(
            Training::withdraw_evaluation(signed(20), BASE, DATASET),
            Error::<Test>::NoSuchEvaluation
        );
    });
}

#[test]
fn impossible_losses_are_refused() {
    build_and_execute(|| {
        for tokens in [0, HELD_OUT + 1] {
            let result = EvaluationResult { tokens, ..LOSS };
            assert_noop!(evaluate(20, result), Error::<Test>::InvalidEvaluation);
        }
        let loss_micro = MAX_LOSS_MICRO + 1;
        let result = EvaluationResult { loss_micro, ..LOSS };
        assert_noop!(evaluate(20, result), Error::<Test>::InvalidEvaluation);
    });
}

#[test]
fn only_validators_that_serve_the_checkpoint_say_what_it_loses() {
    build_and_execute(|| {
        let attest = |who, root| {
            call(|| {
                Ok(Training::attest_evaluation(
                    signed(who),
                    root,
                    DATASET,
                    LOSS,
                )?)
            })
        };
        assert_noop!(attest(29, BASE), Error::<Test>::NotServing);
        assert_noop!(attest(STRANGER, BASE), Error::<Test>::NotAnOperator);
        assert_noop!(evaluate(0, LOSS), Error::<Test>::NotServing);
        assert_noop!(attest(20, H256::zero()), Error::<Test>::UnknownCheckpoint);
        let other = Training::attest_evaluation(signed(20), BASE, H256::zero(), LOSS);
        assert_noop!(other, Error::<Test>::UnusableDataset);
    });
}

#[test]
fn list_is_bounded_and_validators_that_left_get_their_deposit() {
    build_and_execute(|| {
        (20..22).for_each(|who| ok(evaluate(who, LOSS)));
        assert_noop!(evaluate(22, LOSS), Error::<Test>::TooManyEvaluations);
        // Whoever is in the list may change what it says.
        assert_ok!(evaluate(21, LOSS));
        // GIVEN one that is no operator any more THEN its account takes it back
        Registry::remove(20);
        assert_ok!(Training::withdraw_evaluation(signed(20), BASE, DATASET));
        assert_eq!(free(20), FUNDS);
        assert_ok!(evaluate(22, LOSS));
    });
}
