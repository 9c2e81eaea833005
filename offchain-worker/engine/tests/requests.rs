//! Requests: what is refused before anything is computed, and how an output ends.

mod common;

use std::ops::ControlFlow;

use chasqui_engine::{Engine, EngineError, FinishReason, GenerateRequest, Sampling};
use common::{golden, message, tiny_config};

fn engine() -> Engine {
    Engine::new(tiny_config().init(3, &chasqui_engine::device::open("cpu").unwrap()))
}

fn request(prompt_ids: Vec<u32>, sampling: Sampling) -> GenerateRequest {
    GenerateRequest {
        prompt_ids,
        sampling,
        fingerprint_seed: [0; 32],
    }
}

fn free(max_tokens: u32) -> Sampling {
    Sampling {
        ignore_eos: true,
        ..common::warm(5, max_tokens)
    }
}

// GIVEN a context of 64 and a vocabulary of 64
// WHEN a request is empty, too long, foreign or out of range
// THEN it is refused by field before any token
#[test]
fn bad_requests() {
    let engine = engine();
    let cold = |milli| Sampling {
        temperature_milli: milli,
        ..common::warm(0, 4)
    };
    let cases = [
        (request(vec![], free(4)), "prompt_ids", "is empty"),
        (request(vec![2; 64], free(1)), "prompt_ids", "no room"),
        (
            request(vec![2; 65], free(1)),
            "prompt_ids",
            "context holds 64",
        ),
        (request(vec![64], free(1)), "prompt_ids", "holds id 64"),
        (request(vec![2], free(0)), "max_tokens", "at least 1"),
        (request(vec![2; 4], free(61)), "max_tokens", "room for 60"),
        (
            request(vec![2], free(u32::MAX)),
            "max_tokens",
            "room for 63",
        ),
        (request(vec![2], cold(49)), "temperature", "50 to 10000"),
        (
            request(
                vec![2],
                Sampling {
                    top_p_ppm: 0,
                    ..free(4)
                },
            ),
            "top_p",
            "1 to 1000000",
        ),
    ];
    for (request, field, expected) in cases {
        let mut seen = 0;
        let error = message(engine.generate(&request, |_| {
            seen += 1;
            ControlFlow::Continue(())
        }));
        assert!(error.contains(field) && error.contains(expected), "{error}");
        assert_eq!(seen, 0);
    }
    assert!(matches!(
        engine.score(&[]),
        Err(EngineError::Request { .. })
    ));
    assert!(matches!(
        engine.score(&[99]),
        Err(EngineError::Request { .. })
    ));
    assert!(matches!(
        engine.score(&[2; 65]),
        Err(EngineError::Request { .. })
    ));
}

// GIVEN a prompt and max_tokens that fill the context exactly
// WHEN it is generated
// THEN it runs to the limit
#[test]
fn the_whole_context_is_usable() {
    let generation = engine()
        .generate(
            &request(vec![2; 4], free(60)),
            |_| ControlFlow::Continue(()),
        )
        .unwrap();
    assert_eq!(generation.output_ids.len(), 60);
    assert_eq!(generation.finish_reason, FinishReason::Length);
}

