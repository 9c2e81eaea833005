//! What a cheating executor commits to is condemned.

mod common;

use chasqui_audit::{rastic, HardReason, Verdict};
use chasqui_engine::Engine;
use chasqui_primitives::{sampling::Sampling, trace::TraceLeaf, FinishReason};
use common::*;
use sp_core::H256;

const END: u32 = 1;

/// Every cheat under greedy decoding and at temperature 0.8, on a random and on the trained model.
fn settings() -> Vec<(Engine, Vec<u32>, u32)> {
    let mut all = Vec::new();
    for temperature in [0, 800] {
        all.push((golden("llama-mha-tied"), vec![0, 17, 99, 300], temperature));
        let tales = tales();
        let prompt = tales
            .tokenizer()
            .unwrap()
            .encode("Once, a runner", true)
            .unwrap();
        all.push((tales, prompt, temperature));
    }
    all
}

/// To the limit, so that there is something to cut and edit.
fn long(temperature: u32, seed: u64, max_tokens: u32) -> Sampling {
    Sampling {
        ignore_eos: true,
        ..sampling(temperature, seed, max_tokens)
    }
}

// GIVEN an answer by another model of the same vocabulary
// WHEN it is passed off as the registered one's
// THEN it is hard, whether its own fingerprints are shown or random ones
#[test]
fn another_model_is_condemned() {
    let (asked, other) = (golden("llama-mha-tied"), golden("mistral-gqa"));
    for temperature in [0, 800] {
        for seed in 0..6 {
            let claim = honest(&other, &[0, 5, 6], sampling(temperature, seed, 24));
            assert!(
                is_hard(&claim.replay(&asked)),
                "temperature {temperature}, seed {seed}"
            );
            let forged =
                claim.edited(|trace| trace.iter_mut().for_each(|leaf| leaf.fingerprint = [0; 14]));
            assert!(is_hard(&forged.replay(&asked)));
        }
    }
}

// GIVEN right tokens under fingerprints that are slightly off, as lower precision makes them
// WHEN they are replayed
// THEN the fingerprint condemns them though no token differs
#[test]
fn low_precision_shows_in_the_fingerprint() {
    let engine = golden("llama-mha-tied");
    let claim = honest(&engine, &[0, 5, 6], sampling(0, 0, 24));
    let off = claim.edited(|trace| {
        for leaf in trace {
            for (j, value) in leaf.fingerprint.iter_mut().enumerate() {
                *value = value.saturating_add(if j % 2 == 0 { 6 } else { -6 });
            }
        }
    });
    assert_eq!(
        off.replay(&engine).verdict,
        Verdict::Hard(HardReason::Fingerprint)
    );
}

// GIVEN an honest answer
// WHEN one token is edited, wherever it stands
// THEN it is hard
#[test]
fn an_edited_token_is_condemned_at_every_position() {
    for (engine, prompt, temperature) in settings() {
        let vocab = engine.config().vocab_size as u32;
        let claim = honest(&engine, &prompt, long(temperature, 7, 24));
        for at in 0..claim.trace.len() {
            // A token far from every other: not a near-tie, which is within the tolerance of honest machines.
            let edited = claim.edited(|trace| {
                trace[at].token = (trace[at].token + vocab / 2) % vocab;
            });
            assert!(
                is_hard(&edited.replay(&engine)),
                "position {at}, temperature {temperature}"
            );
        }
    }
}

// GIVEN an honest answer cut short
// WHEN it claims that the limit was reached, that the model stopped, or forges an end token
// THEN each is hard
#[test]
fn a_truncated_answer_is_condemned() {
    for (engine, prompt, temperature) in settings() {
        let whole = honest(
            &engine,
            &prompt,
            Sampling {
                ignore_eos: false,
                ..long(temperature, 5, 30)
            },
        );
        let keep = whole.trace.len() / 3;
        let cut = whole.trace[..keep].to_vec();
        let sampling = &whole.commitment.sampling;
        for finish in [FinishReason::Length, FinishReason::Stop] {
            let claim = common::Claim::made_of(&prompt, sampling.clone(), finish, cut.clone());
            assert_eq!(
                claim.replay(&engine).verdict,
                Verdict::Hard(HardReason::Finish)
            );
        }
        let end = engine.eos_ids()[0];
        let mut forged = cut;
        forged.last_mut().unwrap().token = end;
        let claim = common::Claim::made_of(&prompt, sampling.clone(), FinishReason::Stop, forged);
        let replay = claim.replay(&engine);
        assert_eq!(
            replay.verdict,
            Verdict::Hard(HardReason::Margin),
            "{:?}",
            replay.statistics
        );
        // The cheap mode finds it too: it always looks at the end token.
        let cheap = rastic(
            &engine,
            &claim.commitment,
            &claim.opening(),
            &thresholds(),
            &PANEL,
            3,
        )
        .unwrap();
        assert!(matches!(cheap.verdict, Verdict::Hard(_)));
    }
}

