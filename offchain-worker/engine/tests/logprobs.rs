//! Log-probabilities of what a model says.

mod common;

use std::ops::ControlFlow;
use std::sync::{mpsc, Arc};

use chasqui_engine::batch::{Batcher, Limits, Options};
use chasqui_engine::{Engine, GenerateRequest, LogProbs, Sampling, MAX_TOP_LOGPROBS};
use common::{message, tiny_config};

fn engine() -> Arc<Engine> {
    let device = chasqui_engine::device::open("cpu").unwrap();
    Arc::new(Engine::new(tiny_config().init(3, &device)))
}

fn request() -> GenerateRequest {
    GenerateRequest {
        prompt_ids: vec![5, 9, 2],
        sampling: Sampling {
            ignore_eos: true,
            temperature_milli: 900,
            seed: 4,
            ..Sampling::greedy(6)
        },
        fingerprint_seed: [0; 32],
    }
}

fn asking_for(top: u8) -> Options {
    Options {
        top_logprobs: Some(top),
        ..Options::default()
    }
}

// GIVEN logits of known probabilities
// WHEN their logarithms are asked for
// THEN they are right, ranked, and as many as there are; what is not in the vocabulary has none
#[test]
fn logarithms_of_known_probabilities() {
    let logits: Vec<f32> = [0.5f32, 0.25, 0.125, 0.125]
        .iter()
        .map(|p| p.ln() + 3.0)
        .collect();
    let found = LogProbs::of(&logits, 1, 3);
    assert!((found.chosen - 0.25f32.ln()).abs() < 1e-6);
    let ids: Vec<u32> = found.top().iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert!((found.top()[0].1 - 0.5f32.ln()).abs() < 1e-6);
    assert_eq!(LogProbs::of(&logits, 1, 99).top().len(), 4);
    assert!(LogProbs::of(&logits, 1, 0).top().is_empty());
    assert_eq!(LogProbs::of(&logits, 9, 1).chosen, f32::MIN);
    // One token that outweighs everything is certain, not more.
    assert_eq!(LogProbs::of(&[1e30, 0.0], 0, 1).chosen, 0.0);
}

// GIVEN a request run with and without log-probabilities
// WHEN its tokens come
// THEN they are the same tokens, and each log-probability is the one that scoring the sequence gives
#[test]
fn asking_for_them_changes_no_token() {
    let engine = engine();
    let plain = engine
        .generate(&request(), |_| ControlFlow::Continue(()))
        .unwrap();
    let batcher = Batcher::new(engine.clone(), Limits::default()).unwrap();
    let (sender, tokens) = mpsc::channel();
    let (done, outcome) = mpsc::channel();
    batcher
        .submit_with(
            request(),
            asking_for(2),
            move |token| {
                sender.send((token.id, token.logprobs.unwrap())).unwrap();
                ControlFlow::Continue(())
            },
            move |made| done.send(made).unwrap(),
        )
        .unwrap();
    assert_eq!(
        outcome.recv().unwrap().unwrap().output_ids,
        plain.output_ids
    );
    let ids = [request().prompt_ids, plain.output_ids.clone()].concat();
    let scores = engine.score(&ids).unwrap();
    let rows: Vec<&[f32]> = scores.logits.chunks(scores.vocab_size).collect();
    for (index, (id, found)) in tokens.iter().enumerate() {
        assert_eq!(id, plain.output_ids[index]);
        let expected = LogProbs::of(rows[2 + index], id, 2);
        assert!((found.chosen - expected.chosen).abs() < 1e-4);
        assert_eq!(found.top().len(), 2);
        assert_eq!(found.top()[0].0, expected.top()[0].0);
    }
}

// GIVEN a wish for more alternatives than are computed
// WHEN it is submitted
// THEN the error names the field and the most
#[test]
fn too_many_alternatives_are_refused() {
    let batcher = Batcher::new(engine(), Limits::default()).unwrap();
    let refused = batcher.submit_with(
        request(),
        asking_for(MAX_TOP_LOGPROBS + 1),
        |_| ControlFlow::Continue(()),
        |_| {},
    );
    let said = message(refused);
    assert!(
        said.contains("top_logprobs") && said.contains("20"),
        "{said}"
    );
}
