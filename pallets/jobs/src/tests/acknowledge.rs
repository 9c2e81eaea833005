//! The executor says that it holds the prompt.

use super::*;
use frame_support::{assert_noop, assert_ok, dispatch::Pays};

#[test]
fn acknowledging_begins_the_time_to_compute() {
    build_and_execute(|| {
        // GIVEN an assigned job
        let id = Request::default().assigned();
        let n = executor(id);
        // WHEN its executor acknowledges
        let call = Pallet::<Test>::acknowledge(
            RuntimeOrigin::signed(hot(n)),
            id,
            facts(&[1, 5, 6]).hash,
            3,
        );
        // THEN it pays nothing, and has the base time and a block for 16 of the 11 tokens
        assert_eq!(call.expect("good").pays_fee, Pays::No);
        let deadline = System::block_number() + params().compute_base_blocks + 1;
        assert_eq!(job(id).stage, Stage::Acknowledged { deadline });
        assert_event(Event::Acknowledged {
            job: id,
            executor: operator(n),
            prompt_tokens: 3,
            deadline,
        });
    });
}

#[test]
fn the_bonded_account_signs_as_well_as_the_hot_key() {
    build_and_execute(|| {
        let id = Request::default().assigned();
        assert_ok!(acknowledge(id, &operator(executor(id)), facts(&[1, 5, 6])));
    });
}

#[test]
fn nobody_else_acknowledges() {
    build_and_execute(|| {
        // GIVEN a job of one operator, and one of nobody yet
        let id = Request::default().assigned();
        let other = (executor(id) + 1) % OPERATORS;
        let waiting = Request::default().submitted();
        let known = facts(&[1, 5, 6]);
        // WHEN another operator, the client or a stranger acknowledges THEN it is refused
        for who in [hot(other), operator(other), account(ALICE), account(999)] {
            assert_noop!(acknowledge(id, &who, known), Error::<Test>::NotAssigned);
            assert_noop!(
                acknowledge(waiting, &who, known),
                Error::<Test>::NotAssigned
            );
        }
        assert_noop!(
            acknowledge(77, &hot(other), known),
            Error::<Test>::UnknownJob
        );
        assert_noop!(
            Pallet::<Test>::acknowledge(RuntimeOrigin::root(), id, known.hash, 3),
            DispatchError::BadOrigin
        );
    });
}

#[test]
fn ids_on_chain_are_hashed_and_counted_by_the_chain() {
    build_and_execute(|| {
        let id = Request::default().assigned();
        let signer = hot(executor(id));
        // WHEN hash or count are not those of the prompt THEN the error says which
        let known = facts(&[1, 5, 6]);
        let hash = facts(&[1, 5, 7]).hash;
        assert_noop!(
            acknowledge(id, &signer, PromptFacts { hash, ..known }),
            Error::<Test>::PromptHashMismatch
        );
        assert_noop!(
            acknowledge(id, &signer, PromptFacts { tokens: 4, ..known }),
            Error::<Test>::PromptCountMismatch
        );
        assert_ok!(acknowledge(id, &signer, known));
    });
}

#[test]
fn a_blob_must_be_what_its_client_said() {
    build_and_execute(|| {
        let ids = [1, 7, 8, 9];
        let request = Request {
            prompt: blob_prompt(&ids),
            ..Default::default()
        };
        let id = request.assigned();
        let signer = hot(executor(id));
        let known = facts(&ids);
        assert_noop!(
            acknowledge(id, &signer, PromptFacts { tokens: 3, ..known }),
            Error::<Test>::PromptCountMismatch
        );
        assert_noop!(
            acknowledge(
                id,
                &signer,
                PromptFacts {
                    hash: H256::zero(),
                    ..known
                }
            ),
            Error::<Test>::PromptHashMismatch
        );
        assert_ok!(acknowledge(id, &signer, known));
    });
}

#[test]
fn text_has_at_least_one_token_and_at_most_one_a_byte_and_eight() {
    build_and_execute(|| {
        let request = Request {
            prompt: text_prompt("abc"),
            ..Default::default()
        };
        let id = request.assigned();
        let signer = hot(executor(id));
        let count = |tokens| PromptFacts {
            hash: H256::repeat_byte(1),
            tokens,
        };
        for tokens in [0, 12, u32::MAX] {
            assert_noop!(
                acknowledge(id, &signer, count(tokens)),
                Error::<Test>::PromptCountMismatch
            );
        }
        assert_ok!(acknowledge(id, &signer, count(11)));
        // AND the commitment must say the same
        let other = spoiled(id, |commitment| commitment.prompt_tokens = 3);
        assert_noop!(commit(id, other), Error::<Test>::PromptHashMismatch);
        let other = spoiled(id, |commitment| {
            commitment.prompt_hash = H256::repeat_byte(1);
            commitment.prompt_tokens = 3;
        });
        assert_noop!(commit(id, other), Error::<Test>::PromptCountMismatch);
    });
}

#[test]
fn acknowledging_twice_or_late_is_refused() {
    build_and_execute(|| {
        // GIVEN an acknowledged job
        let id = Request::default().assigned();
        let signer = hot(executor(id));
        let known = facts(&[1, 5, 6]);
        assert_ok!(acknowledge(id, &signer, known));
        // WHEN it is acknowledged again THEN it is refused, and the deadline stays
        assert_noop!(acknowledge(id, &signer, known), Error::<Test>::WrongStage);

        // GIVEN a job whose deadline has come, though nothing has served it
        let late = Request::default().assigned();
        let signer = hot(executor(late));
        System::set_block_number(job(late).stage.agenda_block().expect("listed"));
        // WHEN it is acknowledged THEN it is too late
        assert_noop!(
            acknowledge(late, &signer, known),
            Error::<Test>::DeadlinePassed
        );
    });
}
