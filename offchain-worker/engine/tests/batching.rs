//! Continuous batching: many requests share each pass, and none of them can tell.

mod common;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc};

use chasqui_engine::batch::{Batcher, Limits};
use chasqui_engine::{Engine, EngineError, FinishReason, GenerateRequest, Sampling};
use common::{message, tiny_config};
use proptest::prelude::*;

fn engine() -> Arc<Engine> {
    let device = chasqui_engine::device::open("cpu").unwrap();
    Arc::new(Engine::new(tiny_config().init(3, &device)))
}

/// Samples freely, past any end token.
fn free(max_tokens: u32) -> Sampling {
    Sampling {
        ignore_eos: true,
        ..Sampling::greedy(max_tokens)
    }
}

fn request(prompt_ids: Vec<u32>, sampling: Sampling) -> GenerateRequest {
    GenerateRequest {
        prompt_ids,
        sampling,
        fingerprint_seed: [7; 32],
    }
}

fn go(_: chasqui_engine::TokenEvent) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn requests(count: usize) -> Vec<GenerateRequest> {
    (0..count)
        .map(|n| {
            let prompt = (0..1 + n % 13)
                .map(|t| ((7 * n + 3 * t) % 32) as u32)
                .collect();
            let mut sampling = free(1 + (n % 9) as u32);
            sampling.temperature_milli = if n % 2 == 0 { 0 } else { 900 };
            sampling.seed = n as u64;
            request(prompt, sampling)
        })
        .collect()
}

/// Submits all of them at once; outcomes in order of submission.
fn together(
    batcher: &Batcher,
    requests: Vec<GenerateRequest>,
) -> Vec<Result<chasqui_engine::Generation, EngineError>> {
    let waiting: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let (sender, receiver) = mpsc::channel();
            let done = move |outcome| sender.send(outcome).unwrap();
            batcher.submit(request, go, done).unwrap();
            receiver
        })
        .collect();
    waiting
        .iter()
        .map(|receiver| receiver.recv().unwrap())
        .collect()
}

