//! Turns of a conversation begin behind what was fed before, and nobody can tell by the answer.

mod common;

use std::ops::ControlFlow;
use std::sync::{mpsc, Arc};

use chasqui_engine::batch::{Batcher, Limits, Options};
use chasqui_engine::{Engine, EngineError, GenerateRequest, Generation, Sampling};
use common::{message, tiny_config};
use proptest::prelude::*;

fn engine() -> Arc<Engine> {
    let device = chasqui_engine::device::open("cpu").unwrap();
    Arc::new(Engine::new(tiny_config().init(3, &device)))
}

fn request(prompt_ids: Vec<u32>, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        prompt_ids,
        sampling: Sampling {
            ignore_eos: true,
            temperature_milli: 800,
            seed: 5,
            ..Sampling::greedy(max_tokens)
        },
        fingerprint_seed: [7; 32],
    }
}

fn run(batcher: &Batcher, name: u8, request: GenerateRequest) -> Generation {
    let (sender, receiver) = mpsc::channel();
    let options = Options {
        conversation: Some([name; 32]),
        ..Options::default()
    };
    let done = move |outcome: Result<_, EngineError>| sender.send(outcome).unwrap();
    let go = |_| ControlFlow::Continue(());
    batcher.submit_with(request, options, go, done).unwrap();
    receiver.recv().unwrap().unwrap()
}

fn assert_same(made: &Generation, engine: &Engine, request: &GenerateRequest) {
    let alone = engine
        .generate(request, |_| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(made.output_ids, alone.output_ids);
    assert_eq!(made.fingerprints, alone.fingerprints);
    assert_eq!(made.finish_reason, alone.finish_reason);
}

// GIVEN a conversation of several turns, each with the one before in its prompt
// WHEN its requests name it
// THEN every turn after the first feeds only what is new, and has the bits of a fresh run
#[test]
fn a_turn_feeds_only_what_is_new() {
    let engine = engine();
    let batcher = Batcher::new(engine.clone(), Limits::default()).unwrap();
    let mut prompt = vec![3, 9, 4];
    for turn in 0..4u32 {
        let request = request(prompt.clone(), 5);
        let made = run(&batcher, 1, request.clone());
        assert_same(&made, &engine, &request);
        // The last output token was never fed.
        let expected = if turn == 0 { 0 } else { prompt.len() - 3 };
        assert_eq!(made.timings.reused_tokens, expected);
        prompt.extend(&made.output_ids);
        prompt.extend([10 + turn, 11]);
    }
    let load = batcher.load();
    assert_eq!((load.conversations, load.reused, load.kept), (4, 3, 1));
    assert!(load.reused_tokens > 0 && load.kept_bytes > 0);
}

// GIVEN a kept cache
// WHEN another conversation asks with the same prompt, or the same one with a prompt that parts ways early
// THEN the first finds nothing, the second only what is common, and both have the bits of a fresh run
#[test]
fn only_a_common_prefix_of_the_same_conversation_counts() {
    let engine = engine();
    let batcher = Batcher::new(engine.clone(), Limits::default()).unwrap();
    let first = request(vec![3, 9, 4, 8, 2], 6);
    run(&batcher, 1, first.clone());
    let other = run(&batcher, 2, first.clone());
    assert_eq!(other.timings.reused_tokens, 0);
    assert_same(&other, &engine, &first);
    let parted = request(vec![3, 9, 5, 5, 5, 5, 6], 9);
    let made = run(&batcher, 1, parted.clone());
    assert_eq!(made.timings.reused_tokens, 2);
    assert_same(&made, &engine, &parted);
    // The very same prompt again: all but its last token.
    let made = run(&batcher, 2, first.clone());
    assert_eq!(made.timings.reused_tokens, 4);
    assert_same(&made, &engine, &first);
}

// GIVEN room for two kept caches
// WHEN three conversations take turns
// THEN the least recently used one goes, and the bound is never exceeded
#[test]
fn the_least_recently_used_goes_first() {
    let engine = engine();
    let each = engine.decoder().sequence_bytes(3 + 4 - 1);
    let limits = Limits {
        kept_bytes: 2 * each,
        ..Limits::default()
    };
    let batcher = Batcher::new(engine, limits).unwrap();
    let turn = |name| {
        run(&batcher, name, request(vec![3, 9, 4], 4))
            .timings
            .reused_tokens
    };
    assert_eq!([turn(1), turn(2), turn(1)], [0, 0, 2]);
    assert_eq!(turn(3), 0);
    assert_eq!([turn(1), turn(3)], [2, 2]);
    assert_eq!(turn(2), 0);
    let load = batcher.load();
    assert_eq!((load.kept, load.kept_bytes), (2, 2 * each));
    assert_eq!(load.cache_bytes, 0);
}

// GIVEN no room for kept caches
// WHEN a conversation goes on
// THEN every turn is computed afresh
#[test]
fn without_room_nothing_is_kept() {
    let limits = Limits {
        kept_bytes: 0,
        ..Limits::default()
    };
    let batcher = Batcher::new(engine(), limits).unwrap();
    for _ in 0..2 {
        let made = run(&batcher, 1, request(vec![3, 9, 4], 4));
        assert_eq!(made.timings.reused_tokens, 0);
    }
    assert_eq!(batcher.load().kept_bytes, 0);
}

// GIVEN a request that asks for more probabilities than are told
// WHEN it is submitted
// THEN it is refused with the bound
#[test]
fn too_many_probabilities_are_refused() {
    let batcher = Batcher::new(engine(), Limits::default()).unwrap();
    let options = Options {
        top_logprobs: Some(21),
        ..Options::default()
    };
    let go = |_| ControlFlow::Continue(());
    let refused = batcher.submit_with(request(vec![1], 2), options, go, |_| panic!("refused"));
    assert!(message(refused).contains("top_logprobs"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    // GIVEN any turns of any conversations, in any order and within any room
    // WHEN they run
    // THEN each has the bits of a fresh run, and the bound holds
    #[test]
    fn any_reuse_is_as_good_as_none(
        turns in prop::collection::vec((0u8..3, prop::collection::vec(0u32..4, 1..12), 1u32..8), 1..12),
        room in 0usize..4,
        pass_tokens in 1usize..20,
    ) {
        let engine = engine();
        let kept_bytes = room * engine.decoder().sequence_bytes(12);
        let limits = Limits { kept_bytes, pass_tokens, ..Limits::default() };
        let batcher = Batcher::new(engine.clone(), limits).unwrap();
        for (name, prompt, max_tokens) in turns {
            let request = request(prompt, max_tokens);
            let made = run(&batcher, name, request.clone());
            assert_same(&made, &engine, &request);
            prop_assert!(batcher.load().kept_bytes <= kept_bytes);
        }
    }
}
