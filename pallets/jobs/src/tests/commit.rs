//! The executor delivers: what the chain can check, it checks.

use super::*;
use chasqui_primitives::MAX_INLINE_OUTPUT_IDS;
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

#[test]
fn a_good_answer_is_kept_and_its_executor_is_liable_for_it() {
    build_and_execute(|| {
        // GIVEN an acknowledged job
        let id = Request::default().assigned();
        let n = executor(id);
        assert_ok!(acknowledge(id, &hot(n), facts(&[1, 5, 6])));
        let good = answer(id);
        // WHEN the executor commits
        let call = Pallet::<Test>::commit(RuntimeOrigin::signed(hot(n)), id, good.clone());
        // THEN it pays nothing, and the answer can be read by everybody
        assert_eq!(call.expect("good").pays_fee, Pays::No);
        assert_eq!(stage(id), JobStage::Committed);
        assert_eq!(Outputs::<Test>::get(id), Some(good.output.clone()));
        let record = Commitments::<Test>::get(id).expect("kept");
        assert_eq!(record.price, (3 + 4 * 4) * UNIT_PRICE);
        assert_eq!(record.units, 3 + 4 * 4);
        assert_eq!(registered(n).liabilities, 1);
        assert!(has_event(|event| matches!(
            event,
            Event::Committed { job, output_tokens: 4, price: 190, .. } if *job == id
        )));
    });
}

#[test]
fn a_prompt_on_chain_needs_no_acknowledgement_but_a_blob_does() {
    build_and_execute(|| {
        let inline = Request::default().assigned();
        assert_ok!(commit(inline, answer(inline)));
        let text = Request {
            prompt: text_prompt("abc"),
            ..Default::default()
        };
        let text = text.assigned();
        assert_ok!(commit(text, answer(text)));

        let ids = [1, 7, 8];
        let blob = Request {
            prompt: blob_prompt(&ids),
            ..Default::default()
        };
        let blob = blob.assigned();
        assert_noop!(commit(blob, answer(blob)), Error::<Test>::WrongStage);
        assert_ok!(acknowledge(blob, &hot(executor(blob)), facts(&ids)));
        assert_ok!(commit(blob, answer(blob)));
    });
}

#[test]
fn the_receipt_binds_the_answer() {
    build_and_execute(|| {
        // GIVEN a good answer with its signature
        let id = Request::default().assigned();
        let good = answer(id);
        let edited = [10, 20, 31, END_TOKEN];
        // WHEN the answer is replaced under the same signature, hash and all
        let replaced = Commitment {
            output: Output::Ids(edited.to_vec().try_into().expect("short")),
            output_hash: hash::output_hash(&genesis_hash(), &edited),
            ..good.clone()
        };
        // THEN the signature is not one over that answer
        assert_noop!(commit(id, replaced), Error::<Test>::BadSignature);
        // AND the same goes for the trace
        let traced = Commitment {
            trace_root: H256::zero(),
            ..good.clone()
        };
        assert_noop!(commit(id, traced), Error::<Test>::BadSignature);
        // WHEN the true answer comes THEN its receipt can be checked by anybody
        assert_ok!(commit(id, good));
        let signed = Pallet::<Test>::receipt(id).expect("committed");
        let SignedReceipt {
            receipt,
            signature,
            signer,
        } = signed;
        assert!(receipt.verify(&genesis_hash(), &signature, &signer));
        assert_eq!(
            receipt.output_hash,
            hash::output_hash(&genesis_hash(), &OUTPUT)
        );
        // AND it says nothing on another chain, or of another answer
        assert!(!receipt.verify(&H256::repeat_byte(1), &signature, &signer));
        let other = Receipt {
            output_hash: H256::zero(),
            ..receipt
        };
        assert!(!other.verify(&genesis_hash(), &signature, &signer));
    });
}

#[test]
fn only_the_hot_key_signs_receipts() {
    build_and_execute(|| {
        let id = Request::default().assigned();
        let other = (executor(id) + 1) % OPERATORS;
        // WHEN another operator's key signed THEN it is refused
        let mut forged = answer(id);
        let message = receipt(id, &forged).signing_hash(&genesis_hash());
        forged.signature = hot_pair(other).sign(message.as_bytes()).into();
        assert_noop!(commit(id, forged), Error::<Test>::BadSignature);
    });
}

