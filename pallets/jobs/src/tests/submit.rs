//! A client asks for a completion, or takes its question back.

use super::*;
use chasqui_primitives::{ExpiryReason, MAX_INLINE_PROMPT_IDS};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::TokenError;

#[test]
fn submit_holds_the_worst_price_and_a_deposit_on_the_clients_own_account() {
    build_and_execute(|| {
        // GIVEN a client with money
        let before = free(&account(ALICE));
        // WHEN it asks for up to 8 tokens after a prompt of 3
        let id = Request::default().submitted();
        // THEN the most that can cost, and the deposit, are on hold and nothing has left
        let escrow = (3 + 8 * 4) * UNIT_PRICE;
        let deposit = params().deposit(ids_prompt(&[1, 5, 6]).encoded_size() as u32, 8);
        assert_eq!(held(HoldReason::Escrow, ALICE), escrow);
        assert_eq!(held(HoldReason::Deposit, ALICE), deposit);
        assert_eq!(free(&account(ALICE)), before - escrow - deposit);
        assert_event(Event::JobSubmitted {
            job: id,
            client: account(ALICE),
            checkpoint: CHECKPOINT,
            escrow,
            due: 1 + DELAY,
        });
        assert_eq!(stage(id), JobStage::Submitted);
    });
}

#[test]
fn text_is_priced_by_the_most_tokens_it_can_have() {
    build_and_execute(|| {
        // WHEN a text of eleven bytes is submitted
        let request = Request {
            prompt: text_prompt("Hello Cusco"),
            ..Default::default()
        };
        request.submitted();
        // THEN the escrow covers a token a byte and eight for what a tokenizer adds
        assert_eq!(held(HoldReason::Escrow, ALICE), (19 + 8 * 4) * UNIT_PRICE);
    });
}

#[test]
fn text_that_no_tokenizer_takes_is_refused() {
    build_and_execute(|| {
        // GIVEN bytes that are not UTF-8, with and without good text around them
        for bytes in [&b"\xff"[..], b"Hello \xc3", b"\xed\xa0\x80"] {
            let request = Request {
                prompt: Prompt::Text(bytes.to_vec().try_into().expect("short")),
                ..Default::default()
            };
            // WHEN they are submitted THEN they are refused: whoever were drawn could only miss a duty
            let before = free(&account(ALICE));
            assert_noop!(request.send(), Error::<Test>::PromptNotUtf8);
            assert_eq!(free(&account(ALICE)), before);
        }
        // AND text of any script is welcome
        let request = Request {
            prompt: text_prompt("¿Maypitaq kanki? \u{1f999}"),
            ..Default::default()
        };
        request.submitted();
    });
}

#[test]
fn text_for_a_checkpoint_without_a_tokenizer_is_refused() {
    build_and_execute(|| {
        // GIVEN a checkpoint that has no tokenizer
        let terms = chasqui_primitives::traits::CheckpointTerms {
            has_tokenizer: false,
            ..terms()
        };
        Terms::insert(CHECKPOINT, terms);
        // WHEN text is submitted THEN it is refused: whoever were drawn could only miss a duty
        let text = Request {
            prompt: text_prompt("hello"),
            ..Default::default()
        };
        let before = free(&account(ALICE));
        assert_noop!(text.send(), Error::<Test>::CheckpointHasNoTokenizer);
        assert_eq!(free(&account(ALICE)), before);
        assert_eq!(
            Pallet::<Test>::quote(CHECKPOINT, text_prompt("hello"), 8),
            Err(Error::<Test>::CheckpointHasNoTokenizer.into())
        );
        // AND token ids are welcome, on chain or not
        for prompt in [ids_prompt(&[1, 5]), blob_prompt(&[1, 5])] {
            let request = Request {
                prompt,
                ..Default::default()
            };
            request.submitted();
        }
    });
}

#[test]
fn the_price_is_that_of_the_submission() {
    build_and_execute(|| {
        // GIVEN a job
        let id = Request::default().submitted();
        // WHEN the checkpoint gets dearer
        Terms::insert(
            CHECKPOINT,
            chasqui_primitives::traits::CheckpointTerms {
                unit_price: 99,
                ..terms()
            },
        );
        // THEN the job costs what it did
        run_to_draw();
        assert_eq!(answer(id).price, (3 + 4 * 4) * UNIT_PRICE);
        assert_ok!(commit(id, answer(id)));
    });
}

