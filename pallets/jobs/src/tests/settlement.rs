//! Where the money goes, and what stays readable.

use super::*;
use chasqui_primitives::{
    money::{split_fee, Shares},
    traits::Ledger,
    RefundReason,
};
use frame_support::{assert_ok, traits::fungible::Mutate};

#[test]
fn an_unaudited_job_settles_when_its_window_ends_and_not_before() {
    build_and_execute(|| {
        // GIVEN an accepted job
        let before = free(&account(ALICE));
        let id = Request::default().accepted();
        let n = executor(id);
        let window = params().dispute_blocks;
        // WHEN the window is not over THEN nothing is paid
        run_blocks(window - 1);
        assert_eq!(stage(id), JobStage::Accepted);
        assert_eq!(PaidIn::get(), 0);
        // WHEN it is THEN the executor has its whole share and the client the rest of the escrow
        next_block();
        assert_eq!(stage(id), JobStage::Settled);
        let split = split_fee(190, &Shares::default(), 0);
        assert_eq!(Unclaimed::get(operator(n)), split.executor);
        assert_eq!(PaidIn::get(), 190);
        let total = free(&account(ALICE));
        assert_eq!(before - total, 190);
        assert_eq!(held(HoldReason::Escrow, ALICE), 0);
        assert_eq!(held(HoldReason::Deposit, ALICE), 0);
        assert_eq!(registered(n).kept, 1);
    });
}

#[test]
fn a_closed_job_leaves_nothing_behind_but_its_outcome() {
    build_and_execute(|| {
        let (id, case) = Request::default().in_audit();
        let who = operator(executor(id));
        close(case, Decision::Valid);
        assert!(Jobs::<Test>::get(id).is_none());
        assert!(Prompts::<Test>::get(id).is_none());
        assert!(Commitments::<Test>::get(id).is_none());
        assert!(Outputs::<Test>::get(id).is_none());
        assert!(!Assignments::<Test>::contains_key(&who, id));
        assert!(!ClientJobs::<Test>::contains_key(account(ALICE), id));
        assert_eq!(
            Outcomes::<Test>::get(id),
            Some(OutcomeRecord {
                outcome: JobOutcome::Settled {
                    paid: 190,
                    audited: true
                },
                executor: Some(who),
                case: Some(case),
            })
        );
    });
}

#[test]
fn the_oldest_outcome_gives_way() {
    build_and_execute(|| {
        // GIVEN room for eight outcomes
        let ids: Vec<_> = (0..10)
            .map(|_| {
                let id = Request::default().submitted();
                assert_ok!(dispatch(Call::cancel { job: id }, &account(ALICE)));
                id
            })
            .collect();
        // WHEN ten jobs have ended THEN the last eight are readable
        let known: Vec<_> = ids.iter().map(|id| outcome(*id).is_some()).collect();
        assert_eq!(
            known,
            [false, false, true, true, true, true, true, true, true, true]
        );
    });
}

#[test]
fn several_jobs_of_a_client_do_not_mix() {
    build_and_execute(|| {
        // GIVEN three jobs of one client
        let before = free(&account(ALICE));
        let (valid, first) = Request::default().in_audit();
        let (false_one, second) = Request::default().in_audit();
        let waiting = Request::default().submitted();
        // WHEN one settles and one is refunded THEN the third still has its escrow
        close(first, Decision::Valid);
        close(
            second,
            Decision::Hard(chasqui_primitives::audit::HardReason::Margin),
        );
        assert_eq!(held(HoldReason::Escrow, ALICE), job(waiting).escrow);
        assert_eq!(held(HoldReason::Deposit, ALICE), job(waiting).deposit);
        let on_hold = job(waiting).escrow + job(waiting).deposit;
        assert_eq!(free(&account(ALICE)), before - 190 - on_hold);
        assert!(matches!(outcome(valid), Some(JobOutcome::Settled { .. })));
        assert!(matches!(outcome(false_one), Some(JobOutcome::Refunded(_))));
    });
}

#[test]
fn a_pot_that_was_emptied_does_not_swallow_the_clients_money() {
    build_and_execute(|| {
        // GIVEN a pot without its existential deposit, and a price below that
        let pot = FakeLedger::pot();
        let before = free(&account(ALICE));
        let request = Request {
            prompt: ids_prompt(&[1]),
            sampling: Sampling::greedy(1),
            ..Default::default()
        };
        let id = request.assigned();
        assert_ok!(commit(
            id,
            answer_with(id, &[END_TOKEN], FinishReason::Stop)
        ));
        spare_from_audit(id);
        run_to_draw();
        Balances::set_balance(&pot, 0);
        // WHEN it should be paid THEN the client has its money back
        run_blocks(params().dispute_blocks);
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Refunded(RefundReason::Undecided))
        );
        assert_eq!(free(&account(ALICE)), before);
        Balances::set_balance(&pot, EXISTENTIAL_DEPOSIT);
    });
}

#[test]
fn a_free_checkpoint_settles_too() {
    build_and_execute(|| {
        // GIVEN a checkpoint that costs nothing
        Terms::insert(
            CHECKPOINT,
            chasqui_primitives::traits::CheckpointTerms {
                unit_price: 0,
                ..terms()
            },
        );
        let (id, case) = Request::default().in_audit();
        // WHEN its job is found valid THEN it settles at no price
        close(case, Decision::Valid);
        let outcome = outcome(id);
        assert_eq!(
            outcome,
            Some(JobOutcome::Settled {
                paid: 0,
                audited: true
            })
        );
    });
}