#[test]
fn a_commitment_by_another_account_is_refused() {
    build_and_execute(|| {
        // GIVEN the executor's good answer, seen by everybody
        let id = Request::default().assigned();
        let good = answer(id);
        let other = (executor(id) + 1) % OPERATORS;
        // WHEN others send it THEN it is refused, and the executor can still
        for who in [hot(other), operator(other), account(ALICE), account(999)] {
            assert_noop!(
                commit_by(id, &who, good.clone()),
                Error::<Test>::NotAssigned
            );
        }
        assert_noop!(
            Pallet::<Test>::commit(RuntimeOrigin::none(), id, good.clone()),
            DispatchError::BadOrigin
        );
        assert_ok!(commit(id, good));
    });
}

#[test]
fn a_replayed_commitment_is_refused() {
    build_and_execute(|| {
        // GIVEN two jobs with the same question and executor
        let ids: Vec<_> = (0..=OPERATORS)
            .map(|_| Request::default().submitted())
            .collect();
        run_to_draw();
        let (first, second) = ids
            .iter()
            .flat_map(|a| ids.iter().map(move |b| (*a, *b)))
            .find(|(a, b)| a < b && executor(*a) == executor(*b))
            .expect("more jobs than operators");
        let signer = hot(executor(first));
        let good = answer(first);
        assert_ok!(commit(first, good.clone()));
        // WHEN the answer is sent again THEN the job has it already
        assert_noop!(
            commit_by(first, &signer, good.clone()),
            Error::<Test>::WrongStage
        );
        // AND to the other job it is no answer: the receipt names the first
        assert_noop!(
            commit_by(second, &signer, good),
            Error::<Test>::BadSignature
        );
        assert_ok!(commit(second, answer(second)));
    });
}

#[test]
fn a_late_commitment_is_refused_and_costs_nothing_more() {
    build_and_execute(|| {
        // GIVEN an acknowledged job at its deadline
        let id = Request::default().assigned();
        let n = executor(id);
        assert_ok!(acknowledge(id, &hot(n), facts(&[1, 5, 6])));
        let good = answer(id);
        let deadline = job(id).stage.agenda_block().expect("listed");
        System::set_block_number(deadline - 1);
        FakeRandomness::observe(deadline as u32 - 1);
        // WHEN the deadline has come, not served yet THEN it is too late
        System::set_block_number(deadline);
        assert_noop!(
            commit_by(id, &hot(n), good.clone()),
            Error::<Test>::DeadlinePassed
        );
        System::set_block_number(deadline - 1);
        // WHEN it is served THEN the job is no longer that executor's
        next_block();
        assert_noop!(commit_by(id, &hot(n), good), Error::<Test>::NotAssigned);
        assert_eq!(registered(n).missed, 1);
    });
}

#[test]
fn a_false_output_is_refused_as_far_as_the_chain_can_see() {
    build_and_execute(|| {
        let id = Request::default().assigned();
        let with = |ids: &[u32], finish| answer_with(id, ids, finish);
        use FinishReason::*;
        let blob = |change: fn(&mut Commitment)| {
            spoiled(id, |commitment| {
                commitment.output = Output::Blob(H256::repeat_byte(8));
                change(commitment)
            })
        };
        let cases = [
            // nothing, or too much
            (with(&[], Stop), Error::<Test>::OutputEmpty),
            (with(&[10; 9], Length), Error::<Test>::OutputTooLong),
            (
                blob(|c| c.output_tokens = u32::MAX),
                Error::<Test>::OutputTooLong,
            ),
            // not what it says it is
            (
                spoiled(id, |c| c.output_tokens = 5),
                Error::<Test>::OutputCountMismatch,
            ),
            (
                spoiled(id, |c| c.output_hash = H256::zero()),
                Error::<Test>::OutputHashMismatch,
            ),
            (
                with(&[10, VOCABULARY, END_TOKEN], Stop),
                Error::<Test>::OutputOutOfVocabulary,
            ),
            // truncated, past its end, or another reason than the true one
            (with(&[10, 20], Stop), Error::<Test>::FinishMismatch),
            (with(&[10, 20], Length), Error::<Test>::FinishMismatch),
            (with(&[10; 8], Stop), Error::<Test>::FinishMismatch),
            (with(&OUTPUT, Length), Error::<Test>::FinishMismatch),
            (with(&OUTPUT, Cancelled), Error::<Test>::FinishMismatch),
            (with(&[10; 8], Cancelled), Error::<Test>::FinishMismatch),
            (
                with(&[10, END_TOKEN, 20, END_TOKEN], Stop),
                Error::<Test>::OutputPastEnd,
            ),
            (blob(|c| c.finish = Length), Error::<Test>::FinishMismatch),
            (
                blob(|c| c.finish = Cancelled),
                Error::<Test>::FinishMismatch,
            ),
            // another prompt, another price
            (
                spoiled(id, |c| c.prompt_hash = H256::zero()),
                Error::<Test>::PromptHashMismatch,
            ),
            (
                spoiled(id, |c| c.prompt_tokens = 2),
                Error::<Test>::PromptCountMismatch,
            ),
            (spoiled(id, |c| c.price += 1), Error::<Test>::PriceMismatch),
            (spoiled(id, |c| c.price -= 1), Error::<Test>::PriceMismatch),
        ];
        for (commitment, error) in cases {
            // WHEN the answer is false on its face THEN the error says how, and nothing is lost
            assert_noop!(commit(id, commitment), error);
        }
        assert_ok!(commit(id, answer(id)));
    });
}

