//! What readers are told.

use super::*;
use chasqui_primitives::JobStatus;
use frame_support::{assert_noop, assert_ok};

#[test]
fn a_job_is_told_from_submission_to_outcome() {
    build_and_execute(|| {
        assert_eq!(Pallet::<Test>::job(0), None);
        let id = Request::default().submitted();
        let nothing = JobStatus {
            job: id,
            stage: JobStage::Submitted,
            executor: None,
            output: None,
            case: None,
            outcome: None,
        };
        assert_eq!(Pallet::<Test>::job(id), Some(nothing.clone()));
        run_to_draw();
        let executor = Some(operator(executor(id)));
        let assigned = JobStatus {
            stage: JobStage::Assigned,
            executor: executor.clone(),
            ..nothing
        };
        assert_eq!(Pallet::<Test>::job(id), Some(assigned.clone()));
        assert_ok!(commit(id, answer(id)));
        run_to_draw();
        let audited = JobStatus {
            stage: JobStage::InAudit,
            output: Some(OUTPUT.to_vec().try_into().expect("short")),
            case: Some(0),
            ..assigned
        };
        assert_eq!(Pallet::<Test>::job(id), Some(audited.clone()));
        close(0, Decision::Valid);
        let settled = JobStatus {
            stage: JobStage::Settled,
            output: None,
            outcome: Some(JobOutcome::Settled {
                paid: 190,
                audited: true,
            }),
            ..audited
        };
        assert_eq!(Pallet::<Test>::job(id), Some(settled));
    });
}

#[test]
fn a_quote_is_what_submit_takes_and_holds() {
    build_and_execute(|| {
        for prompt in [
            ids_prompt(&[1, 5, 6]),
            text_prompt("a"),
            blob_prompt(&[7; 9]),
        ] {
            // GIVEN the chain's quote for a prompt
            let tokens = prompt.max_tokens();
            let quote = Pallet::<Test>::quote(CHECKPOINT, prompt.clone(), 8).expect("good");
            assert_eq!(quote.prompt_tokens, tokens);
            let (escrow, deposit) = (
                held(HoldReason::Escrow, ALICE),
                held(HoldReason::Deposit, ALICE),
            );
            // WHEN it is submitted for a planck less THEN it is refused
            let with = |max_price| Request {
                prompt: prompt.clone(),
                max_price,
                ..Default::default()
            };
            assert_noop!(with(quote.escrow - 1).send(), Error::<Test>::PriceAboveMax);
            // WHEN it is submitted for just that THEN exactly that goes on hold
            assert_ok!(with(quote.escrow).send());
            assert_eq!(held(HoldReason::Escrow, ALICE), escrow + quote.escrow);
            assert_eq!(held(HoldReason::Deposit, ALICE), deposit + quote.deposit);
        }
    });
}

#[test]
fn a_text_is_quoted_with_the_bound_of_its_tokens() {
    build_and_execute(|| {
        // GIVEN a text of eleven bytes
        let quote = Pallet::<Test>::quote(CHECKPOINT, text_prompt("hello world"), 8);
        // THEN its bound is a token a byte and eight, and the price that of so many
        let quote = quote.expect("good");
        assert_eq!(quote.prompt_tokens, 11 + 8);
        assert_eq!(quote.escrow, (19 + 8 * 4) * UNIT_PRICE);
    });
}

#[test]
fn a_quote_says_why_there_is_none() {
    build_and_execute(|| {
        let ids = || ids_prompt(&[1, 5, 6]);
        let cases = [
            (UNPAYABLE, ids(), 8, Error::<Test>::CheckpointTakesNoPayment),
            (H256::zero(), ids(), 8, Error::<Test>::UnknownCheckpoint),
            (CHECKPOINT, ids_prompt(&[]), 8, Error::<Test>::PromptEmpty),
            (CHECKPOINT, ids(), 0, Error::<Test>::MaxTokensZero),
            (
                CHECKPOINT,
                ids(),
                u32::MAX,
                Error::<Test>::MaxTokensTooLarge,
            ),
            (
                CHECKPOINT,
                blob_prompt(&vec![1; CONTEXT as usize]),
                8,
                Error::<Test>::ContextExceeded,
            ),
        ];
        for (checkpoint, prompt, max_tokens, error) in cases {
            // WHEN what `submit` would refuse is asked for THEN the answer is the same error
            assert_eq!(
                Pallet::<Test>::quote(checkpoint, prompt, max_tokens),
                Err(error.into())
            );
        }
    });
}

#[test]
fn a_client_finds_its_live_jobs() {
    build_and_execute(|| {
        let ids: Vec<_> = (0..3).map(|_| Request::default().submitted()).collect();
        let of_bob = Request {
            client: BOB,
            ..Default::default()
        };
        of_bob.submitted();
        assert_ok!(dispatch(Call::cancel { job: ids[1] }, &account(ALICE)));
        let page = |after, limit| -> Vec<_> {
            Pallet::<Test>::jobs_of(account(ALICE), after, limit)
                .into_iter()
                .map(|status| status.job)
                .collect()
        };
        let mut all = page(None, 10);
        all.sort();
        assert_eq!(all, [ids[0], ids[2]]);
        assert!(page(None, 0).is_empty());
        // AND page by page it finds each of them once
        let first = page(None, 1);
        let second = page(first.first().copied(), 1);
        let mut pages = [first, second.clone()].concat();
        pages.sort();
        assert_eq!(pages, all);
        assert!(page(second.first().copied(), 1).is_empty());
    });
}

#[test]
fn there_is_no_receipt_before_the_commitment_or_after_the_end() {
    build_and_execute(|| {
        let id = Request::default().assigned();
        assert_eq!(Pallet::<Test>::receipt(id), None);
        assert_ok!(commit(id, answer(id)));
        assert!(Pallet::<Test>::receipt(id).is_some());
        run_to_draw();
        close(0, Decision::Valid);
        assert_eq!(Pallet::<Test>::receipt(id), None);
    });
}
