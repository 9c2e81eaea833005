//! The three disputes of a job's life: the client withholds, the output is false, the output is
//! missing. Each ends with the honest side whole.

use super::*;
use chasqui_primitives::{audit::HardReason, traits::Offence, ExpiryReason, RefundReason};
use frame_support::{assert_noop, assert_ok};

#[test]
fn a_client_cannot_withhold_payment() {
    build_and_execute(|| {
        // GIVEN an accepted answer
        let id = Request::default().accepted();
        let who = operator(executor(id));
        // WHEN its client tries to get out: cancels, or moves its money away
        assert_noop!(
            dispatch(Call::cancel { job: id }, &account(ALICE)),
            Error::<Test>::WrongStage
        );
        let emptying = pallet_balances::Call::<Test>::transfer_all {
            dest: account(BOB),
            keep_alive: false,
        };
        assert_ok!(RuntimeCall::from(emptying).dispatch(RuntimeOrigin::signed(account(ALICE))));
        // THEN the escrow is where it was, and the executor is paid when the window ends
        run_blocks(params().dispute_blocks);
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Settled {
                paid: 190,
                audited: false
            })
        );
        assert_eq!(Unclaimed::get(who), 114);
    });
}

#[test]
fn a_client_cannot_withhold_the_prompt_to_hurt_an_executor() {
    build_and_execute(|| {
        // GIVEN a prompt that its client does not serve
        let request = Request {
            prompt: blob_prompt(&[1; 100]),
            ..Default::default()
        };
        let id = request.assigned();
        let n = executor(id);
        let before = free(&account(ALICE)) + held(HoldReason::Escrow, ALICE);
        // WHEN the executor says so THEN the client pays for the trouble and the executor does not
        assert_ok!(refuse(id, RefusalReason::PromptMissing));
        assert_eq!(registered(n).missed, 0);
        let deposit_back = free(&account(ALICE)) - (before - params().base_fee);
        assert!(deposit_back > 0);
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Expired(ExpiryReason::PromptMissing))
        );
    });
}

#[test]
fn a_false_output_refunds_the_client_and_costs_its_executor() {
    build_and_execute(|| {
        // GIVEN an edited answer with a true signature: nothing that the chain could see
        let before = free(&account(ALICE));
        let id = Request::default().assigned();
        let who = operator(executor(id));
        let edited = answer_with(id, &[10, 20, 31, END_TOKEN], FinishReason::Stop);
        assert_ok!(commit(id, edited));
        run_to_draw();
        // WHEN auditors have replayed it
        let Stage::InAudit { case } = job(id).stage else {
            panic!("audited")
        };
        close(case, Decision::Hard(HardReason::Mismatch));
        // THEN the client has its money, and the executor has lost more than it could have won
        assert_eq!(free(&account(ALICE)), before);
        assert_eq!(outcome(id), Some(JobOutcome::Refunded(RefundReason::Hard)));
        let slashes = Slashes::get();
        assert_eq!((&slashes[0].0, slashes[0].1), (&who, Offence::FalseResult));
    });
}

#[test]
fn a_missing_output_refunds_the_client_and_is_missed_duty() {
    build_and_execute(|| {
        // GIVEN executors that acknowledge and never deliver
        let before = free(&account(ALICE));
        let id = Request::default().submitted();
        for _ in 0..4 {
            run_to_draw();
            assert_ok!(acknowledge(id, &hot(executor(id)), facts(&[1, 5, 6])));
            let deadline = job(id).stage.agenda_block().expect("listed");
            run_blocks(deadline - System::block_number());
        }
        // WHEN all have had their time THEN the client has its money and four missed a duty
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Expired(ExpiryReason::DeadlinesLapsed))
        );
        assert_eq!(free(&account(ALICE)), before);
        let missed: u32 = (0..OPERATORS).map(|n| registered(n).missed).sum();
        assert_eq!(missed, 4);
    });
}

#[test]
fn an_output_that_is_withheld_from_auditors_is_false() {
    build_and_execute(|| {
        // GIVEN an output that its executor committed to and does not serve
        let before = free(&account(ALICE));
        let id = Request::default().assigned();
        let blob = spoiled(id, |c| c.output = Output::Blob(H256::repeat_byte(8)));
        assert_ok!(commit(id, blob));
        run_to_draw();
        let Stage::InAudit { case } = job(id).stage else {
            panic!("audited")
        };
        // WHEN only a false opening comes THEN it does not match, and the case ends hard
        assert!(!opens(id, &opening(&[1, 2, 3, 4])));
        close(case, Decision::Hard(HardReason::Withheld));
        assert_eq!(free(&account(ALICE)), before);
        assert_eq!(Slashes::get().len(), 1);
    });
}