#[test]
fn every_true_way_to_end_is_accepted() {
    build_and_execute(|| {
        use FinishReason::*;
        let stop_ids = || vec![77].try_into().expect("short");
        let asking = |sampling| {
            let request = Request {
                sampling,
                ..Default::default()
            };
            request.assigned()
        };
        // the limit
        let id = asking(Sampling::greedy(3));
        assert_ok!(commit(id, answer_with(id, &[10, 11, 12], Length)));
        // an end token in the last place that there is
        let id = asking(Sampling::greedy(3));
        assert_ok!(commit(id, answer_with(id, &[10, 11, END_TOKEN], Stop)));
        // a stop id of the request
        let id = asking(Sampling {
            stop_ids: stop_ids(),
            ..Sampling::greedy(5)
        });
        assert_ok!(commit(id, answer_with(id, &[10, 77], Stop)));
        // past an end token, as asked
        let id = asking(Sampling {
            ignore_eos: true,
            ..Sampling::greedy(3)
        });
        assert_ok!(commit(id, answer_with(id, &[10, END_TOKEN, 12], Length)));
        // but not past a stop id
        let id = asking(Sampling {
            ignore_eos: true,
            stop_ids: stop_ids(),
            ..Sampling::greedy(3)
        });
        let past = answer_with(id, &[77, 10, 11], Length);
        assert_noop!(commit(id, past), Error::<Test>::OutputPastEnd);
    });
}

#[test]
fn the_longest_output_fits() {
    build_and_execute(|| {
        let request = Request {
            sampling: Sampling::greedy(MAX_INLINE_OUTPUT_IDS),
            ..Default::default()
        };
        let id = request.assigned();
        let ids = vec![9; MAX_INLINE_OUTPUT_IDS as usize];
        assert_ok!(commit(id, answer_with(id, &ids, FinishReason::Length)));
        // AND its trace can be opened on chain
        assert!(opens(id, &opening(&ids)));
    });
}

#[test]
fn only_the_committed_trace_opens() {
    build_and_execute(|| {
        let id = Request::default().committed();
        // WHEN the trace is opened THEN it matches, and nothing else does
        assert!(opens(id, &opening(&OUTPUT)));
        assert!(!opens(id, &opening(&[10, 20, 30, 3])));
        assert!(!opens(id, &opening(&OUTPUT[..3])));
        assert!(!opens(id, &opening(&OUTPUT)[..127]));
        assert!(!opens(id, &[]));
        assert!(!opens(id + 1, &opening(&OUTPUT)));

        // GIVEN a trace whose tokens are not those of the output
        let id = Request::default().assigned();
        let ids = [10, 20, 31, END_TOKEN];
        let other = spoiled(id, |c| c.trace_root = trace_root(&trace_of(&ids)));
        assert_ok!(commit(id, other));
        // WHEN it is opened THEN it does not match either
        assert!(!opens(id, &opening(&ids)));
    });
}
