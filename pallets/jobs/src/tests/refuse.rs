//! The executor gives a job back.

use super::*;
use chasqui_primitives::{traits::OnOperatorLeft, ExpiryReason};
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

#[test]
fn a_missing_prompt_costs_the_client_the_base_fee_and_the_executor_nothing() {
    build_and_execute(|| {
        // GIVEN a job whose prompt is a blob that nobody serves
        let before = free(&account(ALICE));
        let reserve = free(&ReserveAccount::get());
        let request = Request {
            prompt: blob_prompt(&[1; 100]),
            ..Default::default()
        };
        let id = request.assigned();
        let n = executor(id);
        // WHEN the executor says so
        let origin = RuntimeOrigin::signed(hot(n));
        let call = Pallet::<Test>::refuse(origin, id, RefusalReason::PromptMissing);
        // THEN the job is over without a redraw or a missed duty, and the base fee is the reserve's
        assert_eq!(call.expect("good").pays_fee, Pays::No);
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Expired(ExpiryReason::PromptMissing))
        );
        assert_eq!(registered(n).missed, 0);
        assert_eq!(free(&account(ALICE)), before - params().base_fee);
        assert_eq!(free(&ReserveAccount::get()), reserve + params().base_fee);
        assert_event(Event::Expired {
            job: id,
            client: account(ALICE),
            reason: ExpiryReason::PromptMissing,
            fee: params().base_fee,
        });
    });
}

#[test]
fn the_base_fee_never_exceeds_the_escrow() {
    build_and_execute(|| {
        // GIVEN a cheap job: 42 units
        let before = free(&account(ALICE));
        let request = Request {
            prompt: blob_prompt(&[1; 10]),
            ..Default::default()
        };
        let id = request.assigned();
        // WHEN its prompt is missing THEN its client loses 420 planck, not 500
        assert_ok!(refuse(id, RefusalReason::PromptMissing));
        assert_eq!(free(&account(ALICE)), before - 420);
    });
}

#[test]
fn a_prompt_on_chain_cannot_be_missing() {
    build_and_execute(|| {
        for prompt in [ids_prompt(&[1]), text_prompt("hello")] {
            let request = Request {
                prompt,
                ..Default::default()
            };
            let id = request.assigned();
            assert_noop!(
                refuse(id, RefusalReason::PromptMissing),
                Error::<Test>::PromptIsInline
            );
        }
    });
}

#[test]
fn an_acknowledged_prompt_cannot_be_missing() {
    build_and_execute(|| {
        let ids = [1, 7];
        let request = Request {
            prompt: blob_prompt(&ids),
            ..Default::default()
        };
        let id = request.assigned();
        assert_ok!(acknowledge(id, &hot(executor(id)), facts(&ids)));
        assert_noop!(
            refuse(id, RefusalReason::PromptMissing),
            Error::<Test>::WrongStage
        );
        // but any other reason still counts
        assert_ok!(refuse(id, RefusalReason::Busy));
    });
}

#[test]
fn whoever_misses_one_prompt_after_another_misses_duties() {
    build_and_execute(|| {
        // GIVEN an executor that has every job, and refuses each for a missing prompt
        only_executor(0);
        let refused = || {
            let request = Request {
                prompt: blob_prompt(&[1; 100]),
                ..Default::default()
            };
            assert_ok!(refuse(request.assigned(), RefusalReason::PromptMissing));
            registered(0).missed
        };
        // WHEN it does so again and again THEN each from the third on is a missed duty
        assert_eq!((refused(), refused(), refused(), refused()), (0, 0, 1, 2));
        // WHEN it delivers once THEN it is believed again
        Request::default().committed();
        assert_eq!((refused(), refused(), refused()), (2, 2, 3));
    });
}

#[test]
fn nothing_about_missing_prompts_stays_when_an_operator_has_left() {
    build_and_execute(|| {
        // GIVEN an executor that refused a job for a missing prompt
        let request = Request {
            prompt: blob_prompt(&[1; 100]),
            ..Default::default()
        };
        let id = request.assigned();
        let who = operator(executor(id));
        assert_ok!(refuse(id, RefusalReason::PromptMissing));
        assert!(MissingPrompts::<Test>::contains_key(&who));
        // WHEN it leaves the registry
        Registry::remove(&who);
        assert!(Pallet::<Test>::do_try_state().is_err());
        <Pallet<Test> as OnOperatorLeft<_>>::on_operator_left(&who);
        // THEN nothing of it is left
        assert!(!MissingPrompts::<Test>::contains_key(&who));
    });
}

#[test]
fn any_other_refusal_is_a_missed_duty_and_another_is_drawn() {
    build_and_execute(|| {
        // GIVEN an assigned job
        let id = Request::default().assigned();
        let first = executor(id);
        // WHEN its executor is busy
        assert_ok!(refuse(id, RefusalReason::Busy));
        // THEN it has missed a duty, is no longer named, and somebody else is drawn
        assert_eq!(registered(first).missed, 1);
        assert!(!Assignments::<Test>::contains_key(operator(first), id));
        assert_eq!(stage(id), JobStage::Submitted);
        run_to_draw();
        assert_ne!(executor(id), first);
    });
}

#[test]
fn only_the_executor_refuses_and_only_in_time() {
    build_and_execute(|| {
        let id = Request::default().assigned();
        let n = executor(id);
        let reason = RefusalReason::Busy;
        let by = |who: AccountId| dispatch(Call::refuse { job: id, reason }, &who);
        // WHEN somebody else refuses THEN it is not theirs
        for who in [hot((n + 1) % OPERATORS), account(ALICE)] {
            assert_noop!(by(who), Error::<Test>::NotAssigned);
        }
        // WHEN the deadline has come THEN it is too late to refuse
        let now = System::block_number();
        System::set_block_number(job(id).stage.agenda_block().expect("listed"));
        assert_noop!(by(hot(n)), Error::<Test>::DeadlinePassed);
        System::set_block_number(now);
        // WHEN it has delivered THEN there is nothing to refuse
        assert_ok!(commit(id, answer(id)));
        assert_noop!(by(hot(n)), Error::<Test>::WrongStage);
    });
}