// GIVEN an output and a token in it
// WHEN that token is a stop id, or the client hangs up at it
// THEN the output ends with it, with that reason, and is a prefix of the free output
#[test]
fn stop_and_cancel() {
    let engine = engine();
    let go = |_| ControlFlow::Continue(());
    let whole = engine.generate(&request(vec![2, 9], free(16)), go).unwrap();
    let stop = whole.output_ids[5];
    let end = whole.output_ids.iter().position(|id| *id == stop).unwrap() + 1;

    let mut sampling = free(16);
    sampling.stop_ids.try_push(stop).unwrap();
    let stopped = engine.generate(&request(vec![2, 9], sampling), go).unwrap();
    assert_eq!(stopped.output_ids, whole.output_ids[..end]);
    assert_eq!(stopped.finish_reason, FinishReason::Stop);
    assert_eq!(stopped.fingerprints, whole.fingerprints[..end]);

    let cancelled = engine
        .generate(&request(vec![2, 9], free(16)), |token| match token.index {
            2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    assert_eq!(cancelled.output_ids, whole.output_ids[..3]);
    assert_eq!(cancelled.finish_reason, FinishReason::Cancelled);
    assert_eq!(cancelled.trace().len(), 3);
}

// GIVEN a checkpoint whose end token comes up
// WHEN it is generated with and without ignore_eos
// THEN it stops there, or goes on
#[test]
fn end_tokens() {
    let device = chasqui_engine::device::open("cpu").unwrap();
    let go = |_| ControlFlow::Continue(());
    let first = engine()
        .generate(&request(vec![2], free(8)), go)
        .unwrap()
        .output_ids[0];
    let config = chasqui_engine::LlamaConfig {
        eos_token_ids: vec![first],
        ..tiny_config()
    };
    let engine = Engine::new(config.init(3, &device));
    let sampling = Sampling {
        ignore_eos: false,
        ..free(8)
    };
    let stopped = engine.generate(&request(vec![2], sampling), go).unwrap();
    assert_eq!(
        (stopped.output_ids, stopped.finish_reason),
        (vec![first], FinishReason::Stop)
    );
    assert_eq!(
        engine
            .generate(&request(vec![2], free(8)), go)
            .unwrap()
            .output_ids
            .len(),
        8
    );
}

// GIVEN the same request
// WHEN it is generated twice, by two threads at once, and replayed
// THEN all agree, and the replay has margin 0 everywhere
#[test]
fn generations_repeat() {
    let engine = engine();
    let request = request(vec![2, 3, 4], free(20));
    let go = |_| ControlFlow::Continue(());
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| engine.generate(&request, go).unwrap());
        let b = scope.spawn(|| engine.generate(&request, go).unwrap());
        (a.join().unwrap(), b.join().unwrap())
    });
    assert_eq!(a.output_ids, b.output_ids);
    assert_eq!(a.fingerprints, b.fingerprints);
    let (prompt, sampling) = (&request.prompt_ids, &request.sampling);
    let replay = || {
        engine
            .replay(prompt, &a.output_ids, sampling, 1e-3, &[0; 32])
            .unwrap()
    };
    assert!(replay().iter().all(|token| token.margin == 0.0));
    assert_eq!(replay(), replay());
}

// GIVEN an honest output
// WHEN a token is edited, the seed is another, or the model is another
// THEN the replay shows margins that honest rounding does not
#[test]
fn replays_expose_cheats() {
    let engine = engine();
    let other = Engine::new(tiny_config().init(4, &chasqui_engine::device::open("cpu").unwrap()));
    let request = request(vec![2, 3, 4], free(24));
    let go = |_| ControlFlow::Continue(());
    let honest = engine.generate(&request, go).unwrap();
    let mean = |output: &[u32], sampling: &Sampling| {
        let replay = engine
            .replay(&request.prompt_ids, output, sampling, 1e-3, &[0; 32])
            .unwrap();
        let clipped = |token: &chasqui_engine::ReplayedToken| token.margin.min(10.0);
        replay.iter().map(clipped).sum::<f64>() / output.len() as f64
    };
    assert!(mean(&honest.output_ids, &request.sampling) < 1e-6);

    let mut edited = honest.output_ids.clone();
    edited[7] = (edited[7] + 1) % 64;
    assert!(mean(&edited, &request.sampling) > 0.05);

    let reseeded = Sampling {
        seed: 6,
        ..request.sampling.clone()
    };
    assert!(mean(&honest.output_ids, &reseeded) > 0.2);

    let foreign = other.generate(&request, go).unwrap();
    assert!(mean(&foreign.output_ids, &request.sampling) > 0.2);
}

// GIVEN a prompt and no output
// WHEN it is replayed
// THEN there is nothing to see
#[test]
fn empty_output_replays() {
    let replay = engine().replay(&[2], &[], &free(4), 0.0, &[0; 32]).unwrap();
    assert!(replay.is_empty());
}

// GIVEN a folder without tokenizer.json
// WHEN it is loaded
// THEN ids work and text says what is missing
#[test]
fn engine_without_tokenizer() {
    let dir = common::golden_copy("llama-mha-tied");
    std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    let engine = Engine::load(dir.path(), "cpu").unwrap();
    assert!(engine.score(&[0, 1]).is_ok());
    assert!(message(engine.tokenizer()).contains("tokenizer.json"));
}

// GIVEN end tokens in generation_config.json that differ from config.json
// WHEN the model is loaded
// THEN those for generation hold, and one outside the vocabulary is refused
#[test]
fn generation_config() {
    let dir = common::golden_copy("llama-mha-tied");
    let path = dir.path().join("generation_config.json");
    common::edit_json(&path, |config| {
        config["eos_token_id"] = serde_json::json!([1, 7])
    });
    assert_eq!(Engine::load(dir.path(), "cpu").unwrap().eos_ids(), [1, 7]);
    common::edit_json(&path, |config| config["eos_token_id"] = 512.into());
    assert!(message(Engine::load(dir.path(), "cpu")).contains("generation_config.json"));
    assert!(Engine::load(&golden("llama-mha-tied"), "cpu")
        .unwrap()
        .is_stop(1, &common::greedy(1)));
}