#[test]
fn only_a_signed_account_submits() {
    build_and_execute(|| {
        let request = Request::default();
        // WHEN root or nobody submits THEN it is refused
        for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
            assert_noop!(
                Pallet::<Test>::submit(
                    origin,
                    request.checkpoint,
                    request.prompt.clone(),
                    SALT,
                    request.sampling.clone(),
                    request.max_price,
                    request.class,
                ),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn bad_requests_are_told_apart_and_cost_no_escrow() {
    build_and_execute(|| {
        let good = Request::default;
        let sampling = |change: fn(&mut Sampling)| {
            let mut sampling = Sampling::greedy(8);
            change(&mut sampling);
            Request { sampling, ..good() }
        };
        let stop = |id: u32| vec![id].try_into().expect("short");
        let huge = blob_prompt(&[1; 10]);
        let Prompt::Blob {
            root, prompt_hash, ..
        } = huge
        else {
            unreachable!()
        };
        let overflowing = Prompt::Blob {
            root,
            prompt_hash,
            prompt_tokens: u32::MAX,
        };
        let cases = [
            // an unknown checkpoint, one that takes no payment
            (
                Request {
                    checkpoint: H256::repeat_byte(9),
                    ..good()
                },
                Error::<Test>::UnknownCheckpoint,
            ),
            (
                Request {
                    checkpoint: UNPAYABLE,
                    ..good()
                },
                Error::<Test>::CheckpointTakesNoPayment,
            ),
            // nothing asked
            (
                Request {
                    prompt: ids_prompt(&[]),
                    ..good()
                },
                Error::<Test>::PromptEmpty,
            ),
            (
                Request {
                    prompt: text_prompt(""),
                    ..good()
                },
                Error::<Test>::PromptEmpty,
            ),
            // a token that does not exist
            (
                Request {
                    prompt: ids_prompt(&[1, VOCABULARY]),
                    ..good()
                },
                Error::<Test>::PromptOutOfVocabulary,
            ),
            // sampling out of range
            (
                sampling(|s| s.temperature_milli = 49),
                Error::<Test>::TemperatureOutOfRange,
            ),
            (
                sampling(|s| s.temperature_milli = 10_001),
                Error::<Test>::TemperatureOutOfRange,
            ),
            (sampling(|s| s.top_p_ppm = 0), Error::<Test>::TopPOutOfRange),
            (sampling(|s| s.max_tokens = 0), Error::<Test>::MaxTokensZero),
            (
                sampling(|s| s.max_tokens = 2_049),
                Error::<Test>::MaxTokensTooLarge,
            ),
            (
                sampling(|s| s.max_tokens = u32::MAX),
                Error::<Test>::MaxTokensTooLarge,
            ),
            (
                Request {
                    sampling: Sampling {
                        stop_ids: stop(VOCABULARY),
                        ..Sampling::greedy(8)
                    },
                    ..good()
                },
                Error::<Test>::StopIdOutOfVocabulary,
            ),
            // a prompt beyond the context, and one beyond any count
            (
                Request {
                    prompt: blob_prompt(&vec![1; CONTEXT as usize]),
                    ..good()
                },
                Error::<Test>::ContextExceeded,
            ),
            (
                Request {
                    prompt: overflowing,
                    ..good()
                },
                Error::<Test>::ContextExceeded,
            ),
            // one planck too few
            (
                Request {
                    max_price: 349,
                    ..good()
                },
                Error::<Test>::PriceAboveMax,
            ),
        ];
        for (request, error) in cases {
            // WHEN the request is bad THEN the error says why and nothing has changed
            assert_noop!(request.send(), error);
        }
        // AND the exact price is enough
        assert_ok!(Request {
            max_price: 350,
            ..good()
        }
        .send());
    });
}

#[test]
fn a_price_beyond_a_balance_is_refused() {
    build_and_execute(|| {
        // GIVEN an absurd price
        Terms::insert(
            CHECKPOINT,
            chasqui_primitives::traits::CheckpointTerms {
                unit_price: u128::MAX,
                ..terms()
            },
        );
        // WHEN somebody submits THEN it is refused, nothing wraps around
        let request = Request {
            max_price: u128::MAX,
            ..Default::default()
        };
        assert_noop!(request.send(), Error::<Test>::PriceOverflow);
    });
}

#[test]
fn an_oversized_prompt_does_not_decode() {
    // GIVEN a call whose prompt has one id more than fits
    let ids = vec![1u32; MAX_INLINE_PROMPT_IDS as usize + 1];
    // WHEN it is decoded THEN it fails: no such call reaches the pallet
    let bytes = (1u8, ids).encode();
    assert!(<Prompt as parity_scale_codec::Decode>::decode(&mut &bytes[..]).is_err());
}

#[test]
fn a_client_without_money_loses_nothing() {
    build_and_execute(|| {
        // WHEN an account with the existential deposit alone submits
        let request = Request {
            client: PAUPER,
            ..Default::default()
        };
        // THEN it is refused
        assert_noop!(request.send(), TokenError::FundsUnavailable);
    });
}

#[test]
fn cancel_gives_everything_back_before_the_seed_can_be_known() {
    build_and_execute(|| {
        // GIVEN a job whose draw is not due
        let before = free(&account(ALICE));
        let id = Request::default().submitted();
        // WHEN its client cancels
        assert_ok!(dispatch(Call::cancel { job: id }, &account(ALICE)));
        // THEN it is gone, its money is back, and no executor is drawn
        assert_eq!(free(&account(ALICE)), before);
        assert_eq!(
            outcome(id),
            Some(JobOutcome::Expired(ExpiryReason::Cancelled))
        );
        run_to_draw();
        assert!(!has_event(|event| matches!(
            event,
            Event::ExecutorDrawn { .. }
        )));
    });
}

#[test]
fn cancel_is_refused_once_the_client_could_know_its_executor() {
    build_and_execute(|| {
        // GIVEN a job whose due block has come
        let id = Request::default().submitted();
        run_blocks(u64::from(DELAY));
        assert_eq!(stage(id), JobStage::Submitted);
        // WHEN its client cancels THEN it is too late, before the draw and after
        let cancel = || dispatch(Call::cancel { job: id }, &account(ALICE));
        assert_noop!(cancel(), Error::<Test>::DrawDue);
        run_blocks(u64::from(SPAN));
        assert_noop!(cancel(), Error::<Test>::WrongStage);
    });
}

#[test]
fn only_the_client_cancels() {
    build_and_execute(|| {
        let id = Request::default().submitted();
        assert_noop!(
            dispatch(Call::cancel { job: id }, &account(BOB)),
            Error::<Test>::NotClient
        );
        assert_noop!(
            dispatch(Call::cancel { job: id + 1 }, &account(ALICE)),
            Error::<Test>::UnknownJob
        );
    });
}