// GIVEN requests of different lengths and samplings
// WHEN they run alone, and all together in one batch that they join and leave at different times
// THEN every one has the same tokens and fingerprints both times
#[test]
fn neighbours_change_nothing() {
    let engine = engine();
    for limits in [
        Limits::default(),
        Limits {
            running: 3,
            pass_tokens: 5,
            ..Limits::default()
        },
        Limits {
            running: 1,
            pass_tokens: 1,
            ..Limits::default()
        },
    ] {
        let batcher = Batcher::new(engine.clone(), limits).unwrap();
        for (made, request) in together(&batcher, requests(24))
            .into_iter()
            .zip(requests(24))
        {
            let (made, alone) = (made.unwrap(), engine.generate(&request, go).unwrap());
            assert_eq!(made.output_ids, alone.output_ids);
            assert_eq!(made.fingerprints, alone.fingerprints);
            assert_eq!(made.finish_reason, alone.finish_reason);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // GIVEN any limits and any order of requests
    // WHEN they run together
    // THEN each ends as it does alone
    #[test]
    fn any_batch_is_as_good_as_none(
        running in 1usize..6,
        pass_tokens in 1usize..20,
        order in Just((0..16usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let engine = engine();
        let limits = Limits { running, pass_tokens, ..Limits::default() };
        let batcher = Batcher::new(engine.clone(), limits).unwrap();
        let all = requests(16);
        let shuffled: Vec<_> = order.iter().map(|&n| all[n].clone()).collect();
        for (made, request) in together(&batcher, shuffled.clone()).into_iter().zip(shuffled) {
            let alone = engine.generate(&request, go).unwrap();
            prop_assert_eq!(made.unwrap().output_ids, alone.output_ids);
        }
    }
}

// GIVEN 200 requests at once and a memory bound for caches that holds only a few
// WHEN they run
// THEN all end, and the reserved memory never exceeds the bound
#[test]
fn two_hundred_requests_within_the_memory_bound() {
    let engine = engine();
    let most = requests(200)
        .iter()
        .map(|r| r.prompt_ids.len() + r.sampling.max_tokens as usize)
        .max()
        .unwrap();
    let cache_bytes = 5 * engine.decoder().sequence_bytes(most);
    let limits = Limits {
        cache_bytes,
        ..Limits::default()
    };
    let batcher = Arc::new(Batcher::new(engine, limits).unwrap());
    let highest = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpsc::channel();
    for request in requests(200) {
        let (watched, highest, sender) =
            (Arc::downgrade(&batcher), highest.clone(), sender.clone());
        let on_token = move |_| {
            if let Some(batcher) = watched.upgrade() {
                highest.fetch_max(batcher.load().cache_bytes, Ordering::Relaxed);
            }
            ControlFlow::Continue(())
        };
        let done = move |outcome: Result<_, _>| sender.send(outcome.is_ok()).unwrap();
        batcher.submit(request, on_token, done).unwrap();
    }
    let ended: Vec<bool> = receiver.iter().take(200).collect();
    assert!(ended.iter().all(|ok| *ok) && ended.len() == 200);
    let highest = highest.load(Ordering::Relaxed);
    assert!(
        highest > 0 && highest <= cache_bytes,
        "{highest} of {cache_bytes}"
    );
    assert_eq!(batcher.load().cache_bytes, 0);
}

// GIVEN a full queue
// WHEN one more request comes
// THEN it is refused at once as busy, and those before it are not disturbed
#[test]
fn a_full_queue_refuses() {
    let limits = Limits {
        running: 1,
        queued: 2,
        ..Limits::default()
    };
    let batcher = Batcher::new(engine(), limits).unwrap();
    // The first holds the batcher's thread at its first token until told otherwise.
    let (release, held) = mpsc::channel::<()>();
    let (started, first) = mpsc::channel();
    let (sender, receiver) = mpsc::channel();
    let done = |sender: mpsc::Sender<bool>| {
        move |outcome: Result<_, _>| {
            sender.send(outcome.is_ok()).unwrap();
        }
    };
    let on_token = move |_| {
        let _ = started.send(());
        let _ = held.recv();
        ControlFlow::Continue(())
    };
    batcher
        .submit(request(vec![1], free(3)), on_token, done(sender.clone()))
        .unwrap();
    first.recv().unwrap();
    for _ in 0..2 {
        batcher
            .submit(request(vec![1], free(3)), go, done(sender.clone()))
            .unwrap();
    }
    let refused = batcher.submit(request(vec![1], free(3)), go, |_| panic!("it was refused"));
    assert!(matches!(refused, Err(EngineError::Busy { queued: 2 })));
    drop(release);
    assert_eq!(receiver.iter().take(3).filter(|ok| *ok).count(), 3);
}

// GIVEN requests that cannot be served
// WHEN they are submitted
// THEN each is refused with the field's name, before any computation
#[test]
fn bad_requests_are_refused_at_once() {
    let engine = engine();
    let small = Limits {
        cache_bytes: engine.decoder().sequence_bytes(8),
        ..Limits::default()
    };
    let batcher = Batcher::new(engine, small).unwrap();
    let refuse = |request| message(batcher.submit(request, go, |_| panic!("it was refused")));
    assert!(refuse(request(vec![], free(3))).contains("prompt_ids"));
    assert!(refuse(request(vec![1], free(0))).contains("max_tokens"));
    assert!(refuse(request(vec![1], free(1_000_000))).contains("max_tokens"));
    assert!(refuse(request(vec![99_999], free(1))).contains("prompt_ids"));
    assert!(refuse(request(vec![1], free(30))).contains("bytes of cache"));
}

// GIVEN a client that stops reading, and one whose callback panics
// WHEN others run beside them
// THEN the first ends as cancelled, the second with an error, and the others as ever
#[test]
fn one_request_cannot_hurt_another() {
    let engine = engine();
    let batcher = Batcher::new(engine.clone(), Limits::default()).unwrap();
    let (sender, receiver) = mpsc::channel();
    let done = |name: &'static str, sender: &mpsc::Sender<_>| {
        let sender = sender.clone();
        move |outcome| sender.send((name, outcome)).unwrap()
    };
    let leave = |event: chasqui_engine::TokenEvent| match event.index {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let panics = |_| panic!("a client's callback");
    batcher
        .submit(request(vec![1, 2], free(9)), leave, done("left", &sender))
        .unwrap();
    batcher
        .submit(request(vec![3], free(9)), panics, done("panicked", &sender))
        .unwrap();
    batcher
        .submit(request(vec![4, 5], free(9)), go, done("stayed", &sender))
        .unwrap();
    let mut outcomes: Vec<(&str, Result<chasqui_engine::Generation, EngineError>)> =
        receiver.iter().take(3).collect();
    outcomes.sort_by_key(|(name, _)| *name);
    let left = outcomes[0].1.as_ref().unwrap();
    assert_eq!(
        (left.finish_reason, left.output_ids.len()),
        (FinishReason::Cancelled, 3)
    );
    assert!(outcomes[1]
        .1
        .as_ref()
        .unwrap_err()
        .to_string()
        .contains("callback"));
    let alone = engine.generate(&request(vec![4, 5], free(9)), go).unwrap();
    assert_eq!(outcomes[2].1.as_ref().unwrap().output_ids, alone.output_ids);
}

// GIVEN running and waiting requests
// WHEN the batcher is dropped
// THEN each of them gets an error instead of silence
#[test]
fn a_stopped_batcher_leaves_nobody_waiting() {
    let limits = Limits {
        running: 1,
        ..Limits::default()
    };
    let batcher = Batcher::new(engine(), limits).unwrap();
    let (sender, receiver) = mpsc::channel();
    let (started, first) = mpsc::channel();
    for n in 0..3 {
        let (sender, started) = (sender.clone(), started.clone());
        let on_token = move |_| {
            let _ = started.send(());
            std::thread::sleep(std::time::Duration::from_millis(5));
            ControlFlow::Continue(())
        };
        let done = move |outcome: Result<_, _>| sender.send((n, outcome.is_ok())).unwrap();
        batcher
            .submit(request(vec![1], free(60)), on_token, done)
            .unwrap();
    }
    first.recv().unwrap();
    drop(batcher);
    drop(sender);
    assert_eq!(receiver.iter().count(), 3);
}