// GIVEN an answer that runs on behind an end token, or beyond the limit
// WHEN it is replayed
// THEN it is hard
#[test]
fn an_answer_that_runs_past_its_end_is_condemned() {
    let engine = golden("llama-mha-tied");
    let claim = honest(&engine, &[0, 5, 6], long(0, 0, 12));
    let past_stop = Sampling {
        ignore_eos: false,
        ..claim.commitment.sampling.clone()
    };
    let mut trace = claim.trace.clone();
    trace[4].token = END;
    let with_end = common::Claim::made_of(&[0, 5, 6], past_stop, FinishReason::Length, trace);
    assert_eq!(
        with_end.replay(&engine).verdict,
        Verdict::Hard(HardReason::Finish)
    );

    let shorter = Sampling {
        max_tokens: 6,
        ..claim.commitment.sampling.clone()
    };
    let beyond = common::Claim::made_of(&[0, 5, 6], shorter, FinishReason::Length, claim.trace);
    assert_eq!(
        beyond.replay(&engine).verdict,
        Verdict::Hard(HardReason::Finish)
    );
}

// GIVEN an answer sampled with another seed than the client's
// WHEN it is replayed under the client's
// THEN it is hard
#[test]
fn a_wrong_seed_is_condemned() {
    for (engine, prompt, temperature) in settings() {
        if temperature == 0 {
            continue;
        }
        let mine = honest(&engine, &prompt, long(temperature, 41, 32));
        let asked = long(temperature, 42, 32);
        let claim = common::Claim::made_of(&prompt, asked, mine.commitment.finish, mine.trace);
        assert!(is_hard(&claim.replay(&engine)));
    }
}

// GIVEN an answer to another prompt
// WHEN it is committed to under the client's prompt hash, or shown with the wrong prompt
// THEN it is hard
#[test]
fn a_wrong_prompt_is_condemned() {
    let engine = golden("llama-mha-tied");
    let other = honest(&engine, &[0, 7, 8], long(0, 0, 16));
    let passed_off = common::Claim::made_of(
        &[0, 5, 6],
        other.commitment.sampling.clone(),
        other.commitment.finish,
        other.trace.clone(),
    );
    assert!(is_hard(&passed_off.replay(&engine)));

    let mut shown = passed_off;
    shown.prompt_ids = vec![0, 7, 8];
    assert_eq!(
        shown.replay(&engine).verdict,
        Verdict::Hard(HardReason::PromptHash)
    );
}

// GIVEN an answer whose first nine tenths are honest and whose end is another model's
// WHEN it is replayed
// THEN it is hard: every position is scored, there is no depth behind which to hide
#[test]
fn a_suffix_cheat_is_condemned() {
    let (asked, other) = (golden("llama-mha-tied"), golden("mistral-gqa"));
    for temperature in [0, 800] {
        let honest_part = honest(&asked, &[0, 5, 6], long(temperature, 2, 36));
        let mut context = vec![0, 5, 6];
        context.extend(&honest_part.output_ids);
        let tail = honest(&other, &context, long(temperature, 2, 4));
        let trace: Vec<TraceLeaf> = [honest_part.trace, tail.trace].concat();
        let claim = common::Claim::made_of(
            &[0, 5, 6],
            long(temperature, 2, 40),
            FinishReason::Length,
            trace,
        );
        let replay = claim.replay(&asked);
        assert!(is_hard(&replay), "{:?}", replay.statistics);
        assert!(replay.tokens[..36]
            .iter()
            .all(|token| token.margin_micro < 10_000));
    }
}

// GIVEN the same suffix cheat
// WHEN the cheap mode looks at 32 interior positions under many seeds
// THEN most seeds find it, none of them predictable beforehand
#[test]
fn the_cheap_mode_finds_a_suffix_cheat_by_chance() {
    let engine = golden("llama-mha-tied");
    let claim = honest(&engine, &[0, 5, 6], long(0, 2, 60)).edited(|trace| {
        for leaf in &mut trace[50..] {
            leaf.token = (leaf.token + 250) % 512;
        }
    });
    let found = (0..40u64)
        .filter(|seed| {
            let seed = H256::from_low_u64_be(*seed);
            let cheap = rastic(
                &engine,
                &claim.commitment,
                &claim.opening(),
                &thresholds(),
                &seed,
                8,
            )
            .unwrap();
            matches!(cheap.verdict, Verdict::Hard(_))
        })
        .count();
    // Expected 40 * (1 - (1 - 10/60)^8), about 31.
    assert!((22..=38).contains(&found), "{found}");
}
